//! The header: what a delta says of its jobs, and what of that is checked.

use super::{
    Amount, HeaderError, JobFault, MAX_ALL_SEGMENTS, MAX_JOBS, MAX_OLD_BYTES, MAX_OLD_FILES, MAX_RAW_BYTES,
    MAX_SEGMENTS,
};
use crate::model::{Blake3, EntryKind, Index, TreePath, Version};

/// One of the two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Its version.
    pub version: Version,
    /// Its tree digest.
    pub tree: Blake3,
}

/// A file of the base that jobs read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldFile {
    /// Where it lies in the base.
    pub path: TreePath,
    /// Its length in bytes.
    pub size: u64,
    /// BLAKE3 of its content.
    pub digest: Blake3,
}

/// Part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Segment {
    /// An entry of the target's index, or an old file of the header, by number.
    pub file: u32,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

/// What a job's packed bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum With {
    /// Nothing: the old bytes are the new ones.
    Copy,
    /// zstd, the old bytes its prefix.
    Prefix,
    /// zstd.
    Plain,
    /// zstd over bytes sorted by their place in numbers of so many bytes.
    Split(Width),
    /// The same over the differences of floats.
    Diff(Width),
}

/// How many bytes a number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// 16 bits.
    Two,
    /// 32 bits.
    Four,
}

impl Width {
    /// In bytes.
    pub fn bytes(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What it makes.
    pub to: Vec<Segment>,
    /// The old bytes it needs.
    pub from: Vec<Segment>,
    /// How it is packed.
    pub with: With,
    /// Where it begins in the delta.
    pub offset: u64,
    /// Its length in the delta.
    pub length: u64,
    /// BLAKE3 of its bytes in the delta.
    pub packed: Blake3,
    /// BLAKE3 of the old bytes.
    pub old: Blake3,
    /// BLAKE3 of the new bytes.
    pub raw: Blake3,
}

impl Job {
    /// How many bytes it makes.
    pub fn raw_bytes(&self) -> u64 {
        sum(&self.to)
    }

    /// How many old bytes it needs.
    pub fn old_bytes(&self) -> u64 {
        sum(&self.from)
    }
}

fn sum(segments: &[Segment]) -> u64 {
    segments.iter().map(|segment| segment.length).fold(0, u64::saturating_add)
}

/// What a delta says of its jobs; what exists fits together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub(super) size: u64,
    pub(super) base: Side,
    pub(super) target: Side,
    pub(super) olds: Vec<OldFile>,
    pub(super) jobs: Vec<Job>,
}

impl Header {
    /// The length of the delta in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many bytes stand before the jobs.
    pub fn front_bytes(&self) -> u64 {
        self.jobs.first().map_or(self.size, |job| job.offset)
    }

    /// The tree it leads from.
    pub fn base(&self) -> &Side {
        &self.base
    }

    /// The tree it leads to.
    pub fn target(&self) -> &Side {
        &self.target
    }

    /// The old files that jobs read.
    pub fn olds(&self) -> &[OldFile] {
        &self.olds
    }

    /// The jobs, in the order of their bytes.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Gives the jobs their places behind a start of `start` bytes, and checks everything but whether they fit the target.
    pub(super) fn new(
        start: u64,
        size: u64,
        sides: (Side, Side),
        olds: Vec<OldFile>,
        mut jobs: Vec<Job>,
    ) -> Result<Self, HeaderError> {
        limit(Amount::OldFiles, olds.len() as u64, MAX_OLD_FILES as u64)?;
        limit(Amount::Jobs, jobs.len() as u64, MAX_JOBS as u64)?;
        let (mut end, mut segments) = (start, 0);
        for (number, job) in jobs.iter_mut().enumerate() {
            segments += (job.to.len() + job.from.len()) as u64;
            limit(Amount::Segments, segments, MAX_ALL_SEGMENTS as u64)?;
            check_job(number, job, &olds)?;
            job.offset = end;
            end = end.saturating_add(job.length);
        }
        if end != size {
            return Err(HeaderError::Tiling { end, size });
        }
        let (base, target) = sides;
        Ok(Self { size, base, target, olds, jobs })
    }

    /// Whether it leads to the tree of `index`, and the jobs make whole files of it.
    ///
    /// # Errors
    ///
    /// [`HeaderError::OtherTarget`], [`HeaderError::NoFile`], [`HeaderError::Untiled`].
    pub fn check(&self, index: &Index) -> Result<(), HeaderError> {
        let expected = index.tree_digest();
        if self.target.tree != expected {
            return Err(HeaderError::OtherTarget { expected, found: self.target.tree });
        }
        let mut all: Vec<Segment> = Vec::new();
        for (number, job) in self.jobs.iter().enumerate() {
            for segment in &job.to {
                let entry = index.entries.get(segment.file as usize);
                if !entry.is_some_and(|item| matches!(item.entry.kind, EntryKind::File { .. })) {
                    return Err(HeaderError::NoFile { job: number, entry: segment.file.into() });
                }
            }
            all.extend_from_slice(&job.to);
        }
        all.sort_unstable_by_key(|segment| (segment.file, segment.offset));
        for parts in all.chunk_by(|a, b| a.file == b.file) {
            let mut end = 0u64;
            let adjoin = parts.iter().all(|part| {
                let fits = part.offset == end;
                end = part.offset.saturating_add(part.length);
                fits
            });
            if let Some(item) = parts.first().and_then(|part| index.entries.get(part.file as usize))
                && let EntryKind::File { size, .. } = item.entry.kind
                && !(adjoin && end == size)
            {
                return Err(HeaderError::Untiled { path: item.entry.path.clone() });
            }
        }
        Ok(())
    }
}

pub(super) fn limit(what: Amount, found: u64, limit: u64) -> Result<(), HeaderError> {
    if found > limit { Err(HeaderError::Limit { what, found, limit }) } else { Ok(()) }
}

fn check_job(number: usize, job: &Job, olds: &[OldFile]) -> Result<(), HeaderError> {
    let wrong = |what| Err(HeaderError::Job { job: number, what });
    limit(Amount::JobSegments, job.to.len().max(job.from.len()) as u64, MAX_SEGMENTS as u64)?;
    limit(Amount::JobNew, job.raw_bytes(), MAX_RAW_BYTES)?;
    limit(Amount::JobOld, job.old_bytes(), MAX_OLD_BYTES)?;
    // zstd makes what it cannot compress longer by less than this.
    limit(Amount::JobPacked, job.length, MAX_RAW_BYTES + (MAX_RAW_BYTES >> 7))?;
    if job.to.is_empty() || job.to.iter().chain(&job.from).any(|segment| segment.length == 0) {
        return wrong(JobFault::Empty);
    }
    for segment in &job.from {
        let end = segment.offset.checked_add(segment.length);
        let old = olds.get(segment.file as usize);
        if old.is_none_or(|old| end.is_none_or(|end| end > old.size)) {
            return wrong(JobFault::Outside);
        }
    }
    let (raw, old) = (job.raw_bytes(), job.old_bytes());
    match job.with {
        With::Copy if job.length != 0 || raw != old => wrong(JobFault::Copy),
        With::Prefix if job.length == 0 || old == 0 => wrong(JobFault::Prefix),
        With::Plain | With::Split(_) if job.length == 0 || old != 0 => wrong(JobFault::Plain),
        With::Diff(_) if job.length == 0 || raw != old => wrong(JobFault::Uneven),
        With::Split(width) | With::Diff(width) if raw % width.bytes() as u64 != 0 => wrong(JobFault::Cut),
        _ => Ok(()),
    }
}

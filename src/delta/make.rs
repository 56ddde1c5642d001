//! Making: tasks packed on all cores, then written in the order in which they are best applied, the header before them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::header::Width;
use super::plan::{NEAR_BYTES, Plan, Task, plan};
use super::sketch::Sketch;
use super::{Header, Job, MakeError, OldFile, Segment, Side, Tree, With, job, lines};
use crate::fsx::{self, Action};
use crate::model::{Blake3, EntryKind, Version};

/// So many jobs are packed before the first of them is written: what is in memory.
const BATCH: usize = 64;
/// Old bytes that a search finds, at most.
const FOUND_BYTES: u64 = 3 << 19;
/// Floats are judged by so many bytes of their job.
const SAMPLE: usize = 64 << 10;

/// How to make a delta.
pub struct MakeOptions<'a> {
    /// The version of the base.
    pub base: &'a Version,
    /// The version of the target.
    pub target: &'a Version,
    /// zstd's level; the default where not given.
    pub level: Option<i32>,
    /// A delta of more bytes is of no use.
    pub limit: u64,
    /// Threads that pack; 0 means one for each core. The delta does not depend on it.
    pub threads: usize,
    /// Told, now and then, how many new bytes of how many are done.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

/// What was made.
#[derive(Debug)]
#[must_use]
pub enum Made {
    /// A delta.
    Delta {
        /// What it says of itself.
        header: Box<Header>,
        /// How many bytes of new files its jobs make.
        changed: u64,
    },
    /// Nothing of use: it would have more bytes than the limit.
    TooLarge {
        /// How many bytes there were when that was found.
        size: u64,
    },
}

/// zstd's level where none is asked for.
const LEVEL: i32 = 5;

/// Makes the delta from `base` to `target` and writes it to `out`. `spool` is an empty file of the caller's at `place`,
/// which holds the packed jobs meanwhile.
///
/// # Errors
///
/// What cannot be read or written; a small file that is not as its index says. (A big one that changes under our hands is
/// found when the delta is applied.)
pub fn make(
    base: Tree<'_>,
    target: Tree<'_>,
    options: &MakeOptions<'_>,
    (spool, place): (&File, &Path),
    out: &mut (impl Write + Send),
) -> Result<Made, MakeError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(super::threads(options.threads)).build();
    let pool = pool.map_err(|e| MakeError::Threads(e.to_string()))?;
    pool.install(|| make_here(base, target, options, (spool, place), out))
}

fn make_here(
    base: Tree<'_>,
    target: Tree<'_>,
    options: &MakeOptions<'_>,
    (spool, place): (&File, &Path),
    out: &mut (impl Write + Send),
) -> Result<Made, MakeError> {
    let Plan { tasks, searched } = plan(base, target)?;
    let sketch = Sketch::of(base, &searched)?;
    let changed = tasks.iter().map(Task::bytes).sum();
    let done = AtomicU64::new(0);
    let packer = Packer { base, target, sketch, level: options.level.unwrap_or(LEVEL) };
    let (mut jobs, mut size) = (Vec::new(), 0u64);
    for (batch, tasks) in tasks.chunks(BATCH).enumerate() {
        let pack = |(at, task): (usize, &Task)| {
            let packed = packer.pack(batch * BATCH + at, task);
            let done = done.fetch_add(task.bytes(), Ordering::Relaxed) + task.bytes();
            (options.progress)(done, changed);
            packed
        };
        for packed in tasks.par_iter().enumerate().map(pack).collect::<Vec<_>>() {
            let (job, bytes) = packed?;
            fsx::write_all_at(spool, place, &bytes, size)?;
            let at = size;
            size += job.length;
            jobs.push(Spooled { at, job });
        }
        if size > options.limit {
            return Ok(Made::TooLarge { size });
        }
    }
    jobs.sort_by_key(|Spooled { job, .. }| Reverse(yields(job)));
    let (places, mut jobs): (Vec<u64>, Vec<Job>) = jobs.into_iter().map(|spooled| (spooled.at, spooled.job)).unzip();
    let olds = number_olds(base, &mut jobs);
    let side = |version: &Version, tree: Tree<'_>| Side { version: version.clone(), tree: tree.index.tree_digest() };
    let (from, to) = (side(options.base, base), side(options.target, target));
    let start = lines::write(&from, &to, &olds, &jobs)?;
    let whole = start.len() as u64 + size;
    if whole > options.limit {
        return Ok(Made::TooLarge { size: whole });
    }
    let header = Header::new(start.len() as u64, whole, (from, to), olds, jobs)?;
    // What would be refused when it is applied is not given out.
    header.check(target.index)?;
    out.write_all(&start).map_err(MakeError::Write)?;
    let mut bytes = Vec::new();
    for (at, job) in places.iter().zip(&header.jobs) {
        bytes.resize(job.length as usize, 0);
        spool.read_exact_at(&mut bytes, *at).map_err(|e| fsx::Error::new(Action::Read, place, e))?;
        out.write_all(&bytes).map_err(MakeError::Write)?;
    }
    out.flush().map_err(MakeError::Write)?;
    Ok(Made::Delta { header: Box::new(header), changed })
}

/// A job that is packed, and where in the spool its bytes are.
struct Spooled {
    at: u64,
    job: Job,
}

/// How many bytes a job makes of one of its own, as a power of two.
///
/// While a delta comes, the job that has come last is applied when nothing more comes: jobs that are much work for few bytes go
/// first, those that are little work for many bytes last (S. M. Johnson, Optimal two- and three-stage production schedules,
/// 1954). Powers of two, so that jobs of about the same worth stay in the order of the tree, and disks read on.
fn yields(job: &Job) -> u32 {
    job.raw_bytes().checked_div(job.length).map_or(u32::MAX, |times| times.checked_ilog2().unwrap_or(0))
}

/// Numbers the old files that jobs use, in the order of the base, and gives the jobs these numbers.
fn number_olds(base: Tree<'_>, jobs: &mut [Job]) -> Vec<OldFile> {
    let mut numbers: BTreeMap<u32, u32> = jobs.iter().flat_map(|job| &job.from).map(|part| (part.file, 0)).collect();
    let mut olds = Vec::new();
    for (entry, number) in &mut numbers {
        let item = base.index.entries.get(*entry as usize);
        if let Some(crate::model::IndexEntry { entry, .. }) = item
            && let EntryKind::File { size, digest } = entry.kind
        {
            *number = olds.len() as u32;
            olds.push(OldFile { path: entry.path.clone(), size, digest });
        }
    }
    for part in jobs.iter_mut().flat_map(|job| &mut job.from) {
        part.file = numbers.get(&part.file).copied().unwrap_or_default();
    }
    olds
}

struct Packer<'a> {
    base: Tree<'a>,
    target: Tree<'a>,
    sketch: Sketch,
    level: i32,
}

impl Packer<'_> {
    /// Packs one task. The old files of the job are entries of the base.
    fn pack(&self, number: usize, task: &Task) -> Result<(Job, Vec<u8>), MakeError> {
        let (to, from, with, raw, old) = match task {
            Task::Copy { to, old } => {
                let (raw, from) = (self.read(self.target, &[*to])?, vec![*old]);
                let old = self.read(self.base, &from)?;
                if raw != old {
                    return Err(MakeError::Changed { path: self.path(self.target, to) });
                }
                (vec![*to], from, With::Copy, raw, old)
            }
            Task::Bytes { to, near } => {
                let raw = self.read(self.target, to)?;
                self.check_whole(to, &raw)?;
                let from = self.alike(&raw, near);
                let old = self.read(self.base, &from)?;
                let with = if from.is_empty() { With::Plain } else { With::Prefix };
                (to.clone(), from, with, raw, old)
            }
            Task::Floats { to, width, old: from } => {
                let (raw, old) = (self.read(self.target, to)?, self.read(self.base, from)?);
                let with = self.judge(&raw, &old, *width)?;
                let needs_old = !matches!(with, With::Plain | With::Split(_));
                let (from, old) = if needs_old { (from.clone(), old) } else { (Vec::new(), Vec::new()) };
                (to.clone(), from, with, raw, old)
            }
            Task::NewFloats { to, width } => {
                let raw = self.read(self.target, to)?;
                let with = self.judge(&raw, &[], *width)?;
                (to.clone(), Vec::new(), with, raw, Vec::new())
            }
        };
        let packed = job::pack(&raw, &old, with, self.level).map_err(MakeError::Encode)?;
        let mut back = vec![0; raw.len()];
        if job::unpack(&packed, &old, with, &mut Vec::new(), &mut back).is_err() || back != raw {
            return Err(MakeError::Unfaithful { job: number });
        }
        let digests = (Blake3::of(&packed), Blake3::of(&old), Blake3::of(&raw));
        let none = Blake3::of(&[]);
        let is_copy = with == With::Copy;
        let job = Job {
            to,
            from,
            with,
            offset: 0,
            length: packed.len() as u64,
            packed: digests.0,
            old: if is_copy { none } else { digests.1 },
            raw: digests.2,
        };
        Ok((job, packed))
    }

    /// What is near, and what a search finds besides, in the order of the base.
    fn alike(&self, raw: &[u8], near: &[Segment]) -> Vec<Segment> {
        let mut room = NEAR_BYTES;
        let mut parts = Vec::new();
        for segment in near {
            let length = segment.length.min(room);
            room -= length;
            parts.push(Segment { length, ..*segment });
        }
        parts.extend(self.sketch.like(raw, FOUND_BYTES));
        parts.retain(|part| part.length > 0);
        parts.sort_unstable_by_key(|part| (part.file, part.offset));
        let mut joined: Vec<Segment> = Vec::with_capacity(parts.len());
        for part in parts {
            match joined.last_mut() {
                Some(last) if last.file == part.file && part.offset <= last.offset + last.length => {
                    last.length = last.length.max(part.offset + part.length - last.offset);
                }
                _ => joined.push(part),
            }
        }
        joined
    }

    /// What packs floats best, by a sample from the middle of them.
    fn judge(&self, raw: &[u8], old: &[u8], width: Width) -> Result<With, MakeError> {
        if raw == old {
            return Ok(With::Copy);
        }
        let bytes = width.bytes();
        let from = raw.len().saturating_sub(SAMPLE) / 2 / bytes * bytes;
        let sample = |all: &[u8]| all.get(from..(from + SAMPLE).min(all.len())).map(<[u8]>::to_vec).unwrap_or_default();
        let (raw, old) = (sample(raw), sample(old));
        let mut ways = vec![With::Plain, With::Split(width)];
        if !old.is_empty() {
            ways.extend([With::Prefix, With::Diff(width)]);
        }
        let mut best = (usize::MAX, With::Plain);
        for with in ways {
            let length = job::pack(&raw, &old, with, 1).map_err(MakeError::Encode)?.len();
            best = if length < best.0 { (length, with) } else { best };
        }
        Ok(best.1)
    }

    /// Files that are whole in one job must be what the index says.
    fn check_whole(&self, to: &[Segment], raw: &[u8]) -> Result<(), MakeError> {
        let mut at = 0;
        for segment in to {
            let bytes = raw.get(at..at + segment.length as usize).unwrap_or_default();
            at += bytes.len();
            let item = self.target.index.entries.get(segment.file as usize);
            if let Some(EntryKind::File { size, digest }) = item.map(|item| &item.entry.kind)
                && *size == segment.length
                && Blake3::of(bytes) != *digest
            {
                return Err(MakeError::Changed { path: self.path(self.target, segment) });
            }
        }
        Ok(())
    }

    fn read(&self, tree: Tree<'_>, segments: &[Segment]) -> Result<Vec<u8>, MakeError> {
        let total: u64 = segments.iter().map(|segment| segment.length).sum();
        let mut bytes = vec![0; total as usize];
        let mut rest = bytes.as_mut_slice();
        for segment in segments {
            let (part, behind) = rest.split_at_mut(segment.length as usize);
            if let Some((path, _)) = tree.file(segment.file) {
                tree.read(path, segment.offset, part)?;
            }
            rest = behind;
        }
        Ok(bytes)
    }

    fn path(&self, tree: Tree<'_>, segment: &Segment) -> crate::model::TreePath {
        tree.index.entries[segment.file as usize].entry.path.clone()
    }
}

//! The header as lines of JSON.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};

use super::header::{Width, limit};
use super::{
    Amount, DELTA_FORMAT, Header, HeaderError, Job, LineFault, MAX_HEADER_BYTES, MAX_JOBS, MAX_OLD_FILES, MAX_SEGMENTS,
    OldFile, Segment, Side, With,
};
use crate::model::{Blake3, MAX_PATH_BYTES, Name, TreePath, Version, bytes_of, spell};

/// A skippable frame of zstd (RFC 8878) that holds 16 bytes, and the format's name.
const MAGIC: [u8; 16] = *b"\x50\x2a\x4d\x18\x10\x00\x00\x00dtdelta1";
/// So many bytes tell how long the header is.
pub const START_BYTES: usize = 24;
/// The header is small, and read more often than made.
const LEVEL: i32 = 9;
/// The longest line: a job with the most segments of three numbers each.
const MAX_LINE: u64 = 2 * MAX_SEGMENTS as u64 * 64 + 1024;
/// The longest line of an old file: every byte of its path escaped.
const MAX_OLD_LINE: u64 = 6 * MAX_PATH_BYTES as u64 + 1024;

#[derive(Serialize, Deserialize)]
struct First {
    delta: u32,
    /// The length of the delta without start and header, which this line is part of.
    size: u64,
    base: SideLine,
    target: SideLine,
    olds: u64,
    jobs: u64,
}

#[derive(Serialize, Deserialize)]
struct SideLine {
    version: Version,
    tree: Blake3,
}

#[derive(Serialize, Deserialize)]
struct OldLine<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    path_hex: Option<Cow<'a, str>>,
    size: u64,
    blake3: Blake3,
}

#[derive(Serialize, Deserialize)]
struct JobLine {
    to: Vec<(u32, u64, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    from: Vec<(u32, u64, u64)>,
    with: WithName,
    length: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packed: Option<Blake3>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old: Option<Blake3>,
    raw: Blake3,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WithName {
    Copy,
    Prefix,
    Plain,
    Split2,
    Split4,
    Diff2,
    Diff4,
}

impl From<With> for WithName {
    fn from(with: With) -> Self {
        match with {
            With::Copy => Self::Copy,
            With::Prefix => Self::Prefix,
            With::Plain => Self::Plain,
            With::Split(Width::Two) => Self::Split2,
            With::Split(Width::Four) => Self::Split4,
            With::Diff(Width::Two) => Self::Diff2,
            With::Diff(Width::Four) => Self::Diff4,
        }
    }
}

impl From<WithName> for With {
    fn from(name: WithName) -> Self {
        match name {
            WithName::Copy => Self::Copy,
            WithName::Prefix => Self::Prefix,
            WithName::Plain => Self::Plain,
            WithName::Split2 => Self::Split(Width::Two),
            WithName::Split4 => Self::Split(Width::Four),
            WithName::Diff2 => Self::Diff(Width::Two),
            WithName::Diff4 => Self::Diff(Width::Four),
        }
    }
}

/// The start and the header of a delta whose jobs are known.
pub(super) fn write(base: &Side, target: &Side, olds: &[OldFile], jobs: &[Job]) -> Result<Vec<u8>, HeaderError> {
    let mut text = Vec::new();
    let side = |side: &Side| SideLine { version: side.version.clone(), tree: side.tree };
    let first = First {
        delta: DELTA_FORMAT,
        size: jobs.iter().map(|job| job.length).sum(),
        base: side(base),
        target: side(target),
        olds: olds.len() as u64,
        jobs: jobs.len() as u64,
    };
    line(&mut text, &first);
    for old in olds {
        let (path, path_hex) = spell(old.path.as_bytes());
        line(&mut text, &OldLine { path, path_hex, size: old.size, blake3: old.digest });
    }
    let parts = |segments: &[Segment]| segments.iter().map(|s| (s.file, s.offset, s.length)).collect();
    for job in jobs {
        let has_bytes = job.with != With::Copy;
        line(
            &mut text,
            &JobLine {
                to: parts(&job.to),
                from: parts(&job.from),
                with: job.with.into(),
                length: job.length,
                packed: has_bytes.then_some(job.packed),
                old: (has_bytes && !job.from.is_empty()).then_some(job.old),
                raw: job.raw,
            },
        );
    }
    let packed = zstd::bulk::compress(&text, LEVEL).map_err(HeaderError::Zstd)?;
    limit(Amount::Header, packed.len() as u64, MAX_HEADER_BYTES)?;
    Ok([&MAGIC[..], &(packed.len() as u64).to_le_bytes(), &packed].concat())
}

fn line<T: Serialize>(text: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(&mut *text, value).expect("into memory, and the lines have string keys only");
    text.push(b'\n');
}

/// How many bytes the header has that follows these first ones of a delta.
///
/// # Errors
///
/// [`HeaderError::Foreign`], [`HeaderError::Limit`].
pub fn header_length(start: &[u8; START_BYTES]) -> Result<u64, HeaderError> {
    let Some((magic, length)) = start.split_first_chunk::<16>() else { return Err(HeaderError::Foreign) };
    if *magic != MAGIC {
        return Err(HeaderError::Foreign);
    }
    let length = length.try_into().map(u64::from_le_bytes).map_err(|_| HeaderError::Foreign)?;
    limit(Amount::Header, length, MAX_HEADER_BYTES)?;
    Ok(length)
}

impl Header {
    /// Reads start and header of a delta, and no byte behind them.
    ///
    /// # Errors
    ///
    /// What is not a header, or passes a limit. Memory is bounded whatever the bytes are.
    pub fn read(mut delta: impl Read) -> Result<Self, HeaderError> {
        let mut start = [0; START_BYTES];
        delta.read_exact(&mut start).map_err(|_| HeaderError::Foreign)?;
        let length = header_length(&start)?;
        let packed = BufReader::new(delta.take(length));
        let decoder = zstd::Decoder::with_buffer(packed).map_err(HeaderError::Zstd)?;
        let mut lines = Lines { input: BufReader::new(decoder), text: Vec::new(), number: 0 };
        let first: First = lines.next(MAX_OLD_LINE)?;
        if first.delta > DELTA_FORMAT {
            return Err(HeaderError::Newer { found: first.delta });
        }
        limit(Amount::OldFiles, first.olds, MAX_OLD_FILES as u64)?;
        limit(Amount::Jobs, first.jobs, MAX_JOBS as u64)?;
        let mut olds = Vec::new();
        for _ in 0..first.olds {
            olds.push(lines.old()?);
        }
        let (mut jobs, mut segments) = (Vec::new(), 0);
        for _ in 0..first.jobs {
            let job: Job = lines.next::<JobLine>(MAX_LINE)?.into();
            segments += (job.to.len() + job.from.len()) as u64;
            limit(Amount::Segments, segments, super::MAX_ALL_SEGMENTS as u64)?;
            jobs.push(job);
        }
        lines.end()?;
        let start = START_BYTES as u64 + length;
        let side = |side: SideLine| Side { version: side.version, tree: side.tree };
        let size = first.size.checked_add(start).ok_or(HeaderError::Tiling { end: start, size: first.size })?;
        Self::new(start, size, (side(first.base), side(first.target)), olds, jobs)
    }
}

impl From<JobLine> for Job {
    fn from(line: JobLine) -> Self {
        let none = Blake3::of(&[]);
        let segments = |parts: Vec<(u32, u64, u64)>| {
            parts.into_iter().map(|(file, offset, length)| Segment { file, offset, length }).collect()
        };
        Self {
            to: segments(line.to),
            from: segments(line.from),
            with: line.with.into(),
            offset: 0,
            length: line.length,
            packed: line.packed.unwrap_or(none),
            old: line.old.unwrap_or(none),
            raw: line.raw,
        }
    }
}

struct Lines<R> {
    input: R,
    text: Vec<u8>,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    fn wrong(&self, what: LineFault) -> HeaderError {
        HeaderError::Line { line: self.number, what }
    }

    fn fill(&mut self, longest: u64) -> Result<(), HeaderError> {
        self.text.clear();
        self.number += 1;
        (&mut self.input).take(longest).read_until(b'\n', &mut self.text).map_err(HeaderError::Zstd)?;
        match self.text.last() {
            Some(b'\n') => Ok(()),
            _ if self.text.len() as u64 == longest => Err(self.wrong(LineFault::TooLong)),
            _ => Err(self.wrong(LineFault::TooFew)),
        }
    }

    fn next<T: for<'de> Deserialize<'de>>(&mut self, longest: u64) -> Result<T, HeaderError> {
        self.fill(longest)?;
        serde_json::from_slice(&self.text).map_err(|e| self.wrong(LineFault::Json(e)))
    }

    fn old(&mut self) -> Result<OldFile, HeaderError> {
        self.fill(MAX_OLD_LINE)?;
        let line: OldLine<'_> = serde_json::from_slice(&self.text).map_err(|e| self.wrong(LineFault::Json(e)))?;
        let name: Name<'_> = (line.path, line.path_hex);
        let bytes = bytes_of(name).ok_or_else(|| self.wrong(LineFault::NoPath))?;
        let path = TreePath::parse(&bytes).map_err(|reason| HeaderError::Path { line: self.number, reason })?;
        Ok(OldFile { path, size: line.size, digest: line.blake3 })
    }

    fn end(&mut self) -> Result<(), HeaderError> {
        match self.input.fill_buf().map_err(HeaderError::Zstd)? {
            [] => Ok(()),
            _ => Err(self.wrong(LineFault::TooMany)),
        }
    }
}

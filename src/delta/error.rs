//! Why a delta could not be made, read or applied.

use std::fmt;
use std::io;

use crate::fsx;
use crate::model::{Blake3, PathError, TreePath};

/// Why bytes are not the header of a delta.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// It does not begin as a delta does.
    #[error("it does not begin as a delta does")]
    Foreign,
    /// Written by a newer tool.
    #[error("delta format {found} is newer than {}, the newest this build reads", super::DELTA_FORMAT)]
    Newer {
        /// The number in the file.
        found: u32,
    },
    /// Not zstd, or cut off.
    #[error("its header is not zstd, or cut short: {0}")]
    Zstd(#[source] io::Error),
    /// A line is not what it should be, or not there.
    #[error("line {line} of its header: {what}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: LineFault,
    },
    /// A path that is none.
    #[error("line {line} of its header: {reason}")]
    Path {
        /// The line, from 1.
        line: usize,
        /// Why it is none.
        reason: PathError,
    },
    /// More of something than the limit.
    #[error("{found} {what}, more than {limit}")]
    Limit {
        /// What there is too much of.
        what: Amount,
        /// How much there is.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A job that makes no sense by itself.
    #[error("job {job}: {what}")]
    Job {
        /// The job, from 0.
        job: usize,
        /// What is wrong with it.
        what: JobFault,
    },
    /// The jobs do not end where the file ends.
    #[error("its jobs end at byte {end} of {size}")]
    Tiling {
        /// Where they end.
        end: u64,
        /// The length of the file.
        size: u64,
    },
    /// It leads to another tree than the one that is wanted.
    #[error("it leads to the tree {found}, not {expected}")]
    OtherTarget {
        /// The tree that is wanted.
        expected: Blake3,
        /// The tree it leads to.
        found: Blake3,
    },
    /// The segments of a file do not tile it.
    #[error("its jobs do not make all of `{path}`, or some of it twice")]
    Untiled {
        /// The file.
        path: TreePath,
    },
    /// A job makes part of an entry that is no file or not there.
    #[error("job {job} makes part of entry {entry}, which is no file")]
    NoFile {
        /// The job, from 0.
        job: usize,
        /// The entry.
        entry: u64,
    },
}

/// What is wrong with a line of a header.
#[derive(Debug, thiserror::Error)]
pub enum LineFault {
    /// It is not JSON of the right form.
    #[error("{0}")]
    Json(#[source] serde_json::Error),
    /// It names no file, or UTF-8 stands under the name for what is none.
    #[error("no `path`, or no UTF-8 under `path_hex` only")]
    NoPath,
    /// It is longer than any honest one.
    #[error("it is too long")]
    TooLong,
    /// It is not there, and should be.
    #[error("there are fewer lines than there should be")]
    TooFew,
    /// It is there, and should not be.
    #[error("there are more lines than there should be")]
    TooMany,
}

/// What there may be too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Files of the base.
    OldFiles,
    /// Jobs.
    Jobs,
    /// Segments of all jobs.
    Segments,
    /// Segments of one job.
    JobSegments,
    /// Bytes that one job makes.
    JobNew,
    /// Bytes of the base that one job needs.
    JobOld,
    /// Bytes that one job has in the delta.
    JobPacked,
    /// Bytes of the header as it is stored.
    Header,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OldFiles => "old files",
            Self::Jobs => "jobs",
            Self::Segments => "segments",
            Self::JobSegments => "segments of one job",
            Self::JobNew => "new bytes of one job",
            Self::JobOld => "old bytes of one job",
            Self::JobPacked => "packed bytes of one job",
            Self::Header => "bytes of header",
        })
    }
}

/// Why a job makes no sense by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JobFault {
    /// It makes nothing, or has a segment of nothing.
    #[error("it makes nothing, or has an empty segment")]
    Empty,
    /// It needs bytes behind the end of an old file, or of a file that is not listed.
    #[error("it reads what is not in an old file")]
    Outside,
    /// A copy of another length than what it copies, or with bytes of its own.
    #[error("a copy has as many old bytes as new ones, and none of its own")]
    Copy,
    /// One that needs bytes of its own and old ones lacks some.
    #[error("it has no bytes, or no old ones")]
    Prefix,
    /// One that needs bytes of its own and nothing old lacks them, or has old ones.
    #[error("it has no bytes, or old ones")]
    Plain,
    /// A difference from fewer or more bytes.
    #[error("it has not as many old bytes as new ones")]
    Uneven,
    /// Its numbers are not whole.
    #[error("it ends within a number")]
    Cut,
}

/// Why a job does not make what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmade {
    /// Its bytes cannot be decompressed; in zstd's words.
    #[error("{0}")]
    Decode(String),
    /// They decompress to fewer than they should.
    #[error("it is shorter than it should be")]
    Short,
    /// A difference from fewer or more bytes.
    #[error("it has not as many old bytes as new ones")]
    Uneven,
    /// What it makes is not what it should.
    #[error("it has another digest")]
    Digest,
    /// It was made from other bytes than the base has.
    #[error("its old bytes have another digest than those of the base")]
    OldDigest,
}

/// Why a delta was not made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// A file could not be read, or the delta not be written.
    #[error(transparent)]
    Fs(#[from] fsx::Error),
    /// The delta could not be written.
    #[error("cannot write the delta: {0}")]
    Write(#[source] io::Error),
    /// A file is not as its index says.
    #[error("`{path}` is not as the index of its tree says")]
    Changed {
        /// The file.
        path: TreePath,
    },
    /// The compressor failed.
    #[error("cannot compress: {0}")]
    Encode(String),
    /// What was packed does not give back what went in.
    #[error("job {job} does not give back what went into it")]
    Unfaithful {
        /// The job, from 0.
        job: usize,
    },
    /// There is more of something than a delta may have.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// No threads could be started.
    #[error("cannot start threads: {0}")]
    Threads(String),
}

/// Why a delta was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It does not fit the tree that is wanted.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A wanted file that the delta does not make: the base should have it, and has not.
    #[error("the delta does not make `{path}`: it is in the version it was made from")]
    NotMade {
        /// The file.
        path: TreePath,
    },
    /// The delta's bytes could not be read.
    #[error("cannot read the delta: {0}")]
    Read(#[source] io::Error),
    /// A job's bytes in the delta are not what its header says.
    #[error("job {job} of the delta ({length} bytes) has BLAKE3 {found}, not {expected}")]
    Packed {
        /// The job, from 0.
        job: usize,
        /// Its length in the delta, in bytes.
        length: u64,
        /// What it should hash to.
        expected: Blake3,
        /// What it hashes to.
        found: Blake3,
    },
    /// An old file could not be read.
    #[error("`{path}` of the version the delta was made from: {source}")]
    Old {
        /// The old file.
        path: TreePath,
        /// Why it could not be read.
        source: fsx::Error,
    },
    /// An old file is not what the delta was made from.
    #[error("`{path}` is not as it was in the version the delta was made from")]
    BaseChanged {
        /// The old file.
        path: TreePath,
    },
    /// A job does not decode to what its header says.
    #[error("job {job} of the delta does not make the bytes it should: {what}")]
    Job {
        /// The job, from 0.
        job: usize,
        /// What is wrong.
        what: Unmade,
    },
    /// A file that was made is not what the target's index says.
    #[error("`{path}` was made with BLAKE3 {found}, not {expected}")]
    File {
        /// The file.
        path: TreePath,
        /// What the index says.
        expected: Blake3,
        /// What was made.
        found: Blake3,
    },
    /// A new file could not be written.
    #[error(transparent)]
    Fs(#[from] fsx::Error),
    /// Another step of the same work failed.
    #[error("stopped")]
    Stopped,
}

impl ApplyError {
    /// Whether another way to the same files may go well: the delta or its base is bad, not this machine.
    pub fn another_way(&self) -> bool {
        !matches!(self, Self::Fs(_) | Self::Stopped)
    }
}

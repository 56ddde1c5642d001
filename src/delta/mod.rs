//! From one version to the next: what changed, as jobs against the files of the old one
//! (`<type>-<version>.from-<version>.delta.zst`).
//!
//! # Format 1
//!
//! ```text
//! 50 2a 4d 18 · 10 00 00 00       a skippable frame of 16 bytes:
//!   "dtdelta1" · length           the format's name, and how many bytes of header follow (u64, little-endian)
//! header                          zstd: lines of JSON
//! job 0 · job 1 · … · job n-1     tile the rest of the file, in the order of their lines
//! ```
//!
//! `zstd -dc FILE` prints the header, and the jobs before the first that needs old bytes. Its lines:
//!
//! ```text
//! {"delta":1,"size":…,"base":{"version":"1.0.0","tree":"hex"},"target":{"version":"1.0.1","tree":"hex"},"olds":1,"jobs":2}
//! {"path":"lib/x.so","size":…,"blake3":"hex"}                    an old file; the numbers in `from` count these lines
//! {"to":[[4,0,9000]],"from":[[0,0,8000]],"with":"prefix","length":512,"packed":"hex","old":"hex","raw":"hex"}
//! {"to":[[4,9000,500]],"from":[[0,8500,500]],"with":"copy","length":0,"raw":"hex"}
//! ```
//!
//! `to` are segments of new files: number of the entry in the target's index, offset, length. `from` are segments of old
//! files. A name that is not UTF-8 stands in hexadecimal under `path_hex`. What a job's `length` bytes are:
//!
//! | `with` | the packed bytes |
//! |---|---|
//! | `copy` | none: `raw` is what `from` holds |
//! | `prefix` | one frame of zstd over the new bytes, with what `from` holds as its prefix (`ZSTD_CCtx_refPrefix`) |
//! | `plain` | one frame of zstd over the new bytes |
//! | `split2`, `split4` | one frame over the new bytes, sorted by their place in numbers of 2 or 4 bytes |
//! | `diff2`, `diff4` | the same over the differences of floats, new less old, as unsigned numbers (see `floats`) |
//!
//! `packed`, `old` and `raw` are BLAKE3 of the packed, the old and the new bytes. Files that both trees have, under whatever
//! name, are in no job. The segments of each other file tile it. The limits below hold for making and for reading.
//!
//! Promises: a delta is a function of both trees and the level, never of threads; what was written has the digest that the
//! target's index says, or there is an error; old bytes that are not those the delta was made from are found before they
//! are used, and their file is named; memory does not grow with files. Must not know: stores, targets, records, roots.

mod apply;
mod error;
mod floats;
mod header;
mod job;
mod lines;
mod make;
mod out;
mod pair;
mod plan;
mod sketch;
mod source;
mod tensors;

pub use apply::{Applied, ApplyOptions, apply};
pub use error::{Amount, ApplyError, HeaderError, JobFault, LineFault, MakeError, Unmade};
pub use header::{Header, Job, OldFile, Segment, Side, With};
pub use lines::{START_BYTES, header_length};
pub use make::{Made, MakeOptions, make};
pub use out::Out;
pub use source::{Bytes, Tree};

/// The version of the format this build writes and the newest it reads.
pub const DELTA_FORMAT: u32 = 1;
/// The most bytes of a header as it is stored.
pub const MAX_HEADER_BYTES: u64 = 256 << 20;
/// The most jobs.
pub const MAX_JOBS: usize = 1 << 19;
/// The most old files.
pub const MAX_OLD_FILES: usize = 1 << 20;
/// The most segments of one job on each side.
pub const MAX_SEGMENTS: usize = 1 << 14;
/// The most segments of all jobs together.
pub const MAX_ALL_SEGMENTS: usize = 4 << 20;
/// The most new bytes of one job.
pub const MAX_RAW_BYTES: u64 = 4 << 20;
/// The most old bytes of one job.
pub const MAX_OLD_BYTES: u64 = 8 << 20;
/// A job is planned with about so many new bytes.
const JOB_BYTES: u64 = 1 << 20;

/// How many threads `asked` means; 0 is one for each core.
fn threads(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    }
}

#[cfg(test)]
mod tests;

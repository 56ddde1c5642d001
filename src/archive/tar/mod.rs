//! The tar format: headers written in one canonical spelling, and headers of any origin read strictly.
//!
//! ```text
//! entry   [pax header, its records, padding]  ustar header  |  content  padding to 512
//! end     two zero blocks
//! ```
//!
//! Source: POSIX.1-2017 `pax`, ustar interchange format and pax extended headers; GNU tar's manual for `L`, `K` and
//! sparse files. Must not know: files, compression, the index.

mod error;
mod pax;
mod read;
mod sparse;
mod write;

pub use error::{HeaderPart, OddKind, TarError};
pub(super) use read::{Body, Member, next_member, no_header, only_zeros};
pub(super) use sparse::Segment;
pub(super) use write::{END_BYTES, header_bytes, padding, write_header};

/// The unit of a tar stream.
pub(super) const BLOCK: usize = 512;

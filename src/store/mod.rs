//! The store: the content-addressed cache of packages, manifests and indexes on this machine.
//!
//! ```text
//! <store>/
//!   format            "1\n": the version of this layout; a higher one is refused
//!   lock              shared by whoever reads or writes content, exclusive for gc
//!   sha256/ab/<hex>   content, named by its digest, mode 0444; only ever renamed in, whole
//!   partial/<hex>     content that is being fetched piece by piece, or was when its fetcher was killed (see `partial`)
//!   tmp/              unfinished writes; what is there while nobody holds the lock is nobody's
//!   uploads/          notes of unfinished uploads; they go with their package
//!   packed/<type>/<version>.json    what `pack` made of a version; a root for gc until it is published
//!   corrupt/<hex>     content that was found not to match its name and set aside; never removed by the program
//! ```
//!
//! Promises. A file under `sha256/` had the digest of its name when it was put there: it is written and flushed in
//! `tmp/`, renamed, and the directory flushed, so a crash or power cut leaves the whole file or no file, plus perhaps
//! something in `tmp/` that the next gc removes. What `commit` returned for survives a power cut. Disks rot all the
//! same: whoever unpacks checks the bytes again, and hands a bad file to [`Store::discard`]. A version that was packed and
//! is not published yet is never collected.
//!
//! Last use is the file's modification time, set on every use, since access times are often not kept.
//!
//! [`Reader`] looks and changes nothing, not even by creating the store; [`Store`] adds and notes use; [`Exclusive`]
//! collects. Must not know: targets, records, what is in a package.

mod error;
mod exclusive;
mod gc;
mod incoming;
mod look;
mod packed;
mod partial;
mod reader;
mod scratch;
mod shared;
#[cfg(test)]
mod tests;
mod uploads;
mod verify;

pub use error::{Error, Result};
pub use exclusive::{Collected, Exclusive};
pub use gc::{Kept, Leftover, PATIENCE, Plan, Removed, Rules};
pub use incoming::Incoming;
pub use look::Look;
pub use packed::Packed;
pub use partial::Partial;
pub use reader::{Entry, Held, Reader};
pub use scratch::Scratch;
pub use shared::Store;
pub use verify::{Corrupt, Damage, Verified};

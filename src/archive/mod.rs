//! Trees into packages and back: tree -> tar -> pieces, and every check on the way back.
//!
//! Promises: a package's bytes are a function of its tree and settings; nothing is written outside the directory
//! that was given; nothing that does not match its digest is called unpacked; memory does not grow with files.
//! Must not know: manifests, stores, targets, versions.

mod error;
mod pack;
mod tar;
mod unpack;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

pub use error::{Aspect, End, PackError, UnpackError};
pub use pack::{Mtime, NORMALIZED_MTIME, PackOptions, Packed, Trap, TrapKind, pack};
pub use tar::{HeaderPart, OddKind, TarError};
pub use unpack::{
    Expected, Pieces, Source, Tree, UnpackOptions, Unpacked, check, check_packed, index_foreign, index_stream, needed,
    unpack,
};

use crate::model::TreePath;

/// How many threads `asked` means; 0 is one for each core.
fn threads(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    }
}

/// The path relative to a tree's top, as the system takes it.
fn os_path(path: &TreePath) -> &Path {
    Path::new(OsStr::from_bytes(path.as_bytes()))
}

#[cfg(test)]
mod tests;

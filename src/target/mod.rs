//! Targets: places packages are published to and fetched from, one file per kind.
//!
//! Promises: what a `put` returned for is there under its name, flushed, and was read back and hashed; a `put` never
//! replaces, changes or removes bytes it did not write, so that two publishers cannot touch each other's. Must not
//! know: the store, the records repository, which target is asked first.

mod error;
mod filesystem;
mod location;

use std::path::Path;

pub use error::{Error, Result};
pub use filesystem::{Filesystem, Placed, Warning};

use crate::model::{ComponentType, Sha256, Version};

/// One file to be published.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// Its name at the target; a plain file name.
    pub file: &'a str,
    /// Where its bytes are on this machine.
    pub source: &'a Path,
    /// Their digest.
    pub sha256: Sha256,
    /// Their number.
    pub size: u64,
}

/// The files of one version.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    /// Of which component.
    pub component: &'a ComponentType,
    /// Which version.
    pub version: &'a Version,
    /// The package, which decides the folder.
    pub package: Upload<'a>,
    /// What lies beside it: manifest, index.
    pub beside: &'a [Upload<'a>],
}

/// Whether `name` is a file name and nothing more: not empty, no `/`, not `.` or `..`, no NUL.
pub fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

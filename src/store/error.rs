//! What the store refuses.

use std::path::PathBuf;

use crate::fsx;
use crate::model::Sha256;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system failed.
    #[error(transparent)]
    Io(#[from] fsx::Error),
    /// A gc runs, or others use the store while gc wants it alone.
    #[error("the store `{}` is in use by {holder}", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// What the last exclusive holder wrote about itself; may be empty or out of date.
        holder: String,
    },
    /// A newer program made the store.
    #[error("the store `{}` has format {found}, this program knows {known}", path.display())]
    Newer {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The highest format this program knows.
        known: u64,
    },
    /// The directory holds files but is no store, so nothing is put into it.
    #[error("`{}` is not empty and not a store", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// The bytes written are not the ones that were announced.
    #[error("expected {size} bytes with sha256 {expected}, got {found_size} bytes with sha256 {found}")]
    Unexpected {
        /// The announced digest.
        expected: Sha256,
        /// The announced length in bytes.
        size: u64,
        /// The digest of what was written.
        found: Sha256,
        /// The length of what was written, in bytes.
        found_size: u64,
    },
    /// The note of a packed version cannot be understood; until it is mended or removed gc cannot know what it holds.
    #[error("`{}` is not a note of a packed version: {reason}", path.display())]
    Note {
        /// The note.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The result of an action on the store.
pub type Result<T> = std::result::Result<T, Error>;

impl From<fsx::LockError> for Error {
    fn from(error: fsx::LockError) -> Self {
        match error {
            fsx::LockError::Held { path, holder, .. } => Error::Locked { path, holder },
            fsx::LockError::Io(e) => Error::Io(e),
        }
    }
}

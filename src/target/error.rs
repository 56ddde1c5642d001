//! What a target refuses.

use std::path::PathBuf;

use crate::fsx;
use crate::model::Sha256;

/// Why a target did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system failed.
    #[error(transparent)]
    Io(#[from] fsx::Error),
    /// A target's path does not begin at `/`, so what a record says of it would mean something else elsewhere.
    #[error("the path `{}` of target `{name}` is not absolute", path.display())]
    Relative {
        /// The target.
        name: String,
        /// Its path.
        path: PathBuf,
    },
    /// A target's path is not UTF-8, which a record has to be.
    #[error("the path `{}` of target `{name}` is not UTF-8", path.display())]
    NotText {
        /// The target.
        name: String,
        /// Its path.
        path: PathBuf,
    },
    /// A name of a file that is more, or less, than a name.
    #[error("`{file}` is not a file name")]
    FileName {
        /// The name.
        file: String,
    },
    /// Other bytes stand both under the usual name and in the folder named by the digest.
    #[error("other bytes stand at `{}`", path.display())]
    Taken {
        /// The name in the digest's folder.
        path: PathBuf,
    },
    /// What was to be published is not what was announced.
    #[error("`{}` has sha256 {found}, not {expected}", path.display())]
    Source {
        /// The file on this machine.
        path: PathBuf,
        /// The announced digest.
        expected: Sha256,
        /// The digest of its bytes.
        found: Sha256,
    },
    /// The target gives other bytes than were written to it.
    #[error("`{}` reads back as sha256 {found}, not {expected}", path.display())]
    ReadBack {
        /// The name it was to get.
        path: PathBuf,
        /// The digest of what was written.
        expected: Sha256,
        /// The digest of what came back.
        found: Sha256,
    },
}

/// The result of an action on a target.
pub type Result<T> = std::result::Result<T, Error>;

//! I/O errors that say what was being done, and to which path.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Opening or reading a file.
    Read,
    /// Writing to a file.
    Write,
    /// Creating a file.
    Create,
    /// Creating a directory.
    CreateDir,
    /// Listing a directory.
    List,
    /// Asking for an entry's kind, size or times.
    Inspect,
    /// Renaming; the path is the old name.
    Rename,
    /// Removing a file, link or directory.
    Remove,
    /// Making a symbolic or hard link; the path is the new name.
    Link,
    /// Reading a symbolic link.
    ReadLink,
    /// Changing permission bits, owner or times.
    SetMode,
    /// Forcing bytes or names to the disk.
    Flush,
    /// Forcing everything on a file system to the disk; the path is any on it.
    FlushAll,
    /// Taking a lock.
    Lock,
    /// Reserving or counting space.
    Space,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Read => "read",
            Action::Write => "write",
            Action::Create => "create",
            Action::CreateDir => "create directory",
            Action::List => "list",
            Action::Inspect => "inspect",
            Action::Rename => "rename",
            Action::Remove => "remove",
            Action::Link => "link",
            Action::ReadLink => "read link",
            Action::SetMode => "set mode of",
            Action::Flush => "flush",
            Action::FlushAll => "flush the file system of",
            Action::Lock => "lock",
            Action::Space => "measure space of",
        })
    }
}

/// A failed action on the file system.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`: {source}", path.display())]
pub struct Error {
    /// What was being done.
    pub action: Action,
    /// To which path.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

/// The result of an action on the file system.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `action` on `path`.
    pub fn new(action: Action, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self { action, path: path.into(), source: source.into() }
    }

    /// Whether the path does not exist.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether the path leads nowhere: nothing has its name, or something above it is a file or a link.
    pub fn is_nowhere(&self) -> bool {
        use rustix::io::Errno;
        let errno = Errno::from_io_error(&self.source);
        matches!(errno, Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP))
    }

    /// Whether something is already there.
    pub fn is_exists(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty)
    }
}

/// Adds action and path to an I/O result.
pub(super) trait Context<T> {
    fn at(self, action: Action, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn at(self, action: Action, path: &Path) -> Result<T> {
        self.map_err(|e| Error::new(action, path, e))
    }
}

/// `Ok(None)` where the path does not exist.
pub(super) fn optional<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.is_not_found() => Ok(None),
        Err(e) => Err(e),
    }
}

//! How much room a file system has.

use std::path::Path;

use super::error::{Action, Context as _, Result};

/// Room on a file system, as an ordinary user sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free bytes.
    pub bytes: u64,
    /// Free inodes; `None` where the file system does not count them.
    pub inodes: Option<u64>,
}

/// The room on the file system that holds `path`, which must exist.
pub fn space(path: &Path) -> Result<Space> {
    let stat = rustix::fs::statvfs(path).at(Action::Space, path)?;
    let inodes = (stat.f_files > 0).then_some(stat.f_favail);
    Ok(Space { bytes: stat.f_bavail.saturating_mul(stat.f_frsize), inodes })
}

/// Whether this process may make entries in the directory `path`.
pub fn may_write(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// The number of the user this process runs as.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

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
    /// Bytes in all, used and free.
    pub all_bytes: u64,
    /// Inodes in all, used and free; 0 where the file system does not count them.
    pub all_inodes: u64,
}

/// The room on the file system that holds `path`, which must exist.
pub fn space(path: &Path) -> Result<Space> {
    let stat = rustix::fs::statvfs(path).at(Action::Space, path)?;
    let inodes = (stat.f_files > 0).then_some(stat.f_favail);
    Ok(Space {
        bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        inodes,
        all_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        all_inodes: stat.f_files,
    })
}

/// Whether the file system is in memory: reserving there is writing, by one thread and at once, and what is free is known
/// without. Source: linux/magic.h.
#[cfg(target_os = "linux")]
pub(super) fn is_memory(file: impl std::os::fd::AsFd) -> bool {
    const TMPFS: rustix::fs::FsWord = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|stat| stat.f_type == TMPFS)
}

/// Reserves so many bytes on the file system that holds the directory `path`, and gives them back: what a quota does not
/// allow fails here, before anything is written. No file gets a name. File systems that cannot tell are passed over.
///
/// # Errors
///
/// The room or the quota is too small.
pub fn try_reserve(path: &Path, bytes: u64) -> Result<()> {
    super::fault::point(Action::Space, path)?;
    #[cfg(target_os = "linux")]
    if bytes > 0 {
        use rustix::fs::{CWD, FallocateFlags, Mode, OFlags, fallocate, openat};
        use rustix::io::Errno;
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let Ok(file) = openat(CWD, path, flags, Mode::RUSR | Mode::WUSR) else { return Ok(()) };
        if is_memory(&file) {
            return Ok(());
        }
        if let Err(e @ (Errno::NOSPC | Errno::DQUOT)) = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, bytes) {
            return Err(super::Error::new(Action::Space, path, e));
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = bytes;
    Ok(())
}

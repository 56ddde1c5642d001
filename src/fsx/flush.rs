//! Forcing bytes and names to the disk.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::{Action, Context as _, Result};
use super::fault;

/// Flushes a directory: the names made, renamed or removed in it before survive a power cut.
pub fn flush_dir(path: &Path) -> Result<()> {
    fault::point(Action::Flush, path)?;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|dir| dir.sync_all()).at(Action::Flush, path)
}

/// Flushes an open file's bytes and length; `path` is for the error.
pub fn flush_file(file: &File, path: &Path) -> Result<()> {
    fault::point(Action::Flush, path)?;
    file.sync_all().at(Action::Flush, path)
}

/// A file system, held open so that it can be flushed as a whole.
///
/// Open it before the first write: an error of any write after that is reported by [`Filesystem::flush`].
#[derive(Debug)]
pub struct Filesystem {
    handle: File,
    path: PathBuf,
}

impl Filesystem {
    /// The file system that holds `path`.
    pub fn of(path: &Path) -> Result<Self> {
        let handle = File::open(path).at(Action::Read, path)?;
        Ok(Self { handle, path: path.to_owned() })
    }

    /// Flushes everything written to this file system, links and directories included (symbolic links have no flush of
    /// their own): after `Ok` it survives a power cut. Source: syncfs(2); it reports write errors since Linux 5.8.
    pub fn flush(&self) -> Result<()> {
        fault::point(Action::FlushAll, &self.path)?;
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(&self.handle).at(Action::FlushAll, &self.path)?;
        #[cfg(not(target_os = "linux"))]
        {
            self.handle.sync_all().at(Action::FlushAll, &self.path)?;
            rustix::fs::sync();
        }
        Ok(())
    }
}

//! Symbolic and hard links.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{Action, Context as _, Result, optional};
use super::fault;

/// Makes a symbolic link at `link` that holds `target`; nothing may be at `link` yet.
pub fn symlink(target: &Path, link: &Path) -> Result<()> {
    fault::point(Action::Link, link)?;
    std::os::unix::fs::symlink(target, link).at(Action::Link, link)
}

/// Makes `new` another name of the file `existing`.
pub fn hard_link(existing: &Path, new: &Path) -> Result<()> {
    fault::point(Action::Link, new)?;
    fs::hard_link(existing, new).at(Action::Link, new)
}

/// What the symbolic link at `path` holds.
pub fn read_link(path: &Path) -> Result<PathBuf> {
    fs::read_link(path).at(Action::ReadLink, path)
}

/// What the symbolic link at `path` holds; `None` where nothing is there.
pub fn read_link_opt(path: &Path) -> Result<Option<PathBuf>> {
    optional(read_link(path))
}

/// Makes `link` hold `target`, by a link at `temporary` (on the same file system) and one rename: a reader sees the
/// old link or the new one, never none. Durable once the directory is flushed.
pub fn replace_link(target: &Path, link: &Path, temporary: &Path) -> Result<()> {
    super::remove_file_opt(temporary)?;
    symlink(target, temporary)?;
    super::rename(temporary, link)
}

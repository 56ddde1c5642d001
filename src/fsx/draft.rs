//! A file written beside the place it is meant for, and put there when it is whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::error::{Action, Context as _, Result};
use super::{create_beside, fault, flush_dir, flush_file, open, rename, set_mode};

/// A file being written under a temporary name. Dropping it removes the file; a crash leaves the temporary name.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: PathBuf,
    placed: bool,
}

impl Draft {
    /// Begins an empty file, in the directory of `path` and under a name like its.
    pub fn beside(path: &Path) -> Result<Self> {
        let (path, file) = create_beside(path)?;
        let draft = Self { file, path, placed: false };
        fault::point(Action::Write, &draft.path)?;
        Ok(draft)
    }

    /// Appends `bytes`.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).at(Action::Write, &self.path)
    }

    /// Whether the file system can let this file have the blocks of the file `other` for its own (a reflink): then copying
    /// it at once, when it is whole, costs neither time nor space. Asked while both are empty.
    pub fn can_share(&self, other: &File) -> bool {
        #[cfg(target_os = "linux")]
        return rustix::fs::ioctl_ficlone(&self.file, other).is_ok();
        #[cfg(not(target_os = "linux"))]
        {
            let _ = other;
            false
        }
    }

    /// Replaces `to`, on the same file system: after a crash it is the old file or the new one, whole; after `Ok` the new
    /// one, even after a power cut. Its owner can write it.
    pub fn place(mut self, to: &Path) -> Result<()> {
        set_mode(&self.path, 0o644)?;
        flush_file(&self.file, &self.path)?;
        rename(&self.path, to)?;
        self.placed = true;
        flush_dir(to.parent().unwrap_or(Path::new("/")))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Replaces `to` with a copy of the file `from` (a reflink where the file system can), as [`Draft::place`] does.
pub fn copy_atomic(from: &Path, to: &Path) -> Result<()> {
    let mut draft = Draft::beside(to)?;
    io::copy(&mut open(from)?, &mut draft.file).at(Action::Write, &draft.path)?;
    draft.place(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_replaces_when_it_is_placed_and_leaves_nothing_when_it_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        super::super::write_new(&to, b"old").expect("written");
        let mut draft = Draft::beside(&to).expect("begun");
        draft.add(b"new").expect("written");
        assert_eq!(super::super::read(&to).expect("there"), b"old");
        draft.place(&to).expect("placed");
        assert_eq!(super::super::read(&to).expect("there"), b"new");
        super::super::write_new(&from, b"copied").expect("written");
        copy_atomic(&from, &to).expect("copied");
        assert_eq!(super::super::read(&to).expect("there"), b"copied");
        assert_eq!(super::super::inspect(&to).expect("readable").expect("there").mode, 0o644);
        Draft::beside(&to).expect("begun").add(b"lost").expect("written");
        assert_eq!(super::super::list(dir.path()).expect("listed").len(), 2);
    }
}

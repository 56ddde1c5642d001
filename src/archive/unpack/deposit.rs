//! Puts entries into a directory and never beside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use rayon::prelude::*;

use super::UnpackOptions;
use crate::archive::os_path;
use crate::fsx::{Dir, Hand, Result};
use crate::model::TreePath;

/// So many directories are sealed by one thread at least.
const TOGETHER: usize = 64;

/// A directory being filled.
pub(super) struct Deposit<'a> {
    root: Dir,
    options: &'a UnpackOptions<'a>,
}

impl<'a> Deposit<'a> {
    pub fn new(into: &Path, options: &'a UnpackOptions<'a>) -> Result<Self> {
        Ok(Self { root: Dir::open(into)?, options })
    }

    /// A thread's way to entries of the directory.
    pub fn hand(&self) -> Hand<'_> {
        Hand::new(&self.root)
    }

    pub fn directory(&self, hand: &mut Hand<'_>, path: &TreePath) -> Result<()> {
        let (dir, name) = hand.place(path.as_bytes())?;
        dir.create_dir(name)
    }

    pub fn file(&self, hand: &mut Hand<'_>, path: &TreePath, mode: u32) -> Result<File> {
        let (dir, name) = hand.place(path.as_bytes())?;
        dir.create_file(name, self.options.file_mode(mode))
    }

    pub fn write(&self, hand: &mut Hand<'_>, path: &TreePath, file: &File, bytes: &[u8], offset: u64) -> Result<()> {
        let (dir, name) = hand.place(path.as_bytes())?;
        dir.write_at(file, name, bytes, offset)
    }

    /// A file whose end was never written, because it is a hole.
    pub fn set_length(&self, hand: &mut Hand<'_>, path: &TreePath, file: &File, length: u64) -> Result<()> {
        let (dir, name) = hand.place(path.as_bytes())?;
        dir.set_length(file, name, length)
    }

    /// Permission bits and time of a file that is written; returns its inode.
    pub fn seal(&self, hand: &mut Hand<'_>, path: &TreePath, file: &File, mode: u32, mtime: i64) -> Result<u64> {
        let (dir, name) = hand.place(path.as_bytes())?;
        dir.seal_file(file, name, self.options.file_mode(mode), mtime)
    }

    pub fn symlink(&self, hand: &mut Hand<'_>, path: &TreePath, target: &[u8], mtime: i64) -> Result<()> {
        let (dir, name) = hand.place(path.as_bytes())?;
        dir.symlink(target, name, mtime)
    }

    pub fn hard_link(&self, hand: &mut Hand<'_>, path: &TreePath, to: &TreePath) -> Result<()> {
        let mut other = self.hand();
        let (there, existing) = other.place(to.as_bytes())?;
        let (dir, name) = hand.place(path.as_bytes())?;
        dir.hard_link(there, existing, name)
    }

    /// Permission bits and times of directories, once nothing changes in them any more. The owner may enter each of them as
    /// before, so no order matters.
    pub fn seal_directories(&self, directories: &BTreeMap<TreePath, i64>) -> Result<()> {
        let directories: Vec<_> = directories.iter().collect();
        directories.par_iter().with_min_len(TOGETHER).try_for_each(|(path, mtime)| {
            let dir = self.root.below(os_path(path))?;
            dir.seal(self.options.directory_mode(), **mtime)
        })
    }
}

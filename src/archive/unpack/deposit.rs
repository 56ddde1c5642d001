//! Puts entries into a directory and never beside it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::UnpackOptions;
use crate::archive::os_path;
use crate::fsx::{Dir, Result};
use crate::model::TreePath;

/// A directory being filled.
pub(super) struct Deposit {
    root: Dir,
    keep_write_bits: bool,
    mode_mask: u32,
}

/// The directory one thread worked in last: the next entry is mostly in it too.
#[derive(Default)]
pub(super) struct Hand(Option<(Vec<u8>, Dir)>);

impl Deposit {
    pub fn new(into: &Path, options: &UnpackOptions<'_>) -> Result<Self> {
        let mode_mask = options.mode_mask.unwrap_or(0o777);
        Ok(Self { root: Dir::open(into)?, keep_write_bits: options.keep_write_bits, mode_mask })
    }

    /// The directory an entry is in, and its name there.
    fn place<'h, 'p: 'h>(&'h self, hand: &'h mut Hand, path: &'p TreePath) -> Result<(&'h Dir, &'h OsStr)> {
        let bytes = path.as_bytes();
        let Some(slash) = bytes.iter().rposition(|b| *b == b'/') else {
            return Ok((&self.root, OsStr::from_bytes(bytes)));
        };
        let (above, name) = (&bytes[..slash], OsStr::from_bytes(&bytes[slash + 1..]));
        if hand.0.as_ref().is_none_or(|(known, _)| known != above) {
            hand.0 = Some((above.to_vec(), self.root.below(Path::new(OsStr::from_bytes(above)))?));
        }
        Ok((hand.0.as_ref().map_or(&self.root, |(_, dir)| dir), name))
    }

    pub fn directory(&self, hand: &mut Hand, path: &TreePath) -> Result<()> {
        let (dir, name) = self.place(hand, path)?;
        dir.create_dir(name)
    }

    pub fn file(&self, hand: &mut Hand, path: &TreePath, mode: u32) -> Result<File> {
        let (dir, name) = self.place(hand, path)?;
        dir.create_file(name, self.mode(mode))
    }

    pub fn write(&self, hand: &mut Hand, path: &TreePath, file: &File, bytes: &[u8], offset: u64) -> Result<()> {
        let (dir, name) = self.place(hand, path)?;
        dir.write_at(file, name, bytes, offset)
    }

    /// A file whose end was never written, because it is a hole.
    pub fn set_length(&self, hand: &mut Hand, path: &TreePath, file: &File, length: u64) -> Result<()> {
        let (dir, name) = self.place(hand, path)?;
        dir.set_length(file, name, length)
    }

    /// Permission bits and time of a file that is written.
    pub fn seal(&self, hand: &mut Hand, path: &TreePath, file: &File, mode: u32, mtime: i64) -> Result<()> {
        let (dir, name) = self.place(hand, path)?;
        dir.seal_file(file, name, self.mode(mode), mtime)
    }

    /// The permission bits of a file.
    fn mode(&self, mode: u32) -> u32 {
        mode & self.mode_mask & if self.keep_write_bits { 0o755 } else { 0o555 }
    }

    pub fn symlink(&self, hand: &mut Hand, path: &TreePath, target: &[u8], mtime: i64) -> Result<()> {
        let (dir, name) = self.place(hand, path)?;
        dir.symlink(target, name, mtime)
    }

    pub fn hard_link(&self, hand: &mut Hand, path: &TreePath, to: &TreePath) -> Result<()> {
        let mut other = Hand::default();
        let (there, existing) = self.place(&mut other, to)?;
        let (dir, name) = self.place(hand, path)?;
        dir.hard_link(there, existing, name)
    }

    /// Permission bits and times of directories, once nothing changes in them any more; deepest first.
    pub fn seal_directories(&self, directories: &BTreeMap<TreePath, i64>) -> Result<()> {
        // The order of paths puts every directory before what is in it.
        for (path, mtime) in directories.iter().rev() {
            let dir = self.root.below(os_path(path))?;
            dir.seal(0o755 & self.mode_mask, *mtime)?;
        }
        Ok(())
    }
}

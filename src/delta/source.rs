//! Where bytes come from: the files of a tree, and the delta itself.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::fsx::{self, Action, Dir};
use crate::model::{EntryKind, Index, TreePath};

/// A delta's bytes, read at any place by several threads.
pub trait Bytes: Sync {
    /// Fills `out` from `offset` on; waits until the bytes are there.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
}

impl Bytes for File {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(out, offset)
    }
}

impl Bytes for [u8] {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = self.get(start..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A tree on the disk and the index that lists it.
#[derive(Clone, Copy)]
pub struct Tree<'a> {
    /// Its top.
    pub dir: &'a Dir,
    /// Its entries.
    pub index: &'a Index,
    /// Whether a file may be what a symbolic link leads to, as where it was packed with `--dereference`.
    pub follow: bool,
}

impl Tree<'_> {
    /// Path and length of the file that is entry `number`.
    pub(super) fn file(&self, number: u32) -> Option<(&TreePath, u64)> {
        let entry = &self.index.entries.get(number as usize)?.entry;
        match entry.kind {
            EntryKind::File { size, .. } => Some((&entry.path, size)),
            _ => None,
        }
    }

    /// Opens the file at `path`.
    pub(super) fn open(&self, path: &TreePath) -> fsx::Result<File> {
        let path = Path::new(OsStr::from_bytes(path.as_bytes()));
        if self.follow { self.dir.open_file(path, true) } else { open_beneath(self.dir, path) }
    }

    /// Fills `out` from `offset` of the file at `path`; an error too where it is shorter.
    pub(super) fn read(&self, path: &TreePath, offset: u64, out: &mut [u8]) -> fsx::Result<()> {
        let file = self.open(path)?;
        file.read_exact_at(out, offset).map_err(|e| self.error(path, e))
    }

    /// The error of reading the file at `path`.
    pub(super) fn error(&self, path: &TreePath, source: io::Error) -> fsx::Error {
        fsx::Error::new(Action::Read, self.dir.path().join(OsStr::from_bytes(path.as_bytes())), source)
    }
}

/// Opens a file of a tree; no symbolic link is followed on the way nor at its end.
pub(super) fn open_beneath(dir: &Dir, path: &Path) -> fsx::Result<File> {
    match (path.parent().filter(|parent| !parent.as_os_str().is_empty()), path.file_name()) {
        (Some(parent), Some(name)) => dir.below(parent)?.open_file(Path::new(name), false),
        _ => dir.open_file(path, false),
    }
}

//! The new files: made beneath a directory, written at any place by several threads, sealed once they are whole.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{ApplyError, Segment};
use crate::fsx::{Action, Dir, Error as FsError, Hand};
use crate::model::{Blake3, Entry, EntryKind, Index};

/// A file is read again in steps of so many bytes.
const READ: usize = 1 << 20;

/// A directory in which all directories of the tree are, and that new files are made in.
pub struct Out<'a> {
    dir: &'a Dir,
    index: &'a Index,
    mode: &'a (dyn Fn(u32) -> u32 + Sync),
    /// Of each entry, how many of its bytes are still to come; zero where it is not wanted.
    missing: Vec<AtomicU64>,
    wanted: &'a [bool],
    /// The inodes of the files that are whole, by entry; zero until then.
    inodes: Vec<AtomicU64>,
    seal: Mutex<()>,
}

impl<'a> Out<'a> {
    /// Makes those files of `index` in `dir` that are `wanted`, by entry. `mode` says which permission bits a file gets that the
    /// index gives others; it must leave the owner's read bit.
    pub fn new(dir: &'a Dir, index: &'a Index, wanted: &'a [bool], mode: &'a (dyn Fn(u32) -> u32 + Sync)) -> Self {
        let missing = |(number, item): (usize, &crate::model::IndexEntry)| match item.entry.kind {
            EntryKind::File { size, .. } if wanted.get(number).copied().unwrap_or(false) => AtomicU64::new(size),
            _ => AtomicU64::new(0),
        };
        let missing = index.entries.iter().enumerate().map(missing).collect();
        let inodes = index.entries.iter().map(|_| AtomicU64::new(0)).collect();
        Self { dir, index, mode, missing, wanted, inodes, seal: Mutex::new(()) }
    }

    /// The inodes of the files that were made, by entry; zero for others.
    pub fn inodes(self) -> Vec<u64> {
        self.inodes.into_iter().map(AtomicU64::into_inner).collect()
    }

    /// Removes the files that are `wanted`, as far as they were made, whole or not.
    ///
    /// # Errors
    ///
    /// One that is there cannot be removed.
    pub fn discard(dir: &Dir, index: &Index, wanted: &[bool]) -> Result<(), FsError> {
        let mut hand = Hand::new(dir);
        for (item, _) in index.entries.iter().zip(wanted).filter(|(_, wanted)| **wanted) {
            let (dir, name) = hand.place(item.entry.path.as_bytes())?;
            match dir.remove_file(name) {
                Err(e) if !e.is_not_found() => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn index(&self) -> &'a Index {
        self.index
    }

    pub(super) fn hand(&self) -> Hand<'_> {
        Hand::new(self.dir)
    }

    pub(super) fn wants(&self, entry: u32) -> bool {
        self.wanted.get(entry as usize).copied().unwrap_or(false)
    }

    /// Of each entry, whether it is wanted and something has its name already.
    pub(super) fn begun(&self) -> Result<Vec<bool>, ApplyError> {
        let mut hand = self.hand();
        let mut begun = vec![false; self.index.entries.len()];
        for (number, item) in self.index.entries.iter().enumerate().filter(|(number, _)| self.wants(*number as u32)) {
            let (dir, name) = hand.place(item.entry.path.as_bytes())?;
            match dir.inspect(name.as_ref(), false) {
                Ok(_) => begun[number] = true,
                Err(e) if e.is_not_found() => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(begun)
    }

    /// Whether these segments hold bytes with this digest already: from a run that was killed.
    pub(super) fn has(&self, hand: &mut Hand<'_>, segments: &[Segment], raw: &Blake3) -> bool {
        let mut hasher = blake3::Hasher::new();
        let mut buffer = Vec::new();
        for segment in segments {
            use std::os::unix::fs::FileExt as _;
            let Some(entry) = self.index.entries.get(segment.file as usize).map(|item| &item.entry) else {
                return false;
            };
            let Ok((dir, name)) = hand.place(entry.path.as_bytes()) else { return false };
            let Ok(file) = dir.open_file(name.as_ref(), false) else { return false };
            buffer.resize(segment.length as usize, 0);
            if file.read_exact_at(&mut buffer, segment.offset).is_err() {
                return false;
            }
            hasher.update(&buffer);
        }
        Blake3::from_bytes(*hasher.finalize().as_bytes()) == *raw
    }

    /// Writes part of a wanted file, which is made where it is not there. What is a whole file is compared with the index before;
    /// another one is by whoever brings its last part.
    pub(super) fn write(&self, hand: &mut Hand<'_>, segment: &Segment, bytes: &[u8]) -> Result<(), ApplyError> {
        let Some(entry) = self.entry(segment.file) else { return Ok(()) };
        let is_whole = matches!(entry.kind, EntryKind::File { size, .. } if size == segment.length);
        if is_whole {
            is_right(entry, Blake3::of(bytes))?;
        }
        let (dir, name) = hand.place(entry.path.as_bytes())?;
        let (file, is_new) = self.open(dir, name, entry)?;
        dir.write_at(&file, name, bytes, segment.offset)?;
        // What a killed run left may be longer than it should be: it is read again.
        if is_whole && is_new {
            return self.seal(&file, (dir, name), segment.file, entry);
        }
        self.came(hand, segment)
    }

    /// Notes that part of a file is there; whoever brings the last part checks and seals it.
    pub(super) fn came(&self, hand: &mut Hand<'_>, segment: &Segment) -> Result<(), ApplyError> {
        let Some(missing) = self.missing.get(segment.file as usize) else { return Ok(()) };
        if missing.fetch_sub(segment.length, Ordering::AcqRel) == segment.length {
            self.finish(hand, segment.file)?;
        }
        Ok(())
    }

    /// Makes the wanted files that have no bytes.
    pub(super) fn empty_files(&self) -> Result<(), ApplyError> {
        let mut hand = self.hand();
        for (number, item) in self.index.entries.iter().enumerate() {
            if matches!(item.entry.kind, EntryKind::File { size: 0, .. }) && self.wants(number as u32) {
                let (dir, name) = hand.place(item.entry.path.as_bytes())?;
                self.open(dir, name, &item.entry)?;
                self.finish(&mut hand, number as u32)?;
            }
        }
        Ok(())
    }

    fn entry(&self, number: u32) -> Option<&'a Entry> {
        self.index.entries.get(number as usize).map(|item| &item.entry)
    }

    /// A wanted file, and whether it was not there before.
    fn open(&self, dir: &Dir, name: &OsStr, entry: &Entry) -> Result<(File, bool), ApplyError> {
        // Others write it too: it must be writable until it is sealed.
        let mode = (self.mode)(entry.mode) | 0o600;
        match dir.create_file(name, mode) {
            Err(e) if e.is_exists() => Ok((dir.open_unshared(name)?, false)),
            file => Ok((file?, true)),
        }
    }

    /// Compares a file that is whole with the index, and seals it.
    fn finish(&self, hand: &mut Hand<'_>, number: u32) -> Result<(), ApplyError> {
        let Some(entry) = self.entry(number) else { return Ok(()) };
        let EntryKind::File { size, .. } = entry.kind else { return Ok(()) };
        let (dir, name) = hand.place(entry.path.as_bytes())?;
        // It may be sealed already, by a run that was killed.
        let mut file = dir.open_file(name.as_ref(), false)?;
        if dir.inspect_open(&file, name)?.links > 1 {
            return Err(FsError::new(Action::Write, dir.path().join(name), std::io::ErrorKind::AlreadyExists).into());
        }
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; READ.min(size as usize + 1)];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(FsError::new(Action::Read, dir.path().join(name), e).into()),
            }
        }
        is_right(entry, Blake3::from_bytes(*hasher.finalize().as_bytes()))?;
        self.seal(&file, (dir, name), number, entry)
    }

    /// Gives a file that is whole its permission bits and time.
    fn seal(&self, file: &File, (dir, name): (&Dir, &OsStr), number: u32, entry: &Entry) -> Result<(), ApplyError> {
        let _one = self.seal.lock().unwrap_or_else(PoisonError::into_inner);
        let sealed = dir.seal_file(file, name, (self.mode)(entry.mode), entry.mtime)?;
        if let Some(inode) = self.inodes.get(number as usize) {
            inode.store(sealed, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Whether a file is what the index says.
fn is_right(entry: &Entry, found: Blake3) -> Result<(), ApplyError> {
    match entry.kind {
        EntryKind::File { digest, .. } if digest != found => {
            Err(ApplyError::File { path: entry.path.clone(), expected: digest, found })
        }
        _ => Ok(()),
    }
}

//! Content on its way into the store.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Error, Reader, Result};
use crate::fsx::{self, Action};
use crate::model::{Sha256, Sha256Hasher};

/// Content being written into `tmp/`, hashed as it comes. Dropping it removes the file.
#[derive(Debug)]
pub struct Incoming<'s> {
    store: &'s Reader,
    file: File,
    path: PathBuf,
    hasher: Sha256Hasher,
    moved: bool,
}

impl<'s> Incoming<'s> {
    pub(super) fn begin(store: &'s Reader) -> Result<Self> {
        let (path, file) = fsx::create_beside(&store.directory().join("tmp/incoming"))?;
        Ok(Self { store, file, path, hasher: Sha256Hasher::default(), moved: false })
    }

    /// Appends `bytes`; the error names the file.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.write_all(bytes);
        Ok(written.map_err(|e| fsx::Error::new(Action::Write, &self.path, e))?)
    }

    /// Digest and length of what was written so far.
    pub fn digest(&self) -> (Sha256, u64) {
        self.hasher.digest()
    }

    /// Puts the content under its digest: afterwards it is there, whole, and survives a power cut. Where the store has it
    /// already, what was written is dropped.
    pub fn commit(mut self) -> Result<(Sha256, u64)> {
        let (sha256, size) = self.digest();
        let place = self.store.place(&sha256);
        let shard = place.parent().unwrap_or(&place);
        if self.store.size(&sha256)? == Some(size) {
            // It may have been renamed by another writer and not be flushed yet: what we return for must be durable.
            let _ = fsx::touch(&place);
            fsx::flush_dir(shard)?;
            return Ok((sha256, size));
        }
        fsx::set_mode(&self.path, 0o444)?;
        fsx::flush_file(&self.file, &self.path)?;
        fsx::create_dir_all(shard)?;
        // Replaces a file of the same name and another size: that one is corrupt.
        fsx::rename(&self.path, &place)?;
        self.moved = true;
        fsx::flush_dir(shard)?;
        Ok((sha256, size))
    }

    /// Like [`Incoming::commit`], for content that was announced.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] where digest or length (in bytes) are others; nothing is kept then.
    pub fn commit_expecting(self, expected: &Sha256, size: u64) -> Result<()> {
        let (found, found_size) = self.digest();
        if (found, found_size) != (*expected, size) {
            return Err(Error::Unexpected { expected: *expected, size, found, found_size });
        }
        self.commit().map(drop)
    }

    /// Moves what was written out of the store, to the new file `to`, which may be on another file system. Not flushed: it
    /// is for people to look at.
    pub fn move_out(mut self, to: &Path) -> Result<()> {
        match fsx::rename_new(&self.path, to) {
            Err(e) if e.source.kind() == io::ErrorKind::CrossesDevices => {
                let mut copy = fsx::create_new(to)?;
                let copied = io::copy(&mut fsx::open(&self.path)?, &mut copy);
                copied.map_err(|e| fsx::Error::new(Action::Write, to, e))?;
            }
            moved => {
                moved?;
                self.moved = true;
            }
        }
        Ok(())
    }
}

impl Write for Incoming<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.add(bytes.get(..count).unwrap_or(bytes));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        if !self.moved {
            // What stays is in `tmp/`, where gc finds it.
            let _ = fsx::remove_file_opt(&self.path);
        }
    }
}

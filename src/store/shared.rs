//! A store that is used: content comes in, its use is noted, bad content goes.

use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::packed::{self, Packed};
use super::reader::FORMAT;
use super::{Incoming, Reader, Result};
use crate::fsx::{self, Lock, Mode};
use crate::model::{ComponentType, Sha256, Timestamp, Version};

/// A store in use, shared with other users; while it is held no gc runs.
#[derive(Debug)]
pub struct Store {
    reader: Reader,
    _lock: Lock,
}

impl Deref for Store {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Store {
    /// Opens the store at `path`, creating it where nothing is, and waits up to `wait` for a gc to end.
    ///
    /// # Errors
    ///
    /// [`super::Error::Newer`], [`super::Error::NotAStore`], [`super::Error::Locked`].
    pub fn open(path: &Path, wait: Duration) -> Result<Self> {
        Self::lock(path, Mode::Shared, "", wait)
    }

    pub(super) fn lock(path: &Path, mode: Mode, holder: &str, wait: Duration) -> Result<Self> {
        let reader = Reader::open(path)?;
        if reader.format()?.is_none() {
            fsx::create_dir_all(path)?;
            fsx::write_atomic(&path.join("format"), format!("{FORMAT}\n").as_bytes())?;
        }
        fsx::create_dir_all(&path.join("tmp"))?;
        let lock = Lock::take(&path.join("lock"), mode, holder, wait)?;
        Ok(Self { reader, _lock: lock })
    }

    /// A new content, to be written and committed.
    pub fn incoming(&self) -> Result<Incoming<'_>> {
        Incoming::begin(&self.reader)
    }

    /// Puts `bytes` into the store; durable when it returns.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Sha256> {
        let mut incoming = self.incoming()?;
        incoming.add(bytes)?;
        Ok(incoming.commit()?.0)
    }

    /// The content of this digest, open for reading, and its use noted; `None` where the store has none. The bytes
    /// are not checked: see [`Store::discard`].
    pub fn file(&self, sha256: &Sha256) -> Result<Option<File>> {
        let file = self.reader.file(sha256)?;
        if file.is_some() {
            // Another user's file may be readable and no more: then gc merely collects it earlier.
            let _ = fsx::touch(&self.reader.place(sha256));
        }
        Ok(file)
    }

    /// Removes content that was found not to match its digest. Nothing where there is none.
    pub fn discard(&self, sha256: &Sha256) -> Result<()> {
        let path = self.reader.place(sha256);
        if fsx::remove_file_opt(&path)? {
            fsx::flush_dir(path.parent().unwrap_or(&path))?;
        }
        Ok(())
    }

    /// Takes from the content of this digest every permission bit that `mask` lacks, and gives it to a group, by number.
    /// Nothing where there is none. Its name says nothing of what is in it, and stays as it is.
    pub fn restrict(&self, sha256: &Sha256, mask: Option<u32>, group: Option<u32>) -> Result<()> {
        let place = self.reader.place(sha256);
        let Some(stat) = fsx::inspect(&place)? else { return Ok(()) };
        let mode = stat.mode & mask.unwrap_or(0o777);
        // Bits first: the group must not be given more than it shall have, not for an instant.
        if mode != stat.mode {
            fsx::set_mode(&place, mode)?;
        }
        match group.filter(|group| *group != stat.gid) {
            Some(group) => Ok(fsx::set_group(&place, group)?),
            None => Ok(()),
        }
    }

    /// Moves content that was found not to match its digest to `corrupt/`, for inspection, and says where it is now.
    pub fn set_aside(&self, sha256: &Sha256) -> Result<PathBuf> {
        let from = self.reader.place(sha256);
        let corrupt = self.directory().join("corrupt");
        fsx::create_dir_all(&corrupt)?;
        let to = corrupt.join(sha256.to_string());
        fsx::rename(&from, &to)?;
        fsx::flush_dir(&corrupt)?;
        fsx::flush_dir(from.parent().unwrap_or(&from))?;
        Ok(to)
    }

    /// Notes what `pack` made of a version, in place of what it made before; durable when it returns. The contents
    /// must have been committed before.
    pub fn record_packed(&self, component: &ComponentType, version: &Version, note: &Packed) -> Result<()> {
        packed::write(self.directory(), component, version, note)
    }

    /// Notes that a packed version was published, so that gc may collect it; nothing where it was not packed here.
    pub fn mark_published(&self, component: &ComponentType, version: &Version, at: Timestamp) -> Result<()> {
        match self.packed(component, version)? {
            Some(note) => self.record_packed(component, version, &Packed { published: Some(at), ..note }),
            None => Ok(()),
        }
    }
}

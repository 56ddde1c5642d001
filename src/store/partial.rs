//! Content that is fetched piece by piece and goes on after a kill where it was.
//!
//! `partial/<sha256>` has the content's full length from the start. Its name says what it is to become and nothing of
//! what is in it: whoever opens it checks each piece by its digest, and writes only pieces that were checked, so
//! that several writers, on several hosts even, only ever write equal bytes to equal places. No lock is needed, and one
//! that lies does no harm.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::{Entry, Reader, Result, Store};
use crate::fsx::{self, Action, FileKind};
use crate::model::{Sha256, Timestamp};

/// The directory of unfinished contents.
pub(super) const DIRECTORY: &str = "partial";

/// Where the unfinished content of this digest stands or would stand.
pub(super) fn place(store: &Path, sha256: &Sha256) -> PathBuf {
    store.join(DIRECTORY).join(sha256.to_string())
}

/// A content that is being fetched.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    size: u64,
}

impl Partial {
    fn open(store: &Path, sha256: &Sha256, size: u64, reserve: bool) -> Result<Self> {
        fsx::create_dir_all(&store.join(DIRECTORY))?;
        let path = place(store, sha256);
        let file = fsx::open_or_create(&path)?;
        match reserve {
            true => fsx::allocate(&file, &path, size)?,
            false => fsx::extend(&file, &path, size)?,
        }
        Ok(Self { file, path, size })
    }

    /// Another handle of the file, to read what was written.
    pub fn reader(&self) -> Result<File> {
        self.file.try_clone().map_err(|e| fsx::Error::new(Action::Read, &self.path, e).into())
    }

    /// Whether the name still leads to this file.
    fn has_its_name(&self) -> Result<bool> {
        let mine = self.file.metadata().map_err(|e| fsx::Error::new(Action::Inspect, &self.path, e))?;
        let named = fsx::inspect(&self.path)?;
        Ok(named.is_some_and(|named| (named.device, named.inode) == (mine.dev(), mine.ino())))
    }

    /// Where something was written once: nothing outside needs to be looked at.
    pub fn written(&self) -> Result<Vec<Range<u64>>> {
        Ok(fsx::written(&self.file, &self.path, self.size)?)
    }

    /// Writes bytes that were checked.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        Ok(fsx::write_all_at(&self.file, &self.path, bytes, offset)?)
    }

    /// Fills `out` from `offset` on; `false` where there is less.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> Result<bool> {
        match self.file.read_exact_at(out, offset) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(fsx::Error::new(Action::Read, &self.path, e).into()),
        }
    }
}

impl Reader {
    /// How many bytes of room a content of this digest and length still needs in the store.
    pub fn unreserved(&self, sha256: &Sha256, size: u64) -> Result<u64> {
        let stat = fsx::inspect(&place(self.directory(), sha256))?;
        Ok(size.saturating_sub(stat.map_or(0, |stat| stat.blocks.saturating_mul(512))))
    }

    /// The contents that are only partly there, by digest, with the room they take.
    pub fn unfinished(&self) -> Result<Vec<Entry>> {
        let dir = self.directory().join(DIRECTORY);
        let mut entries = Vec::new();
        for file in fsx::list(&dir)?.into_iter().filter(|e| e.kind == FileKind::File) {
            let Some(sha256) = file.name.to_str().and_then(|name| name.parse::<Sha256>().ok()) else { continue };
            // Gone again: somebody finished it just now.
            let Some(stat) = fsx::inspect(&place(self.directory(), &sha256))? else { continue };
            let size = stat.blocks.saturating_mul(512).min(stat.size);
            let last_used = Timestamp::from_unix(stat.mtime);
            entries.push(Entry { sha256, size, last_used, held: None, unfinished: true });
        }
        Ok(entries)
    }

    /// What of a content of this length an earlier fetch has left, if it is what it should be: stretches, in order.
    pub fn left_behind(&self, sha256: &Sha256, size: u64) -> Result<Vec<Range<u64>>> {
        let path = place(self.directory(), sha256);
        match fsx::open(&path) {
            Ok(file) => Ok(fsx::written(&file, &path, size)?),
            Err(e) if e.is_not_found() => Ok(Vec::new()),
            Err(e) => Err(e.into()),
        }
    }
}

impl Store {
    /// The unfinished content of this digest and length: as a killed writer left it, or empty. The room for all of it is
    /// reserved, where the file system can do that.
    pub fn partial(&self, sha256: &Sha256, size: u64) -> Result<Partial> {
        Partial::open(self.directory(), sha256, size, true)
    }

    /// The same without reserving room: for a content of which only some pieces will be written, and the rest stays a hole, and
    /// for a small one, of which writing costs less than reserving. What is not completed goes with gc, unless a later fetch
    /// goes on with it.
    pub fn partial_unreserved(&self, sha256: &Sha256, size: u64) -> Result<Partial> {
        Partial::open(self.directory(), sha256, size, false)
    }

    /// The caller has checked that the whole content has this digest: puts it under its name. Afterwards it is there and
    /// survives a power cut.
    pub fn complete(&self, partial: &Partial, sha256: &Sha256) -> Result<()> {
        let place = self.place(sha256);
        let shard = place.parent().unwrap_or(&place);
        fsx::flush_file(&partial.file, &partial.path)?;
        fsx::create_dir_all(shard)?;
        // Where another process finished the same content first, the name is gone, or is an unfinished file again.
        let is_there = || Ok::<_, super::Error>(self.size(sha256)? == Some(partial.size));
        if partial.has_its_name()? || !is_there()? {
            match fsx::rename(&partial.path, &place) {
                Err(e) if e.is_not_found() && is_there()? => {}
                renamed => renamed?,
            }
        }
        fsx::set_mode(&place, 0o444)?;
        fsx::flush_dir(shard)?;
        Ok(())
    }

    /// Removes what was kept of an unfinished content.
    pub fn forget_partial(&self, sha256: &Sha256) -> Result<()> {
        fsx::remove_file_opt(&place(self.directory(), sha256))?;
        Ok(())
    }
}

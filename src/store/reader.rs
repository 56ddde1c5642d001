//! Looking into a store without changing it: no lock, no note of use, nothing created.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::packed::{self, Packed};
use super::{Error, Result};
use crate::fsx::{self, FileKind};
use crate::model::{ComponentType, Sha256, Timestamp, Version};

/// The version of the layout this program writes, and the highest it reads.
pub(super) const FORMAT: u64 = 1;

/// A store that is only looked at. Holds no lock: what it saw may be collected a moment later, but a file it opened
/// stays readable.
#[derive(Debug, Clone)]
pub struct Reader {
    path: PathBuf,
}

/// One content of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last put or used; `None` for a time outside the years a [`Timestamp`] has.
    pub last_used: Option<Timestamp>,
    /// The packed and not yet published version that keeps it from being collected.
    pub held: Option<Held>,
    /// Whether it is only partly there: fetched piece by piece, and not at its end.
    pub unfinished: bool,
}

/// A packed and not yet published version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Of which component.
    pub component: ComponentType,
    /// Which version.
    pub version: Version,
}

impl Reader {
    /// The store at `path`; where nothing is, a store that holds nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Newer`], [`Error::NotAStore`].
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Self { path: path.to_owned() };
        // Listed before the format is read: who creates a store writes the format first.
        let names = fsx::list(path)?;
        let foreign = names.iter().any(|entry| !entry.name.as_encoded_bytes().starts_with(b".format."));
        if reader.format()?.is_none() && foreign {
            return Err(Error::NotAStore { path: path.to_owned() });
        }
        Ok(reader)
    }

    /// The format the store has; `None` where it has none yet.
    pub(super) fn format(&self) -> Result<Option<u64>> {
        let Some(bytes) = fsx::read_opt(&self.path.join("format"))? else { return Ok(None) };
        let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_end().parse().ok());
        match number {
            Some(found) if found > FORMAT => Err(Error::Newer { path: self.path.clone(), found, known: FORMAT }),
            Some(found) => Ok(Some(found)),
            None => Err(Error::NotAStore { path: self.path.clone() }),
        }
    }

    /// The store's directory.
    pub fn directory(&self) -> &Path {
        &self.path
    }

    /// Where content of this digest stands or would stand.
    pub(super) fn place(&self, sha256: &Sha256) -> PathBuf {
        let hex = sha256.to_string();
        let shard = hex.get(..2).unwrap_or_default();
        self.path.join("sha256").join(shard).join(&hex)
    }

    /// The length of the content of this digest, in bytes; `None` where the store has none.
    pub fn size(&self, sha256: &Sha256) -> Result<Option<u64>> {
        let stat = fsx::inspect(&self.place(sha256))?;
        Ok(stat.filter(|stat| stat.kind == FileKind::File).map(|stat| stat.size))
    }

    /// The file that holds the content of this digest; `None` where the store has none. The bytes are not checked.
    pub fn path(&self, sha256: &Sha256) -> Result<Option<PathBuf>> {
        Ok(self.size(sha256)?.map(|_| self.place(sha256)))
    }

    /// The content of this digest, open for reading; `None` where the store has none. The bytes are not checked.
    pub fn file(&self, sha256: &Sha256) -> Result<Option<File>> {
        match fsx::open(&self.place(sha256)) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// What the store holds, by digest. Names that are no digests are passed over.
    pub fn list(&self) -> Result<Vec<Entry>> {
        let held = self.holders()?;
        let mut entries = Vec::new();
        let top = self.path.join("sha256");
        for shard in fsx::list(&top)?.into_iter().filter(|e| e.kind == FileKind::Directory) {
            let shard = top.join(shard.name);
            for file in fsx::list(&shard)?.into_iter().filter(|e| e.kind == FileKind::File) {
                let Some(sha256) = file.name.to_str().and_then(|name| name.parse::<Sha256>().ok()) else { continue };
                let path = shard.join(file.name);
                if path != self.place(&sha256) {
                    continue;
                }
                // Gone again: somebody discarded or collected it just now.
                let Some(stat) = fsx::inspect(&path)? else { continue };
                let last_used = Timestamp::from_unix(stat.mtime);
                let held = held.get(&sha256).cloned();
                entries.push(Entry { sha256, size: stat.size, last_used, held, unfinished: false });
            }
        }
        Ok(entries)
    }

    fn holders(&self) -> Result<BTreeMap<Sha256, Held>> {
        let mut holders = BTreeMap::new();
        for (component, version, note) in packed::all(&self.path)? {
            if note.published.is_none() {
                let held = Held { component, version };
                holders.extend(note.contents().map(|sha256| (sha256, held.clone())));
            }
        }
        Ok(holders)
    }

    /// What `pack` made of this version on this machine; `None` where it made nothing, or gc collected it since.
    ///
    /// # Errors
    ///
    /// [`Error::Note`].
    pub fn packed(&self, component: &ComponentType, version: &Version) -> Result<Option<Packed>> {
        packed::read(&packed::place(&self.path, component, version))
    }
}

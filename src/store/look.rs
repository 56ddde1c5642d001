//! A quick look for what does not belong: by names, modes and lengths, without reading any content.

use std::path::PathBuf;

use super::{Held, Reader, Result, packed};
use crate::fsx::{self, FileKind};
use crate::model::Sha256;

/// What a quick look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Contents that somebody may write to, though content never changes.
    pub writable: Vec<PathBuf>,
    /// What stands among the contents and is none.
    pub foreign: Vec<PathBuf>,
    /// Versions that are packed and not published, of which something is gone.
    pub lacking: Vec<Held>,
    /// How many contents were set aside as corrupt.
    pub set_aside: usize,
}

impl Reader {
    /// Looks at every name of the store.
    pub fn look(&self) -> Result<Look> {
        let mut look = Look::default();
        let top = self.directory().join("sha256");
        for shard in fsx::list(&top)? {
            let path = top.join(&shard.name);
            match shard.kind {
                FileKind::Directory => self.look_into(path, &mut look)?,
                _ => look.foreign.push(path),
            }
        }
        for (component, version, note) in packed::all(self.directory())? {
            let mut contents = note.contents();
            if note.published.is_none()
                && contents.try_fold(false, |gone, c| Ok::<_, super::Error>(gone || self.size(&c)?.is_none()))?
            {
                look.lacking.push(Held { component, version });
            }
        }
        look.set_aside = fsx::list(&self.directory().join("corrupt"))?.len();
        Ok(look)
    }

    fn look_into(&self, shard: PathBuf, look: &mut Look) -> Result<()> {
        for entry in fsx::list(&shard)? {
            let path = shard.join(&entry.name);
            let sha256 = entry.name.to_str().and_then(|name| name.parse::<Sha256>().ok());
            if entry.kind != FileKind::File || sha256.is_none_or(|sha256| self.place(&sha256) != path) {
                look.foreign.push(path);
            } else if fsx::inspect(&path)?.is_some_and(|stat| stat.mode & 0o222 != 0) {
                look.writable.push(path);
            }
        }
        Ok(())
    }
}

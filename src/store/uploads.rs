//! Notes of unfinished uploads, `uploads/<sha256 of the package>-<first 16 of the sha256 of the place>`: what a target
//! wrote down so that the next publication of the package goes on from there. What is in a note is the target's business.
//!
//! Replaced whole: a crash leaves the old note or the new one. Without its note an upload starts over, so nothing that
//! fails here is worth failing for.

use std::path::{Path, PathBuf};

use super::gc::Leftover;
use super::{Result, Store};
use crate::fsx::{self, FileKind};
use crate::model::Sha256;

const DIRECTORY: &str = "uploads";

impl Store {
    /// The note about the upload of a package to a place; `None` where there is none.
    pub fn upload_note(&self, package: &Sha256, place: &str) -> Result<Option<Vec<u8>>> {
        Ok(fsx::read_opt(&path(self.directory(), package, place))?)
    }

    /// Notes how far the upload of a package to a place is, in place of what was noted before.
    pub fn note_upload(&self, package: &Sha256, place: &str, note: &[u8]) -> Result<()> {
        fsx::create_dir_all(&self.directory().join(DIRECTORY))?;
        Ok(fsx::write_atomic(&path(self.directory(), package, place), note)?)
    }

    /// Removes the note about the upload of a package to a place, if there is one.
    pub fn forget_upload(&self, package: &Sha256, place: &str) -> Result<()> {
        fsx::remove_file_opt(&path(self.directory(), package, place))?;
        Ok(())
    }
}

fn path(store: &Path, package: &Sha256, place: &str) -> PathBuf {
    store.join(DIRECTORY).join(format!("{package}-{}", Sha256::of(place.as_bytes()).short()))
}

/// The notes about packages that do not stay, and what killed writers left of notes.
pub(super) fn leftovers(store: &Path, stays: impl Fn(&Sha256) -> bool) -> Result<Vec<Leftover>> {
    let top = store.join(DIRECTORY);
    let mut leftovers = Vec::new();
    for file in fsx::list(&top)?.into_iter().filter(|entry| entry.kind == FileKind::File) {
        let package = file.name.to_str().and_then(|name| name.split_once('-')?.0.parse::<Sha256>().ok());
        let path = top.join(file.name);
        if package.is_none_or(|package| !stays(&package))
            && let Some(stat) = fsx::inspect(&path)?
        {
            leftovers.push(Leftover { path, size: stat.size });
        }
    }
    Ok(leftovers)
}

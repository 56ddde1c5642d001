//! Notes of packed versions, `packed/<type>/<version>.json`: what `pack` made, so that `publish` finds it and gc leaves
//! it alone until then.
//!
//! ```text
//! {"manifest": "<sha256>", "package": "<sha256>", "index": "<sha256>", "proved": true, "deltas": […], "at": …, "published": …}
//! ```
//!
//! `index`, `deltas` (as in a record) and `published` are absent where there is none, `proved` where it is false; a note with
//! `published` holds nothing any more, and gc removes it with its package. Replaced whole: a crash leaves the old note or the
//! new one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, Result};
use crate::fsx::{self, FileKind};
use crate::model::{ComponentType, RecordDelta, Sha256, Timestamp, Version, to_canonical_json};

/// What `pack` made of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// The manifest's digest.
    pub manifest: Sha256,
    /// The package's digest.
    pub package: Sha256,
    /// The index's digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Sha256>,
    /// Whether the pieces of its big files were decoded again and compared when it was packed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proved: bool,
    /// Ways to it from other versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deltas: Vec<RecordDelta>,
    /// When it was packed.
    pub at: Timestamp,
    /// When it was published; until then gc keeps all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
}

impl Packed {
    /// The digests this note names.
    pub(super) fn contents(&self) -> impl Iterator<Item = Sha256> {
        let deltas = self.deltas.iter().map(|delta| delta.checksum.value);
        [Some(self.manifest), Some(self.package), self.index].into_iter().flatten().chain(deltas)
    }
}

/// Where the note of this version stands.
pub(super) fn place(store: &Path, component: &ComponentType, version: &Version) -> PathBuf {
    store.join("packed").join(component.as_str()).join(format!("{version}.json"))
}

/// The note at `path`, if there is one.
pub(super) fn read(path: &Path) -> Result<Option<Packed>> {
    let Some(bytes) = fsx::read_opt(path)? else { return Ok(None) };
    let note = serde_json::from_slice(&bytes);
    note.map(Some).map_err(|e| Error::Note { path: path.to_owned(), reason: e.to_string() })
}

/// Writes or replaces the note of this version.
pub(super) fn write(store: &Path, component: &ComponentType, version: &Version, note: &Packed) -> Result<()> {
    let path = place(store, component, version);
    fsx::create_dir_all(path.parent().unwrap_or(store))?;
    Ok(fsx::write_atomic(&path, &to_canonical_json(note))?)
}

/// Every note of the store.
pub(super) fn all(store: &Path) -> Result<Vec<(ComponentType, Version, Packed)>> {
    let top = store.join("packed");
    let mut notes = Vec::new();
    for component in fsx::list(&top)?.into_iter().filter(|e| e.kind == FileKind::Directory) {
        let Some(kind) = component.name.to_str().and_then(|name| name.parse::<ComponentType>().ok()) else { continue };
        for file in fsx::list(&top.join(&component.name))? {
            let name = file.name.to_str().and_then(|name| name.strip_suffix(".json"));
            let Some(version) = name.and_then(|name| name.parse::<Version>().ok()) else { continue };
            if let Some(note) = read(&top.join(&component.name).join(&file.name))? {
                notes.push((kind.clone(), version, note));
            }
        }
    }
    Ok(notes)
}

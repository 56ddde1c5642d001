//! A version in the store to its targets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::publish::Local;
use super::{Error, OnProgress, Phase, Progress, Site};
use crate::model::Sha256;
use crate::store::Store;
use crate::target::{self, Disk, Parcel, Target, Unfinished, Upload};
use crate::transfer::{self, Uploaded};

/// Uploads package, index and manifest to all `targets` at once; `broken` are those that cannot be used, which count as
/// failed. Progress counts the bytes of all of them together.
pub(super) fn upload(
    site: &Site,
    store: &Store,
    local: &Local,
    targets: &[Arc<dyn Target>],
    broken: Vec<(String, target::Error)>,
    progress: OnProgress<'_>,
) -> Result<Vec<Uploaded>, Error> {
    let Local { manifest, bytes, .. } = local;
    let (component, version) = (&manifest.component.kind, &manifest.component.version);
    let package = &manifest.package;
    let manifest_sha256 = store.put_bytes(bytes)?;
    let manifest_file = Disk::open(&store.path(&manifest_sha256)?.unwrap_or_default())?;
    let index_file = local.index.as_deref().map(Disk::open).transpose()?;
    let package_file = Disk::open(&local.package)?;
    let size = bytes.len() as u64;
    let mut beside = vec![Upload { file: "manifest.json", content: &manifest_file, sha256: manifest_sha256, size }];
    if let (Some(index), Some(content)) = (&manifest.index, &index_file) {
        beside.push(Upload { file: &index.file, content, sha256: index.checksum.value, size: index.size });
    }
    let (sha256, size) = (package.checksum.value, package.size);
    let package = Upload { file: &package.file, content: &package_file, sha256, size };
    let notes = Notes { store, package: sha256 };
    let parcel = Parcel { component, version, package, beside: &beside, unfinished: Some(&notes) };
    let each: u64 = beside.iter().map(|upload| upload.size).sum::<u64>() + size;
    let total = each * targets.len() as u64;
    let done = AtomicU64::new(0);
    let told = |bytes: u64| {
        let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        progress(Progress { component, phase: Phase::Publish, done, total: Some(total) });
    };
    let required = site.config.publish.require.min(targets.len() + broken.len());
    Ok(transfer::upload(targets, broken, &parcel, required, &told)?)
}

/// The store's notes about the uploads of one package. What cannot be noted is not worth failing for: without its note an
/// upload starts over.
struct Notes<'a> {
    store: &'a Store,
    package: Sha256,
}

impl Unfinished for Notes<'_> {
    fn load(&self, place: &str) -> Option<Vec<u8>> {
        self.store.upload_note(&self.package, place).ok().flatten()
    }

    fn save(&self, place: &str, note: &[u8]) {
        let _ = self.store.note_upload(&self.package, place, note);
    }

    fn clear(&self, place: &str) {
        let _ = self.store.forget_upload(&self.package, place);
    }
}

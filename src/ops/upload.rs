//! A version in the store to its targets.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::delta::Delta;
use super::publish::{Local, check};
use super::{Error, OnProgress, Phase, Progress, Site};
use crate::model::{ManifestComponent, Sha256};
use crate::store::Store;
use crate::target::{self, Disk, Parcel, Target, Unfinished, Upload};
use crate::transfer::{self, UploadError, Uploaded};

/// Uploads package, index and manifest to all `targets` at once, while the package is being [checked](check); a target that
/// takes bytes before is done shows nothing of them until it is. `broken` are targets that cannot be used, which count as
/// failed. Progress counts the bytes of all of them together. Answers also how many files the package holds, where an index says.
pub(super) fn upload(
    site: &Site,
    store: &Store,
    local: &Local,
    targets: &[Arc<dyn Target>],
    broken: Vec<(String, target::Error)>,
    progress: OnProgress<'_>,
) -> Result<(Vec<Uploaded>, Option<usize>), Error> {
    let Local { manifest, bytes, .. } = local;
    let (component, version) = (&manifest.component.kind, &manifest.component.version);
    let package = &manifest.package;
    let manifest_sha256 = store.put_bytes(bytes)?;
    let manifest_file = Disk::open(&store.path(&manifest_sha256)?.unwrap_or_default())?;
    let index_file = local.index.as_deref().map(Disk::open).transpose()?;
    let package_file = Disk::open(&local.package)?;
    let size = bytes.len() as u64;
    let mut beside = vec![Upload { file: "manifest.json", content: &manifest_file, sha256: manifest_sha256, size }];
    let delta_files = local.deltas.iter().map(|delta| Disk::open(&delta.path)).collect::<Result<Vec<_>, _>>()?;
    for (Delta { record, .. }, content) in local.deltas.iter().zip(&delta_files) {
        beside.push(Upload { file: &record.file, content, sha256: record.checksum.value, size: record.size });
    }
    if let (Some(index), Some(content)) = (&manifest.index, &index_file) {
        beside.push(Upload { file: &index.file, content, sha256: index.checksum.value, size: index.size });
    }
    let (sha256, size) = (package.checksum.value, package.size);
    let package = Upload { file: &package.file, content: &package_file, sha256, size };
    let notes = Notes { store, package: sha256 };
    let verdict = Verdict::default();
    let checked = || verdict.wait();
    let parcel = Parcel { component, version, package, beside: &beside, unfinished: Some(&notes), checked: &checked };
    let each: u64 = beside.iter().map(|upload| upload.size).sum::<u64>() + size;
    let total = each * targets.len() as u64;
    let done = AtomicU64::new(0);
    let told = |bytes: u64| {
        let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        progress(Progress { component: Some(component), phase: Phase::Publish, done, total: Some(total) });
    };
    let required = site.config.publish.require.min(targets.len() + broken.len());
    std::thread::scope(|scope| {
        let checking = scope.spawn(|| {
            // Told at the end whatever it is, so that nobody waits for ever.
            let teller = Teller(&verdict);
            let checked = check(store, local);
            teller.tell(checked.is_ok());
            checked
        });
        let uploaded = transfer::upload(targets, broken, &parcel, required, &told);
        let files = checking.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok((uploaded.map_err(|error| blamed(error, local))?, files))
    })
}

/// No target is to blame for a package that has rotted here.
fn blamed(error: UploadError, local: &Local) -> Error {
    let UploadError::TooFew { failures, .. } = &error;
    let rotten = |error: &target::Error| matches!(error, target::Error::Source { path, .. } if *path == local.package);
    if failures.iter().any(|(_, error)| rotten(error)) {
        let ManifestComponent { kind, version, .. } = &local.manifest.component;
        return Error::StoreDamaged { what: format!("{kind}@{version}"), path: local.package.clone() };
    }
    error.into()
}

/// Whether the package may be published, once that is known.
#[derive(Default)]
struct Verdict {
    may: Mutex<Option<bool>>,
    known: Condvar,
}

impl Verdict {
    fn wait(&self) -> target::Result<()> {
        let may = self.may.lock().unwrap_or_else(PoisonError::into_inner);
        let may = self.known.wait_while(may, |may| may.is_none()).unwrap_or_else(PoisonError::into_inner);
        if *may == Some(true) { Ok(()) } else { Err(target::Error::GivenUp) }
    }
}

/// Tells the verdict: that it may not, unless told otherwise.
struct Teller<'v>(&'v Verdict);

impl Teller<'_> {
    fn tell(&self, may: bool) {
        self.0.may.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(may);
        self.0.known.notify_all();
    }
}

impl Drop for Teller<'_> {
    fn drop(&mut self) {
        self.tell(false);
    }
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

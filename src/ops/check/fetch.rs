//! With `--fetch`: every location of a version that the request changes holds the bytes that git pins, and the index is
//! that of the archive.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Fact, Finding, deltas};
use crate::fsx;
use crate::model::{ComponentType, Record, Sha256};
use crate::ops::progress::Counting;
use crate::ops::publish::{self, Local};
use crate::ops::reach::Reach;
use crate::ops::{Error, OnProgress, Phase, Progress, Site};
use crate::records::{Place, Published, Repository, Request};
use crate::store::Store;
use crate::target;
use crate::transfer::Source;

pub(super) fn check(
    site: &Site,
    (repository, request): (&Repository, &Request<'_>),
    found: &mut Vec<Finding>,
    progress: OnProgress<'_>,
) -> Result<(), Error> {
    let changed = request.changes.iter().filter(|changed| changed.is.is_some());
    let records: Vec<_> = changed
        .filter_map(|changed| match &changed.place {
            Place::Manifest(component, version) | Place::Record(component, version) => Some((component, version)),
            _ => None,
        })
        .collect();
    let (store, reach) = (site.store()?, Reach::of(site, Some(repository.root()))?);
    let mut changed = Vec::new();
    for (component, version) in request.versions() {
        if records.contains(&(component, version)) {
            changed.extend(request.published(component, version)?);
        }
    }
    let mut bars = BTreeMap::<_, Bar<'_>>::new();
    for published in &changed {
        let bar = bars.entry(published.component()).or_insert_with(|| Bar::new(published.component(), progress));
        bar.total += bytes(published);
    }
    for published in &changed {
        let (component, version) = (published.component(), published.version());
        let Some(bar) = bars.get(component) else { continue };
        let told = |bytes| bar.tell(bytes);
        let start = bar.done();
        let file = format!("packages/{component}/{version}/record.json");
        for number in 0..published.record.locations.len() {
            location((&store, &reach, &told), (published, number), &file, found)?;
        }
        deltas::check((&store, &reach, &told), published, &file, found)?;
        // What could not be read is done with, too.
        bar.tell((start + bytes(published)).saturating_sub(bar.done()));
        archive(&store, published, &file, found)?;
    }
    Ok(())
}

/// How much there is to read of a version, at all its locations.
fn bytes(published: &Published) -> u64 {
    let (manifest, record) = (&published.manifest, &published.record);
    let index = manifest.index.as_ref().map_or(0, |index| index.size);
    let deltas: u64 = record.deltas.iter().map(|delta| delta.size).sum();
    (manifest.package.size + index + deltas).saturating_mul(record.locations.len() as u64)
}

/// How far the versions of one component are.
struct Bar<'a> {
    component: &'a ComponentType,
    progress: OnProgress<'a>,
    done: AtomicU64,
    total: u64,
}

impl<'a> Bar<'a> {
    fn new(component: &'a ComponentType, progress: OnProgress<'a>) -> Self {
        Self { component, progress, done: AtomicU64::new(0), total: 0 }
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    fn tell(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let (component, total) = (Some(self.component), Some(self.total));
        (self.progress)(Progress { component, phase: Phase::Fetch, done, total });
    }
}

/// The store, the ways to the targets, and who is told of bytes that came.
pub(super) type Tools<'a> = (&'a Store, &'a Reach<'a>, &'a (dyn Fn(u64) + Sync));

/// What one location holds of a version.
fn location(
    (store, reach, told): Tools<'_>,
    (published, number): (&Published, usize),
    file: &str,
    found: &mut Vec<Finding>,
) -> Result<(), Error> {
    let Some(location) = published.record.locations.get(number) else { return Ok(()) };
    let line = published.line_of_location(number);
    let only = Record { locations: vec![location.clone()], ..published.record.clone() };
    let only = Published { record: only, ..published.clone() };
    let package = &published.manifest.package;
    let index = published.manifest.index.as_ref().map(|index| (&index.file, index.checksum.value, index.size));
    for (name, sha256, size) in [(&package.file, package.checksum.value, package.size)].into_iter().chain(index) {
        let wanted = target::Wanted { file: name, sha256 };
        let (tiers, refused) = reach.sources(&only, wanted)?;
        let about = |finding: Finding| finding.with("name", &location.name).with("path", name);
        if let Some(refused) = refused.into_iter().next() {
            let why = Fact::Refused(Box::new(refused));
            found.push(about(Finding::warning("location-unread", file, line)).fact("reason", why));
            return Ok(());
        }
        let Some(source) = tiers.into_iter().flatten().next() else { continue };
        match bring(store, &source, (sha256, size), told) {
            Ok((found_sha256, found_size)) if (found_sha256, found_size) == (sha256, size) => {}
            Ok((other, _)) => {
                found.push(
                    about(Finding::error("location-differs", file, line)).with("found", other).with("pinned", sha256),
                );
            }
            Err(error) => {
                let why = Fact::Error(Box::new(error));
                found.push(about(Finding::error("location-unreadable", file, line)).fact("reason", why));
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads the whole file, and takes it into the store where it is the right one. No more is read than one byte too many.
pub(super) fn bring(
    store: &Store,
    source: &Source,
    (sha256, size): (Sha256, u64),
    told: &(dyn Fn(u64) + Sync),
) -> Result<(Sha256, u64), Error> {
    let reading = source.target.read(&source.key, None)?;
    let mut incoming = store.incoming()?;
    let mut body = Counting::new(reading.body.take(size.saturating_add(1)), told);
    std::io::copy(&mut body, &mut incoming)
        .map_err(|e| fsx::Error::new(fsx::Action::Read, source.target.shown(&source.key), e))?;
    let digest = incoming.digest();
    if digest == (sha256, size) {
        incoming.commit()?;
    }
    Ok(digest)
}

/// Reads the archive with a plain tar reader and compares it with its index, where both came.
fn archive(store: &Store, published: &Published, file: &str, found: &mut Vec<Finding>) -> Result<(), Error> {
    let Some(package) = store.path(&published.package_sha256())? else { return Ok(()) };
    let Some(reference) = &published.manifest.index else { return Ok(()) };
    let Some(index) = store.path(&reference.checksum.value)? else { return Ok(()) };
    let (manifest, bytes) = (published.manifest.clone(), published.manifest_bytes.clone());
    let local = Local { manifest, bytes, package, index: Some(index), proved: false, deltas: Vec::new() };
    if let Err(error) = publish::check(store, &local) {
        let why = Fact::Error(Box::new(error));
        let manifest = file.replace("record.json", "manifest.json");
        found.push(Finding::error("index-differs", &manifest, published.line_of_index()).fact("reason", why));
    }
    Ok(())
}

//! Where the bytes of a published version may come from, in which order, and bringing them into the store.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Error, OnProgress, Phase, Progress, Site};
use crate::model::{Index, Place, Sha256};
use crate::records::Published;
use crate::store::Store;
use crate::target::{self, Target};
use crate::transfer::{Attempt, Fetcher, Refused, Source, Wanted, source};

/// The package of a published version in the store, and where it came from.
#[derive(Debug)]
pub(super) struct Brought {
    /// The index, where the manifest names one.
    pub index: Option<Index>,
    /// The target it came from; `None` where the store had it.
    pub source: Option<String>,
    /// Bytes that were fetched.
    pub bytes: u64,
    /// Attempts that failed before one did not.
    pub failed: Vec<Attempt>,
}

/// The configured targets, in order. `top` is the work tree of the records repository, if there is one.
pub(super) fn targets(site: &Site, top: Option<&Path>) -> Result<Vec<Arc<dyn Target>>, Error> {
    let targets = site.config.publish.targets.iter();
    Ok(targets.map(|target| target::open(target, &site.ambient, top)).collect::<Result<_, _>>()?)
}

/// The files of a version that this host may read, in the order of the configured tiers; and the locations it may not.
fn sources(
    site: &Site,
    published: &Published,
    wanted: target::Wanted<'_>,
    top: Option<&Path>,
) -> Result<(Vec<Source>, Vec<Refused>), Error> {
    let mut targets = targets(site, top)?;
    if let Some(top) = top {
        // Relative places are read without any configured target, too.
        targets.push(Arc::new(target::Filesystem::new("records", top)?.with_records(top, true)));
    }
    let anonymous = |name: &str, place: &Place| target::anonymous(name, place, &site.ambient);
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for location in &published.record.locations {
        match source(location, wanted, &targets, &anonymous) {
            Ok(source) => found.push(source),
            Err(why) => refused.push(why),
        }
    }
    let tiers = &site.config.deploy.sources;
    let tier = |source: &Source| {
        let of = tiers.iter().position(|tier| tier.contains(&source.name));
        of.unwrap_or(tiers.len())
    };
    found.sort_by_key(tier);
    Ok((found, refused))
}

/// What one version's files are brought with.
struct Bring<'a> {
    site: &'a Site,
    store: &'a Store,
    published: &'a Published,
    top: Option<&'a Path>,
    fetcher: Fetcher<'a>,
    told: &'a (dyn Fn(u64) + Sync),
    brought: Brought,
}

/// Brings package and index of a published version into the store. `top` is the work tree that relative locations start
/// from; `rejected` is where wrong bytes are kept.
pub(super) fn bring(
    site: &Site,
    store: &Store,
    published: &Published,
    top: Option<&Path>,
    rejected: &Path,
    progress: OnProgress<'_>,
) -> Result<Brought, Error> {
    let package = &published.manifest.package;
    let total = package.size + published.manifest.index.as_ref().map_or(0, |index| index.size);
    let done = AtomicU64::new(0);
    let told = |bytes: u64| {
        let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        progress(Progress { component: published.component(), phase: Phase::Fetch, done, total: Some(total) });
    };
    let mut bring = Bring::new(site, store, published, top, rejected, &told);
    bring.brought.index = bring.index()?;
    bring.get(&package.file, Wanted { sha256: package.checksum.value, size: package.size })?;
    Ok(bring.brought)
}

/// The index of a published version: from the store as it is, else brought into it; `None` where the version has none.
pub(super) fn bring_index(site: &Site, published: &Published, top: Option<&Path>) -> Result<Option<Index>, Error> {
    let Some(reference) = &published.manifest.index else { return Ok(None) };
    if let Some(path) = site.store_reader()?.path(&reference.checksum.value)? {
        let bytes = crate::fsx::read(&path)?;
        if Sha256::of(&bytes) == reference.checksum.value {
            let what = || format!("{}@{}", published.component(), published.version());
            return Index::parse(&bytes).map(Some).map_err(|source| Error::Index { what: what(), source });
        }
    }
    let store = site.store()?;
    Bring::new(site, &store, published, top, &store.directory().join("rejected"), &|_| {}).index()
}

impl<'a> Bring<'a> {
    fn new(
        site: &'a Site,
        store: &'a Store,
        published: &'a Published,
        top: Option<&'a Path>,
        rejected: &'a Path,
        told: &'a (dyn Fn(u64) + Sync),
    ) -> Self {
        let brought = Brought { index: None, source: None, bytes: 0, failed: Vec::new() };
        Self { site, store, published, top, fetcher: Fetcher::new(store, rejected), told, brought }
    }

    /// Brings one file of the version into the store.
    fn get(&mut self, file: &str, wanted: Wanted) -> Result<(), Error> {
        let named = target::Wanted { file, sha256: wanted.sha256 };
        let (sources, refused) = sources(self.site, self.published, named, self.top)?;
        if sources.is_empty() && self.store.size(&wanted.sha256)? != Some(wanted.size) {
            return Err(Error::NoAllowedLocation { what: self.what(), refused });
        }
        let fetched = self.fetcher.fetch(&wanted, &sources, self.told)?;
        if let Some(source) = fetched.source {
            self.brought.source = Some(source.name);
            self.brought.bytes += wanted.size;
        }
        self.brought.failed.extend(fetched.failed);
        Ok(())
    }

    /// Brings the index and reads it. A copy in the store that has rotted is thrown away and fetched again, once.
    fn index(&mut self) -> Result<Option<Index>, Error> {
        let Some(reference) = &self.published.manifest.index else { return Ok(None) };
        let wanted = Wanted { sha256: reference.checksum.value, size: reference.size };
        self.get(&reference.file, wanted)?;
        match self.read(&wanted.sha256) {
            Err(Error::StoreDamaged { .. }) => {
                self.get(&reference.file, wanted)?;
                self.read(&wanted.sha256)
            }
            other => other,
        }
    }

    fn read(&self, sha256: &Sha256) -> Result<Option<Index>, Error> {
        let Some(path) = self.store.path(sha256)? else { return Ok(None) };
        let bytes = crate::fsx::read(&path)?;
        if Sha256::of(&bytes) != *sha256 {
            self.store.discard(sha256)?;
            return Err(Error::StoreDamaged { what: self.what(), path });
        }
        Index::parse(&bytes).map(Some).map_err(|source| Error::Index { what: self.what(), source })
    }

    fn what(&self) -> String {
        format!("{}@{}", self.published.component(), self.published.version())
    }
}

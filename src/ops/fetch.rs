//! Where the bytes of a published version may come from, in which order, and bringing them into the store.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Error, OnProgress, Phase, Progress, Site};
use crate::config::TargetPlace;
use crate::model::{Index, Sha256};
use crate::records::Published;
use crate::store::Store;
use crate::target::Filesystem;
use crate::transfer::{Attempt, Fetcher, Refused, Source, Wanted, allowed};

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

/// The configured filesystem targets, in order.
pub(super) fn filesystems(site: &Site) -> Result<Vec<Filesystem>, Error> {
    let targets = site.config.publish.targets.iter();
    targets
        .map(|target| match &target.place {
            TargetPlace::Filesystem { path, .. } => Ok(Filesystem::new(&target.name, path)?),
        })
        .collect()
}

/// The files of a version that this host may read, in the order of the configured tiers; and the locations it may not.
fn sources(
    site: &Site,
    published: &Published,
    file: &str,
    top: Option<&Path>,
) -> Result<(Vec<Source>, Vec<Refused>), Error> {
    let targets = filesystems(site)?;
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for location in &published.record.locations {
        match allowed(location, file, &targets, top) {
            Ok(path) => found.push(Source::Filesystem { name: location.name.clone(), path }),
            Err(why) => refused.push(why),
        }
    }
    let tiers = &site.config.deploy.sources;
    let tier = |source: &Source| {
        let of = tiers.iter().position(|tier| tier.iter().any(|name| name == source.name()));
        of.unwrap_or(tiers.len())
    };
    found.sort_by_key(tier);
    Ok((found, refused))
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
    let fetcher = Fetcher::new(store, rejected);
    let mut brought = Brought { index: None, source: None, bytes: 0, failed: Vec::new() };
    let package = &published.manifest.package;
    let total = package.size + published.manifest.index.as_ref().map_or(0, |index| index.size);
    let done = AtomicU64::new(0);
    let told = |bytes: u64| {
        let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        progress(Progress { component: published.component(), phase: Phase::Fetch, done, total: Some(total) });
    };
    if let Some(index) = &published.manifest.index {
        let wanted = Wanted { sha256: index.checksum.value, size: index.size };
        get(site, &fetcher, store, published, top, (&index.file, wanted), &told, &mut brought)?;
    }
    let wanted = Wanted { sha256: package.checksum.value, size: package.size };
    get(site, &fetcher, store, published, top, (&package.file, wanted), &told, &mut brought)?;
    brought.index = index(store, published)?;
    Ok(brought)
}

/// Brings only the index of a published version into the store; `None` where the version has none.
pub(super) fn bring_index(
    site: &Site,
    store: &Store,
    published: &Published,
    top: Option<&Path>,
) -> Result<Option<Index>, Error> {
    let Some(reference) = &published.manifest.index else { return Ok(None) };
    let rejected = store.directory().join("rejected");
    let fetcher = Fetcher::new(store, &rejected);
    let mut brought = Brought { index: None, source: None, bytes: 0, failed: Vec::new() };
    let wanted = Wanted { sha256: reference.checksum.value, size: reference.size };
    get(site, &fetcher, store, published, top, (&reference.file, wanted), &|_| {}, &mut brought)?;
    index(store, published)
}

/// Brings one file of a version into the store.
#[allow(clippy::too_many_arguments)]
fn get(
    site: &Site,
    fetcher: &Fetcher<'_>,
    store: &Store,
    published: &Published,
    top: Option<&Path>,
    (file, wanted): (&str, Wanted),
    told: &(dyn Fn(u64) + Sync),
    brought: &mut Brought,
) -> Result<(), Error> {
    let (sources, refused) = sources(site, published, file, top)?;
    if sources.is_empty() && store.size(&wanted.sha256)? != Some(wanted.size) {
        let what = format!("{}@{}", published.component(), published.version());
        return Err(Error::NoAllowedLocation { what, refused });
    }
    let fetched = fetcher.fetch(&wanted, &sources, told)?;
    if let Some(source) = fetched.source {
        brought.source = Some(source.name().to_owned());
        brought.bytes += wanted.size;
    }
    brought.failed.extend(fetched.failed);
    Ok(())
}

/// The index of a published version, from the store.
pub(super) fn index(store: &Store, published: &Published) -> Result<Option<Index>, Error> {
    let Some(reference) = &published.manifest.index else { return Ok(None) };
    let Some(path) = store.path(&reference.checksum.value)? else { return Ok(None) };
    let what = || format!("{}@{}", published.component(), published.version());
    let bytes = crate::fsx::read(&path)?;
    if Sha256::of(&bytes) != reference.checksum.value {
        store.discard(&reference.checksum.value)?;
        return Err(Error::StoreDamaged { what: what(), path });
    }
    Index::parse(&bytes).map(Some).map_err(|source| Error::Index { what: what(), source })
}

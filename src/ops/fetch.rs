//! Where the bytes of a published version may come from, in which order, and bringing them into the store.

use std::path::Path;

use super::{Error, Site};
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
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Brought, Error> {
    let fetcher = Fetcher::new(store, rejected);
    let mut brought = Brought { index: None, source: None, bytes: 0, failed: Vec::new() };
    let mut get = |file: &str, sha256: Sha256, size: u64| -> Result<(), Error> {
        let (sources, refused) = sources(site, published, file, top)?;
        if sources.is_empty() && store.size(&sha256)? != Some(size) {
            let what = format!("{}@{}", published.component(), published.version());
            return Err(Error::NoAllowedLocation { what, refused });
        }
        let fetched = fetcher.fetch(&Wanted { sha256, size }, &sources, progress)?;
        if let Some(source) = fetched.source {
            brought.source = Some(source.name().to_owned());
            brought.bytes += size;
        }
        brought.failed.extend(fetched.failed);
        Ok(())
    };
    let package = &published.manifest.package;
    if let Some(index) = &published.manifest.index {
        get(&index.file, index.checksum.value, index.size)?;
    }
    get(&package.file, package.checksum.value, package.size)?;
    brought.index = index(store, published)?;
    Ok(brought)
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

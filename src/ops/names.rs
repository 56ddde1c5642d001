//! What can be named on this machine, for completing what somebody types: names alone, no record and no receipt is read.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Site};
use crate::fsx;
use crate::model::{ComponentType, EnvironmentName, Version};
use crate::records::Snapshot;

/// Components with their versions, lowest first.
pub type Versions = BTreeMap<ComponentType, BTreeSet<Version>>;

/// What is installed on the root; nothing where there is no root.
///
/// # Errors
///
/// A root that cannot be read.
pub fn installed(site: &Site) -> Result<Versions, Error> {
    if fsx::inspect_followed(&site.root)?.is_none() {
        return Ok(Versions::new());
    }
    let view = site.view()?;
    let types = view.types()?.into_iter();
    types.map(|component| Ok((component.clone(), view.versions(&component)?.into_iter().collect()))).collect()
}

/// What is recorded in git; nothing where there are no records.
///
/// # Errors
///
/// Records that cannot be read.
pub fn recorded(site: &Site) -> Result<Versions, Error> {
    from_records(site, |snapshot| {
        let components = snapshot.components()?.into_iter();
        components
            .map(|component| Ok((component.clone(), snapshot.versions(&component)?.into_iter().collect())))
            .collect()
    })
}

/// What is packed on this machine and not published.
///
/// # Errors
///
/// A store that cannot be read.
pub fn packed(site: &Site) -> Result<Versions, Error> {
    let mut all = Versions::new();
    for held in site.store_reader()?.list()?.into_iter().filter_map(|entry| entry.held) {
        all.entry(held.component).or_default().insert(held.version);
    }
    Ok(all)
}

/// The environments.
///
/// # Errors
///
/// Records that cannot be read.
pub fn environments(site: &Site) -> Result<Vec<EnvironmentName>, Error> {
    from_records(site, |snapshot| Ok(snapshot.environments()?))
}

/// The releases of the root that are still there, by their numbers.
///
/// # Errors
///
/// A root that cannot be read.
pub fn releases(site: &Site) -> Result<Vec<u64>, Error> {
    Ok(site.view()?.releases()?)
}

fn from_records<T: Default>(site: &Site, read: impl Fn(&Snapshot<'_>) -> Result<T, Error>) -> Result<T, Error> {
    if !site.has_repository()? {
        return Ok(T::default());
    }
    let repository = site.repository()?;
    read(&repository.snapshot(None)?)
}

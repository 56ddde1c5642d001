//! Which targets a version is published to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, Site};
use crate::config::{self, TargetPlace};
use crate::fsx;
use crate::target::{self, Target};

/// Targets that were asked for.
pub(super) struct Chosen {
    /// Those that can be used.
    pub usable: Vec<Arc<dyn Target>>,
    /// Those that cannot, and why.
    pub broken: Vec<(String, target::Error)>,
}

/// The targets that `to` names, each once, else the configured ones.
///
/// # Errors
///
/// An unknown name; a target that is only read; two that are one place, which would count as two copies and be one; none that
/// can be used.
pub(super) fn targets(site: &Site, to: &[String]) -> Result<Chosen, Error> {
    let names = if to.is_empty() { &site.config.publish.default } else { to };
    let mut chosen: Vec<&config::Target> = Vec::new();
    for name in names {
        let target = named(site, name)?;
        if !target.place.is_writable() {
            return Err(target::Error::ReadOnly { target: name.clone() }.into());
        }
        if chosen.iter().any(|other| other.name == target.name) {
            continue;
        }
        if let Some(other) = chosen.iter().find(|other| is_same(&other.place, &target.place)) {
            return Err(Error::SamePlace { first: other.name.clone(), second: name.clone() });
        }
        chosen.push(target);
    }
    let mut opened = Chosen { usable: Vec::new(), broken: Vec::new() };
    for target in chosen {
        match open(site, target) {
            Ok(target) => opened.usable.push(target),
            Err(Error::Target(error)) => opened.broken.push((target.name.clone(), error)),
            Err(error) => return Err(error),
        }
    }
    match opened.broken.pop() {
        Some((_, error)) if opened.usable.is_empty() => Err(error.into()),
        last => {
            opened.broken.extend(last);
            Ok(opened)
        }
    }
}

/// The target of this name.
///
/// # Errors
///
/// There is none.
pub(super) fn target(site: &Site, name: &str) -> Result<Arc<dyn Target>, Error> {
    open(site, named(site, name)?)
}

fn named<'s>(site: &'s Site, name: &str) -> Result<&'s config::Target, Error> {
    site.config.target(name).ok_or_else(|| Error::NoSuchTarget {
        name: name.to_owned(),
        known: site.config.publish.targets.iter().map(|target| target.name.clone()).collect(),
    })
}

fn open(site: &Site, target: &config::Target) -> Result<Arc<dyn Target>, Error> {
    let top = if site.own_repository { site.repository.clone() } else { site.repository()?.root().to_owned() };
    Ok(target::open(target, &site.ambient, Some(&top))?)
}

/// Whether what is written to one is there in the other, too. What they are reached with does not matter.
fn is_same(one: &TargetPlace, other: &TargetPlace) -> bool {
    use TargetPlace::{Azure, Bos, Filesystem, Gcs, Oci, S3};
    match (one, other) {
        (Filesystem { path: one, .. }, Filesystem { path: other, .. }) => really(one) == really(other),
        (S3(a), S3(b)) => (&a.endpoint, &a.bucket, &a.prefix) == (&b.endpoint, &b.bucket, &b.prefix),
        (Bos(a), Bos(b)) => (&a.endpoint, &a.bucket, &a.prefix) == (&b.endpoint, &b.bucket, &b.prefix),
        (Gcs(a), Gcs(b)) => (&a.endpoint, &a.bucket, &a.prefix) == (&b.endpoint, &b.bucket, &b.prefix),
        (Azure(a), Azure(b)) => {
            (&a.account, &a.endpoint, &a.container, &a.prefix) == (&b.account, &b.endpoint, &b.container, &b.prefix)
        }
        (Oci(a), Oci(b)) => (&a.registry, &a.repository) == (&b.registry, &b.repository),
        _ => false,
    }
}

/// Where a path leads, links followed, as far as it exists.
fn really(path: &Path) -> PathBuf {
    let above = || path.parent().zip(path.file_name()).map(|(parent, name)| really(parent).join(name));
    fsx::canonical(path).ok().or_else(above).unwrap_or_else(|| path.to_owned())
}

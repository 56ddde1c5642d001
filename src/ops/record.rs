//! `record list|show`.

use serde::Serialize;

use super::{Error, Site};
use crate::model::{ComponentType, Reference, Sha256, Timestamp, Version};
use crate::records::{Published, Repository};

/// One recorded version.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// The package's length in bytes.
    pub size: u64,
    /// The package's sha256.
    pub package: Sha256,
    /// When it was published.
    pub published_at: Timestamp,
    /// The names of the places it lies at.
    pub locations: Vec<String>,
    /// Whether it is withdrawn.
    pub yanked: bool,
}

/// The records repository, which must be there.
pub(super) fn existing(site: &Site) -> Result<Repository, Error> {
    if site.own_repository && !site.has_repository()? {
        return Err(Error::NothingPublished { repository: site.repository.clone() });
    }
    site.repository()
}

/// `record list`: the recorded versions of one component, or of all, in version order.
pub fn list(site: &Site, only: Option<&ComponentType>, at: Option<&str>) -> Result<Vec<Listed>, Error> {
    let repository = existing(site)?;
    let snapshot = repository.snapshot(at)?;
    let components = match only {
        Some(component) => vec![component.clone()],
        None => snapshot.components()?,
    };
    let mut out = Vec::new();
    for component in components {
        for version in snapshot.versions(&component)? {
            let Some(published) = snapshot.get(&component, &version)? else { continue };
            out.push(Listed {
                component: component.clone(),
                version,
                size: published.manifest.package.size,
                package: published.package_sha256(),
                published_at: published.record.published_at,
                locations: published.record.locations.iter().map(|l| l.name.clone()).collect(),
                yanked: published.yanked.is_some(),
            });
        }
    }
    match only {
        Some(component) if out.is_empty() => Err(Error::NoSuchComponent { component: component.clone() }),
        _ => Ok(out),
    }
}

/// `record show`: manifest and record of one version.
pub fn show(site: &Site, reference: &Reference, at: Option<&str>) -> Result<Published, Error> {
    let repository = existing(site)?;
    Ok(repository.snapshot(at)?.resolve(reference)?)
}

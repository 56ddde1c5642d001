//! `record url`: URLs that lead to the package of a version, for whoever has no login of their own.

use std::time::Duration;

use serde::Serialize;

use super::reach::Reach;
use super::{Error, Site, record};
use crate::model::{ComponentType, Place, Reference, Version};
use crate::target::{self, Wanted};
use crate::transfer::Refused;

/// One URL.
#[derive(Debug, Serialize)]
pub struct Url {
    /// The name of the place it leads to.
    pub name: String,
    /// The URL. Where it expires, it lets anybody read the package until then: it is a secret.
    pub url: String,
    /// After how many seconds it ends; absent where it does not.
    pub expires_in: Option<u64>,
}

/// What leads to a version.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// The package's file name.
    pub file: String,
    /// The URLs, in the order the places are read in.
    pub urls: Vec<Url>,
    /// Places that should give a URL and did not, and why.
    #[serde(skip)]
    pub failed: Vec<(String, target::Error)>,
    /// Places whose target is configured here and cannot be used.
    #[serde(skip)]
    pub broken: Vec<Refused>,
}

/// `record url`: a URL for each place of a version, or only for the one of this name.
///
/// # Errors
///
/// [`Error::NotThere`], [`Error::NoUrl`]; the first failure where there is nothing but failures.
pub fn url(
    site: &Site,
    reference: &Reference,
    at: Option<&str>,
    only: Option<&str>,
    expires: Duration,
) -> Result<Report, Error> {
    let repository = record::existing(site)?;
    let mut published = repository.snapshot(at)?.resolve(reference)?;
    let (component, version) = (published.component().clone(), published.version().clone());
    if let Some(name) = only {
        let known: Vec<_> = published.record.locations.iter().map(|location| location.name.clone()).collect();
        published.record.locations.retain(|location| location.name == name);
        if published.record.locations.is_empty() {
            return Err(Error::NotThere { component, version, name: name.to_owned(), known });
        }
    }
    let package = &published.manifest.package;
    let wanted = Wanted { file: &package.file, sha256: package.checksum.value };
    let (sources, refused) = Reach::of(site, Some(repository.root()))?.sources(&published, wanted)?;
    if sources.is_empty() {
        return Err(Error::NoAllowedLocation { what: format!("{component}@{version}"), refused });
    }
    let broken = refused.into_iter().filter(|refused| matches!(refused, Refused::Broken { .. })).collect();
    let file = package.file.clone();
    let mut report = Report { component, version, file, urls: Vec::new(), failed: Vec::new(), broken };
    for source in sources.into_iter().flatten() {
        let location = published.record.locations.iter().find(|location| location.name == source.name);
        let (plain, stays) = match location.map(|location| &location.place) {
            Some(Place::Http(place)) => (Some(place.url.clone()), true),
            Some(Place::Filesystem(_)) => (None, true),
            _ => (None, false),
        };
        let url = match plain {
            Some(url) => Ok(Some(url)),
            None => source.target.presign(&source.key, expires),
        };
        match url {
            Ok(Some(url)) => {
                let expires_in = (!stays).then_some(expires.as_secs());
                report.urls.push(Url { name: source.name, url, expires_in });
            }
            Ok(None) => {}
            Err(error) => report.failed.push((source.name, error)),
        }
    }
    match report.urls.is_empty() {
        false => Ok(report),
        true => Err(match report.failed.into_iter().next() {
            Some((_, error)) => error.into(),
            None => Error::NoUrl { component: report.component, version: report.version },
        }),
    }
}

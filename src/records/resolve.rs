//! From a reference to one published version.

use super::error::{Error, Match};
use super::published::Published;
use super::snapshot::Snapshot;
use crate::model::{ComponentType, Reference, Selector, Version};

/// How many versions an error names.
const SHOWN: usize = 5;

impl Snapshot<'_> {
    /// The version a reference means:
    ///
    /// - exact: that version, yanked or not (the caller sees it in [`Published::yanked`]);
    /// - latest: the highest that is neither yanked nor a pre-release;
    /// - range: the highest that matches and is not yanked; pre-releases by semver's rule: only where the range itself names
    ///   one of the same major, minor and patch number;
    /// - digest: the version whose package has it. Where several versions have one package, the highest not yanked, else
    ///   the highest. Reads the records of that component only.
    ///
    /// # Errors
    ///
    /// Nothing matches; an ambiguous digest; whatever [`Snapshot::get`] refuses.
    pub fn resolve(&self, reference: &Reference) -> Result<Published, Error> {
        let component = &reference.component;
        let mut known = self.versions(component)?;
        known.reverse();
        if known.is_empty() {
            let components = self.components()?;
            return Err(if components.is_empty() {
                Error::NoRecords { path: self.repository.root.clone(), reference: reference.clone() }
            } else {
                Error::NoComponent { component: component.clone(), known: components }
            });
        }
        match &reference.selector {
            Selector::Exact(version) => match self.get(component, version)? {
                Some(published) => Ok(published),
                None => {
                    known.retain(|other| other != version);
                    Err(Error::NoVersion {
                        component: component.clone(),
                        version: version.clone(),
                        known: shown(known),
                    })
                }
            },
            Selector::Latest => {
                let (stable, other): (Vec<_>, Vec<_>) = known.into_iter().partition(|v| !v.is_prerelease());
                if let Some(found) = self.highest(component, &stable)? {
                    return Ok(found);
                }
                match (self.highest(component, &other)?, stable.first().or(other.first())) {
                    (Some(found), _) => {
                        Err(Error::OnlyPrereleases { reference: reference.clone(), highest: found.version().clone() })
                    }
                    (None, highest) => Err(all_yanked(reference, highest, &[])),
                }
            }
            Selector::Range(range) => {
                let matches = |v: &Version| v.to_semver().is_some_and(|v| range.matches(&v));
                let (matching, other): (Vec<_>, Vec<_>) = known.into_iter().partition(matches);
                match self.highest(component, &matching)? {
                    Some(found) => Ok(found),
                    None => Err(all_yanked(reference, matching.first(), &other)),
                }
            }
            Selector::Digest(prefix) => self.by_digest(reference, prefix, &known),
        }
    }

    /// The first of `versions` (highest first) that is not yanked.
    fn highest(&self, component: &ComponentType, versions: &[Version]) -> Result<Option<Published>, Error> {
        for version in versions {
            if self.is_yanked(component, version)? {
                continue;
            }
            if let Some(found) = self.get(component, version)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn by_digest(&self, reference: &Reference, prefix: &str, known: &[Version]) -> Result<Published, Error> {
        let mut found: Vec<Published> = Vec::new();
        self.bring([(&reference.component, None)])?;
        for version in known {
            let published = self.get(&reference.component, version)?;
            found.extend(published.filter(|p| p.package_sha256().to_string().starts_with(prefix)));
        }
        if found.iter().any(|p| Some(p.package_sha256()) != found.first().map(Published::package_sha256)) {
            let matches = found.iter().map(|p| Match { version: p.version().clone(), sha256: p.package_sha256() });
            return Err(Error::AmbiguousDigest { reference: reference.clone(), matches: matches.collect() });
        }
        let best = found.iter().position(|p| p.yanked.is_none()).unwrap_or(0);
        found.into_iter().nth(best).ok_or_else(|| Error::NoDigest { reference: reference.clone() })
    }
}

fn all_yanked(reference: &Reference, highest: Option<&Version>, other: &[Version]) -> Error {
    let reference = reference.clone();
    match highest {
        Some(highest) => Error::AllYanked { reference, highest: highest.clone() },
        None => Error::NoMatch { reference, known: shown(other.to_vec()) },
    }
}

fn shown(mut known: Vec<Version>) -> Vec<Version> {
    known.truncate(SHOWN);
    known
}

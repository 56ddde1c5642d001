//! Requirements between components: whether a set of versions fits together, and what would make it fit.
//!
//! What a version needs stands in its manifest, and in the receipt of an installed one. A set is judged as a whole, since
//! any change of it may break what another component relies on.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Error, Site, record};
use crate::deploy::{Set, View};
use crate::model::{ComponentType, Dependency, EnvironmentName, Version};
use crate::records::Published;

/// How many versions an error names.
const SHOWN: usize = 5;

/// A requirement that a set does not meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// The component that needs another.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// Its version.
    pub version: Version,
    /// What it needs.
    pub needs: Dependency,
    /// The version that would be current; absent where none would.
    pub would_be: Option<Version>,
    /// The highest installed versions that all who need the component can do with, highest first.
    pub installed: Vec<Version>,
    /// The highest recorded ones, highest first, withdrawn ones left out.
    pub recorded: Vec<Version>,
}

/// What somebody meant to have, so that an error can say what to ask for instead.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meant<'a> {
    /// These versions.
    Versions(&'a Set),
    /// What an environment pins.
    Environment(&'a EnvironmentName),
}

/// What to do so that a requirement is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Deploy these versions together.
    Deploy(Set),
    /// Pin these versions in the environment.
    Pin(EnvironmentName, Set),
    /// Switch to this installed version first; the records do not have it.
    Switch(ComponentType, Version),
    /// No version that would do is known: publish one.
    Publish(Dependency),
}

/// Where versions and their requirements are known from.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub site: &'a Site,
    /// The root; `None` where there is none yet.
    pub view: Option<&'a View>,
    /// The versions that are about to be installed.
    pub wanted: &'a [Published],
    /// The commit of the records; `None` for the tip of the branch.
    pub commit: Option<&'a str>,
}

impl Known<'_> {
    /// Every requirement of `set` that is not met within it.
    pub fn unmet(&self, set: &Set) -> Result<Vec<Unmet>, Error> {
        let mut needs: BTreeMap<&ComponentType, Vec<Dependency>> = BTreeMap::new();
        for (component, version) in set {
            needs.insert(component, self.needs(component, version)?);
        }
        let mut unmet = Vec::new();
        for (component, version) in set {
            for need in needs.get(component).into_iter().flatten() {
                let would_be = set.get(&need.kind);
                if would_be.is_some_and(|version| satisfies(version, need)) {
                    continue;
                }
                let all: Vec<_> = needs.values().flatten().filter(|other| other.kind == need.kind).collect();
                let will_do = |version: &Version| all.iter().all(|need| satisfies(version, need));
                unmet.push(Unmet {
                    component: component.clone(),
                    version: version.clone(),
                    needs: need.clone(),
                    would_be: would_be.cloned(),
                    installed: self.installed(&need.kind, will_do)?,
                    // Only a help: records that cannot be read are no reason to say something else.
                    recorded: self.recorded(&need.kind, will_do).unwrap_or_default(),
                });
            }
        }
        Ok(unmet)
    }

    /// Refuses a set that does not fit together.
    ///
    /// # Errors
    ///
    /// [`Error::Unmet`] with everything that is not met, and what would help.
    pub fn require(&self, set: &Set, meant: Meant<'_>) -> Result<(), Error> {
        let unmet = self.unmet(set)?;
        if unmet.is_empty() {
            return Ok(());
        }
        let remedy = remedy(&unmet, meant);
        Err(Error::Unmet { unmet, remedy })
    }

    fn needs(&self, component: &ComponentType, version: &Version) -> Result<Vec<Dependency>, Error> {
        let published = self.wanted.iter().find(|p| (p.component(), p.version()) == (component, version));
        Ok(match (published, self.view) {
            (Some(published), _) => published.manifest.dependencies.clone(),
            (None, Some(view)) => view.receipt(component, version)?.map(|r| r.dependencies).unwrap_or_default(),
            (None, None) => Vec::new(),
        })
    }

    fn installed(&self, kind: &ComponentType, will_do: impl Fn(&Version) -> bool) -> Result<Vec<Version>, Error> {
        let Some(view) = self.view else { return Ok(Vec::new()) };
        Ok(view.versions(kind)?.into_iter().rev().filter(|version| will_do(version)).take(SHOWN).collect())
    }

    fn recorded(&self, kind: &ComponentType, will_do: impl Fn(&Version) -> bool) -> Result<Vec<Version>, Error> {
        let repository = record::existing(self.site)?;
        let snapshot = repository.snapshot(self.commit)?;
        let mut found = Vec::new();
        for version in snapshot.versions(kind)?.into_iter().rev().filter(|version| will_do(version)) {
            if found.len() < SHOWN && !snapshot.is_yanked(kind, &version)? {
                found.push(version);
            }
        }
        Ok(found)
    }
}

pub(super) fn satisfies(version: &Version, need: &Dependency) -> bool {
    version.to_semver().is_some_and(|version| need.version.matches(&version))
}

fn remedy(unmet: &[Unmet], meant: Meant<'_>) -> Remedy {
    let mut versions = match meant {
        Meant::Versions(versions) => versions.clone(),
        Meant::Environment(_) => Set::new(),
    };
    for unmet in unmet {
        match (unmet.recorded.first(), unmet.installed.first()) {
            (Some(version), _) => versions.insert(unmet.needs.kind.clone(), version.clone()),
            (None, Some(version)) => return Remedy::Switch(unmet.needs.kind.clone(), version.clone()),
            (None, None) => return Remedy::Publish(unmet.needs.clone()),
        };
    }
    match meant {
        Meant::Environment(name) => Remedy::Pin(name.clone(), versions),
        Meant::Versions(_) => Remedy::Deploy(versions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Set {
        let parse = |(c, v): &(&str, &str)| (c.parse().expect("a type"), v.parse().expect("a version"));
        pairs.iter().map(parse).collect()
    }

    fn unmet(installed: &[&str], recorded: &[&str]) -> Unmet {
        let versions = |all: &[&str]| all.iter().map(|v| v.parse().expect("a version")).collect();
        Unmet {
            component: "model".parse().expect("a type"),
            version: "1".parse().expect("a version"),
            needs: Dependency {
                kind: "config".parse().expect("a type"),
                version: semver::VersionReq::parse("^2").expect("a requirement"),
            },
            would_be: None,
            installed: versions(installed),
            recorded: versions(recorded),
        }
    }

    #[test]
    fn what_is_asked_for_instead_is_what_was_asked_for_and_what_it_needs() {
        let asked = set(&[("model", "1"), ("config", "1.4")]);
        let ask =
            |installed: &[&str], recorded: &[&str]| remedy(&[unmet(installed, recorded)], Meant::Versions(&asked));
        assert_eq!(ask(&["2.0"], &["2.1", "2.0"]), Remedy::Deploy(set(&[("model", "1"), ("config", "2.1")])));
        assert_eq!(
            ask(&["2.0"], &[]),
            Remedy::Switch("config".parse().expect("a type"), "2.0".parse().expect("a version"))
        );
        assert_eq!(ask(&[], &[]), Remedy::Publish(unmet(&[], &[]).needs));
        let prod = "prod".parse().expect("a name");
        assert_eq!(
            remedy(&[unmet(&[], &["2.1"])], Meant::Environment(&prod)),
            Remedy::Pin(prod.clone(), set(&[("config", "2.1")]))
        );
    }
}

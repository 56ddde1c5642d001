//! From a commit for review to what a reviewer wants to know of it, read from its records and the indexes of its versions.

use std::collections::{BTreeMap, BTreeSet};

use crate::forge::{self, Dependent, Description, Files, Seen, Subject, Text};
use crate::model::{ComponentType, Environment, EnvironmentName, Index, Pin, Version};
use crate::ops::dependencies::satisfies;
use crate::ops::diff::{self, Change, File};
use crate::ops::{Error, Site, cost, fetch, trust};
use crate::records::{Published, Repository, Snapshot};
use crate::transfer::{Candidate, Means};

/// What a commit for review is about.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) enum About<'a> {
    /// A version that is published.
    Version(&'a ComponentType, &'a Version),
    /// An environment, and the one its versions come from.
    Environment(&'a EnvironmentName, Option<&'a EnvironmentName>),
}

/// The words for the commit `made`; `repository` is read as of what it is made on.
pub(super) fn describe(site: &Site, repository: &Repository, made: &str, about: About<'_>) -> Result<Text, Error> {
    let (before, after) = (repository.snapshot(None)?, repository.snapshot(Some(made))?);
    let teller = Teller { site, repository, before: &before, after: &after };
    let description = match about {
        About::Version(component, version) => teller.publication(component, version)?,
        About::Environment(name, from) => teller.environment(name, from)?,
    };
    Ok(forge::text(&description))
}

struct Teller<'a, 'r> {
    site: &'a Site,
    repository: &'a Repository,
    before: &'a Snapshot<'r>,
    after: &'a Snapshot<'r>,
}

/// A version on one side of a change; what its record says, where that can be read and names this package.
struct End {
    name: forge::Version,
    published: Option<Published>,
}

impl Teller<'_, '_> {
    fn publication(&self, component: &ComponentType, version: &Version) -> Result<Description, Error> {
        let end = |snapshot: &Snapshot<'_>, version: &Version| -> Result<Option<End>, Error> {
            Ok(snapshot.get(component, version)?.map(|published| End::of(version, published)))
        };
        let last = self.before.versions(component)?.into_iter().rev().find(|other| other < version);
        let last = last.map(|last| end(self.before, &last)).transpose()?.flatten();
        let mut beside = BTreeMap::new();
        for name in self.after.environments()? {
            // One that cannot be read is another's trouble.
            let Ok(Some(file)) = self.after.environment(&name) else { continue };
            for published in self.all(&file.environment) {
                beside.insert((published.component().clone(), published.version().clone()), published);
            }
        }
        let beside: Vec<_> = beside.into_values().collect();
        let change = self.change(component, last, end(self.after, version)?, &beside)?;
        Ok(Description { subject: Subject::Publish, changes: vec![change] })
    }

    fn environment(&self, name: &EnvironmentName, from: Option<&EnvironmentName>) -> Result<Description, Error> {
        let read = |snapshot: &Snapshot<'_>| -> Result<Environment, Error> {
            Ok(snapshot.environment(name)?.map(|file| file.environment).unwrap_or_default())
        };
        let (was, is) = (read(self.before)?, read(self.after)?);
        let beside = self.all(&is);
        let components: BTreeSet<_> = was.components.keys().chain(is.components.keys()).collect();
        let same = |component: &&&ComponentType| was.components.get(**component) == is.components.get(**component);
        let changed = components.iter().filter(|component| !same(component));
        let change = |component: &&ComponentType| {
            let end = |pins: &BTreeMap<ComponentType, Pin>| pins.get(*component).map(|pin| self.end(component, pin));
            self.change(component, end(&was.components), end(&is.components), &beside)
        };
        let subject = Subject::Environment { name: name.clone(), serial: is.serial, promoted_from: from.cloned() };
        Ok(Description { subject, changes: changed.map(change).collect::<Result<_, _>>()? })
    }

    fn end(&self, component: &ComponentType, pin: &Pin) -> End {
        let published = self.after.get(component, &pin.version).ok().flatten();
        let published = published.filter(|published| published.package_sha256() == pin.sha256);
        let size = published.as_ref().map(|published| published.manifest.package.size);
        End { name: forge::Version { version: pin.version.clone(), sha256: pin.sha256, size }, published }
    }

    /// The versions of an environment, as far as they are recorded.
    fn all(&self, environment: &Environment) -> Vec<Published> {
        environment.components.iter().filter_map(|(component, pin)| self.end(component, pin).published).collect()
    }

    fn change(
        &self,
        component: &ComponentType,
        from: Option<End>,
        to: Option<End>,
        beside: &[Published],
    ) -> Result<forge::Change, Error> {
        let index = |end: &Option<End>| self.index(end.as_ref()?.published.as_ref()?);
        let (was, is) = (index(&from), index(&to));
        let published = to.as_ref().and_then(|end| end.published.as_ref());
        let version = published.map(Published::version);
        let needs = |other: &Published| {
            let need = other.manifest.dependencies.iter().find(|need| need.kind == *component)?;
            Some(Dependent {
                component: other.component().clone(),
                version: other.version().clone(),
                needs: need.version.to_string(),
                is_met: version.is_some_and(|version| satisfies(version, need)),
            })
        };
        let places = published.iter().flat_map(|published| &published.record.locations);
        Ok(forge::Change {
            component: component.clone(),
            files: was.as_ref().zip(is.as_ref()).map(|(was, is)| files(was, is)),
            fetch: published.map(|published| fetched(published, was.as_ref(), is.as_ref())).unwrap_or_default(),
            needs: published.map(|published| published.manifest.dependencies.clone()).unwrap_or_default(),
            dependents: beside.iter().filter_map(needs).collect(),
            places: places.map(|location| (location.name.clone(), location.place.shown())).collect(),
            signers: published
                .map(|published| trust::who_signed(self.site, published))
                .transpose()?
                .unwrap_or_default(),
            from: from.map(|end| end.name),
            to: to.map(|end| end.name),
        })
    }

    /// The index of a version. A request is no worse for one that cannot be had: it says less.
    fn index(&self, published: &Published) -> Option<Index> {
        fetch::bring_index(self.site, published, Some(self.repository.root())).ok().flatten()
    }
}

impl End {
    fn of(version: &Version, published: Published) -> Self {
        let (version, size) = (version.clone(), Some(published.manifest.package.size));
        let name = forge::Version { version, sha256: published.package_sha256(), size };
        Self { name, published: Some(published) }
    }
}

/// What a host fetches that has the version of `was`, by each way there is, the one that is taken first; the index always.
fn fetched(published: &Published, was: Option<&Index>, is: Option<&Index>) -> Vec<(forge::Way, u64)> {
    let index = published.manifest.index.as_ref().map_or(0, |index| index.size);
    let cost = cost::between(published, was, is);
    let way = |candidate: &Candidate| {
        let way = match &candidate.means {
            Means::Here => forge::Way::Nothing,
            Means::Whole => forge::Way::Whole,
            Means::Ranges => forge::Way::Missing,
            Means::Delta { from } => forge::Way::Delta(from.clone()),
        };
        (way, index.saturating_add(candidate.bytes))
    };
    let others =
        cost.candidates.iter().enumerate().filter(|(number, _)| *number != cost.chosen).map(|(_, other)| other);
    cost.taken().into_iter().chain(others).map(way).collect()
}

fn files(was: &Index, is: &Index) -> Files {
    let entries = |index: &Index| index.entries.iter().map(|item| item.entry.clone()).collect::<Vec<_>>();
    let (changes, same) = diff::compare(&entries(was), &entries(is));
    let differences = changes.into_iter().map(difference).collect();
    Files { differences, same }
}

fn difference(change: Change) -> forge::Difference {
    let seen = |file: File| Seen { kind: file.kind, mode: file.mode, size: file.size, target: file.target };
    match change {
        Change::Added { to } => forge::Difference { path: to.path.clone(), was: None, is: Some(seen(to)) },
        Change::Removed { from } => forge::Difference { path: from.path.clone(), was: Some(seen(from)), is: None },
        Change::Changed { from, to } => {
            forge::Difference { path: to.path.clone(), was: Some(seen(from)), is: Some(seen(to)) }
        }
    }
}

/// What differs between two versions, as Markdown: at most `limit` files.
pub fn markdown(report: &diff::Report, limit: usize) -> String {
    let name = |(component, version): &(ComponentType, Version)| format!("{component}@{version}");
    let differences = report.changes.iter().cloned().map(difference).collect();
    let files = Files { differences, same: report.same };
    forge::differences(&name(&report.from), &name(&report.to), &files, limit)
}

//! `env list|show|diff|set|promote`: what belongs where, read from git objects and written by commits.

mod edit;

use std::path::Path;

use serde::Serialize;

use super::resolve::published;
use super::{Error, Site, cost, fetch, record, stage};
use crate::deploy::Set;
use crate::fsx;
use crate::model::{ComponentType, Environment, EnvironmentName, Sha256, Version};
use crate::records::{Error as RecordsError, Published, Snapshot};
use crate::transfer::Cost;

pub use edit::{Edit, Edited, promote, set};

/// One environment.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: EnvironmentName,
    /// The serial number of its file.
    pub serial: u64,
    /// What it names.
    pub components: Set,
}

/// `env list`: the environments as of a commit, by name.
pub fn list(site: &Site, at: Option<&str>) -> Result<Vec<Listed>, Error> {
    let repository = record::existing(site)?;
    let snapshot = repository.snapshot(at)?;
    let one = |name| {
        let environment = read(&snapshot, &name)?;
        let components = environment.components.into_iter().map(|(component, pin)| (component, pin.version));
        Ok(Listed { name, serial: environment.serial, components: components.collect() })
    };
    snapshot.environments()?.into_iter().map(one).collect()
}

/// Whether what an environment pins can be deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinState {
    /// It is recorded as it is pinned.
    Recorded,
    /// It is withdrawn.
    Yanked,
    /// There is no record of it.
    NotRecorded,
    /// Its record names another package.
    OtherPackage,
}

/// One component of an environment.
#[derive(Debug, Clone, Serialize)]
pub struct Pinned {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// Its version.
    pub version: Version,
    /// The sha256 of its package.
    pub sha256: Sha256,
    /// Whether it can be deployed.
    pub state: PinState,
}

/// An environment as of a commit.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// Its name.
    pub name: EnvironmentName,
    /// The serial number of its file.
    pub serial: u64,
    /// The commit it was read at.
    pub commit: Option<String>,
    /// What it names.
    pub components: Vec<Pinned>,
}

/// `env show`: one environment, each version of it compared with its record.
pub fn show(site: &Site, name: &EnvironmentName, at: Option<&str>) -> Result<Shown, Error> {
    let repository = record::existing(site)?;
    let snapshot = repository.snapshot(at)?;
    let environment = read(&snapshot, name)?;
    let mut components = Vec::new();
    for (component, pin) in environment.components {
        let state = match published(&snapshot, name, &component, &pin) {
            Ok(published) if published.yanked.is_some() => PinState::Yanked,
            Ok(_) => PinState::Recorded,
            Err(Error::PinDiffers { .. }) => PinState::OtherPackage,
            Err(Error::Records(
                RecordsError::NoRecords { .. } | RecordsError::NoComponent { .. } | RecordsError::NoVersion { .. },
            )) => PinState::NotRecorded,
            Err(error) => return Err(error),
        };
        components.push(Pinned { component, version: pin.version, sha256: pin.sha256, state });
    }
    let commit = snapshot.commit_id().map(str::to_owned);
    Ok(Shown { name: name.clone(), serial: environment.serial, commit, components })
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Origin {
    /// What is current on a root.
    Root {
        /// The root.
        path: std::path::PathBuf,
        /// Its current release; absent before the first deploy.
        release: Option<u64>,
    },
    /// What an environment names.
    Environment {
        /// Its name.
        name: EnvironmentName,
        /// The serial number of its file.
        serial: u64,
        /// The commit it was read at.
        commit: Option<String>,
    },
}

/// A version and its package, as one side has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The version.
    pub version: Version,
    /// The sha256 of its package; absent where it is not known.
    pub sha256: Option<Sha256>,
}

/// A component that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// What the first side has.
    pub from: Option<Side>,
    /// What the second side has.
    pub to: Option<Side>,
    /// What it costs a host that has the first to come to have the second; absent where that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
}

/// What differs between two sides.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// The first side.
    pub from: Origin,
    /// The second side.
    pub to: Origin,
    /// Every component that differs, by name.
    pub changes: Vec<Difference>,
    /// How many are the same.
    pub same: usize,
}

type Sides = std::collections::BTreeMap<ComponentType, Side>;

/// `env diff`. With `to`, environment `name` against that one; with `at`, `name` as of that commit against `to`, or against
/// itself as it is now; with neither, this root against `name`.
pub fn diff(
    site: &Site,
    name: &EnvironmentName,
    to: Option<&EnvironmentName>,
    at: Option<&str>,
) -> Result<Diff, Error> {
    let repository = record::existing(site)?;
    let now = repository.snapshot(None)?;
    let of_root = to.is_none() && at.is_none();
    let ((from, before), (to, after)) = match (to, at) {
        (None, None) => (root(site)?, environment(&now, name)?),
        (to, at) => (environment(&repository.snapshot(at)?, name)?, environment(&now, to.unwrap_or(name))?),
    };
    let mut changes = differences(&before, &after);
    let top = Some(repository.root());
    changes.iter_mut().for_each(|change| change.cost = costs(site, &now, top, of_root, change));
    let same = before.keys().chain(after.keys().filter(|c| !before.contains_key(*c))).count() - changes.len();
    Ok(Diff { from, to, changes, same })
}

/// What a change costs: this root, by what lies in it; else a host that has the version before. What cannot be read is not
/// told: the versions differ all the same.
fn costs(site: &Site, records: &Snapshot<'_>, top: Option<&Path>, of_root: bool, change: &Difference) -> Option<Cost> {
    let recorded = |side: &Side| {
        let published = records.get(&change.component, &side.version).ok().flatten()?;
        side.sha256.is_none_or(|sha256| sha256 == published.package_sha256()).then_some(published)
    };
    let published = recorded(change.to.as_ref()?)?;
    if of_root {
        let view = fsx::inspect_followed(&site.root).ok()?.is_some().then(|| site.view()).transpose().ok()?;
        return Some(stage::expected(site, view.as_ref(), &published, top).ok()?.cost);
    }
    let index = |published: &Published| fetch::peek_index(site, published, top).ok().flatten();
    let was = change.from.as_ref().and_then(recorded).and_then(|published| index(&published));
    Some(cost::between(&published, was.as_ref(), index(&published).as_ref()))
}

fn differences(before: &Sides, after: &Sides) -> Vec<Difference> {
    let same = |from: &Side, to: &Side| {
        from.version == to.version && (from.sha256 == to.sha256 || from.sha256.is_none() || to.sha256.is_none())
    };
    let mut components: Vec<_> = before.keys().chain(after.keys()).collect();
    components.sort();
    components.dedup();
    let pairs = components.into_iter().map(|component| (component, before.get(component), after.get(component)));
    let differ = pairs.filter(|(_, from, to)| !matches!((from, to), (Some(from), Some(to)) if same(from, to)));
    differ
        .map(|(component, from, to)| Difference {
            component: component.clone(),
            from: from.cloned(),
            to: to.cloned(),
            cost: None,
        })
        .collect()
}

/// The environment of this name.
fn read(snapshot: &Snapshot<'_>, name: &EnvironmentName) -> Result<Environment, Error> {
    match snapshot.environment(name)? {
        Some(file) => Ok(file.environment),
        None => Err(Error::NoEnvironment { name: name.clone(), known: snapshot.environments()? }),
    }
}

fn environment(snapshot: &Snapshot<'_>, name: &EnvironmentName) -> Result<(Origin, Sides), Error> {
    let environment = read(snapshot, name)?;
    let commit = snapshot.commit_id().map(str::to_owned);
    let origin = Origin::Environment { name: name.clone(), serial: environment.serial, commit };
    Ok((origin, sides(&environment)))
}

fn sides(environment: &Environment) -> Sides {
    let side = |pin: &crate::model::Pin| Side { version: pin.version.clone(), sha256: Some(pin.sha256) };
    environment.components.iter().map(|(component, pin)| (component.clone(), side(pin))).collect()
}

/// What is current on this root; nothing where there is no root yet.
fn root(site: &Site) -> Result<(Origin, Sides), Error> {
    let mut sides = Sides::new();
    let mut release = None;
    if fsx::inspect_followed(&site.root)?.is_some() {
        let view = site.view()?;
        let state = view.state()?;
        release = state.number();
        for (component, version) in state.set() {
            let sha256 = view.receipt(&component, &version)?.map(|receipt| receipt.package);
            sides.insert(component, Side { version, sha256 });
        }
    }
    Ok((Origin::Root { path: site.root.clone(), release }, sides))
}

//! Making a release of what is installed already: `version switch` and `rollback`. No network, no unpacking.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Error, Site};
use crate::deploy::{
    Action, Done, EntryComponent, Error as DeployError, History, LinkChange, Plan, Receipt, Recovery, Request, Root,
    Set, State, View, execute, plan,
};
use crate::model::{ComponentType, Version};

/// One component that a release changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// Its version before; absent where it was not deployed.
    pub from: Option<Version>,
    /// Its version after; absent where it leaves.
    pub to: Option<Version>,
}

/// A release that was made, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What made it.
    pub action: Action,
    /// Its number; absent where nothing had to change.
    pub release: Option<u64>,
    /// The release a rollback goes to from here.
    pub parent: Option<u64>,
    /// The release it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// The components it changes.
    pub changed: Vec<Moved>,
    /// The links it moves.
    pub links: Vec<LinkChange>,
    /// Whether it was only planned.
    pub dry_run: bool,
    /// What an earlier run had left unfinished.
    #[serde(skip)]
    pub recovery: Recovery,
}

/// `version switch`: makes an installed version current.
pub fn switch(site: &Site, component: &ComponentType, version: &Version, dry_run: bool) -> Result<Report, Error> {
    change(site, dry_run, |view, state| {
        view.installed(component, version)?;
        let mut after = state.set();
        if after.insert(component.clone(), version.clone()).is_none() && state.release.is_none() {
            return Err(DeployError::NotDeployed { component: component.clone() }.into());
        }
        Ok(Wanted { after, parent: state.number(), ..Wanted::of(Action::Switch) })
    })
}

/// `rollback`: the set of the parent release, or of release `to`, becomes current again.
pub fn rollback(site: &Site, to: Option<u64>, dry_run: bool) -> Result<Report, Error> {
    change(site, dry_run, |view, state| {
        let history = view.history()?;
        let current = state.number();
        let number = match to {
            Some(number) => number,
            None => current
                .and_then(|n| history.parent_of(n))
                .map(|entry| entry.release)
                .ok_or(DeployError::NoParent { release: current })?,
        };
        let entry = history.release(number).ok_or(DeployError::NoRelease { number, current })?;
        let after = entry.set();
        for (component, version) in &after {
            view.installed(component, version)?;
        }
        Ok(Wanted { after, parent: entry.parent, restores: Some(number), ..Wanted::of(Action::Rollback) })
    })
}

/// `rollback TYPE`: one component gets the version it had before.
pub fn rollback_component(site: &Site, component: &ComponentType, dry_run: bool) -> Result<Report, Error> {
    change(site, dry_run, |view, state| {
        let current = state.number().ok_or(DeployError::NoParent { release: None })?;
        if !state.set().contains_key(component) {
            return Err(DeployError::NotDeployed { component: component.clone() }.into());
        }
        let history = view.history()?;
        let (version, origin) = history
            .previous_version(component, current)
            .ok_or_else(|| DeployError::NoPrevious { component: component.clone() })?;
        view.installed(component, &version)?;
        let mut after = state.set();
        after.insert(component.clone(), version);
        let mut origins = history.release(current).map(|entry| entry.origins.clone()).unwrap_or_default();
        origins.insert(component.clone(), origin);
        Ok(Wanted { after, parent: Some(current), origins, ..Wanted::of(Action::Rollback) })
    })
}

struct Wanted {
    action: Action,
    after: Set,
    parent: Option<u64>,
    restores: Option<u64>,
    origins: BTreeMap<ComponentType, u64>,
}

impl Wanted {
    fn of(action: Action) -> Self {
        Self { action, after: Set::new(), parent: None, restores: None, origins: BTreeMap::new() }
    }
}

fn change(
    site: &Site,
    dry_run: bool,
    wanted: impl FnOnce(&View, &State) -> Result<Wanted, Error>,
) -> Result<Report, Error> {
    let planned = |view: &View| -> Result<Plan, Error> {
        let state = view.state()?;
        let wanted = wanted(view, &state)?;
        let request = Request {
            details: details(view, &wanted.after)?,
            action: wanted.action,
            after: wanted.after,
            installs: Vec::new(),
            parent: wanted.parent,
            restores: wanted.restores,
            origins: wanted.origins,
            custom_links: site.custom_links(),
            at: site.caller.now,
            by: site.caller.by.clone(),
        };
        Ok(plan(view.layout(), &state, request)?)
    };
    if dry_run {
        let plan = planned(&site.view()?)?;
        return Ok(report(&plan, true, Recovery::Clean));
    }
    site.view()?;
    let (root, recovery) = site.change()?;
    let plan = planned(root.view())?;
    run(&root, &plan)?;
    Ok(report(&plan, false, recovery))
}

fn run(root: &Root, plan: &Plan) -> Result<Option<Done>, Error> {
    if plan.is_empty() {
        return Ok(None);
    }
    execute(root, plan, |install, _| -> Result<Receipt, Error> {
        Err(DeployError::NotInstalled {
            component: install.component.clone(),
            version: install.version.clone(),
            installed: Vec::new(),
        }
        .into())
    })
    .map(Some)
}

/// What the history says of each component of a set, from the receipts.
pub(super) fn details(view: &View, set: &Set) -> Result<BTreeMap<ComponentType, EntryComponent>, Error> {
    let mut details = BTreeMap::new();
    for (component, version) in set {
        let receipt = view.receipt(component, version)?;
        let detail = EntryComponent {
            version: version.clone(),
            package: receipt.as_ref().map(|r| r.package),
            commit: receipt.and_then(|r| r.record.commit),
        };
        details.insert(component.clone(), detail);
    }
    Ok(details)
}

/// The report of a plan, done or not.
pub(super) fn report(plan: &Plan, dry_run: bool, recovery: Recovery) -> Report {
    let moved = |component: &ComponentType| Moved {
        component: component.clone(),
        from: plan.before.get(component).cloned(),
        to: plan.after.get(component).cloned(),
    };
    Report {
        action: plan.entry.action,
        release: (!plan.is_empty()).then_some(plan.entry.release),
        parent: plan.entry.parent,
        restores: plan.entry.restores,
        changed: plan.entry.changed.iter().map(moved).collect(),
        links: plan.links.clone(),
        dry_run,
        recovery,
    }
}

/// The history entry that was current at a time, if any.
pub(super) fn current_at(history: &History, at: crate::model::Timestamp) -> Option<&crate::deploy::HistoryEntry> {
    history.entries.iter().rfind(|entry| entry.at <= at)
}

//! Making a release of what is installed already: `version switch` and `rollback`; `undeploy` beside it does the same. No
//! network, no unpacking.

use std::collections::BTreeMap;

use serde::Serialize;

use super::dependencies::{Known, Meant, Unmet};
use super::release::{self, Checks};
use super::users::StillUsed;
use super::{Error, Site};
use crate::deploy::{
    Action, Because, EntryComponent, Error as DeployError, History, HistoryEntry, LinkChange, Plan, Recovery, Request,
    Root, Set, Staged, State, View, begin, plan,
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
    /// What was run and asked for it.
    pub checks: Checks,
    /// Whether it was only planned.
    pub dry_run: bool,
    /// The processes that still use what it replaced, where somebody has looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub still_used: Option<StillUsed>,
    /// What its components need and do not have. A rollback is made all the same; a deploy or switch is refused then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<Unmet>,
    /// What an earlier run had left unfinished.
    #[serde(skip)]
    pub recovery: Recovery,
}

impl AsMut<Report> for Report {
    fn as_mut(&mut self) -> &mut Report {
        self
    }
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
        let current = state.number();
        let entry = match (to, current) {
            (Some(number), _) => view.entry(number)?.ok_or(DeployError::NoRelease { number, current })?,
            (None, Some(number)) => view.parent_of(number)?.ok_or(DeployError::NoParent { release: current })?,
            (None, None) => return Err(DeployError::NoParent { release: current }.into()),
        };
        back_to(view, &entry)
    })
}

/// The set of a release again.
fn back_to(view: &View, entry: &HistoryEntry) -> Result<Wanted, Error> {
    let after = entry.set();
    for (component, version) in &after {
        view.installed(component, version)?;
    }
    Ok(Wanted { after, parent: entry.parent, restores: Some(entry.release), ..Wanted::of(Action::Rollback) })
}

/// Undoes the current release, which `fallen` is about: the set of its parent becomes current again, or nothing where it
/// has none. Answers which release did that.
///
/// # Errors
///
/// [`Error::Fallen`] where a hook failed then.
pub(super) fn undo(site: &Site, root: &Root, fallen: &HistoryEntry, because: Because) -> Result<u64, Error> {
    let view = root.view();
    let state = view.state()?;
    let wanted = match fallen.parent {
        Some(number) => {
            let current = state.number();
            let entry = view.entry(number)?.ok_or(DeployError::NoRelease { number, current })?;
            back_to(view, &entry)?
        }
        None => Wanted::of(Action::Rollback),
    };
    let mut plan = planned(site, view, &state, wanted)?;
    plan.entry.because = Some(because);
    plan.entry.at = site.caller.time();
    run(site, root, &plan)?;
    Ok(plan.entry.release)
}

/// `rollback TYPE`: one component gets the version it had before.
pub fn rollback_component(site: &Site, component: &ComponentType, dry_run: bool) -> Result<Report, Error> {
    change(site, dry_run, |view, state| {
        let current = state.number().ok_or(DeployError::NoParent { release: None })?;
        if !state.set().contains_key(component) {
            return Err(DeployError::NotDeployed { component: component.clone() }.into());
        }
        let (version, origin) = view
            .previous_version(component, current)?
            .ok_or_else(|| DeployError::NoPrevious { component: component.clone() })?;
        view.installed(component, &version)?;
        let mut after = state.set();
        after.insert(component.clone(), version);
        let mut origins = view.entry(current)?.map(|entry| entry.origins).unwrap_or_default();
        origins.insert(component.clone(), origin);
        Ok(Wanted { after, parent: Some(current), origins, ..Wanted::of(Action::Rollback) })
    })
}

/// The release that is wanted of what is installed.
pub(super) struct Wanted {
    pub action: Action,
    pub after: Set,
    pub parent: Option<u64>,
    pub restores: Option<u64>,
    pub origins: BTreeMap<ComponentType, u64>,
}

impl Wanted {
    pub fn of(action: Action) -> Self {
        Self { action, after: Set::new(), parent: None, restores: None, origins: BTreeMap::new() }
    }
}

/// Makes the release that `wanted` names, or plans it.
pub(super) fn change(
    site: &Site,
    dry_run: bool,
    wanted: impl FnOnce(&View, &State) -> Result<Wanted, Error>,
) -> Result<Report, Error> {
    let planned = |view: &View| -> Result<(Plan, Vec<Unmet>), Error> {
        let state = view.state()?;
        let wanted = wanted(view, &state)?;
        let unmet = fits(site, view, &state, &wanted)?;
        let plan = planned(site, view, &state, wanted)?;
        if plan.entry.action == Action::Switch {
            release::refuse_bad(site, view, &plan)?;
        }
        Ok((plan, unmet))
    };
    if dry_run {
        let (plan, unmet) = planned(&site.view()?)?;
        return Ok(Report { checks: release::would(site, &plan), unmet, ..report(&plan, true, Recovery::Clean) });
    }
    site.view()?;
    let (root, recovery) = site.change_at_once()?;
    let (plan, unmet) = planned(root.view())?;
    Ok(Report { checks: run(site, &root, &plan)?, unmet, ..report(&plan, false, recovery) })
}

/// Whether the set fits together. What is not met forbids a switch, and is only told of a rollback: it leads to where the
/// root was.
fn fits(site: &Site, view: &View, state: &State, wanted: &Wanted) -> Result<Vec<Unmet>, Error> {
    let known = Known { site, view: Some(view), wanted: &[], commit: None };
    if wanted.action != Action::Switch {
        return known.unmet(&wanted.after);
    }
    let before = state.set();
    let differs = |(component, version): &(&ComponentType, &Version)| before.get(component) != Some(version);
    let meant: Set = wanted.after.iter().filter(differs).map(|(c, v)| (c.clone(), v.clone())).collect();
    known.require(&wanted.after, Meant::Versions(&meant))?;
    Ok(Vec::new())
}

fn planned(site: &Site, view: &View, state: &State, wanted: Wanted) -> Result<Plan, Error> {
    let request = Request {
        details: details(view, &wanted.after)?,
        action: wanted.action,
        after: wanted.after,
        installs: Vec::new(),
        parent: wanted.parent,
        restores: wanted.restores,
        origins: wanted.origins,
        environment: None,
        custom_links: site.custom_links(),
        at: site.caller.now,
        by: site.caller.by.clone(),
    };
    let mut plan = plan(view.layout(), state, request)?;
    release::put_on_trial(site, &mut plan);
    Ok(plan)
}

fn run(site: &Site, root: &Root, plan: &Plan) -> Result<Checks, Error> {
    if plan.is_empty() {
        return Ok(Checks::default());
    }
    let prepared = begin(root, plan, |install, _, _| -> Result<Staged, Error> {
        Err(DeployError::NotInstalled {
            component: install.component.clone(),
            version: install.version.clone(),
            installed: Vec::new(),
        }
        .into())
    });
    let done = prepared.and_then(|prepared| release::carry_through(site, root, plan, prepared));
    done.inspect_err(|error: &Error| root.note_failure(&plan.entry, &error.to_string()))
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
    Report {
        action: plan.entry.action,
        release: (!plan.is_empty()).then_some(plan.entry.release),
        parent: plan.entry.parent,
        restores: plan.entry.restores,
        changed: moved(plan),
        links: plan.links.clone(),
        checks: Checks::default(),
        dry_run,
        still_used: None,
        unmet: Vec::new(),
        recovery,
    }
}

/// The components that a plan changes.
pub(super) fn moved(plan: &Plan) -> Vec<Moved> {
    let one = |component: &ComponentType| Moved {
        component: component.clone(),
        from: plan.before.get(component).cloned(),
        to: plan.after.get(component).cloned(),
    };
    plan.entry.changed.iter().map(one).collect()
}

/// The history entry that was current at a time, if any.
pub(super) fn current_at(history: &History, at: crate::model::Timestamp) -> Option<&HistoryEntry> {
    history.entries.iter().rfind(|entry| entry.at <= at)
}

//! `deploy`: records to version directories, links and a release, all or nothing.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use super::change::{self, details};
use super::dependencies::{Known, Meant};
use super::fetch::Supply;
use super::patch::PassedOver;
use super::reach::GIVEN;
use super::release::{self, Checks};
use super::resolve::{Resolved, deployable, resolve};
use super::stage::{self, Asked, Staging};
use super::status::Hold;
use super::{Error, Event, OnProgress, Site, trust};
use crate::deploy::{
    Action, ComponentWork, EntryComponent, EntryEnvironment, Error as DeployError, HistoryEntry, Install, Plan,
    Recovery, Request as Wanted, Staged, State, View, Ways, begin, plan,
};
use crate::fsx;
use crate::model::{ComponentType, Version};
use crate::records::Published;
use crate::target;
use crate::transfer::{Attempt, Cost, Given};

pub use super::resolve::{Follow, What};

/// How one component came to be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It was unpacked.
    Unpacked,
    /// All its files were on this machine.
    Shared,
    /// Its version directory was there.
    Present,
}

/// One deployed component.
#[derive(Debug, Serialize)]
pub struct Component {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// Its version.
    pub version: Version,
    /// How it came to be installed.
    pub how: How,
    /// The source that most of it came from; absent where the store had it, or it was present.
    pub source: Option<String>,
    /// Bytes that were fetched, or would be.
    pub fetched: u64,
    /// The same by source, the most first; of a dry run what is to be expected.
    pub sources: Vec<Given>,
    /// Bytes that an earlier fetch had left.
    pub resumed: u64,
    /// Files in it.
    pub files: u64,
    /// Bytes of content in it.
    pub bytes: u64,
    /// How its files came to be; of a dry run what is to be expected.
    pub ways: Ways,
    /// The ways in which its missing parts can come, and the one that is taken; absent where none are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Milliseconds from fetching to unpacked.
    pub milliseconds: u64,
    /// Sources that failed before one did not.
    #[serde(skip)]
    pub failed: Vec<Attempt>,
    /// Deltas that were taken and could not be used.
    #[serde(skip)]
    pub passed_over: Vec<PassedOver>,
}

impl Component {
    /// Notes how its files came to be, or would.
    pub(super) fn made(&mut self, ways: Ways) {
        self.ways = ways;
        if ways.is_shared() && ways.unpacked.files == 0 {
            self.how = How::Shared;
        }
    }

    /// What the history says of it.
    pub(super) fn work(&self) -> ComponentWork {
        let Ways { reflinked, hardlinked, copied, unpacked } = self.ways;
        ComponentWork {
            milliseconds: self.milliseconds,
            sources: self.sources.iter().map(|given| (given.name.clone(), given.bytes)).collect(),
            resumed: self.resumed,
            reused: [reflinked, hardlinked, copied].iter().fold(0, |sum, count| sum.saturating_add(count.bytes)),
            unpacked: unpacked.bytes,
        }
    }

    /// Adds what sources gave, or would.
    pub(super) fn came_from(&mut self, given: Vec<Given>) {
        for Given { name, bytes } in given {
            self.fetched += bytes;
            match self.sources.iter_mut().find(|known| known.name == name) {
                Some(known) => known.bytes += bytes,
                None => self.sources.push(Given { name, bytes }),
            }
        }
        self.sources.sort_by_key(|given| std::cmp::Reverse(given.bytes));
        self.source = self.sources.first().map(|given| given.name.clone());
    }
}

/// What `deploy` did, or would do.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The release.
    #[serde(flatten)]
    pub change: change::Report,
    /// The components that were asked for.
    pub components: Vec<Component>,
    /// The commit the records were read at.
    pub commit: Option<String>,
    /// The environment that named the versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<EntryEnvironment>,
    /// What the release has besides, since the environment does not name it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
}

/// A component that an environment does not name and that stays.
#[derive(Debug, Serialize)]
pub struct Kept {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// Its version.
    pub version: Version,
}

impl AsMut<change::Report> for Report {
    fn as_mut(&mut self) -> &mut change::Report {
        &mut self.change
    }
}

/// `deploy`: one transaction for all that is asked for.
///
/// # Errors
///
/// Nothing is changed then, except where a deploy error says that the release is committed. [`Error::Held`] for an
/// environment on a root that is on hold.
pub fn deploy(site: &Site, what: &What, dry_run: bool, progress: OnProgress<'_>) -> Result<Report, Error> {
    if let Some(url) = &site.url {
        // One that cannot be used is refused before anything is changed.
        target::from_url(GIVEN, url.expose(), &site.ambient)?;
    }
    let resolved = resolve(site, what)?;
    let (wanted, top) = (&resolved.wanted, &resolved.top);
    let commit = resolved.commit.clone();
    wanted.iter().try_for_each(deployable)?;
    let planned = |view: Option<&View>, state: &State| {
        plan_for(state, Known { site, view, wanted, commit: resolved.commit.as_deref() }, &resolved, what)
    };
    let fresh = fsx::inspect_followed(&site.root)?.is_none();
    if dry_run {
        let (state, view) = match fresh {
            false => (site.view()?.state()?, Some(site.view()?)),
            true => (State::default(), None),
        };
        let plan = planned(view.as_ref(), &state)?;
        let mut components = Vec::new();
        for published in wanted {
            let mut component = present(published, &plan);
            if component.how == How::Unpacked {
                let expected = stage::expected(site, view.as_ref(), published, top.as_deref())?;
                component.came_from(expected.given);
                component.made(expected.ways);
                component.cost = Some(expected.cost);
            }
            components.push(component);
        }
        let checks = release::would(site, &plan);
        return Ok(Report {
            kept: kept(&plan, &resolved),
            environment: plan.entry.environment.clone(),
            change: change::Report { checks, ..change::report(&plan, true, Recovery::Clean) },
            components,
            commit,
        });
    }
    if fresh {
        // What cannot be deployed makes no root.
        planned(None, &State::default())?;
    }
    let started = Instant::now();
    wanted
        .iter()
        .for_each(|published| site.events.tell(Event::Deploying((published.component(), published.version()))));
    let (root, recovery) = site.change()?;
    let plan = planned(Some(root.view()), &root.view().state()?)?;
    let mut components: Vec<Component> = wanted.iter().map(|published| present(published, &plan)).collect();
    let mut checks = Checks::default();
    if plan.is_empty() {
        trust::remember(site, &root, resolved.tip.as_ref())?;
    } else {
        let store = site.store()?;
        let supply = Supply::new(site, &store, top.as_deref(), &root.layout().rejected());
        let failed = |error: &Error| root.note_failure(&plan.entry, &error.to_string());
        let made = wanted.iter().zip(&components).filter(|(_, component)| component.how == How::Unpacked);
        let asked = made.map(|(published, _)| Asked { published, only: None, own: None }).collect();
        let staging = Staging::prepare(site, &store, supply, root.view(), asked, progress).inspect_err(failed)?;
        // Once it is known that there is room for all of it, and before the release.
        trust::remember(site, &root, resolved.tip.as_ref()).inspect_err(failed)?;
        let slots: Vec<Mutex<&mut Component>> = components.iter_mut().map(Mutex::new).collect();
        let stage = |install: &Install, dir: &Path, stop: &AtomicBool| -> Result<Staged, Error> {
            let found = wanted.iter().zip(&slots).find(|(p, _)| *p.component() == install.component);
            let Some((published, slot)) = found else {
                return Err(Error::NoSuchComponent { component: install.component.clone() });
            };
            let mut component = slot.lock().unwrap_or_else(PoisonError::into_inner);
            staging.stage(published, dir, stop, &mut component)
        };
        let prepared = begin(&root, &plan, stage);
        let done = prepared.and_then(|prepared| release::carry_through(site, &root, &plan, prepared));
        checks = done.inspect_err(failed)?;
    }
    let release = (!plan.is_empty()).then_some(plan.entry.release);
    for published in wanted {
        let of = (published.component(), published.version());
        site.events.tell(Event::Deployed { of, release, took: started.elapsed() });
    }
    Ok(Report {
        kept: kept(&plan, &resolved),
        environment: plan.entry.environment.clone(),
        change: change::Report { checks, ..change::report(&plan, false, recovery) },
        components,
        commit,
    })
}

/// Plans the release; `known` is what the records say and what the root has.
fn plan_for(state: &State, known: Known<'_>, resolved: &Resolved, what: &What) -> Result<Plan, Error> {
    let (site, before) = (known.site, state.set());
    let mut after = before.clone();
    let mut installs = Vec::new();
    if matches!(what, What::Environment(follow) if follow.prune) {
        after.retain(|component, _| resolved.wanted.iter().any(|published| published.component() == component));
    }
    for published in &resolved.wanted {
        let (component, version) = (published.component(), published.version());
        after.insert(component.clone(), version.clone());
        if !installed(known.view, published)? {
            installs.push(Install { component: component.clone(), version: version.clone() });
        }
    }
    let mut details = match known.view {
        Some(view) => details(view, &after)?,
        None => Default::default(),
    };
    for published in &resolved.wanted {
        let detail = EntryComponent {
            version: published.version().clone(),
            package: Some(published.package_sha256()),
            commit: published.commit.clone(),
        };
        details.insert(published.component().clone(), detail);
    }
    let versions = resolved.wanted.iter().map(|p| (p.component().clone(), p.version().clone())).collect();
    let meant = match &resolved.environment {
        Some(environment) => Meant::Environment(&environment.name),
        None => Meant::Versions(&versions),
    };
    known.require(&after, meant)?;
    // A release that repeats the set of the current one goes back where that one does.
    let repeated = match (known.view, state.number()) {
        (Some(view), Some(number)) if after == before => view.entry(number)?,
        _ => None,
    };
    let hold = match known.view.filter(|_| resolved.environment.is_some()) {
        Some(view) => view.hold()?,
        None => None,
    };
    let mut environment = resolved.environment.clone();
    if let (Some(environment), What::Environment(follow)) = (&mut environment, what) {
        environment.resumed = follow.resume && hold.is_some();
    }
    let request = Wanted {
        action: Action::Deploy,
        after,
        installs,
        details,
        parent: repeated.as_ref().map_or(state.number(), |entry| entry.parent),
        restores: None,
        origins: repeated.map(|entry| entry.origins).unwrap_or_default(),
        environment,
        custom_links: site.custom_links(),
        at: site.caller.now,
        by: site.caller.by.clone(),
    };
    let layout = crate::deploy::Layout::new(&site.root);
    let mut plan = plan(&layout, state, request)?;
    release::put_on_trial(site, &mut plan);
    held(&plan, hold.as_ref())?;
    if let Some(view) = known.view {
        release::refuse_bad(site, view, &plan)?;
    }
    Ok(plan)
}

/// Refuses to deploy an environment on a root that is on hold, where that would change something.
fn held(plan: &Plan, hold: Option<&HistoryEntry>) -> Result<(), Error> {
    match (&plan.entry.environment, hold) {
        (Some(environment), Some(hold)) if !environment.resumed && !plan.is_empty() => Err(Error::Held {
            environment: environment.name.clone(),
            hold: Hold::of(hold),
            changes: change::moved(plan),
        }),
        _ => Ok(()),
    }
}

/// What an environment does not name and the release still has.
fn kept(plan: &Plan, resolved: &Resolved) -> Vec<Kept> {
    let named = |component: &ComponentType| resolved.wanted.iter().any(|p| p.component() == component);
    let others = plan.after.iter().filter(|(component, _)| resolved.environment.is_some() && !named(component));
    others.map(|(component, version)| Kept { component: component.clone(), version: version.clone() }).collect()
}

/// Whether the version is installed with the content the record says.
fn installed(view: Option<&View>, published: &Published) -> Result<bool, Error> {
    let Some(view) = view else { return Ok(false) };
    let (component, version) = (published.component(), published.version());
    let Some(receipt) = view.receipt(component, version)? else {
        let path = view.layout().version(component, version);
        return match fsx::inspect(&path)? {
            Some(_) => Err(DeployError::UnknownDirectory { path }.into()),
            None => Ok(false),
        };
    };
    let same_tree = published.manifest.package.tree == Some(receipt.tree);
    if same_tree || receipt.package == published.package_sha256() {
        return Ok(true);
    }
    Err(DeployError::OtherContent {
        component: component.clone(),
        version: version.clone(),
        installed: receipt.package.to_string(),
        wanted: published.package_sha256().to_string(),
    }
    .into())
}

fn present(published: &Published, plan: &Plan) -> Component {
    let unpacks = plan.installs.iter().any(|install| install.component == *published.component());
    component(published, if unpacks { How::Unpacked } else { How::Present })
}

/// A component of which nothing was done yet.
pub(super) fn component(published: &Published, how: How) -> Component {
    Component {
        component: published.component().clone(),
        version: published.version().clone(),
        how,
        source: None,
        fetched: 0,
        sources: Vec::new(),
        resumed: 0,
        files: 0,
        bytes: 0,
        ways: Ways::default(),
        cost: None,
        milliseconds: 0,
        failed: Vec::new(),
        passed_over: Vec::new(),
    }
}

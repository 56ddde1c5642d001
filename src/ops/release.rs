//! Seeing a release through, whoever makes it: the hooks before its commit point and after, the health check, and the way
//! back where it does not stand.
//!
//! ```text
//! staged ── pre_switch ── commit ── post_switch ── health ── result written ── (trial period)
//!               │ no         │          │ no          │ no
//!             undone      links read    └─────────────┴── result written, versions marked bad, parent made current again,
//!                         back: no ───────────────────────────────────────────────────────────── post_switch once more
//! ```
//!
//! A rollback is asked and looked at the same way, but what is said is only told: it never leads forward again. The way
//! back asks nobody and waits for nothing.

use serde::Serialize;

use super::change::{self, Moved};
use super::hooks::Scene;
use super::{Error, Event, Site, health};
use crate::deploy::{
    Action, Bad, Because, Check, Checked, Error as DeployError, HistoryEntry, Outcome, Plan, Prepared, Root, Run,
    Trial, View, Why,
};
use crate::model::{ComponentType, Span, Timestamp, Version};

/// What was run and asked for a release, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checks {
    /// What was run and asked.
    pub runs: Vec<Run>,
    /// Until when the release has to be confirmed.
    pub confirm_by: Option<Timestamp>,
    /// What would be run and asked, of a dry run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub would: Vec<Would>,
    /// How long there would be to confirm it, of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_confirm: Option<Span>,
}

/// What would be run or asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Would {
    /// Which.
    pub check: Check,
    /// The command, URL or address, as the configuration spells it.
    pub what: String,
}

/// A release that did not stand.
#[derive(Debug)]
pub struct Fallen {
    /// Its number.
    pub release: u64,
    /// What was wrong.
    pub cause: Cause,
    /// The versions that are marked bad on this root because of it.
    pub marked: Vec<(ComponentType, Version)>,
    /// What was done about it.
    pub aftermath: Aftermath,
}

/// What was wrong with a release.
#[derive(Debug)]
pub enum Cause {
    /// A hook or the health check failed.
    Run(Box<Run>),
    /// It failed before this program began.
    Earlier,
    /// Nobody confirmed it until then.
    Unconfirmed(Timestamp),
    /// A link does not hold what was planned.
    Link(DeployError),
}

/// What was done about a release that did not stand.
#[derive(Debug)]
pub enum Aftermath {
    /// It was undone.
    Undone {
        /// By this release.
        by: u64,
        /// The hook that failed then.
        failed: Option<Box<Run>>,
    },
    /// It stays: it is a rollback.
    Stays,
    /// It could not be undone.
    NotUndone(Box<Error>),
}

/// Writes into `plan` what its release has to pass. One that changes no version has nothing to pass.
pub(super) fn put_on_trial(site: &Site, plan: &mut Plan) {
    let deploy = &site.config.deploy;
    let trial = Trial {
        checked: !deploy.hooks.post_switch.is_empty() || deploy.health.is_some(),
        confirm: deploy.confirm.filter(|_| plan.entry.action == Action::Deploy),
    };
    plan.entry.trial = Some(trial).filter(|trial| *trial != Trial::default() && !plan.entry.changed.is_empty());
}

/// What would be run and asked for `plan`.
pub(super) fn would(site: &Site, plan: &Plan) -> Checks {
    let deploy = &site.config.deploy;
    if plan.entry.changed.is_empty() {
        return Checks::default();
    }
    let hooks = [(Check::PreSwitch, &deploy.hooks.pre_switch), (Check::PostSwitch, &deploy.hooks.post_switch)];
    let hooks = hooks.into_iter().flat_map(|(check, hooks)| hooks.iter().map(move |hook| (check, &hook.program.shown)));
    let mut would: Vec<_> = hooks.map(|(check, what)| Would { check, what: what.clone() }).collect();
    would.extend(
        deploy.health.iter().map(|health| Would { check: Check::Health, what: health.probe.shown().to_owned() }),
    );
    Checks { would, would_confirm: plan.entry.trial.and_then(|trial| trial.confirm), ..Checks::default() }
}

/// Refuses to make a version current that is marked bad on this root.
///
/// # Errors
///
/// [`Error::MarkedBad`]
pub(super) fn refuse_bad(site: &Site, view: &View, plan: &Plan) -> Result<(), Error> {
    let changed = plan.entry.changed.iter().filter(|_| !site.force);
    for (component, version) in changed.filter_map(|component| Some((component, plan.after.get(component)?))) {
        if let Some(bad) = view.bad(component, version)? {
            return Err(Error::MarkedBad { component: component.clone(), version: version.clone(), bad });
        }
    }
    Ok(())
}

/// Asks the hooks, makes the release and sees it through.
///
/// # Errors
///
/// [`Error::NotAllowed`]: nothing is changed. [`Error::Fallen`]: the release did not stand.
pub(super) fn carry_through(site: &Site, root: &Root, plan: &Plan, prepared: Prepared<'_>) -> Result<Checks, Error> {
    let entry = &plan.entry;
    let (moved, rollback) = (change::moved(plan), entry.action == Action::Rollback);
    let mut runs = Vec::new();
    if !moved.is_empty() && entry.because.is_none() {
        let hooks = &site.config.deploy.hooks.pre_switch;
        let allowed = Scene::of(site, entry, &moved).all(Check::PreSwitch, hooks, &mut runs);
        if let Some(no) = runs.last().filter(|_| !allowed && !rollback) {
            prepared.undo();
            return Err(Error::NotAllowed { release: entry.release, run: Box::new(no.clone()) });
        }
    }
    let durable = match prepared.commit() {
        Ok(_) => Ok(()),
        // The links have moved: whoever reads through them has to be told.
        Err(unknown @ DeployError::DurabilityUnknown { .. }) => Err(unknown),
        Err(link @ DeployError::ReadBack { .. }) if !rollback && !moved.is_empty() => {
            return Err(fall(site, root, entry, Cause::Link(link)));
        }
        Err(error) => return Err(error.into()),
    };
    for moved in &moved {
        site.events.tell(Event::Linked { component: &moved.component, to: moved.to.as_ref() });
    }
    let checks = see_through(site, root, entry, &moved, runs)?;
    durable?;
    Ok(checks)
}

/// Runs and asks all that comes after the commit of the release that `entry` is about, and writes down the result.
///
/// # Errors
///
/// [`Error::Fallen`], and [`Error::NotWrittenDown`].
pub(super) fn see_through(
    site: &Site,
    root: &Root,
    entry: &HistoryEntry,
    moved: &[Moved],
    mut runs: Vec<Run>,
) -> Result<Checks, Error> {
    let deploy = &site.config.deploy;
    let passed = entry.trial.is_none() || {
        let scene = Scene::of(site, entry, moved);
        let mut healthy = scene.all(Check::PostSwitch, &deploy.hooks.post_switch, &mut runs);
        if let Some(check) = deploy.health.as_ref().filter(|_| healthy && entry.because.is_none()) {
            let run = health::wait(&scene, check);
            healthy = run.outcome == Outcome::Ok;
            runs.push(run);
        }
        healthy
    };
    if entry.trial.is_none() && runs.is_empty() {
        cleared(root, entry)?;
        return Ok(Checks::default());
    }
    let at = site.caller.time();
    let span = entry.trial.and_then(|trial| trial.confirm).filter(|_| passed);
    let confirm_by = span.map(|Span(span)| at.after(span));
    let checked = Checked { release: entry.release, at, passed, confirm_by, confirmed_at: None, runs: runs.clone() };
    let written = checked.write(root);
    match runs.last().filter(|_| !passed) {
        Some(failed) => Err(fall(site, root, entry, Cause::Run(Box::new(failed.clone())))),
        None => {
            if entry.trial.is_some() {
                // Else it only says what hooks said before the switch.
                written.map_err(|source| Error::NotWrittenDown { release: entry.release, source })?;
            }
            cleared(root, entry)?;
            Ok(Checks { runs, confirm_by, ..Checks::default() })
        }
    }
}

/// Takes the marks away from versions that stand now. What a rollback brings back keeps its marks.
fn cleared(root: &Root, entry: &HistoryEntry) -> Result<(), Error> {
    let changed = entry.changed.iter().filter(|_| entry.action != Action::Rollback);
    for (component, detail) in changed.filter_map(|component| Some((component, entry.components.get(component)?))) {
        root.clear_bad(component, &detail.version)?;
    }
    Ok(())
}

/// What becomes of a release that did not stand: its versions are marked, and it is undone unless it is a rollback.
pub(super) fn fall(site: &Site, root: &Root, entry: &HistoryEntry, cause: Cause) -> Error {
    let (release, at) = (entry.release, site.caller.time());
    if entry.action == Action::Rollback {
        return Error::Fallen(Box::new(Fallen { release, cause, marked: Vec::new(), aftermath: Aftermath::Stays }));
    }
    let why = cause.why();
    let mut marked = Vec::new();
    if why != Why::Links {
        for (component, detail) in entry.changed.iter().filter_map(|c| Some((c, entry.components.get(c)?))) {
            // A mark that cannot be written must not keep the release from being undone.
            if root.mark_bad(component, &detail.version, Bad { release, at, why }).is_ok() {
                marked.push((component.clone(), detail.version.clone()));
            }
        }
    }
    let aftermath = match change::undo(site, root, entry, Because { release, why }) {
        Ok(by) => Aftermath::Undone { by, failed: None },
        Err(Error::Fallen(way_back)) => Aftermath::Undone {
            by: way_back.release,
            failed: match way_back.cause {
                Cause::Run(run) => Some(run),
                _ => None,
            },
        },
        Err(error) => Aftermath::NotUndone(Box::new(error)),
    };
    Error::Fallen(Box::new(Fallen { release, cause, marked, aftermath }))
}

impl Cause {
    fn why(&self) -> Why {
        match self {
            Cause::Run(_) | Cause::Earlier => Why::Unhealthy,
            Cause::Unconfirmed(_) => Why::Unconfirmed,
            Cause::Link(_) => Why::Links,
        }
    }
}

impl Fallen {
    /// Why it did not stand.
    pub fn why(&self) -> Why {
        self.cause.why()
    }
}

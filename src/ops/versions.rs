//! `version list|pin|unpin|cleanup`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{Error, OnProgress, Phase, Progress, Site};
use crate::deploy::{Bad, CleanupPlan, Decision, Recovery, Retention, Rule, View};
use crate::fsx::{self, Freed, Usage};
use crate::model::{ComponentType, Timestamp, Version};

/// One version: installed on this root, recorded in git, or both.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// Whether it is current.
    pub current: bool,
    /// Whether it is installed.
    pub installed: bool,
    /// Whether it is recorded in git.
    pub recorded: bool,
    /// Whether its record is withdrawn.
    pub yanked: bool,
    /// Whether it is pinned.
    pub pinned: bool,
    /// Why it is marked bad on this root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad: Option<Bad>,
    /// When it was installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed_at: Option<Timestamp>,
    /// When it was last current, for one that is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_current: Option<Timestamp>,
    /// When it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
}

impl Listed {
    fn new(component: &ComponentType, version: &Version) -> Self {
        Self {
            component: component.clone(),
            version: version.clone(),
            current: false,
            installed: false,
            recorded: false,
            yanked: false,
            pinned: false,
            bad: None,
            installed_at: None,
            last_current: None,
            published_at: None,
        }
    }
}

/// `version list`: what the root has and what git knows, of one component or of all. A root or records repository that is
/// not there contributes nothing.
pub fn list(site: &Site, only: Option<&ComponentType>) -> Result<Vec<Listed>, Error> {
    let mut all: BTreeMap<(ComponentType, Version), Listed> = BTreeMap::new();
    let wanted = |component: &ComponentType| only.is_none_or(|only| only == component);
    if fsx::inspect_followed(&site.root)?.is_some() {
        installed(site, &site.view()?, &wanted, &mut all)?;
    }
    if site.has_repository()? {
        let repository = site.repository()?;
        let snapshot = repository.snapshot(None)?;
        let components: Vec<_> = snapshot.components()?.into_iter().filter(wanted).collect();
        snapshot.bring(components.iter().map(|component| (component, None)))?;
        for component in &components {
            for version in snapshot.versions(component)? {
                let Some(published) = snapshot.get(component, &version)? else { continue };
                let key = (component.clone(), version.clone());
                let listed = all.entry(key).or_insert_with(|| Listed::new(component, &version));
                listed.recorded = true;
                listed.yanked = published.yanked.is_some();
                listed.published_at = Some(published.record.published_at);
            }
        }
    }
    match only {
        Some(component) if all.is_empty() => Err(Error::NoSuchComponent { component: component.clone() }),
        _ => Ok(all.into_values().collect()),
    }
}

fn installed(
    site: &Site,
    view: &View,
    wanted: &impl Fn(&ComponentType) -> bool,
    all: &mut BTreeMap<(ComponentType, Version), Listed>,
) -> Result<(), Error> {
    let current = view.state()?.set();
    let history = view.history()?;
    let last_current = history.last_current(site.caller.now);
    for component in view.types()?.iter().filter(|c| wanted(c)) {
        let pins = view.pins(component)?;
        for (version, bad) in view.bad_versions(component)? {
            // It stays marked when it is no longer installed.
            let key = (component.clone(), version.clone());
            all.entry(key).or_insert_with(|| Listed::new(component, &version)).bad = Some(bad);
        }
        for version in view.versions(component)? {
            let key = (component.clone(), version.clone());
            let listed = all.entry(key).or_insert_with(|| Listed::new(component, &version));
            listed.installed = true;
            listed.current = current.get(component) == Some(&version);
            listed.pinned = pins.contains(&version);
            listed.installed_at = view.receipt(component, &version)?.map(|r| r.installed_at);
            listed.last_current = last_current.get(&(component, &version)).copied().filter(|_| !listed.current);
        }
    }
    Ok(())
}

/// `version pin` and `version unpin`: says whether anything changed, and what an earlier run had left unfinished.
pub fn pin(
    site: &Site,
    component: &ComponentType,
    version: &Version,
    pin: bool,
    dry_run: bool,
) -> Result<(bool, Recovery), Error> {
    let view = site.view()?;
    if dry_run {
        if pin {
            view.installed(component, version)?;
        }
        return Ok((view.pins(component)?.contains(version) != pin, Recovery::Clean));
    }
    let (root, recovery) = site.change()?;
    let who = site.who();
    let changed = if pin { root.pin(component, version, &who)? } else { root.unpin(component, version, &who)? };
    Ok((changed, recovery))
}

/// What a cleanup did, or would do.
#[derive(Debug, Clone)]
pub struct Cleaned {
    /// A decision for each installed version, and what each of those that go takes on the disk.
    pub decisions: Vec<(Decision, Usage)>,
    /// The bytes freed: those of files of which no name is left.
    pub freed: u64,
    /// Whether less may be freed, since the file system shares blocks in a way that nobody can count.
    pub at_most: bool,
    /// How many running processes could not be looked into; `None` where it is not known.
    pub unseen: Option<u64>,
    /// Whether it was only planned.
    pub dry_run: bool,
    /// What an earlier run had left unfinished.
    pub recovery: Recovery,
}

/// What `version cleanup` is asked for. A number or an age given wins over the configuration, and then the other one counts
/// only if it is given too.
#[derive(Debug, Clone, Copy, Default)]
pub struct CleanupRequest<'a> {
    /// Versions of this component alone.
    pub only: Option<&'a ComponentType>,
    /// Keep so many.
    pub keep: Option<usize>,
    /// Keep what was current within this time.
    pub older_than: Option<Duration>,
    /// Remove what processes use, too.
    pub force: bool,
    /// Only plan it.
    pub dry_run: bool,
}

/// `version cleanup`: removes what no rule keeps.
pub fn cleanup(site: &Site, request: CleanupRequest<'_>, progress: OnProgress<'_>) -> Result<Cleaned, Error> {
    let CleanupRequest { only, keep, older_than, force, dry_run } = request;
    let configured = site.config.deploy.keep;
    let retention = match (keep, older_than) {
        (None, None) => Retention {
            last: Some(configured.last as usize),
            younger_than: configured.days.map(|days| Duration::from_secs(u64::from(days) * 86_400)),
        },
        (last, younger_than) => Retention { last, younger_than },
    };
    let rule = Rule { retention, only, force };
    let view = site.view()?;
    if dry_run {
        let plan = view.plan_cleanup(rule, site.caller.now)?;
        return cleaned(&view, plan, dry_run, Recovery::Clean);
    }
    let (root, recovery) = site.change()?;
    let plan = root.view().plan_cleanup(rule, site.caller.now)?;
    let cleaned = cleaned(root.view(), plan.clone(), dry_run, recovery)?;
    root.cleanup(&plan, &site.who(), &mut removed(&cleaned, progress))?;
    Ok(cleaned)
}

/// Counts the names that are gone, a component at a time.
fn removed<'a>(cleaned: &'a Cleaned, progress: OnProgress<'a>) -> impl FnMut(&ComponentType) + 'a {
    let mut counts: BTreeMap<&ComponentType, (u64, u64)> = BTreeMap::new();
    for (decision, usage) in cleaned.decisions.iter().filter(|(decision, _)| decision.removes()) {
        counts.entry(&decision.candidate.component).or_default().1 += usage.names;
    }
    move |component| {
        let Some((done, total)) = counts.get_mut(component) else { return };
        *done += 1;
        progress(Progress { component: Some(component), phase: Phase::Remove, done: *done, total: Some(*total) });
    }
}

fn cleaned(view: &View, plan: CleanupPlan, dry_run: bool, recovery: Recovery) -> Result<Cleaned, Error> {
    let going = plan.decisions.iter().filter(|decision| decision.removes()).map(|decision| &decision.candidate);
    let trees: Vec<_> = going.map(|c| view.layout().version(&c.component, &c.version)).collect();
    let Freed { all, each, at_most } = fsx::freed(&trees)?;
    let mut each = each.into_iter();
    let usage = |decision: Decision| {
        let usage = if decision.removes() { each.next() } else { None };
        (decision, usage.unwrap_or_default())
    };
    let decisions = plan.decisions.into_iter().map(usage).collect();
    Ok(Cleaned { decisions, freed: all, at_most, unseen: plan.unseen, dry_run, recovery })
}

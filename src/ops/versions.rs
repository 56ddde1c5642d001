//! `version list|pin|unpin|cleanup`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{Error, Site};
use crate::deploy::{Bad, CleanupPlan, Decision, Reason, Recovery, Retention, View};
use crate::fsx;
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
        for component in snapshot.components()?.iter().filter(|c| wanted(c)) {
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
            listed.last_current =
                history.last_current(component, &version, site.caller.now).filter(|_| !listed.current);
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
    let changed = if pin { root.pin(component, version)? } else { root.unpin(component, version)? };
    Ok((changed, recovery))
}

/// What a cleanup did, or would do.
#[derive(Debug, Clone)]
pub struct Cleaned {
    /// A decision for each installed version, and the bytes on disk of those that go.
    pub decisions: Vec<(Decision, u64)>,
    /// Whether it was only planned.
    pub dry_run: bool,
    /// What an earlier run had left unfinished.
    pub recovery: Recovery,
}

impl Cleaned {
    /// The bytes freed.
    pub fn freed(&self) -> u64 {
        self.decisions.iter().filter(|(decision, _)| decision.removes()).map(|(_, bytes)| bytes).sum()
    }
}

/// `version cleanup`: removes what no rule keeps. A number or an age given wins over the configuration, and then the
/// other one counts only if it is given too.
pub fn cleanup(
    site: &Site,
    only: Option<&ComponentType>,
    keep: Option<usize>,
    older_than: Option<Duration>,
    dry_run: bool,
) -> Result<Cleaned, Error> {
    let configured = site.config.deploy.keep;
    let retention = match (keep, older_than) {
        (None, None) => Retention {
            last: Some(configured.last as usize),
            younger_than: configured.days.map(|days| Duration::from_secs(u64::from(days) * 86_400)),
        },
        (last, younger_than) => Retention { last, younger_than },
    };
    let plan = |view: &View| Ok::<_, Error>(view.plan_cleanup(retention, only, site.caller.now)?);
    let view = site.view()?;
    if dry_run {
        let plan = plan(&view)?;
        return Ok(Cleaned { decisions: sized(&view, plan)?, dry_run, recovery: Recovery::Clean });
    }
    let (root, recovery) = site.change()?;
    let plan = plan(root.view())?;
    let decisions = sized(root.view(), plan.clone())?;
    root.cleanup(&plan)?;
    Ok(Cleaned { decisions, dry_run, recovery })
}

fn sized(view: &View, plan: CleanupPlan) -> Result<Vec<(Decision, u64)>, Error> {
    let size = |decision: Decision| {
        let candidate = &decision.candidate;
        let bytes = match decision.reason {
            Reason::NotKept => fsx::disk_usage(&view.layout().version(&candidate.component, &candidate.version))?,
            _ => 0,
        };
        Ok((decision, bytes))
    };
    plan.decisions.into_iter().map(size).collect()
}

//! Retention: which versions may go, decided by a pure function that gives its reason for each, and removing them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::audit::{Event, What, Who};
use super::journal::{self, CleanupJournal};
use super::recover::remove_version;
use super::state::release_numbers;
use super::{Error, Receipt, Root, Set, View};
use crate::fsx::{self, Process};
use crate::model::{ComponentType, Dependency, Timestamp, Version};

/// What to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The newest so many versions of each component, by when they were last current.
    pub last: Option<usize>,
    /// Versions that were current, or installed, within this time.
    pub younger_than: Option<Duration>,
}

/// What a cleanup is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule<'a> {
    /// What to keep.
    pub retention: Retention,
    /// Removes versions of this component alone.
    pub only: Option<&'a ComponentType>,
    /// Removes versions that processes use, too.
    pub force: bool,
}

/// What is known of an installed version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The component.
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// When it was last current; `None` for one that never was.
    pub last_current: Option<Timestamp>,
    /// When it was installed.
    pub installed_at: Timestamp,
    /// Whether it is pinned.
    pub pinned: bool,
    /// What it needs.
    pub dependencies: Vec<Dependency>,
}

/// Why a version is kept or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is current.
    Current,
    /// The release before the current one needs it: a rollback goes there.
    Parent,
    /// It is pinned.
    Pinned,
    /// It is one of the newest.
    Newest,
    /// It was current, or installed, recently.
    Young,
    /// Running processes use it.
    InUse,
    /// A kept version depends on it.
    Needed {
        /// The component that needs it.
        by: ComponentType,
        /// Its version.
        version: Version,
    },
    /// Nothing keeps it.
    NotKept,
}

/// What happens to one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The version.
    pub candidate: Candidate,
    /// Why.
    pub reason: Reason,
    /// The processes that use it, where it is in use or goes all the same.
    pub processes: Vec<Process>,
}

impl Decision {
    /// Whether the version goes.
    pub fn removes(&self) -> bool {
        self.reason == Reason::NotKept
    }
}

/// Everything a cleanup will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanupPlan {
    /// A decision for each installed version.
    pub decisions: Vec<Decision>,
    /// How many running processes could not be looked into; `None` where it is not known. 0 where nobody had to look.
    pub unseen: Option<u64>,
}

/// Decides for each candidate. `only` limits removal to one component; `used` are versions that processes use.
pub fn plan_cleanup(
    candidates: Vec<Candidate>,
    current: &Set,
    parent: &Set,
    rule: Rule<'_>,
    used: &BTreeMap<(ComponentType, Version), Vec<Process>>,
    now: Timestamp,
) -> CleanupPlan {
    let Rule { retention, only, force } = rule;
    let mut newest: BTreeMap<&ComponentType, Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates.iter().filter(|c| c.last_current.is_some()) {
        newest.entry(&candidate.component).or_default().push(candidate);
    }
    for versions in newest.values_mut() {
        versions.sort_by_key(|c| std::cmp::Reverse((c.last_current, c.version.clone())));
        versions.truncate(retention.last.unwrap_or(0));
    }
    let is_newest = |c: &Candidate| newest.get(&c.component).is_some_and(|v| v.iter().any(|n| n.version == c.version));
    let users = |c: &Candidate| used.get(&(c.component.clone(), c.version.clone()));
    let is_young = |c: &Candidate| {
        let latest = c.last_current.unwrap_or(c.installed_at).max(c.installed_at);
        retention.younger_than.is_some_and(|span| now.since(latest) < span)
    };
    let mut reasons: Vec<Reason> = candidates
        .iter()
        .map(|c| match c {
            c if current.get(&c.component) == Some(&c.version) => Reason::Current,
            c if parent.get(&c.component) == Some(&c.version) => Reason::Parent,
            c if c.pinned => Reason::Pinned,
            c if is_newest(c) => Reason::Newest,
            c if is_young(c) => Reason::Young,
            // Not asked about: stays, and what it needs stays with it; its decision is dropped below.
            c if only.is_some_and(|only| *only != c.component) => Reason::Newest,
            c if !force && users(c).is_some() => Reason::InUse,
            _ => Reason::NotKept,
        })
        .collect();
    keep_what_is_needed(&candidates, &mut reasons);
    let decisions = candidates.into_iter().zip(reasons).map(|(candidate, reason)| Decision {
        processes: match reason {
            Reason::InUse | Reason::NotKept => users(&candidate).cloned().unwrap_or_default(),
            _ => Vec::new(),
        },
        candidate,
        reason,
    });
    let mut decisions: Vec<_> = decisions.collect();
    decisions.retain(|d| only.is_none_or(|only| *only == d.candidate.component));
    CleanupPlan { decisions, unseen: Some(0) }
}

/// For every dependency of a kept version that no kept version satisfies, keeps the highest that does; again until
/// nothing changes, since what is kept may need something too.
fn keep_what_is_needed(candidates: &[Candidate], reasons: &mut [Reason]) {
    loop {
        let kept: Vec<usize> = (0..candidates.len()).filter(|i| reasons[*i] != Reason::NotKept).collect();
        let mut rescued = None;
        'search: for i in &kept {
            for dependency in &candidates[*i].dependencies {
                let satisfies = |j: &usize| {
                    let c = &candidates[*j];
                    c.component == dependency.kind
                        && c.version.to_semver().is_some_and(|v| dependency.version.matches(&v))
                };
                if kept.iter().any(&satisfies) {
                    continue;
                }
                let best = (0..candidates.len()).filter(satisfies).max_by_key(|j| candidates[*j].version.clone());
                if let Some(best) = best {
                    rescued = Some((best, *i));
                    break 'search;
                }
            }
        }
        let Some((best, by)) = rescued else { return };
        let needing = &candidates[by];
        reasons[best] = Reason::Needed { by: needing.component.clone(), version: needing.version.clone() };
    }
}

/// What is known of every installed version of a root.
pub(super) fn candidates(view: &View, now: Timestamp) -> Result<Vec<Candidate>, Error> {
    let history = view.history()?;
    let last_current = history.last_current(now);
    let mut out = Vec::new();
    for component in view.types()? {
        let pins = view.pins(&component)?;
        let bad = view.bad_versions(&component)?;
        for version in view.versions(&component)? {
            let receipt = view.installed(&component, &version)?;
            // One that did not stand was never really current.
            let stood = last_current.get(&(&component, &version)).copied().filter(|_| !bad.contains_key(&version));
            out.push(Candidate {
                last_current: stood,
                installed_at: receipt.installed_at,
                pinned: pins.contains(&version),
                dependencies: receipt.dependencies,
                component: component.clone(),
                version,
            });
        }
    }
    Ok(out)
}

impl View {
    /// Plans a cleanup of this root. Running processes are looked at where a version would go.
    pub fn plan_cleanup(&self, rule: Rule<'_>, now: Timestamp) -> Result<CleanupPlan, Error> {
        let state = self.state()?;
        let parent = state.number().map(|number| self.parent_of(number)).transpose()?.flatten();
        let parent = parent.map(|entry| entry.set()).unwrap_or_default();
        let candidates = candidates(self, now)?;
        let plan = |used: &_| plan_cleanup(candidates.clone(), &state.set(), &parent, rule, used, now);
        let unused = plan(&BTreeMap::new());
        if !unused.decisions.iter().any(Decision::removes) {
            return Ok(unused);
        }
        let look = self.users();
        Ok(CleanupPlan { unseen: look.unseen, ..plan(&look.using) })
    }
}

impl Root {
    /// Removes the versions that `plan` lets go, and the releases that name them. A kill in between is finished by the
    /// next changing command; no half version is ever seen under its name. `removed` is told of each file and directory of
    /// a component's version that is gone.
    pub fn cleanup(&self, plan: &CleanupPlan, who: &Who, removed: &mut dyn FnMut(&ComponentType)) -> Result<(), Error> {
        let going = plan.decisions.iter().filter(|d| d.removes()).map(|d| &d.candidate);
        let versions: Vec<_> = going.map(|c| (c.component.clone(), c.version.clone())).collect();
        if versions.is_empty() {
            return Ok(());
        }
        let gone: BTreeSet<&(ComponentType, Version)> = versions.iter().collect();
        let mut releases = Vec::new();
        for number in release_numbers(self.layout())? {
            let set = self.view().release(number)?.unwrap_or_default();
            if set.into_iter().any(|pair| gone.contains(&pair)) {
                releases.push(number);
            }
        }
        let event = Event::new(What::Cleanup, who).of(versions.iter().map(|(c, v)| (c, v)));
        let journal = CleanupJournal { versions, releases, event: Some(event) };
        journal.open(self.layout())?;
        finish(self, &journal, removed)
    }
}

/// Carries a cleanup out; every part may have been done already.
pub(super) fn finish(
    root: &Root,
    journal: &CleanupJournal,
    removed: &mut dyn FnMut(&ComponentType),
) -> Result<(), Error> {
    let layout = root.layout();
    for number in &journal.releases {
        fsx::remove_tree(&layout.release(*number))?;
        fsx::remove_file_opt(&layout.check(*number))?;
    }
    for (component, version) in &journal.versions {
        remove_version(layout, component, version, &mut || removed(component))?;
        Receipt::remove(layout, component, version)?;
    }
    root.filesystem().flush()?;
    if let Some(event) = &journal.event {
        event.clone().append(layout)?;
    }
    journal::close_cleanup(layout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(component: &str, version: &str, last_current: Option<i64>) -> Candidate {
        let time = |t: i64| Timestamp::from_unix(t).expect("a time");
        Candidate {
            component: component.parse().expect("a type"),
            version: version.parse().expect("a version"),
            last_current: last_current.map(time),
            installed_at: time(0),
            pinned: false,
            dependencies: Vec::new(),
        }
    }

    fn decide(candidates: Vec<Candidate>, last: usize, younger: Option<u64>) -> Vec<(String, Reason)> {
        let current = Set::from([("model".parse().expect("a type"), "3".parse().expect("a version"))]);
        let retention = Retention { last: Some(last), younger_than: younger.map(Duration::from_secs) };
        let rule = Rule { retention, only: None, force: false };
        let now = Timestamp::from_unix(1000).expect("a time");
        let plan = plan_cleanup(candidates, &current, &Set::new(), rule, &BTreeMap::new(), now);
        plan.decisions.into_iter().map(|d| (d.candidate.version.to_string(), d.reason)).collect()
    }

    #[test]
    fn newest_counts_by_when_a_version_was_current_and_never_a_failed_one() {
        let versions = vec![
            candidate("model", "1", Some(900)),
            candidate("model", "2", Some(100)),
            candidate("model", "3", Some(1000)),
            candidate("model", "9", None),
        ];
        let reasons: Vec<_> = decide(versions, 2, None).into_iter().map(|(_, r)| r).collect();
        assert_eq!(reasons, [Reason::Newest, Reason::NotKept, Reason::Current, Reason::NotKept]);
    }

    #[test]
    fn young_and_pinned_versions_stay() {
        let mut pinned = candidate("model", "1", Some(1));
        pinned.pinned = true;
        let versions = vec![pinned, candidate("model", "2", Some(950)), candidate("model", "3", Some(1000))];
        let reasons: Vec<_> = decide(versions, 0, Some(100)).into_iter().map(|(_, r)| r).collect();
        assert_eq!(reasons, [Reason::Pinned, Reason::Young, Reason::Current]);
    }

    #[test]
    fn what_a_kept_version_depends_on_stays() {
        let mut model = candidate("model", "3", Some(1000));
        let requirement = semver::VersionReq::parse("^1").expect("a requirement");
        model.dependencies = vec![Dependency { kind: "config".parse().expect("a type"), version: requirement }];
        let versions = vec![
            candidate("config", "1.0.0", Some(10)),
            candidate("config", "1.2.0", Some(20)),
            candidate("config", "2.0.0", Some(30)),
            model,
        ];
        let reasons = decide(versions, 0, None);
        let (by, version) = ("model".parse().expect("a type"), "3".parse().expect("a version"));
        assert_eq!(reasons[1].1, Reason::Needed { by, version });
        assert_eq!((&reasons[0].1, &reasons[2].1), (&Reason::NotKept, &Reason::NotKept));
    }
}

//! `env set` and `env promote`: one commit that changes one environment, or nothing where nothing would change.

use serde::Serialize;

use super::{Difference, differences, sides};
use crate::deploy::Set;
use crate::model::{Act, ComponentType, Environment, EnvironmentName, Lack, Reference, to_canonical_json};
use crate::ops::commit::commit;
use crate::ops::dependencies::{Known, Unmet};
use crate::ops::request::{About, Desk, Proposed, Scope};
use crate::ops::resolve::{published, require_not_yanked};
use crate::ops::{Error, Site, record, trust};
use crate::records::{Change, EnvironmentFile, Repository, SignedFile, Snapshot, environment_change};
use crate::trust::{Fingerprint, Namespace};

/// What `env set` shall change.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// The versions to pin; references that name one of many are resolved now, once.
    pub set: Vec<Reference>,
    /// The components to leave out.
    pub remove: Vec<ComponentType>,
}

/// What an edit did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct Edited {
    /// The environment.
    pub environment: EnvironmentName,
    /// The serial number of its file afterwards.
    pub serial: u64,
    /// Whether there was no such environment before.
    pub is_new: bool,
    /// Every component that it changes.
    pub changes: Vec<Difference>,
    /// The commit that holds the change; absent for a dry run and where nothing changed.
    pub commit: Option<String>,
    /// The branch it was put on.
    pub branch: Option<String>,
    /// What became of the proposal, where it is one.
    #[serde(flatten)]
    pub proposed: Option<Proposed>,
    /// What the versions need of each other and do not find within the environment. A root may have it besides.
    pub unmet: Vec<Unmet>,
    /// The key that signed the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<Fingerprint>,
    /// What the policy asks for besides, before hosts take the change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Lack>,
    /// Whether it was only planned.
    pub dry_run: bool,
}

/// `env set`: makes environment `name` name these versions, with the packages their records name; a new one where there is
/// none.
///
/// # Errors
///
/// A version that is not recorded, or withdrawn; somebody else's change of the same file meanwhile.
pub fn set(site: &Site, name: &EnvironmentName, edit: &Edit, dry_run: bool) -> Result<Edited, Error> {
    let desk = Desk::of(site, dry_run)?;
    let desk = desk.as_ref();
    let site = desk.map_or(site, |desk| &desk.site);
    let repository = record::existing(site)?;
    let snapshot = repository.snapshot(None)?;
    let before = snapshot.environment(name)?;
    if before.is_none() && edit.set.is_empty() {
        return Err(Error::NoEnvironment { name: name.clone(), known: snapshot.environments()? });
    }
    let components: Vec<_> = edit.set.iter().map(|reference| &reference.component).chain(&edit.remove).collect();
    for (i, component) in components.iter().enumerate() {
        if components.iter().take(i).any(|other| other == component) {
            return Err(Error::Twice { component: (*component).clone() });
        }
    }
    let mut now = before.as_ref().map(|file| file.environment.clone()).unwrap_or_default();
    for reference in &edit.set {
        let published = snapshot.resolve(reference)?;
        require_not_yanked(&published)?;
        now.set(published.component(), published.version(), published.package_sha256());
    }
    for component in &edit.remove {
        now.components.remove(component);
    }
    let edit = Pending { site, desk, repository: &repository, snapshot: &snapshot, name, before, now, from: None };
    edit.finish(dry_run)
}

/// `env promote`: makes environment `to` name what `from` does, of these components or of all. What only `to` names stays.
///
/// # Errors
///
/// As [`set`]; a record that names another package than `from` pins; a component that `from` does not name.
pub fn promote(
    site: &Site,
    from: &EnvironmentName,
    to: &EnvironmentName,
    only: &[ComponentType],
    dry_run: bool,
) -> Result<Edited, Error> {
    let desk = Desk::of(site, dry_run)?;
    let desk = desk.as_ref();
    let site = desk.map_or(site, |desk| &desk.site);
    let repository = record::existing(site)?;
    let snapshot = repository.snapshot(None)?;
    let source = super::read(&snapshot, from)?;
    if let Some(component) = only.iter().find(|component| !source.components.contains_key(*component)) {
        return Err(Error::NotInEnvironment { environment: from.clone(), component: component.clone() });
    }
    let before = snapshot.environment(to)?;
    let mut now = before.as_ref().map(|file| file.environment.clone()).unwrap_or_default();
    for (component, pin) in &source.components {
        if (only.is_empty() || only.contains(component)) && now.set(component, &pin.version, pin.sha256) {
            require_not_yanked(&published(&snapshot, from, component, pin)?)?;
        }
    }
    let from = Some((from, source.serial));
    let edit = Pending { site, desk, repository: &repository, snapshot: &snapshot, name: to, before, now, from };
    edit.finish(dry_run)
}

/// An environment as it is and as it shall be.
struct Pending<'a, 'r> {
    site: &'a Site,
    desk: Option<&'a Desk>,
    repository: &'a Repository,
    snapshot: &'a Snapshot<'r>,
    name: &'a EnvironmentName,
    before: Option<EnvironmentFile>,
    now: Environment,
    /// Where the versions come from, and the serial number of its file.
    from: Option<(&'a EnvironmentName, u64)>,
}

impl Pending<'_, '_> {
    fn finish(mut self, dry_run: bool) -> Result<Edited, Error> {
        let is_new = self.before.is_none();
        let was = self.before.as_ref().map(|file| sides(&file.environment)).unwrap_or_default();
        let changes = differences(&was, &sides(&self.now));
        if !changes.is_empty() {
            self.now.serial = self.now.serial.saturating_add(1);
        }
        let mut edited = Edited {
            environment: self.name.clone(),
            serial: self.now.serial,
            is_new,
            commit: None,
            branch: None,
            proposed: None,
            unmet: self.unmet()?,
            changes,
            signed_by: None,
            missing: Vec::new(),
            dry_run,
        };
        if edited.changes.is_empty() {
            return Ok(edited);
        }
        let why = self.from.map(|(from, serial)| format!("Promoted from {from}, serial {serial}"));
        let (subject, body) = message(&edited, why.as_deref());
        let change = environment_change(self.name, self.before.as_ref(), &self.now, (&subject, &body));
        if self.desk.is_none() {
            self.repository.require_target()?;
        }
        let change = if dry_run { change } else { self.sign(change, &mut edited)? };
        match self.desk {
            Some(desk) => self.propose(desk, &change, &mut edited)?,
            None if dry_run => {}
            None => {
                let committed = commit(self.site, self.repository, &change)?;
                edited.commit = Some(committed.commit);
                edited.branch = Some(committed.branch);
            }
        }
        Ok(edited)
    }

    /// Signs the file where a key is configured, and asks the policy.
    fn sign(&self, change: Change, edited: &mut Edited) -> Result<Change, Error> {
        let bytes = to_canonical_json(&self.now);
        let known = self.before.as_ref().map(|file| file.signatures.as_slice()).unwrap_or_default();
        let namespace = Namespace::environment(self.name);
        let made = trust::signature(self.site, &namespace, &bytes, known)?;
        let components: Vec<&ComponentType> = self.now.components.keys().collect();
        let act = Act::Environment(self.name, &components);
        let new: Vec<_> = made.iter().map(|made| made.file.clone()).collect();
        edited.missing = trust::admit(self.site, self.snapshot, act, (&namespace, &bytes), &new)?;
        edited.signed_by = made.as_ref().map(|made| made.fingerprint);
        Ok(match made {
            Some(made) => change.signature(SignedFile::Environment(self.name), known, &made.file),
            None => change,
        })
    }

    fn propose(&self, desk: &Desk, change: &Change, edited: &mut Edited) -> Result<(), Error> {
        let moves = edited.changes.iter().map(|change| {
            let version = change.to.as_ref().map(|side| side.version.clone());
            (change.component.clone(), version)
        });
        let branch = desk.branch(&Scope::Environment(self.name), &moves.collect())?;
        let proposed = match edited.dry_run {
            true => desk.plan(&branch)?,
            false => {
                let about = About::Environment(self.name, self.from.map(|(from, _)| from));
                let (commit, proposed) = desk.propose(change, &branch, about)?;
                edited.commit = commit;
                proposed
            }
        };
        edited.branch = Some(branch);
        edited.proposed = Some(proposed);
        Ok(())
    }

    /// What the environment's versions need of each other. One that cannot be read is passed over: it was so before.
    fn unmet(&self) -> Result<Vec<Unmet>, Error> {
        let pins = self.now.components.iter();
        let wanted: Vec<_> = pins.filter_map(|(c, pin)| published(self.snapshot, self.name, c, pin).ok()).collect();
        let set: Set = self.now.components.iter().map(|(c, pin)| (c.clone(), pin.version.clone())).collect();
        let commit = self.snapshot.commit_id();
        Known { site: self.site, view: None, wanted: &wanted, commit }.unmet(&set)
    }
}

/// The commit's message: what the environment names now, and what it named before.
fn message(edited: &Edited, why: Option<&str>) -> (String, String) {
    let name = |change: &Difference| match &change.to {
        Some(side) => format!("{} {}", change.component, side.version),
        None => format!("without {}", change.component),
    };
    let line = |change: &Difference| {
        let version = |side: &Option<super::Side>| {
            side.as_ref().map_or_else(|| "(none)".to_owned(), |side| side.version.to_string())
        };
        let digest = change.to.as_ref().and_then(|side| side.sha256).map(|sha256| format!(" sha256:{sha256}"));
        let moved = format!("{} -> {}", version(&change.from), version(&change.to));
        format!("{}: {moved}{}", change.component, digest.unwrap_or_default())
    };
    let names: Vec<_> = edited.changes.iter().map(name).collect();
    let subject = format!("env: {} {}", edited.environment, names.join(", "));
    let lines = edited.changes.iter().map(line).chain([format!("Serial: {}", edited.serial)]);
    (subject, lines.chain(why.map(str::to_owned)).collect::<Vec<_>>().join("\n"))
}

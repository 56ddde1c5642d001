//! `env set` and `env promote`: one commit that changes one environment, or nothing where nothing would change.

use serde::Serialize;

use super::{Difference, differences, sides};
use crate::deploy::Set;
use crate::model::{ComponentType, Environment, EnvironmentName, Reference};
use crate::ops::commit::commit;
use crate::ops::dependencies::{Known, Unmet};
use crate::ops::resolve::{published, require_not_yanked};
use crate::ops::{Error, Site, record};
use crate::records::{EnvironmentFile, Repository, Snapshot, environment_change};

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
    /// What the versions need of each other and do not find within the environment. A root may have it besides.
    pub unmet: Vec<Unmet>,
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
    let edit = Pending { site, repository: &repository, snapshot: &snapshot, name, before, now, why: None };
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
    let why = Some(format!("Promoted from {from}, serial {}", source.serial));
    Pending { site, repository: &repository, snapshot: &snapshot, name: to, before, now, why }.finish(dry_run)
}

/// An environment as it is and as it shall be.
struct Pending<'a, 'r> {
    site: &'a Site,
    repository: &'a Repository,
    snapshot: &'a Snapshot<'r>,
    name: &'a EnvironmentName,
    before: Option<EnvironmentFile>,
    now: Environment,
    why: Option<String>,
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
            unmet: self.unmet()?,
            changes,
            dry_run,
        };
        if edited.changes.is_empty() {
            return Ok(edited);
        }
        self.repository.require_target()?;
        if !dry_run {
            let (subject, body) = message(&edited, self.why.as_deref());
            let change = environment_change(self.name, self.before.as_ref(), &self.now, (&subject, &body));
            let committed = commit(self.site, self.repository, &change)?;
            edited.commit = Some(committed.commit);
            edited.branch = Some(committed.branch);
        }
        Ok(edited)
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

//! `status` and `history`: what is current, since when, from which record, and what was.

use serde::Serialize;

use super::change::current_at;
use super::verify::Inspected;
use super::{Error, Site};
use crate::deploy::{Action, Bad, Checked, HistoryEntry, Line, LinkCheck, Standing, Verified, check_links};
use crate::model::{ComponentType, EnvironmentName, Sha256, Timestamp, Version};

/// What a root is now.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The root.
    pub root: std::path::PathBuf,
    /// The current release; absent before the first deploy.
    pub release: Option<u64>,
    /// When it became current.
    pub since: Option<Timestamp>,
    /// Who made it so.
    pub by: Option<String>,
    /// Its components.
    pub components: Vec<Component>,
    /// How many links are not as they should be.
    pub links_wrong: usize,
    /// What the release still has to pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// What came of its hooks and its health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Checked>,
    /// The versions that are marked bad on this root.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bad: Vec<BadVersion>,
    /// How the files of the current versions are, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "verified")]
    pub inspected: Option<Vec<Inspected>>,
    /// The environment that was deployed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Followed>,
    /// What put the root on hold; absent where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// What an earlier run left unfinished: the release it was making, or `null` within for a cleanup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<Option<u64>>,
}

impl Status {
    /// A root that was never deployed to.
    pub(super) fn empty(root: &std::path::Path) -> Self {
        Self {
            root: root.to_owned(),
            release: None,
            since: None,
            by: None,
            components: Vec::new(),
            links_wrong: 0,
            standing: None,
            checks: None,
            bad: Vec::new(),
            inspected: None,
            environment: None,
            hold: None,
            unfinished: None,
        }
    }
}

/// A version that is marked bad.
#[derive(Debug, Clone, Serialize)]
pub struct BadVersion {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// Why it is.
    #[serde(flatten)]
    pub bad: Bad,
}

/// The environment that a root follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Followed {
    /// Its name.
    pub name: EnvironmentName,
    /// The serial number of its file.
    pub serial: u64,
    /// The commit it was read at.
    pub commit: String,
    /// The release it was deployed as.
    pub release: u64,
    /// When.
    pub at: Timestamp,
}

impl Followed {
    /// What `entry` was deployed from, where that is an environment.
    fn of(entry: &HistoryEntry) -> Option<Self> {
        let environment = entry.environment.as_ref()?;
        Some(Self {
            name: environment.name.clone(),
            serial: environment.serial,
            commit: environment.commit.clone(),
            release: entry.release,
            at: entry.at,
        })
    }
}

/// What put a root on hold: a switch, rollback or undeploy by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Since when.
    pub since: Timestamp,
    /// By whom, as `user@host`.
    pub by: String,
    /// How.
    pub action: Action,
    /// The release that was made so.
    pub release: u64,
}

impl Hold {
    /// The hold that `entry` began.
    pub(super) fn of(entry: &HistoryEntry) -> Self {
        Self { since: entry.at, by: entry.by.clone(), action: entry.action, release: entry.release }
    }
}

/// One current component.
#[derive(Debug, Clone, Serialize)]
pub struct Component {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// Its version.
    pub version: Version,
    /// Since when this version is current without a break.
    pub since: Option<Timestamp>,
    /// The package's sha256.
    pub package: Option<Sha256>,
    /// The commit of the record it was deployed from.
    pub commit: Option<String>,
}

/// `status`: reads the root and writes nothing.
pub fn status(site: &Site) -> Result<Status, Error> {
    let view = site.view()?;
    let state = view.state()?;
    let following = view.following()?;
    let release = state.number().map(|number| view.entry(number)).transpose()?.flatten();
    let mut components = Vec::new();
    for (component, version) in state.set() {
        let receipt = view.receipt(&component, &version)?;
        components.push(Component {
            since: view.since(&component, &version)?,
            package: receipt.as_ref().map(|r| r.package),
            commit: receipt.and_then(|r| r.record.commit),
            component,
            version,
        });
    }
    let checks: Vec<LinkCheck> = check_links(&view, &site.custom_links())?;
    let mut bad = Vec::new();
    for component in view.types()? {
        let versions = view.bad_versions(&component)?.into_iter();
        bad.extend(versions.map(|(version, bad)| BadVersion { component: component.clone(), version, bad }));
    }
    let checked = state.number().map(|number| Checked::read(view.layout(), number)).transpose()?.flatten();
    Ok(Status {
        root: site.root.clone(),
        release: state.number(),
        since: release.as_ref().map(|entry| entry.at),
        by: release.map(|entry| entry.by),
        components,
        inspected: None,
        links_wrong: checks.iter().filter(|check| !check.is_ok()).count(),
        standing: view.standing(site.caller.time())?.map(|(_, standing)| standing),
        checks: checked,
        bad,
        environment: following.from_environment.and_then(|entry| Followed::of(&entry)),
        hold: following.hold.as_ref().map(Hold::of),
        unfinished: view.unfinished()?,
    })
}

/// `history --all`: releases and whatever else was changed or tried, newest first.
pub fn trail(site: &Site, limit: Option<usize>) -> Result<Vec<Line>, Error> {
    let lines = site.view()?.trail()?;
    Ok(lines.into_iter().rev().take(limit.unwrap_or(usize::MAX)).collect())
}

/// `history --verify`: checks that no line of the history was edited, removed or moved.
pub fn verify_trail(site: &Site) -> Result<Verified, Error> {
    Ok(site.view()?.verify_trail()?)
}

/// `history`: releases, newest first; with `at`, only the one that was current then.
pub fn history(site: &Site, at: Option<Timestamp>, limit: Option<usize>) -> Result<Vec<HistoryEntry>, Error> {
    let view = site.view()?;
    match at {
        Some(at) => Ok(current_at(&view.history()?, at).cloned().into_iter().collect()),
        None => Ok(view.newest_entries(limit.unwrap_or(usize::MAX))?),
    }
}

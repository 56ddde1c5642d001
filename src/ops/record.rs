//! `record list|show|yank`.

use std::path::Path;

use globset::GlobMatcher;
use serde::Serialize;

use super::commit::{anew, commit};
use super::{Error, Site, trust};
use crate::fsx;
use crate::model::{Act, ComponentType, Lack, Reference, Sha256, Timestamp, Version, Yank, to_canonical_json};
use crate::records::{Published, Repository, SignedFile, yank_change};
use crate::trust::{Fingerprint, Namespace};

/// One recorded version.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// The package's length in bytes.
    pub size: u64,
    /// The package's sha256.
    pub package: Sha256,
    /// When it was published.
    pub published_at: Timestamp,
    /// How many seconds ago that was.
    pub age: u64,
    /// The names of the places it lies at.
    pub locations: Vec<String>,
    /// Whether it is withdrawn.
    pub yanked: bool,
    /// Whether it is current on this root.
    pub current: bool,
    /// Whether it is installed on this root.
    pub installed: bool,
}

/// Which versions `record list` shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those of this component.
    pub component: Option<ComponentType>,
    /// Those whose version this matches.
    pub pattern: Option<GlobMatcher>,
    /// Those that lie at the place of this name.
    pub target: Option<String>,
    /// Those that were published at this time or later.
    pub since: Option<Timestamp>,
    /// Those that are withdrawn.
    pub yanked: bool,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By component and version, the lowest first.
    #[default]
    Version,
    /// By when they were published, the oldest first.
    Date,
    /// By the size of the package, the smallest first.
    Size,
}

/// The records repository, which must be there.
pub(super) fn existing(site: &Site) -> Result<Repository, Error> {
    if site.own_repository && !site.has_repository()? {
        return Err(Error::NothingPublished { repository: site.repository.clone() });
    }
    site.repository()
}

/// `record list`: the recorded versions that `filter` lets through, with whether this root has them. A root that is not there
/// has none.
///
/// # Errors
///
/// [`Error::NoSuchComponent`] where the component asked for has no version at all.
pub fn list(site: &Site, filter: &Filter, order: Order, at: Option<&str>) -> Result<Vec<Listed>, Error> {
    let repository = existing(site)?;
    let snapshot = repository.snapshot(at)?;
    let components = match &filter.component {
        Some(component) => vec![component.clone()],
        None => snapshot.components()?,
    };
    let matches = |version: &Version| filter.pattern.as_ref().is_none_or(|p| p.is_match(Path::new(version.as_str())));
    let view = fsx::inspect_followed(&site.root)?.map(|_| site.view()).transpose()?;
    let current = view.as_ref().map(|view| view.state()).transpose()?.map(|state| state.set()).unwrap_or_default();
    let mut out = Vec::new();
    let mut any = false;
    snapshot.bring(components.iter().map(|component| (component, None)))?;
    for component in components {
        let versions = snapshot.versions(&component)?;
        let installed = view.as_ref().map(|view| view.versions(&component)).transpose()?.unwrap_or_default();
        any |= !versions.is_empty();
        for version in versions.into_iter().filter(matches) {
            if filter.yanked && !snapshot.is_yanked(&component, &version)? {
                continue;
            }
            let Some(published) = snapshot.get(&component, &version)? else { continue };
            let record = &published.record;
            let is_there = |target: &String| record.locations.iter().any(|location| location.name == *target);
            if !filter.target.as_ref().is_none_or(is_there)
                || filter.since.is_some_and(|since| record.published_at < since)
            {
                continue;
            }
            out.push(Listed {
                size: published.manifest.package.size,
                package: published.package_sha256(),
                published_at: record.published_at,
                age: site.caller.now.since(record.published_at).as_secs(),
                locations: record.locations.iter().map(|l| l.name.clone()).collect(),
                yanked: published.yanked.is_some(),
                current: current.get(&component) == Some(&version),
                installed: installed.contains(&version),
                component: component.clone(),
                version,
            });
        }
    }
    match order {
        Order::Version => {}
        Order::Date => out.sort_by_key(|listed| listed.published_at),
        Order::Size => out.sort_by_key(|listed| listed.size),
    }
    match &filter.component {
        Some(component) if !any => Err(Error::NoSuchComponent { component: component.clone() }),
        _ => Ok(out),
    }
}

/// `record show`: manifest and record of one version.
pub fn show(site: &Site, reference: &Reference, at: Option<&str>) -> Result<Published, Error> {
    let repository = existing(site)?;
    Ok(repository.snapshot(at)?.resolve(reference)?)
}

/// What `record yank` did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct Yanked {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// The note.
    pub yanked: Yank,
    /// Whether it was withdrawn before: the first note stands, and nothing is committed.
    pub unchanged: bool,
    /// The commit that holds the note.
    pub commit: Option<String>,
    /// The branch it is on.
    pub branch: Option<String>,
    /// The key that signed the note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<Fingerprint>,
    /// What the policy asks for besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Lack>,
    /// Whether it was only planned.
    pub dry_run: bool,
}

/// `record yank`: withdraws a version, with a note that is signed where a key is configured. It stays where it is deployed, and `version switch` and `rollback` still go to it; a
/// deploy refuses it, and no range or `latest` means it any more.
///
/// # Errors
///
/// The version is not recorded; whoever signs may not publish it, by the policy; the commit fails.
pub fn yank(site: &Site, reference: &Reference, reason: &str, dry_run: bool) -> Result<Yanked, Error> {
    // Somebody may withdraw it at the same moment: the first note stands.
    anew(|| yank_once(site, reference, reason, dry_run))
}

fn yank_once(site: &Site, reference: &Reference, reason: &str, dry_run: bool) -> Result<Yanked, Error> {
    let repository = existing(site)?;
    let snapshot = repository.snapshot(None)?;
    let published = snapshot.resolve(reference)?;
    let note = Yank { at: site.caller.now, reason: reason.to_owned(), by: site.caller.by.clone() };
    let mut report = Yanked {
        component: published.component().clone(),
        version: published.version().clone(),
        unchanged: published.yanked.is_some(),
        yanked: published.yanked.clone().unwrap_or_else(|| note.clone()),
        commit: None,
        branch: None,
        signed_by: None,
        missing: Vec::new(),
        dry_run,
    };
    if report.unchanged {
        return Ok(report);
    }
    repository.require_target()?;
    if !dry_run {
        let (component, version) = (&report.component, &report.version);
        let (namespace, bytes) = (Namespace::yank(component, version), to_canonical_json(&note));
        let signature = trust::signature(site, &namespace, &bytes, &[])?;
        let made: Vec<_> = signature.iter().map(|made| made.file.clone()).collect();
        report.missing = trust::admit(site, &snapshot, Act::Publish(component), (&namespace, &bytes), &made)?;
        report.signed_by = signature.as_ref().map(|made| made.fingerprint);
        let change = yank_change(&published, &note)?;
        let change = match &signature {
            Some(made) => change.signature(SignedFile::Yank(component, version), &[], &made.file),
            None => change,
        };
        let committed = commit(site, &repository, &change)?;
        (report.commit, report.branch) = (Some(committed.commit), Some(committed.branch));
    }
    Ok(report)
}

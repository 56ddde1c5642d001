//! The records repository: whether it can be read and committed to, and what it says of the versions that are current or
//! pinned.

use std::path::PathBuf;

use super::finding::Finding;
use crate::deploy::{Receipt, Set, View};
use crate::fsx;
use crate::ops::{Error, Site};
use crate::records::{Error as RecordsError, Published, RemoteError, Repository, Snapshot};

/// How many versions stand for the recorded ones where none is current.
const SAMPLE: usize = 3;

/// What other checks need of the records.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The current versions as they are recorded; where none is current, the newest of some components.
    pub current: Vec<Published>,
    /// The top of the work tree.
    pub top: Option<PathBuf>,
    /// The remote of the branch, by name or URL, and where `git` is run to ask it.
    pub remote: Option<(PathBuf, String)>,
}

pub(super) fn look(site: &Site, view: Option<&View>, deep: bool, findings: &mut Vec<Finding>) -> Known {
    let path = &site.repository;
    let before = findings.len();
    let mut known = Known::default();
    if let Some(origin) = &site.origin {
        known.remote = Some((site.config.base.clone(), origin.url().to_string()));
        if !matches!(fsx::inspect(origin.mirror()), Ok(Some(_))) {
            findings.push(Finding::ok("records-not-fetched").with("url", origin.url()));
            return known;
        }
    }
    match site.has_repository() {
        Ok(true) => {
            if let Err(error) = read(site, view, deep, findings, &mut known) {
                findings.push(Finding::error("records-unusable").path("path", path).because(error));
            }
        }
        Ok(false) if site.own_repository => findings.push(Finding::ok("records-none").path("path", path)),
        Ok(false) => findings.push(Finding::error("records-missing").path("path", path)),
        Err(error) => findings.push(Finding::error("records-unusable").path("path", path).because(error)),
    }
    if findings.len() == before {
        findings.push(Finding::ok("records-ok").path("path", path));
    }
    known
}

fn read(
    site: &Site,
    view: Option<&View>,
    deep: bool,
    findings: &mut Vec<Finding>,
    known: &mut Known,
) -> Result<(), Error> {
    let repository = site.repository()?;
    let snapshot = repository.snapshot(None)?;
    known.top = Some(repository.root().to_owned());
    if site.origin.is_none() {
        known.remote = remote(&repository, findings)?.map(|name| (repository.root().to_owned(), name));
    }
    if let Some((lock, false)) = repository.index_lock()? {
        findings.push(Finding::warning("records-locked").path("path", &lock));
    }
    if let Some(view) = view {
        current(view, &snapshot, findings, known)?;
        pins(view, &snapshot, findings)?;
    }
    let current = view.and_then(|view| view.state().ok()).map(|state| state.set()).unwrap_or_default();
    if known.current.is_empty() {
        for component in snapshot.components()?.iter().take(SAMPLE) {
            let newest = snapshot.versions(component).ok().and_then(|mut versions| versions.pop());
            let newest = newest.map(|version| snapshot.get(component, &version)).transpose();
            known.current.extend(newest.ok().flatten().flatten());
        }
    }
    if deep {
        every(&snapshot, &current, findings)?;
    }
    Ok(())
}

fn remote(repository: &Repository, findings: &mut Vec<Finding>) -> Result<Option<String>, Error> {
    let Some(remote) = repository.remote()? else { return Ok(None) };
    if let Some(ahead) = remote.ahead.filter(|ahead| *ahead > 0) {
        let finding = Finding::info("records-unpushed").number("count", ahead).with("remote", &remote.name);
        findings.push(finding.path("path", repository.root()));
    }
    Ok(Some(remote.name))
}

/// What the records say of the versions that are current, against what was installed.
fn current(view: &View, snapshot: &Snapshot<'_>, findings: &mut Vec<Finding>, known: &mut Known) -> Result<(), Error> {
    for (component, version) in view.state()?.set() {
        let about = |finding: Finding| finding.with("component", &component).with("version", &version);
        // A damaged receipt is a finding already.
        let receipt = view.receipt(&component, &version).ok().flatten();
        let published = match snapshot.get(&component, &version) {
            Ok(Some(published)) => published,
            Ok(None) => {
                // What was deployed from a file need not be in git.
                if receipt.is_some_and(|receipt| receipt.record.commit.is_some()) {
                    findings.push(about(Finding::warning("current-not-recorded")));
                }
                continue;
            }
            // The mirror has not all: what is missing is not damaged.
            Err(RecordsError::Remote(RemoteError::NotFetched { .. })) => continue,
            Err(error) => {
                findings.push(about(Finding::error("record-damaged")).because(error));
                continue;
            }
        };
        if let Some(yank) = &published.yanked {
            findings.push(about(Finding::warning("current-yanked")).with("why", &yank.reason));
        }
        let same = |receipt: &Receipt| {
            receipt.package == published.package_sha256() || published.manifest.package.tree == Some(receipt.tree)
        };
        if receipt.is_some_and(|receipt| !same(&receipt)) {
            findings.push(about(Finding::error("current-differs")));
        }
        known.current.push(published);
    }
    Ok(())
}

/// A pin keeps what could not be deployed again.
fn pins(view: &View, snapshot: &Snapshot<'_>, findings: &mut Vec<Finding>) -> Result<(), Error> {
    for (component, lying) in view.lying()? {
        for version in lying.pins.intersection(&lying.directories) {
            if !snapshot.versions(&component)?.contains(version) {
                let finding = Finding::info("pin-not-recorded").with("component", &component);
                findings.push(finding.with("version", version));
            }
        }
    }
    Ok(())
}

/// Reads every record but those of the `current` versions, which were read before.
fn every(snapshot: &Snapshot<'_>, current: &Set, findings: &mut Vec<Finding>) -> Result<(), Error> {
    for component in snapshot.components()? {
        for version in snapshot.versions(&component)? {
            if current.get(&component) == Some(&version) {
                continue;
            }
            let read = snapshot.get(&component, &version);
            if matches!(read, Err(RecordsError::Remote(RemoteError::NotFetched { .. }))) {
                continue;
            }
            if let Err(error) = read {
                let finding = Finding::error("record-damaged").with("component", &component);
                findings.push(finding.with("version", &version).because(error));
            }
        }
    }
    Ok(())
}

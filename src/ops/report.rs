//! `report`: everything there is to say of a root at one moment, as values for whoever draws them.
//!
//! ```text
//! root ── status, trail, receipts, plan of a cleanup ──┐
//! records ── environments ─────────────────────────────┼──▶ Report
//! everything ── doctor, without the network ───────────┘
//! ```
//!
//! Promises: takes no lock, writes nothing and goes on past whatever is broken: a part that cannot be read is its error, and
//! the others are there all the same. Must not know: words, HTML.

use std::path::PathBuf;

use super::doctor::{self, Configured};
use super::env::Shown;
use super::status::{self, Status};
use super::versions::{self, CleanupRequest};
use super::{Error, Site, env};
use crate::deploy::{Line, Reason, Set};
use crate::fsx;
use crate::model::{ComponentType, Timestamp, Version};

/// Everything there is to say of a root.
#[derive(Debug)]
pub struct Report {
    /// When it was looked at.
    pub at: Timestamp,
    /// The root.
    pub root: PathBuf,
    /// Whether the root is there: of one never deployed to it may not be.
    pub is_there: bool,
    /// What is current.
    pub status: Result<Status, Error>,
    /// The current versions alone, as far as the root says them where the rest of `status` cannot be told.
    pub current: Set,
    /// Releases and whatever else was changed or tried, oldest first.
    pub trail: Result<Vec<Line>, Error>,
    /// What the installed versions take.
    pub space: Result<Space, Error>,
    /// The environments and what they name; none where there are no records.
    pub environments: Result<Vec<Shown>, Error>,
    /// What `doctor --offline` finds.
    pub doctor: doctor::Report,
}

/// What the installed versions take on the disk.
#[derive(Debug, Default)]
pub struct Space {
    /// Each version, by component and version.
    pub versions: Vec<Installed>,
    /// What a cleanup would free, in bytes on disk: those of files of which no name would be left.
    pub freed: u64,
    /// Whether less may come free, since the file system shares blocks in a way that nobody can count.
    pub at_most: bool,
}

/// One installed version.
#[derive(Debug)]
pub struct Installed {
    /// The component.
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// When it was installed.
    pub installed_at: Timestamp,
    /// When it was last current; `None` for one that never was.
    pub last_current: Option<Timestamp>,
    /// Bytes on disk of files that no other version has.
    pub own: u64,
    /// Bytes on disk of files that another version has, too.
    pub shared: u64,
    /// Why a cleanup would keep or remove it.
    pub reason: Reason,
}

impl Installed {
    /// Whether a cleanup would remove it.
    pub fn goes(&self) -> bool {
        self.reason == Reason::NotKept
    }
}

/// `report`.
///
/// # Errors
///
/// Only that the root cannot even be asked for; what else cannot be read is part of the report.
pub fn report(site: &Site, configured: &Configured) -> Result<Report, Error> {
    let is_there = fsx::inspect_followed(&site.root)?.is_some();
    let options = doctor::Options { offline: true, ..doctor::Options::default() };
    let nothing = Report {
        at: site.caller.now,
        root: site.root.clone(),
        is_there,
        status: Ok(Status::empty(&site.root)),
        current: Set::new(),
        trail: Ok(Vec::new()),
        space: Ok(Space::default()),
        environments: environments(site),
        doctor: doctor::doctor(site, configured, options, &|_| {})?,
    };
    if !is_there {
        return Ok(nothing);
    }
    let trail = status::trail(site, None).map(|mut lines| {
        lines.reverse();
        lines
    });
    let current = site.view().ok().and_then(|view| Some(view.state().ok()?.set())).unwrap_or_default();
    Ok(Report { status: status::status(site), current, trail, space: space(site), ..nothing })
}

fn environments(site: &Site) -> Result<Vec<Shown>, Error> {
    if !site.has_repository()? {
        return Ok(Vec::new());
    }
    let all = env::list(site, None)?;
    all.iter().map(|listed| env::show(site, &listed.name, None)).collect()
}

fn space(site: &Site) -> Result<Space, Error> {
    let request = CleanupRequest { dry_run: true, ..CleanupRequest::default() };
    let plan = versions::cleanup(site, request, &|_| {})?;
    let layout = site.view()?.layout().clone();
    let candidates = plan.decisions.iter().map(|(decision, _)| &decision.candidate);
    let trees: Vec<_> = candidates.map(|c| layout.version(&c.component, &c.version)).collect();
    let usage = fsx::freed(&trees)?;
    let decisions = plan.decisions.into_iter().zip(usage.each);
    let mut versions: Vec<_> = decisions
        .map(|((decision, _), usage)| Installed {
            component: decision.candidate.component,
            version: decision.candidate.version,
            installed_at: decision.candidate.installed_at,
            last_current: decision.candidate.last_current,
            own: usage.own,
            shared: usage.shared,
            reason: decision.reason,
        })
        .collect();
    versions.sort_by(|a, b| (&a.component, &b.version).cmp(&(&b.component, &a.version)));
    Ok(Space { versions, freed: plan.freed, at_most: plan.at_most })
}

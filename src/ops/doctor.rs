//! `doctor`: looks at everything a deployment stands on and says what is wrong, why it matters and what mends it.
//!
//! ```text
//! Site, Configured ── one file a group of checks ──▶ findings ── fixes of them, once ──▶ done ── look again ──▶ Report
//! ```
//!
//! Promises: looking takes no lock, writes nothing and goes on past whatever is broken, the configuration too: what cannot
//! be looked at is a finding. What goes over the network is asked side by side and for a bounded time. Fixing does what is
//! safe and nothing else: it deletes no version. Must not know: words; a finding is an id and facts.

mod clock;
mod configuration;
mod finding;
mod links;
mod network;
mod records;
mod root;
mod space;
mod store;
mod trail;
mod versions;
mod work;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

pub use configuration::{Broken, Configured};
pub use finding::{Fact, Finding, Fix, Severity};

use super::{Error, OnProgress, Site, store as stores};
use crate::deploy::{Recovery, check_links};
use crate::store::{Exclusive, Rules};
use records::Known;

/// What to look at, and whether to mend it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Hash everything in the store and read every record.
    pub deep: bool,
    /// Ask nothing that may lie behind the network.
    pub offline: bool,
    /// Mend what is safe to mend.
    pub fix: bool,
    /// Only say what would be mended.
    pub dry_run: bool,
}

/// What `--fix` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixed {
    /// This release was left before its commit point, and undone.
    Undone(u64),
    /// This release was left after its commit point, and finished.
    Finished(u64),
    /// A cleanup was finished.
    CleanedUp,
    /// So many leftovers of killed runs were removed from the root.
    Swept(usize),
    /// So many links were mended.
    Links(usize),
    /// So many leftovers of killed writers were removed from the store, freeing so many bytes.
    Store(usize, u64),
}

/// What was found, and done.
#[derive(Debug, Default)]
pub struct Report {
    /// What was found; after fixing, what is left.
    pub findings: Vec<Finding>,
    /// What was done.
    pub fixed: Vec<Fixed>,
    /// What would be done, of a dry run.
    pub would: BTreeSet<Fix>,
}

impl Report {
    /// How many findings are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// `doctor`.
///
/// # Errors
///
/// Only of fixing: somebody else changes the root or uses the store, or the disk failed.
pub fn doctor(
    site: &Site,
    configured: &Configured,
    options: Options,
    progress: OnProgress<'_>,
) -> Result<Report, Error> {
    let (mut findings, records) = examine(site, configured, options.deep, progress);
    let answers = match options.offline || configured.broken.is_some() {
        true => Vec::new(),
        false => network::look(site, records),
    };
    let would: BTreeSet<Fix> = findings.iter().filter_map(|finding| finding.fix).collect();
    let mut report = Report::default();
    if options.fix && options.dry_run {
        report.would = would;
    } else if options.fix && !would.is_empty() {
        report.fixed = mend(site, &would, progress)?;
        findings = examine(site, configured, options.deep, progress).0;
    }
    findings.extend(answers);
    Ok(Report { findings, ..report })
}

/// Looks at what is on this machine; what the records say of the current versions comes with it.
fn examine(site: &Site, configured: &Configured, deep: bool, progress: OnProgress<'_>) -> (Vec<Finding>, Known) {
    let mut findings = configuration::look(configured);
    let knows = |given: bool| configured.broken.is_none() || given;
    let view = if knows(configured.given.root.is_some()) { root::look(site, &mut findings) } else { None };
    if let Some(view) = &view {
        findings.extend(work::look(site, view));
        // An open journal says how links are to be; without one `links` does.
        if !matches!(view.unfinished(), Ok(Some(Some(_)))) {
            findings.extend(links::look(view, &site.custom_links()));
        }
        findings.extend(versions::look(site, view));
        findings.extend(trail::look(view));
        findings.extend(clock::look(site, view));
    }
    let records = match knows(configured.given.records.is_some()) {
        true => records::look(site, view.as_ref(), deep, &mut findings),
        false => Known::default(),
    };
    let mut places = Vec::new();
    if view.is_some() {
        places.push(site.root.as_path());
    }
    if knows(configured.given.store.is_some()) {
        findings.extend(store::look(site, &records.current, deep, progress));
        places.push(site.store.as_path());
    }
    findings.extend(space::look(&places, view.as_ref()));
    (findings, records)
}

/// Every fix takes its lock, and none is left to the next.
fn mend(site: &Site, fixes: &BTreeSet<Fix>, progress: OnProgress<'_>) -> Result<Vec<Fixed>, Error> {
    let mut fixed = Vec::new();
    if fixes.contains(&Fix::Recover) || fixes.contains(&Fix::Links) {
        let left = site.view()?.leftovers()?.len();
        // What is due, such as a trial that nobody confirmed, is not undone by the way.
        let (root, recovery) = site.change_at_once()?;
        fixed.extend(match recovery {
            Recovery::Undone { release } => Some(Fixed::Undone(release)),
            Recovery::Finished { release } => Some(Fixed::Finished(release)),
            Recovery::CleanedUp => Some(Fixed::CleanedUp),
            Recovery::Clean => (left > 0).then_some(Fixed::Swept(left)),
            Recovery::Checked { .. } | Recovery::RolledBack { .. } => None,
        });
        let wrong = check_links(root.view(), &site.custom_links())?;
        let mended = root.repair_links(&wrong, &site.who())?;
        fixed.extend((mended > 0).then_some(Fixed::Links(mended)));
    }
    if fixes.contains(&Fix::Store) {
        let store = Exclusive::open(&site.store, &site.caller.process, Duration::from_secs(10))?;
        let keep = HashSet::new();
        let plan = store.plan_gc(Rules { max_size: None, keep: &keep, now: site.caller.now })?;
        let done = stores::collect(&store, &plan, progress)?;
        fixed.extend((done.files > 0).then_some(Fixed::Store(done.files, done.bytes)));
    }
    Ok(fixed)
}

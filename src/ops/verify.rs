//! `status --verify`: are the files of the current versions what was installed?

use serde::Serialize;

use super::{Error, OnProgress, Phase, Progress, Site};
use crate::deploy::{Difference, Finding, Receipt};
use crate::model::{ComponentType, Version};

/// What a look at one version found.
#[derive(Debug, Clone, Serialize)]
pub struct Inspected {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// Its version.
    pub version: Version,
    /// In one word.
    pub state: Condition,
    /// Whether its files may be edited: then it is no fault that they were.
    pub mutable: bool,
    /// Entries that were compared.
    pub entries: u64,
    /// Those that differ.
    pub findings: Vec<Found>,
}

/// What a version is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// As it was installed.
    Good,
    /// Files that are meant to be edited were; nothing else differs.
    Edited,
    /// Something differs.
    Damaged,
    /// Nothing tells what files it should have: an older program installed it, or the list is torn.
    Unlisted,
    /// Its directory or its receipt is gone.
    Gone,
}

/// One entry that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its path below the version directory.
    pub path: String,
    /// What differs.
    pub what: Difference,
}

impl From<&Finding> for Found {
    fn from(finding: &Finding) -> Self {
        Self { path: finding.path.to_string(), what: finding.what }
    }
}

/// Compares the current versions with what was installed: quickly, by what the file system says of each entry, or `deep`, by
/// the digest of every file. Writes nothing.
pub fn verify(site: &Site, deep: bool, progress: OnProgress<'_>) -> Result<Vec<Inspected>, Error> {
    let view = site.view()?;
    let mut inspected = Vec::new();
    for (component, version) in view.state()?.set() {
        let nothing = |state| Inspected {
            component: component.clone(),
            version: version.clone(),
            state,
            mutable: false,
            entries: 0,
            findings: Vec::new(),
        };
        let Some(receipt) = view.receipt(&component, &version)? else {
            inspected.push(nothing(Condition::Gone));
            continue;
        };
        let Some(inventory) = view.inventory(&receipt)? else {
            inspected.push(Inspected { mutable: receipt.mutable, ..nothing(Condition::Unlisted) });
            continue;
        };
        let total = receipt.bytes;
        let told = Summing::new(&receipt, total, progress);
        let compared = view.verify(&receipt, &inventory, deep, &|bytes| told.tell(bytes))?;
        inspected.push(Inspected {
            mutable: receipt.mutable,
            entries: compared.entries,
            findings: compared.findings.iter().map(Found::from).collect(),
            ..nothing(condition(&receipt, &compared.findings))
        });
    }
    Ok(inspected)
}

/// Whether a difference is what a file that may be edited comes to have.
pub(super) fn is_edit(what: Difference) -> bool {
    match what {
        Difference::Extra
        | Difference::Mode
        | Difference::Size
        | Difference::Content
        | Difference::Time
        | Difference::Replaced
        | Difference::Target => true,
        Difference::Missing | Difference::Kind => false,
    }
}

fn condition(receipt: &Receipt, findings: &[Finding]) -> Condition {
    match findings {
        [] => Condition::Good,
        found if receipt.mutable && found.iter().all(|finding| is_edit(finding.what)) => Condition::Edited,
        _ => Condition::Damaged,
    }
}

/// Adds up bytes that several threads have read.
pub(super) struct Summing<'a> {
    receipt: &'a Receipt,
    total: u64,
    done: std::sync::atomic::AtomicU64,
    progress: OnProgress<'a>,
}

impl<'a> Summing<'a> {
    pub fn new(receipt: &'a Receipt, total: u64, progress: OnProgress<'a>) -> Self {
        Self { receipt, total, done: Default::default(), progress }
    }

    pub fn tell(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed) + bytes;
        let component = Some(&self.receipt.component);
        (self.progress)(Progress { component, phase: Phase::Verify, done, total: Some(self.total) });
    }
}

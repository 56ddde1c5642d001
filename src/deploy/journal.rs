//! The journal: what an open transaction is about to do, so that the next command can finish or undo it.
//!
//! ```text
//! .deploy-tool/journal/<n>.json        makes release n: history entry, versions being installed, links to rename
//! .deploy-tool/journal/cleanup.json    removes versions and the releases that name them
//! ```
//!
//! A journal is closed unflushed too: until the next flush a power cut may bring it back. What it says is done then, and to do
//! it again changes nothing.
//!
//! A release's journal is written unflushed and becomes durable with the flush before the commit point (or before the first
//! version directory gets its name): a journal that a power cut tore belongs to a transaction that was never committed and
//! had named nothing yet.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::audit::Event;
use super::history::Entry;
use super::plan::LinkChange;
use super::{Error, Layout, Set};
use crate::fsx;
use crate::model::{ComponentType, Version, to_canonical_json};

/// What makes a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Packages became current by reference.
    Deploy,
    /// An installed version became current.
    Switch,
    /// An earlier set, or an earlier version of one component, became current again.
    Rollback,
    /// A component left.
    Undeploy,
}

/// The journal of a transaction that makes a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReleaseJournal {
    /// The history entry to append; names the release.
    pub entry: Entry,
    /// The version directories that this transaction makes.
    pub installs: Set,
    /// The links to rename or remove after the commit point, in this order.
    pub links: Vec<LinkChange>,
}

/// The journal of a cleanup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CleanupJournal {
    /// The versions to remove.
    pub versions: Vec<(ComponentType, Version)>,
    /// The releases that name any of them.
    pub releases: Vec<u64>,
    /// What the trail will say.
    #[serde(default)]
    pub event: Option<Event>,
}

/// An open journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Open {
    /// Makes a release; `None` where the file is torn.
    Release(u64, Option<Box<ReleaseJournal>>),
    /// Removes versions; `None` where the file is torn.
    Cleanup(Option<CleanupJournal>),
}

fn release_path(layout: &Layout, number: u64) -> PathBuf {
    layout.journals().join(format!("{number}.json"))
}

fn cleanup_path(layout: &Layout) -> PathBuf {
    layout.journals().join("cleanup.json")
}

impl ReleaseJournal {
    /// Opens the journal. Not flushed.
    pub fn open(&self, layout: &Layout) -> Result<(), Error> {
        Ok(fsx::write_unflushed(&release_path(layout, self.entry.release), &to_canonical_json(self))?)
    }
}

impl CleanupJournal {
    /// Opens the journal; durable when it returns.
    pub fn open(&self, layout: &Layout) -> Result<(), Error> {
        Ok(fsx::write_atomic(&cleanup_path(layout), &to_canonical_json(self))?)
    }
}

/// Closes the journal of release `number`.
pub(super) fn close_release(layout: &Layout, number: u64) -> Result<(), Error> {
    fsx::remove_file_opt(&release_path(layout, number))?;
    Ok(())
}

/// Closes the journal of a cleanup.
pub(super) fn close_cleanup(layout: &Layout) -> Result<(), Error> {
    fsx::remove_file_opt(&cleanup_path(layout))?;
    Ok(())
}

/// The open journals: of a cleanup first, then of releases in their order. There may be several, since a power cut may bring
/// back one that was closed while the next command's is there already. Files of other names are leftovers of a write and
/// are no journals.
pub(super) fn all(layout: &Layout) -> Result<Vec<Open>, Error> {
    let mut open = Vec::new();
    for entry in fsx::list(&layout.journals())? {
        let Some(stem) = entry.name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
        let Some(bytes) = fsx::read_opt(&layout.journals().join(&entry.name))? else { continue };
        if stem == "cleanup" {
            open.push(Open::Cleanup(serde_json::from_slice(&bytes).ok()));
        } else if let Ok(number) = stem.parse() {
            open.push(Open::Release(number, serde_json::from_slice(&bytes).ok()));
        }
    }
    open.sort_by_key(|open| match open {
        Open::Cleanup(_) => 0,
        Open::Release(number, _) => *number,
    });
    Ok(open)
}

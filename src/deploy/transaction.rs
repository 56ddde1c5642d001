//! Executing a plan: the order of writes of the crash contract (see the header of [`crate::deploy`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::history::{Entry, Work};
use super::journal::{self, ReleaseJournal};
use super::plan::{Install, LinkChange, Plan};
use super::staging::{Staged, stage_all};
use super::state::{Found, look};
use super::{Error, Layout, Root, recover};
use crate::fsx;
use crate::model::to_canonical_json;

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Done {
    /// The release that is current now.
    pub release: u64,
    /// How many links were renamed or removed.
    pub links: usize,
}

/// A release with nothing left to do but its commit: the links may move, and nothing has been seen of it yet. One that
/// is dropped is undone by the next changing command.
#[derive(Debug)]
#[must_use]
pub struct Prepared<'r> {
    root: &'r Root,
    journal: ReleaseJournal,
}

/// Steps 1 and 2 of `plan`. `stage` fills an empty directory with the tree of a version; it is asked for several versions at
/// once, and may stop where the flag it is given says that another one failed.
///
/// # Errors
///
/// Everything is undone: the root is as before.
pub fn begin<'r, E: From<Error> + Send>(
    root: &'r Root,
    plan: &Plan,
    stage: impl Fn(&Install, &Path, &AtomicBool) -> Result<Staged, E> + Sync,
) -> Result<Prepared<'r>, E> {
    let mut journal = ReleaseJournal {
        entry: plan.entry.clone(),
        installs: plan.installs.iter().map(|i| (i.component.clone(), i.version.clone())).collect(),
        links: plan.links.clone(),
    };
    let done = prepare(root, plan, &mut journal, stage);
    let prepared = Prepared { root, journal };
    match done {
        Ok(()) => Ok(prepared),
        Err(error) => {
            prepared.undo();
            Err(error)
        }
    }
}

impl Prepared<'_> {
    /// Steps 3 to 5.
    ///
    /// # Errors
    ///
    /// Where the commit point was not reached the root is as before. After it: [`Error::DurabilityUnknown`] and
    /// [`Error::ReadBack`] of a release that is made to the end, or an error of the step that failed; then the journal
    /// stays open and the next changing command finishes the release.
    pub fn commit(self) -> Result<Done, Error> {
        commit(self.root, &self.journal)?;
        Ok(Done { release: self.journal.entry.release, links: self.journal.links.len() })
    }

    /// Leaves the root as it was before. If that fails too, the open journal makes the next command undo it.
    pub fn undo(self) {
        let _ = recover::undo(self.root, self.journal.entry.release, Some(&self.journal));
    }
}

/// Steps 1 and 2: everything that needs space.
fn prepare<E: From<Error> + Send>(
    root: &Root,
    plan: &Plan,
    journal: &mut ReleaseJournal,
    stage: impl Fn(&Install, &Path, &AtomicBool) -> Result<Staged, E> + Sync,
) -> Result<(), E> {
    let layout = root.layout();
    journal.open(layout)?;
    let began = Instant::now();
    let staged = stage_all(layout, &plan.installs, stage)?;
    if !plan.installs.is_empty() {
        root.filesystem().flush().map_err(Error::from)?;
        // In memory alone: the journal was written before anything could be measured, and is not written twice for it.
        journal.entry.work = Some(Work {
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            components: staged.iter().map(|s| (s.receipt.component.clone(), s.work.clone())).collect(),
        });
    }
    Ok(prepare_names(root, plan, &journal.entry, &staged)?)
}

fn prepare_names(root: &Root, plan: &Plan, entry: &Entry, staged: &[Staged]) -> Result<(), Error> {
    let layout = root.layout();
    for (install, Staged { receipt, inventory, .. }) in plan.installs.iter().zip(staged) {
        let (component, version) = (&install.component, &install.version);
        fsx::create_dir_all(&layout.component(component))?;
        fsx::rename_new(&layout.staged(component, version), &layout.version(component, version))?;
        receipt.write(layout)?;
        inventory.write(layout, component, version)?;
    }
    let release = layout.release(plan.entry.release);
    fsx::create_dir(&release)?;
    for (component, version) in &plan.after {
        fsx::symlink(&Layout::release_target(component, version), &release.join(component.as_str()))?;
    }
    // Durable before the first link outside is made: if the power goes, the journal may be torn, and then this alone says
    // where recovery has to look for such a link.
    own(layout, &plan.owned)?;
    let number = PathBuf::from(plan.entry.release.to_string());
    fsx::symlink(&number, &Layout::temporary(&layout.current_release()))?;
    for change in &plan.links {
        if let Some(target) = &change.target {
            fsx::symlink(target, &Layout::temporary(&layout.root().join(&change.path)))?;
        }
    }
    fsx::reserve(&layout.history(), entry.room())?;
    root.filesystem().flush()?;
    flush_outside(&plan.links)
}

/// Remembers which custom links are, or are about to be, ours: the union of before and `wanted`, since the links themselves
/// follow later. An entry whose link does not hold what it says is no claim.
pub(super) fn own(layout: &Layout, wanted: &BTreeMap<PathBuf, PathBuf>) -> Result<(), Error> {
    let before = owned(layout)?;
    let mut union = before.clone();
    union.retain(|path, target| matches!(look(path), Ok(Found::Link(held)) if held == *target));
    union.extend(wanted.clone());
    if union != before {
        fsx::write_atomic(&layout.custom_links(), &to_canonical_json(&union))?;
    }
    Ok(())
}

/// The custom links that may be ours, and what they hold.
pub(super) fn owned(layout: &Layout) -> Result<BTreeMap<PathBuf, PathBuf>, Error> {
    let path = layout.custom_links();
    let Some(bytes) = fsx::read_opt(&path)? else { return Ok(BTreeMap::new()) };
    serde_json::from_slice(&bytes).map_err(|e| Error::Damaged { path, damage: e.into() })
}

/// Step 3: the commit point, and all that follows.
fn commit(root: &Root, journal: &ReleaseJournal) -> Result<(), Error> {
    let layout = root.layout();
    let current = layout.current_release();
    if let Err(error) = fsx::rename(&Layout::temporary(&current), &current) {
        let _ = recover::undo(root, journal.entry.release, Some(journal));
        return Err(error.into());
    }
    let durable = root.filesystem().flush();
    finish(root, journal)?;
    durable.map_err(|source| Error::DurabilityUnknown { release: journal.entry.release, source })
}

/// Steps 4 and 5: links, history, end. Every part may have been done already, by a run that was stopped. A link that does
/// not hold what it was just given is somebody else's doing: the release is made to the end, so that it can be undone.
pub(super) fn finish(root: &Root, journal: &ReleaseJournal) -> Result<(), Error> {
    let layout = root.layout();
    let mut flushed = Ok(());
    for stage in [Stage::Free, Stage::Entries, Stage::Currents] {
        let mut changes = journal.links.iter().filter(|change| Stage::of(change) == stage).peekable();
        if flushed.is_ok() && changes.peek().is_some() {
            flushed = match stage {
                Stage::Free => Ok(()),
                Stage::Entries => flush_outside(&journal.links),
                Stage::Currents => root.filesystem().flush().map_err(Error::from),
            };
        }
        changes.try_for_each(|change| apply(layout, change))?;
    }
    let as_planned = journal.links.iter().try_for_each(|change| read_back(layout, change));
    journal.entry.append(layout)?;
    let last = root.filesystem().flush().map_err(Error::from).and_then(|()| flush_outside(&journal.links));
    let durable = flushed.and(last);
    journal::close_release(layout, journal.entry.release)?;
    as_planned?;
    durable.map_err(|error| match error {
        Error::Io(source) => Error::DurabilityUnknown { release: journal.entry.release, source },
        other => other,
    })
}

/// In which order links change: those that others lead through are removed when the others are gone for good, since a
/// power cut may bring back what was not flushed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What is made, and custom links that are removed.
    Free,
    /// Entries of `links/` that are removed.
    Entries,
    /// `current` links that are removed.
    Currents,
}

impl Stage {
    fn of(change: &LinkChange) -> Self {
        match change.target {
            None if change.path.starts_with("links") => Self::Entries,
            None if change.path.is_relative() => Self::Currents,
            _ => Self::Free,
        }
    }
}

/// Brings one link to what it shall hold.
fn apply(layout: &Layout, change: &LinkChange) -> Result<(), Error> {
    let link = layout.root().join(&change.path);
    let temporary = Layout::temporary(&link);
    let found = look(&link)?;
    match (&change.target, found) {
        (_, Found::Other) => return Err(Error::Blocked { path: link }),
        (Some(target), Found::Link(held)) if held == *target => {
            fsx::remove_file_opt(&temporary)?;
        }
        (Some(target), _) => match look(&temporary)? {
            Found::Link(held) if held == *target => fsx::rename(&temporary, &link)?,
            _ => fsx::replace_link(target, &link, &temporary)?,
        },
        (None, _) => {
            fsx::remove_file_opt(&link)?;
        }
    }
    Ok(())
}

fn read_back(layout: &Layout, change: &LinkChange) -> Result<(), Error> {
    let path = layout.root().join(&change.path);
    match (&change.target, look(&path)?) {
        (Some(wanted), Found::Link(held)) if held == *wanted => Ok(()),
        (Some(wanted), _) => Err(Error::ReadBack { path, wanted: wanted.clone() }),
        (None, _) => Ok(()),
    }
}

/// Flushes the directories of links outside the root, which the root's file system may not cover.
fn flush_outside(links: &[LinkChange]) -> Result<(), Error> {
    for change in links.iter().filter(|change| change.path.is_absolute()) {
        fsx::flush_dir(change.path.parent().unwrap_or(Path::new("/")))?;
    }
    Ok(())
}

//! Bringing a root that was left in the middle of something to before or after.

use std::path::PathBuf;

use super::audit::{Ending, Event};
use super::checks::Why;
use super::journal::{self, CleanupJournal, Open, ReleaseJournal};
use super::state::{State, current_number, types};
use super::{Damage, Error, Layout, Receipt, Root, transaction};
use crate::fsx::{self, FileKind};

/// What recovery found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The root was whole.
    Clean,
    /// A release was being made and had not reached its commit point: undone.
    Undone {
        /// Its number.
        release: u64,
    },
    /// A release had passed its commit point: finished.
    Finished {
        /// Its number.
        release: u64,
    },
    /// A cleanup was under way: finished.
    CleanedUp,
    /// The current release was stopped before the result of its checks was known: checked again, and it stands.
    Checked {
        /// Its number.
        release: u64,
        /// Whether it passed; a rollback that did not stays all the same.
        passed: bool,
    },
    /// The current release did not stand: undone by another one.
    RolledBack {
        /// Its number.
        release: u64,
        /// The one that undid it.
        by: u64,
        /// Why it did not stand.
        why: Why,
    },
}

/// Finishes or undoes what earlier runs left open, and sweeps up what a power cut may have left without a journal. Returns
/// what came of the newest.
pub(super) fn recover(root: &Root) -> Result<Recovery, Error> {
    let layout = root.layout();
    let mut recovery = Recovery::Clean;
    for open in journal::all(layout)? {
        recovery = match open {
            Open::Cleanup(journal) => {
                super::cleanup::finish(root, &journal.unwrap_or_else(CleanupJournal::default), &mut |_| {})?;
                Recovery::CleanedUp
            }
            Open::Release(number, journal) if current_number(layout)? == Some(number) => {
                let journal = journal.ok_or_else(|| Error::Damaged {
                    path: layout.journals().join(format!("{number}.json")),
                    damage: Damage::Journal,
                })?;
                transaction::finish(root, &journal)?;
                Recovery::Finished { release: number }
            }
            // Later releases begin when this one is done: its journal was closed, and came back.
            Open::Release(number, _) if current_number(layout)? > Some(number) => {
                journal::close_release(layout, number)?;
                Recovery::Finished { release: number }
            }
            Open::Release(number, journal) => {
                undo(root, number, journal.as_deref())?;
                if let Some(journal) = &journal {
                    // A full disk must not stop who brings the root back to what it was.
                    let _ = Event::instead_of(&journal.entry, Ending::Undone, None).append(layout);
                }
                Recovery::Undone { release: number }
            }
        };
    }
    sweep(layout)?;
    Ok(recovery)
}

/// Undoes a release that has not reached its commit point: afterwards the root is as before.
pub(super) fn undo(root: &Root, number: u64, journal: Option<&ReleaseJournal>) -> Result<(), Error> {
    let layout = root.layout();
    fsx::remove_file_opt(&Layout::temporary(&layout.current_release()))?;
    if let Some(journal) = journal {
        for change in &journal.links {
            fsx::remove_file_opt(&Layout::temporary(&layout.root().join(&change.path)))?;
        }
        fsx::remove_tree(&layout.release(number))?;
        for (component, version) in &journal.installs {
            remove_version(layout, component, version, &mut || {})?;
            Receipt::remove(layout, component, version)?;
            remove_if_empty(&layout.receipts(component))?;
            remove_if_empty(&layout.component(component))?;
        }
    }
    sweep(layout)?;
    root.filesystem().flush()?;
    journal::close_release(layout, number)
}

/// Removes a version directory: renamed out of sight first, so that no half version is ever seen under its name. Tells of
/// each name that is gone.
pub(super) fn remove_version(
    layout: &Layout,
    component: &crate::model::ComponentType,
    version: &crate::model::Version,
    removed: &mut dyn FnMut(),
) -> Result<(), Error> {
    let (dir, away) = (layout.version(component, version), layout.staged(component, version));
    if fsx::inspect(&dir)?.is_some() {
        fsx::remove_tree(&away)?;
        fsx::rename(&dir, &away)?;
    }
    Ok(fsx::remove_tree_told(&away, removed)?)
}

fn remove_if_empty(dir: &std::path::Path) -> Result<(), Error> {
    match fsx::remove_dir(dir) {
        Err(e) if e.is_exists() || e.is_not_found() => Ok(()),
        other => Ok(other?),
    }
}

/// What only an unfinished run leaves: staging, half-written state files, a release that is not current yet, temporary
/// links. Looks at a handful of names, however many versions and releases there are.
pub(super) fn leftovers(layout: &Layout) -> Result<Vec<PathBuf>, Error> {
    let staged = fsx::list(&layout.staging())?.into_iter().map(|entry| layout.staging().join(entry.name));
    let mut found: Vec<PathBuf> = staged.collect();
    for dir in [layout.state(), layout.journals()] {
        let unfinished = |name: &std::ffi::OsStr| name.as_encoded_bytes().ends_with(b".tmp");
        let entries = fsx::list(&dir)?.into_iter().filter(|entry| unfinished(&entry.name));
        found.extend(entries.map(|entry| dir.join(entry.name)));
    }
    let mut names = vec![layout.release(State::read(layout)?.number().unwrap_or(0) + 1)];
    let mut links = vec![layout.current_release()];
    for component in types(layout)? {
        links.extend([layout.current(&component), layout.link(&component)]);
    }
    links.extend(transaction::owned(layout)?.into_keys());
    names.extend(links.iter().map(|link| Layout::temporary(link)));
    for name in names {
        if fsx::inspect(&name)?.is_some() {
            found.push(name);
        }
    }
    Ok(found)
}

/// Removes what only an unfinished run leaves.
fn sweep(layout: &Layout) -> Result<(), Error> {
    for path in leftovers(layout)? {
        match fsx::inspect(&path)? {
            Some(stat) if stat.kind == FileKind::Directory => fsx::remove_tree(&path)?,
            _ => drop(fsx::remove_file_opt(&path)?),
        }
    }
    Ok(())
}

//! Filling the staging directories of a transaction, several at once.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::plan::Install;
use super::{ComponentWork, Error, Inventory, Layout, Receipt};
use crate::fsx;

/// So many versions are staged at once; each unpacks on as many threads as the configuration says.
const AT_ONCE: usize = 4;

/// A version in its staging directory.
#[derive(Debug)]
pub struct Staged {
    /// What it is.
    pub receipt: Receipt,
    /// What it holds.
    pub inventory: Inventory,
    /// What it took.
    pub work: ComponentWork,
}

/// Makes a staging directory for each of `installs` and lets `stage` fill it. What comes back is in the order of
/// `installs`, whichever was done first.
///
/// # Errors
///
/// The first error, by time. No other version is begun after it; those that were begun see it by the flag that `stage` is
/// given, and are waited for, so that nobody writes into a staging directory any more.
pub(super) fn stage_all<E: From<Error> + Send>(
    layout: &Layout,
    installs: &[Install],
    stage: impl Fn(&Install, &Path, &AtomicBool) -> Result<Staged, E> + Sync,
) -> Result<Vec<Staged>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (done, failure) = (Mutex::new(Vec::new()), Mutex::new(None));
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(install) = installs.get(number) else { return };
            match stage_one(layout, install, &failed, &stage) {
                Ok(staged) => done.lock().unwrap_or_else(PoisonError::into_inner).push((number, staged)),
                Err(error) => {
                    // First this, then the flag: what ends because of the flag is not what went wrong.
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    failed.store(true, Ordering::SeqCst);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..AT_ONCE.min(installs.len()) {
            scope.spawn(work);
        }
        work();
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, staged)| staged).collect())
}

fn stage_one<E: From<Error>>(
    layout: &Layout,
    install: &Install,
    failed: &AtomicBool,
    stage: &(impl Fn(&Install, &Path, &AtomicBool) -> Result<Staged, E> + Sync),
) -> Result<Staged, E> {
    let staged = layout.staged(&install.component, &install.version);
    fsx::create_dir(&staged).map_err(Error::from)?;
    stage(install, &staged, failed)
}

//! A store that nobody else uses: collecting.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Entry, Plan, Result, Store, packed, partial};
use crate::fsx::{self, Mode};

/// A store held alone.
#[derive(Debug)]
pub struct Exclusive {
    store: Store,
}

/// What a collection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// How many contents and leftovers were removed.
    pub files: usize,
    /// How many bytes that freed.
    pub bytes: u64,
}

impl Deref for Exclusive {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Exclusive {
    /// Opens the store at `path` and waits up to `wait` for its users to end. `holder` is what they are told while this
    /// is held.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn open(path: &Path, holder: &str, wait: Duration) -> Result<Self> {
        Ok(Self { store: Store::lock(path, Mode::Exclusive, holder, wait)? })
    }

    /// Does what `plan`, made of this store since it was opened, says. Stopped in the middle, the rest is found by the
    /// next plan. `removed` is told of the bytes that each of them had.
    pub fn collect(&self, plan: &Plan, removed: &dyn Fn(u64)) -> Result<Collected> {
        let place = |entry: &Entry| match entry.unfinished {
            true => partial::place(self.directory(), &entry.sha256),
            false => self.place(&entry.sha256),
        };
        let contents = plan.removed.iter().map(|(entry, _)| (place(entry), entry.size));
        let leftovers = plan.leftovers.iter().map(|leftover| (leftover.path.clone(), leftover.size));
        let mut done = Collected { files: 0, bytes: 0 };
        let mut directories = BTreeSet::<PathBuf>::new();
        for (path, size) in contents.chain(leftovers) {
            let is_tree = fsx::inspect(&path)?.is_some_and(|stat| stat.kind == fsx::FileKind::Directory);
            if is_tree {
                fsx::remove_tree(&path)?;
            }
            if is_tree || fsx::remove_file_opt(&path)? {
                done.files += 1;
                done.bytes += size;
                directories.extend(path.parent().map(Path::to_owned));
            }
            removed(size);
        }
        for (component, version) in &plan.notes {
            let path = packed::place(self.directory(), component, version);
            fsx::remove_file_opt(&path)?;
            directories.extend(path.parent().map(Path::to_owned));
        }
        directories.iter().try_for_each(|directory| fsx::flush_dir(directory))?;
        Ok(done)
    }
}

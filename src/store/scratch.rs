//! Room to work in, on the store's file system.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Result, Store};
use crate::fsx;

/// A directory in `tmp/` that is nobody else's. Dropping it removes it; what a crash leaves, gc finds.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Store {
    /// A new, empty directory to work in.
    pub fn scratch(&self) -> Result<Scratch> {
        static GIVEN: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = GIVEN.fetch_add(1, Ordering::Relaxed);
            let path = self.directory().join(format!("tmp/scratch-{}-{number}", std::process::id()));
            match fsx::create_dir(&path) {
                // Another host or container made the same name.
                Err(e) if e.is_exists() => {}
                made => return made.map(|()| Scratch { path }).map_err(Into::into),
            }
        }
    }
}

impl Scratch {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fsx::remove_tree(&self.path);
    }
}

//! The index of one work tree: git's own lock on it, and a new version of it that differs in our entries only.
//!
//! libgit2 would take `index.lock` by itself, but only while it writes, and we must hold it from before the files are
//! written until the branch has moved. So the index is copied to `index.deploy-tool` (with its modification time, by
//! which git and libgit2 know entries that changed in the instant the index was written), libgit2 edits the copy, and the
//! edited bytes are written into the lock that we hold and renamed over the index:
//!
//! ```text
//! index ──copy──> index.deploy-tool ──libgit2──> bytes ──> index.lock ──rename──> index
//! ```
//!
//! Entries, staged changes, conflicts, resolve-undo and flags such as skip-worktree survive; caches that libgit2 does not
//! know (untracked files, fsmonitor) are dropped and git makes them again. A split or sparse index is refused.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git2::{IndexEntry, IndexEntryExtendedFlag, IndexTime};

use super::error::Error;
use crate::fsx::{self, Action};

/// The first and the longest pause between two looks at a lock.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// Calls `attempt` until it gives something or `patience` has passed, with growing pauses.
pub(super) fn wait_for<T>(
    patience: Duration,
    mut attempt: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    let deadline = Instant::now() + patience;
    let mut pause = PAUSES.0;
    loop {
        if let Some(value) = attempt()? {
            return Ok(Some(value));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = PAUSES.1.min(pause * 2);
    }
}

/// `index.lock`, held: no git program changes the index meanwhile. Dropping it removes it.
pub(super) struct IndexLock {
    index: PathBuf,
    lock: PathBuf,
    file: File,
    published: bool,
}

impl IndexLock {
    /// Takes the lock of the index in the git directory `dir`; waits for programs that hold it for a moment.
    pub fn take(dir: &Path, patience: Duration) -> Result<Self, Error> {
        let (index, lock) = (dir.join("index"), dir.join("index.lock"));
        let file = wait_for(patience, || match fsx::create_new(&lock) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.is_exists() => Ok(None),
            Err(e) => Err(e.into()),
        })?;
        match file {
            Some(file) => Ok(Self { index, lock, file, published: false }),
            None => Err(Error::IndexLocked { path: lock }),
        }
    }

    /// Writes what the index shall be into the lock file and flushes it. Nothing reads it there.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let failed = |e| fsx::Error::new(Action::Write, &self.lock, e);
        self.file.rewind().and_then(|()| self.file.set_len(0)).map_err(failed)?;
        self.file.write_all(bytes).map_err(failed)?;
        // Where a repository is shared by a group, git has given the index wider bits than our umask would.
        if let Some(stat) = fsx::inspect(&self.index)? {
            fsx::set_mode(&self.lock, stat.mode)?;
        }
        Ok(fsx::flush_file(&self.file, &self.lock)?)
    }

    /// Makes what was written the index, and durable.
    pub fn publish(mut self) -> Result<(), fsx::Error> {
        fsx::rename(&self.lock, &self.index)?;
        self.published = true;
        fsx::flush_dir(self.index.parent().unwrap_or(Path::new("/")))
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        if !self.published {
            let _ = fsx::remove_file(&self.lock);
        }
    }
}

/// An edited copy of an index whose lock is held. Dropping it removes the copy.
pub(super) struct IndexEdit {
    index: git2::Index,
    path: PathBuf,
    copy: PathBuf,
}

impl IndexEdit {
    /// Copies the index that `lock` protects and makes the copy the index of `git`, so that its status speaks of it.
    pub fn begin(git: &git2::Repository, lock: &IndexLock) -> Result<Self, Error> {
        let path = lock.index.clone();
        let copy = path.with_file_name("index.deploy-tool");
        // Leftovers of a run that was killed: whoever holds the lock on the index owns them.
        fsx::remove_file_opt(&copy)?;
        fsx::remove_file_opt(&copy.with_file_name("index.deploy-tool.lock"))?;
        if let Some(bytes) = fsx::read_opt(&path)? {
            let mtime = fsx::open(&path)?.metadata().and_then(|m| m.modified());
            let mtime = mtime.map_err(|e| fsx::Error::new(Action::Inspect, &path, e))?;
            let mut file = fsx::create_new(&copy)?;
            let done = file.write_all(&bytes).and_then(|()| file.set_modified(mtime));
            done.map_err(|e| fsx::Error::new(Action::Write, &copy, e))?;
        }
        let opened = git2::Index::open(&copy).and_then(|mut index| git.set_index(&mut index).map(|()| index));
        match opened {
            Ok(index) => Ok(Self { index, path, copy }),
            Err(e) => {
                fsx::remove_file_opt(&copy)?;
                Err(Error::IndexFormat { path, reason: e.message().to_owned() })
            }
        }
    }

    /// What the index says of `path`; `Err` with the path in the way where it holds a merge conflict at `path`, a file
    /// above it, or files below it.
    pub fn find(&self, path: &Path) -> Result<Option<IndexEntry>, PathBuf> {
        if (1..=3).any(|stage| self.index.get_path(path, stage).is_some()) {
            return Err(path.to_owned());
        }
        let mut above = path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty());
        if let Some(file) = above.find(|p| (0..=3).any(|stage| self.index.get_path(p, stage).is_some())) {
            return Err(file.to_owned());
        }
        let mut below = path.as_os_str().as_bytes().to_vec();
        below.push(b'/');
        let first = self.index.find_prefix(below.as_slice()).ok().and_then(|n| self.index.get(n));
        match first.filter(|entry| entry.path.starts_with(&below)) {
            Some(entry) => Err(PathBuf::from(OsStr::from_bytes(&entry.path))),
            None => Ok(self.index.get_path(path, 0)),
        }
    }

    /// Sets the entry of `path` to the blob `id`, with the size and times of `file`. Without a file (a sparse checkout
    /// leaves it out) the entry keeps its skip-worktree bit.
    pub fn set(&mut self, path: &Path, id: git2::Oid, file: Option<&Path>) -> Result<(), Error> {
        let mut entry = IndexEntry {
            ctime: IndexTime::new(0, 0),
            mtime: IndexTime::new(0, 0),
            dev: 0,
            ino: 0,
            mode: git2::FileMode::Blob.into(),
            uid: 0,
            gid: 0,
            file_size: 0,
            id,
            flags: 0,
            flags_extended: IndexEntryExtendedFlag::SKIP_WORKTREE.bits(),
            path: path.as_os_str().as_bytes().to_vec(),
        };
        if let Some(file) = file {
            let meta = fsx::open(file)?.metadata().map_err(|e| fsx::Error::new(Action::Inspect, file, e))?;
            // The format has 32 bits for each: git cuts the same bits off.
            entry.ctime = IndexTime::new(meta.ctime() as i32, meta.ctime_nsec() as u32);
            entry.mtime = IndexTime::new(meta.mtime() as i32, meta.mtime_nsec() as u32);
            (entry.dev, entry.ino) = (meta.dev() as u32, meta.ino() as u32);
            (entry.uid, entry.gid) = (meta.uid(), meta.gid());
            entry.file_size = meta.len() as u32;
            entry.flags_extended = 0;
        }
        self.index.add(&entry).map_err(|e| self.failed(&e))
    }

    /// The bytes of the edited index.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        self.index.write().map_err(|e| self.failed(&e))?;
        Ok(fsx::read(&self.copy)?)
    }

    fn failed(&self, e: &git2::Error) -> Error {
        Error::IndexFormat { path: self.path.clone(), reason: e.message().to_owned() }
    }
}

impl Drop for IndexEdit {
    fn drop(&mut self) {
        let _ = fsx::remove_file_opt(&self.copy);
    }
}

//! The index of one work tree: git's own lock on it, and a new version of it that differs in our entries only.
//!
//! libgit2 would take `index.lock` by itself, but only while it writes, and we must hold it from before the files are
//! written until the branch has moved. So the index is copied to `index.deploy-tool` (with its modification time, by
//! which git and libgit2 know entries that changed in the instant the index was written), libgit2 edits the copy, and the
//! copy is renamed over the index while we hold the lock:
//!
//! ```text
//! index ──copy──> index.deploy-tool ──libgit2──> index.deploy-tool ──rename──> index
//! index.lock      our mark and note (see `unfinished`), from before the copy until after the rename
//! ```
//!
//! Whoever makes our `index.lock` also holds an advisory lock on the git directory, which dies with him: who gets that one
//! and still finds an `index.lock` of ours finishes or undoes what a killed run left there.
//!
//! Entries, staged changes, conflicts, resolve-undo and flags such as skip-worktree survive; caches that libgit2 does not
//! know (untracked files, fsmonitor) are dropped and git makes them again. A split or sparse index is refused.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git2::{IndexEntry, IndexEntryExtendedFlag, IndexTime};

use super::error::Error;
use super::unfinished::{self, Note};
use crate::fsx::{self, Action, Lock, LockError};

/// The first and the longest pause between two looks at a lock.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// The name under which a lock file gets its content before it becomes `index.lock`.
const MARKED: &str = "index.deploy-tool.mark";

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
    prepared: PathBuf,
    lock: PathBuf,
    left: bool,
    _alone: Option<Lock>,
}

impl IndexLock {
    /// Takes the lock of the index of `git`; waits for programs that hold it for a moment, and puts right what a run of ours
    /// left that was killed.
    pub fn take(git: &git2::Repository, patience: Duration) -> Result<Self, Error> {
        let dir = git.path();
        let (index, lock) = (dir.join("index"), dir.join("index.lock"));
        let alone = match Lock::take_dir(dir, patience) {
            Ok(alone) => Some(alone),
            Err(LockError::Held { .. }) => return Err(Error::IndexLocked { path: lock }),
            // Where directories cannot be locked nobody knows that a holder is dead: then a stale lock stays, as git's does.
            Err(LockError::Io(_)) => None,
        };
        let prepared = dir.join("index.deploy-tool");
        let new =
            dir.join(if alone.is_some() { MARKED.to_owned() } else { format!("{MARKED}.{}", std::process::id()) });
        fsx::remove_file_opt(&new)?;
        fsx::write_new(&new, &Note::to_bytes(None))?;
        let taken = wait_for(patience, || match fsx::rename_new(&new, &lock) {
            Ok(()) => Ok(Some(())),
            Err(e) if e.is_exists() && alone.is_some() && unfinished::is_ours(&lock)? => {
                unfinished::recover(git, &lock, &index, &prepared).map(|()| None)
            }
            Err(e) if e.is_exists() => Ok(None),
            Err(e) => Err(e.into()),
        });
        match taken {
            Ok(Some(())) => Ok(Self { index, prepared, lock, left: false, _alone: alone }),
            other => {
                fsx::remove_file_opt(&new)?;
                other.and(Err(Error::IndexLocked { path: lock }))
            }
        }
    }

    /// Notes in the lock what is about to be done under it; durable when it returns.
    pub fn note(&self, note: &Note) -> Result<(), fsx::Error> {
        let new = self.lock.with_file_name(MARKED);
        fsx::remove_file_opt(&new)?;
        fsx::write_new(&new, &Note::to_bytes(Some(note)))?;
        fsx::rename(&new, &self.lock)?;
        fsx::flush_dir(self.lock.parent().unwrap_or(Path::new("/")))
    }

    /// Makes the prepared index the index, and durable. If that fails the lock is left, so that git commits nothing on an
    /// index that does not know of the commit, and the next one to take it finishes this.
    pub fn publish(mut self) -> Result<(), fsx::Error> {
        self.left = true;
        fsx::rename(&self.prepared, &self.index)?;
        self.left = false;
        fsx::flush_dir(self.index.parent().unwrap_or(Path::new("/")))
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        if !self.left {
            let _ = fsx::remove_file_opt(&self.prepared);
            let _ = fsx::remove_file(&self.lock);
        }
    }
}

/// An edited copy of an index whose lock is held; the lock removes it if nothing comes of it.
pub(super) struct IndexEdit {
    index: git2::Index,
    path: PathBuf,
    copy: PathBuf,
}

impl IndexEdit {
    /// Copies the index that `lock` protects and makes the copy the index of `git`, so that its status speaks of it.
    pub fn begin(git: &git2::Repository, lock: &IndexLock) -> Result<Self, Error> {
        let (path, copy) = (lock.index.clone(), lock.prepared.clone());
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
            Err(e) => Err(Error::IndexFormat { path, reason: e.message().to_owned() }),
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

    /// Writes the edited copy and flushes it: it is ready to be published.
    pub fn finish(mut self) -> Result<(), Error> {
        self.index.write().map_err(|e| self.failed(&e))?;
        // Where a repository is shared by a group, git has given the index wider bits than our umask would.
        if let Some(stat) = fsx::inspect(&self.path)? {
            fsx::set_mode(&self.copy, stat.mode)?;
        }
        Ok(fsx::flush_file(&fsx::open(&self.copy)?, &self.copy)?)
    }

    fn failed(&self, e: &git2::Error) -> Error {
        Error::IndexFormat { path: self.path.clone(), reason: e.message().to_owned() }
    }
}

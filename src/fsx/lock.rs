//! Advisory locks on files: shared or exclusive, freed by the holder's death.
//!
//! The lock file's content names the last exclusive holder, for the message of whoever has to wait.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::{Action, Context as _, Error};
use super::fault;

/// How a lock is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Several holders, none exclusive.
    Shared,
    /// One holder.
    Exclusive,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("`{}` is locked by {holder}", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What the last exclusive holder wrote about itself; may be empty.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    Io(#[from] Error),
}

/// A held lock; dropping it, or the death of the process, frees it.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock at `path`, creating the file, and waits up to `wait` for other holders to go. An exclusive
    /// holder leaves `holder` in the file.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] after `wait`.
    pub fn take(path: &Path, mode: Mode, holder: &str, wait: Duration) -> Result<Self, LockError> {
        fault::point(Action::Lock, path)?;
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path).at(Action::Lock, path)?;
        if !acquire(&file, path, mode, wait)? {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(LockError::Held { path: path.to_owned(), holder: holder.trim_end().to_owned() });
        }
        if mode == Mode::Exclusive {
            let note = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{holder}"));
            // The note only serves a message: a full disk must not stop who holds the lock.
            let _ = note;
        }
        Ok(Self { file })
    }

    /// Takes an exclusive lock on the directory `path` itself, which needs no more than reading it, and waits up to `wait`
    /// for another holder to go. Some network file systems cannot lock directories.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] after `wait`, with no holder named.
    pub fn take_dir(path: &Path, wait: Duration) -> Result<Self, LockError> {
        fault::point(Action::Lock, path)?;
        let dir = File::open(path).at(Action::Lock, path)?;
        match acquire(&dir, path, Mode::Exclusive, wait)? {
            true => Ok(Self { file: dir }),
            false => Err(LockError::Held { path: path.to_owned(), holder: String::new() }),
        }
    }
}

impl Drop for Lock {
    /// Frees the lock itself and not only our handle: a process that another thread is just starting has a copy of it until
    /// it runs its own program.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Locks an open file; `false` where somebody else still holds it after `wait`.
fn acquire(file: &File, path: &Path, mode: Mode, wait: Duration) -> Result<bool, Error> {
    let deadline = Instant::now() + wait;
    loop {
        let attempt = match mode {
            Mode::Shared => file.try_lock_shared(),
            Mode::Exclusive => file.try_lock(),
        };
        match attempt {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(e)) => return Err(Error::new(Action::Lock, path, e)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::WouldBlock) => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_lock_is_free_though_a_starting_process_has_a_copy_of_its_handle() {
        let dir = tempfile::tempdir().expect("a directory");
        let lock = Lock::take_dir(dir.path(), Duration::ZERO).expect("free");
        let _inherited = lock.file.try_clone().expect("a copy");
        assert!(Lock::take_dir(dir.path(), Duration::ZERO).is_err());
        drop(lock);
        Lock::take_dir(dir.path(), Duration::ZERO).expect("free again");
    }

    #[test]
    fn exclusive_excludes_and_names_the_holder() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let first = Lock::take(&path, Mode::Exclusive, "pid 1 deploy", Duration::ZERO).expect("free");
        match Lock::take(&path, Mode::Shared, "", Duration::from_millis(30)) {
            Err(LockError::Held { holder, .. }) => assert_eq!(holder, "pid 1 deploy"),
            other => panic!("{other:?}"),
        }
        drop(first);
        let _a = Lock::take(&path, Mode::Shared, "", Duration::ZERO).expect("free again");
        let _b = Lock::take(&path, Mode::Shared, "", Duration::ZERO).expect("shared");
        assert!(Lock::take(&path, Mode::Exclusive, "", Duration::ZERO).is_err());
    }
}

//! Advisory locks on files: shared or exclusive, freed by the holder's death.
//!
//! The lock file's content names the exclusive holder, for the message of whoever has to wait; it is empty while nobody or
//! only readers hold it.
//!
//! # Who takes which
//!
//! | who | lock |
//! |---|---|
//! | whatever changes a root | exclusive, on `.deploy-tool/lock` |
//! | whatever writes into a store | shared, on its `lock`: writers never collide, since contents are named by digest |
//! | `store gc` | exclusive, on the same |
//! | readers | none: every file they read is replaced by one rename or only grows, and a look that finds a version gone says so |
//!
//! # Where locks lie
//!
//! Some file systems grant every lock (some FUSE and network file systems), others none (NFS without its lock service). So
//! each lock that is granted is asked for once more through a second handle, which must be refused; where it is not, or where
//! locks are not supported at all, a [claim](super::claim) excludes others instead, and [`Lock::weakness`] says so. A file
//! system that grants honest locks to this machine alone (NFS mounted with `nolock`) looks honest and cannot be told apart.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::claim::Claim;
use super::dir::shared_bits;
use super::error::{Action, Context as _, Error};
use super::fault::{self, Locks};

/// How often a lock that somebody else holds is asked for again.
const PAUSE: Duration = Duration::from_millis(20);

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
        /// What the exclusive holder wrote about itself; empty where readers hold it.
        holder: String,
        /// The claim (`claim.rs`) it holds, where locks are of no use.
        claim: Option<PathBuf>,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    Io(#[from] Error),
}

/// Why a lock of the file system does not exclude others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It is granted to everybody.
    Lies,
    /// It is granted to nobody.
    Unsupported,
}

/// A held lock; dropping it, or the death of the process, frees it.
#[derive(Debug)]
pub struct Lock {
    hold: Hold,
    /// Whether the file's content is ours to clear.
    noted: bool,
}

#[derive(Debug)]
enum Hold {
    Kernel(File),
    Claimed { _claim: Claim, weakness: Weakness },
}

impl Lock {
    /// Takes the lock at `path`, creating the file, and waits up to `wait` for other holders to go. `holder` is what others
    /// read about us. Where the file system's locks are of no use, a shared lock excludes others too.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] after `wait`.
    pub fn take(path: &Path, mode: Mode, holder: &str, wait: Duration) -> Result<Self, LockError> {
        fault::point(Action::Lock, path)?;
        let mode_bits = 0o644 | shared_bits(path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(mode_bits);
        let mut file = options.open(path).at(Action::Lock, path)?;
        let deadline = Instant::now() + wait;
        let weakness = match acquire(&file, path, mode, deadline)? {
            Granted::Yes => is_granted_twice(path)?.then_some(Weakness::Lies),
            Granted::Unsupported => Some(Weakness::Unsupported),
            Granted::No => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(LockError::Held {
                    path: path.to_owned(),
                    holder: holder.trim_end().to_owned(),
                    claim: None,
                });
            }
        };
        if let Some(weakness) = weakness {
            let claim = Claim::take(path, holder, deadline, PAUSE)?;
            return Ok(Self { hold: Hold::Claimed { _claim: claim, weakness }, noted: false });
        }
        let noted = mode == Mode::Exclusive;
        if noted {
            // The note only serves a message: a full disk must not stop who holds the lock.
            let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{holder}"));
        }
        Ok(Self { hold: Hold::Kernel(file), noted })
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
        match acquire(&dir, path, Mode::Exclusive, Instant::now() + wait)? {
            Granted::Yes => Ok(Self { hold: Hold::Kernel(dir), noted: false }),
            Granted::No => Err(LockError::Held { path: path.to_owned(), holder: String::new(), claim: None }),
            Granted::Unsupported => Err(Error::new(Action::Lock, path, rustix::io::Errno::NOLCK).into()),
        }
    }

    /// Why the file system's own lock was not enough; `None` where it is.
    pub fn weakness(&self) -> Option<Weakness> {
        match self.hold {
            Hold::Kernel(_) => None,
            Hold::Claimed { weakness, .. } => Some(weakness),
        }
    }
}

impl Drop for Lock {
    /// Frees the lock itself and not only our handle: a process that another thread is just starting has a copy of it until
    /// it runs its own program.
    fn drop(&mut self) {
        if let Hold::Kernel(file) = &self.hold {
            if self.noted {
                let _ = file.set_len(0);
            }
            let _ = file.unlock();
        }
    }
}

enum Granted {
    Yes,
    /// Somebody else holds it.
    No,
    Unsupported,
}

/// Locks an open file, and asks again until `deadline`.
fn acquire(file: &File, path: &Path, mode: Mode, deadline: Instant) -> Result<Granted, Error> {
    match fault::locks() {
        Locks::Honest => {}
        Locks::Lie => return Ok(Granted::Yes),
        Locks::Unsupported => return Ok(Granted::Unsupported),
    }
    loop {
        match attempt(file, mode) {
            Ok(()) => return Ok(Granted::Yes),
            Err(TryLockError::Error(e)) if is_unsupported(&e) => return Ok(Granted::Unsupported),
            Err(TryLockError::Error(e)) => return Err(Error::new(Action::Lock, path, e)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Ok(Granted::No),
        }
    }
}

fn attempt(file: &File, mode: Mode) -> Result<(), TryLockError> {
    match mode {
        Mode::Shared => file.try_lock_shared(),
        Mode::Exclusive => file.try_lock(),
    }
}

fn is_unsupported(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let unsupported = [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS];
    Errno::from_io_error(error).is_some_and(|errno| unsupported.contains(&errno))
}

/// Whether a second handle gets an exclusive lock that a first one holds: locks belong to handles, so an honest file system
/// refuses it. Source: flock(2).
fn is_granted_twice(path: &Path) -> Result<bool, Error> {
    if fault::locks() == Locks::Lie {
        return Ok(true);
    }
    let second = OpenOptions::new().read(true).write(true).open(path).at(Action::Lock, path)?;
    Ok(attempt(&second, Mode::Exclusive).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_lock_is_free_though_a_starting_process_has_a_copy_of_its_handle() {
        let dir = tempfile::tempdir().expect("a directory");
        let lock = Lock::take_dir(dir.path(), Duration::ZERO).expect("free");
        let Hold::Kernel(file) = &lock.hold else { panic!("a lock of the kernel") };
        let _inherited = file.try_clone().expect("a copy");
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
        assert_eq!(std::fs::read(&path).expect("read"), b"", "nobody holds it");
        let _a = Lock::take(&path, Mode::Shared, "", Duration::ZERO).expect("free again");
        let _b = Lock::take(&path, Mode::Shared, "", Duration::ZERO).expect("shared");
        let refused = Lock::take(&path, Mode::Exclusive, "pid 2", Duration::ZERO);
        assert!(matches!(refused, Err(LockError::Held { holder, .. }) if holder.is_empty()), "readers are not named");
        assert_eq!(_a.weakness(), None);
    }
}

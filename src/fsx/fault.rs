//! Fault points: every change of the disk asks here first, so that a test can stop the program at each of them.
//!
//! In debug builds [`arm`] makes the n-th change of the run fail (killed, EIO or ENOSPC) and [`trace`] writes each
//! change that was asked for into a file, from which a test learns how many there are: a new write, rename or link is
//! tested the day it is written. In release builds a point is nothing at all.

use std::path::Path;

#[cfg(debug_assertions)]
use super::error::Error;
use super::error::{Action, Result};

/// What happens at the armed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process gets SIGKILL, as from `kill -9`.
    Kill,
    /// The action fails with an I/O error.
    Eio,
    /// The action fails because the disk is full.
    Enospc,
}

#[cfg(debug_assertions)]
mod armed {
    use std::fs::File;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, OnceLock};

    use super::Fault;

    pub static SEEN: AtomicU64 = AtomicU64::new(0);
    pub static ARMED: OnceLock<(Fault, u64)> = OnceLock::new();
    pub static TRACE: OnceLock<Mutex<File>> = OnceLock::new();

    pub fn next() -> u64 {
        SEEN.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// Makes the `nth` change of the disk fail, counted from 1. Only in debug builds; a second call is ignored.
pub fn arm(fault: Fault, nth: u64) {
    #[cfg(debug_assertions)]
    armed::ARMED.get_or_init(|| (fault, nth));
    #[cfg(not(debug_assertions))]
    let _ = (fault, nth);
}

/// Writes one line for each change of the disk into `path`: its number, the action and what it is done to. Only in debug builds.
///
/// # Errors
///
/// The file cannot be created.
pub fn trace(path: &Path) -> Result<()> {
    #[cfg(debug_assertions)]
    {
        let file = std::fs::File::create(path).map_err(|e| Error::new(Action::Create, path, e))?;
        armed::TRACE.get_or_init(|| std::sync::Mutex::new(file));
    }
    #[cfg(not(debug_assertions))]
    let _ = path;
    Ok(())
}

/// Asks whether `action` on `path` may go on.
///
/// # Errors
///
/// The armed fault, in debug builds.
pub(super) fn point(action: Action, path: &Path) -> Result<()> {
    #[cfg(debug_assertions)]
    {
        if armed::ARMED.get().is_none() && armed::TRACE.get().is_none() {
            return Ok(());
        }
        let number = armed::next();
        if let Some(Ok(mut file)) = armed::TRACE.get().map(|file| file.lock()) {
            use std::io::Write as _;
            writeln!(file, "{number} {action} {}", path.display()).map_err(|e| Error::new(Action::Write, path, e))?;
        }
        match armed::ARMED.get() {
            Some((fault, nth)) if *nth == number => return Err(Error::new(action, path, strike(*fault))),
            _ => {}
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = (action, path);
    Ok(())
}

/// As [`point`], for `name` in `dir`: the path is put together only where somebody asks for it.
pub(super) fn point_in(action: Action, dir: &Path, name: &std::ffi::OsStr) -> Result<()> {
    #[cfg(debug_assertions)]
    if armed::ARMED.get().is_some() || armed::TRACE.get().is_some() {
        return point(action, &dir.join(name));
    }
    let _ = (action, dir, name);
    Ok(())
}

#[cfg(debug_assertions)]
fn strike(fault: Fault) -> std::io::Error {
    use rustix::io::Errno;
    match fault {
        Fault::Kill => match rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL) {
            Ok(()) => loop {
                std::thread::park();
            },
            Err(errno) => errno.into(),
        },
        Fault::Eio => Errno::IO.into(),
        Fault::Enospc => Errno::NOSPC.into(),
    }
}

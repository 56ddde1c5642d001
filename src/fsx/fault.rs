//! Fault points: every change of the disk asks here first, so that a test can stop the program at each of them.
//!
//! In debug builds [`arm`] makes the n-th change of the run fail (killed, EIO or ENOSPC), and [`trace`] tells each change
//! that is about to be made, from which a test learns how many there are: a new write, rename or link is tested the day
//! it is written. Told to a socket, the change waits for the answer: whoever listens may look at the disk between any two
//! changes. [`pretend`] makes the locks of every file system behave as those of a bad one. In release builds a point
//! is only where an interrupted program stops (see `halt`).

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

/// How the locks of file systems behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    /// As they are.
    Honest,
    /// Every lock is granted.
    Lie,
    /// There are none.
    Unsupported,
}

#[cfg(debug_assertions)]
mod armed {
    use std::fs::File;
    use std::io::{self, Read as _, Write as _};
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, OnceLock};

    use super::{Fault, Locks};

    pub static LOCKS: OnceLock<Locks> = OnceLock::new();
    pub static SEEN: AtomicU64 = AtomicU64::new(0);
    pub static ARMED: OnceLock<(Fault, u64)> = OnceLock::new();
    pub static LINKS: OnceLock<u64> = OnceLock::new();
    pub static LISTENER: OnceLock<Mutex<Listener>> = OnceLock::new();

    /// Who is told of each change.
    pub enum Listener {
        /// A file, one line a change.
        File(File),
        /// A socket: one line a change, and one byte of answer.
        Socket(UnixStream),
    }

    impl Listener {
        /// The socket at `path`, or a new file.
        pub fn at(path: &Path) -> io::Result<Self> {
            match UnixStream::connect(path) {
                Ok(socket) => Ok(Self::Socket(socket)),
                Err(_) => File::create(path).map(Self::File),
            }
        }

        pub fn tell(&mut self, line: &str) -> io::Result<()> {
            match self {
                Self::File(file) => writeln!(file, "{line}"),
                Self::Socket(socket) => {
                    socket.write_all(format!("{line}\n").as_bytes())?;
                    socket.read_exact(&mut [0])
                }
            }
        }
    }

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

/// Tells each change of the disk before it is made, in one line: its number, the action and what it is done to. Where a
/// socket listens at `path` the line is sent there, and the change waits for one byte of answer; else the lines are
/// written into a new file. Only in debug builds.
///
/// # Errors
///
/// The file cannot be created.
pub fn trace(path: &Path) -> Result<()> {
    #[cfg(debug_assertions)]
    {
        let listener = armed::Listener::at(path).map_err(|e| Error::new(Action::Create, path, e))?;
        armed::LISTENER.get_or_init(|| std::sync::Mutex::new(listener));
    }
    #[cfg(not(debug_assertions))]
    let _ = path;
    Ok(())
}

/// Makes locks behave so from now on. Only in debug builds; a second call is ignored.
pub fn pretend(locks: Locks) {
    #[cfg(debug_assertions)]
    armed::LOCKS.get_or_init(|| locks);
    #[cfg(not(debug_assertions))]
    let _ = locks;
}

/// How locks shall behave.
pub(super) fn locks() -> Locks {
    #[cfg(debug_assertions)]
    if let Some(locks) = armed::LOCKS.get() {
        return *locks;
    }
    Locks::Honest
}

/// Makes a file that has `most` names refuse another one, as file systems do at some number. Only in debug builds; a second
/// call is ignored.
pub fn limit_links(most: u64) {
    #[cfg(debug_assertions)]
    armed::LINKS.get_or_init(|| most);
    #[cfg(not(debug_assertions))]
    let _ = most;
}

/// Refuses another name for `name` in `dir` where it has as many as [`limit_links`] allows.
pub(super) fn link_limit(dir: &std::os::fd::OwnedFd, name: &std::ffi::OsStr) -> rustix::io::Result<()> {
    #[cfg(debug_assertions)]
    if let Some(most) = armed::LINKS.get() {
        let stat = rustix::fs::statat(dir, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
        if super::Stat::from(stat).links >= *most {
            return Err(rustix::io::Errno::MLINK);
        }
    }
    let _ = (dir, name);
    Ok(())
}

/// Asks whether `action` on `path` may go on.
///
/// # Errors
///
/// The armed fault, in debug builds.
pub(super) fn point(action: Action, path: &Path) -> Result<()> {
    super::halt::pass();
    #[cfg(debug_assertions)]
    {
        if armed::ARMED.get().is_none() && armed::LISTENER.get().is_none() {
            return Ok(());
        }
        let number = armed::next();
        if let Some(Ok(mut listener)) = armed::LISTENER.get().map(|listener| listener.lock()) {
            let told = listener.tell(&format!("{number} {action} {}", path.display()));
            told.map_err(|e| Error::new(action, path, e))?;
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
    super::halt::pass();
    #[cfg(debug_assertions)]
    if armed::ARMED.get().is_some() || armed::LISTENER.get().is_some() {
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

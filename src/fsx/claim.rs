//! Claims: exclusion where the file system's locks are of no use. A claim is a symbolic link, which every file system makes
//! whole or not at all, and never over another.
//!
//! ```text
//! lock.7 -> <host>/<pid>/<start>/<boot>/<pid namespace>/<what others read about the holder>
//! lock.8 -> free
//! ```
//!
//! The highest number counts. It never goes away: its holder turns it into `free`, and the next one makes the number after
//! it, then removes the lower ones. So nobody can mistake a new claim for the one it saw before. One whose process is dead,
//! as far as this machine can tell (it runs no more, or the machine started anew since), counts as free; the claim of
//! another machine stands until that machine or a person removes it. The start time tells a process from a later one of the
//! same number. Source: proc(5), `stat` field 22.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::{Error, optional};
use super::lock::LockError;

const FREE: &str = "free";

/// A held claim; dropping it, or the death of the process, frees it.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
}

impl Claim {
    /// Claims what the lock file `lock` stands for, and asks again until `deadline`.
    pub fn take(lock: &Path, words: &str, deadline: Instant, pause: Duration) -> Result<Self, LockError> {
        let own = Identity::own().with(words);
        loop {
            let top = numbers(lock)?.pop();
            let claim = numbered(lock, top.unwrap_or(0));
            match holder(&claim)? {
                None => {
                    if let Some(made) = Self::make(lock, top.unwrap_or(0) + 1, &own)? {
                        return Ok(made);
                    }
                }
                Some(_) if Instant::now() < deadline => std::thread::sleep(pause),
                Some(holder) => return Err(LockError::Held { path: lock.to_owned(), holder, claim: Some(claim) }),
            }
        }
    }

    /// Makes the claim of this number; `None` where somebody else was faster.
    fn make(lock: &Path, number: u64, own: &str) -> Result<Option<Self>, Error> {
        let claim = Self { path: numbered(lock, number) };
        match super::symlink(Path::new(own), &claim.path) {
            Err(e) if e.is_exists() => return Ok(None),
            other => other?,
        }
        let numbers = numbers(lock)?;
        if numbers.last() != Some(&number) {
            // The number was taken, freed and passed by since we looked.
            super::remove_file_opt(&claim.path)?;
            return Ok(None);
        }
        for lower in numbers.into_iter().filter(|lower| *lower < number) {
            super::remove_file_opt(&numbered(lock, lower))?;
        }
        Ok(Some(claim))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(".free");
        // Where it fails, our death frees it.
        let _ = super::replace_link(Path::new(FREE), &self.path, Path::new(&temporary));
    }
}

fn numbered(lock: &Path, number: u64) -> PathBuf {
    lock.with_file_name(format!("{}.{number}", lock.file_name().unwrap_or_default().display()))
}

/// The numbers of the claims there are, ascending.
fn numbers(lock: &Path) -> Result<Vec<u64>, Error> {
    let start = format!("{}.", lock.file_name().unwrap_or_default().display());
    let names = super::list(lock.parent().unwrap_or(Path::new(".")))?;
    let mut numbers: Vec<u64> =
        names.iter().filter_map(|entry| entry.name.to_str()?.strip_prefix(&start)?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// What the holder of a claim says about itself; `None` where the claim is free, or its holder dead.
fn holder(claim: &Path) -> Result<Option<String>, Error> {
    let Some(target) = optional(super::read_link(claim))? else { return Ok(None) };
    let text = target.to_string_lossy();
    if text == FREE {
        return Ok(None);
    }
    let Some((identity, words)) = Identity::parse(&text) else { return Ok(Some(text.into_owned())) };
    Ok((!identity.is_dead()).then(|| words.to_owned()))
}

/// A process, on a machine that was started at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    host: String,
    pid: u32,
    start: u64,
    boot: String,
    namespace: String,
}

impl Identity {
    fn own() -> Self {
        let text = |path: &str| super::read_text(Path::new(path)).unwrap_or_default().trim().to_owned();
        let namespace = super::read_link(Path::new("/proc/self/ns/pid")).unwrap_or_default();
        Self {
            host: rustix::system::uname().nodename().to_string_lossy().replace('/', "_"),
            pid: std::process::id(),
            start: start_of(std::process::id()).unwrap_or(0),
            boot: text("/proc/sys/kernel/random/boot_id"),
            namespace: namespace.display().to_string().replace('/', "_"),
        }
    }

    fn with(&self, words: &str) -> String {
        format!("{}/{}/{}/{}/{}/{words}", self.host, self.pid, self.start, self.boot, self.namespace)
    }

    fn parse(text: &str) -> Option<(Self, &str)> {
        let mut parts = text.splitn(6, '/');
        let host = parts.next()?.to_owned();
        let (pid, start) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let (boot, namespace) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some((Self { host, pid, start, boot, namespace }, parts.next()?))
    }

    /// Whether the process is certainly no more. What another machine or container holds cannot be known.
    fn is_dead(&self) -> bool {
        let own = Self::own();
        match self.boot == own.boot {
            // Two containers of one machine number their processes each for itself.
            true => self.namespace == own.namespace && start_of(self.pid) != Some(self.start),
            false => self.host == own.host && !own.boot.is_empty() && !self.boot.is_empty(),
        }
    }
}

/// When a process started, in ticks after the machine did; `None` where there is no such process. Where the system does not
/// tell, 0 for every process that lives.
#[cfg(target_os = "linux")]
fn start_of(pid: u32) -> Option<u64> {
    let stat = super::read_text(&PathBuf::from(format!("/proc/{pid}/stat"))).ok()?;
    // The name, in parentheses, may hold spaces and parentheses; 19 fields after it comes the time.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn start_of(pid: u32) -> Option<u64> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::test_kill_process(pid).ok().map(|()| 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(lock: &Path, wait: u64) -> Result<Claim, LockError> {
        Claim::take(lock, "pid 17, a test", Instant::now() + Duration::from_millis(wait), Duration::from_millis(1))
    }

    #[test]
    fn a_claim_excludes_until_it_is_dropped_and_numbers_only_grow() {
        let dir = tempfile::tempdir().expect("a directory");
        let lock = dir.path().join("lock");
        for number in 1..=3 {
            let claim = take(&lock, 0).expect("free");
            assert!(matches!(take(&lock, 5), Err(LockError::Held { holder, .. }) if holder == "pid 17, a test"));
            assert_eq!(numbers(&lock).expect("listed"), [number]);
            drop(claim);
        }
        assert_eq!(super::super::list(dir.path()).expect("listed").len(), 1, "nothing else is left");
    }

    #[test]
    fn many_threads_hold_it_one_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let lock = dir.path().join("lock");
        let inside = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let claim = take(&lock, 60_000).expect("in a minute");
                        assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        drop(claim);
                    }
                });
            }
        });
        // A listing made while others rename may miss a name: a number is passed over then, and never used twice.
        assert!(matches!(numbers(&lock).expect("listed").as_slice(), [last] if *last >= 400));
    }

    #[test]
    fn the_dead_hold_nothing_and_the_unknown_hold_on() {
        let own = Identity::own();
        let dead = Identity { start: own.start + 1, ..own.clone() };
        let before_the_start = Identity { boot: "another".into(), ..own.clone() };
        let other_host = Identity { host: "another".into(), ..before_the_start.clone() };
        let container = Identity { namespace: "another".into(), ..dead.clone() };
        let held = [&own, &dead, &before_the_start, &other_host, &container].map(|identity| {
            let dir = tempfile::tempdir().expect("a directory");
            let lock = dir.path().join("lock");
            super::super::symlink(Path::new(&identity.with("words")), &numbered(&lock, 4)).expect("linked");
            take(&lock, 0).is_err()
        });
        assert_eq!(held, [true, false, false, true, true]);
    }
}

//! An application beside the program: a thread that reads through the links all the while and never sees anything missing,
//! torn or mixed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

const LINES: usize = 2000;

/// A file that says on every line which version it is of.
pub fn stamped(version: &str) -> String {
    format!("{version}\n").repeat(LINES)
}

/// The version a stamped file is of; it must be whole.
pub fn stamp(path: &Path) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    let first = text.lines().next().unwrap_or_default().to_owned();
    assert!(text.lines().all(|line| line == first), "{}: torn", path.display());
    assert_eq!(text.lines().count(), LINES, "{}: cut short", path.display());
    Ok(first)
}

/// How often a reader looked.
#[derive(Debug, Default)]
pub struct Seen {
    pub lookups: u64,
    /// What each release held that was current at some time.
    pub releases: HashMap<PathBuf, Vec<String>>,
}

/// A running reader.
pub struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Reader {
    /// Reads `links/<component>/<file>` and the whole of `releases/current` for each component, over and over.
    pub fn start(root: PathBuf, components: &'static [&'static str], file: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::default();
            while !stopped.load(Ordering::Relaxed) {
                for component in components {
                    let path = root.join("links").join(component).join(file);
                    look(&root, || stamp(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                }
                let (release, set) = release(&root, components, file);
                let known = seen.releases.entry(release.clone()).or_insert_with(|| set.clone());
                assert_eq!(*known, set, "{} changed", release.display());
                seen.lookups += 1;
                std::thread::yield_now();
            }
            seen
        });
        Self { stop, thread }
    }

    /// Stops it; fails if it ever saw what it must not.
    pub fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the reader saw one whole version at every look")
    }
}

/// The current release and what it holds, opened once and read by relative paths from there.
fn release(root: &Path, components: &[&str], file: &str) -> (PathBuf, Vec<String>) {
    let current = root.join("releases/current");
    let read = || {
        let held = File::open(&current)?;
        let dir = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        let set: io::Result<Vec<String>> = components.iter().map(|c| stamp(&dir.join(c).join(file))).collect();
        Ok((fs::read_link(&dir)?, set?))
    };
    look(root, read).unwrap_or_else(|e| panic!("{}: {e}", current.display()))
}

/// Looks once, and once more where it failed only because two releases were made meanwhile: what was current when the look
/// began is then no longer kept. After one release it still is, so that a reader must be held up for that long.
fn look<T>(root: &Path, look: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let current = || -> u64 {
        let held = fs::read_link(root.join("releases/current")).expect("there is always a current release");
        held.to_str().and_then(|number| number.parse().ok()).expect("a number")
    };
    loop {
        let before = current();
        match look() {
            Err(_) if current() > before + 1 => {}
            seen => return seen,
        }
    }
}

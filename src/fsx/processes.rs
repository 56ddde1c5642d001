//! Running processes that use files below a directory: open, mapped, run from there, or as working or root directory.
//!
//! What is known is what `/proc` shows (source: proc(5)). Processes of other users show nothing to an ordinary user:
//! [`Look::unseen`] counts them. One in a container shows the paths it knows itself, and is found where the directory has the
//! same path there. A look costs a call for each open file and reads the list of mappings of each process that may be looked
//! into: some 4 ms for a hundred processes. It stops at [`MAX_LINKS`].

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

/// So many open files and mappings are looked at; a process beyond it counts as unseen.
const MAX_LINKS: usize = 200_000;

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name, as the kernel cuts it: 15 bytes.
    pub name: String,
    /// The number of the user it runs as.
    pub uid: u32,
    /// That user's name; the number where there is none.
    pub user: String,
    /// The first file found.
    pub path: PathBuf,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look<K> {
    /// The processes that use something, by what it belongs to.
    pub using: BTreeMap<K, Vec<Process>>,
    /// How many processes could not be looked into; `None` where it is not even known how many there are.
    pub unseen: Option<u64>,
}

impl<K> Default for Look<K> {
    fn default() -> Self {
        Self { using: BTreeMap::new(), unseen: Some(0) }
    }
}

impl<K: Ord> Look<K> {
    fn with(mut self, other: Self) -> Self {
        for (key, processes) in other.using {
            self.using.entry(key).or_default().extend(processes);
        }
        self.unseen = self.unseen.zip(other.unseen).map(|(unseen, more)| unseen + more);
        self
    }

    /// Whether every process was looked into.
    pub fn is_complete(&self) -> bool {
        self.unseen == Some(0)
    }
}

/// Finds the processes, other than this one, that use something below `dir`; `belongs` says of a path relative to `dir` to
/// what it belongs, `None` for what does not matter. Looks with a thread for each core.
pub fn using<K: Ord + Send>(dir: &Path, belongs: impl Fn(&Path) -> Option<K> + Sync) -> Look<K> {
    let (Ok(dir), Ok(listed)) = (fs::canonicalize(dir), fs::read_dir("/proc")) else {
        return Look { unseen: None, ..Look::default() };
    };
    let own = std::process::id();
    let number = |entry: fs::DirEntry| entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
    let pids: Vec<u32> = listed.flatten().filter_map(number).filter(|pid| *pid != own).collect();
    let (next, left) = (AtomicUsize::new(0), AtomicUsize::new(MAX_LINKS));
    let look = || {
        let mut look = Look::default();
        while let Some(pid) = pids.get(next.fetch_add(1, Ordering::Relaxed)) {
            look_into(*pid, &dir, &belongs, &left, &mut look);
        }
        look
    };
    let mut look = std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(look)).collect();
        others.into_iter().fold(look(), |all, other| all.with(other.join().unwrap_or_else(|e| resume_unwind(e))))
    });
    // Where processes of others are hidden (`hidepid`), the first of all is too.
    if !Path::new("/proc/1").exists() {
        look.unseen = None;
    }
    look.using.values_mut().for_each(|processes| processes.sort());
    look
}

fn look_into<K: Ord>(
    pid: u32,
    dir: &Path,
    belongs: &impl Fn(&Path) -> Option<K>,
    left: &AtomicUsize,
    look: &mut Look<K>,
) {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let mut found: BTreeMap<K, PathBuf> = BTreeMap::new();
    let seen = each_path(&process, left, &mut |path| {
        if let Some(key) = path.strip_prefix(dir).ok().and_then(belongs) {
            found.entry(key).or_insert_with(|| path.to_owned());
        }
    });
    if seen.is_none() && !is_nobodys(&process) {
        look.unseen = look.unseen.map(|unseen| unseen + 1);
    }
    if found.is_empty() {
        return;
    }
    let (name, uid) = about(&process);
    let user = super::user_name(uid);
    for (key, path) in found {
        let process = Process { pid, name: name.clone(), uid, user: user.clone(), path };
        look.using.entry(key).or_default().push(process);
    }
}

/// Calls `tell` with every path a process uses; `None` where not all of them could be seen. `left` is how many may be looked
/// at yet.
fn each_path(process: &Path, left: &AtomicUsize, tell: &mut dyn FnMut(&Path)) -> Option<()> {
    match fs::read_link(process.join("exe")) {
        Ok(path) => tell(&path),
        // A thread of the kernel, a zombie, or gone by now: there is nothing to see, and most processes are the first.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Some(()),
        Err(_) => {}
    }
    let open = fs::read_dir(process.join("fd")).ok()?;
    for name in ["cwd", "root"] {
        if let Ok(path) = fs::read_link(process.join(name)) {
            tell(&path);
        }
    }
    for entry in open.flatten() {
        take_one(left)?;
        if let Ok(path) = fs::read_link(entry.path()) {
            tell(&path);
        }
    }
    let mut maps = BufReader::new(fs::File::open(process.join("maps")).ok()?);
    let (mut line, mut last) = (Vec::new(), Vec::new());
    while maps.read_until(b'\n', &mut line).ok()? > 0 {
        take_one(left)?;
        // address, permissions, offset, device, inode, path: one file has several lines, one after another.
        let path = line.iter().position(|b| *b == b'/').and_then(|at| line.get(at..)).unwrap_or_default();
        let path = path.strip_suffix(b"\n").unwrap_or(path);
        if !path.is_empty() && path != last {
            tell(Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path)));
            last = path.to_vec();
        }
        line.clear();
    }
    Some(())
}

/// `None` where nothing is left.
fn take_one(left: &AtomicUsize) -> Option<()> {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok().map(drop)
}

/// The name of a process and the number of its user.
fn about(process: &Path) -> (String, u32) {
    let name = super::read_text(&process.join("comm")).unwrap_or_default().trim_end().to_owned();
    (name, fs::metadata(process).map_or(0, |meta| meta.uid()))
}

/// Whether a process that shows nothing has nothing to show: it is gone, a zombie or a thread of the kernel.
fn is_nobodys(process: &Path) -> bool {
    /// A thread of the kernel. Source: linux/sched.h.
    const PF_KTHREAD: u64 = 0x0020_0000;
    let Ok(stat) = super::read_text(&process.join("stat")) else { return true };
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let mut fields = rest.split_whitespace();
    let zombie = matches!(fields.next(), Some("Z" | "X"));
    zombie || fields.nth(5).and_then(|flags| flags.parse::<u64>().ok()).is_some_and(|flags| flags & PF_KTHREAD != 0)
}

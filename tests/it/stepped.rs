//! A run of the program that is looked at between any two changes of the disk.
//!
//! The program tells each change to a socket before it makes it, and waits for an answer (see `fsx::fault`). What is on
//! the disk then is read as inodes and names, so that a rename is seen as one: the difference of two looks is the change.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::scene::Scene;

/// A file, directory or link, whatever it is called and wherever it is.
pub type Id = usize;

/// The directory above the scene's directories.
pub const TOP: Id = 0;

/// What an inode is.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Directory { mode: u32, names: BTreeMap<String, Id> },
    File { mode: u32, modified: SystemTime, content: Rc<Vec<u8>> },
    Link(PathBuf),
}

/// What is on the disk below the scene's directories.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Disk {
    pub nodes: BTreeMap<Id, Node>,
}

/// The program is about to make a change.
pub struct Step {
    /// What it said: `17 rename /…`.
    pub line: String,
    /// What is there before.
    pub disk: Disk,
}

/// What the step says that is there before a command begins.
pub const START: &str = "start";

/// Runs the commands one after the other on what was saved. The last step is their end.
pub fn run(scene: &Scene, commands: &[&[&str]]) -> Vec<Step> {
    scene.restore();
    let mut look = Look::default();
    let mut steps = Vec::new();
    for args in commands {
        steps.push(Step { line: START.to_owned(), disk: look.at(scene) });
        run_one(scene, args, &mut look, &mut steps);
    }
    steps.push(Step { line: "end".to_owned(), disk: look.at(scene) });
    steps
}

fn run_one(scene: &Scene, args: &[&str], look: &mut Look, steps: &mut Vec<Step>) {
    let socket = scene.env.path("steps");
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).expect("a socket");
    listener.set_nonblocking(true).expect("it does not wait");
    let mut command = scene.command(args);
    let mut child = command
        .env("DEPLOY_TOOL_FAULT_TRACE", &socket)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let program = loop {
        match listener.accept() {
            Ok((program, _)) => break program,
            Err(_) => assert!(child.try_wait().expect("known").is_none(), "no points: are faults compiled in?"),
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    program.set_nonblocking(false).expect("it waits");
    let mut answers = program.try_clone().expect("both ways");
    for line in BufReader::new(program).lines() {
        let line = line.expect("a line");
        steps.push(Step { line, disk: look.at(scene) });
        answers.write_all(b".").expect("it goes on");
    }
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// Gives each inode a name of its own for as long as it is there; the kernel may use the number again.
#[derive(Default)]
struct Look {
    known: BTreeMap<u64, Id>,
    given: Id,
}

impl Look {
    fn at(&mut self, scene: &Scene) -> Disk {
        let (mut disk, mut seen) = (Disk::default(), BTreeMap::new());
        let mut names = BTreeMap::new();
        for (name, path) in scene.dirs() {
            names.extend(self.walk(&path, &mut disk, &mut seen).map(|id| (name.to_owned(), id)));
        }
        disk.nodes.insert(TOP, Node::Directory { mode: 0o755, names });
        self.known = seen;
        disk
    }

    /// Nothing where nothing is (any more): another thread of the program may be at work.
    fn walk(&mut self, path: &Path, disk: &mut Disk, seen: &mut BTreeMap<u64, Id>) -> Option<Id> {
        let meta = fs::symlink_metadata(path).ok()?;
        let id = match self.known.get(&meta.ino()).or_else(|| seen.get(&meta.ino())) {
            Some(id) => *id,
            None => {
                self.given += 1;
                self.given
            }
        };
        seen.insert(meta.ino(), id);
        let mode = meta.mode() & 0o7777;
        let node = if meta.is_symlink() {
            Node::Link(fs::read_link(path).ok()?)
        } else if meta.is_dir() {
            let mut names = BTreeMap::new();
            for entry in fs::read_dir(path).ok()? {
                let name = entry.ok()?.file_name().into_string().expect("UTF-8");
                let child = self.walk(&path.join(&name), disk, seen);
                names.extend(child.map(|id| (name, id)));
            }
            Node::Directory { mode, names }
        } else {
            Node::File { mode, modified: meta.modified().expect("a time"), content: Rc::new(fs::read(path).ok()?) }
        };
        disk.nodes.insert(id, node);
        Some(id)
    }
}

impl Node {
    /// What it was when it was made.
    pub fn empty(&self) -> Self {
        match self {
            Self::Directory { mode, .. } => Self::Directory { mode: *mode, names: BTreeMap::new() },
            Self::File { mode, modified, .. } => {
                Self::File { mode: *mode, modified: *modified, content: Rc::default() }
            }
            Self::Link(target) => Self::Link(target.clone()),
        }
    }
}

impl Disk {
    /// The names in a directory; none where it is none.
    pub fn names(&self, id: Id) -> impl Iterator<Item = (&String, Id)> {
        let names = match self.nodes.get(&id) {
            Some(Node::Directory { names, .. }) => Some(names),
            _ => None,
        };
        names.into_iter().flatten().map(|(name, id)| (name, *id))
    }

    pub fn get(&self, dir: Id, name: &str) -> Option<Id> {
        self.names(dir).find(|(known, _)| *known == name).map(|(_, id)| id)
    }

    /// What `path` names, which starts at the top.
    pub fn at(&self, path: &Path) -> Option<Id> {
        path.iter().try_fold(TOP, |dir, name| self.get(dir, name.to_str()?))
    }

    /// Everything below `id`, itself included.
    pub fn below(&self, id: Id) -> Vec<Id> {
        let mut all = vec![id];
        let mut at = 0;
        while at < all.len() {
            all.extend(self.names(all[at]).map(|(_, id)| id).collect::<Vec<_>>());
            at += 1;
        }
        all
    }

    /// Puts all of this in place of what the scene holds.
    pub fn write(&self, scene: &Scene) {
        for (name, path) in scene.dirs() {
            if path.exists() {
                fs::remove_dir_all(&path).expect("removed");
            }
            if let Some(id) = self.get(TOP, name) {
                self.write_node(id, &path);
            }
        }
    }

    fn write_node(&self, id: Id, path: &Path) {
        match &self.nodes[&id] {
            Node::Directory { mode, .. } => {
                fs::create_dir(path).expect("made");
                for (name, id) in self.names(id) {
                    self.write_node(id, &path.join(name));
                }
                fs::set_permissions(path, fs::Permissions::from_mode(*mode)).expect("the same mode");
            }
            Node::File { mode, modified, content } => {
                fs::write(path, &**content).expect("written");
                fs::File::open(path).and_then(|file| file.set_modified(*modified)).expect("the same time");
                fs::set_permissions(path, fs::Permissions::from_mode(*mode)).expect("the same mode");
            }
            Node::Link(target) => symlink(target, path).expect("linked"),
        }
    }

    /// Of everything by its path: two disks that a program cannot tell apart have the same one.
    pub fn digest(&self) -> blake3::Hash {
        let mut digest = blake3::Hasher::new();
        let mut waiting = vec![(PathBuf::new(), TOP)];
        while let Some((path, id)) = waiting.pop() {
            waiting.extend(self.names(id).map(|(name, id)| (path.join(name), id)));
            let what = match &self.nodes[&id] {
                Node::Directory { mode, .. } => format!("directory {mode:o}"),
                Node::File { mode, modified, content } => {
                    format!("file {mode:o} {modified:?} {}", blake3::hash(content))
                }
                Node::Link(target) => format!("link {target:?}"),
            };
            digest.update(format!("{path:?} {what}\n").as_bytes());
        }
        digest.finalize()
    }
}

//! A prepared place that is put back as often as a test wants to break it, and its state as a value to compare.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;
use std::process::{Command, Output};

use super::env::Env;

/// Names, each with what it is: a link's target, a file's content, `dir`.
pub type State = BTreeMap<String, String>;

/// Directories of an [`Env`] with a saved copy.
pub struct Scene {
    pub env: Env,
    dirs: &'static [&'static str],
}

impl Scene {
    /// Saves `dirs` as they are now; they need not exist.
    pub fn of(env: Env, dirs: &'static [&'static str]) -> Self {
        let scene = Self { env, dirs };
        for dir in dirs {
            let saved = format!("saved/{dir}");
            if scene.env.path(&saved).exists() {
                fs::remove_dir_all(scene.env.path(&saved)).expect("removed");
            }
            scene.copy(dir, &saved);
        }
        scene
    }

    /// Puts everything back.
    pub fn restore(&self) {
        for dir in self.dirs {
            if self.env.path(dir).exists() {
                fs::remove_dir_all(self.env.path(dir)).expect("removed");
            }
            self.copy(&format!("saved/{dir}"), dir);
        }
    }

    fn copy(&self, from: &str, to: &str) {
        let (from, to) = (self.env.path(from), self.env.path(to));
        if from.exists() {
            fs::create_dir_all(to.parent().expect("below the directory")).expect("made");
            let status = Command::new("cp").arg("-a").args([from, to]).status();
            assert!(status.expect("cp runs").success());
        }
    }

    /// Runs a command, always in the same second and with this fault (`kill:17`) where one is given.
    pub fn run(&self, args: &[&str], fault: Option<&str>) -> Output {
        let mut command = self.env.command(args);
        command.env("SOURCE_DATE_EPOCH", "1700000000");
        if let Some(fault) = fault {
            command.env("DEPLOY_TOOL_FAULT", fault);
        }
        command.output().expect("it runs")
    }

    /// How many changes of the disk the command makes; it is run for that, on what was saved.
    pub fn points(&self, args: &[&str]) -> usize {
        self.restore();
        let trace = self.env.path("trace");
        let mut command = self.env.command(args);
        command.env("SOURCE_DATE_EPOCH", "1700000000").env("DEPLOY_TOOL_FAULT_TRACE", &trace);
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{args:?}: {output:?}");
        let points = fs::read_to_string(trace).expect("traced").lines().count();
        assert!(points > 2, "only {points} points: are faults compiled in?");
        points
    }

    /// Everything below the directories.
    pub fn names(&self) -> State {
        self.below("")
    }

    /// The same as it was saved.
    pub fn saved(&self) -> State {
        self.below("saved")
    }

    fn below(&self, top: &str) -> State {
        let mut out = State::new();
        for dir in self.dirs {
            let path = self.env.path(top).join(dir);
            if path.exists() {
                walk(&path, dir, &mut out);
            }
        }
        out
    }
}

/// What is the same in both has no place in a message.
pub fn differences<'s>(left: &'s State, right: &'s State) -> Vec<(&'s str, Option<&'s String>, Option<&'s String>)> {
    let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
    names.map(|name| (name.as_str(), left.get(name), right.get(name))).filter(|(_, l, r)| l != r).collect()
}

/// Text as it is, and of anything long its hash.
fn content(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() < 4096 => text.to_owned(),
        _ => {
            let mut hasher = std::hash::DefaultHasher::new();
            bytes.hash(&mut hasher);
            format!("{} bytes, {:x}", bytes.len(), hasher.finish())
        }
    }
}

fn walk(dir: &Path, name: &str, out: &mut State) {
    for entry in fs::read_dir(dir).expect("listed") {
        let path = entry.expect("an entry").path();
        let name = format!("{name}/{}", path.file_name().expect("a name").display());
        let meta = fs::symlink_metadata(&path).expect("there");
        if meta.is_symlink() {
            out.insert(name, format!("-> {}", fs::read_link(&path).expect("a link").display()));
        } else if meta.is_dir() {
            out.insert(name.clone(), "dir".to_owned());
            walk(&path, &name, out);
        } else if !name.ends_with("/lock") {
            // A lock's note names the process that held it last.
            out.insert(name, content(&fs::read(&path).expect("read")));
        }
    }
}

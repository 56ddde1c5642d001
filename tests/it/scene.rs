//! A prepared place that is put back as often as a test wants to break it, and its state as a value to compare.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::env::Env;

/// What is below the directories of an [`Env`] that a test looks at. Names, each with what it is: a link's target, a file's
/// content, `dir`.
pub type State = BTreeMap<String, String>;

/// Directories of an [`Env`] with a saved copy.
pub struct Scene {
    pub env: Env,
    dirs: &'static [&'static str],
    /// A command that is run on what was put back.
    then: &'static [&'static str],
}

impl Scene {
    /// Saves `dirs` as they are now; they need not exist.
    pub fn of(env: Env, dirs: &'static [&'static str]) -> Self {
        let scene = Self { env, dirs, then: &[] };
        scene.save();
        scene
    }

    /// Runs a command each time that everything was put back.
    pub fn with(mut self, then: &'static [&'static str]) -> Self {
        self.then = then;
        self
    }

    /// Saves them again.
    pub fn save(&self) {
        for dir in self.dirs {
            self.replace(&format!("saved/{dir}"), dir);
        }
    }

    /// Puts everything back.
    pub fn restore(&self) {
        for dir in self.dirs {
            self.replace(dir, &format!("saved/{dir}"));
        }
        if !self.then.is_empty() {
            self.env.ok(self.then);
        }
    }

    /// The directories by their names, in order.
    pub fn dirs(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        self.dirs.iter().map(|dir| (*dir, self.env.path(dir)))
    }

    fn replace(&self, what: &str, with: &str) {
        let (what, with) = (self.env.path(what), self.env.path(with));
        if what.exists() {
            fs::remove_dir_all(&what).expect("removed");
        }
        if with.exists() {
            fs::create_dir_all(what.parent().expect("below the directory")).expect("made");
            copy(&with, &what);
        }
    }

    /// A command that always runs in the same second.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        command.env("SOURCE_DATE_EPOCH", "1700000000");
        command
    }

    /// Runs a command, with this fault (`kill:17`) where one is given.
    pub fn run(&self, args: &[&str], fault: Option<&str>) -> Output {
        let mut command = self.command(args);
        command.envs(fault.map(|fault| ("DEPLOY_TOOL_FAULT", fault)));
        command.output().expect("it runs")
    }

    /// Every change of the disk that the command makes, one line each (`17 rename /…`); it is run for that, on what was
    /// saved.
    pub fn trace(&self, args: &[&str]) -> Vec<String> {
        self.restore();
        let (output, lines) = self.run_traced(args, None);
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert!(lines.len() > 2, "only {lines:?}: are faults compiled in?");
        lines
    }

    /// Runs a command as [`Self::run`] does, and tells every change of the disk that it came to.
    pub fn run_traced(&self, args: &[&str], fault: Option<&str>) -> (Output, Vec<String>) {
        let trace = self.env.path("trace");
        let mut command = self.command(args);
        command.env("DEPLOY_TOOL_FAULT_TRACE", &trace).envs(fault.map(|fault| ("DEPLOY_TOOL_FAULT", fault)));
        let output = command.output().expect("it runs");
        (output, fs::read_to_string(trace).expect("traced").lines().map(str::to_owned).collect())
    }

    /// How many changes of the disk the command makes.
    pub fn points(&self, args: &[&str]) -> usize {
        self.trace(args).len()
    }

    /// Everything below the directories.
    pub fn names(&self) -> State {
        self.below("")
    }

    /// The same as it was saved.
    pub fn saved(&self) -> State {
        self.below("saved")
    }

    /// The names of the links below the directories.
    pub fn links(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (dir, path) in self.dirs().filter(|(_, path)| path.exists()) {
            links(&path, dir, &mut out);
        }
        out
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

/// Copies a tree with its links, modes and the times of its files.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            copy(&from, &to);
        } else if kind.is_symlink() {
            symlink(fs::read_link(&from).expect("a link"), &to).expect("linked");
        } else {
            fs::copy(&from, &to).expect("copied");
            let time = fs::metadata(&from).and_then(|meta| meta.modified()).expect("a time");
            File::open(&to).and_then(|file| file.set_modified(time)).expect("the same time");
        }
    }
    fs::set_permissions(to, fs::metadata(from).expect("there").permissions()).expect("the same mode");
}

/// Text as it is, and of anything long its hash.
fn content(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() < 4096 => text.to_owned(),
        // Not by the standard library's hasher: that is compiled with the tests, so without optimization.
        _ => format!("{} bytes, {}", bytes.len(), blake3::hash(bytes)),
    }
}

/// The lines of a history that are releases, without what ties them to the lines between, which say what was tried, and
/// without what was measured, which is never the same twice.
fn releases(history: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(history);
    let releases = text.split_inclusive('\n').filter(|line| !line.starts_with("{\"event\""));
    let without = |line: &str| match serde_json::from_str::<serde_json::Value>(line) {
        Ok(serde_json::Value::Object(mut fields)) => {
            fields.retain(|name, _| name != "prev" && name != "work");
            format!("{}\n", serde_json::Value::Object(fields))
        }
        _ => line.to_owned(),
    };
    releases.map(without).collect::<String>().into_bytes()
}

fn links(dir: &Path, name: &str, out: &mut Vec<String>) {
    for entry in fs::read_dir(dir).expect("listed") {
        let entry = entry.expect("an entry");
        let (kind, name) = (entry.file_type().expect("a kind"), format!("{name}/{}", entry.file_name().display()));
        if kind.is_symlink() {
            out.push(name);
        } else if kind.is_dir() {
            links(&entry.path(), &name, out);
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
        } else if !name.ends_with("/lock") && !name.ends_with("/seen.json") {
            // A lock's note names the process that held it last; what was seen of a branch is known before anything is done.
            let bytes = fs::read(&path).expect("read");
            let releases = name.ends_with("/history.jsonl").then(|| releases(&bytes));
            out.insert(name, content(&releases.unwrap_or(bytes)));
        }
    }
}

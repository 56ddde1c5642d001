//! Somebody who reads a page and types what it says: a machine of their own, with the program installed and a clone of this
//! project in the home directory.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::env::{Env, PROGRAM};

/// Where the reader lives.
const HOME: &str = "/home/mei";

/// Directories of a machine that pages name. Here they lie below the test's own directory.
const ELSEWHERE: [&str; 9] = [HOME, "/opt", "/srv", "/data", "/mnt", "/media", "/etc", "/var/lib", "/var/www"];

/// Programs that would change the machine which runs the tests, or reach another.
const KEPT_AWAY: [&str; 8] = ["sudo", "systemctl", "loginctl", "docker", "kubectl", "apt-get", "ssh", "scp"];

pub struct Reader {
    pub env: Env,
    cwd: PathBuf,
    /// The status of the last command, for `$?`.
    status: i32,
    groups: Vec<rustix::process::Pid>,
}

impl Reader {
    pub fn new() -> Self {
        let env = Env::new();
        fs::create_dir(env.path("bin")).expect("made");
        symlink(PROGRAM, env.path("bin/deploy-tool")).expect("linked");
        for name in KEPT_AWAY {
            let stub = env.write(&format!("bin/{name}"), "#!/bin/sh\necho \"$0: not in a test\" >&2\nexit 127\n");
            fs::set_permissions(stub, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        let clone = env.path("home/deploy-tool");
        fs::create_dir_all(clone.join("examples")).expect("made");
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy_committed(&here.join("examples/sentiment"), &clone.join("examples/sentiment"));
        let status = Command::new("cp").arg("-a").args([here.join("docs"), clone.clone()]).status();
        assert!(status.expect("cp runs").success());
        let identity = ["-c", "user.name=Mei", "-c", "user.email=mei@example.org"];
        env.git("home/deploy-tool", &["init", "-q"]);
        env.git("home/deploy-tool", &["add", "."]);
        env.git("home/deploy-tool", &[&identity[..], &["commit", "-qm", "all"]].concat());
        Self { env, cwd: clone, status: 0, groups: Vec::new() }
    }

    /// Somebody to whom git has never been introduced.
    pub fn stranger() -> Self {
        let reader = Self::new();
        fs::remove_file(reader.env.path("home/.gitconfig")).expect("it was there");
        reader
    }

    /// Runs a script, stays where it went and keeps the variables. Returns its status, and what it printed.
    pub fn run(&mut self, script: &str) -> (i32, String) {
        let script = self.there(script);
        let program = self.env.path("script");
        let (vars, went) = (self.env.path("vars"), self.env.path("went"));
        let (vars, went) = (vars.display(), went.display());
        let text = format!(
            "set -a\n[ ! -e '{vars}' ] || . '{vars}'\ncd '{}'\n(exit {})\n{script}\nstatus=$?\npwd >'{went}'\nexport -p >'{vars}'\nexit $status\n",
            self.cwd.display(),
            self.status
        );
        fs::write(&program, text).expect("written");
        let out = self.env.path("printed");
        let file = File::create(&out).expect("made");
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let paths = [self.env.path("bin")].into_iter().chain(std::env::split_paths(&paths));
        let mut shell = self.env.hermetic("sh");
        shell.arg(&program).env("PATH", std::env::join_paths(paths).expect("paths")).process_group(0);
        // What is left running in the background would hold a pipe open.
        shell.stdin(Stdio::null()).stdout(file.try_clone().expect("a second handle")).stderr(file);
        let mut child = shell.spawn().expect("sh runs");
        self.groups.push(rustix::process::Pid::from_child(&child));
        self.status = child.wait().expect("it ends").code().unwrap_or(-1);
        if let Ok(went) = fs::read_to_string(self.env.path("went")) {
            self.cwd = PathBuf::from(went.trim_end());
        }
        (self.status, self.here(&String::from_utf8_lossy(&fs::read(out).expect("read"))))
    }

    /// Writes a file where the reader is.
    pub fn write(&self, path: &str, text: &str) {
        let home = self.env.path("home");
        let path = match path.strip_prefix("~/") {
            Some(below) => home.join(below),
            None => self.cwd.join(self.there(path)),
        };
        fs::create_dir_all(path.parent().expect("below something")).expect("made");
        fs::write(path, self.there(text)).expect("written");
    }

    /// What a page says, with its directories where they are here.
    fn there(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        let dir = self.env.path("").display().to_string();
        let dir = dir.trim_end_matches('/');
        let is_word = |c: char| c.is_alphanumeric() || "-_".contains(c);
        let first = |rest: &str| ELSEWHERE.iter().filter_map(|place| Some((rest.find(place)?, *place))).min();
        while let Some((at, place)) = first(rest) {
            let (before, after) = (&rest[..at], &rest[at + place.len()..]);
            out.push_str(before);
            let inside = before.ends_with(|c: char| is_word(c) || "/.~}*".contains(c)) && !before.ends_with("file://");
            if !inside && !after.starts_with(is_word) {
                out.extend([dir, if place == HOME { "/home" } else { place }]);
            } else {
                out.push_str(place);
            }
            rest = after;
        }
        out + rest
    }

    /// The other way round.
    fn here(&self, text: &str) -> String {
        let dir = self.env.path("");
        let dir = dir.display().to_string();
        let dir = dir.trim_end_matches('/');
        text.replace(&format!("{dir}/home"), HOME).replace(dir, "")
    }
}

impl Drop for Reader {
    /// What the page started and left running ends with it.
    fn drop(&mut self) {
        for group in &self.groups {
            let _ = rustix::process::kill_process_group(*group, rustix::process::Signal::KILL);
        }
    }
}

/// What git has of the example: without what shipping it here may have left.
fn copy_committed(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let left = [".deploy-tool", "deployments", "dist", "__pycache__"].iter().any(|name| entry.file_name() == *name);
        if !left {
            let status = Command::new("cp").arg("-a").args([entry.path(), to.to_owned()]).status();
            assert!(status.expect("cp runs").success());
        }
    }
}

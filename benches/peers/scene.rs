//! Where everything happens: one temporary directory with a home, a project, a store, a target, records and a root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Used, run};
use super::tree;

/// The program that is measured, of this build.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_deploy-tool");

const CONFIG: &str = "\
version: 1
project: {name: bench}
components:
  work: {source: ../input, exclude: ['!*']}
records: {repository: ../records}
publish: {targets: {near: {type: filesystem, path: ../target}}}
deploy: {root: ../root}
store: {path: ../store}
";

/// One temporary directory; removed at the end.
pub struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    pub fn new(parent: &Path) -> Result<Self, String> {
        let dir = tempfile::Builder::new().prefix("deploy-tool-bench-").tempdir_in(parent);
        let dir = dir.map_err(|e| format!("cannot make a directory in `{}`: {e}", parent.display()))?;
        let scene = Self { dir };
        let made = ["home", "project", "records", "peer", "input"].iter().try_for_each(|sub| scene.empty(sub));
        let config = || fs::write(scene.path("project/.deploy-tool.yaml"), CONFIG);
        let git = || fs::write(scene.path("home/.gitconfig"), "[user]\n\tname = Bench\n\temail = bench@example.org\n");
        made.and_then(|()| config()).and_then(|()| git()).map_err(|e| format!("cannot prepare the scene: {e}"))?;
        scene.shell("git init -q -b main records && git -C records commit -q --allow-empty -m start")?;
        Ok(scene)
    }

    pub fn path(&self, sub: &str) -> PathBuf {
        self.dir.path().join(sub)
    }

    /// An empty directory, whatever was there.
    pub fn empty(&self, sub: &str) -> io::Result<()> {
        self.remove(sub)?;
        fs::create_dir_all(self.path(sub))
    }

    /// Removes what is there, if anything.
    pub fn remove(&self, sub: &str) -> io::Result<()> {
        let path = self.path(sub);
        match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
        }
    }

    /// The program, in the project's directory.
    pub fn ours(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(args).arg("--quiet").current_dir(self.path("project"));
        self.hermetic(&mut command);
        command
    }

    /// A shell's command line, in the temporary directory.
    pub fn script(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-ec", script]).current_dir(self.dir.path());
        self.hermetic(&mut command);
        command
    }

    pub fn shell(&self, script: &str) -> Result<Used, String> {
        run(&mut self.script(script))
    }

    fn hermetic(&self, command: &mut Command) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.path("home")).env("LC_ALL", "C.UTF-8");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("TMPDIR", self.dir.path()).env("RESTIC_PASSWORD", "bench");
    }

    /// The only package in `dir`.
    pub fn package(&self, dir: &str) -> Result<PathBuf, String> {
        let entries = fs::read_dir(self.path(dir)).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_package = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".tar"));
        let mut found = entries.filter(is_package);
        found.next().ok_or_else(|| format!("no package in `{dir}`"))
    }

    /// An archive must unpack, with GNU tar, to the input.
    pub fn check_archive(&self, archive: &Path) -> Result<(), String> {
        self.empty("check").map_err(|e| format!("cannot make a directory: {e}"))?;
        self.shell(&format!("tar -xf '{}' -C check", archive.display()))?;
        self.check_tree("check")?;
        self.remove("check").map_err(|e| format!("cannot remove: {e}"))
    }

    /// A directory must hold the input's tree.
    pub fn check_tree(&self, dir: &str) -> Result<(), String> {
        tree::same(&self.path("input"), &self.path(dir))
    }
}

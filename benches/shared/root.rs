//! A root as it is after years: with many files, versions and releases, made in no time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "times.rs"]
mod times;

pub use times::*;

/// A root with a component `model`, `1.0.0` and `1.0.1` of which were deployed, in a directory of its own.
pub struct Root {
    pub dir: tempfile::TempDir,
}

impl Root {
    pub fn new(parent: &Path, files: usize, versions: usize) -> Self {
        let root = Self { dir: tempfile::tempdir_in(parent).expect("a directory") };
        fs::create_dir_all(root.project().join("models")).expect("made");
        fs::write(root.project().join(".deploy-tool.yaml"), "version: 1\ncomponents: {model: {source: ./models}}\n")
            .expect("written");
        for content in ["first", "second"] {
            fs::write(root.project().join("models/config.json"), content).expect("written");
            let mut ship = root.command();
            let _ = timed(ship.arg("ship").arg(root.project()));
        }
        root.add_files(files - 1);
        root.add_versions(versions - 2);
        root
    }

    pub fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    pub fn deployment(&self) -> PathBuf {
        self.project().join("deployments")
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env("HOME", self.dir.path()).current_dir(self.dir.path());
        command
    }

    /// More files in both versions. How they came there is nothing to a switch.
    fn add_files(&self, files: usize) {
        for version in ["1.0.0", "1.0.1"] {
            for n in 0..files {
                let dir = self.deployment().join("components/model").join(version).join((n / 1000).to_string());
                if n % 1000 == 0 {
                    fs::create_dir(&dir).expect("made");
                }
                fs::write(dir.join(n.to_string()), "").expect("written");
            }
        }
    }

    /// More versions, each with its receipt, its release and its line of history, as if each had been deployed.
    fn add_versions(&self, versions: usize) {
        let top = self.deployment();
        let state = top.join(".deploy-tool");
        let receipt = fs::read_to_string(state.join("receipts/model/1.0.1.json")).expect("a receipt");
        let mut history = fs::read_to_string(state.join("history.jsonl")).expect("a history");
        let line = history.lines().last().expect("a line").to_owned();
        for n in 0..versions {
            let (version, release) = (format!("0.9.{n}"), n + 3);
            fs::create_dir(top.join("components/model").join(&version)).expect("made");
            let receipt = receipt.replace("1.0.1", &version);
            fs::write(state.join(format!("receipts/model/{version}.json")), receipt).expect("written");
            fs::create_dir(top.join(format!("releases/{release}"))).expect("made");
            let target = format!("../../components/model/{version}");
            symlink(target, top.join(format!("releases/{release}/model"))).expect("linked");
            let line = line.replace("\"release\":2", &format!("\"release\":{release}"));
            history += &line.replace("\"parent\":1", &format!("\"parent\":{}", release - 1)).replace("1.0.1", &version);
            history.push('\n');
            if n + 1 == versions {
                for (link, target) in [("releases/current", release.to_string()), ("components/model/current", version)]
                {
                    fs::remove_file(top.join(link)).expect("removed");
                    symlink(target, top.join(link)).expect("linked");
                }
            }
        }
        fs::write(state.join("history.jsonl"), history).expect("written");
    }
}

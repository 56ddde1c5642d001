//! A root as it is after years: with many files, versions and releases, made in no time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use deploy_tool::model::Sha256;

#[path = "times.rs"]
mod times;

pub use times::*;

/// The components of a root, and their directories in its project.
pub const COMPONENTS: [(&str, &str); 3] = [("model", "models"), ("config", "configs"), ("runtime", "runtime")];

/// A root with three components, `1.0.0` and `1.0.1` of which were deployed together, in a directory of its own.
pub struct Root {
    pub dir: tempfile::TempDir,
}

impl Root {
    pub fn new(parent: &Path, files: usize, versions: usize) -> Self {
        let root = Self { dir: tempfile::tempdir_in(parent).expect("a directory") };
        let mut configuration = "version: 1\ncomponents:\n".to_owned();
        for (component, source) in COMPONENTS {
            fs::create_dir_all(root.project().join(source)).expect("made");
            configuration += &format!("  {component}: {{source: ./{source}}}\n");
        }
        fs::write(root.project().join(".deploy-tool.yaml"), configuration).expect("written");
        for content in ["first", "second"] {
            for (component, source) in COMPONENTS {
                fs::write(root.project().join(source).join("content"), [component, content].concat()).expect("written");
            }
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

    /// More files in both versions of the model. How they came there is nothing to a switch.
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

    /// More versions of each component, each with its receipt, and a release and a line of history for each set of them, as if
    /// all had been deployed.
    fn add_versions(&self, versions: usize) {
        let top = self.deployment();
        let state = top.join(".deploy-tool");
        let receipts = COMPONENTS.map(|(component, _)| {
            fs::read_to_string(state.join(format!("receipts/{component}/1.0.1.json"))).expect("a receipt")
        });
        let mut history = fs::read_to_string(state.join("history.jsonl")).expect("a history");
        let line = history.lines().last().expect("a line").to_owned();
        let mut last = line.clone();
        for n in 0..versions {
            let (version, release) = (format!("0.9.{n}"), n + 3);
            fs::create_dir(top.join(format!("releases/{release}"))).expect("made");
            for ((component, _), receipt) in COMPONENTS.iter().zip(&receipts) {
                fs::create_dir(top.join("components").join(component).join(&version)).expect("made");
                let receipt = receipt.replace("1.0.1", &version);
                fs::write(state.join(format!("receipts/{component}/{version}.json")), receipt).expect("written");
                let target = format!("../../components/{component}/{version}");
                symlink(target, top.join(format!("releases/{release}/{component}"))).expect("linked");
            }
            let line = line.replace("\"release\":2", &format!("\"release\":{release}"));
            let line = line.replace("\"parent\":1", &format!("\"parent\":{}", release - 1)).replace("1.0.1", &version);
            let (start, rest) = line.split_once("\"prev\":\"").expect("a chain");
            last = format!("{start}\"prev\":\"{}\"{}", Sha256::of(last.as_bytes()), &rest[65..]);
            history += &last;
            history.push('\n');
            if n + 1 == versions {
                let current =
                    COMPONENTS.map(|(component, _)| (format!("components/{component}/current"), version.clone()));
                for (link, target) in current.into_iter().chain([("releases/current".to_owned(), release.to_string())])
                {
                    fs::remove_file(top.join(&link)).expect("removed");
                    symlink(target, top.join(&link)).expect("linked");
                }
            }
        }
        fs::write(state.join("history.jsonl"), history).expect("written");
    }
}

//! Killed, out of disk or failing at any change of the disk: the root is what it was before or what was asked for.
//!
//! The points are not listed here: a traced run of each command tells how many changes it makes, so a new write, rename
//! or link is tested the day it is written.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use super::env::Env;

/// Every name below `dir` with what it is: a link's target, a file's content. The lock's note is left out: it names the
/// process that held it last.
fn names(dir: &Path) -> BTreeMap<String, String> {
    fn walk(top: &Path, dir: &Path, out: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).expect("listed") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(top).expect("below").display().to_string();
            let meta = fs::symlink_metadata(&path).expect("there");
            if meta.is_symlink() {
                out.insert(name, format!("-> {}", fs::read_link(&path).expect("a link").display()));
            } else if meta.is_dir() {
                out.insert(name, "dir".to_owned());
                walk(top, &path, out);
            } else if name != ".deploy-tool/lock" {
                out.insert(name, String::from_utf8_lossy(&fs::read(&path).expect("read")).into_owned());
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(dir, dir, &mut out);
    out
}

/// The part of the state that users see: links, releases and version directories.
fn visible(dir: &Path) -> BTreeMap<String, String> {
    names(dir).into_iter().filter(|(name, _)| !name.starts_with(".deploy-tool")).collect()
}

struct Scene {
    env: Env,
}

impl Scene {
    /// Three versions of a model and one configuration, published; `model@1.0.0` deployed, then whatever `more` does.
    fn new(more: &[&[&str]]) -> Self {
        let env = Env::with_model();
        env.write("project/configs/app.conf", "threshold = 0.5\n");
        env.publish("1.0.0");
        env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
        env.publish("1.0.1");
        env.write("project/models/bert/config.json", "{\"layers\": 24}\n");
        env.publish("1.0.2");
        env.ok(&["pack", "--type", "config", "--version", "2"]);
        env.ok(&["publish", "config@2"]);
        env.ok(&["deploy", "model@1.0.0"]);
        for args in more {
            env.ok(args);
        }
        let scene = Self { env };
        scene.save("before");
        scene
    }

    fn save(&self, name: &str) {
        self.copy("root", name);
    }

    fn restore(&self, name: &str) {
        fs::remove_dir_all(self.env.path("root")).expect("removed");
        self.copy(name, "root");
    }

    fn copy(&self, from: &str, to: &str) {
        let status = Command::new("cp").arg("-a").args([self.env.path(from), self.env.path(to)]).status();
        assert!(status.expect("cp runs").success());
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        // The same second for every run, so that receipts and history can be compared.
        command.env("SOURCE_DATE_EPOCH", "1700000000");
        command
    }

    /// How many changes of the disk the command makes.
    fn points(&self, args: &[&str]) -> usize {
        let trace = self.env.path("trace");
        let output = self.command(args).env("DEPLOY_TOOL_FAULT_TRACE", &trace).output().expect("it runs");
        assert!(output.status.success(), "{args:?}: {output:?}");
        fs::read_to_string(trace).expect("traced").lines().count()
    }

    /// Runs `args` with every fault at every point, and afterwards once more without.
    fn run_all(&self, args: &[&str]) {
        let points = self.points(args);
        let before = visible(&self.env.path("before"));
        let after = visible(&self.env.path("root"));
        assert!(points > 10, "only {points} points: are faults compiled in?");
        assert_ne!(before, after, "the command does something");
        for point in 1..=points {
            for fault in ["kill", "eio", "enospc"] {
                self.restore("before");
                self.strike(args, fault, point, &before, &after);
            }
        }
    }

    fn strike(
        &self,
        args: &[&str],
        fault: &str,
        point: usize,
        before: &BTreeMap<String, String>,
        after: &BTreeMap<String, String>,
    ) {
        let at = format!("{args:?} {fault} at {point}");
        let root = self.env.path("root");
        let output = self.command(args).env("DEPLOY_TOOL_FAULT", format!("{fault}:{point}")).output().expect("it runs");
        if fault == "kill" {
            assert_eq!(output.status.signal(), Some(9), "{at}: {output:?}");
        }
        for link in ["links/model", "components/model/current", "releases/current"] {
            assert!(root.join(link).exists(), "{at}: {link} dangles");
        }
        // The next changing command recovers; this one changes nothing else.
        self.env.ok(&["links", "repair"]);
        let recovered = visible(&root);
        assert!(recovered == *before || recovered == *after, "{at}: neither old nor new: {recovered:#?}\n{output:?}");
        if fault != "kill" && output.status.success() {
            assert_eq!(recovered, *after, "{at}: said done, but is not: {output:?}");
        }
        self.env.ok(&["links", "verify"]);
        assert!(fs::read_dir(root.join(".deploy-tool/journal")).expect("there").next().is_none(), "{at}: open journal");
        assert!(fs::read_dir(root.join(".deploy-tool/staging")).expect("there").next().is_none(), "{at}: staging");
        if recovered == *before {
            assert_eq!(names(&root), names(&self.env.path("before")), "{at}: stray files");
            self.env.ok(args);
            assert_eq!(visible(&root), *after, "{at}: the same command again");
        }
    }
}

#[test]
fn deploy_of_two_components() {
    Scene::new(&[]).run_all(&["deploy", "model@1.0.1", "config@2"]);
}

#[test]
fn version_switch() {
    Scene::new(&[&["deploy", "model@1.0.1"]]).run_all(&["version", "switch", "model", "1.0.0"]);
}

#[test]
fn rollback_that_takes_a_component_out() {
    Scene::new(&[&["deploy", "model@1.0.1", "config@2"]]).run_all(&["rollback"]);
}

#[test]
fn cleanup() {
    Scene::new(&[&["deploy", "model@1.0.1"], &["deploy", "model@1.0.2"]])
        .run_all(&["version", "cleanup", "--keep", "0"]);
}

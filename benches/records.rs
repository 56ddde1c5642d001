//! What the records cost where there are a million of them: 1 000 components of 1 000 versions each, in a bare repository made
//! by `git fast-import`.
//!
//! ```sh
//! cargo bench --bench records                  # a million records, 20 runs a line
//! cargo bench --bench records -- 5 100000      # runs, records
//! ```
//!
//! Printed are medians of whole processes, in memory-backed storage, beside what the same costs `git`; and the bytes that a
//! host's first look at the repository by its URL takes, beside the least that git can be asked for by who knows every path.
//! What is printed is compared with git's own answers first.

// The bans are for the library: a bench looks at the disk as a user does, and prints what it finds.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::fs;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

#[path = "shared/times.rs"]
mod times;

use times::{PROGRAM, median, millis, parent, timed};

/// Versions of each component.
const VERSIONS: usize = 1_000;

const RESOLVE: Duration = Duration::from_millis(10);
const LIST: Duration = Duration::from_millis(50);
const COMMIT: Duration = Duration::from_millis(100);

fn main() {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<usize>().ok());
    let runs = numbers.next().unwrap_or(20);
    let records = numbers.next().unwrap_or(1_000_000);
    let types = (records / VERSIONS).max(1);
    let dir = tempfile::tempdir_in(parent()).expect("a directory");
    let scene = Scene { dir: dir.path().to_owned() };
    let started = Instant::now();
    scene.import(types);
    println!("{} records, imported in {:.1} s; {runs} runs a line", types * VERSIONS, started.elapsed().as_secs_f64());
    scene.compare(types);
    let middle = format!("type{}", types / 2);
    let reference = format!("{middle}@1.0.{}", VERSIONS / 2);
    let path = format!("main:records/packages/{middle}/1.0.{}/record.json", VERSIONS / 2);
    let mut failed = Vec::new();
    let mut line = |what: &str, goal: Duration, ours: Duration, git: Duration| {
        println!("{what:<44} {:>12}   git {:>12}   goal {:>10}", millis(ours), millis(git), millis(goal));
        if ours > goal {
            failed.push(what.to_owned());
        }
    };
    let each = |make: &dyn Fn(usize) -> Command| {
        let mut times: Vec<_> = (0..runs).map(|run| timed(&mut make(run))).collect();
        median(&mut times)
    };
    let show = each(&|_| scene.tool(&["record", "show", &reference]));
    let latest = each(&|_| scene.tool(&["record", "show", &middle]));
    let git_show = each(&|_| scene.git(&["cat-file", "blob", &path]));
    line("resolve one: record show TYPE@VERSION", RESOLVE, show, git_show);
    line("resolve the latest: record show TYPE", RESOLVE, latest, git_show);
    let tree = format!("main:records/packages/{middle}");
    let list = each(&|_| scene.tool(&["record", "list", &middle]));
    let versions = each(&|_| scene.tool(&["version", "list", &middle]));
    let git_list = each(&|_| scene.git(&["ls-tree", "-r", &tree]));
    line("list one of 1 000 versions: record list TYPE", LIST, list, git_list);
    line("list one of 1 000 versions: version list TYPE", LIST, versions, git_list);
    let yank = each(&|run| scene.tool(&["record", "yank", &format!("{middle}@1.0.{run}"), "--reason", "measured"]));
    let git_commit = each(&|run| scene.git_commit(&middle, run));
    line("commit one: record yank TYPE@VERSION", COMMIT, yank, git_commit);
    let set = each(&|run| scene.tool(&["env", "set", &format!("{middle}@1.0.{}", run + runs), "--env", "prod"]));
    line("commit one: env set TYPE@VERSION", COMMIT, set, git_commit);
    let (ours, theirs) = (scene.first_look(&reference), scene.path_by_path(&path));
    println!("{:<44} {ours:>10} B   git {theirs:>10} B   goal {:>8} B", "first look: record show, by URL", theirs * 2);
    if ours > theirs * 2 {
        failed.push("first look".to_owned());
    }
    println!(
        "goals: {}",
        if failed.is_empty() { "reached".to_owned() } else { format!("MISSED: {}", failed.join("; ")) }
    );
}

struct Scene {
    dir: PathBuf,
}

impl Scene {
    fn repository(&self) -> PathBuf {
        self.dir.join("records.git")
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", &self.dir).env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir(&self.dir);
        command
    }

    fn tool(&self, args: &[&str]) -> Command {
        let mut command = self.command(PROGRAM);
        command.args(args).arg("--records").arg(self.repository()).args(["--root", "root", "--store", "store"]);
        command
    }

    fn git(&self, args: &[&str]) -> Command {
        let mut command = self.command("git");
        command.current_dir(self.repository()).args(args);
        command
    }

    /// Makes git count what passes: the program that it takes for `ssh` runs the server's side here, between two copies.
    fn counting(&self, command: &mut Command) -> u64 {
        let [sent, received] = ["sent", "received"].map(|name| self.dir.join(name));
        let script = self.dir.join("ssh");
        let text = format!(
            "#!/bin/sh\nfor last; do :; done\ntee -a {} | sh -c \"$last\" | tee -a {}\n",
            sent.display(),
            received.display()
        );
        fs::write(&script, text).expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("set");
        [&sent, &received].iter().for_each(|path| fs::write(path, "").expect("written"));
        command.env("GIT_SSH_COMMAND", script).env("GIT_SSH_VARIANT", "ssh");
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        [&sent, &received].map(|path| fs::metadata(path).expect("there").len()).iter().sum()
    }

    fn url(&self) -> String {
        format!("ssh://here{}", self.repository().display())
    }

    fn first_look(&self, reference: &str) -> u64 {
        let mut command = self.command(PROGRAM);
        command
            .args(["record", "show", reference, "--records", &self.url()])
            .args(["--root", "root", "--store", "new"]);
        self.counting(&mut command)
    }

    /// The same by git alone: the tip, then each tree on the way, then the two files.
    fn path_by_path(&self, record: &str) -> u64 {
        let init = self.command("git").args(["init", "-q", "--bare", "least.git"]).status();
        assert!(init.expect("git runs").success());
        let fetch = |more: &[&str]| {
            let mut command = self.command("git");
            let args =
                ["--git-dir=least.git", "-c", "fetch.negotiationAlgorithm=noop", "fetch", "-q", "--filter=tree:0"];
            command.args(args).args(more);
            self.counting(&mut command)
        };
        let mut bytes = fetch(&["--depth=1", &self.url(), "main"]);
        let directory = record.trim_end_matches("/record.json");
        let manifest = format!("{directory}/manifest.json");
        let above = directory.match_indices('/').map(|(at, _)| &directory[..at]);
        for path in ["main:"].into_iter().chain(above).chain([directory, &manifest, record]) {
            let id = self.git(&["rev-parse", path]).output().expect("git runs").stdout;
            bytes += fetch(&[&self.url(), String::from_utf8_lossy(&id).trim()]);
        }
        bytes
    }

    /// The shortest that commits one file with git's own programs, without a checkout.
    fn git_commit(&self, component: &str, run: usize) -> Command {
        let mut command = self.command("sh");
        let script = format!(
            "set -e; export GIT_INDEX_FILE=own-index; git read-tree main; blob=$(echo {run} | git hash-object -w --stdin); \
             git update-index --add --cacheinfo 100644,$blob,records/packages/{component}/1.0.{run}/note; \
             git update-ref refs/heads/main $(git -c user.name=a -c user.email=a@b commit-tree -p main -m {run} \
             $(git write-tree))"
        );
        command.current_dir(self.repository()).args(["-c", &script]);
        command
    }

    fn import(&self, types: usize) {
        let repository = self.repository();
        let init = self.command("git").args(["init", "-q", "--bare", "-b", "main"]).arg(&repository).status();
        assert!(init.expect("git runs").success());
        for name in ["uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"] {
            assert!(self.git(&["config", name, "true"]).status().expect("git runs").success());
        }
        let mut child =
            self.git(&["fast-import", "--quiet", "--depth=1"]).stdin(Stdio::piped()).spawn().expect("git runs");
        let mut out = BufWriter::with_capacity(1 << 20, child.stdin.take().expect("a pipe"));
        let head = "commit refs/heads/main\ncommitter Mei <mei@example.org> 1700000000 +0000\ndata 5\nmany\n";
        out.write_all(head.as_bytes()).expect("written");
        for kind in 0..types {
            for version in 0..VERSIONS {
                let [manifest, record] = documents(&format!("type{kind}"), &format!("1.0.{version}"));
                for (name, text) in [("manifest", manifest), ("record", record)] {
                    let path = format!("records/packages/type{kind}/1.0.{version}/{name}.json");
                    write!(out, "M 100644 inline {path}\ndata {}\n{text}\n", text.len()).expect("written");
                }
            }
        }
        drop(out);
        assert!(child.wait().expect("it ends").success());
    }

    /// What the program says of one version, and of all of one component, is what git has.
    fn compare(&self, types: usize) {
        let component = format!("type{}", types - 1);
        let shown: Value = self.json(&["record", "show", &format!("{component}@1.0.7"), "--json"]);
        for (part, file) in [("manifest", "manifest.json"), ("record", "record.json")] {
            let path = format!("main:records/packages/{component}/1.0.7/{file}");
            let text = self.git(&["cat-file", "blob", &path]).output().expect("git runs").stdout;
            assert_eq!(shown[part], serde_json::from_slice::<Value>(&text).expect("JSON"), "{file}");
        }
        let listed = self.json(&["record", "list", &component, "--json"]);
        let mut listed: Vec<_> =
            listed.as_array().expect("a list").iter().filter_map(|v| v["version"].as_str()).collect();
        let tree = format!("main:records/packages/{component}");
        let named = self.git(&["ls-tree", "--name-only", &tree]).output().expect("git runs").stdout;
        let named = String::from_utf8(named).expect("UTF-8");
        let mut named: Vec<_> = named.lines().collect();
        listed.sort_unstable();
        named.sort_unstable();
        assert_eq!(listed, named);
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.tool(args).output().expect("it runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// A manifest and the record that pins it.
fn documents(component: &str, version: &str) -> [String; 2] {
    let hex = |text: &str| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let file = format!("{component}-{version}.tar.gz");
    let digest = hex(&file);
    let sum = json!({"algorithm": "sha256", "value": digest});
    let component = json!({"type": component, "version": version, "created_at": "2026-01-02T03:04:05Z"});
    let manifest = json!({
        "component": component,
        "package": {"file": file, "size": 524_288_000, "algorithm": "gzip", "checksum": sum},
        "metadata": {"source_path": "./models", "pack_version": "1.0"},
    });
    let manifest = format!("{manifest:#}\n");
    let place = format!("/data/packages/{}/{version}/", component["type"].as_str().unwrap_or_default());
    let record = json!({
        "component": {"type": component["type"], "version": version},
        "manifest": {"sha256": hex(&manifest)},
        "package": {"file": file, "size": 524_288_000, "checksum": sum},
        "locations": [{
            "name": "local", "type": "filesystem", "path": place, "url": format!("file://{place}{file}"),
        }],
        "published_at": "2026-01-02T03:04:05Z",
    });
    [manifest, format!("{record:#}\n")]
}

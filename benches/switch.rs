//! What `version switch` costs as a whole process, beside the same done by hand in a shell: `ln -s X tmp && mv -T tmp link`.
//!
//! ```sh
//! cargo bench --bench switch              # 300 pairs for each root
//! cargo bench --bench switch -- 1000
//! ```
//!
//! Both work in memory-backed storage (`/dev/shm`), by turns, so that whatever else the machine does hits both; printed are
//! medians and their ratio. After each switch the link is read: it must hold what was asked for. A second root has a
//! component of 100 000 files, the others more versions and releases. On a disk the flushes of the crash contract come on
//! top; where strace is installed they are counted and named.

// The bans are for the library: a bench looks at the disk as a user does, and prints what it finds.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_deploy-tool");

/// `version switch` may take so many times what the shell takes.
const GOAL: f64 = 3.0;

fn main() {
    let pairs = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(300);
    let shm = Path::new("/dev/shm");
    let parent = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
    println!("{pairs} pairs a line in {}; medians of whole processes", parent.display());
    println!("{:>9} {:>9} {:>14} {:>14} {:>7}", "files", "versions", "version switch", "ln -s; mv -T", "ratio");
    let mut worst: f64 = 0.0;
    for (files, versions) in [(1, 2), (100_000, 2), (1, 100), (1, 10_000)] {
        let root = Root::new(&parent, files, versions);
        let (switch, shell) = compare(&root, pairs);
        let ratio = switch.as_secs_f64() / shell.as_secs_f64();
        worst = worst.max(ratio);
        println!("{files:>9} {versions:>9} {:>14} {:>14} {ratio:>7.2}", millis(switch), millis(shell));
    }
    println!("goal: at most {GOAL:.1} times: {}", if worst <= GOAL { "reached" } else { "MISSED" });
    flushes();
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn compare(root: &Root, pairs: usize) -> (Duration, Duration) {
    let by_hand = root.dir.path().join("by-hand");
    fs::create_dir(&by_hand).expect("made");
    let mut times = [Vec::new(), Vec::new()];
    for n in 0..pairs {
        let version = ["1.0.0", "1.0.1"][n % 2];
        times[0].push(timed(&mut root.switch(version)));
        root.must_hold(&root.deployment().join("components/model/current"), version);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ln -s {version} tmp && mv -T tmp link")]).current_dir(&by_hand);
        times[1].push(timed(&mut shell));
        root.must_hold(&by_hand.join("link"), version);
    }
    let [mut switch, mut shell] = times;
    (median(&mut switch), median(&mut shell))
}

fn timed(command: &mut Command) -> Duration {
    command.stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().expect("it runs");
    let took = started.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    took
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Where strace is installed: every flush, rename and link of one switch, on whatever the temporary directory lies on.
fn flushes() {
    let root = Root::new(&std::env::temp_dir(), 1, 2);
    let _ = timed(&mut root.switch("1.0.0"));
    let trace = root.dir.path().join("trace");
    let calls = "trace=syncfs,fsync,fdatasync,sync,rename,renameat,renameat2,symlink,symlinkat";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", calls, "-o"]).arg(&trace).arg(PROGRAM);
    if !strace.args(root.args("1.0.1")).stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("strace is not installed: flushes are not counted");
        return;
    }
    println!("\none switch, on {}:", std::env::temp_dir().display());
    let top = format!("{}/", root.deployment().display());
    let trace = fs::read_to_string(trace).expect("traced").replace(&top, "");
    for line in trace.lines() {
        println!("  {}", line.split_once(char::is_whitespace).map_or(line, |(_, call)| call.trim_start()));
    }
    let count = |name: &str| trace.matches(&format!("{name}(")).count();
    println!("{} of the whole file system, {} of single files", count("syncfs"), count("fsync") + count("fdatasync"));
}

/// A root with a component `model`, `1.0.0` and `1.0.1` of which were deployed, in a directory of its own.
struct Root {
    dir: tempfile::TempDir,
}

impl Root {
    fn new(parent: &Path, files: usize, versions: usize) -> Self {
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

    fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    fn deployment(&self) -> PathBuf {
        self.project().join("deployments")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env("HOME", self.dir.path()).current_dir(self.dir.path());
        command
    }

    fn args(&self, version: &str) -> Vec<String> {
        let root = self.deployment().display().to_string();
        ["--root", &root, "version", "switch", "model", version].map(str::to_owned).to_vec()
    }

    fn switch(&self, version: &str) -> Command {
        let mut command = self.command();
        command.args(self.args(version));
        command
    }

    fn must_hold(&self, link: &Path, target: &str) {
        let held = fs::read_link(link).expect("a link");
        assert_eq!(held, Path::new(target), "{}", link.display());
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

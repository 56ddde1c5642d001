//! What a deploy of 12 000 files costs as a whole process: of a version whose files an older one has, beside `cp -al` of the
//! tree; and flushed to the disk, beside the same without flushing.
//!
//! ```sh
//! cargo bench --bench deploy              # 15 rounds a line
//! cargo bench --bench deploy -- 50
//! ```
//!
//! Each line is measured by turns with what it is compared to, so that whatever else the machine does hits both; printed are
//! medians and their ratio. Everything is in the page cache. After each deploy the files are looked at: how many there are,
//! and that they are the older version's.
//!
//! *Without flushing* needs care, since a program that flushes cannot be told not to. Both runs are of the same program, to
//! the same disk, through an overlay each; one overlay is mounted `volatile`, which makes the kernel pass over every flush
//! of it. That needs a mount namespace; where none is allowed the line is left out. Where strace is installed the flushes of
//! one deploy are counted, too.

// The bans are for the library: a bench looks at the disk as a user does, and prints what it finds.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_deploy-tool");
const FILES: usize = 12_000;
const FILES_OF_A_DIRECTORY: usize = 20;
/// A deploy of what is there may take so many times what `cp -al` takes.
const SHARED_GOAL: f64 = 1.5;
/// A flushed deploy may take so many times what one that is not flushed takes.
const FLUSHED_GOAL: f64 = 1.3;
/// How the bench calls itself inside a mount namespace.
const INSIDE: &str = "--inside";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let rounds = args.iter().filter_map(|arg| arg.parse().ok()).next().unwrap_or(15);
    if let Some(at) = args.iter().position(|arg| arg == INSIDE) {
        return inside(Path::new(&args[at + 1]), rounds);
    }
    println!("{FILES} files; medians of {rounds} whole processes a line");
    println!("{:<34} {:>12} {:>12} {:>7}", "", "deploy", "other", "ratio");
    let mut worst: f64 = 0.0;
    for (place, name) in [(PathBuf::from("/dev/shm"), "memory"), (std::env::temp_dir(), "disk")] {
        if place.is_dir() {
            let scene = Scene::new(&place);
            for (version, what) in [("1.0.1", "all files are there"), ("1.0.2", "all but one")] {
                let (deploy, copy) = scene.shared(version, rounds);
                let ratio = line(&format!("{name}: {what}, cp -al"), deploy, copy);
                worst = worst.max(if name == "memory" || version == "1.0.1" { ratio } else { 0.0 });
            }
        }
    }
    println!("goal: at most {SHARED_GOAL} times `cp -al`: {}", reached(worst <= SHARED_GOAL));
    let scene = Scene::new(&std::env::temp_dir());
    match flushed(&scene, rounds) {
        Some((flushed, other)) => {
            let ratio = line("disk: flushed, not flushed", flushed, other);
            println!("goal: at most {FLUSHED_GOAL} times the same: {}", reached(ratio <= FLUSHED_GOAL));
        }
        None => println!("no mount namespaces here: nothing to compare a flushed deploy with"),
    }
    count_flushes(&scene);
}

fn reached(is: bool) -> &'static str {
    if is { "reached" } else { "MISSED" }
}

fn line(what: &str, deploy: Duration, other: Duration) -> f64 {
    let ratio = deploy.as_secs_f64() / other.as_secs_f64();
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    println!("{what:<34} {:>12} {:>12} {ratio:>7.2}", millis(deploy), millis(other));
    ratio
}

fn timed(command: &mut Command) -> Duration {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().expect("it runs");
    let took = started.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    took
}

fn run(program: &str, args: &[&str], path: &Path) {
    let _ = timed(Command::new(program).args(args).arg(path));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// A project with three published versions: the first two of the same files but for one that the second has not, the third
/// with one that is new; and a root with the first.
struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new(place: &Path) -> Self {
        let scene = Self { dir: tempfile::tempdir_in(place).expect("a directory") };
        let models = scene.path("project/models");
        for n in 0..FILES {
            let dir = models.join(format!("package-{}/module-{}", n / 400, n / FILES_OF_A_DIRECTORY));
            if n % FILES_OF_A_DIRECTORY == 0 {
                fs::create_dir_all(&dir).expect("made");
            }
            let text = format!("file {n}\n").repeat(20 + n % 200);
            fs::write(dir.join(format!("file-{n}.py")), text).expect("written");
        }
        let config = "version: 1\ncomponents: {model: {source: ./models}}\n";
        fs::write(scene.path("project/.deploy-tool.yaml"), config).expect("written");
        fs::write(models.join("extra"), "first").expect("written");
        scene.publish("1.0.0");
        fs::remove_file(models.join("extra")).expect("removed");
        scene.publish("1.0.1");
        fs::write(models.join("extra"), "third").expect("written");
        scene.publish("1.0.2");
        let _ = timed(&mut scene.tool(&["deploy", "model@1.0.0"]));
        scene
    }

    fn path(&self, sub: &str) -> PathBuf {
        self.dir.path().join(sub)
    }

    fn tool(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(args).env("HOME", self.dir.path()).current_dir(self.path("project"));
        command
    }

    fn publish(&self, version: &str) {
        let _ = timed(&mut self.tool(&["pack", "--type", "model", "--version", version]));
        let _ = timed(&mut self.tool(&["publish", &format!("model@{version}")]));
    }

    /// Deploys of `version` onto a root that has the first one, and copies of its tree by hard links.
    fn shared(&self, version: &str, rounds: usize) -> (Duration, Duration) {
        let (mut deploys, mut copies) = (Vec::new(), Vec::new());
        let versions = self.path("project/deployments/components/model");
        for round in 0..=rounds {
            let copy = self.path("copy");
            let copied = timed(Command::new("cp").arg("-al").arg(versions.join("1.0.0")).arg(&copy));
            run("rm", &["-rf"], &copy);
            let deployed = timed(&mut self.tool(&["deploy", &format!("model@{version}")]));
            check(&versions.join("1.0.0"), &versions.join(version));
            let _ = timed(&mut self.tool(&["version", "switch", "model", "1.0.0"]));
            let _ = timed(&mut self.tool(&["version", "switch", "model", "1.0.0"]));
            self.remove(version);
            run("sync", &["-f"], self.dir.path());
            // The first round fills the caches.
            if round > 0 {
                copies.push(copied);
                deploys.push(deployed);
            }
        }
        (median(deploys), median(copies))
    }

    /// Takes a version away. (A cleanup keeps it: it was current a moment ago.)
    fn remove(&self, version: &str) {
        let root = self.path("project/deployments");
        run("rm", &["-rf"], &root.join("components/model").join(version));
        for suffix in ["json", "files"] {
            let receipt = root.join(format!(".deploy-tool/receipts/model/{version}.{suffix}"));
            fs::remove_file(receipt).expect("removed");
        }
    }
}

/// All files of the new version are those of the old one, but for the one that differs.
fn check(old: &Path, new: &Path) {
    let mut found = 0;
    for package in fs::read_dir(new).expect("listed").map(|entry| entry.expect("an entry").path()) {
        for module in fs::read_dir(&package).into_iter().flatten().map(|entry| entry.expect("an entry").path()) {
            for file in fs::read_dir(&module).expect("listed").map(|entry| entry.expect("an entry").path()) {
                let same = old.join(file.strip_prefix(new).expect("below"));
                let (a, b) = (fs::metadata(&file).expect("there"), fs::metadata(same).expect("there"));
                assert_eq!(a.ino(), b.ino(), "{}", file.display());
                found += 1;
            }
        }
    }
    assert_eq!(found, FILES);
}

/// Deploys to empty roots on the disk of the temporary directory, flushed and not.
fn flushed(scene: &Scene, rounds: usize) -> Option<(Duration, Duration)> {
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let script = r#"
        for kind in plain volatile; do
            mkdir -p "$DIR/$kind/lower" "$DIR/$kind/upper" "$DIR/$kind/work" "$DIR/$kind/merged"
            options="lowerdir=$DIR/$kind/lower,upperdir=$DIR/$kind/upper,workdir=$DIR/$kind/work"
            [ "$kind" = plain ] || options="$options,volatile"
            mount -t overlay overlay -o "$options" "$DIR/$kind/merged"
        done
        exec "$BENCH" --inside "$DIR" "$ROUNDS"
    "#;
    unshare.args(["--mount", "sh", "-euc", script]).env("DIR", scene.dir.path());
    unshare.env("BENCH", std::env::current_exe().expect("known")).env("ROUNDS", rounds.to_string());
    let output = unshare.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut medians = text.lines().map(|line| Duration::from_nanos(line.parse().expect("a number")));
    Some((medians.next()?, medians.next()?))
}

/// Inside the namespace: deploys by turns to both overlays; prints the medians in nanoseconds.
fn inside(dir: &Path, rounds: usize) {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (kind, times) in ["plain", "volatile"].into_iter().zip(&mut times) {
            let root = dir.join(kind).join("merged/app");
            run("sync", &["-f"], dir);
            let mut deploy = Command::new(PROGRAM);
            deploy.args(["deploy", "model@1.0.0", "--root"]).arg(&root);
            let took = timed(deploy.env("HOME", dir).current_dir(dir.join("project")));
            assert!(root.join("links/model/package-29/module-599/file-11999.py").exists());
            run("rm", &["-rf"], &root);
            if round > 0 {
                times.push(took);
            }
        }
    }
    for times in times {
        println!("{}", median(times).as_nanos());
    }
}

/// Where strace is installed: the flushes of one deploy to an empty root.
fn count_flushes(scene: &Scene) {
    let trace = scene.path("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-T", "-e", "trace=syncfs,fsync,fdatasync,sync", "-o"]).arg(&trace).arg(PROGRAM);
    strace.args(["deploy", "model@1.0.0", "--root", "../counted"]);
    strace.env("HOME", scene.dir.path()).current_dir(scene.path("project")).stdout(Stdio::null());
    if !strace.status().is_ok_and(|status| status.success()) {
        println!("strace is not installed: flushes are not counted");
        return;
    }
    let trace = fs::read_to_string(trace).expect("traced");
    let count = |name: &str| trace.matches(&format!("{name}(")).count();
    let single = count("fsync") + count("fdatasync");
    println!(
        "one deploy of {FILES} files to an empty root: {} flushes of the whole file system, {single} of single files and directories",
        count("syncfs")
    );
}

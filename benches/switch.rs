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
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[path = "shared/root.rs"]
mod root;

use root::{PROGRAM, Root, median, millis, parent, timed};

/// `version switch` may take so many times what the shell takes.
const GOAL: f64 = 3.0;

fn main() {
    let pairs = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(300);
    let parent = parent();
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

fn compare(root: &Root, pairs: usize) -> (Duration, Duration) {
    let by_hand = root.dir.path().join("by-hand");
    fs::create_dir(&by_hand).expect("made");
    let mut times = [Vec::new(), Vec::new()];
    for n in 0..pairs {
        let version = ["1.0.0", "1.0.1"][n % 2];
        times[0].push(timed(&mut switch(root, version)));
        must_hold(&root.deployment().join("components/model/current"), version);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ln -s {version} tmp && mv -T tmp link")]).current_dir(&by_hand);
        times[1].push(timed(&mut shell));
        must_hold(&by_hand.join("link"), version);
    }
    let [mut switch, mut shell] = times;
    (median(&mut switch), median(&mut shell))
}

/// Where strace is installed: every flush, rename and link of one switch, on whatever the temporary directory lies on.
fn flushes() {
    let root = Root::new(&std::env::temp_dir(), 1, 2);
    let _ = timed(&mut switch(&root, "1.0.0"));
    let trace = root.dir.path().join("trace");
    let calls = "trace=syncfs,fsync,fdatasync,sync,rename,renameat,renameat2,symlink,symlinkat";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", calls, "-o"]).arg(&trace).arg(PROGRAM);
    if !strace.args(args(&root, "1.0.1")).stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
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

fn args(root: &Root, version: &str) -> Vec<String> {
    let root = root.deployment().display().to_string();
    ["--root", &root, "version", "switch", "model", version].map(str::to_owned).to_vec()
}

fn switch(root: &Root, version: &str) -> Command {
    let mut command = root.command();
    command.args(args(root, version));
    command
}

fn must_hold(link: &Path, target: &str) {
    let held = fs::read_link(link).expect("a link");
    assert_eq!(held, Path::new(target), "{}", link.display());
}

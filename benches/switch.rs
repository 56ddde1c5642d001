//! What `version switch` of one component and `rollback` of a release of three cost as whole processes, beside one link
//! moved by hand in a shell: `ln -s X tmp && mv -T tmp link`.
//!
//! ```sh
//! cargo bench --bench switch              # 300 pairs for each root
//! cargo bench --bench switch -- 1000
//! ```
//!
//! Both work in memory-backed storage (`/dev/shm`), by turns, so that whatever else the machine does hits both; printed are
//! medians and their ratio. Each goes to and fro
//! between the two newest sets; after each the links are read: they must hold what was asked for. A second root has a
//! component of 100 000 files, the others more versions and releases. On a disk the flushes of the crash contract come on
//! top; where strace is installed they are counted and named.
//!
//! After its result a switch names the processes that still use the old version, for which it looks at every process there
//! is. That grows with the machine's load and not with the root: `unshare --fork --pid --mount-proc` shows the rest.

// The bans are for the library: a bench looks at the disk as a user does, and prints what it finds.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[path = "shared/root.rs"]
mod root;

use root::{COMPONENTS, PROGRAM, Root, median, millis, parent, timed};

/// Each may take so many times what the shell takes.
const GOAL: f64 = 3.0;

fn main() {
    let pairs = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(300);
    let parent = parent();
    let place = parent.display();
    println!("{pairs} pairs a line in {place}; medians of whole processes, beside {} others", processes());
    println!("{:>9} {:>9} {:>25} {:>14} {:>7}", "files", "versions", "", "ln -s; mv -T", "ratio");
    let mut worst: f64 = 0.0;
    for (files, versions) in [(1, 2), (100_000, 2), (1, 100), (1, 10_000)] {
        let root = Root::new(&parent, files, versions);
        for (what, args, components) in [
            ("version switch", &["version", "switch", "model"][..], &COMPONENTS[..1]),
            ("rollback of three", &["rollback", "--to"], &COMPONENTS),
        ] {
            let (ours, shell) = compare(&root, args, components, &sides(versions), pairs);
            let ratio = ours.as_secs_f64() / shell.as_secs_f64();
            worst = worst.max(ratio);
            let ours = millis(ours);
            println!("{files:>9} {versions:>9} {what:>17} {ours:>7} {:>14} {ratio:>7.2}", millis(shell));
        }
    }
    println!("goal: at most {GOAL:.1} times: {}", if worst <= GOAL { "reached" } else { "MISSED" });
    for (what, args) in
        [("switch", &["version", "switch", "model", "1.0.1"][..]), ("rollback", &["rollback", "--to", "2"])]
    {
        flushes(what, args);
    }
}

/// How many processes there are, threads of the kernel included.
fn processes() -> usize {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    names.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).count()
}

/// The two newest sets of a root: the version of each component, and the release that made it current.
fn sides(versions: usize) -> [(String, String); 2] {
    match versions {
        2 => [1, 2].map(|release| (format!("1.0.{}", release - 1), release.to_string())),
        _ => [1, 0].map(|back| (format!("0.9.{}", versions - 3 - back), (versions - back).to_string())),
    }
}

fn compare(
    root: &Root,
    args: &[&str],
    components: &[(&str, &str)],
    sides: &[(String, String); 2],
    pairs: usize,
) -> (Duration, Duration) {
    let by_hand = root.dir.path().join("by-hand");
    fs::create_dir_all(&by_hand).expect("made");
    let mut times = [Vec::new(), Vec::new()];
    for n in 0..pairs {
        let (version, release) = &sides[n % 2];
        let to = if components.len() == 1 { version } else { release };
        times[0].push(timed(run(root, args).arg(to)));
        for (component, _) in components {
            must_hold(&root.deployment().join("components").join(component).join("current"), version);
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ln -s {version} tmp && mv -T tmp link")]).current_dir(&by_hand);
        times[1].push(timed(&mut shell));
        must_hold(&by_hand.join("link"), version);
    }
    let [mut ours, mut shell] = times;
    (median(&mut ours), median(&mut shell))
}

/// Where strace is installed: every flush, rename and link of one change, on whatever the temporary directory lies on.
fn flushes(what: &str, args: &[&str]) {
    let root = Root::new(&std::env::temp_dir(), 1, 2);
    let _ = timed(&mut run(&root, &["rollback", "--to", "1"]));
    let trace = root.dir.path().join("trace");
    let calls = "trace=syncfs,fsync,fdatasync,sync,rename,renameat,renameat2,symlink,symlinkat";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", calls, "-o"]).arg(&trace).arg(PROGRAM).arg("--root").arg(root.deployment());
    strace.env("HOME", root.dir.path()).current_dir(root.dir.path()).args(args);
    if !strace.stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("strace is not installed: flushes are not counted");
        return;
    }
    println!("\none {what}, on {}:", std::env::temp_dir().display());
    let top = format!("{}/", root.deployment().display());
    let trace = fs::read_to_string(trace).expect("traced").replace(&top, "");
    for line in trace.lines() {
        println!("  {}", line.split_once(char::is_whitespace).map_or(line, |(_, call)| call.trim_start()));
    }
    let count = |name: &str| trace.matches(&format!("{name}(")).count();
    println!("{} of the whole file system, {} of single files", count("syncfs"), count("fsync") + count("fdatasync"));
}

fn run(root: &Root, args: &[&str]) -> Command {
    let mut command = root.command();
    command.arg("--root").arg(root.deployment()).args(args);
    command
}

fn must_hold(link: &Path, target: &str) {
    let held = fs::read_link(link).expect("a link");
    assert_eq!(held, Path::new(target), "{}", link.display());
}

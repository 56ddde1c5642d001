//! What looking costs on a root that has made very many releases: `status`, and the commands that look at all of it.
//!
//! ```sh
//! cargo bench --bench status              # 30 runs a line
//! cargo bench --bench status -- 100
//! ```
//!
//! Printed are medians of whole processes, in memory-backed storage. `status` has a goal in milliseconds. The others look at
//! everything there is, so they may take ten times as long for ten times as much, and not a hundred times.

// The bans are for the library: a bench looks at the disk as a user does, and prints what it finds.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::process::Command;
use std::time::Duration;

#[path = "shared/root.rs"]
mod root;

use root::{Root, median, millis, parent, timed};

/// What `status` may take with the most versions.
const GOAL: Duration = Duration::from_millis(20);

/// How many times as long ten times as many versions may take: twice as long as what grows evenly.
const GROWTH: f64 = 20.0;

const VERSIONS: [usize; 3] = [100, 1_000, 10_000];

const COMMANDS: [&[&str]; 7] = [
    &["status"],
    &["history", "--limit", "20"],
    &["history"],
    &["version", "list"],
    &["version", "cleanup", "--dry-run"],
    &["links", "verify"],
    &["doctor", "--offline"],
];

fn main() {
    let runs = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(30);
    let parent = parent();
    println!("{runs} runs a line in {}; medians of whole processes", parent.display());
    println!("{:<28} {:>12} {:>12} {:>12} versions and releases", "", VERSIONS[0], VERSIONS[1], VERSIONS[2]);
    let roots = VERSIONS.map(|versions| Root::new(&parent, 1, versions));
    let mut failed = Vec::new();
    for args in COMMANDS {
        let times = roots.each_ref().map(|root| {
            let mut times: Vec<_> = (0..runs).map(|_| timed(&mut command(root, args))).collect();
            median(&mut times)
        });
        let [_, some, most] = times;
        println!("{:<28} {:>12} {:>12} {:>12}", args.join(" "), millis(times[0]), millis(some), millis(most));
        if most.as_secs_f64() > some.as_secs_f64() * GROWTH {
            failed.push(format!("`{}` grows faster than what it looks at", args.join(" ")));
        }
        if args == ["status"] && most > GOAL {
            failed.push(format!("`status` takes {}, over {}", millis(most), millis(GOAL)));
        }
    }
    println!(
        "goals: {}",
        if failed.is_empty() { "reached".to_owned() } else { format!("MISSED: {}", failed.join("; ")) }
    );
}

fn command(root: &Root, args: &[&str]) -> Command {
    let mut command = root.command();
    command.arg("--root").arg(root.deployment()).arg("--records").arg(root.project().join(".deploy-tool/records"));
    command.args(args);
    command
}

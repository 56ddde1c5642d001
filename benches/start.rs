//! How long the program takes to start: `deploy-tool --version` as a whole process, beside `git --version` and `true`.
//!
//! ```sh
//! cargo bench --bench start               # 500 runs of each
//! cargo bench --bench start -- 2000
//! ```
//!
//! By turns, so that whatever else the machine does hits all; printed are medians. `true` is what any process costs.

// The bans are for the library: a bench prints what it finds.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::process::Command;
use std::time::Duration;

#[path = "shared/times.rs"]
mod times;

use times::{PROGRAM, median, millis, parent, timed};

const GOAL: Duration = Duration::from_millis(5);

fn main() {
    let runs = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(500);
    let parent = parent();
    let mut lines = [(PROGRAM, "deploy-tool --version"), ("git", "git --version"), ("true", "true")]
        .map(|(program, shown)| (program, shown, Vec::new()));
    for _ in 0..runs {
        for (program, _, times) in &mut lines {
            times.push(timed(Command::new(*program).arg("--version").current_dir(&parent)));
        }
    }
    println!("{runs} runs of each; medians of whole processes");
    let medians = lines.map(|(_, shown, mut times)| {
        let median = median(&mut times);
        println!("{shown:>21} {:>8}", millis(median));
        median
    });
    println!("goal: under {}: {}", millis(GOAL), if medians[0] < GOAL { "reached" } else { "MISSED" });
}

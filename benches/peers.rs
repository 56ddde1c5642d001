//! The program against what people use instead, whole processes side by side in one run.
//!
//! ```text
//! cargo bench --bench peers -- [DIR] [--runs N] [--only TEXT] [--work DIR]
//! cargo bench --bench peers -- --memory [--only TEXT] [--work DIR]
//! ```
//!
//! DIR holds `w1` (1 GiB of bf16 normal weights in safetensors shards) and `rt1` (a runtime tree of real wheels). Without
//! DIR smaller inputs of the same kind are made. The third input, 100 000 files of 2 KiB, is always made here.
//!
//! All work is done in memory-backed storage (`/dev/shm`, or what `--work` names; up to 6 GB), where no disk hides the
//! difference; flushing does nothing there. Each pair runs A B A B, `--runs` times (5), and medians are printed. The first
//! result of each side must unpack to the input, or nothing is printed. `--only` takes the rows whose name has TEXT in it.
//!
//! What is measured: `pack` into a fresh store, with its index, all digests and the copy in the output directory;
//! `deploy` into a fresh root and a store that lacks the package, so that it is fetched from a filesystem target and
//! verified. Peers get the pipeline that does the same job with ordinary tools. `peak` is the most memory our process held.
//!
//! `--memory` packs and deploys one file of 1 GiB and one of 8 GiB and prints the peaks (on disk: up to 27 GB).
//!
//! Needs tar, pigz, zstd, sha256sum and git; casync, ostree and restic are measured where they are installed.

#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

#[allow(dead_code)]
#[path = "peers/inputs.rs"]
mod inputs;
#[path = "peers/memory.rs"]
mod memory;
#[path = "shared/options.rs"]
mod options;
#[allow(dead_code)]
#[path = "peers/process.rs"]
mod process;
#[path = "peers/rows.rs"]
mod rows;
#[path = "peers/scene.rs"]
mod scene;
#[path = "peers/tree.rs"]
mod tree;

use std::path::Path;
use std::process::ExitCode;

use options::Options;
use rows::{Bench, Input};
use scene::Scene;

const USAGE: &str = "usage: cargo bench --bench peers -- [DIR] [--runs N] [--only TEXT] [--work DIR] [--memory]";

fn main() -> ExitCode {
    options::end(Options::read(USAGE, 5, Some("--memory")).and_then(|options| measure(&options)))
}

fn measure(options: &Options) -> Result<(), String> {
    for program in ["tar", "pigz", "zstd", "sha256sum", "git"] {
        if !process::installed(program) {
            return Err(format!("needs `{program}`"));
        }
    }
    if options.flagged {
        let work = options.work.clone().unwrap_or_else(std::env::temp_dir);
        return memory::measure(&Scene::new(&work)?, &options.only);
    }
    let work = options.work();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores, work in `{}`, medians of {} runs A B A B", work.display(), options.runs);
    if !work.starts_with("/dev/shm") {
        println!("note: not in memory-backed storage, so the disk takes part");
    }
    let bench = Bench::new(Scene::new(work)?, options.runs, &options.only);
    rows::head();
    for input in Input::ALL {
        bench.input(input, || fill(input, options.inputs.as_deref(), &bench.scene))?;
    }
    Ok(())
}

/// Puts an input's tree into the scene.
fn fill(input: Input, given: Option<&Path>, scene: &Scene) -> Result<(), String> {
    let into = scene.path("input");
    let copy = |name: &str, dir: &Path| {
        let from = dir.join(name);
        let from = from.canonicalize().map_err(|e| format!("cannot read the input `{}`: {e}", from.display()))?;
        scene.shell(&format!("cp -r '{}/.' input", from.display())).map(|_| ())
    };
    let made = |result: std::io::Result<()>| result.map_err(|e| format!("cannot make an input: {e}"));
    match (input, given) {
        (Input::Weights, Some(dir)) => copy("w1", dir),
        (Input::Weights, None) => made(inputs::weights(&into, 64 << 20)),
        (Input::Runtime, Some(dir)) => copy("rt1", dir),
        (Input::Runtime, None) => inputs::runtime(&into, 96 << 20),
        (Input::ManyFiles, _) => made(inputs::many_files(&into)),
    }
}

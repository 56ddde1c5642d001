//! Updates: what the next version of a component costs a host that has the last one, against the whole package.
//!
//! ```text
//! cargo bench --bench update -- [DIR] [--runs N] [--only TEXT] [--work DIR]
//! ```
//!
//! DIR holds `rt1` and `rt2` (two sets of real wheels, some of them of the next patch release) and `w1` and `w2` (four shards
//! of bf16 weights, one of them with some tensors new and a longer header). Without DIR small inputs of the same kinds are
//! made. A third pair, made here always, is a tree of config files in one of which one line changes.
//!
//! All work is done in memory-backed storage (`/dev/shm`, or what `--work` names; up to 6 GB). `--runs` (3) times each;
//! medians are printed. Every deploy must end in the tree of the second version, or nothing is printed.
//!
//! What is measured, with zstd:
//! - the bytes that come over the wire for the second version: `whole` into a store and a root that have nothing, `ranges`
//!   where the first one is installed;
//! - `shaped`: the seconds of the update over a link of 20 MB/s and 30 ms, and how many times as long the bytes that came
//!   take at line rate (at most 1.2 is asked for; starting the program and reading the records counts);
//! - `loopback`: the seconds of the update with no limit, and of the second version from nothing.
//!
//! Needs tar, git and nginx.

#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

#[allow(dead_code)]
#[path = "peers/inputs.rs"]
mod inputs;
#[allow(dead_code)]
#[path = "peers/process.rs"]
mod process;
#[allow(dead_code)]
#[path = "../tests/it/relay.rs"]
mod relay;
#[allow(dead_code)]
#[path = "peers/scene.rs"]
mod scene;
#[allow(dead_code)]
#[path = "../tests/it/servers/mod.rs"]
mod servers;
#[path = "peers/tree.rs"]
mod tree;

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use process::run;
use relay::Relay;
use scene::Scene;
use servers::nginx::Nginx;

const USAGE: &str = "usage: cargo bench --bench update -- [DIR] [--runs N] [--only TEXT] [--work DIR]";

/// The shaped link: bytes a second, and a round trip.
const PACE: u64 = 20_000_000;
const ROUND_TRIP: Duration = Duration::from_millis(30);

struct Options {
    inputs: Option<PathBuf>,
    runs: usize,
    only: String,
    work: PathBuf,
}

fn main() -> ExitCode {
    match options().and_then(|options| measure(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options { inputs: None, runs: 3, only: String::new(), work: PathBuf::from("/dev/shm") };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("`{arg}` wants a value\n{USAGE}"));
        match arg.as_str() {
            "--bench" => {} // cargo says it to every bench
            "--runs" => options.runs = value()?.parse().map_err(|_| USAGE.to_owned())?,
            "--only" => options.only = value()?,
            "--work" => options.work = PathBuf::from(value()?),
            dir if !dir.starts_with('-') && options.inputs.is_none() => options.inputs = Some(PathBuf::from(dir)),
            _ => return Err(USAGE.to_owned()),
        }
    }
    if options.runs == 0 {
        return Err(USAGE.to_owned());
    }
    Ok(options)
}

fn measure(options: &Options) -> Result<(), String> {
    for program in ["tar", "git"] {
        if !process::installed(program) {
            return Err(format!("needs `{program}`"));
        }
    }
    println!(
        "work in `{}`, medians of {} runs; bytes in MB, the index among them",
        options.work.display(),
        options.runs
    );
    println!(
        "{:<10} {:>9} {:>9} {:>6} {:>10} {:>10} {:>11} {:>14} {:>12}",
        "update", "whole", "ranges", "share", "shaped s", "line s", "times line", "loopback s", "from nothing"
    );
    for update in ["runtime", "weights", "config"] {
        if update.contains(&options.only) {
            Bench::new(options, update)?.row(update)?;
        }
    }
    Ok(())
}

struct Bench {
    scene: Scene,
    runs: usize,
    nginx: Nginx,
}

impl Bench {
    /// Both versions published to a directory that a web server serves.
    fn new(options: &Options, update: &str) -> Result<Self, String> {
        let scene = Scene::new(&options.work)?;
        configure(&scene, &format!("shared: {{type: filesystem, path: '{}'}}", scene.path("served").display()))?;
        for version in ["1", "2"] {
            scene.empty("input").map_err(|e| format!("cannot clear the scene: {e}"))?;
            fill(&scene, options.inputs.as_deref(), update, version)?;
            let pack = ["pack", "--type", "work", "--version", version, "--output", "../out", "--compression", "zstd"];
            run(&mut scene.ours(&pack))?;
            run(&mut scene.ours(&["publish", &format!("work@{version}")]))?;
        }
        for sub in ["store", "out"] {
            scene.remove(sub).map_err(|e| format!("cannot clear the scene: {e}"))?;
        }
        let nginx = Nginx::serving(&scene.path("served")).ok_or("needs `nginx`")?;
        Ok(Self { scene, runs: options.runs, nginx })
    }

    fn row(&self, update: &str) -> Result<(), String> {
        let (mut shaped, mut open, mut nothing) = (Vec::new(), Vec::new(), Vec::new());
        let (mut whole, mut ranges, mut shaped_bytes) = (0, 0, 0);
        for _ in 0..self.runs {
            let (seconds, bytes) = self.deploy(Some(PACE), ROUND_TRIP, true)?;
            shaped.push(seconds);
            shaped_bytes = bytes;
            let (seconds, bytes) = self.deploy(None, Duration::ZERO, true)?;
            open.push(seconds);
            ranges = bytes.max(shaped_bytes);
            let (seconds, bytes) = self.deploy(None, Duration::ZERO, false)?;
            nothing.push(seconds);
            whole = bytes;
        }
        let median = |seconds: Vec<f64>| process::median(seconds);
        let (line, shaped) = (shaped_bytes as f64 / PACE as f64, median(shaped));
        println!(
            "{update:<10} {:>9.2} {:>9.2} {:>5.0}% {shaped:>10.2} {line:>10.2} {:>11.2} {:>14.2} {:>12.2}",
            whole as f64 / 1e6,
            ranges as f64 / 1e6,
            100.0 * ranges as f64 / whole as f64,
            shaped / line,
            median(open),
            median(nothing),
        );
        Ok(())
    }

    /// Seconds, and bytes towards the client, of a deploy of the second version through a link, with the first one installed or
    /// with nothing there.
    fn deploy(&self, pace: Option<u64>, round_trip: Duration, installed: bool) -> Result<(f64, u64), String> {
        let relay = Relay::shaped(self.nginx.port, pace, round_trip);
        let url = format!("http://127.0.0.1:{}/ranges/", relay.port);
        configure(&self.scene, &format!("web: {{type: http, url: '{url}'}}"))?;
        for sub in ["store", "root"] {
            self.scene.remove(sub).map_err(|e| format!("cannot clear the scene: {e}"))?;
        }
        for version in ["1", "2"] {
            self.located(version, &url)?;
        }
        self.scene.shell("git -C records commit -qam served --allow-empty")?;
        if installed {
            // Over the open line: how the first version came is not measured, nor is the link remembered from it.
            let open = Relay::shaped(self.nginx.port, None, Duration::ZERO);
            let there = format!("http://127.0.0.1:{}/ranges/", open.port);
            configure(&self.scene, &format!("web: {{type: http, url: '{there}'}}"))?;
            self.located("1", &there)?;
            self.scene.shell("git -C records commit -qam served --allow-empty")?;
            run(&mut self.scene.ours(&["deploy", "work@1"]))?;
            let _ = fs::remove_file(self.scene.path("store/speeds.json"));
            configure(&self.scene, &format!("web: {{type: http, url: '{url}'}}"))?;
        }
        let used = run(&mut self.scene.ours(&["deploy", "work@2"]))?;
        self.scene.check_tree("root/links/work")?;
        Ok((used.wall, relay.down()))
    }

    /// The record of a version names this place and no other.
    fn located(&self, version: &str, url: &str) -> Result<(), String> {
        let path = self.scene.path(&format!("records/records/packages/work/{version}/record.json"));
        let said = |e: &dyn std::fmt::Display| format!("`{}`: {e}", path.display());
        let text = fs::read_to_string(&path).map_err(|e| said(&e))?;
        let mut record: serde_json::Value = serde_json::from_str(&text).map_err(|e| said(&e))?;
        let file = record["package"]["file"].as_str().ok_or("the record names no package")?.to_owned();
        let location = serde_json::json!({"name": "web", "type": "http", "url": format!("{url}work/{version}/{file}")});
        record["locations"] = serde_json::Value::Array(vec![location]);
        let text = serde_json::to_vec_pretty(&record).map_err(|e| said(&e))?;
        fs::write(&path, text).map_err(|e| said(&e))
    }
}

fn configure(scene: &Scene, target: &str) -> Result<(), String> {
    let config = format!(
        "version: 1\n\
         project: {{name: bench}}\n\
         components: {{work: {{source: ../input, exclude: ['!*']}}}}\n\
         records: {{repository: ../records}}\n\
         publish: {{targets: {{{target}}}}}\n\
         deploy: {{root: ../root}}\n\
         store: {{path: ../store}}\n"
    );
    fs::write(scene.path("project/.deploy-tool.yaml"), config).map_err(|e| format!("cannot configure: {e}"))
}

/// Puts a version's tree into the scene's input.
fn fill(scene: &Scene, given: Option<&Path>, update: &str, version: &str) -> Result<(), String> {
    let into = scene.path("input");
    let made = |result: std::io::Result<()>| result.map_err(|e| format!("cannot make an input: {e}"));
    let name = match update {
        "runtime" => "rt",
        "weights" => "w",
        _ => return made(config(&into, version)),
    };
    if let Some(dir) = given {
        let from = dir.join(format!("{name}{version}"));
        let from = from.canonicalize().map_err(|e| format!("cannot read the input `{}`: {e}", from.display()))?;
        return scene.shell(&format!("cp -r '{}/.' input", from.display())).map(|_| ());
    }
    match update {
        "runtime" => {
            inputs::runtime(&into, 96 << 20)?;
            if version == "2" {
                made(touch(&into, &mut 0))?;
            }
            Ok(())
        }
        _ => {
            made(inputs::weights(&into, 64 << 20))?;
            if version == "2" {
                made(retrain(&into.join("model-00003-of-00004.safetensors")))?;
            }
            Ok(())
        }
    }
}

/// Another line in every file of one directory of ten.
fn touch(dir: &Path, count: &mut u32) -> std::io::Result<()> {
    *count += 1;
    let changes = (*count).is_multiple_of(10);
    let mut entries: Vec<_> = fs::read_dir(dir)?.collect::<std::io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_type()?.is_dir() {
            touch(&entry.path(), count)?;
        } else if changes {
            let mut bytes = fs::read(entry.path())?;
            bytes.extend_from_slice(b"\n# next\n");
            fs::write(entry.path(), bytes)?;
        }
    }
    Ok(())
}

/// A header 60 bytes longer, and a fifth of the values new.
fn retrain(path: &Path) -> std::io::Result<()> {
    let mut bytes = fs::read(path)?;
    bytes.splice(8..8, [b' '; 60]);
    let mut random = inputs::Random::new(9);
    let (start, length) = (bytes.len() / 2, bytes.len() / 5);
    // As even as weights are: high bytes of few kinds.
    for pair in bytes[start..start + length].chunks_exact_mut(2) {
        let value = random.next();
        pair.copy_from_slice(&[value as u8, 0x3c | (value >> 8) as u8 & 0x83]);
    }
    fs::File::create(path)?.write_all_at(&bytes, 0)
}

/// 2000 files of settings, together 12 MB; in the second version one has a line more.
fn config(into: &Path, version: &str) -> std::io::Result<()> {
    let mut random = inputs::Random::new(5);
    for number in 0..2000 {
        let dir = into.join(format!("service-{:02}", number / 100));
        fs::create_dir_all(&dir)?;
        let mut text: String = (0..200).map(|key| format!("key-{key:03}: {:016x}\n", random.next())).collect();
        if version == "2" && number == 1234 {
            text.push_str("threshold: 0.7\n");
        }
        fs::write(dir.join(format!("{number:04}.yaml")), text)?;
    }
    Ok(())
}

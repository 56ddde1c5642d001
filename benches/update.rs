//! Updates: what the next version of a component costs a host that has the last one, against the whole package.
//!
//! ```text
//! cargo bench --bench update -- [DIR] [--runs N] [--only TEXT] [--work DIR]
//! ```
//!
//! DIR holds `rt1` and `rt2` (two sets of real wheels, some of them of the next patch release) and `w1` and `w2` (four shards
//! of bf16 weights, one of them with some tensors new and a longer header). Without DIR small inputs of the same kinds are
//! made. Three more pairs are made here: `values` is the first weights, then each value of them another; `config` a tree of
//! config files in one of which one line changes; `scattered` the first runtime, then every second file of it changed.
//!
//! All work is done in memory-backed storage (`/dev/shm`, or what `--work` names; up to 8 GB). `--runs` (3) times each;
//! medians are printed. Every deploy must end in the tree of the second version, or nothing is printed.
//!
//! What is measured, with zstd, of each way to the second version: `whole` into a store and a root that have nothing;
//! `ranges` where the first version is installed and the record lists no delta; `delta` where it lists one from the first.
//! - the bytes that come over the wire;
//! - `shaped`: the seconds over a link of 20 MB/s and 30 ms, and how many times as long the bytes that came take at line rate
//!   (at most 1.2 is asked for; starting the program and reading the records counts); `took` is what the planner took, of
//!   all that it had.
//!
//! Then, over loopback with no limit, the seconds of the update by what the planner takes that knows the link, having just
//! fetched the first version over it, and by each way. A way is forced by what anybody can say: `whole` by `verify: whole`
//! (which checks more: all of the archive's headers), the others by a `speeds.json` in the store that calls the link slow, and
//! a record without the delta.
//!
//! Needs tar, git and nginx.

#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

#[allow(dead_code)]
#[path = "peers/inputs.rs"]
mod inputs;
#[allow(dead_code)]
#[path = "shared/options.rs"]
mod options;
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
#[path = "peers/versions.rs"]
mod versions;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use options::Options;
use process::{median, run, said};
use relay::Relay;
use scene::Scene;
use servers::nginx::Nginx;

const USAGE: &str = "usage: cargo bench --bench update -- [DIR] [--runs N] [--only TEXT] [--work DIR]";

/// The shaped link: bytes a second, and a round trip.
const PACE: u64 = 20_000_000;
const ROUND_TRIP: Duration = Duration::from_millis(30);

fn main() -> ExitCode {
    options::end(Options::read(USAGE, 3, None).and_then(|options| measure(&options)))
}

fn measure(options: &Options) -> Result<(), String> {
    for program in ["tar", "git"] {
        if !process::installed(program) {
            return Err(format!("needs `{program}`"));
        }
    }
    println!(
        "work in `{}`, medians of {} runs; bytes in MB, the index among them",
        options.work().display(),
        options.runs
    );
    println!(
        "{:<10} {:<7} {:>9} {:>9} {:>9} {:>9} {:>11}  took",
        "update", "way", "bytes", "of whole", "shaped s", "line s", "times line"
    );
    let mut loopback = Vec::new();
    for update in ["runtime", "weights", "values", "config", "scattered"] {
        if update.contains(&options.only) {
            let bench = Bench::new(options, update)?;
            bench.shaped(update)?;
            loopback.push(bench.loopback(update)?);
        }
    }
    println!(
        "\n{:<10} {:<7} {:>10} {:>9} {:>9} {:>9}",
        "loopback", "took", "planner s", "whole s", "ranges s", "delta s"
    );
    loopback.iter().for_each(|line| println!("{line}"));
    Ok(())
}

struct Bench {
    scene: Scene,
    runs: usize,
    nginx: Nginx,
    /// The deltas that the second version's record lists.
    deltas: serde_json::Value,
}

/// A deploy of the second version.
#[derive(Clone, Copy)]
struct Update {
    /// Whether the first one is installed.
    installed: bool,
    /// Whether the record lists its delta.
    delta: bool,
    /// The link that it goes over.
    pace: Option<u64>,
    round_trip: Duration,
    /// What the store remembers of the link.
    knows: Knows,
    /// The line of the configuration.
    verify: &'static str,
}

/// What is remembered of a link.
#[derive(Clone, Copy)]
enum Knows {
    Nothing,
    /// What was seen of it when the first version came.
    Seen,
    /// That it is slow.
    Slow,
}

const SHAPED: Update = Update {
    installed: true,
    delta: true,
    pace: Some(PACE),
    round_trip: ROUND_TRIP,
    knows: Knows::Nothing,
    verify: "receipt",
};
const OPEN: Update = Update { pace: None, round_trip: Duration::ZERO, knows: Knows::Seen, ..SHAPED };

/// What a deploy was.
struct Done {
    seconds: f64,
    /// Bytes towards the client, over a shaped link.
    bytes: u64,
    way: String,
}

impl Bench {
    /// Both versions published to a directory that a web server serves, the second with a delta from the first.
    fn new(options: &Options, update: &str) -> Result<Self, String> {
        let scene = Scene::new(options.work())?;
        let target = format!("shared: {{type: filesystem, path: '{}'}}", scene.path("served").display());
        configure(&scene, &target, "receipt")?;
        let work = |e: std::io::Error| format!("cannot clear the scene: {e}");
        for version in ["1", "2"] {
            scene.empty("input").map_err(work)?;
            versions::fill(&scene, options.inputs.as_deref(), update, version)?;
            let pack = ["pack", "--type", "work", "--version", version, "--output", "../out", "--compression", "zstd"];
            run(&mut scene.ours(&pack))?;
            let name = format!("work@{version}");
            let publish = ["publish", &name, "--delta-from", "previous"];
            run(&mut scene.ours(if version == "1" { &publish[..2] } else { &publish }))?;
        }
        for sub in ["store", "out"] {
            scene.remove(sub).map_err(work)?;
        }
        let nginx = Nginx::serving(&scene.path("served")).ok_or("needs `nginx`")?;
        let mut bench = Self { scene, runs: options.runs, nginx, deltas: serde_json::Value::Null };
        bench.deltas = bench.record("2")?["deltas"].take();
        Ok(bench)
    }

    /// Whether one was worth keeping.
    fn has_delta(&self) -> bool {
        self.deltas.as_array().is_some_and(|deltas| !deltas.is_empty())
    }

    fn shaped(&self, update: &str) -> Result<(), String> {
        let whole = ("whole", Update { installed: false, ..SHAPED });
        let ranges = ("ranges", Update { delta: false, ..SHAPED });
        let mut ways = vec![whole, ranges];
        ways.extend(self.has_delta().then_some(("delta", SHAPED)));
        let mut all = 0;
        for (name, way) in ways {
            let runs = (0..self.runs).map(|_| self.deploy(way)).collect::<Result<Vec<Done>, _>>()?;
            let shaped = median(runs.iter().map(|done| done.seconds).collect());
            let bytes = runs.iter().map(|done| done.bytes).max().unwrap_or_default();
            all = if name == "whole" { bytes } else { all };
            let line = bytes as f64 / PACE as f64;
            println!(
                "{update:<10} {name:<7} {:>9.2} {:>8.1}% {shaped:>9.2} {line:>9.2} {:>11.2}  {}",
                bytes as f64 / 1e6,
                100.0 * bytes as f64 / all as f64,
                shaped / line,
                took(&runs),
            );
        }
        Ok(())
    }

    fn loopback(&self, update: &str) -> Result<String, String> {
        let slow = Update { knows: Knows::Slow, ..OPEN };
        let ways = [OPEN, Update { verify: "whole", ..OPEN }, Update { delta: false, ..slow }, slow];
        let mut runs = ways.map(|_| Vec::new());
        // In turns, so that a busy moment of the machine is no way's alone.
        for _ in 0..self.runs {
            for (way, runs) in ways.iter().zip(&mut runs).filter(|(way, _)| !is_delta(way) || self.has_delta()) {
                runs.push(self.deploy(*way)?);
            }
        }
        let seconds = runs.each_ref().map(|runs| match runs.len() {
            0 => "–".to_owned(),
            _ => format!("{:.2}", median(runs.iter().map(|done| done.seconds).collect())),
        });
        let [planner, whole, ranges, delta] = seconds;
        // What was to be forced, and was not, is told.
        let forced = [took(&runs[1]), took(&runs[2]), took(&runs[3])].join(" ");
        Ok(format!(
            "{update:<10} {:<7} {planner:>10} {whole:>9} {ranges:>9} {delta:>9}  (forced: {forced})",
            took(&runs[0])
        ))
    }

    fn deploy(&self, update: Update) -> Result<Done, String> {
        // Without a limit nothing is between: passing bytes on would cost this machine more than the way that moves few of them.
        let relay = update.pace.map(|pace| Relay::shaped(self.nginx.port, Some(pace), update.round_trip));
        let port = relay.as_ref().map_or(self.nginx.port, |relay| relay.port);
        for sub in ["store", "root"] {
            self.scene.remove(sub).map_err(|e| format!("cannot clear the scene: {e}"))?;
        }
        if update.installed {
            // Over the open line: how the first version came is not measured.
            self.through(self.nginx.port, update)?;
            run(&mut self.scene.ours(&["deploy", "work@1"]))?;
        }
        self.through(port, update)?;
        let speeds = self.scene.path("store/speeds.json");
        match update.knows {
            Knows::Seen => {}
            Knows::Nothing => drop(fs::remove_file(&speeds)),
            Knows::Slow => {
                let slow = r#"{"version": 1, "sources": {"web": 1000000}, "round_trips": {"web": 100}}"#;
                fs::write(&speeds, slow).map_err(|e| format!("`{}`: {e}", speeds.display()))?;
            }
        }
        let (used, said) = said(&mut self.scene.ours(&["deploy", "work@2", "--json"]))?;
        self.scene.check_tree("root/links/work")?;
        let said: serde_json::Value = serde_json::from_str(&said).map_err(|e| format!("what it said: {e}"))?;
        let cost = &said["components"][0]["cost"];
        let taken = &cost["candidates"][cost["chosen"].as_u64().unwrap_or_default() as usize]["way"];
        Ok(Done {
            seconds: used.wall,
            bytes: relay.map_or(0, |relay| relay.down()),
            way: taken.as_str().unwrap_or("?").to_owned(),
        })
    }

    /// Both versions are to be had at this port and nowhere else.
    fn through(&self, port: u16, update: Update) -> Result<(), String> {
        let url = format!("http://127.0.0.1:{port}/ranges/");
        configure(&self.scene, &format!("web: {{type: http, url: '{url}'}}"), update.verify)?;
        for version in ["1", "2"] {
            let mut record = self.record(version)?;
            let file = record["package"]["file"].as_str().ok_or("the record names no package")?.to_owned();
            record["locations"] =
                serde_json::json!([{"name": "web", "type": "http", "url": format!("{url}work/{version}/{file}")}]);
            if version == "2" && self.has_delta() {
                record["deltas"] = if update.delta { self.deltas.clone() } else { serde_json::json!([]) };
            }
            let text = serde_json::to_vec_pretty(&record).map_err(|e| e.to_string())?;
            fs::write(self.record_path(version), text).map_err(|e| format!("cannot write a record: {e}"))?;
        }
        self.scene.shell("git -C records commit -qam served --allow-empty").map(drop)
    }

    fn record(&self, version: &str) -> Result<serde_json::Value, String> {
        let path = self.record_path(version);
        let said = |e: &dyn std::fmt::Display| format!("`{}`: {e}", path.display());
        let text = fs::read_to_string(&path).map_err(|e| said(&e))?;
        serde_json::from_str(&text).map_err(|e| said(&e))
    }

    fn record_path(&self, version: &str) -> PathBuf {
        self.scene.path(&format!("records/records/packages/work/{version}/record.json"))
    }
}

/// Whether an update is there to see a delta taken.
fn is_delta(update: &Update) -> bool {
    update.delta && matches!(update.knows, Knows::Slow)
}

/// What the planner took, in every run.
fn took(runs: &[Done]) -> String {
    let mut ways: Vec<&str> = runs.iter().map(|done| done.way.as_str()).collect();
    ways.dedup();
    if ways.is_empty() { "–".to_owned() } else { ways.join("/") }
}

fn configure(scene: &Scene, target: &str, verify: &str) -> Result<(), String> {
    let config = format!(
        "version: 1\n\
         project: {{name: bench}}\n\
         components: {{work: {{source: ../input, exclude: ['!*']}}}}\n\
         records: {{repository: ../records}}\n\
         publish: {{targets: {{{target}}}}}\n\
         deploy: {{root: ../root, verify: {verify}}}\n\
         store: {{path: ../store}}\n"
    );
    fs::write(scene.path("project/.deploy-tool.yaml"), config).map_err(|e| format!("cannot configure: {e}"))
}

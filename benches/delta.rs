//! Deltas between real trees: how large they are, how long making and applying takes, and how much memory.
//!
//! ```text
//! cargo bench --bench delta -- [DIR] [--only TEXT] [--level N] [--work DIR]
//! ```
//!
//! DIR (`/dev/shm/in`) holds `rt1`, `rt2` (a runtime of Python wheels and its update), `w1` and `w2` (bf16 weights, one
//! shard with three new tensors and a longer header). A third row is made of `w1`: every value changed, by the least that bf16 can
//! say (0.4 to 0.8 %; times 1 ± 0.001 would leave nearly all of them as they are). Work
//! is done in memory-backed storage; up to 4 GB. Each tree that was made is compared with the target, or nothing is printed.
//!
//! Applying runs in a process of its own, whose peak memory is printed: unchanged files are linked, changed ones made, the
//! tree finished.

#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

#[allow(dead_code)]
#[path = "peers/inputs.rs"]
mod inputs;

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use deploy_tool::archive::{Mtime, PackOptions, Packed, Tree, UnpackOptions, pack};
use deploy_tool::delta::{self, ApplyOptions, Made, MakeOptions, Out};
use deploy_tool::fsx::Dir;
use deploy_tool::model::{Blake3, Choice, Compression, Entry, EntryKind, Index, Version};

const USAGE: &str = "usage: cargo bench --bench delta -- [DIR] [--only TEXT] [--level N] [--work DIR]";

struct Row {
    name: &'static str,
    base: PathBuf,
    target: PathBuf,
    /// In bytes.
    most: u64,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let outcome = match args.split_first() {
        Some((first, rest)) if first == "--apply" => apply(rest),
        _ => measure(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &[String]) -> Result<(), String> {
    let (mut inputs, mut only, mut level) = (PathBuf::from("/dev/shm/in"), String::new(), None);
    let mut work = PathBuf::from("/dev/shm");
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("`{arg}` wants a value\n{USAGE}"));
        match arg.as_str() {
            "--only" => only = value()?.clone(),
            "--level" => level = Some(value()?.parse().map_err(|_| USAGE.to_owned())?),
            "--work" => work = value()?.into(),
            other if !other.starts_with('-') => inputs = other.into(),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let work = tempfile::tempdir_in(work).map_err(|e| e.to_string())?;
    let w3 = work.path().join("w3");
    let rows = [
        Row { name: "runtime", base: inputs.join("rt1"), target: inputs.join("rt2"), most: 20_000_000 },
        Row { name: "weights", base: inputs.join("w1"), target: inputs.join("w2"), most: 40_000_000 },
        Row { name: "every-value", base: inputs.join("w1"), target: w3.clone(), most: 161_000_000 },
    ];
    println!(
        "{:<12} {:>9} {:>9} {:>8} {:>8} {:>7} {:>6} {:>9} {:>8}",
        "update", "package", "delta", "at most", "pack", "make", "times", "apply", "peak"
    );
    for row in rows.iter().filter(|row| row.name.contains(&only)) {
        if row.target == w3 {
            inputs::every_value(&row.base, &w3).map_err(|e| e.to_string())?;
        }
        one(row, work.path(), level)?;
    }
    Ok(())
}

fn one(row: &Row, work: &Path, level: Option<i32>) -> Result<(), String> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", row.name);
    let base = packed(&row.base, Compression::None, io::sink()).map_err(|e| failed(&e))?;
    let started = Instant::now();
    let file = BufWriter::new(File::create(work.join("package")).map_err(|e| failed(&e))?);
    let target = packed(&row.target, Compression::Zstd, file).map_err(|e| failed(&e))?;
    let pack_time = started.elapsed().as_secs_f64();
    fs::remove_file(work.join("package")).map_err(|e| failed(&e))?;
    let (from, to) = (Dir::open(&row.base).map_err(|e| failed(&e))?, Dir::open(&row.target).map_err(|e| failed(&e))?);
    let (one, two): (Version, Version) = ("1".parse().map_err(|e| failed(&e))?, "2".parse().map_err(|e| failed(&e))?);
    let options = MakeOptions { base: &one, target: &two, level, limit: u64::MAX, threads: 0, progress: &|_, _| {} };
    let started = Instant::now();
    let spool = File::options().read(true).write(true).create(true).truncate(true).open(work.join("spool"));
    let mut out = BufWriter::new(File::create(work.join("delta")).map_err(|e| failed(&e))?);
    let made = delta::make(
        delta::Tree { dir: &from, index: &base.index, follow: false },
        delta::Tree { dir: &to, index: &target.index, follow: false },
        &options,
        (&spool.map_err(|e| failed(&e))?, &work.join("spool")),
        &mut out,
    );
    let Made::Delta { header, .. } = made.map_err(|e| failed(&e))? else { return Err("no delta".to_owned()) };
    drop(out);
    let make_time = started.elapsed().as_secs_f64();
    for (with, bytes) in by_kind(&header) {
        eprintln!("  {with}: {bytes}");
    }
    fs::write(work.join("index"), target.index.to_bytes()).map_err(|e| failed(&e))?;
    fs::write(work.join("base-index"), base.index.to_bytes()).map_err(|e| failed(&e))?;
    let result = work.join("result");
    fs::create_dir(&result).map_err(|e| failed(&e))?;
    let program = std::env::current_exe().map_err(|e| failed(&e))?;
    let output = Command::new(program).arg("--apply").arg(work).arg(&row.base).output().map_err(|e| failed(&e))?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().filter_map(|n| n.parse::<f64>().ok());
    let (seconds, peak) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    if let Some(path) = differs(&result, &target.index) {
        return Err(format!("{}: `{path}` was made wrong", row.name));
    }
    fs::remove_dir_all(&result).map_err(|e| failed(&e))?;
    let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    println!(
        "{:<12} {:>9} {:>9} {:>8} {:>6.2} s {:>5.2} s {:>6.2} {:>4.0} MB/s {:>4.0} MiB",
        row.name,
        mb(target.size),
        mb(header.size()),
        format!("{:.0} MB", row.most as f64 / 1e6),
        pack_time,
        make_time,
        make_time / pack_time,
        target.bytes as f64 / 1e6 / seconds,
        peak
    );
    Ok(())
}

/// The first file or link below `dir` that is not as the index says. (Packing it again would take files of one content
/// for hard links.)
fn differs(dir: &Path, index: &Index) -> Option<String> {
    let is_right = |entry: &Entry| {
        let path = dir.join(entry.path.to_string());
        match &entry.kind {
            EntryKind::Directory => path.is_dir(),
            EntryKind::File { digest, .. } => fs::read(path).is_ok_and(|bytes| Blake3::of(&bytes) == *digest),
            EntryKind::Symlink { target } => {
                fs::read_link(path).is_ok_and(|found| found.as_os_str().as_encoded_bytes() == target)
            }
            EntryKind::HardLink { .. } => path.is_file(),
        }
    };
    index.entries.iter().map(|item| &item.entry).find(|entry| !is_right(entry)).map(|entry| entry.path.to_string())
}

fn by_kind(header: &delta::Header) -> Vec<(String, String)> {
    let mut kinds = std::collections::BTreeMap::<String, (usize, u64, u64)>::new();
    for job in header.jobs() {
        let kind = kinds.entry(format!("{:?}", job.with)).or_default();
        *kind = (kind.0 + 1, kind.1 + job.length, kind.2 + job.raw_bytes());
    }
    kinds
        .into_iter()
        .map(|(with, (jobs, packed, raw))| (with, format!("{jobs} jobs, {packed} of {raw} bytes")))
        .collect()
}

fn packed(source: &Path, compression: Compression, out: impl io::Write + Send) -> Result<Packed, String> {
    let options = PackOptions {
        source,
        excludes: &[],
        dereference: false,
        mtime: Mtime::Normalize,
        compression: Choice::Fixed(compression),
        level: None,
        threads: 0,
        progress: &|_| {},
    };
    pack(&options, out).map_err(|e| e.to_string())
}

/// Links what is unchanged, makes the rest, prints seconds and peak memory in MiB.
fn apply(args: &[String]) -> Result<(), String> {
    let [work, base] = args else { return Err(USAGE.to_owned()) };
    let (work, base) = (Path::new(work), Path::new(base));
    let shown = |e: &dyn std::fmt::Display| e.to_string();
    let read = |name: &str| fs::read(work.join(name)).map_err(|e| shown(&e));
    let index = Index::parse(&read("index")?).map_err(|e| shown(&e))?;
    let old = Index::parse(&read("base-index")?).map_err(|e| shown(&e))?;
    let started = Instant::now();
    let options = UnpackOptions {
        threads: 0,
        keep_write_bits: false,
        mode_mask: None,
        expected: None,
        max_bytes: None,
        max_holes: 0,
        whole: false,
        progress: &|_| {},
    };
    let into = work.join("result");
    let tree = Tree::begin(&index, &into, &options).map_err(|e| shown(&e))?;
    let mut by_content = std::collections::HashMap::new();
    for item in &old.entries {
        if let EntryKind::File { size, digest } = item.entry.kind {
            by_content.entry((size, digest)).or_insert(item.entry.path.to_string());
        }
    }
    let mut wanted = vec![false; index.entries.len()];
    for (number, item) in index.entries.iter().enumerate() {
        let EntryKind::File { size, digest } = item.entry.kind else { continue };
        match by_content.get(&(size, digest)) {
            Some(path) => {
                let to = into.join(item.entry.path.to_string());
                fs::hard_link(base.join(path), to).map_err(|e| shown(&e))?;
            }
            None => wanted[number] = true,
        }
    }
    let dir = Dir::open(&into).map_err(|e| shown(&e))?;
    let base = Dir::open(base).map_err(|e| shown(&e))?;
    let file = File::open(work.join("delta")).map_err(|e| shown(&e))?;
    let header = delta::Header::read(&file).map_err(|e| shown(&e))?;
    let mode = |mode| options.file_mode(mode);
    let out = Out::new(&dir, &index, &wanted, &mode);
    let stop = AtomicBool::new(false);
    let applied =
        delta::apply(&header, &file, &base, &out, &ApplyOptions { threads: 0, stop: &stop, progress: &|_| {} });
    let _ = applied.map_err(|e| shown(&e))?;
    let _ = tree.finish().map_err(|e| shown(&e))?;
    let seconds = started.elapsed().as_secs_f64();
    let mut status = String::new();
    File::open("/proc/self/status").and_then(|mut file| file.read_to_string(&mut status)).map_err(|e| shown(&e))?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    println!("{seconds} {}", peak.unwrap_or_default() / 1024.0);
    Ok(())
}

//! The trees that are packed: copied out of a folder that the caller names, or made.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A fixed sequence (xorshift64*, Vigna 2016), so that every run packs the same bytes.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Two normal values (Box and Muller 1958).
    fn normal(&mut self) -> (f64, f64) {
        let unit = |bits: u64| ((bits >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
        let (u, v) = (unit(self.next()), unit(self.next()));
        let radius = (-2.0 * u.ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
        (radius * cos, radius * sin)
    }
}

/// Four shards of bf16 normal weights in safetensors framing, together so many bytes.
pub fn weights(into: &Path, bytes: u64) -> io::Result<()> {
    fs::create_dir_all(into)?;
    let mut random = Random::new(1);
    for shard in 1..=4 {
        let size = bytes / 4;
        let header = format!(
            r#"{{"__metadata__":{{"format":"pt"}},"layers.{shard}.w":{{"dtype":"BF16","shape":[{}],"data_offsets":[0,{size}]}}}}"#,
            size / 2
        );
        let mut out = BufWriter::new(File::create(into.join(format!("model-{shard:05}-of-00004.safetensors")))?);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        for _ in 0..size / 4 {
            let (a, b) = random.normal();
            for value in [a, b] {
                let bits = ((value * 0.02) as f32).to_bits();
                out.write_all(&((bits.wrapping_add(0x8000) >> 16) as u16).to_le_bytes())?;
            }
        }
        out.flush()?;
    }
    fs::write(into.join("config.json"), "{\"hidden_size\": 4096}\n")
}

/// A runtime tree out of what this system has: headers, Python's library, the Rust toolchain.
pub fn runtime(into: &Path, bytes: u64) -> Result<(), String> {
    fs::create_dir_all(into).map_err(|e| format!("cannot make `{}`: {e}", into.display()))?;
    let mut sources = vec![PathBuf::from("/usr/include")];
    let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    sources.extend(libraries.filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("python3"))));
    let rustc = std::process::Command::new("rustc").args(["--print", "sysroot"]).output();
    sources.extend(rustc.ok().map(|out| Path::new(String::from_utf8_lossy(&out.stdout).trim()).join("lib")));
    let each = bytes / sources.len() as u64;
    let mut made = 0;
    for source in sources.iter().filter(|source| source.is_dir()) {
        let mut left = each;
        let name = source.file_name().unwrap_or_default();
        copy_files(source, &into.join(name), &mut left)
            .map_err(|e| format!("cannot copy `{}`: {e}", source.display()))?;
        made += each - left;
    }
    match made {
        0 => Err("found nothing to make a runtime tree of: name a folder with `w1` and `rt1`".to_owned()),
        _ => Ok(()),
    }
}

/// Copies regular files, in the order of their names, until `left` bytes are used up.
fn copy_files(from: &Path, into: &Path, left: &mut u64) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(from)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (kind, to) = (entry.file_type()?, into.join(entry.file_name()));
        if kind.is_dir() {
            copy_files(&entry.path(), &to, left)?;
        } else if kind.is_file() && entry.metadata()?.len() <= *left {
            fs::create_dir_all(into)?;
            *left -= fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

/// 100 000 files of 2 KiB in 100 directories.
pub fn many_files(into: &Path) -> io::Result<()> {
    let mut random = Random::new(3);
    let mut content = [0u8; 2048];
    for dir in 0..100 {
        let dir = into.join(format!("part-{dir:02}"));
        fs::create_dir_all(&dir)?;
        for file in 0..1000 {
            for word in content.chunks_exact_mut(8) {
                word.copy_from_slice(&random.next().to_le_bytes());
            }
            fs::write(dir.join(format!("sample-{file:04}.bin")), content)?;
        }
    }
    Ok(())
}

/// One file of so many bytes that compress to about three quarters, without holes.
pub fn dense_file(path: &Path, bytes: u64) -> io::Result<()> {
    let mut random = Random::new(4);
    let mut out = BufWriter::new(File::create(path)?);
    for _ in 0..bytes / 8 {
        out.write_all(&(random.next() & 0x3f3f_3f3f_3f3f_3f3f).to_le_bytes())?;
    }
    out.flush()
}

/// One file of so many bytes: a hole with an island of 1 MiB that does not compress in every 256 MiB.
pub fn sparse_file(path: &Path, bytes: u64) -> io::Result<()> {
    let mut random = Random::new(5);
    let file = File::create(path)?;
    file.set_len(bytes)?;
    let mut island = vec![0u8; 1 << 20];
    for start in (0..bytes).step_by(256 << 20) {
        island.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&random.next().to_le_bytes()));
        file.write_all_at(&island, start + 12_345)?;
    }
    Ok(())
}

/// A copy of the weights, each value the next one up or down.
pub fn every_value(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let mut random = Random::new(3);
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let mut bytes = fs::read(entry.path())?;
        if entry.file_name().to_string_lossy().ends_with(".safetensors") {
            let length = bytes.first_chunk::<8>().map_or(0, |length| u64::from_le_bytes(*length)) as usize;
            for number in bytes[8 + length..].as_chunks_mut::<2>().0 {
                let bits = u16::from_le_bytes(*number);
                *number =
                    if random.next() >> 63 == 1 { bits.wrapping_add(1) } else { bits.wrapping_sub(1) }.to_le_bytes();
            }
        }
        let mut out = File::create(to.join(entry.file_name()))?;
        out.write_all(&bytes)?;
    }
    Ok(())
}

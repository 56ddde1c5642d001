//! Pairs of versions: what the next version of a component is, from the first one to the second.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::scene::Scene;

/// Puts a version's tree into the scene's input.
pub fn fill(scene: &Scene, given: Option<&Path>, update: &str, version: &str) -> Result<(), String> {
    let into = scene.path("input");
    let made = |result: std::io::Result<()>| result.map_err(|e| format!("cannot make an input: {e}"));
    let name = match update {
        "runtime" => "rt",
        "weights" => "w",
        "scattered" => return scattered(scene, given, version),
        "values" => return values(scene, given, version),
        _ => return made(config(&into, version)),
    };
    if let Some(dir) = given {
        return copy(scene, &dir.join(format!("{name}{version}")), "input");
    }
    match update {
        "runtime" => {
            super::inputs::runtime(&into, 96 << 20)?;
            if version == "2" {
                made(touch(&into, &mut 0))?;
            }
            Ok(())
        }
        _ => {
            made(super::inputs::weights(&into, 64 << 20))?;
            if version == "2" {
                made(retrain(&into.join("model-00003-of-00004.safetensors")))?;
            }
            Ok(())
        }
    }
}

fn copy(scene: &Scene, from: &Path, into: &str) -> Result<(), String> {
    let from = from.canonicalize().map_err(|e| format!("cannot read the input `{}`: {e}", from.display()))?;
    scene.shell(&format!("cp -r '{}/.' {into}", from.display())).map(|_| ())
}

/// The runtime; in the second version every second file has a line more.
fn scattered(scene: &Scene, given: Option<&Path>, version: &str) -> Result<(), String> {
    fill(scene, given, "runtime", "1")?;
    let each = |dir: &Path| append(dir, &mut 0).map_err(|e| format!("cannot make an input: {e}"));
    if version == "2" { each(&scene.path("input")) } else { Ok(()) }
}

fn append(dir: &Path, count: &mut u32) -> std::io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(dir)?.collect::<std::io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            append(&entry.path(), count)?;
        } else if kind.is_file() {
            *count += 1;
            if count.is_multiple_of(2) {
                fs::File::options().append(true).open(entry.path())?.write_all(b"\n# next\n")?;
            }
        }
    }
    Ok(())
}

/// The weights; in the second version each value is another.
fn values(scene: &Scene, given: Option<&Path>, version: &str) -> Result<(), String> {
    fill(scene, given, "weights", "1")?;
    if version == "1" {
        return Ok(());
    }
    let failed = |e: std::io::Error| format!("cannot make an input: {e}");
    scene.remove("before").map_err(failed)?;
    fs::rename(scene.path("input"), scene.path("before")).map_err(failed)?;
    super::inputs::every_value(&scene.path("before"), &scene.path("input")).map_err(failed)?;
    scene.remove("before").map_err(failed)
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
    let mut random = super::inputs::Random::new(9);
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
    let mut random = super::inputs::Random::new(5);
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

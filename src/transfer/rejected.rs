//! Bytes that were not the wanted ones, kept for inspection.
//!
//! `<dir>/<first 16 of the wanted sha256>-<first 16 of the sha256 of what came>`, a file or a piece of one; the newest [`MAX_FILES`] of them stay, as far
//! as they take no more than [`MAX_BYTES`] together.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use crate::fsx::{self, FileKind};
use crate::model::Sha256;
use crate::store::{self, Incoming};

/// How many files are kept.
const MAX_FILES: usize = 5;
/// How many bytes are kept.
const MAX_BYTES: u64 = 1 << 30;

/// Keeps what was written to `incoming` in place of the wanted content, and says where; `None` where it is too large.
pub(super) fn keep(dir: &Path, wanted: &Sha256, incoming: Incoming<'_>) -> store::Result<Option<PathBuf>> {
    let (found, size) = incoming.digest();
    if size > MAX_BYTES {
        return Ok(None);
    }
    fsx::create_dir_all(dir)?;
    let path = dir.join(format!("{}-{}", wanted.short(), found.short()));
    if fsx::inspect(&path)?.is_some() {
        fsx::touch(&path)?;
    } else {
        incoming.move_out(&path)?;
    }
    trim(dir, &path)?;
    Ok(Some(path))
}

/// Keeps `bytes`, which came in place of the wanted content or of a part of it, and says where.
pub(super) fn keep_bytes(dir: &Path, wanted: &Sha256, bytes: &[u8]) -> fsx::Result<Option<PathBuf>> {
    fsx::create_dir_all(dir)?;
    let path = dir.join(format!("{}-{}", wanted.short(), Sha256::of(bytes).short()));
    match fsx::inspect(&path)? {
        Some(_) => fsx::touch(&path)?,
        None => fsx::write_atomic(&path, bytes)?,
    }
    trim(dir, &path)?;
    Ok(Some(path))
}

/// Removes all but the newest; `last` counts as the newest even where the clock is too coarse to tell.
fn trim(dir: &Path, last: &Path) -> fsx::Result<()> {
    let mut kept = Vec::new();
    for file in fsx::list(dir)?.into_iter().filter(|e| e.kind == FileKind::File && e.name.to_str().is_some_and(is_ours))
    {
        let path = dir.join(file.name);
        if let Some(stat) = fsx::inspect(&path)? {
            kept.push((path != last, Reverse((stat.mtime, stat.mtime_nanos)), path, stat.size));
        }
    }
    kept.sort();
    let mut bytes = 0u64;
    for (number, (_, _, path, size)) in kept.into_iter().enumerate() {
        bytes = bytes.saturating_add(size);
        if number >= MAX_FILES || bytes > MAX_BYTES {
            fsx::remove_file_opt(&path)?;
        }
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    let hex = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    name.split_once('-').is_some_and(|(wanted, found)| hex(wanted) && hex(found))
}

//! `auto`: what compression suits a tree, by a sample of it.

use std::os::unix::fs::FileExt as _;

use super::PackOptions;
use super::walk::Walker;
use crate::archive::error::PackError;
use crate::archive::os_path;
use crate::fsx::{Action, Dir, Error as FsError};
use crate::model::{Compression, EntryKind, TreePath};

/// So many entries are looked at; a longer walk would cost what it should save.
const ENTRIES: usize = 10_000;
/// The biggest files of them are sampled, each in the middle.
const FILES: usize = 48;
const SAMPLE: usize = 64 << 10;

/// zstd, or none where a sample of the biggest files, 64 KiB at least, does not get smaller by a fiftieth at level 1.
pub(super) fn choose(root: &Dir, options: &PackOptions<'_>) -> Result<Compression, PackError> {
    let mut files: Vec<(u64, TreePath)> = Vec::new();
    let mut walker = Walker::new(root, options)?;
    for _ in 0..ENTRIES {
        match walker.next()? {
            Some(entry) => {
                if let EntryKind::File { size, .. } = entry.kind {
                    files.push((size, entry.path));
                }
            }
            None => break,
        }
    }
    files.sort_unstable_by(|a, b| b.cmp(a));
    let mut sample = Vec::new();
    for (size, path) in files.iter().take(FILES) {
        let file = root.open_file(os_path(path), options.dereference)?;
        let start = sample.len();
        sample.resize(start + SAMPLE, 0);
        let middle = size.saturating_sub(SAMPLE as u64) / 2;
        let failed = |e| FsError::new(Action::Read, super::full_path(root, path), e);
        let length = file.read_at(&mut sample[start..], middle).map_err(failed)?;
        sample.truncate(start + length);
    }
    // Of a tree so small, most is headers, which do get smaller.
    if sample.len() < SAMPLE {
        return Ok(Compression::Zstd);
    }
    let packed = zstd::bulk::compress(&sample, 1).map_err(PackError::Write)?.len();
    Ok(if packed as f64 > sample.len() as f64 * 0.98 { Compression::None } else { Compression::Zstd })
}

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

/// zstd, or none where a sample of the biggest files does not get smaller by a fiftieth at its fastest level.
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
    let (mut raw, mut packed) = (0, 0);
    let mut sample = vec![0; SAMPLE];
    for (size, path) in files.iter().take(FILES) {
        let file = root.open_file(os_path(path), options.dereference)?;
        let middle = size.saturating_sub(SAMPLE as u64) / 2;
        let failed = |e| FsError::new(Action::Read, super::full_path(root, path), e);
        let length = file.read_at(&mut sample, middle).map_err(failed)?;
        raw += length;
        packed += zstd::bulk::compress(&sample[..length], 1).map_err(PackError::Write)?.len();
    }
    Ok(if raw > 0 && packed as f64 > raw as f64 * 0.98 { Compression::None } else { Compression::Zstd })
}

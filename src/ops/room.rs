//! Whether everything fits, asked before the first byte: bytes and inodes, on every file system concerned.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Error;
use crate::deploy::Way;
use crate::fsx;
use crate::model::{EntryKind, Index};

/// What most file systems give a file at least, and round its length up to.
const BLOCK: u64 = 4096;

/// What will be written below one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// The directory; it exists.
    pub path: PathBuf,
    /// Bytes.
    pub bytes: u64,
    /// Files, directories and links.
    pub inodes: u64,
}

impl Need {
    /// What the tree of a package takes below `path`, each file of which comes to be this way; what is no file has none, and
    /// neither has a file that is not wanted.
    pub fn of_tree(path: &Path, index: &Index, ways: &[Option<Way>]) -> Self {
        let mut need = Self { path: path.to_owned(), bytes: 0, inodes: 0 };
        for (item, way) in index.entries.iter().zip(ways) {
            let (bytes, inodes) = match (&item.entry.kind, way) {
                (EntryKind::File { .. }, Some(Way::Copy | Way::Unpack)) => (item.stored, 1),
                (EntryKind::File { .. }, Some(Way::Reflink)) => (0, 1),
                (EntryKind::File { .. }, _) | (EntryKind::HardLink { .. }, _) => (0, 0),
                (EntryKind::Directory, _) => (BLOCK, 1),
                (EntryKind::Symlink { .. }, _) => (0, 1),
            };
            need.bytes = need.bytes.saturating_add(bytes.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX));
            need.inodes += inodes;
        }
        need
    }
}

/// Asks whether each file system has room for all that is needed on it, and whether a quota leaves it to us, as far as
/// the file system can tell by reserving.
///
/// # Errors
///
/// [`Error::NoSpace`], [`Error::NoInodes`], with the sum of what is needed there; [`Error::Io`] for a quota.
pub(super) fn require(needs: &[Need]) -> Result<(), Error> {
    let mut sums = BTreeMap::<u64, Need>::new();
    for need in needs {
        let Some(stat) = fsx::inspect_followed(&need.path)? else { continue };
        let sum = sums.entry(stat.device).or_insert_with(|| Need { path: need.path.clone(), bytes: 0, inodes: 0 });
        sum.bytes = sum.bytes.saturating_add(need.bytes);
        sum.inodes = sum.inodes.saturating_add(need.inodes);
    }
    for Need { path, bytes, inodes } in sums.into_values() {
        let space = fsx::space(&path)?;
        if space.bytes < bytes {
            return Err(Error::NoSpace { path, needed: bytes, free: space.bytes });
        }
        if let Some(free) = space.inodes.filter(|free| *free < inodes) {
            return Err(Error::NoInodes { path, needed: inodes, free });
        }
        fsx::try_reserve(&path, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_on_one_file_system_are_added_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let other = dir.path().join("other");
        fsx::create_dir(&other).expect("made");
        let free = fsx::space(dir.path()).expect("known");
        let half = free.bytes / 3 * 2;
        let need = |path: &Path, bytes, inodes| Need { path: path.to_owned(), bytes, inodes };
        require(&[need(dir.path(), 4096, 1)]).expect("room");
        match require(&[need(dir.path(), half, 1), need(&other, half, 1)]) {
            Err(Error::NoSpace { needed, .. }) => assert_eq!(needed, half * 2),
            other => panic!("{other:?}"),
        }
        if let Some(inodes) = free.inodes {
            let error = require(&[need(&other, 1, inodes), need(dir.path(), 1, inodes)]).expect_err("too many");
            assert!(matches!(error, Error::NoInodes { .. }), "{error:?}");
        }
    }
}

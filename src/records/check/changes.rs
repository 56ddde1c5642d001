//! What differs between two trees of records, read level by level: a directory that is the same is never opened.

use std::collections::BTreeMap;

use git2::{ObjectType, Oid, Tree};

use super::place::Place;
use crate::records::error::Error;
use crate::records::remote::Depth;
use crate::records::repository::Repository;

/// Nothing of the records lies deeper; what does is told of as a whole.
const DEEPEST: usize = 6;

/// A file that is not the same before and after, by its path inside the records directory.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The path.
    pub path: String,
    /// What belongs there.
    pub place: Place,
    /// What stood there before; `None` for a new file.
    pub was: Option<Side>,
    /// What stands there now; `None` for a file that was removed.
    pub is: Option<Side>,
}

/// What one tree has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    pub(super) id: Oid,
    pub(super) mode: i32,
}

impl Side {
    fn is_tree(self) -> bool {
        self.mode == i32::from(git2::FileMode::Tree)
    }

    /// Whether it is a regular file, of any mode.
    pub(super) fn is_file(self) -> bool {
        self.mode == i32::from(git2::FileMode::Blob) || self.is_executable()
    }

    pub(super) fn is_executable(self) -> bool {
        self.mode == i32::from(git2::FileMode::BlobExecutable)
    }
}

/// Every file that differs, in order of path. With `all` everything below belongs to the records; else only what has one of
/// their names at the top.
pub(super) fn changes(
    repository: &Repository,
    (was, is): (Option<&Tree<'_>>, Option<&Tree<'_>>),
    all: bool,
) -> Result<Vec<Changed>, Error> {
    let mut found = Vec::new();
    compare(repository, (was, is), "", 0, &mut found)?;
    let changed =
        |(path, was, is): (String, Option<Side>, Option<Side>)| Changed { place: Place::of(&path), path, was, is };
    let mut found: Vec<_> = found.into_iter().filter(|(path, ..)| all || Place::is_ours(path)).map(changed).collect();
    found.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(found)
}

type Found = Vec<(String, Option<Side>, Option<Side>)>;

fn compare(
    repository: &Repository,
    (was, is): (Option<&Tree<'_>>, Option<&Tree<'_>>),
    above: &str,
    depth: usize,
    found: &mut Found,
) -> Result<(), Error> {
    let mut names: BTreeMap<Vec<u8>, (Option<Side>, Option<Side>)> = BTreeMap::new();
    let side = |entry: &git2::TreeEntry<'_>| {
        let is_tree = entry.kind() == Some(ObjectType::Tree);
        Side { id: entry.id(), mode: if is_tree { git2::FileMode::Tree.into() } else { entry.filemode() } }
    };
    for entry in was.iter().flat_map(|tree| tree.iter()) {
        names.entry(entry.name_bytes().to_vec()).or_default().0 = Some(side(&entry));
    }
    for entry in is.iter().flat_map(|tree| tree.iter()) {
        names.entry(entry.name_bytes().to_vec()).or_default().1 = Some(side(&entry));
    }
    for (name, (was, is)) in names {
        if was == is {
            continue;
        }
        let path = format!("{above}{}", String::from_utf8_lossy(&name));
        let (below, file) = (|side: &Side| side.is_tree() && depth < DEEPEST, |side: &Side| !side.is_tree());
        // A version comes with its files; of all that lies above no more is asked for than differs.
        let along = if depth < 2 { Depth::None } else { Depth::Version };
        let tree = |side: Option<Side>| side.map(|side| repository.tree(side.id, along)).transpose();
        let (was_tree, is_tree) = (tree(was.filter(below))?, tree(is.filter(below))?);
        if was_tree.is_some() || is_tree.is_some() {
            compare(repository, (was_tree.as_ref(), is_tree.as_ref()), &format!("{path}/"), depth + 1, found)?;
        }
        let too_deep = depth >= DEEPEST;
        let (was, is) = (was.filter(|s| file(s) || too_deep), is.filter(|s| file(s) || too_deep));
        if was.is_some() || is.is_some() {
            found.push((path, was, is));
        }
    }
    Ok(())
}

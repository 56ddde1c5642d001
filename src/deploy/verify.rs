//! Comparing a version directory with its inventory, entry by entry.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::inventory::{Item, TOGETHER, path_of};
use super::share::hash;
use super::{Error, Inventory, Receipt, View};
use crate::fsx::{self, Dir, FileKind, Hand, Stat};
use crate::model::{EntryKind, TreePath};

/// How an entry differs from what was installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// It is not there.
    Missing,
    /// It is there and does not belong there.
    Extra,
    /// Something of another kind has its name.
    Kind,
    /// Its permission bits.
    Mode,
    /// Its length.
    Size,
    /// Its content, as its digest tells.
    Content,
    /// Its modification time.
    Time,
    /// It is another file with the same length and time. Told only where contents are not read.
    Replaced,
    /// Where it leads: the target of a symbolic link, or the file that a hard link names.
    Target,
}

/// One entry that is not as it was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The path below the version directory.
    pub path: TreePath,
    /// What differs.
    pub what: Difference,
}

/// What a look at a version found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Entries that were compared.
    pub entries: u64,
    /// Those that differ, in the order of the package, what is extra last.
    pub findings: Vec<Finding>,
}

impl View {
    /// Compares the directory of an installed version with its inventory: kinds, permission bits, lengths, inodes and times,
    /// or, where `deep`, every digest, on all cores. `told` is told of bytes that were read. Writes nothing.
    ///
    /// # Errors
    ///
    /// The directory cannot be read.
    pub fn verify(
        &self,
        receipt: &Receipt,
        inventory: &Inventory,
        deep: bool,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Compared, Error> {
        let dir = self.layout().version(&receipt.component, &receipt.version);
        verify(&dir, inventory, deep, told)
    }
}

/// See [`View::verify`].
pub(super) fn verify(
    dir: &Path,
    inventory: &Inventory,
    deep: bool,
    told: &(dyn Fn(u64) + Sync),
) -> Result<Compared, Error> {
    let top = Dir::open(dir)?;
    let first: HashMap<&TreePath, u64> = first_names(&top, inventory)?;
    let looked = inventory.items.par_chunks(TOGETHER).map(|items| {
        let mut hand = Hand::new(&top);
        let mut findings = Vec::new();
        for item in items {
            if let Some(what) = compare(&mut hand, item, &first, deep, told)? {
                findings.push(Finding { path: item.entry.path.clone(), what });
            }
        }
        Ok::<_, fsx::Error>(findings)
    });
    let parts: Vec<Vec<Finding>> = looked.collect::<Result<_, _>>()?;
    let mut findings: Vec<Finding> = parts.into_iter().flatten().collect();
    findings.extend(extras(&top, inventory)?);
    Ok(Compared { entries: inventory.items.len() as u64, findings })
}

/// The inodes of the files that hard links of the package name.
fn first_names<'i>(top: &Dir, inventory: &'i Inventory) -> Result<HashMap<&'i TreePath, u64>, Error> {
    let mut first = HashMap::new();
    let mut hand = Hand::new(top);
    for item in &inventory.items {
        if let EntryKind::HardLink { to } = &item.entry.kind
            && let Some(stat) = look(&mut hand, to)?
        {
            first.insert(to, stat.inode);
        }
    }
    Ok(first)
}

/// What is at a path; `None` where nothing is, or where a directory above it is none.
fn look(hand: &mut Hand<'_>, path: &TreePath) -> Result<Option<Stat>, fsx::Error> {
    let found = hand.place(path.as_bytes()).and_then(|(dir, name)| dir.inspect(Path::new(name), false));
    match found {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if error.is_nowhere() => Ok(None),
        Err(error) => Err(error),
    }
}

fn compare(
    hand: &mut Hand<'_>,
    item: &Item,
    first: &HashMap<&TreePath, u64>,
    deep: bool,
    told: &(dyn Fn(u64) + Sync),
) -> Result<Option<Difference>, fsx::Error> {
    let path = &item.entry.path;
    let Some(stat) = look(hand, path)? else { return Ok(Some(Difference::Missing)) };
    let expected = match item.entry.kind {
        EntryKind::Directory => FileKind::Directory,
        EntryKind::Symlink { .. } => FileKind::Symlink,
        EntryKind::File { .. } | EntryKind::HardLink { .. } => FileKind::File,
    };
    if stat.kind != expected {
        return Ok(Some(Difference::Kind));
    }
    match &item.entry.kind {
        EntryKind::Directory => return Ok((stat.mode != item.mode).then_some(Difference::Mode)),
        EntryKind::Symlink { target } => {
            let (dir, name) = hand.place(path.as_bytes())?;
            let same = dir.read_link(Path::new(name))? == *target;
            return Ok((!same).then_some(Difference::Target));
        }
        EntryKind::HardLink { to } => {
            return Ok((first.get(to) != Some(&stat.inode)).then_some(Difference::Target));
        }
        EntryKind::File { size, .. } if stat.size != *size => return Ok(Some(Difference::Size)),
        EntryKind::File { size, digest } if deep => {
            let (dir, name) = hand.place(path.as_bytes())?;
            let file = dir.open_file(Path::new(name), false)?;
            let found = hash(&file, *size).map_err(|e| fsx::Error::new(fsx::Action::Read, dir.path().join(name), e))?;
            told(*size);
            if found != *digest {
                return Ok(Some(Difference::Content));
            }
        }
        EntryKind::File { .. } => {}
    }
    Ok(match stat {
        _ if stat.mode != item.mode => Some(Difference::Mode),
        _ if (stat.mtime, stat.mtime_nanos) != (item.entry.mtime, 0) => Some(Difference::Time),
        _ if stat.inode != item.inode && !deep => Some(Difference::Replaced),
        _ => None,
    })
}

/// What lies in the directories of the package and is not listed. What is in a directory that is extra is not told of.
fn extras(top: &Dir, inventory: &Inventory) -> Result<Vec<Finding>, Error> {
    // The directories, each with its path as bytes; the top has none.
    let mut directories: BTreeMap<&[u8], ()> = BTreeMap::from([(&b""[..], ())]);
    let mut known: HashSet<&[u8]> = HashSet::with_capacity(inventory.items.len());
    for item in &inventory.items {
        let path = item.entry.path.as_bytes();
        known.insert(path);
        if item.entry.kind == EntryKind::Directory {
            directories.insert(path, ());
        }
        let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
        for (slash, _) in slashes {
            if directories.insert(&path[..slash], ()).is_some() {
                break;
            }
            known.insert(&path[..slash]);
        }
    }
    let directories: Vec<&[u8]> = directories.into_keys().collect();
    let listed = directories.par_iter().map(|directory| {
        let names = match *directory {
            [] => top.list(),
            below => top.below(path_of(below)).and_then(|dir| dir.list()),
        };
        let names = match names {
            Err(error) if error.is_nowhere() => Vec::new(),
            other => other?,
        };
        let mut extra = Vec::new();
        for entry in names {
            let name = entry.name.as_encoded_bytes();
            let path = if directory.is_empty() { name.to_vec() } else { [*directory, b"/", name].concat() };
            if !known.contains(path.as_slice())
                && let Ok(path) = TreePath::parse(&path)
            {
                extra.push(Finding { path, what: Difference::Extra });
            }
        }
        Ok::<_, fsx::Error>(extra)
    });
    let parts: Vec<Vec<Finding>> = listed.collect::<Result<_, _>>()?;
    Ok(parts.into_iter().flatten().collect())
}

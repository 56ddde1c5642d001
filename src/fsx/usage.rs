//! What removing trees would free: a file that has a name elsewhere frees nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::Result;
use super::{FileKind, inspect, list};

/// What removing trees would free, in bytes on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Freed {
    /// By all of them together: files of which every name goes.
    pub all: u64,
    /// By each of them alone, in their order.
    pub each: Vec<Usage>,
    /// Whether the file system may share blocks between files (reflinks) that nobody can count from outside: then less may
    /// come free.
    pub at_most: bool,
}

/// What removing one tree would free, in bytes on disk, and how much there is to remove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files of which every name is in it.
    pub own: u64,
    /// Files that have a name elsewhere too.
    pub shared: u64,
    /// Files and directories in it, itself too.
    pub names: u64,
}

/// A file: its names seen so far and what it takes.
struct Inode {
    links: u64,
    seen: u64,
    bytes: u64,
}

type Inodes = HashMap<(u64, u64), Inode>;

/// Counts what removing `trees` would free. A tree that is not there frees nothing.
pub fn freed(trees: &[PathBuf]) -> Result<Freed> {
    let mut freed = Freed { at_most: trees.first().is_some_and(|tree| may_reflink(tree)), ..Freed::default() };
    // Only what has several names can go by halves.
    let mut several = Inodes::new();
    for tree in trees {
        let (mut usage, mut own) = (Usage::default(), Inodes::new());
        walk(tree, &mut usage, &mut own)?;
        freed.all = freed.all.saturating_add(usage.own);
        for (id, inode) in own {
            let part = if inode.seen == inode.links { &mut usage.own } else { &mut usage.shared };
            *part = part.saturating_add(inode.bytes);
            several.entry(id).and_modify(|known| known.seen += inode.seen).or_insert(inode);
        }
        freed.each.push(usage);
    }
    let whole = several.values().filter(|inode| inode.seen == inode.links).map(|inode| inode.bytes);
    freed.all = freed.all.saturating_add(whole.sum());
    Ok(freed)
}

fn walk(tree: &Path, usage: &mut Usage, several: &mut Inodes) -> Result<()> {
    let Some(top) = inspect(tree)? else { return Ok(()) };
    (usage.own, usage.names) = (top.blocks.saturating_mul(512), 1);
    let mut waiting = vec![tree.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in list(&dir)? {
            let path = dir.join(&entry.name);
            let Some(stat) = inspect(&path)? else { continue };
            let bytes = stat.blocks.saturating_mul(512);
            usage.names += 1;
            match stat.kind {
                FileKind::Directory => {
                    usage.own = usage.own.saturating_add(bytes);
                    waiting.push(path);
                }
                _ if stat.links == 1 => usage.own = usage.own.saturating_add(bytes),
                _ => {
                    let inode = Inode { links: stat.links, seen: 0, bytes };
                    several.entry((stat.device, stat.inode)).or_insert(inode).seen += 1;
                }
            }
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn may_reflink(path: &Path) -> bool {
    use rustix::fs::{FsWord, statfs};
    /// Source: linux/magic.h.
    const REFLINKING: [FsWord; 3] = [0x9123_683e, 0x5846_5342, 0xca45_1a4e_u32 as FsWord];
    statfs(path).is_ok_and(|stat| REFLINKING.contains(&stat.f_type))
}

#[cfg(not(target_os = "linux"))]
fn may_reflink(_: &Path) -> bool {
    // APFS clones files.
    cfg!(target_os = "macos")
}

#[cfg(test)]
mod tests {
    use super::super::{create_dir, hard_link, inspect, write_new};
    use super::*;

    #[test]
    fn a_file_is_freed_when_its_last_name_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        for tree in ["a", "b", "kept"] {
            create_dir(&path(tree)).expect("made");
        }
        for name in ["a/alone", "a/both", "a/everywhere"] {
            write_new(&path(name), &[1; 50_000]).expect("written");
        }
        for (from, to) in
            [("a/both", "a/both again"), ("a/both", "b/both"), ("a/everywhere", "b/e"), ("a/everywhere", "kept/e")]
        {
            hard_link(&path(from), &path(to)).expect("linked");
        }
        let blocks = |name: &str| inspect(&path(name)).expect("seen").expect("there").blocks * 512;
        let (file, a, b) = (blocks("a/alone"), blocks("a"), blocks("b"));
        let found = freed(&[path("a"), path("b"), path("none")]).expect("counted");
        assert_eq!(found.all, 2 * file + a + b, "the one that is kept stays");
        let [of_a, of_b, none] = found.each[..] else { panic!("{found:?}") };
        let of = |own, names| Usage { own, shared: 2 * file, names };
        assert_eq!((of_a, of_b), (of(file + a, 5), of(b, 3)));
        assert_eq!(none, Usage::default());
    }
}

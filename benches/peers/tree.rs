//! Whether two directories hold the same tree: names, kinds, execute bits, link targets and every byte.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

#[derive(Debug, PartialEq, Eq)]
enum Node {
    Directory,
    File { size: u64, executable: bool },
    Link(PathBuf),
}

/// Says the first difference.
pub fn same(a: &Path, b: &Path) -> Result<(), String> {
    let differ = |what: String| format!("`{}` and `{}` differ: {what}", a.display(), b.display());
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    for (top, nodes) in [(a, &mut left), (b, &mut right)] {
        list(top, top, nodes).map_err(|e| format!("cannot list `{}`: {e}", top.display()))?;
    }
    if left.len() != right.len() {
        return Err(differ(format!("{} and {} entries", left.len(), right.len())));
    }
    for ((name, node), (other_name, other)) in left.iter().zip(&right) {
        if (name, node) != (other_name, other) {
            return Err(differ(format!("{name:?} {node:?}, {other_name:?} {other:?}")));
        }
        if matches!(node, Node::File { .. }) && !same_bytes(&a.join(name), &b.join(name)).unwrap_or(false) {
            return Err(differ(format!("{name:?}")));
        }
    }
    Ok(())
}

fn list(top: &Path, dir: &Path, nodes: &mut BTreeMap<PathBuf, Node>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let meta = fs::symlink_metadata(&path)?;
        let node = if meta.is_dir() {
            list(top, &path, nodes)?;
            Node::Directory
        } else if meta.is_symlink() {
            Node::Link(fs::read_link(&path)?)
        } else {
            Node::File { size: meta.len(), executable: meta.permissions().mode() & 0o100 != 0 }
        };
        nodes.insert(path.strip_prefix(top).unwrap_or(&path).to_owned(), node);
    }
    Ok(())
}

fn same_bytes(a: &Path, b: &Path) -> io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        (&mut a).take(1 << 20).read_to_end(&mut left)?;
        (&mut b).take(1 << 20).read_to_end(&mut right)?;
        if left != right {
            return Ok(false);
        }
        if left.is_empty() {
            return Ok(true);
        }
    }
}

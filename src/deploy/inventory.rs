//! Inventories: which files a version directory holds, and by what to see that nobody touched them. One lies beside each
//! receipt, `.deploy-tool/receipts/<type>/<version>.files`:
//!
//! ```text
//! "deploy-tool files 1\n"        a newer format is read as none
//! tree digest                    32 bytes; the receipt's, or it belongs to another installation
//! number of entries              u64
//! entry = kind · text(path) · packed mode u32 · mode u32 · mtime i64 · rest       in the order of the package
//! kind  = 'd' directory   rest = nothing
//!         'f' file        rest = size u64 · BLAKE3 of the content (32 bytes) · inode u64
//!         'l' symlink     rest = text(target)
//!         'h' hard link   rest = text(path of the first name)
//! BLAKE3 of all before           32 bytes
//! ```
//!
//! All integers are little-endian; `text` is a u32 and so many bytes. `packed mode` is the package's, `mode` the one on the
//! disk. The inode is 0 where it is not known. A file that is torn, of another format or of another tree is no inventory:
//! nothing depends on there being one, and `deploy --repair` writes it anew. Versions that older programs installed have
//! none. It is not read to tell what is current.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rayon::prelude::*;

use super::{Error, Layout, Receipt, View};
use crate::fsx::{self, Dir, FileKind, Hand, Stat};
use crate::model::{Blake3, ComponentType, Entry, EntryKind, TreePath, Version};

const MAGIC: &[u8] = b"deploy-tool files 1\n";
/// So many entries are looked at by one thread at a time.
pub(super) const TOGETHER: usize = 256;

/// What is known of one entry of a version directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The entry as the package has it.
    pub entry: Entry,
    /// Its permission bits on the disk.
    pub mode: u32,
    /// A file's inode.
    pub inode: u64,
}

impl Item {
    /// A file's length and digest.
    pub fn content(&self) -> Option<(u64, Blake3)> {
        match self.entry.kind {
            EntryKind::File { size, digest } => Some((size, digest)),
            _ => None,
        }
    }

    /// Whether `stat` is of the file that was written, and nobody touched it since.
    pub fn is_untouched(&self, stat: &Stat) -> bool {
        let size = self.content().map(|(size, _)| size);
        stat.kind == FileKind::File
            && size == Some(stat.size)
            && stat.inode == self.inode
            && (stat.mtime, stat.mtime_nanos) == (self.entry.mtime, 0)
    }
}

/// What a version directory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The tree digest of the entries.
    pub tree: Blake3,
    /// The entries, in the order of the package.
    pub items: Vec<Item>,
}

impl Inventory {
    /// What a tree of these entries shall hold. `modes` gives the permission bits that an entry gets.
    pub fn of<'e>(tree: Blake3, entries: impl Iterator<Item = &'e Entry>, modes: &dyn Fn(&Entry) -> u32) -> Self {
        let item = |entry: &Entry| Item { entry: entry.clone(), mode: modes(entry), inode: 0 };
        Self { tree, items: entries.map(item).collect() }
    }

    /// The same with the inodes that the files in `dir` have, which was just made so. `known` has what whoever made them noted,
    /// by the number of the entry, 0 where nothing; the others are looked for.
    ///
    /// # Errors
    ///
    /// The directory or a file in it cannot be looked at.
    pub fn seen_in(mut self, dir: &Path, known: &[&[u64]]) -> Result<Self, Error> {
        let top = Dir::open(dir)?;
        for (number, item) in self.items.iter_mut().enumerate() {
            item.inode = known.iter().filter_map(|inodes| inodes.get(number)).copied().max().unwrap_or(0);
        }
        self.items.par_chunks_mut(TOGETHER).try_for_each(|items| {
            let mut hand = Hand::new(&top);
            for item in items.iter_mut().filter(|item| item.content().is_some() && item.inode == 0) {
                let (dir, name) = hand.place(item.entry.path.as_bytes())?;
                item.inode = dir.inspect(Path::new(name), false)?.inode;
            }
            Ok::<_, fsx::Error>(())
        })?;
        Ok(self)
    }

    /// Writes the inventory of a version that is being installed; durable with the next flush of the root's file system.
    pub(super) fn write(&self, layout: &Layout, component: &ComponentType, version: &Version) -> Result<(), Error> {
        let path = layout.inventory(component, version);
        fsx::remove_file_opt(&path)?;
        Ok(fsx::write_unflushed(&path, &self.to_bytes())?)
    }

    /// Replaces the inventory of an installed version: after a crash it is the old one or the new one, and what else is left
    /// lies where the next changing command sweeps it up.
    pub(super) fn replace(&self, layout: &Layout, component: &ComponentType, version: &Version) -> Result<(), Error> {
        let (path, new) = (layout.inventory(component, version), layout.state().join(".inventory.tmp"));
        fsx::remove_file_opt(&new)?;
        fsx::write_new(&new, &self.to_bytes())?;
        fsx::rename(&new, &path)?;
        Ok(fsx::flush_dir(&layout.receipts(component))?)
    }

    /// Removes the inventory of one version, if there is one.
    pub(super) fn remove(layout: &Layout, component: &ComponentType, version: &Version) -> Result<(), Error> {
        fsx::remove_file_opt(&layout.inventory(component, version))?;
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.items.len() * 160 + 256);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(self.tree.as_bytes());
        out.extend_from_slice(&(self.items.len() as u64).to_le_bytes());
        for Item { entry, mode, inode } in &self.items {
            out.push(match entry.kind {
                EntryKind::Directory => b'd',
                EntryKind::File { .. } => b'f',
                EntryKind::Symlink { .. } => b'l',
                EntryKind::HardLink { .. } => b'h',
            });
            text(&mut out, entry.path.as_bytes());
            out.extend_from_slice(&entry.mode.to_le_bytes());
            out.extend_from_slice(&mode.to_le_bytes());
            out.extend_from_slice(&entry.mtime.to_le_bytes());
            match &entry.kind {
                EntryKind::Directory => {}
                EntryKind::File { size, digest } => {
                    out.extend_from_slice(&size.to_le_bytes());
                    out.extend_from_slice(digest.as_bytes());
                    out.extend_from_slice(&inode.to_le_bytes());
                }
                EntryKind::Symlink { target } => text(&mut out, target),
                EntryKind::HardLink { to } => text(&mut out, to.as_bytes()),
            }
        }
        let digest = Blake3::of(&out);
        out.extend_from_slice(digest.as_bytes());
        out
    }
}

impl View {
    /// The inventory of an installed version; `None` where there is none that can be used.
    pub fn inventory(&self, receipt: &Receipt) -> Result<Option<Inventory>, Error> {
        let path = self.layout().inventory(&receipt.component, &receipt.version);
        let Some(bytes) = fsx::read_opt(&path)? else { return Ok(None) };
        Ok(parse(&bytes).filter(|inventory| inventory.tree == receipt.tree))
    }
}

/// Paths and targets are far shorter than 4 GiB.
fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// What stored bytes say; `None` where they are not whole.
fn parse(bytes: &[u8]) -> Option<Inventory> {
    let (body, digest) = bytes.split_last_chunk::<32>()?;
    if Blake3::of(body).as_bytes() != digest {
        return None;
    }
    let mut rest = Rest(body.strip_prefix(MAGIC)?);
    let tree = Blake3::from_bytes(rest.array()?);
    let count = rest.u64()?;
    let mut items = Vec::with_capacity(usize::try_from(count).ok()?.min(body.len() / 21));
    for _ in 0..count {
        let [kind] = rest.array()?;
        let path = TreePath::parse(rest.text()?).ok()?;
        let (packed, mode) = (u32::from_le_bytes(rest.array()?), u32::from_le_bytes(rest.array()?));
        let mtime = i64::from_le_bytes(rest.array()?);
        let mut inode = 0;
        let kind = match kind {
            b'd' => EntryKind::Directory,
            b'f' => {
                let (size, digest) = (rest.u64()?, Blake3::from_bytes(rest.array()?));
                inode = rest.u64()?;
                EntryKind::File { size, digest }
            }
            b'l' => EntryKind::Symlink { target: rest.text()?.to_vec() },
            b'h' => EntryKind::HardLink { to: TreePath::parse(rest.text()?).ok()? },
            _ => return None,
        };
        items.push(Item { entry: Entry { path, kind, mode: packed, mtime }, mode, inode });
    }
    rest.0.is_empty().then_some(Inventory { tree, items })
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(u32::from_le_bytes(self.array()?)).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
}

/// The path of an entry as the system takes it.
pub(super) fn os_path(path: &TreePath) -> &Path {
    path_of(path.as_bytes())
}

/// A path of these bytes.
pub(super) fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory() -> Inventory {
        let entry = |path: &str, kind| {
            let path = TreePath::parse(path.as_bytes()).expect("a path");
            Entry { path, kind, mode: 0o644, mtime: -1 }
        };
        let file = EntryKind::File { size: 3, digest: Blake3::of(b"abc") };
        let to = TreePath::parse(b"bin/x").expect("a path");
        let entries = [
            entry("bin", EntryKind::Directory),
            entry("bin/x", file),
            entry("link", EntryKind::Symlink { target: b"bin/\xff".to_vec() }),
            entry("other", EntryKind::HardLink { to }),
        ];
        let items = entries.map(|entry| Item { entry, mode: 0o444, inode: 0 });
        let mut inventory = Inventory { tree: Blake3::of(b"tree"), items: items.into() };
        inventory.items[1].inode = u64::MAX;
        inventory
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(parse(&inventory().to_bytes()), Some(inventory()));
        let empty = Inventory { tree: Blake3::of(b""), items: Vec::new() };
        assert_eq!(parse(&empty.to_bytes()), Some(empty));
    }

    #[test]
    fn a_torn_or_changed_one_is_none() {
        let bytes = inventory().to_bytes();
        for length in 0..bytes.len() {
            assert_eq!(parse(&bytes[..length]), None, "{length}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert_eq!(parse(&bytes), None, "{at}");
        }
    }

    #[test]
    fn bytes_with_a_good_digest_need_not_make_sense() {
        let sealed = |body: &[u8]| [body, Blake3::of(body).as_bytes()].concat();
        assert_eq!(parse(&sealed(b"")), None);
        let head = [MAGIC, &[7; 32], &u64::MAX.to_le_bytes()].concat();
        assert_eq!(parse(&sealed(&head)), None);
        let entry = [&head[..], b"f", &u32::MAX.to_le_bytes(), b"a"].concat();
        assert_eq!(parse(&sealed(&entry)), None);
        let more = [MAGIC, &[7; 32], &0u64.to_le_bytes(), b"x"].concat();
        assert_eq!(parse(&sealed(&more)), None);
    }
}

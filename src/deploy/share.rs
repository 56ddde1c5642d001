//! Making files of a new version from files that lie on this machine already: by sharing their blocks (a reflink), by
//! another name of the same file (a hard link), or by copying.
//!
//! A hard link is made only where the file is what the new version must have: content, permission bits, owner, group and
//! modification time lie on the file itself, and so a version that must be writable has none. Each way is tried for each
//! file: what the file system refuses for one falls to the next way, and at last to the package.
//!
//! What is believed: a file that its inventory describes has its digest as long as length, inode and modification time are
//! those of the inventory. They are looked at after the link or the reflink is made, on what was made, so that nobody can
//! exchange the file in between. What does not match, what comes from a mutable version, and everything where the
//! configuration says so, is hashed; what is copied is hashed always. Nothing here changes a file that has another name.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use rustix::io::Errno;
use serde::Serialize;

use super::Error;
use super::inventory::{Item, TOGETHER};
use super::sources::{Sources, Stock};
use crate::config::Link;
use crate::fsx::{self, Dir, FileKind, Hand};
use crate::model::{Blake3, EntryKind, IndexEntry};

const PART: usize = 256 << 10;
/// From so many bytes on a file is hashed by several threads.
const LARGE: u64 = 16 << 20;
const LARGE_PART: usize = 4 << 20;

/// Files that came one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// How many.
    pub files: u64,
    /// Their length together.
    pub bytes: u64,
}

/// How the files of a version came to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ways {
    /// Their blocks are those of another version's file, until either is changed.
    pub reflinked: Count,
    /// They are other names of another version's files.
    pub hardlinked: Count,
    /// They were copied from another version, or are empty.
    pub copied: Count,
    /// They were taken from the package.
    pub unpacked: Count,
}

/// How a file comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// With the blocks of another version's file.
    Reflink,
    /// As another name of it.
    Hardlink,
    /// As a copy of it, or empty.
    Copy,
    /// From the package.
    Unpack,
}

impl Ways {
    /// Whether another version gave any of the files. (What is empty is nobody's.)
    pub fn is_shared(&self) -> bool {
        self.reflinked.files + self.hardlinked.files > 0 || self.copied.bytes > 0
    }

    /// Counts a file of `bytes`.
    pub fn add(&mut self, way: Way, bytes: u64) {
        let count = match way {
            Way::Reflink => &mut self.reflinked,
            Way::Hardlink => &mut self.hardlinked,
            Way::Copy => &mut self.copied,
            Way::Unpack => &mut self.unpacked,
        };
        count.files += 1;
        count.bytes = count.bytes.saturating_add(bytes);
    }
}

/// How files may be shared.
pub struct Rules<'a> {
    /// The ways that are allowed.
    pub link: Link,
    /// Whether what is shared is hashed, whatever its inventory says.
    pub hash: bool,
    /// Whether the new version's files may be written to.
    pub mutable: bool,
    /// The permission bits that a file gets of which the package says these.
    pub mode: &'a (dyn Fn(u32) -> u32 + Sync),
}

/// What sharing made.
#[derive(Debug)]
pub struct Shared {
    /// The inodes of the files that were made, by the number of the entry; 0 where there is none.
    pub inodes: Vec<u64>,
    /// How they were made.
    pub ways: Ways,
}

/// How the file of each entry will come to be, if every file system does what it seems to promise; `None` for what is no
/// file or is not wanted. `dir` is on the file system of the new version.
pub fn foresee(
    sources: &Sources,
    entries: &[IndexEntry],
    wanted: &dyn Fn(usize) -> bool,
    dir: &Path,
    rules: &Rules<'_>,
) -> Vec<Option<Way>> {
    let reflinks = may_reflink(rules) && Dir::open(dir).is_ok_and(|dir| dir.can_clone());
    let way = |(number, item): (usize, &IndexEntry)| {
        let EntryKind::File { size, .. } = item.entry.kind else { return None };
        wanted(number).then(|| match sources.place(number) {
            None if size > 0 => Way::Unpack,
            None => Way::Copy,
            Some(_) if reflinks => Way::Reflink,
            Some((_, stock, held)) if may_hardlink(rules, stock, held, item) => Way::Hardlink,
            Some(_) => Way::Copy,
        })
    };
    entries.iter().enumerate().map(way).collect()
}

/// Makes in `dir`, which has all directories of these entries and none of their files, the wanted files that `sources` has.
/// Nothing is flushed.
///
/// # Errors
///
/// The file system of `dir` takes no more. What cannot be read or does not match is left out.
pub fn share(
    sources: &Sources,
    entries: &[IndexEntry],
    wanted: &(dyn Fn(usize) -> bool + Sync),
    dir: &Path,
    rules: &Rules<'_>,
) -> Result<Shared, Error> {
    let top = Dir::open(dir)?;
    let reflinks = may_reflink(rules) && top.can_clone();
    let stocks: Vec<Option<Dir>> = sources.stocks.iter().map(|stock| Dir::open(&stock.dir).ok()).collect();
    let job = Job {
        sources,
        stocks: &stocks,
        rules,
        // A directory made here has the owner and the group that files made here have.
        owner: top.stat().map(|stat| (stat.uid, stat.gid))?,
        reflinks: stocks.iter().map(|_| AtomicBool::new(reflinks)).collect(),
    };
    let numbered: Vec<(usize, &IndexEntry)> = entries.iter().enumerate().collect();
    let parts = numbered.par_chunks(TOGETHER).map(|entries| job.part(&top, entries, wanted));
    let parts: Vec<_> = parts.collect::<Result<_, fsx::Error>>()?;
    let mut shared = Shared { inodes: Vec::with_capacity(entries.len()), ways: Ways::default() };
    for (item, (inode, way)) in entries.iter().zip(parts.into_iter().flatten()) {
        shared.inodes.push(inode);
        if let (Some(way), EntryKind::File { size, .. }) = (way, &item.entry.kind) {
            shared.ways.add(way, *size);
        }
    }
    Ok(shared)
}

fn may_reflink(rules: &Rules<'_>) -> bool {
    matches!(rules.link, Link::Auto | Link::Reflink)
}

/// Whether the file of an inventory is what the new version must have, as far as the inventory tells.
fn may_hardlink(rules: &Rules<'_>, stock: &Stock, held: &Item, wanted: &IndexEntry) -> bool {
    matches!(rules.link, Link::Auto | Link::Hardlink)
        && !rules.mutable
        && !stock.mutable
        && held.mode == (rules.mode)(wanted.entry.mode)
        && held.entry.mtime == wanted.entry.mtime
}

struct Job<'a> {
    sources: &'a Sources,
    stocks: &'a [Option<Dir>],
    rules: &'a Rules<'a>,
    owner: (u32, u32),
    /// Of each stock, whether reflinks from it are tried: once refused for the two places, not again.
    reflinks: Vec<AtomicBool>,
}

/// A file that is wanted: where it goes, and what it must be.
struct Asked<'a> {
    dir: &'a Dir,
    name: &'a OsStr,
    item: &'a IndexEntry,
    size: u64,
    digest: Blake3,
    mode: u32,
}

impl Job<'_> {
    /// Makes what is wanted of some entries: of each the inode, 0 where none was made, and the way.
    fn part(
        &self,
        top: &Dir,
        entries: &[(usize, &IndexEntry)],
        wanted: &(dyn Fn(usize) -> bool + Sync),
    ) -> Result<Vec<(u64, Option<Way>)>, fsx::Error> {
        let mut here = Hand::new(top);
        let mut there: Vec<Option<Hand<'_>>> = self.stocks.iter().map(|dir| dir.as_ref().map(Hand::new)).collect();
        let mut all = vec![(0, None); entries.len()];
        for (made, (number, item)) in all.iter_mut().zip(entries) {
            let EntryKind::File { size, digest } = item.entry.kind else { continue };
            let source = self.sources.place(*number);
            if !wanted(*number) || source.is_none() && size > 0 {
                continue;
            }
            let (dir, name) = here.place(item.entry.path.as_bytes())?;
            let asked = Asked { dir, name, item, size, digest, mode: (self.rules.mode)(item.entry.mode) };
            let one = match source {
                None => Some((empty(&asked)?, Way::Copy)),
                Some((stock, found, held)) => {
                    let hand = there.get_mut(stock).and_then(Option::as_mut);
                    match hand.map(|hand| hand.place(held.entry.path.as_bytes())) {
                        Some(Ok((from, name))) => self.make(&asked, &Held { stock, found, held, from, name })?,
                        _ => None,
                    }
                }
            };
            *made = one.map_or((0, None), |(inode, way)| (inode, Some(way)));
        }
        Ok(all)
    }

    /// Makes one file by the first way that can.
    fn make(&self, asked: &Asked<'_>, held: &Held<'_>) -> Result<Option<(u64, Way)>, fsx::Error> {
        if let Some(inode) = self.reflink(asked, held)? {
            return Ok(Some((inode, Way::Reflink)));
        }
        if may_hardlink(self.rules, held.found, held.held, asked.item)
            && let Some(inode) = self.hard_link(asked, held)?
        {
            return Ok(Some((inode, Way::Hardlink)));
        }
        Ok(copy(asked, held)?.map(|inode| (inode, Way::Copy)))
    }

    /// A new file with the blocks of the one that is held.
    fn reflink(&self, asked: &Asked<'_>, held: &Held<'_>) -> Result<Option<u64>, fsx::Error> {
        let Some(tried) = self.reflinks.get(held.stock).filter(|tried| tried.load(Ordering::Relaxed)) else {
            return Ok(None);
        };
        let Some(source) = held.open(asked.size) else { return Ok(None) };
        let file = asked.dir.create_file(asked.name, asked.mode)?;
        if let Err(error) = asked.dir.clone_file(&file, asked.name, &source) {
            asked.dir.remove_file(asked.name)?;
            if is_one_of(&error, &[Errno::XDEV, Errno::OPNOTSUPP, Errno::NOTTY]) {
                tried.store(false, Ordering::Relaxed);
            }
            return if is_refusal(&error) { Ok(None) } else { Err(error) };
        }
        let untouched = || held.from.inspect_open(&source, held.name).is_ok_and(|stat| held.held.is_untouched(&stat));
        let believed = !held.found.mutable && !self.rules.hash && untouched();
        if believed || hash(&file, asked.size).is_ok_and(|found| found == asked.digest) {
            return asked.seal(&file).map(Some);
        }
        asked.dir.remove_file(asked.name)?;
        Ok(None)
    }

    /// Another name for the file that is held, if it is as it must be.
    fn hard_link(&self, asked: &Asked<'_>, held: &Held<'_>) -> Result<Option<u64>, fsx::Error> {
        if let Err(error) = asked.dir.hard_link(held.from, held.name, asked.name) {
            return if is_refusal(&error) { Ok(None) } else { Err(error) };
        }
        let stat = asked.dir.inspect(Path::new(asked.name), false)?;
        let same = held.held.is_untouched(&stat) && stat.mode == asked.mode && (stat.uid, stat.gid) == self.owner;
        let hashed = || {
            let file = asked.dir.open_file(Path::new(asked.name), false).ok();
            file.and_then(|file| hash(&file, asked.size).ok()) == Some(asked.digest)
        };
        if same && (!self.rules.hash || hashed()) {
            return Ok(Some(stat.inode));
        }
        asked.dir.remove_file(asked.name)?;
        Ok(None)
    }
}

/// A file that is there, in an open directory.
struct Held<'a> {
    stock: usize,
    found: &'a Stock,
    held: &'a Item,
    from: &'a Dir,
    name: &'a OsStr,
}

impl Held<'_> {
    /// The file, if it can be read and has this length.
    fn open(&self, size: u64) -> Option<File> {
        let file = self.from.open_file(Path::new(self.name), false).ok()?;
        let stat = self.from.inspect_open(&file, self.name).ok()?;
        (stat.kind == FileKind::File && stat.size == size).then_some(file)
    }
}

impl Asked<'_> {
    /// The new file is whole; its inode.
    fn seal(&self, file: &File) -> Result<u64, fsx::Error> {
        self.dir.seal_file(file, self.name, self.mode, self.item.entry.mtime)
    }
}

/// A file with nothing in it.
fn empty(asked: &Asked<'_>) -> Result<u64, fsx::Error> {
    let file = asked.dir.create_file(asked.name, asked.mode)?;
    asked.seal(&file)
}

/// A copy of the file that is held, hashed on the way. A part that is all zeros is left a hole.
fn copy(asked: &Asked<'_>, held: &Held<'_>) -> Result<Option<u64>, fsx::Error> {
    let Some(source) = held.open(asked.size) else { return Ok(None) };
    let file = asked.dir.create_file(asked.name, asked.mode)?;
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; PART.min(asked.size as usize)]);
    let mut at = 0;
    while at < asked.size {
        let part = &mut buffer[..PART.min((asked.size - at) as usize)];
        if source.read_exact_at(part, at).is_err() {
            break;
        }
        hasher.update(part);
        if part.iter().any(|byte| *byte != 0) {
            asked.dir.write_at(&file, asked.name, part, at)?;
        }
        at += part.len() as u64;
    }
    if Blake3::from_bytes(*hasher.finalize().as_bytes()) != asked.digest {
        asked.dir.remove_file(asked.name)?;
        return Ok(None);
    }
    asked.dir.set_length(&file, asked.name, asked.size)?;
    asked.seal(&file).map(Some)
}

/// The digest of the first `size` bytes of a file; a large one is hashed on all cores.
pub(super) fn hash(file: &File, size: u64) -> std::io::Result<Blake3> {
    let large = size >= LARGE;
    let part = if large { LARGE_PART } else { PART };
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; part.min(size as usize)]);
    let mut at = 0;
    while at < size {
        let part = &mut buffer[..part.min((size - at) as usize)];
        file.read_exact_at(part, at)?;
        match large {
            true => hasher.update_rayon(part),
            false => hasher.update(part),
        };
        at += part.len() as u64;
    }
    Ok(Blake3::from_bytes(*hasher.finalize().as_bytes()))
}

/// Whether a file system said no to this one way, and not that it can take no more.
fn is_refusal(error: &fsx::Error) -> bool {
    let refusals = [
        Errno::XDEV,
        Errno::MLINK,
        Errno::PERM,
        Errno::ACCESS,
        Errno::OPNOTSUPP,
        Errno::NOSYS,
        Errno::NOTTY,
        Errno::INVAL,
        Errno::TXTBSY,
        Errno::NOENT,
        Errno::LOOP,
        Errno::NOTDIR,
    ];
    is_one_of(error, &refusals)
}

fn is_one_of(error: &fsx::Error, known: &[Errno]) -> bool {
    Errno::from_io_error(&error.source).is_some_and(|errno| known.contains(&errno))
}

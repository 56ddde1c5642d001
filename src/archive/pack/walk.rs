//! The walk: entries depth-first, names sorted bytewise within each directory as it is read.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{Mtime, NORMALIZED_MTIME, PackOptions, full_path};
use crate::archive::error::PackError;
use crate::archive::os_path;
use crate::fsx::{Dir, DirEntry, FileKind, Stat};
use crate::model::{Blake3, Entry, EntryKind, TreePath};

/// Walks a tree once.
pub(super) struct Walker<'a> {
    root: &'a Dir,
    dereference: bool,
    mtime: Mtime,
    excludes: Gitignore,
    levels: Vec<Level>,
    /// The first name of each file with several.
    names: HashMap<(u64, u64), TreePath>,
    /// How many entries the excludes left out.
    pub excluded: u64,
}

/// So many directories are held open; deeper down, paths are looked up from the top.
const OPEN: usize = 64;

/// A directory being walked.
struct Level {
    path: Vec<u8>,
    dir: Option<Dir>,
    entries: std::vec::IntoIter<DirEntry>,
    /// Device and inode, where links are followed: a directory above itself would never end.
    identity: Option<(u64, u64)>,
}

impl<'a> Walker<'a> {
    pub fn new(root: &'a Dir, options: &PackOptions<'_>) -> Result<Self, PackError> {
        let mut builder = GitignoreBuilder::new("");
        for glob in options.excludes {
            let bad = |e: ignore::Error| PackError::Exclude { glob: glob.clone(), reason: e.to_string() };
            builder.add_line(None, glob).map_err(bad)?;
        }
        let excludes =
            builder.build().map_err(|e| PackError::Exclude { glob: String::new(), reason: e.to_string() })?;
        let identity = match options.dereference {
            true => Some(identity(&root.inspect(Path::new("."), true)?)),
            false => None,
        };
        let top = Level { path: Vec::new(), dir: None, entries: root.list()?.into_iter(), identity };
        let (dereference, mtime) = (options.dereference, options.mtime);
        Ok(Self { root, dereference, mtime, excludes, levels: vec![top], names: HashMap::new(), excluded: 0 })
    }

    /// The next entry; a file's digest is zeros until its content has been read.
    pub fn next(&mut self) -> Result<Option<Entry>, PackError> {
        loop {
            let Some(level) = self.levels.last_mut() else { return Ok(None) };
            let Some(found) = level.entries.next() else {
                self.levels.pop();
                continue;
            };
            let raw = join(&level.path, &found.name);
            let os = Path::new(std::ffi::OsStr::from_bytes(&raw));
            let mut kind = found.kind;
            let stat = match (kind, self.mtime, &level.dir) {
                (FileKind::Symlink, _, _) if self.dereference => {
                    let stat = self.root.inspect(os, true)?;
                    kind = stat.kind;
                    Some(stat)
                }
                // Their times and modes are the same for all.
                (FileKind::Directory | FileKind::Symlink, Mtime::Normalize, _) if !self.dereference => None,
                (_, _, Some(dir)) => Some(dir.inspect(Path::new(&found.name), false)?),
                (_, _, None) => Some(self.root.inspect(os, false)?),
            };
            if !self.excludes.is_empty() && self.excludes.matched(os, kind == FileKind::Directory).is_ignore() {
                self.excluded += 1;
                continue;
            }
            let path =
                TreePath::parse(&raw).map_err(|reason| PackError::Path { path: self.root.path().join(os), reason })?;
            return self.entry(path, kind, stat).map(Some);
        }
    }

    fn entry(&mut self, path: TreePath, kind: FileKind, stat: Option<Stat>) -> Result<Entry, PackError> {
        let mtime = match (self.mtime, &stat) {
            (Mtime::Keep, Some(stat)) => stat.mtime,
            _ => NORMALIZED_MTIME,
        };
        let (kind, mode) = match (kind, stat) {
            (FileKind::Directory, stat) => {
                self.descend(&path, stat)?;
                (EntryKind::Directory, 0o755)
            }
            (FileKind::Symlink, _) => {
                let target = self.root.read_link(os_path(&path))?;
                if !path.link_stays_inside(&target) {
                    return Err(PackError::LinkLeaves { path: full_path(self.root, &path), target });
                }
                (EntryKind::Symlink { target }, 0o777)
            }
            (FileKind::File, Some(stat)) => {
                let mode = if stat.mode & 0o100 != 0 { 0o755 } else { 0o644 };
                (self.file(&path, &stat), mode)
            }
            _ => return Err(PackError::Special { path: full_path(self.root, &path) }),
        };
        Ok(Entry { path, kind, mode, mtime })
    }

    fn file(&mut self, path: &TreePath, stat: &Stat) -> EntryKind {
        if stat.links > 1 {
            if let Some(first) = self.names.get(&identity(stat)) {
                return EntryKind::HardLink { to: first.clone() };
            }
            self.names.insert(identity(stat), path.clone());
        }
        EntryKind::File { size: stat.size, digest: Blake3::from_bytes([0; 32]) }
    }

    fn descend(&mut self, path: &TreePath, stat: Option<Stat>) -> Result<(), PackError> {
        let here = os_path(path);
        let identity = stat.filter(|_| self.dereference).map(|stat| identity(&stat));
        if identity.is_some() && self.levels.iter().any(|level| level.identity == identity) {
            return Err(PackError::Loop { path: full_path(self.root, path) });
        }
        let dir = if self.dereference { Dir::open(&self.root.path().join(here))? } else { self.root.below(here)? };
        let entries = dir.list()?.into_iter();
        let dir = (self.levels.len() < OPEN).then_some(dir);
        self.levels.push(Level { path: path.as_bytes().to_vec(), dir, entries, identity });
        Ok(())
    }
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.device, stat.inode)
}

fn join(dir: &[u8], name: &OsString) -> Vec<u8> {
    let name = name.as_bytes();
    if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() }
}

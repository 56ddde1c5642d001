//! Directories: creating with flushed ancestors, listing, renaming, removing whole trees.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use super::error::{Action, Context as _, Error, Result};
use super::{Dir, fault, flush_dir, inspect_followed};

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or pipe.
    Special,
}

impl From<fs::FileType> for FileKind {
    fn from(kind: fs::FileType) -> Self {
        if kind.is_file() {
            FileKind::File
        } else if kind.is_dir() {
            FileKind::Directory
        } else if kind.is_symlink() {
            FileKind::Symlink
        } else {
            FileKind::Special
        }
    }
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name, without the directory.
    pub name: OsString,
    /// What it is, links not followed.
    pub kind: FileKind,
}

/// The entries of a directory, sorted by the bytes of their names; none where the directory does not exist.
pub fn list(path: &Path) -> Result<Vec<DirEntry>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::new(Action::List, path, e)),
    };
    let mut out = Vec::new();
    for entry in entries {
        let entry = entry.at(Action::List, path)?;
        let kind = entry.file_type().at(Action::Inspect, &entry.path())?.into();
        out.push(DirEntry { name: entry.file_name(), kind });
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(out)
}

/// `path` without `.` and `..`: what stands before the last `..` must exist and is resolved as the kernel does it, links
/// followed; the rest keeps its spelling.
pub fn without_parents(path: &Path) -> Result<PathBuf> {
    let components: Vec<_> = path.components().collect();
    let Some(last) = components.iter().rposition(|c| *c == Component::ParentDir) else {
        return Ok(components.iter().collect());
    };
    let (before, after) = components.split_at(last + 1);
    let before: PathBuf = before.iter().collect();
    let mut resolved = canonical(&before)?;
    resolved.extend(after);
    Ok(resolved)
}

/// Where `path` really is, links followed; it must exist.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).at(Action::Inspect, path)
}

/// Creates one directory that must not exist yet. Its name is durable once the parent is flushed. Group and others may
/// write in it only where they may in its parent, whatever the umask would give them.
pub fn create_dir(path: &Path) -> Result<()> {
    let mode = 0o755 | shared_bits(path);
    fault::point(Action::CreateDir, path)?;
    fs::DirBuilder::new().mode(mode).create(path).at(Action::CreateDir, path)
}

/// The write bits that group and others may get on something new at `path`: those its directory has. A sticky directory
/// (`/tmp`) is everybody's, and what is made in it still its maker's.
pub(super) fn shared_bits(path: &Path) -> u32 {
    const STICKY: u32 = 0o1000;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match inspect_followed(parent) {
        Ok(Some(stat)) if stat.mode & STICKY == 0 => stat.mode & 0o022,
        _ => 0,
    }
}

/// Creates a directory and its missing ancestors, and flushes the parent of each new one, so that after `Ok` a
/// power cut loses none of them.
pub fn create_dir_all(path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    match inspect_followed(path)? {
        Some(stat) if stat.kind == FileKind::Directory => return Ok(()),
        Some(_) => return Err(Error::new(Action::CreateDir, path, rustix::io::Errno::NOTDIR)),
        None => {}
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_dir_all(parent)?;
    match create_dir(path) {
        Err(e) if e.is_exists() => {}
        other => other?,
    }
    flush_dir(parent)
}

/// Renames `from` to `to` on one file system, atomically; a file or link at `to` is replaced. Durable once the
/// directories are flushed.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fault::point(Action::Rename, from)?;
    fs::rename(from, to).at(Action::Rename, from)
}

/// Renames `from` to `to` only if nothing is at `to`.
///
/// # Errors
///
/// [`Error::is_exists`] where something is at `to`. On file systems without `RENAME_NOREPLACE` the look and the
/// rename are two steps.
pub fn rename_new(from: &Path, to: &Path) -> Result<()> {
    fault::point(Action::Rename, from)?;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => {}
            other => return other.at(Action::Rename, to),
        }
    }
    if super::inspect(to)?.is_some() {
        return Err(Error::new(Action::Rename, to, rustix::io::Errno::EXIST));
    }
    fs::rename(from, to).at(Action::Rename, from)
}

/// Sets the permission bits of a file or directory.
pub fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fault::point(Action::SetMode, path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).at(Action::SetMode, path)
}

/// Gives a file or directory to the group of this number.
pub fn set_group(path: &Path, group: u32) -> Result<()> {
    fault::point(Action::SetMode, path)?;
    std::os::unix::fs::chown(path, None, Some(group)).at(Action::SetMode, path)
}

/// Gives `dir` and everything below it to the group of this number, links not followed. What has it already is left alone.
pub fn set_group_below(dir: &Path, group: u32) -> Result<()> {
    let mut waiting = vec![dir.to_owned()];
    while let Some(path) = waiting.pop() {
        let Some(stat) = super::inspect(&path)? else { continue };
        if stat.gid != group {
            fault::point(Action::SetMode, &path)?;
            std::os::unix::fs::lchown(&path, None, Some(group)).at(Action::SetMode, &path)?;
        }
        if stat.kind == FileKind::Directory {
            waiting.extend(list(&path)?.into_iter().map(|entry| path.join(entry.name)));
        }
    }
    Ok(())
}

/// Removes an empty directory.
pub fn remove_dir(path: &Path) -> Result<()> {
    fault::point(Action::Remove, path)?;
    fs::remove_dir(path).at(Action::Remove, path)
}

/// Removes a directory and all in it, links not followed; nothing where there is none. A crash may leave any part:
/// rename the tree out of sight first where half a tree would matter.
pub fn remove_tree(path: &Path) -> Result<()> {
    remove_tree_told(path, &mut || {})
}

/// The same, telling of each name that is gone.
pub fn remove_tree_told(path: &Path, removed: &mut dyn FnMut()) -> Result<()> {
    match remove_all(path, removed) {
        Err(e) if e.source.kind() == std::io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            remove_all(path, removed)
        }
        other => other,
    }
}

fn remove_all(path: &Path, removed: &mut dyn FnMut()) -> Result<()> {
    match super::inspect(path)? {
        None => return Ok(()),
        Some(stat) if stat.kind != FileKind::Directory => super::remove_file(path)?,
        Some(_) => {
            empty(&Dir::open(path)?, removed)?;
            gone(remove_dir(path))?;
        }
    }
    removed();
    Ok(())
}

/// Removes all that is in a directory. Each name goes through a fault point of its own, which the standard library's
/// removal of a tree would not.
fn empty(dir: &Dir, removed: &mut dyn FnMut()) -> Result<()> {
    for entry in dir.list()? {
        if entry.kind == FileKind::Directory {
            match dir.below(Path::new(&entry.name)) {
                Err(e) if e.is_not_found() => continue,
                below => empty(&below?, removed)?,
            }
            gone(dir.remove_dir(&entry.name))?;
        } else {
            gone(dir.remove_file(&entry.name))?;
        }
        removed();
    }
    Ok(())
}

/// Somebody else may have been quicker.
fn gone(removed: Result<()>) -> Result<()> {
    match removed {
        Err(e) if e.is_not_found() => Ok(()),
        other => other,
    }
}

/// Gives the owner write permission on every directory below `path`, so that the tree can be removed.
fn open_up(path: &Path) -> Result<()> {
    let mut waiting: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(dir) = waiting.pop() {
        set_mode(&dir, 0o700)?;
        let below = list(&dir)?.into_iter().filter(|e| e.kind == FileKind::Directory);
        waiting.extend(below.map(|e| dir.join(e.name)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_resolved_through_links() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = fs::canonicalize(dir.path()).expect("resolved");
        create_dir_all(&root.join("real/inner")).expect("made");
        super::super::symlink(Path::new("real/inner"), &root.join("link")).expect("linked");
        let resolve = |path: &str| without_parents(&root.join(path)).expect("resolved");
        assert_eq!(resolve("link/../packages/./x"), root.join("real/packages/x"));
        assert_eq!(resolve("link/x"), root.join("link/x"));
        assert!(without_parents(&root.join("none/../x")).is_err());
    }
}

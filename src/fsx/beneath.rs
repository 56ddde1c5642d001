//! A directory held open: what is reached through it stays beneath it, no symbolic link is followed on the way.
//!
//! Trees are read and written through these handles. A path goes down only: each component is a real directory,
//! checked by the kernel (openat2 with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`) or, where it lacks openat2, one
//! component at a time with `O_NOFOLLOW`. Nothing written here is durable before the file system is flushed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::dir::{DirEntry, FileKind};
use super::error::{Action, Context as _, Error, Result};
use super::fault;
use super::file::Stat;

/// A directory held open.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

const OPEN_DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Dir {
    /// Opens the directory at `path`; a link there is followed.
    pub fn open(path: &Path) -> Result<Self> {
        let fd = rustix::fs::open(path, OPEN_DIR, Mode::empty()).at(Action::List, path)?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a directory beneath this one; a symbolic link on the way is an error.
    pub fn below(&self, path: &Path) -> Result<Self> {
        let full = self.path.join(path);
        let fd = open_beneath(&self.fd, path).at(Action::List, &full)?;
        Ok(Self { fd, path: full })
    }

    /// The entries, sorted by the bytes of their names.
    pub fn list(&self) -> Result<Vec<DirEntry>> {
        let mut out = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).at(Action::List, &self.path)? {
            let entry = entry.at(Action::List, &self.path)?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let name = OsString::from_vec(name.to_vec());
            let kind = match entry.file_type() {
                rustix::fs::FileType::Unknown => self.inspect(Path::new(&name), false)?.kind,
                known => known.into(),
            };
            out.push(DirEntry { name, kind });
        }
        out.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    /// What lies at `path` below this directory, a link at its end followed or not.
    pub fn inspect(&self, path: &Path, follow: bool) -> Result<Stat> {
        let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        let stat = rustix::fs::statat(&self.fd, path, flags).map_err(|e| self.error(Action::Inspect, path, e))?;
        Ok(stat.into())
    }

    /// What the open `file`, which is `name` in this directory, is.
    pub fn inspect_open(&self, file: &File, name: &OsStr) -> Result<Stat> {
        rustix::fs::fstat(file).map(Stat::from).map_err(|e| self.error(Action::Inspect, Path::new(name), e))
    }

    /// What this directory itself is.
    pub fn stat(&self) -> Result<Stat> {
        rustix::fs::fstat(&self.fd).map(Stat::from).at(Action::Inspect, &self.path)
    }

    /// The bytes a symbolic link holds.
    pub fn read_link(&self, path: &Path) -> Result<Vec<u8>> {
        let target = rustix::fs::readlinkat(&self.fd, path, Vec::new());
        target.map(|t| t.into_bytes()).map_err(|e| self.error(Action::ReadLink, path, e))
    }

    /// Opens a file for reading, a link at its end followed or refused. A pipe that took the file's place does not
    /// block.
    pub fn open_file(&self, path: &Path, follow: bool) -> Result<File> {
        let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        flags.set(OFlags::NOFOLLOW, !follow);
        let file = rustix::fs::openat(&self.fd, path, flags, Mode::empty());
        file.map(File::from).map_err(|e| self.error(Action::Read, path, e))
    }

    /// Creates the directory `name` in this one.
    pub fn create_dir(&self, name: &OsStr) -> Result<()> {
        fault::point_in(Action::CreateDir, &self.path, name)?;
        let made = rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o755));
        made.map_err(|e| self.error(Action::CreateDir, Path::new(name), e))
    }

    /// Creates the file `name`, which must not exist, open for reading and writing. It has the permission bits `mode`, less those
    /// that the process or the directory withholds from new files; [`Dir::seal_file`] gives it the rest.
    pub fn create_file(&self, name: &OsStr, mode: u32) -> Result<File> {
        fault::point_in(Action::Create, &self.path, name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(mode));
        file.map(File::from).map_err(|e| self.error(Action::Create, Path::new(name), e))
    }

    /// Opens the file `name`, which is there, for reading and writing; a link is refused.
    ///
    /// # Errors
    ///
    /// The file has another name: what is written here would be seen there.
    pub fn open_unshared(&self, name: &OsStr) -> Result<File> {
        fault::point_in(Action::Write, &self.path, name)?;
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::openat(&self.fd, name, flags, Mode::empty());
        let file = opened.map(File::from).map_err(|e| self.error(Action::Write, Path::new(name), e))?;
        match self.inspect_open(&file, name)?.links {
            0 | 1 => Ok(file),
            _ => Err(self.error(Action::Write, Path::new(name), Errno::MLINK)),
        }
    }

    /// Writes `bytes` at `offset` of `file`, which is `name` in this directory.
    pub fn write_at(&self, file: &File, name: &OsStr, bytes: &[u8], offset: u64) -> Result<()> {
        use std::os::unix::fs::FileExt as _;
        fault::point_in(Action::Write, &self.path, name)?;
        file.write_all_at(bytes, offset).map_err(|e| self.error(Action::Write, Path::new(name), e))
    }

    /// Sets the length of `file`, which is `name` in this directory: what was not written reads as zeros.
    pub fn set_length(&self, file: &File, name: &OsStr, length: u64) -> Result<()> {
        fault::point_in(Action::Write, &self.path, name)?;
        file.set_len(length).map_err(|e| self.error(Action::Write, Path::new(name), e))
    }

    /// Gives `file`, which is `name` in this directory and has no other name, its permission bits and modification time;
    /// returns its inode.
    pub fn seal_file(&self, file: &File, name: &OsStr, mode: u32, mtime: i64) -> Result<u64> {
        fault::point_in(Action::SetMode, &self.path, name)?;
        let mode = Mode::from_raw_mode(mode);
        let seal = || {
            let stat = rustix::fs::fstat(file)?;
            // Mostly the file was created with it.
            if Mode::from_raw_mode(stat.st_mode) != mode {
                rustix::fs::fchmod(file, mode)?;
            }
            rustix::fs::futimens(file, &times(mtime))?;
            Ok(Stat::from(stat).inode)
        };
        seal().map_err(|e: Errno| self.error(Action::SetMode, Path::new(name), e))
    }

    /// Gives this directory its permission bits and modification time; later changes in it move the time again.
    pub fn seal(&self, mode: u32, mtime: i64) -> Result<()> {
        fault::point(Action::SetMode, &self.path)?;
        let sealed = rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode))
            .and_then(|()| rustix::fs::futimens(&self.fd, &times(mtime)));
        sealed.at(Action::SetMode, &self.path)
    }

    /// Makes the symbolic link `name`, which must not exist, with this modification time.
    pub fn symlink(&self, target: &[u8], name: &OsStr, mtime: i64) -> Result<()> {
        fault::point_in(Action::Link, &self.path, name)?;
        rustix::fs::symlinkat(OsStr::from_bytes(target), &self.fd, name)
            .and_then(|()| rustix::fs::utimensat(&self.fd, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW))
            .map_err(|e| self.error(Action::Link, Path::new(name), e))
    }

    /// Makes `name` another name of the file `existing` in `other`.
    pub fn hard_link(&self, other: &Dir, existing: &OsStr, name: &OsStr) -> Result<()> {
        fault::point_in(Action::Link, &self.path, name)?;
        let linked = || {
            fault::link_limit(&other.fd, existing)?;
            rustix::fs::linkat(&other.fd, existing, &self.fd, name, AtFlags::empty())
        };
        linked().map_err(|e| self.error(Action::Link, Path::new(name), e))
    }

    /// Lets `file`, which is `name` in this directory and empty, have the content of `other`, blocks and all, so that it
    /// takes neither time nor space (a reflink).
    ///
    /// # Errors
    ///
    /// The file system cannot, or not for these two; `file` is empty still.
    pub fn clone_file(&self, file: &File, name: &OsStr, other: &File) -> Result<()> {
        fault::point_in(Action::Write, &self.path, name)?;
        #[cfg(target_os = "linux")]
        let cloned = rustix::fs::ioctl_ficlone(file, other);
        #[cfg(not(target_os = "linux"))]
        let cloned: rustix::io::Result<()> = {
            let _ = (file, other);
            Err(Errno::OPNOTSUPP)
        };
        cloned.map_err(|e| self.error(Action::Write, Path::new(name), e))
    }

    /// Whether files in this directory can have blocks in common. Asked with two files that never get a name.
    pub fn can_clone(&self) -> bool {
        #[cfg(target_os = "linux")]
        {
            let unnamed = || {
                let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
                rustix::fs::openat(&self.fd, ".", flags, Mode::RUSR | Mode::WUSR)
            };
            let (Ok(one), Ok(other)) = (unnamed(), unnamed()) else { return false };
            rustix::fs::ioctl_ficlone(&one, &other).is_ok()
        }
        #[cfg(not(target_os = "linux"))]
        false
    }

    /// Renames `name` to `new` in `other`, atomically; a file or link there is replaced.
    pub fn rename(&self, name: &OsStr, other: &Dir, new: &OsStr) -> Result<()> {
        fault::point_in(Action::Rename, &other.path, new)?;
        let renamed = rustix::fs::renameat(&self.fd, name, &other.fd, new);
        renamed.map_err(|e| other.error(Action::Rename, Path::new(new), e))
    }

    /// Removes the file or link `name`.
    pub fn remove_file(&self, name: &OsStr) -> Result<()> {
        fault::point_in(Action::Remove, &self.path, name)?;
        let removed = rustix::fs::unlinkat(&self.fd, name, AtFlags::empty());
        removed.map_err(|e| self.error(Action::Remove, Path::new(name), e))
    }

    /// Removes the empty directory `name`.
    pub fn remove_dir(&self, name: &OsStr) -> Result<()> {
        fault::point_in(Action::Remove, &self.path, name)?;
        let removed = rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR);
        removed.map_err(|e| self.error(Action::Remove, Path::new(name), e))
    }

    fn error(&self, action: Action, path: &Path, source: impl Into<std::io::Error>) -> Error {
        Error::new(action, self.path.join(path), source)
    }
}

fn times(mtime: i64) -> Timestamps {
    let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

fn open_beneath(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::ResolveFlags;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match rustix::fs::openat2(root, path, OPEN_DIR | OFlags::NOFOLLOW, Mode::empty(), resolve) {
            // An old kernel, or a sandbox that does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => {}
            other => return other,
        }
    }
    open_stepwise(root, path)
}

/// One component after the other, each opened without following.
fn open_stepwise(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let mut at = rustix::fs::openat(root, ".", OPEN_DIR, Mode::empty())?;
    for component in path.components() {
        match component {
            std::path::Component::Normal(name) => {
                at = rustix::fs::openat(&at, name, OPEN_DIR | OFlags::NOFOLLOW, Mode::empty())?;
            }
            std::path::Component::CurDir => {}
            _ => return Err(Errno::XDEV),
        }
    }
    Ok(at)
}

impl From<rustix::fs::FileType> for FileKind {
    fn from(kind: rustix::fs::FileType) -> Self {
        match kind {
            rustix::fs::FileType::RegularFile => FileKind::File,
            rustix::fs::FileType::Directory => FileKind::Directory,
            rustix::fs::FileType::Symlink => FileKind::Symlink,
            _ => FileKind::Special,
        }
    }
}

impl From<rustix::fs::Stat> for Stat {
    // The fields' types differ from system to system.
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
    fn from(stat: rustix::fs::Stat) -> Self {
        Self {
            kind: rustix::fs::FileType::from_raw_mode(stat.st_mode).into(),
            size: stat.st_size as u64,
            mode: u32::from(stat.st_mode) & 0o7777,
            mtime: stat.st_mtime as i64,
            mtime_nanos: stat.st_mtime_nsec as i64,
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            links: stat.st_nlink as u64,
            uid: stat.st_uid,
            gid: stat.st_gid,
            blocks: stat.st_blocks as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_is_followed_on_the_way() {
        let outer = tempfile::tempdir().expect("a directory");
        let root = outer.path().join("root");
        super::super::create_dir_all(&root.join("a/b")).expect("directories");
        super::super::symlink(Path::new("../.."), &root.join("a/up")).expect("a link");
        super::super::symlink(Path::new("b"), &root.join("a/same")).expect("a link");
        let dir = Dir::open(&root).expect("the root");
        assert!(dir.below(Path::new("a/b")).is_ok());
        for path in ["a/up", "a/same", "a/same/x", "..", "a/../.."] {
            assert!(dir.below(Path::new(path)).is_err(), "{path}");
        }
        for path in ["a/up", "a/same", ".."] {
            assert!(open_stepwise(&dir.fd, Path::new(path)).is_err(), "{path}");
        }
        assert!(open_stepwise(&dir.fd, Path::new("a/b")).is_ok());
        assert!(dir.open_file(Path::new("a/up"), false).is_err());
    }

    #[test]
    fn what_is_made_has_its_mode_and_time_and_replaces_nothing() {
        let outer = tempfile::tempdir().expect("a directory");
        let dir = Dir::open(outer.path()).expect("the root");
        let file = dir.create_file(OsStr::new("f"), 0o444).expect("a new file");
        dir.write_at(&file, OsStr::new("f"), b"abc", 1).expect("written");
        dir.seal_file(&file, OsStr::new("f"), 0o444, 315_532_800).expect("sealed");
        let open = dir.create_file(OsStr::new("w"), 0o444).expect("a new file");
        dir.seal_file(&open, OsStr::new("w"), 0o666, 0).expect("sealed");
        assert_eq!(dir.inspect(Path::new("w"), false).expect("there").mode, 0o666, "whatever the umask");
        dir.symlink(b"f", OsStr::new("l"), 1).expect("a link");
        dir.hard_link(&dir, OsStr::new("f"), OsStr::new("h")).expect("a second name");
        let stat = dir.inspect(Path::new("f"), false).expect("there");
        assert_eq!((stat.mode, stat.mtime, stat.size, stat.links), (0o444, 315_532_800, 4, 2));
        assert_eq!(dir.inspect(Path::new("l"), false).expect("there").mtime, 1);
        for name in ["f", "l", "h"] {
            assert!(dir.create_file(OsStr::new(name), 0o444).expect_err("taken").is_exists());
            assert!(dir.create_dir(OsStr::new(name)).expect_err("taken").is_exists());
        }
        let names: Vec<_> = dir.list().expect("a listing").into_iter().map(|e| (e.name, e.kind)).collect();
        assert_eq!(
            names,
            [
                ("f".into(), FileKind::File),
                ("h".into(), FileKind::File),
                ("l".into(), FileKind::Symlink),
                ("w".into(), FileKind::File)
            ]
        );
    }
}

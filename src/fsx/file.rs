//! Whole files: reading, atomic writing, appending, removing.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::dir::{FileKind, shared_bits};
use super::error::{Action, Context as _, Error, Result, optional};
use super::{fault, flush_dir};

/// What the file system knows about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Length in bytes.
    pub size: u64,
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    /// Modification time: seconds after 1970.
    pub mtime: i64,
    /// Modification time: nanoseconds within the second.
    pub mtime_nanos: i64,
    /// Device number of the file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// How many names it has.
    pub links: u64,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Blocks of 512 bytes it takes.
    pub blocks: u64,
}

impl From<&fs::Metadata> for Stat {
    fn from(meta: &fs::Metadata) -> Self {
        Self {
            kind: meta.file_type().into(),
            size: meta.len(),
            mode: meta.mode() & 0o7777,
            mtime: meta.mtime(),
            mtime_nanos: meta.mtime_nsec(),
            device: meta.dev(),
            inode: meta.ino(),
            links: meta.nlink(),
            uid: meta.uid(),
            gid: meta.gid(),
            blocks: meta.blocks(),
        }
    }
}

/// Opens a file for reading.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).at(Action::Read, path)
}

/// Reads a whole file. For small files: the caller bounds what may be there.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).at(Action::Read, path)
}

/// Reads a whole file; `None` where there is none.
pub fn read_opt(path: &Path) -> Result<Option<Vec<u8>>> {
    optional(read(path))
}

/// Reads the last `length` bytes of a file, or all of it where it is shorter, and says where they start; nothing at 0 where
/// there is no file.
pub fn read_tail(path: &Path, length: u64) -> Result<(Vec<u8>, u64)> {
    let Some(mut file) = optional(open(path))? else { return Ok((Vec::new(), 0)) };
    let mut read = || {
        let end = file.seek(std::io::SeekFrom::End(0))?;
        let start = end.saturating_sub(length);
        file.seek(std::io::SeekFrom::Start(start))?;
        let mut bytes = Vec::with_capacity(usize::try_from(end - start).unwrap_or_default() + 1);
        file.read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>((bytes, start))
    };
    read().at(Action::Read, path)
}

/// Reads a whole UTF-8 file.
pub fn read_text(path: &Path) -> Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text).at(Action::Read, path)?;
    Ok(text)
}

/// What lies at `path` itself, links not followed; `None` where there is nothing.
pub fn inspect(path: &Path) -> Result<Option<Stat>> {
    optional(fs::symlink_metadata(path).at(Action::Inspect, path)).map(|m| m.as_ref().map(Stat::from))
}

/// What `path` leads to, links followed; `None` where it leads nowhere.
pub fn inspect_followed(path: &Path) -> Result<Option<Stat>> {
    optional(fs::metadata(path).at(Action::Inspect, path)).map(|m| m.as_ref().map(Stat::from))
}

/// Creates a file that must not exist yet, open for reading and writing. Nothing is durable until it is flushed.
pub fn create_new(path: &Path) -> Result<File> {
    let mode = 0o644 | shared_bits(path);
    fault::point(Action::Create, path)?;
    OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path).at(Action::Create, path)
}

/// Opens a file for reading and writing, creating it where there is none. What is in it stays.
pub fn open_or_create(path: &Path) -> Result<File> {
    let mode = 0o644 | shared_bits(path);
    fault::point(Action::Create, path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(mode).open(path).at(Action::Create, path)
}

/// Gives `file`, which is at `path`, the length `size`, with room on the disk for all of it where there is a disk whose file
/// system can reserve; what is in it stays, as far as it is no longer than that.
///
/// # Errors
///
/// No room, or a quota.
pub fn allocate(file: &File, path: &Path, size: u64) -> Result<()> {
    fault::point(Action::Space, path)?;
    #[cfg(target_os = "linux")]
    if size > 0 && !super::space::is_memory(file) {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, size) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(e) => return Err(Error::new(Action::Space, path, e)),
        }
    }
    fault::point(Action::Space, path)?;
    file.set_len(size).at(Action::Space, path)
}

/// Gives `file`, which is at `path`, the length `size` if it is not that long: what is new is a hole.
pub fn extend(file: &File, path: &Path, size: u64) -> Result<()> {
    fault::point(Action::Space, path)?;
    if file.metadata().at(Action::Inspect, path)?.len() == size {
        return Ok(());
    }
    file.set_len(size).at(Action::Space, path)
}

/// The parts of the first `size` bytes of `file`, which is at `path`, that were written once, as far as the file system
/// knows; all of them where it does not. Source: lseek(2), SEEK_DATA and SEEK_HOLE.
pub fn written(file: &File, path: &Path, size: u64) -> Result<Vec<Range<u64>>> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{SeekFrom, seek};
        use rustix::io::Errno;
        let mut parts = Vec::new();
        let mut at = 0;
        while at < size {
            let start = match seek(file, SeekFrom::Data(at)) {
                Ok(start) if start < size => start,
                Ok(_) | Err(Errno::NXIO) => break,
                Err(Errno::INVAL | Errno::NOSYS) => return Ok(std::iter::once(0..size).collect()),
                Err(e) => return Err(Error::new(Action::Read, path, e)),
            };
            let end = seek(file, SeekFrom::Hole(start)).at(Action::Read, path)?.clamp(start + 1, size);
            parts.push(start..end);
            at = end;
        }
        Ok(parts)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, path);
        Ok(std::iter::once(0..size).collect())
    }
}

/// Writes `bytes` at `offset` of `file`, which is at `path`. Nothing is durable until it is flushed.
pub fn write_all_at(file: &File, path: &Path, bytes: &[u8], offset: u64) -> Result<()> {
    use std::os::unix::fs::FileExt as _;
    fault::point(Action::Write, path)?;
    file.write_all_at(bytes, offset).at(Action::Write, path)
}

/// Writes a new file and flushes it. A power cut may lose its name until the directory is flushed.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = create_new(path)?;
    fault::point(Action::Write, path)?;
    file.write_all(bytes).at(Action::Write, path)?;
    fault::point(Action::Flush, path)?;
    file.sync_all().at(Action::Flush, path)
}

/// Writes a new file without flushing it: for files that a later flush of the whole file system makes durable.
pub fn write_unflushed(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = create_new(path)?;
    fault::point(Action::Write, path)?;
    file.write_all(bytes).at(Action::Write, path)
}

/// Replaces `path` with `bytes`: after a crash it holds the old bytes or the new ones, whole; after `Ok` the new
/// ones, even after a power cut (file and directory are flushed).
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |temporary| write_new(temporary, bytes))?;
    flush_dir(path.parent().unwrap_or(Path::new("/")))
}

/// The same as [`write_atomic`] for a file with these permission bits, whatever the umask is; nobody sees it with others.
pub fn write_atomic_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    replace(path, |temporary| {
        write_unflushed(temporary, bytes)?;
        super::set_mode(temporary, mode)?;
        super::flush_file(&open(temporary)?, temporary)
    })?;
    flush_dir(path.parent().unwrap_or(Path::new("/")))
}

/// Replaces `path` with `bytes` and flushes nothing: whoever reads it meanwhile sees the old bytes or the new ones, whole; after
/// a power cut it may hold anything. For what is no loss.
pub fn write_hint(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |temporary| write_unflushed(temporary, bytes))
}

fn replace(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let temporary = beside(path);
    remove_file_opt(&temporary)?;
    let result = write(&temporary).and_then(|()| super::rename(&temporary, path));
    if result.is_err() {
        let _ = remove_file(&temporary);
    }
    result
}

/// A temporary name beside `path` that no other thread of this process is given.
pub(super) fn beside(path: &Path) -> PathBuf {
    static GIVEN: AtomicU64 = AtomicU64::new(0);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}-{}.tmp", std::process::id(), GIVEN.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

/// Removes what killed writers of `path` left beside it; the caller knows that nobody is writing it now.
pub fn remove_unfinished(path: &Path) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let mut start = OsString::from(".");
    start.push(path.file_name().unwrap_or_default());
    start.push(".");
    let starts = |name: &OsString| name.as_encoded_bytes().starts_with(start.as_encoded_bytes());
    for entry in super::list(dir)? {
        if starts(&entry.name) && entry.name.as_encoded_bytes().ends_with(b".tmp") {
            remove_file_opt(&dir.join(entry.name))?;
        }
    }
    Ok(())
}

/// Creates a file of a name nobody else uses, `.<file>.<process>-<number>.tmp` in the directory of `path`, open for
/// reading and writing. Where another host or container made the same name, the next number is taken.
pub fn create_beside(path: &Path) -> Result<(PathBuf, File)> {
    loop {
        let temporary = beside(path);
        match create_new(&temporary) {
            Err(e) if e.is_exists() => {}
            file => return Ok((temporary, file?)),
        }
    }
}

/// Sets the modification time of `path` to now, by the clock that stamps new files.
pub fn touch(path: &Path) -> Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};
    fault::point(Action::SetMode, path)?;
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: omit, last_modification: now };
    utimensat(CWD, path, &times, AtFlags::empty()).at(Action::SetMode, path)
}

/// Appends `bytes` to `path` in one write, creating it. Nothing is durable until it is flushed; a power cut may
/// leave any part of the bytes.
pub fn append(path: &Path, bytes: &[u8]) -> Result<()> {
    fault::point(Action::Write, path)?;
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644 | shared_bits(path))
        .open(path)
        .at(Action::Write, path)?;
    fault::point(Action::Write, path)?;
    file.write_all(bytes).at(Action::Write, path)
}

/// Cuts a file to `length` bytes. Not flushed.
pub fn truncate(path: &Path, length: u64) -> Result<()> {
    fault::point(Action::Write, path)?;
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(length)).at(Action::Write, path)
}

/// Reserves space for `more` bytes behind the end of `path`, without changing its length, so that a later
/// [`append`] of so many bytes cannot fail for want of space. File systems that cannot reserve are left as they are.
pub fn reserve(path: &Path, more: u64) -> Result<()> {
    fault::point(Action::Space, path)?;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644 | shared_bits(path))
        .open(path)
        .at(Action::Space, path)?;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        let length = file.metadata().at(Action::Space, path)?.len();
        fault::point(Action::Space, path)?;
        match fallocate(&file, FallocateFlags::KEEP_SIZE, length, more.max(1)) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(e) => return Err(Error::new(Action::Space, path, e)),
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, more);
    Ok(())
}

/// Removes a file or link.
pub fn remove_file(path: &Path) -> Result<()> {
    fault::point(Action::Remove, path)?;
    fs::remove_file(path).at(Action::Remove, path)
}

/// Removes a file or link if there is one; says whether there was.
pub fn remove_file_opt(path: &Path) -> Result<bool> {
    if inspect(path)?.is_none() {
        return Ok(false);
    }
    match remove_file(path) {
        Err(Error { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(false),
        other => other.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_replace_one_file_leave_one_of_their_contents() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        std::thread::scope(|scope| {
            for n in 0..8u8 {
                let path = &path;
                scope.spawn(move || write_atomic(path, &[n; 1000]).expect("written"));
            }
        });
        let bytes = read(&path).expect("one of them");
        assert!(bytes.len() == 1000 && bytes.iter().all(|b| *b == bytes[0]));
        assert_eq!(super::super::list(dir.path()).expect("listed").len(), 1);
    }
}

//! A whole file put in another place, atomically: with the same blocks, under a second name, or copied.

use std::fs::File;
use std::io;
use std::path::Path;

use super::error::{Action, Context as _, Result};
use super::file::beside;
use super::{
    create_beside, fault, flush_dir, flush_file, hard_link, open, remove_file, remove_file_opt, rename, set_mode,
};

/// Replaces `to` with a copy of the file `from`: after a crash it is the old file or the new one, whole; after `Ok` the new
/// one, even after a power cut. Its owner can write it.
pub fn copy_atomic(from: &Path, to: &Path) -> Result<()> {
    write_beside(to, 0o644, |file| io::copy(&mut File::open(from)?, file).map(drop))
}

/// Replaces `to` with the file `from`, which is flushed, as cheaply as the file systems allow: with the same blocks (a
/// reflink), else as a second name of the same file (a hard link), else as a copy. Old or new after a crash, as with
/// [`copy_atomic`].
///
/// Nobody may write it where `from` may not be written: after a hard link, who gets round that writes both.
pub fn place_atomic(from: &Path, to: &Path) -> Result<()> {
    let source = open(from)?;
    let mode = super::inspect_followed(from)?.map_or(0o444, |stat| stat.mode);
    if write_beside(to, mode, |file| reflink(file, &source)).is_ok() || link_atomic(from, to).is_ok() {
        return Ok(());
    }
    write_beside(to, mode, |file| io::copy(&mut &source, file).map(drop))
}

/// Writes a new file beside `to` and renames it there; nothing is left of it where that fails.
fn write_beside(to: &Path, mode: u32, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let (temporary, mut file) = create_beside(to)?;
    let put = || {
        fault::point(Action::Write, &temporary)?;
        fill(&mut file).at(Action::Write, &temporary)?;
        set_mode(&temporary, mode)?;
        flush_file(&file, &temporary)?;
        rename(&temporary, to)
    };
    let result = put();
    if result.is_err() {
        let _ = remove_file(&temporary);
    }
    result?;
    flush_dir(to.parent().unwrap_or(Path::new("/")))
}

fn link_atomic(from: &Path, to: &Path) -> Result<()> {
    let temporary = beside(to);
    hard_link(from, &temporary)?;
    let renamed = rename(&temporary, to);
    // rename(2) does nothing where both are names of one file already, and keeps both.
    let removed = remove_file_opt(&temporary);
    renamed?;
    removed?;
    flush_dir(to.parent().unwrap_or(Path::new("/")))
}

/// Lets the empty file `to` have the blocks of `from`, where the file system can share them.
fn reflink(to: &File, from: &File) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return Ok(rustix::fs::ioctl_ficlone(to, from)?);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (to, from);
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::fsx;

    fn scene() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fsx::write_new(&from, b"the package").expect("written");
        set_mode(&from, 0o444).expect("set");
        (dir, from, to)
    }

    fn check(dir: &tempfile::TempDir, to: &Path, mode: u32) {
        assert_eq!(fsx::read(to).expect("there"), b"the package");
        assert_eq!(fsx::inspect(to).expect("readable").expect("there").mode, mode);
        assert_eq!(fsx::list(dir.path()).expect("listed").len(), 2, "nothing is left beside them");
    }

    #[test]
    fn a_copy_replaces_what_was_there_and_can_be_written() {
        let (dir, from, to) = scene();
        fsx::write_new(&to, b"old").expect("written");
        copy_atomic(&from, &to).expect("copied");
        check(&dir, &to, 0o644);
    }

    #[test]
    fn placing_replaces_what_was_there_and_again_what_is_the_same_file() {
        let (dir, from, to) = scene();
        fsx::write_new(&to, b"old").expect("written");
        for _ in 0..2 {
            place_atomic(&from, &to).expect("placed");
            check(&dir, &to, 0o444);
            link_atomic(&from, &to).expect("linked");
            check(&dir, &to, 0o444);
        }
    }

    #[test]
    fn another_file_system_gets_a_copy_and_what_fails_leaves_nothing() {
        let (dir, from, to) = scene();
        let elsewhere = tempfile::tempdir_in("/dev/shm").expect("a directory");
        let there = elsewhere.path().join("to");
        place_atomic(&from, &there).expect("placed");
        assert_eq!(fsx::read(&there).expect("there"), b"the package");
        fsx::create_dir(&to).expect("made");
        assert!(place_atomic(&from, &to).is_err() && copy_atomic(&from, &to).is_err());
        assert_eq!(fsx::list(dir.path()).expect("listed").len(), 2);
    }
}

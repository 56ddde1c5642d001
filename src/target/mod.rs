//! Targets: places packages are published to and fetched from, one file per kind behind one trait.
//!
//! ```text
//! config::TargetPlace ── open ──▶ dyn Target ── put ──▶ Placed (a record's Place)
//! record's Place ── locate ──▶ key ── size, read ──▶ bytes
//! ```
//!
//! Promises: what a `put` returned for is there under its name and was checked there; a `put` never replaces, changes or
//! removes bytes it did not write, so that two publishers cannot touch each other's; a secret goes to the scheme, host
//! and bucket it was configured for and nowhere else, and stands in no error. Must not know: the store, the records
//! repository, which target is asked first. Nobody outside learns that some of it is asynchronous.

mod access;
mod error;
mod fault;
mod filesystem;
mod http;
mod location;
mod nonsense;
mod objects;
mod oci;
mod open;
mod probe;
mod setting;
mod web;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::{Doing, Error, Fault, Result};
pub use filesystem::Filesystem;
pub use http::from_url;
pub use nonsense::{NoLogin, Nonsense};
pub use open::{anonymous, open};
pub use probe::{ask_port, ask_web};
pub use setting::{Detour, Setting};

pub use crate::net::Ambient;

use crate::fsx;
use crate::model::{ComponentType, Place, Sha256, Version};

/// A place packages are published to and fetched from. A key names one file there; keys come from [`Target::locate`]
/// and [`Target::list`] only.
pub trait Target: fmt::Debug + Send + Sync {
    /// The name in configuration and records.
    fn name(&self) -> &str;

    /// What people call the file `key`: a path or URL, without any secret.
    fn shown(&self, key: &str) -> String;

    /// The key of a file of the version whose package is at `place`; `None` where the place is not in this target.
    fn locate(&self, place: &Place, wanted: Wanted<'_>) -> Option<String>;

    /// The length in bytes of what is under `key`; `None` where nothing is.
    fn size(&self, key: &str) -> Result<Option<u64>>;

    /// Begins to read `key`: the bytes of `range`, or all. The range must not be empty nor end behind the file.
    fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Reading>;

    /// Like [`Target::read`], but past every cache on the way: after wrong bytes. Targets behind which there is no cache
    /// read as always.
    fn read_fresh(&self, key: &str, range: Option<Range<u64>>) -> Result<Reading> {
        self.read(key, range)
    }

    /// Whether reading takes a file system of this machine and no network connection of its own.
    fn is_local(&self) -> bool {
        false
    }

    /// Puts the files of one version here and checks that the target holds them. `told` is told the bytes of each part
    /// that has been sent. After a crash or an error the same `put` goes on from there.
    fn put(&self, parcel: &Parcel<'_>, told: &(dyn Fn(u64) + Sync)) -> Result<Placed>;

    /// Every file of this target whose key begins with `prefix` (all for the empty one), sorted by key.
    fn list(&self, prefix: &str) -> Result<Vec<Listed>>;

    /// Removes the file `key`; nothing where it is not there.
    fn delete(&self, key: &str) -> Result<()>;

    /// A URL that lets anybody read `key` until `expires` has passed; `None` where this kind of target has none.
    fn presign(&self, key: &str, expires: Duration) -> Result<Option<String>>;

    /// What a record says of the package `file` that lies beside the file `key` of a list; `None` where that cannot be
    /// told. Whether it does lie there is another question: [`Target::locate`] finds it from the place.
    fn place_beside(&self, key: &str, file: &str) -> Option<Place> {
        let _ = (key, file);
        None
    }
}

/// A file to be found: by its name, or by its digest where a target keeps files by digest.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its name; a plain file name.
    pub file: &'a str,
    /// Its digest.
    pub sha256: Sha256,
}

/// Bytes on their way. A read that stalls fails with [`std::io::ErrorKind::TimedOut`].
pub struct Reading {
    /// Where in the file the first byte is: a server that knows no ranges begins at 0 whatever was asked for.
    pub start: u64,
    /// The length of the whole file, where the target said it.
    pub total: Option<u64>,
    /// The bytes.
    pub body: Box<dyn Read + Send>,
}

/// One file of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
}

/// Bytes on this machine that several targets read at once.
pub trait Content: Send + Sync {
    /// Fills `out` from `offset` on.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> fsx::Result<()>;

    /// Where they are, for messages.
    fn path(&self) -> &Path;
}

/// A file of this machine.
#[derive(Debug)]
pub struct Disk {
    file: File,
    path: PathBuf,
}

impl Disk {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> fsx::Result<Self> {
        Ok(Self { file: fsx::open(path)?, path: path.to_owned() })
    }
}

impl Content for Disk {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> fsx::Result<()> {
        self.file.read_exact_at(out, offset).map_err(|e| fsx::Error::new(fsx::Action::Read, &self.path, e))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// One file to be published.
#[derive(Clone, Copy)]
pub struct Upload<'a> {
    /// Its name at the target; a plain file name.
    pub file: &'a str,
    /// Its bytes.
    pub content: &'a dyn Content,
    /// Their digest.
    pub sha256: Sha256,
    /// Their number.
    pub size: u64,
}

/// The files of one version.
#[derive(Clone, Copy)]
pub struct Parcel<'a> {
    /// Of which component.
    pub component: &'a ComponentType,
    /// Which version.
    pub version: &'a Version,
    /// The package, which decides the folder.
    pub package: Upload<'a>,
    /// What lies beside it: manifest, index.
    pub beside: &'a [Upload<'a>],
    /// Where uploads in parts are noted; without it an interrupted one starts over.
    pub unfinished: Option<&'a dyn Unfinished>,
    /// Waits until it is known that these files may be published, and fails where they may not. A target may take bytes
    /// before; nothing must be seen there by others before.
    pub checked: &'a (dyn Fn() -> Result<()> + Sync),
}

/// Notes of uploads that have not ended, so that a later run goes on with them. Kept by the caller, by the name that
/// [`Target::shown`] has for the file; to lose one costs time and nothing else. They hold no secret.
pub trait Unfinished: Sync {
    /// What was noted last of the upload to `place`.
    fn load(&self, place: &str) -> Option<Vec<u8>>;

    /// Notes it, instead of what was noted before.
    fn save(&self, place: &str, note: &[u8]);

    /// Forgets it.
    fn clear(&self, place: &str);
}

/// Where a `put` placed a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What a record says of it.
    pub place: Place,
    /// Whether every file was there before, with the same bytes.
    pub already_there: bool,
    /// What the publisher should know.
    pub warnings: Vec<Warning>,
}

/// What does not stop a publication and should not be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Every user of the machine may write the directory, and so replace what was published. (Deploying would refuse the
    /// replacement, by its digest.)
    WorldWritable {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Whether `name` is a file name and nothing more: not empty, no `/`, not `.` or `..`, no NUL.
pub fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

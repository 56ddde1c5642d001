//! Opening a root: for reading without a trace, or for changing under the lock and recovered.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::access::{self, Others};
use super::state::{self, components_of};
use super::{Error, History, Layout, Receipt, Recovery, Set, State, journal, pins, recover};
use crate::fsx::{self, Filesystem, Lock, LockError, Mode};
use crate::model::{ComponentType, Version};

const FORMAT: &str = "1";

/// A root opened for reading. Takes no lock and writes nothing.
#[derive(Debug, Clone)]
pub struct View {
    layout: Layout,
}

impl View {
    /// Opens the root at `path` for reading.
    ///
    /// # Errors
    ///
    /// [`Error::NotARoot`], [`Error::NewerFormat`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let layout = Layout::new(path);
        match fsx::read_opt(&layout.format())? {
            None => Err(Error::NotARoot { root: path.to_owned() }),
            Some(bytes) => check_format(&layout, &bytes).map(|()| Self { layout }),
        }
    }

    pub(super) fn of(layout: Layout) -> Self {
        Self { layout }
    }

    /// The paths of the root.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The current release.
    pub fn state(&self) -> Result<State, Error> {
        State::read(&self.layout)
    }

    /// Every release the root ever made.
    pub fn history(&self) -> Result<History, Error> {
        History::read(&self.layout)
    }

    /// The component types that have a directory.
    pub fn types(&self) -> Result<Vec<ComponentType>, Error> {
        state::types(&self.layout)
    }

    /// The installed versions of a component, in version order.
    pub fn versions(&self, component: &ComponentType) -> Result<Vec<Version>, Error> {
        state::installed(&self.layout, component)
    }

    /// The receipt of a version whose directory is there; `None` where it is not installed.
    pub fn receipt(&self, component: &ComponentType, version: &Version) -> Result<Option<Receipt>, Error> {
        match fsx::inspect(&self.layout.version(component, version))? {
            Some(_) => Receipt::read(&self.layout, component, version),
            None => Ok(None),
        }
    }

    /// The receipt of an installed version.
    ///
    /// # Errors
    ///
    /// [`Error::NotInstalled`] names the versions that are.
    pub fn installed(&self, component: &ComponentType, version: &Version) -> Result<Receipt, Error> {
        match self.receipt(component, version)? {
            Some(receipt) => Ok(receipt),
            None => Err(Error::NotInstalled {
                component: component.clone(),
                version: version.clone(),
                installed: self.versions(component)?,
            }),
        }
    }

    /// The set that a release names; `None` where the release is gone.
    pub fn release(&self, number: u64) -> Result<Option<Set>, Error> {
        components_of(&self.layout, number)
    }

    /// The pinned versions of a component.
    pub fn pins(&self, component: &ComponentType) -> Result<BTreeSet<Version>, Error> {
        pins::read(&self.layout, component)
    }

    /// The release that an open journal is making (`None` within for a cleanup); `None` where nothing is unfinished.
    pub fn unfinished(&self) -> Result<Option<Option<u64>>, Error> {
        Ok(journal::all(&self.layout)?.pop().map(|open| match open {
            journal::Open::Release(number, _) => Some(number),
            journal::Open::Cleanup(_) => None,
        }))
    }
}

/// A root opened for changing: locked, and recovered from whatever an earlier run left unfinished.
#[derive(Debug)]
pub struct Root {
    view: View,
    filesystem: Filesystem,
    lock: Lock,
}

impl Root {
    /// Opens the root at `path` for changing, and makes it where nothing is there. Waits up to `wait` for another
    /// holder of the lock; `holder` is what others read about us.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::NotWritable`], [`Error::OthersMayWrite`], [`Error::OwnedByOther`],
    /// [`Error::NewerFormat`].
    pub fn open(path: &Path, holder: &str, wait: Duration, others: Others) -> Result<(Self, Recovery), Error> {
        let layout = Layout::new(path);
        if let Some(bytes) = fsx::read_opt(&layout.format())? {
            check_format(&layout, &bytes)?;
        }
        for dir in directories(&layout)?.into_iter().chain([path.to_owned()]) {
            writable(path, &dir)?;
            if others == Others::Refused {
                access::check(path, &dir)?;
            }
        }
        fsx::create_dir_all(&layout.state())?;
        let lock = Lock::take(&layout.lock(), Mode::Exclusive, holder, wait).map_err(|error| match error {
            LockError::Held { holder, claim, .. } => Error::Locked { root: path.to_owned(), holder, claim },
            LockError::Io(error) => error.into(),
        })?;
        let filesystem = Filesystem::of(path)?;
        for dir in parts(&layout) {
            fsx::create_dir_all(&dir)?;
        }
        if fsx::inspect(&layout.format())?.is_none() {
            fsx::write_atomic(&layout.format(), format!("{FORMAT}\n").as_bytes())?;
        }
        let root = Self { view: View { layout }, filesystem, lock };
        let recovery = recover::recover(&root)?;
        Ok((root, recovery))
    }

    /// The same root, for reading.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The paths of the root.
    pub fn layout(&self) -> &Layout {
        &self.view.layout
    }

    /// Why the file system's own lock does not keep others out, so that a claim has to; `None` where it does.
    pub fn weak_lock(&self) -> Option<fsx::Weakness> {
        self.lock.weakness()
    }

    pub(super) fn filesystem(&self) -> &Filesystem {
        &self.filesystem
    }
}

/// The directories that every root has.
fn parts(layout: &Layout) -> [PathBuf; 5] {
    [layout.components(), layout.links(), layout.releases(), layout.journals(), layout.staging()]
}

/// The directories in which changing commands make entries; they need not be there.
pub(super) fn directories(layout: &Layout) -> Result<Vec<PathBuf>, Error> {
    let types = state::types(layout)?.into_iter().map(|component| layout.component(&component));
    Ok(parts(layout).into_iter().chain(types).chain([layout.state()]).collect())
}

fn check_format(layout: &Layout, bytes: &[u8]) -> Result<(), Error> {
    let found = String::from_utf8_lossy(bytes).trim().to_owned();
    if found == FORMAT { Ok(()) } else { Err(Error::NewerFormat { root: layout.root().to_owned(), found }) }
}

/// Says which directory refuses writing, before anything is tried: `dir` of the root, or what is there above it.
fn writable(root: &Path, dir: &Path) -> Result<(), Error> {
    let existing = dir.ancestors().find(|path| matches!(fsx::inspect_followed(path), Ok(Some(_))));
    let path = existing.unwrap_or(Path::new("."));
    if fsx::may_write(path) {
        return Ok(());
    }
    let stat = fsx::inspect_followed(path)?;
    Err(Error::NotWritable {
        root: root.to_owned(),
        path: path.to_owned(),
        mode: stat.map_or(0, |s| s.mode),
        owner: stat.map_or(0, |s| s.uid),
        user: fsx::user(),
    })
}

//! Reading the records of one commit, from git objects.

use std::cell::RefCell;
use std::path::Path;

use git2::{ObjectType, Tree};

use super::error::{Error, FileAt};
use super::published::{MAX_BYTES, Parts, Published};
use super::remote::Depth;
use super::repository::Repository;
use super::{MANIFEST, PACKAGES, RECORD, YANKED};
use crate::model::{ComponentType, Version};

/// The records as of one commit. Nothing that happens in the repository later changes what it says.
pub struct Snapshot<'r> {
    pub(super) repository: &'r Repository,
    pub(super) commit: Option<String>,
    /// The whole commit, where there is one.
    pub(super) top: Option<Tree<'r>>,
    /// `<directory>/packages`, where there is one.
    packages: Option<Tree<'r>>,
    /// The component asked for last: of one with many versions libgit2 keeps the tree no longer than we do.
    last: RefCell<Option<(ComponentType, Option<Tree<'r>>)>>,
}

impl<'r> Snapshot<'r> {
    pub(super) fn new(repository: &'r Repository, commit: Option<git2::Commit<'r>>) -> Result<Self, Error> {
        match commit {
            Some(commit) => {
                Self::of_tree(repository, commit.id().to_string(), repository.tree(commit.tree_id(), Depth::None)?)
            }
            None => Ok(Self { repository, commit: None, top: None, packages: None, last: RefCell::default() }),
        }
    }

    /// The records in a tree; `id` is that of the commit, or of the tree itself where it is in none.
    pub(super) fn of_tree(repository: &'r Repository, id: String, top: Tree<'r>) -> Result<Self, Error> {
        let commit = Some(id);
        let mut snapshot = Self { repository, commit, top: None, packages: None, last: RefCell::default() };
        snapshot.packages = snapshot.tree_in(&top, &repository.inside(PACKAGES), PACKAGES)?;
        snapshot.top = Some(top);
        Ok(snapshot)
    }

    /// The commit's full id; `None` for a branch without commits.
    pub fn commit_id(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// Every component that has a directory, sorted by name. Other things in `packages/` are passed over.
    ///
    /// # Errors
    ///
    /// Damaged objects.
    pub fn components(&self) -> Result<Vec<ComponentType>, Error> {
        let mut all: Vec<ComponentType> = self.packages.as_ref().map(names).unwrap_or_default();
        all.sort();
        Ok(all)
    }

    /// Every version of a component that has a directory, lowest first; none for an unknown component.
    ///
    /// # Errors
    ///
    /// Damaged objects; a file where the component's directory belongs.
    pub fn versions(&self, component: &ComponentType) -> Result<Vec<Version>, Error> {
        let mut all: Vec<Version> = self.component(component)?.as_ref().map(names).unwrap_or_default();
        all.sort();
        Ok(all)
    }

    /// One version, checked; `None` where it is not published. Reads that version's files only.
    ///
    /// # Errors
    ///
    /// A file that is missing, damaged, misplaced, or does not agree with the others.
    pub fn get(&self, component: &ComponentType, version: &Version) -> Result<Option<Published>, Error> {
        let Some(tree) = self.version(component, version)? else { return Ok(None) };
        let above = format!("{PACKAGES}/{component}/{version}");
        let file = |name: &str| self.at(&format!("{above}/{name}"));
        let (record_at, manifest_at, yanked_at) = (file(RECORD), file(MANIFEST), file(YANKED));
        let parts = Parts {
            record: self.blob(&tree, RECORD, &record_at)?,
            manifest: self.blob(&tree, MANIFEST, &manifest_at)?,
            yanked: self.blob(&tree, YANKED, &yanked_at)?,
            record_at,
            manifest_at,
            yanked_at,
            signatures: self.signatures(&tree, &above, MANIFEST)?,
            yanked_signatures: self.signatures(&tree, &above, YANKED)?,
        };
        if parts.record.is_none() && parts.manifest.is_none() {
            return Ok(None);
        }
        parts.check(Some((component, version))).map(Some)
    }

    /// Whether a version has a note that withdraws it; reads no file.
    ///
    /// # Errors
    ///
    /// Damaged objects.
    pub fn is_yanked(&self, component: &ComponentType, version: &Version) -> Result<bool, Error> {
        Ok(self.version(component, version)?.is_some_and(|tree| tree.get_name(YANKED).is_some()))
    }

    fn component(&self, component: &ComponentType) -> Result<Option<Tree<'r>>, Error> {
        let Some(packages) = &self.packages else { return Ok(None) };
        if let Some((_, tree)) = self.last.borrow().as_ref().filter(|(last, _)| last == component) {
            return Ok(tree.clone());
        }
        let tree = self.tree_in(packages, Path::new(component.as_str()), &format!("{PACKAGES}/{component}"))?;
        self.last.replace(Some((component.clone(), tree.clone())));
        Ok(tree)
    }

    fn version(&self, component: &ComponentType, version: &Version) -> Result<Option<Tree<'r>>, Error> {
        let Some(parent) = self.component(component)? else { return Ok(None) };
        let shown = format!("{PACKAGES}/{component}/{version}");
        self.tree_of(self.repository.entry(&parent, Path::new(version.as_str()))?, &shown, Depth::Version)
    }

    /// Brings what a mirror has not of all these versions, of all versions of a component where none is named, each kind of
    /// thing in one go. Nobody has to call it: it spares round trips to who reads many. What is not there is passed over.
    ///
    /// # Errors
    ///
    /// The remote cannot be reached.
    pub fn bring<'w>(
        &self,
        wanted: impl IntoIterator<Item = (&'w ComponentType, Option<&'w Version>)>,
    ) -> Result<(), Error> {
        let (Some(packages), Some(_)) = (&self.packages, &self.repository.origin) else { return Ok(()) };
        let below = |tree: &Tree<'_>, name: &str| {
            tree.get_name(name).filter(|entry| entry.kind() == Some(ObjectType::Tree)).map(|entry| entry.id())
        };
        let wanted: Vec<_> = wanted.into_iter().collect();
        let ids: Vec<_> = wanted.iter().filter_map(|(component, _)| below(packages, component.as_str())).collect();
        self.repository.bring(&ids, Depth::None)?;
        let mut versions = Vec::new();
        for (component, version) in wanted {
            let Some(tree) = self.component(component)? else { continue };
            match version {
                Some(version) => versions.extend(below(&tree, version.as_str())),
                None => {
                    let all = tree.iter().filter(|entry| entry.kind() == Some(ObjectType::Tree));
                    versions.extend(all.map(|entry| entry.id()));
                }
            }
        }
        self.repository.bring(&versions, Depth::Version)
    }

    /// The records directory, where there is one.
    pub(super) fn records_tree(&self) -> Result<Option<Tree<'r>>, Error> {
        let Some(top) = &self.top else { return Ok(None) };
        match self.repository.inside("") {
            path if path.as_os_str().is_empty() => Ok(Some(top.clone())),
            path => self.tree_in(top, &path, ""),
        }
    }

    /// The tree at `path` below `parent`; `shown` is its path inside the records directory, for the error.
    pub(super) fn tree_in(&self, parent: &Tree<'r>, path: &Path, shown: &str) -> Result<Option<Tree<'r>>, Error> {
        self.tree_of(self.repository.entry(parent, path)?, shown, Depth::None)
    }

    fn tree_of(
        &self,
        entry: Option<git2::TreeEntry<'static>>,
        shown: &str,
        depth: Depth,
    ) -> Result<Option<Tree<'r>>, Error> {
        let Some(entry) = entry else { return Ok(None) };
        if entry.kind() != Some(ObjectType::Tree) {
            return Err(Error::WrongKind { file: self.at(shown) });
        }
        self.repository.tree(entry.id(), depth).map(Some)
    }

    pub(super) fn blob(&self, tree: &Tree<'_>, name: &str, at: &FileAt) -> Result<Option<Vec<u8>>, Error> {
        let git = &self.repository.git;
        let Some(entry) = tree.get_name(name) else { return Ok(None) };
        // A symbolic link is a blob too: only a regular file will do.
        if entry.kind() != Some(ObjectType::Blob) || entry.filemode() == i32::from(git2::FileMode::Link) {
            return Err(Error::WrongKind { file: at.clone() });
        }
        self.repository.bring(&[entry.id()], Depth::None)?;
        let header = git.odb().and_then(|odb| odb.read_header(entry.id()));
        let size = header.map_err(|error| self.repository.unreadable(error))?.0 as u64;
        if size > MAX_BYTES {
            return Err(Error::TooBig { file: at.clone(), size, limit: MAX_BYTES });
        }
        let blob = git.find_blob(entry.id()).map_err(|error| self.repository.unreadable(error))?;
        Ok(Some(blob.content().to_vec()))
    }

    /// The bytes of a file, by its path inside the records directory; `None` where there is no plain file of a length that is
    /// read.
    pub(super) fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(top) = &self.top else { return Ok(None) };
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let tree = match self.repository.inside(above) {
            inside if inside.as_os_str().is_empty() => Some(top.clone()),
            inside => match self.repository.entry(top, &inside)? {
                Some(entry) if entry.kind() == Some(ObjectType::Tree) => {
                    Some(self.repository.tree(entry.id(), Depth::Version)?)
                }
                _ => None,
            },
        };
        match tree.map_or(Ok(None), |tree| self.blob(&tree, name, &self.at(path))) {
            Err(Error::WrongKind { .. } | Error::TooBig { .. }) => Ok(None),
            other => other,
        }
    }

    /// Whether nothing at all is at a path inside the records directory.
    pub(super) fn is_nothing(&self, path: &str) -> Result<bool, Error> {
        let Some(top) = &self.top else { return Ok(true) };
        Ok(self.repository.entry(top, &self.repository.inside(path))?.is_none())
    }

    pub(super) fn at(&self, path: &str) -> FileAt {
        FileAt { commit: self.commit.clone(), path: self.repository.inside(path).display().to_string() }
    }
}

/// The directories of a tree whose names can be parsed; unsorted.
fn names<T: std::str::FromStr>(tree: &Tree<'_>) -> Vec<T> {
    let directories = tree.iter().filter(|entry| entry.kind() == Some(ObjectType::Tree));
    directories.filter_map(|entry| entry.name().ok().and_then(|name| name.parse().ok())).collect()
}

//! Every way in which reading or committing records is refused.

use std::fmt;
use std::path::{Path, PathBuf};

use super::remote::RemoteError;
use crate::fsx;
use crate::model::{ComponentType, Reference, SchemaError, Sha256, Version};

/// A file of the records: inside a commit, or on the disk.
///
/// Shown as git writes it, `1a2b3c4d5e6f:records/…/record.json`, so that `git show` takes it as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAt {
    /// The commit's full id; `None` for a file on the disk.
    pub commit: Option<String>,
    /// The path inside the repository, or on the disk.
    pub path: String,
}

impl fmt::Display for FileAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(commit) = &self.commit {
            write!(f, "{commit:.12}:")?;
        }
        f.write_str(&self.path)
    }
}

/// A version whose package digest begins as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The version.
    pub version: Version,
    /// Its package's digest.
    pub sha256: Sha256,
}

/// What git was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Opening the repository.
    Open,
    /// Making a repository.
    Init,
    /// Reading references or objects.
    Read,
    /// Writing objects, the index or a reference.
    Commit,
}

/// Why records cannot be read or committed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing there that git knows.
    #[error("`{}` is not a git repository", path.display())]
    NotRepository {
        /// What was to be opened.
        path: PathBuf,
    },
    /// A directory inside a repository; an enclosing repository is never taken by surprise.
    #[error("`{}` is inside the repository `{}`", path.display(), top.display())]
    InsideRepository {
        /// What was to be opened.
        path: PathBuf,
        /// The top of the enclosing repository.
        top: PathBuf,
    },
    /// It belongs to another user and is not listed under `safe.directory`.
    #[error("`{}` belongs to another user", path.display())]
    Ownership {
        /// The repository.
        path: PathBuf,
    },
    /// It uses an object format or an extension that libgit2 does not have.
    #[error("`{}` cannot be used: {reason}", path.display())]
    Unsupported {
        /// The repository.
        path: PathBuf,
        /// What libgit2 said.
        reason: String,
    },
    /// The configured directory is no path inside the repository.
    #[error("`{directory}` is not a path inside the repository")]
    Directory {
        /// What was configured.
        directory: String,
    },
    /// The configured branch is no name that git allows.
    #[error("`{branch}` is not a branch name")]
    BranchName {
        /// What was configured.
        branch: String,
    },
    /// The configured branch does not exist, others do.
    #[error("no branch `{branch}` in `{}`", path.display())]
    NoBranch {
        /// What was configured.
        branch: String,
        /// The repository.
        path: PathBuf,
    },
    /// No branch is configured and HEAD names none.
    #[error("HEAD of `{}` is detached", path.display())]
    Detached {
        /// The repository.
        path: PathBuf,
    },
    /// `--at` names no commit.
    #[error("`{revision}` names no commit in `{}`: {reason}", path.display())]
    NoRevision {
        /// What was asked for.
        revision: String,
        /// The repository.
        path: PathBuf,
        /// What libgit2 said.
        reason: String,
    },
    /// More signatures beside a file than are read.
    #[error("`{file}` holds {count} signatures, over {limit}")]
    TooManySignatures {
        /// The directory.
        file: FileAt,
        /// How many there are.
        count: usize,
        /// How many are read.
        limit: usize,
    },
    /// A directory, symbolic link or submodule where a file belongs, or a file where a directory belongs.
    #[error("`{file}` is not what belongs there")]
    WrongKind {
        /// What is there.
        file: FileAt,
    },
    /// Longer than any record or manifest has reason to be.
    #[error("`{file}` has {size} bytes, more than {limit}")]
    TooBig {
        /// The file.
        file: FileAt,
        /// Its length in bytes.
        size: u64,
        /// The most that is read.
        limit: u64,
    },
    /// Not the JSON it should be.
    #[error("`{file}`: {source}")]
    Schema {
        /// The file.
        file: FileAt,
        /// Why.
        source: SchemaError,
    },
    /// No file at the path that a user gave.
    #[error("no file `{}`", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// A version without `record.json`.
    #[error("`{file}` is missing")]
    RecordMissing {
        /// The file that should be there.
        file: FileAt,
    },
    /// A version without `manifest.json`.
    #[error("`{file}` is missing")]
    ManifestMissing {
        /// The file that should be there.
        file: FileAt,
    },
    /// The manifest is not the one that the record pins.
    #[error("`{file}` has sha256 {found}, the record pins {pinned}")]
    ManifestDigest {
        /// The manifest.
        file: FileAt,
        /// What the record says.
        pinned: Sha256,
        /// What the bytes have.
        found: Sha256,
    },
    /// Record and manifest name different packages.
    #[error("`{file}` names another package than its manifest")]
    PackageDiffers {
        /// The record.
        file: FileAt,
    },
    /// A file that speaks of another component or version than its place says.
    #[error("`{file}` speaks of {says}, but belongs to {belongs}")]
    Misplaced {
        /// The file.
        file: FileAt,
        /// What it speaks of, as `type@version`.
        says: String,
        /// What it should speak of, as `type@version`.
        belongs: String,
    },
    /// Nothing is published at all.
    #[error("no records in `{}`", path.display())]
    NoRecords {
        /// The repository.
        path: PathBuf,
        /// What was asked for.
        reference: Reference,
    },
    /// No version of this component is published.
    #[error("no component `{component}`")]
    NoComponent {
        /// What was asked for.
        component: ComponentType,
        /// What is published, sorted.
        known: Vec<ComponentType>,
    },
    /// This version is not published, others are.
    #[error("no version `{version}` of `{component}`")]
    NoVersion {
        /// The component.
        component: ComponentType,
        /// What was asked for.
        version: Version,
        /// The highest versions published, highest first.
        known: Vec<Version>,
    },
    /// No version matches the range, not even a yanked one.
    #[error("no version matches {reference}")]
    NoMatch {
        /// What was asked for.
        reference: Reference,
        /// The highest versions published, highest first.
        known: Vec<Version>,
    },
    /// Everything that is not yanked is a pre-release, and none was asked for.
    #[error("{reference} has only pre-releases")]
    OnlyPrereleases {
        /// What was asked for.
        reference: Reference,
        /// The highest one.
        highest: Version,
    },
    /// Every version that would do was withdrawn.
    #[error("every version that matches {reference} was yanked")]
    AllYanked {
        /// What was asked for.
        reference: Reference,
        /// The highest one.
        highest: Version,
    },
    /// No package of this component has such a digest.
    #[error("no package matches {reference}")]
    NoDigest {
        /// What was asked for.
        reference: Reference,
    },
    /// Several packages have a digest that begins so.
    #[error("{reference} matches {} packages", matches.len())]
    AmbiguousDigest {
        /// What was asked for.
        reference: Reference,
        /// What matches.
        matches: Vec<Match>,
    },
    /// A change of what never changes once published.
    #[error("{what} of {component}@{version} never changes once published")]
    Immutable {
        /// `manifest.json`, `record.json` or `yanked.json`.
        what: &'static str,
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
    },
    /// The branch holds other content at a path than the change was made from.
    #[error("`{file}` was changed by someone else")]
    Changed {
        /// The file as it is now.
        file: FileAt,
    },
    /// A work tree holds an uncommitted file or change at a path of ours.
    #[error("`{}` has changes that are not committed", path.display())]
    Uncommitted {
        /// The file.
        path: PathBuf,
    },
    /// The index holds a staged change or a merge conflict at a path of ours.
    #[error("`{}` has staged changes", path.display())]
    Staged {
        /// The file.
        path: PathBuf,
    },
    /// Something that is no directory stands where one is needed, or no file where a file is needed.
    #[error("`{}` is in the way", path.display())]
    InTheWay {
        /// What stands there.
        path: PathBuf,
    },
    /// Somebody holds git's lock on an index.
    #[error("`{}` exists", path.display())]
    IndexLocked {
        /// The lock file.
        path: PathBuf,
    },
    /// Somebody holds git's lock on the branch.
    #[error("the branch `{branch}` is locked: {reason}")]
    BranchLocked {
        /// The branch.
        branch: String,
        /// What libgit2 said; names the lock file.
        reason: String,
    },
    /// A split or sparse index, or a damaged one.
    #[error("the index `{}` cannot be changed: {reason}", path.display())]
    IndexFormat {
        /// The index.
        path: PathBuf,
        /// What libgit2 said.
        reason: String,
    },
    /// The branch is checked out in a linked work tree that is gone, not mounted or not ours.
    #[error("`{branch}` is checked out in `{name}`, which cannot be opened")]
    WorkTreeGone {
        /// The branch.
        branch: String,
        /// git's name of the work tree.
        name: String,
    },
    /// A work tree is rebasing the branch.
    #[error("`{branch}` is being rebased in `{}`", path.display())]
    Rebasing {
        /// The branch.
        branch: String,
        /// The work tree.
        path: PathBuf,
    },
    /// Others committed to the branch, or switched work trees to it, faster than we did, many times over.
    #[error("the branch `{branch}` does not hold still")]
    Contended {
        /// The branch.
        branch: String,
    },
    /// The commit stands, but an index or a flush behind it failed.
    #[error("committed {commit}, then: {source}")]
    AfterCommit {
        /// The commit.
        commit: String,
        /// What failed.
        source: fsx::Error,
    },
    /// A remote, or the `git` program, cannot be used.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Anything else that libgit2 could not do.
    #[error("git in `{}`: {source}", path.display())]
    Git {
        /// What it was doing.
        doing: Doing,
        /// The repository.
        path: PathBuf,
        /// What it said.
        source: git2::Error,
    },
    /// A failed action on the file system.
    #[error(transparent)]
    Io(#[from] fsx::Error),
}

/// Adds what was being done, and where, to an error of libgit2.
pub(super) trait Context<T> {
    fn during(self, doing: Doing, path: &Path) -> Result<T, Error>;
}

impl<T> Context<T> for Result<T, git2::Error> {
    fn during(self, doing: Doing, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Git { doing, path: path.to_owned(), source })
    }
}

/// `Ok(None)` where git found nothing.
pub(super) fn optional<T>(result: Result<T, git2::Error>) -> Result<Option<T>, git2::Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

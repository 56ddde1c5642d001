//! Opening and making the records repository, and which branch of it is meant.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::checkout::short;
use super::error::{Context as _, Doing, Error, optional};
use super::remote::{Depth, Origin};
use super::snapshot::Snapshot;
use crate::fsx;
use crate::model::{PathError, TreePath};

/// The directory that holds records where nothing else is configured.
pub const DEFAULT_DIRECTORY: &str = "records";

/// How many symbolic references are followed, as in git.
const MAX_SYMBOLIC: usize = 5;

/// How long to wait for locks that other programs hold on the index or the branch.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open records repository.
pub struct Repository {
    pub(super) git: git2::Repository,
    pub(super) root: PathBuf,
    /// Where records lie; `None` at the top.
    pub(super) directory: Option<TreePath>,
    pub(super) branch: Option<String>,
    /// The commit that is read instead of the branch.
    pub(super) base: Option<git2::Oid>,
    pub(super) patience: Duration,
    /// The remote that this is the mirror of.
    pub(super) origin: Option<Arc<Origin>>,
    /// A branch that is not there yet: commits make it, on the tip of the one that is read.
    pub(super) onto: Option<String>,
    /// What `git` is run with.
    pub(super) environment: BTreeMap<String, String>,
}

impl Repository {
    /// Opens the repository at `path`: the top of a work tree (linked ones too) or a bare repository. Directories above
    /// `path` are never searched, so that records cannot land in an enclosing repository by surprise.
    ///
    /// `directory` is where the records lie inside it, `.` or empty for its top. Without `branch` it is the one that HEAD
    /// of `path` names. A branch that does not exist is accepted only in a repository without any commit.
    ///
    /// # Errors
    ///
    /// No repository, one of another user or with extensions that libgit2 does not have, no such branch.
    pub fn open(path: &Path, directory: &str, branch: Option<&str>) -> Result<Self, Error> {
        let directory = match TreePath::parse(directory.as_bytes()) {
            Ok(directory) => Some(directory),
            Err(PathError::Empty) => None,
            Err(_) => return Err(Error::Directory { directory: directory.to_owned() }),
        };
        let git = open_git(path)?;
        let root = top_of(&git);
        let branch = branch.map(str::to_owned);
        let (base, origin, onto, environment) = (None, None, None, BTreeMap::new());
        let repository = Self { git, root, directory, branch, base, patience: PATIENCE, origin, onto, environment };
        if let Some(branch) = &repository.branch {
            repository.require_branch(branch)?;
        }
        Ok(repository)
    }

    /// Opens the mirror of a remote, after a look at the remote's branch unless one was taken after `since`. What a reader
    /// asks for and the mirror has not is fetched; commits are pushed. Without `branch` it is the one the remote's HEAD names.
    ///
    /// # Errors
    ///
    /// The remote cannot be reached and nothing of the branch was fetched before; no such branch.
    pub fn mirrored(
        origin: &Arc<Origin>,
        directory: &str,
        branch: Option<&str>,
        since: Instant,
    ) -> Result<Self, Error> {
        origin.look(branch, since)?;
        let mut repository = Self::open(origin.mirror(), directory, branch)?;
        repository.origin = Some(origin.clone());
        Ok(repository)
    }

    /// Commits go to `branch`, which is made where it is missing, on the tip of the branch that would be read else.
    ///
    /// # Errors
    ///
    /// No name of a branch; the remote cannot be reached.
    pub fn with_branch(mut self, branch: &str) -> Result<Self, Error> {
        let name = branch_name(branch)?;
        let exists = match &self.origin {
            Some(origin) => origin.has_branch(&self.git, branch)?,
            None => tip(&self.git, &name).during(Doing::Read, &self.root)?.is_some(),
        };
        if exists {
            self.branch = Some(branch.to_owned());
        } else {
            self.onto = Some(branch.to_owned());
        }
        Ok(self)
    }

    /// Runs `git`, for what libgit2 cannot do, with this environment.
    #[must_use]
    pub fn with_environment(self, environment: &BTreeMap<String, String>) -> Self {
        Self { environment: environment.clone(), ..self }
    }

    /// Makes a repository with a work tree at `path` (created with its parents), on an unborn branch `main`, and opens it
    /// with the default directory. A repository that is already there is opened and stays as it is. After a crash `.git` is
    /// not there or whole.
    ///
    /// # Errors
    ///
    /// The directory cannot be written; otherwise as [`Repository::open`].
    pub fn init(path: &Path) -> Result<Self, Error> {
        fsx::create_dir_all(path)?;
        if fsx::inspect(&path.join(".git"))?.is_none() {
            let mut options = git2::RepositoryInitOptions::new();
            options.initial_head("main").external_template(false);
            let new = path.join(".deploy-tool-new");
            fsx::remove_tree(&new)?;
            git2::Repository::init_opts(&new, &options).during(Doing::Init, path)?;
            fsx::Filesystem::of(&new)?.flush()?;
            match fsx::rename(&new.join(".git"), &path.join(".git")) {
                // Another process was faster.
                Err(e) if e.is_exists() => {}
                renamed => renamed?,
            }
            fsx::remove_tree(&new)?;
            fsx::flush_dir(path)?;
        }
        Self::open(path, DEFAULT_DIRECTORY, None)
    }

    /// Waits this long, and not 5 seconds, for other programs' locks on the index or the branch.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The top of the work tree, or the bare repository: where relative filesystem locations start.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The records as of a commit: `at` (anything that names a commit), else the tip of the branch. A branch without
    /// commits gives an empty snapshot.
    ///
    /// # Errors
    ///
    /// `at` names no commit; damaged objects.
    pub fn snapshot(&self, at: Option<&str>) -> Result<Snapshot<'_>, Error> {
        let commit = match at {
            Some(revision) => {
                let revision = match &self.origin {
                    Some(origin) => &origin.revision(&self.git, revision)?,
                    None => revision,
                };
                let found = self.git.revparse_single(revision).and_then(|object| object.peel_to_commit());
                let no_revision = |e: git2::Error| Error::NoRevision {
                    revision: revision.to_owned(),
                    path: self.root.clone(),
                    reason: e.message().to_owned(),
                };
                Some(found.map_err(no_revision)?)
            }
            None => match self.tip_id()? {
                Some(id) => Some(self.git.find_commit(id).map_err(|error| self.unreadable(error))?),
                None => None,
            },
        };
        Snapshot::new(self, commit)
    }

    /// The full id of the commit at the tip of the branch; `None` before the first one. Reads the reference and no object.
    ///
    /// # Errors
    ///
    /// A reference that cannot be read.
    pub fn tip(&self) -> Result<Option<String>, Error> {
        Ok(self.tip_id()?.map(|id| id.to_string()))
    }

    pub(super) fn tip_id(&self) -> Result<Option<git2::Oid>, Error> {
        if self.base.is_some() {
            return Ok(self.base);
        }
        let name = self.branch.as_ref().map_or_else(|| "HEAD".to_owned(), |b| format!("refs/heads/{b}"));
        tip(&self.git, &name).during(Doing::Read, &self.root)
    }

    /// The repository and the branch that is read, for who remembers what was seen of it.
    ///
    /// # Errors
    ///
    /// References that cannot be read.
    pub fn identity(&self) -> Result<String, Error> {
        let reference = match self.target() {
            Err(Error::Detached { .. }) => "HEAD".to_owned(),
            reference => reference?,
        };
        Ok(match &self.origin {
            Some(origin) => format!("{}#{reference}", origin.url()),
            None => format!("{}#{reference}", self.root.display()),
        })
    }

    /// Whether commit `new` is `old` or comes after it. One that is not there any more is before nothing.
    ///
    /// # Errors
    ///
    /// Damaged objects.
    pub fn descends(&self, new: &str, old: &str) -> Result<bool, Error> {
        if new == old {
            return Ok(true);
        }
        let (Ok(new), Ok(old)) = (git2::Oid::from_str(new), git2::Oid::from_str(old)) else { return Ok(false) };
        if optional(self.git.find_commit(old)).during(Doing::Read, &self.root)?.is_none() {
            return Ok(false);
        }
        self.git.graph_descendant_of(new, old).during(Doing::Read, &self.root)
    }

    /// Whether a commit can be made at all: a branch is meant. Asked before anything is done that a commit shall record.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`]; the remote cannot be reached.
    pub fn require_target(&self) -> Result<(), Error> {
        match &self.origin {
            Some(origin) => Ok(origin.require_online()?),
            None => self.target().map(|_| ()),
        }
    }

    /// The branch that commits go to, without `refs/heads/`.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`].
    pub fn target_branch(&self) -> Result<String, Error> {
        Ok(short(&self.target()?))
    }

    /// The full name of the reference that commits move.
    pub(super) fn target(&self) -> Result<String, Error> {
        let name = match self.onto.as_ref().or(self.branch.as_ref()) {
            Some(branch) => format!("refs/heads/{branch}"),
            None => head_of(&self.git)
                .during(Doing::Read, &self.root)?
                .ok_or_else(|| Error::Detached { path: self.root.clone() })?,
        };
        final_name(&self.git, name).during(Doing::Read, &self.root)
    }

    /// The tree with this id, brought where a mirror has it not.
    pub(super) fn tree(&self, id: git2::Oid, depth: Depth) -> Result<git2::Tree<'_>, Error> {
        self.bring(&[id], depth)?;
        self.git.find_tree(id).map_err(|error| self.unreadable(error))
    }

    /// An object that is here and cannot be read. A mirror that holds one is not used much longer.
    pub(super) fn unreadable(&self, source: git2::Error) -> Error {
        match &self.origin {
            Some(origin) => origin.note_damage(&source),
            None => Error::Git { doing: Doing::Read, path: self.root.clone(), source },
        }
    }

    /// What a tree has at `path`, the trees on the way brought where a mirror has them not; a file among them ends it.
    pub(super) fn entry(&self, tree: &git2::Tree<'_>, path: &Path) -> Result<Option<git2::TreeEntry<'static>>, Error> {
        let mut names: Vec<_> = path.iter().collect();
        let Some(last) = names.pop() else { return Ok(None) };
        let mut tree = tree.clone();
        for name in names {
            let below = tree.get_name_bytes(name.as_bytes()).filter(|e| e.kind() == Some(git2::ObjectType::Tree));
            let Some(id) = below.map(|entry| entry.id()) else { return Ok(None) };
            tree = self.tree(id, Depth::None)?;
        }
        Ok(tree.get_name_bytes(last.as_bytes()).map(|entry| entry.to_owned()))
    }

    /// The path inside the repository of one inside the records directory, for people.
    pub fn path_of(&self, path: &str) -> String {
        self.inside(path).display().to_string()
    }

    /// The path inside the repository of one inside the records directory.
    pub(super) fn inside(&self, path: &str) -> PathBuf {
        match &self.directory {
            Some(directory) => Path::new(OsStr::from_bytes(directory.as_bytes())).join(path),
            None => PathBuf::from(path),
        }
    }

    /// The same for a path of a change.
    pub(super) fn inside_bytes(&self, path: &TreePath) -> PathBuf {
        let path = Path::new(OsStr::from_bytes(path.as_bytes()));
        self.directory
            .as_ref()
            .map_or_else(|| path.to_owned(), |d| Path::new(OsStr::from_bytes(d.as_bytes())).join(path))
    }

    fn require_branch(&self, branch: &str) -> Result<(), Error> {
        let name = branch_name(branch)?;
        let exists = |git: &git2::Repository| -> Result<bool, git2::Error> {
            if optional(git.find_reference(&name))?.is_some() || head_of(git)?.as_deref() == Some(&name) {
                return Ok(true);
            }
            Ok(git.references_glob("refs/heads/*")?.next().is_none())
        };
        match exists(&self.git).during(Doing::Read, &self.root)? {
            true => Ok(()),
            false => Err(Error::NoBranch { branch: branch.to_owned(), path: self.root.clone() }),
        }
    }
}

/// Whether git takes this as the name of a branch, also as an argument.
pub fn is_branch_name(name: &str) -> bool {
    // git2 panics on a name with a NUL.
    !name.contains('\0') && !name.starts_with('-') && git2::Reference::is_valid_name(&format!("refs/heads/{name}"))
}

/// The full name of a branch.
fn branch_name(branch: &str) -> Result<String, Error> {
    match is_branch_name(branch) {
        true => Ok(format!("refs/heads/{branch}")),
        false => Err(Error::BranchName { branch: branch.to_owned() }),
    }
}

/// Opens a repository of git; nothing above `path` is searched.
pub(super) fn open_git(path: &Path) -> Result<git2::Repository, Error> {
    git2::Repository::open(path).map_err(|source| {
        let path = path.to_owned();
        // libgit2 has no code of its own for these two; the tests hold its wording.
        let unsupported = ["object format", "extension"].iter().any(|what| source.message().contains(what));
        match source.code() {
            git2::ErrorCode::Owner => Error::Ownership { path },
            git2::ErrorCode::NotFound => match git2::Repository::discover_path(&path, None::<&Path>) {
                Ok(found) => Error::InsideRepository { top: enclosing(&found), path },
                Err(_) => Error::NotRepository { path },
            },
            _ if unsupported => Error::Unsupported { path, reason: source.message().to_owned() },
            _ => Error::Git { doing: Doing::Open, path, source },
        }
    })
}

fn enclosing(found: &Path) -> PathBuf {
    git2::Repository::open(found).map_or_else(|_| found.to_owned(), |git| top_of(&git))
}

/// The top of the work tree, or the directory of a bare repository; without a final slash.
pub(super) fn top_of(git: &git2::Repository) -> PathBuf {
    git.workdir().unwrap_or_else(|| git.path()).components().collect()
}

/// The reference that HEAD names; `None` where it is detached.
pub(super) fn head_of(git: &git2::Repository) -> Result<Option<String>, git2::Error> {
    let head = git.find_reference("HEAD")?;
    Ok(head.symbolic_target()?.map(str::to_owned))
}

/// Follows symbolic references to the one that holds a commit, or will.
pub(super) fn final_name(git: &git2::Repository, mut name: String) -> Result<String, git2::Error> {
    for _ in 0..MAX_SYMBOLIC {
        match optional(git.find_reference(&name))? {
            Some(reference) => match reference.symbolic_target()? {
                Some(target) => name = target.to_owned(),
                None => break,
            },
            None => break,
        }
    }
    Ok(name)
}

/// The commit at the tip of a branch; `None` while there is none.
pub(super) fn optional_tip(git: &git2::Repository, branch: &str) -> Result<Option<git2::Oid>, Error> {
    tip(git, &format!("refs/heads/{branch}")).during(Doing::Read, git.path())
}

/// The commit that a reference leads to; `None` while there is none.
pub(super) fn tip(git: &git2::Repository, name: &str) -> Result<Option<git2::Oid>, git2::Error> {
    optional(git.refname_to_id(name))
}

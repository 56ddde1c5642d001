//! From a change to a commit on a branch.
//!
//! ```text
//! 1  lock      index.lock of every work tree that has the branch checked out
//! 2  check     the tip holds what the change was made from; work trees and indexes hold nothing else at our paths
//! 3  objects   blobs, trees (from the tip's tree, never from an index), the commit; flushed
//! 4  files     noted in index.lock, then written into those work trees, each by an atomic rename; flushed
//! 5  index     the new one prepared beside the old one; flushed
//! 6  commit    the branch is moved under its own lock if it still is where it was: the commit point
//! 7  publish   the new index renamed over the old one, index.lock removed
//! ```
//!
//! Killed before 6, nothing is committed; killed after it, the commit stands and an index may be behind it. Either way the
//! stale `index.lock` keeps git from committing, so that the record is not deleted unseen, and the next commit made
//! here puts the work tree right first (`unfinished`). A power cut loses nothing that was flushed; in the
//! instant between 6 and its flush the branch is old or new where renames are ordered (ext4, xfs, btrfs). Killed within
//! 6, libgit2 may leave the lock of the branch, a few hundred microseconds of it; the message then names the file.
//!
//! Hooks are not run. A commit is signed where `commit.gpgsign` asks for it, by the user's `git` program. Of a mirror, 1 and 4
//! to 7 have nothing to do: see `remote/publish`.

use std::path::{Path, PathBuf};

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Signature, Tree};

use super::change::Change;
use super::checkout::{Checkout, Pending, Staged, short};
use super::error::{Context as _, Doing, Error, FileAt};
use super::index::wait_for;
use super::remote::{Depth, signed};
use super::repository::{Repository, tip};
use super::unfinished::Note;
use crate::fsx;
use crate::model::Timestamp;

/// How often a commit is made anew on a branch that others moved meanwhile. Each time somebody else got on.
const ATTEMPTS: u32 = 100;

/// Who commits, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The name, where the user's git configuration has no `user.name`.
    pub name: String,
    /// The address, where the user's git configuration has no `user.email`.
    pub email: String,
    /// The time of the commit.
    pub time: Timestamp,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The full id of the commit that holds the change.
    pub commit: String,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Whether a commit was made; `false` where the branch held all of it already.
    pub is_new: bool,
    /// The work trees whose files and index have it now.
    pub work_trees: Vec<PathBuf>,
}

impl Repository {
    /// Commits a change to the branch, and to the files and index of every work tree that has it checked out.
    /// Everything else there, staged or not, stays as it is.
    ///
    /// # Errors
    ///
    /// The branch holds other content at our paths than the change was made from; uncommitted changes there; locks that
    /// others hold for too long; a detached HEAD without a configured branch. Nothing is changed then, except where
    /// [`Error::AfterCommit`] says that the commit stands.
    pub fn commit(&self, change: &Change, author: &Author) -> Result<Committed, Error> {
        let reference = self.target()?;
        let who = self.signature(author)?;
        if let Some(origin) = &self.origin {
            return self.commit_to(origin, change, &who, &reference);
        }
        for _ in 0..ATTEMPTS {
            let Some(checkouts) = Checkout::lock_all(&self.git, &reference, self.patience)? else { continue };
            if let Some(committed) = self.attempt(change, &who, &reference, checkouts)? {
                return Ok(committed);
            }
        }
        Err(Error::Contended { branch: short(&reference) })
    }

    /// One attempt on the branch as it stands; `Ok(None)` where it moved meanwhile, with everything undone.
    fn attempt(
        &self,
        change: &Change,
        who: &Signature<'_>,
        reference: &str,
        checkouts: Vec<Checkout>,
    ) -> Result<Option<Committed>, Error> {
        let branch = short(reference);
        let disk = fsx::Filesystem::of(self.git.commondir())?;
        let at = tip(&self.git, reference).during(Doing::Read, &self.root)?;
        let parent = if self.onto.is_some() && at.is_none() { self.tip_id()? } else { at };
        let base = self.base(parent)?;
        let pending = self.pending(change, parent, &base)?;
        if let (true, Some(tip)) = (pending.is_empty(), parent) {
            return Ok(Some(Committed { commit: tip.to_string(), branch, is_new: false, work_trees: Vec::new() }));
        }
        let commit = self.object(change, who, parent, &base, &pending)?;
        disk.flush()?;
        let note = Note::new(reference, commit, &pending);
        let staged: Vec<Staged> = checkouts.iter().map(|c| c.stage(&pending, &note)).collect::<Result<_, _>>()?;
        // The reflog of HEAD belongs to a work tree: git2 writes the one of the repository it is asked through.
        let writer = checkouts.first().map_or(&self.git, |checkout| &checkout.git);
        if !self.advance(writer, reference, at, commit, who, &change.message)? {
            return Ok(None);
        }
        staged.into_iter().for_each(Staged::keep);
        let work_trees = checkouts.iter().map(|c| c.top.clone()).collect();
        let published = checkouts.into_iter().map(Checkout::publish).fold(Ok(()), Result::and);
        let commit = commit.to_string();
        published
            .and_then(|()| self.flush_branch(reference))
            .map_err(|source| Error::AfterCommit { commit: commit.clone(), source })?;
        Ok(Some(Committed { commit, branch, is_new: true, work_trees }))
    }

    /// The tree of the commit the change is put on; the empty one on a branch without commits.
    pub(super) fn base(&self, parent: Option<Oid>) -> Result<Tree<'_>, Error> {
        let git = &self.git;
        let id = match parent {
            Some(id) => git.find_commit(id).map(|commit| commit.tree_id()),
            None => git.treebuilder(None).and_then(|empty| empty.write()),
        };
        self.tree(id.during(Doing::Read, &self.root)?, Depth::None)
    }

    /// The files that the tip does not have yet, their blobs written.
    pub(super) fn pending(&self, change: &Change, parent: Option<Oid>, base: &Tree<'_>) -> Result<Vec<Pending>, Error> {
        let mut pending = Vec::new();
        for (path, edit) in &change.files {
            let path = self.inside_bytes(path);
            let at = |path: &Path| FileAt { commit: parent.map(|p| p.to_string()), path: path.display().to_string() };
            // git names a file by its own path below it: a file where a directory belongs has to be looked for.
            for above in path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()) {
                let entry = self.entry(base, above)?;
                if entry.is_some_and(|e| e.kind() != Some(ObjectType::Tree)) {
                    return Err(Error::WrongKind { file: at(above) });
                }
            }
            let entry = self.entry(base, &path)?;
            if entry.as_ref().is_some_and(|e| e.kind() != Some(ObjectType::Blob) || is_link(e)) {
                return Err(Error::WrongKind { file: at(&path) });
            }
            let found = entry.map(|e| e.id());
            let id = |bytes: &[u8]| Oid::hash_object(ObjectType::Blob, bytes).during(Doing::Commit, &self.root);
            if found == Some(id(&edit.now)?) {
                continue;
            }
            if found != edit.was.as_deref().map(id).transpose()? {
                return Err(Error::Changed { file: at(&path) });
            }
            let id = self.git.blob(&edit.now).during(Doing::Commit, &self.root)?;
            pending.push(Pending { path, was: found, id, now: edit.now.clone() });
        }
        Ok(pending)
    }

    pub(super) fn object(
        &self,
        change: &Change,
        who: &Signature<'_>,
        parent: Option<Oid>,
        base: &Tree<'_>,
        pending: &[Pending],
    ) -> Result<Oid, Error> {
        let mut update = TreeUpdateBuilder::new();
        for file in pending {
            update.upsert(file.path.as_path(), file.id, FileMode::Blob);
        }
        let tree = update.create_updated(&self.git, base).during(Doing::Commit, &self.root)?;
        let config = self.git.config().and_then(|mut config| config.snapshot()).during(Doing::Read, &self.root)?;
        if config.get_bool("commit.gpgsign").unwrap_or(false) {
            let git = self.user_git();
            return Ok(signed(&git, who, &change.message, tree, parent)?);
        }
        let commit = || {
            let parent = parent.map(|id| self.git.find_commit(id)).transpose()?;
            let tree = self.git.find_tree(tree)?;
            self.git.commit(None, who, who, &change.message, &tree, &parent.iter().collect::<Vec<_>>())
        };
        commit().during(Doing::Commit, &self.root)
    }

    /// Moves the branch from `from` to `to` under its lock; `false` where it is somewhere else.
    fn advance(
        &self,
        git: &git2::Repository,
        reference: &str,
        from: Option<Oid>,
        to: Oid,
        who: &Signature<'_>,
        message: &str,
    ) -> Result<bool, Error> {
        let mut reason = String::new();
        let locked = wait_for(self.patience, || {
            let mut transaction = git.transaction().during(Doing::Commit, &self.root)?;
            match transaction.lock_ref(reference) {
                Ok(()) => Ok(Some(transaction)),
                Err(e) if e.code() == git2::ErrorCode::Locked => {
                    e.message().clone_into(&mut reason);
                    Ok(None)
                }
                Err(e) => Err(e).during(Doing::Commit, &self.root),
            }
        })?;
        let Some(mut transaction) = locked else {
            return Err(Error::BranchLocked { branch: short(reference), reason });
        };
        if tip(git, reference).during(Doing::Read, &self.root)? != from {
            return Ok(false);
        }
        let initial = if from.is_none() { " (initial)" } else { "" };
        let log = format!("commit{initial}: {}", message.lines().next().unwrap_or_default());
        transaction.set_target(reference, to, Some(who), &log).during(Doing::Commit, &self.root)?;
        transaction.commit().during(Doing::Commit, &self.root).map(|()| true)
    }

    /// Makes the moved branch durable.
    fn flush_branch(&self, reference: &str) -> Result<(), fsx::Error> {
        let path = self.git.commondir().join(reference);
        fsx::flush_file(&fsx::open(&path)?, &path)?;
        fsx::flush_dir(path.parent().unwrap_or(Path::new("/")))
    }

    /// The user's name and address as git has them, else the author's.
    pub(super) fn signature(&self, author: &Author) -> Result<Signature<'static>, Error> {
        let config = self.git.config().and_then(|mut config| config.snapshot()).during(Doing::Read, &self.root)?;
        identity(&config, author).during(Doing::Commit, &self.root)
    }
}

/// The signature: git's `user.name` and `user.email`, each else the author's own.
pub(super) fn identity(config: &git2::Config, author: &Author) -> Result<Signature<'static>, git2::Error> {
    let known = |key: &str| config.get_string(key).ok().filter(|value| !value.trim().is_empty());
    let name = known("user.name").unwrap_or_else(|| author.name.clone());
    let email = known("user.email").unwrap_or_else(|| author.email.clone());
    Signature::new(&name, &email, &git2::Time::new(author.time.as_unix(), 0))
}

fn is_link(entry: &git2::TreeEntry<'_>) -> bool {
    entry.filemode() == i32::from(FileMode::Link)
}

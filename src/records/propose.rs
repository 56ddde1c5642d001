//! A commit for review: put on top of a commit of the remote's, on no branch of this repository.
//!
//! ```text
//! remote's base ── at ──▶ what is read ── propose ──▶ one commit, its parent the base ── git push ──▶ the remote's branch
//! ```
//!
//! The branch belongs to whoever proposes: it is made anew from the base each time, so a commit on it that others have made
//! is looked for first. Ours are known by a trailer in their message.

use git2::{Oid, Repository as Git};

use super::change::Change;
use super::commit::Author;
use super::error::{Context as _, Doing, Error, optional};
use super::repository::Repository;
use crate::fsx;

/// The trailer of commits that are made for review; its value is the branch.
const TRAILER: &str = "Proposed-On";

impl Repository {
    /// The same repository, read as of this commit (a full id) instead of its branch.
    ///
    /// # Errors
    ///
    /// The commit is not here.
    pub fn at(self, commit: &str) -> Result<Self, Error> {
        let found = Oid::from_str(commit).and_then(|id| self.git.find_commit(id)).map(|commit| commit.id());
        let base = found.map_err(|e| Error::NoRevision {
            revision: commit.to_owned(),
            path: self.root.clone(),
            reason: e.message().to_owned(),
        })?;
        Ok(Self { base: Some(base), ..self })
    }

    /// Whether a commit (a full id) is here.
    pub fn has_commit(&self, commit: &str) -> bool {
        Oid::from_str(commit).is_ok_and(|id| self.git.find_commit(id).is_ok())
    }

    /// Whether the history ends where the clone was cut off.
    pub fn is_shallow(&self) -> bool {
        self.git.is_shallow()
    }

    /// Makes a commit that holds the change, on top of the commit that is read, for review on `branch`; moves no reference.
    /// `None` where that commit holds all of it already.
    ///
    /// # Errors
    ///
    /// As [`Repository::commit`]; the repository is not read as of a commit.
    pub fn propose(&self, change: &Change, author: &Author, branch: &str) -> Result<Option<String>, Error> {
        let parent = self.tip_id()?;
        let tree = self.base(parent)?;
        let pending = self.pending(change, parent, &tree)?;
        if pending.is_empty() {
            return Ok(None);
        }
        let change = change.clone().with_trailer(TRAILER, branch);
        let who = self.signature(author)?;
        let commit = self.object(&change, &who, parent, &tree, &pending)?;
        fsx::Filesystem::of(self.git.commondir())?.flush()?;
        Ok(Some(commit.to_string()))
    }

    /// Whether two commits (full ids) say the same: content, parents and message.
    ///
    /// # Errors
    ///
    /// One of them is not here.
    pub fn same_proposal(&self, one: &str, other: &str) -> Result<bool, Error> {
        let commit = |id: &str| Oid::from_str(id).and_then(|id| self.git.find_commit(id));
        let (one, other) = (commit(one), commit(other));
        let (one, other) = (one.during(Doing::Read, &self.root)?, other.during(Doing::Read, &self.root)?);
        Ok(one.tree_id() == other.tree_id()
            && one.parent_ids().eq(other.parent_ids())
            && one.message_bytes() == other.message_bytes())
    }

    /// The first commit of `tip` that neither the commit that is read has nor [`Repository::propose`] has made for `branch`:
    /// somebody's work, which would be lost with the branch.
    ///
    /// # Errors
    ///
    /// A commit that is not here.
    pub fn foreign(&self, tip: &str, branch: &str) -> Result<Option<String>, Error> {
        let base = self.tip_id()?;
        foreign(&self.git, tip, base, branch).during(Doing::Read, &self.root)
    }

    /// The remote that changes are proposed at, and its URL as it is configured: the wanted one, else the one that the
    /// branch of HEAD is pushed to, else `origin`.
    ///
    /// # Errors
    ///
    /// A configuration that cannot be read.
    pub fn remote_url(&self, wanted: Option<&str>) -> Result<Option<(String, String)>, Error> {
        let name = match wanted {
            Some(name) => name.to_owned(),
            None => self.remote()?.map_or_else(|| "origin".to_owned(), |remote| remote.name),
        };
        let read = || {
            let config = self.git.config()?.snapshot()?;
            optional(config.get_string(&format!("remote.{name}.url")))
        };
        let url = read().during(Doing::Read, &self.root)?;
        Ok(url.map(|url| (name, url)))
    }
}

fn foreign(git: &Git, tip: &str, base: Option<Oid>, branch: &str) -> Result<Option<String>, git2::Error> {
    let mut walk = git.revwalk()?;
    walk.push(Oid::from_str(tip)?)?;
    if let Some(base) = base {
        walk.hide(base)?;
    }
    let ours = format!("{TRAILER}: {branch}");
    for id in walk {
        let id = id?;
        let commit = git.find_commit(id)?;
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        if !message.lines().any(|line| line.trim_end() == ours) {
            return Ok(Some(id.to_string()));
        }
    }
    Ok(None)
}

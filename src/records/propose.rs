//! A commit for review: put on top of a commit of the remote's, on no branch of this repository.
//!
//! ```text
//! remote's base ── at ──▶ what is read ── propose ──▶ one commit, its parent the base ── git push ──▶ the remote's branch
//! ```
//!
//! The branch belongs to whoever proposes: it is made anew from the base each time, so a commit on it that others have made
//! is looked for first. Ours are known by the trailers of their message:
//!
//! ```text
//! Proposed-On: deploy-tool/prod/model-1.0.1           the branch
//! Base: 8b1a9953c4611296a827abf8c47804d7e6c49c6b      its parent; left out where it has none
//! ```
//!
//! A commit that still stands where it was made needs no look at what lies behind it, which may not be here.

use std::collections::{BTreeSet, VecDeque};

use git2::{Commit, Oid, Repository as Git};

use super::change::Change;
use super::commit::Author;
use super::error::{Context as _, Doing, Error, optional};
use super::remote::RemoteError;
use super::repository::Repository;
use crate::fsx;

/// The trailer of commits that are made for review; its value is the branch.
const ON: &str = "Proposed-On";

/// The trailer that names the commit they were made on.
const BASE: &str = "Base";

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

    /// Whether a commit (a full id) is here. A mirror brings it, alone, where the remote has it.
    ///
    /// # Errors
    ///
    /// The remote cannot be reached.
    pub fn has_commit(&self, commit: &str) -> Result<bool, Error> {
        let Ok(id) = Oid::from_str(commit) else { return Ok(false) };
        match self.origin.as_ref().map(|origin| origin.revision(&self.git, commit)) {
            Some(Err(Error::Remote(RemoteError::NoRevision { .. }))) => return Ok(false),
            Some(Err(error)) => return Err(error),
            Some(Ok(_)) | None => {}
        }
        Ok(self.git.find_commit(id).is_ok())
    }

    /// Whether history may go on behind what is here: of a clone that was cut off, and of a mirror.
    pub fn is_shallow(&self) -> bool {
        self.origin.is_some() || self.git.is_shallow()
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
        let change = change.clone().with_trailer(ON, branch);
        let change = match parent {
            Some(parent) => change.with_trailer(BASE, &parent.to_string()),
            None => change,
        };
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

    /// A commit of `tip` that neither the commit that is read has nor [`Repository::propose`] has made for `branch`, and that
    /// does not only merge such ones: somebody's work, which would be lost with the branch. One that is not here counts, since
    /// nobody knows.
    ///
    /// # Errors
    ///
    /// `tip` is no full id; damaged objects.
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
    let mut left = VecDeque::from([Oid::from_str(tip)?]);
    let mut seen = BTreeSet::new();
    while let Some(id) = left.pop_front() {
        if !seen.insert(id) || base == Some(id) {
            continue;
        }
        let Some(commit) = optional(git.find_commit(id))? else { return Ok(Some(id.to_string())) };
        match Made::by(&commit, branch) {
            Made::Here => {}
            Made::Moved => left.extend(commit.parent_ids()),
            Made::Elsewhere if is_behind(git, base, id)? => {}
            // A forge brings a branch up to date by a merge of the base.
            Made::Elsewhere if commit.parent_count() > 1 => left.extend(commit.parent_ids()),
            Made::Elsewhere => return Ok(Some(id.to_string())),
        }
    }
    Ok(None)
}

/// How a commit came to be, as far as its message tells.
enum Made {
    /// By us, where it stands.
    Here,
    /// By us, and somebody has put it on something else.
    Moved,
    /// Not by us for this branch.
    Elsewhere,
}

impl Made {
    fn by(commit: &Commit<'_>, branch: &str) -> Self {
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        let says = |name: &str, value: &str| message.lines().any(|line| line.trim_end() == format!("{name}: {value}"));
        let mut parents = commit.parent_ids();
        match (says(ON, branch), parents.next(), parents.next()) {
            (false, ..) => Made::Elsewhere,
            (true, Some(parent), None) if says(BASE, &parent.to_string()) => Made::Here,
            (true, ..) => Made::Moved,
        }
    }
}

/// Whether `base` comes after `id`, as far as history is here.
fn is_behind(git: &Git, base: Option<Oid>, id: Oid) -> Result<bool, git2::Error> {
    let Some(base) = base else { return Ok(false) };
    Ok(optional(git.graph_descendant_of(base, id))?.unwrap_or(false))
}

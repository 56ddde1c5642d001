//! What `doctor` asks of a repository besides its records: locks that stand in the way of commits, and the remote.

use std::path::PathBuf;

use super::Repository;
use super::error::{Context as _, Doing, Error, optional};
use super::unfinished::is_ours;
use crate::fsx;

/// The remote that a branch is pushed to and fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name.
    pub name: String,
    /// How many commits of the branch are not known to be there; `None` where nothing of it was fetched yet.
    pub ahead: Option<usize>,
}

impl Repository {
    /// The lock on the index of the work tree, where there is one, and whether it is of our making: the next commit finishes
    /// or undoes what a killed one left.
    ///
    /// # Errors
    ///
    /// The lock cannot be read.
    pub fn index_lock(&self) -> Result<Option<(PathBuf, bool)>, Error> {
        let lock = self.git.path().join("index.lock");
        match fsx::inspect(&lock)? {
            None => Ok(None),
            Some(_) => is_ours(&lock).map(|ours| Some((lock, ours))),
        }
    }

    /// The remote of the branch that is read: the one configured for it, else `origin`; `None` where there is neither.
    ///
    /// # Errors
    ///
    /// Damaged objects or configuration.
    pub fn remote(&self) -> Result<Option<Remote>, Error> {
        let Ok(reference) = self.target() else { return Ok(None) };
        self.remote_of(&reference).during(Doing::Read, self.root())
    }

    fn remote_of(&self, reference: &str) -> Result<Option<Remote>, git2::Error> {
        let configured = optional(self.git.branch_upstream_remote(reference))?;
        let name = configured.and_then(|name| name.as_str().ok().map(str::to_owned));
        let name = name.unwrap_or_else(|| "origin".to_owned());
        if optional(self.git.find_remote(&name))?.is_none() {
            return Ok(None);
        }
        let branch = reference.strip_prefix("refs/heads/").unwrap_or(reference);
        let theirs = optional(self.git.refname_to_id(&format!("refs/remotes/{name}/{branch}")))?;
        let ours = optional(self.git.refname_to_id(reference))?;
        let ahead = match ours.zip(theirs) {
            Some((ours, theirs)) => Some(self.git.graph_ahead_behind(ours, theirs)?.0),
            None => None,
        };
        Ok(Some(Remote { name, ahead }))
    }
}

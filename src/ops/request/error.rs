//! Why a change could not be proposed.

use std::path::PathBuf;

use crate::forge;
use crate::records::RemoteError;

/// What git was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// To name the remote's branches.
    Ask,
    /// To fetch a branch.
    Fetch,
    /// To push a branch.
    Push,
}

/// What went wrong on the way to a request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The repository has no remote of this name, or none at all.
    #[error("`{}` has no remote", repository.display())]
    NoRemote {
        /// The repository.
        repository: PathBuf,
        /// The configured name.
        name: Option<String>,
    },
    /// The remote has no branch to put the change on.
    #[error("`{remote}` has no branch `{branch}`")]
    NoBase {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
    },
    /// The remote does not say which branch is its own.
    #[error("`{remote}` has no branch of its own")]
    NoHead {
        /// The remote.
        remote: String,
    },
    /// The tip of the remote's branch is not here, and a dry run does not fetch it.
    #[error("`{branch}` of `{remote}` was not fetched")]
    NotFetched {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
    },
    /// The branch for the change is the one that the change is for.
    #[error("`{branch}` cannot be merged into itself")]
    SameBranch {
        /// The branch.
        branch: String,
    },
    /// The branch has commits of others.
    #[error("`{branch}` has the commit {commit}, which was not made here")]
    Taken {
        /// The branch.
        branch: String,
        /// The first such commit.
        commit: String,
    },
    /// Others moved the branch, again and again.
    #[error("`{branch}` does not hold still")]
    Contended {
        /// The branch.
        branch: String,
    },
    /// git did not do it.
    #[error("`{remote}`: {reason}")]
    Git {
        /// What it was asked to do.
        doing: Doing,
        /// The remote.
        remote: String,
        /// What it said, without logins.
        reason: String,
    },
    /// git cannot be run.
    #[error(transparent)]
    NoGit(#[from] RemoteError),
    /// The forge could not be asked, or refused.
    #[error(transparent)]
    Forge(#[from] forge::Error),
}

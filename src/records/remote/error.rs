//! Why a remote repository, or the `git` program, cannot be used.

use std::path::PathBuf;

use crate::process;

/// Why a remote cannot be used. `reason` is what git said, without logins.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The `git` program cannot be run.
    #[error(transparent)]
    NoGit(#[from] process::Error),
    /// git could not talk to the remote, or was not let in.
    #[error("cannot reach `{url}`: {reason}")]
    Unreachable {
        /// The remote.
        url: String,
        /// Why.
        reason: String,
    },
    /// The remote has branches, and not this one.
    #[error("no branch `{branch}` at `{url}`")]
    NoBranch {
        /// The remote.
        url: String,
        /// The branch.
        branch: String,
    },
    /// The remote has no such commit, branch or tag.
    #[error("`{revision}` is no commit at `{url}`")]
    NoRevision {
        /// The remote.
        url: String,
        /// What was asked for.
        revision: String,
    },
    /// The remote was asked for objects and did not send them.
    #[error("`{url}` did not send {object}")]
    NotSent {
        /// The remote.
        url: String,
        /// The first one that is missing.
        object: String,
        /// What git said.
        reason: String,
    },
    /// The remote did not take a push, and not because others were faster.
    #[error("`{url}` refused a push to `{branch}`: {reason}")]
    Refused {
        /// The remote.
        url: String,
        /// The branch.
        branch: String,
        /// Why.
        reason: String,
    },
    /// Others pushed to the branch of a work tree's remote: only its user can join the two.
    #[error("`{branch}` has moved at `{remote}`")]
    Behind {
        /// The remote's name.
        remote: String,
        /// The branch.
        branch: String,
        /// The commit that is not pushed.
        commit: String,
        /// The work tree.
        path: PathBuf,
    },
    /// A commit of a work tree's repository stands, and its remote did not take it.
    #[error("{commit} is not pushed to `{remote}`: {reason}")]
    NotPushed {
        /// The remote's name.
        remote: String,
        /// The branch.
        branch: String,
        /// The commit.
        commit: String,
        /// Why.
        reason: String,
    },
    /// A push is asked for, and the repository has no remote.
    #[error("`{}` has no remote", path.display())]
    NoRemote {
        /// The repository.
        path: PathBuf,
    },
    /// Others were faster, again and again.
    #[error("others moved `{branch}` at `{url}` {tries} times")]
    Contended {
        /// The remote.
        url: String,
        /// The branch.
        branch: String,
        /// How often it was tried.
        tries: u32,
    },
    /// A signed commit is wanted, and it cannot be signed.
    #[error("cannot sign the commit: {reason}")]
    Unsigned {
        /// What git or its signing program said.
        reason: String,
    },
    /// Something of the mirror cannot be read. The next look makes it anew.
    #[error("the copy of `{url}` in `{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The remote.
        url: String,
        /// The mirror.
        path: PathBuf,
        /// What could not be read.
        reason: String,
    },
    /// Nothing is to be fetched, and something is not here.
    #[error("`{url}` is not fetched")]
    NotFetched {
        /// The remote.
        url: String,
    },
}

/// What git says where the other side did not answer, or not to the end: over ssh and `file`, over HTTP, and in the middle.
const AWAY: [&str; 3] = ["Could not read from remote repository", "unable to access", "hung up"];

impl RemoteError {
    /// Whether git itself says that it is the other side that fails.
    pub(super) fn is_away(&self) -> bool {
        matches!(self, Self::Unreachable { reason, .. } if AWAY.iter().any(|words| reason.contains(words)))
    }
}

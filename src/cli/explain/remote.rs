//! Sentences for remote records repositories and the `git` program.

use super::Explain;
use crate::cli::words::{Phrase, say};
use crate::records::{RemoteError, SILENT};

impl Explain for RemoteError {
    fn explain(&self) -> Phrase {
        match self {
            RemoteError::NoGit(error) => Phrase::failed("remote.no-git").with("reason", super::system(&error.source)),
            RemoteError::Unreachable { url, reason } => {
                Phrase::failed("remote.unreachable").with("url", url).with("reason", git(reason))
            }
            RemoteError::NoBranch { url, branch } => {
                Phrase::usage("remote.no-branch").with("url", url).with("branch", branch)
            }
            RemoteError::NoRevision { url, revision } => {
                Phrase::not_found("remote.no-revision").with("url", url).with("revision", revision)
            }
            RemoteError::NotSent { url, object, reason } => {
                Phrase::failed("remote.not-sent").with("url", url).with("object", object).with("reason", git(reason))
            }
            RemoteError::Refused { url, branch, reason } => {
                Phrase::refused("remote.refused").with("url", url).with("branch", branch).with("reason", git(reason))
            }
            RemoteError::Behind { remote, branch, commit, path } => Phrase::conflict("remote.behind")
                .with("remote", remote)
                .with("branch", branch)
                .with("commit", short(commit))
                .path("path", path),
            RemoteError::NotPushed { remote, branch, commit, reason } => Phrase::failed("remote.not-pushed")
                .with("remote", remote)
                .with("branch", branch)
                .with("commit", short(commit))
                .with("reason", git(reason)),
            RemoteError::NoRemote { path } => Phrase::usage("remote.no-remote").path("path", path),
            RemoteError::Contended { url, branch, tries } => {
                Phrase::conflict("remote.contended").with("url", url).with("branch", branch).with("tries", tries)
            }
            RemoteError::Unsigned { reason } => Phrase::failed("remote.unsigned").with("reason", git(reason)),
            RemoteError::Damaged { url, path, reason } => {
                Phrase::failed("remote.damaged").with("url", url).path("path", path).with("reason", reason)
            }
            RemoteError::NotFetched { url } => Phrase::failed("remote.not-fetched").with("url", url),
        }
    }
}

/// What git said, or that it said nothing.
pub(super) fn git(reason: &str) -> String {
    if reason == SILENT { say("remote.silent", &[]) } else { reason.to_owned() }
}

fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}

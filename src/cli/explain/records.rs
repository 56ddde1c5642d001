//! Sentences for errors of the records repository.

use std::fmt::Display;

use super::Explain;
use crate::cli::words::{Phrase, say};
use crate::model::{SCHEMA, SchemaError};
use crate::records::{Doing, Error};

impl Explain for Error {
    fn explain(&self) -> Phrase {
        match self {
            Error::NotRepository { path } => Phrase::usage("records.not-repository").path("path", path),
            Error::InsideRepository { path, top } => {
                Phrase::usage("records.inside-repository").path("path", path).path("top", top)
            }
            Error::Ownership { path } => Phrase::usage("records.ownership").path("path", path),
            Error::Unsupported { path, reason } => {
                Phrase::usage("records.unsupported").path("path", path).with("reason", reason)
            }
            Error::Directory { directory } => Phrase::usage("records.directory").with("directory", directory),
            Error::BranchName { branch } => Phrase::usage("records.branch-name").with("branch", branch),
            Error::NoBranch { branch, path } => {
                Phrase::usage("records.no-branch").with("branch", branch).path("path", path)
            }
            Error::Detached { path } => Phrase::usage("records.detached").path("path", path),
            Error::NoRevision { revision, path, reason } => Phrase::not_found("records.no-revision")
                .with("revision", revision)
                .path("path", path)
                .with("reason", reason),
            Error::Io(e) => e.explain(),
            Error::Remote(e) => e.explain(),
            Error::Git { doing, path, source } => Phrase::failed(match doing {
                Doing::Open => "records.git-open",
                Doing::Init => "records.git-init",
                Doing::Read => "records.git-read",
                Doing::Commit => "records.git-commit",
            })
            .path("path", path)
            .with("reason", source.message()),

            // Files of the records that cannot be believed.
            Error::WrongKind { file } => Phrase::refused("records.wrong-kind").with("file", file),
            Error::TooBig { file, size, limit } => {
                Phrase::refused("records.too-big").with("file", file).with("size", size).with("limit", limit)
            }
            Error::TooManySignatures { file, count, limit } => Phrase::refused("records.too-many-signatures")
                .with("file", file)
                .with("count", count)
                .with("limit", limit),
            Error::Schema { file, source } => {
                Phrase::refused("records.schema").with("file", file).with("reason", schema(source))
            }
            Error::NoFile { path } => Phrase::not_found("records.no-file").path("path", path),
            Error::RecordMissing { file } => Phrase::refused("records.record-missing").with("file", file),
            Error::ManifestMissing { file } => Phrase::refused("records.manifest-missing").with("file", file),
            Error::ManifestDigest { file, pinned, found } => Phrase::refused("records.manifest-digest")
                .with("file", file)
                .with("pinned", pinned)
                .with("found", found),
            Error::PackageDiffers { file } => Phrase::refused("records.package-differs").with("file", file),
            Error::Misplaced { file, says, belongs } => {
                Phrase::refused("records.misplaced").with("file", file).with("says", says).with("belongs", belongs)
            }

            // References that no version answers to.
            Error::NoRecords { path, reference } => {
                Phrase::not_found("records.no-records").path("path", path).with("reference", reference)
            }
            Error::NoComponent { component, known } => {
                Phrase::not_found("records.no-component").with("component", component).with("known", quoted(known))
            }
            Error::NoVersion { component, version, known } if known.is_empty() => {
                Phrase::not_found("records.no-version-at-all").with("component", component).with("version", version)
            }
            Error::NoVersion { component, version, known } => Phrase::not_found("records.no-version")
                .with("component", component)
                .with("version", version)
                .with("known", quoted(known)),
            Error::NoMatch { reference, known } => {
                Phrase::not_found("records.no-match").with("reference", reference).with("known", quoted(known))
            }
            Error::OnlyPrereleases { reference, highest } => Phrase::not_found("records.only-prereleases")
                .with("reference", reference)
                .with("component", &reference.component)
                .with("highest", highest),
            Error::AllYanked { reference, highest } => Phrase::not_found("records.all-yanked")
                .with("reference", reference)
                .with("component", &reference.component)
                .with("highest", highest),
            Error::NoDigest { reference } => Phrase::not_found("records.no-digest")
                .with("reference", reference)
                .with("component", &reference.component),
            Error::AmbiguousDigest { reference, matches } => {
                let matches = matches.iter().map(|m| format!("{} (sha256:{})", m.version, m.sha256.short()));
                Phrase::usage("records.ambiguous-digest")
                    .with("reference", reference)
                    .with("count", matches.len())
                    .with("matches", matches.collect::<Vec<_>>().join(", "))
            }

            // Commits that would overwrite somebody's work, or cannot be made.
            Error::Immutable { what, component, version } => Phrase::conflict("records.immutable")
                .with("what", what)
                .with("component", component)
                .with("version", version),
            Error::Changed { file } => Phrase::conflict("records.changed").with("file", file),
            Error::Uncommitted { path } => Phrase::conflict("records.uncommitted").path("path", path),
            Error::Staged { path } => Phrase::conflict("records.staged").path("path", path),
            Error::InTheWay { path } => Phrase::conflict("records.in-the-way").path("path", path),
            Error::IndexLocked { path } => Phrase::conflict("records.index-locked").path("path", path),
            Error::BranchLocked { branch, reason } => {
                Phrase::conflict("records.branch-locked").with("branch", branch).with("reason", reason)
            }
            Error::IndexFormat { path, reason } => {
                Phrase::failed("records.index-format").path("path", path).with("reason", reason)
            }
            Error::WorkTreeGone { branch, name } => {
                Phrase::conflict("records.work-tree-gone").with("branch", branch).with("name", name)
            }
            Error::Rebasing { branch, path } => {
                Phrase::conflict("records.rebasing").with("branch", branch).path("path", path)
            }
            Error::Contended { branch } => Phrase::conflict("records.contended").with("branch", branch),
            Error::AfterCommit { commit, source } => {
                Phrase::failed("records.after-commit").with("commit", commit).with("reason", source.explain().text())
            }
        }
    }
}

fn quoted<T: Display>(all: &[T]) -> String {
    all.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ")
}

/// Why a file of the records, or a manifest elsewhere, is not understood.
pub(super) fn schema(error: &SchemaError) -> String {
    match error {
        SchemaError::Newer { found } => {
            say("records.newer", &[("found", found.to_string()), ("known", SCHEMA.to_string())])
        }
        SchemaError::Json(error) => error.to_string(),
    }
}

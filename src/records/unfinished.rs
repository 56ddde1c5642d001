//! What a commit leaves behind that was killed, and putting it right: the note in `index.lock`.
//!
//! ```text
//! deploy-tool holds this lock
//! {"reference": "refs/heads/main", "commit": "<id>", "files": [{"path": "…", "was": "<blob>", "now": "<blob>"}]}
//! ```
//!
//! The first line tells our lock from git's; it is there as long as the lock is. The second is there from before the first
//! file of the work tree is written. Who finds such a lock, and that its owner is dead, finishes what was committed
//! and takes back what was not.

use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid};
use serde::{Deserialize, Serialize};

use super::checkout::Pending;
use super::error::{Context as _, Doing, Error};
use super::repository::{tip, top_of};
use crate::fsx;

const OURS: &str = "deploy-tool holds this lock\n";

/// A commit under way, and what it writes into a work tree.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    reference: String,
    commit: String,
    files: Vec<NotedFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NotedFile {
    path: PathBuf,
    was: Option<String>,
    now: String,
}

impl Note {
    /// The note of a commit that is about to be put on `reference`.
    pub fn new(reference: &str, commit: Oid, pending: &[Pending]) -> Self {
        let noted = |file: &Pending| NotedFile {
            path: file.path.clone(),
            was: file.was.map(|id| id.to_string()),
            now: file.id.to_string(),
        };
        Self { reference: reference.to_owned(), commit: commit.to_string(), files: pending.iter().map(noted).collect() }
    }

    /// What the lock file holds: our mark, and this note once there is one.
    pub fn to_bytes(note: Option<&Self>) -> Vec<u8> {
        let line = note.map(|note| serde_json::to_string(note).expect("paths of records are text") + "\n");
        (OURS.to_owned() + &line.unwrap_or_default()).into_bytes()
    }
}

/// Whether the lock file at `lock` is one of ours.
pub(super) fn is_ours(lock: &Path) -> Result<bool, Error> {
    Ok(fsx::read_opt(lock)?.is_some_and(|bytes| bytes.starts_with(OURS.as_bytes())))
}

/// Puts a work tree right whose lock, one of ours, nobody holds any more: a commit that stands gets its index, of one that
/// does not the files are taken back. The lock stays until that is done.
pub(super) fn recover(git: &git2::Repository, lock: &Path, index: &Path, prepared: &Path) -> Result<(), Error> {
    let bytes = fsx::read_opt(lock)?.unwrap_or_default();
    let note = bytes.get(OURS.len()..).and_then(|line| serde_json::from_slice::<Note>(line).ok());
    if let Some(note) = note {
        if stands(git, &note).during(Doing::Read, git.path())? {
            if fsx::inspect(prepared)?.is_some() {
                fsx::rename(prepared, index)?;
                fsx::flush_dir(index.parent().unwrap_or(Path::new("/")))?;
            }
        } else {
            let top = top_of(git);
            for file in &note.files {
                take_back(git, &top.join(&file.path), file)?;
            }
        }
    }
    fsx::remove_file_opt(prepared)?;
    fsx::remove_file_opt(lock)?;
    Ok(())
}

fn stands(git: &git2::Repository, note: &Note) -> Result<bool, git2::Error> {
    let commit = Oid::from_str(&note.commit)?;
    match tip(git, &note.reference)? {
        Some(tip) => Ok(tip == commit || git.graph_descendant_of(tip, commit)?),
        None => Ok(false),
    }
}

/// Gives a file back the content it had, if it still is what we wrote.
fn take_back(git: &git2::Repository, path: &Path, file: &NotedFile) -> Result<(), Error> {
    fsx::remove_unfinished(path)?;
    let Some(bytes) = fsx::read_opt(path)? else { return Ok(()) };
    let id = Oid::hash_object(ObjectType::Blob, &bytes).during(Doing::Read, git.path())?;
    if id.to_string() != file.now {
        return Ok(());
    }
    match &file.was {
        Some(was) => {
            let blob = Oid::from_str(was).and_then(|id| git.find_blob(id)).during(Doing::Read, git.path())?;
            Ok(fsx::write_atomic(path, blob.content())?)
        }
        None => Ok(fsx::remove_file_opt(path).map(|_| ())?),
    }
}

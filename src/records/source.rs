//! The git state of a directory that is packed: which commit its files come from, for the manifest's metadata.

use std::path::Path;

use super::error::{Context as _, Doing, Error};
use crate::model::SourceState;

/// The commit of HEAD of the work tree that holds `dir`, and whether tracked files below `dir` differ from it. `None` outside
/// a work tree, before the first commit, and where git will not open the repository: packing needs none.
///
/// # Errors
///
/// A repository whose objects or index cannot be read.
pub fn source_state(dir: &Path) -> Result<Option<SourceState>, Error> {
    let Ok(git) = git2::Repository::discover(dir) else { return Ok(None) };
    let Some(top) = git.workdir() else { return Ok(None) };
    let Ok(head) = git.head().and_then(|head| head.peel_to_commit()) else { return Ok(None) };
    let below = dir.strip_prefix(top).unwrap_or(Path::new(""));
    let mut options = git2::StatusOptions::new();
    options.include_untracked(false).include_ignored(false);
    if below.as_os_str().is_empty() {
        options.pathspec("*");
    } else {
        options.pathspec(below).disable_pathspec_match(true);
    }
    let dirty = !git.statuses(Some(&mut options)).during(Doing::Read, top)?.is_empty();
    Ok(Some(SourceState { commit: head.id().to_string(), dirty }))
}

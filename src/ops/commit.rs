//! Putting a change of the records where others see it: a commit, and a push where one is asked for.

use super::{Error, Notice, Site, Unpushed};
use crate::records::{Change, Committed, Repository};

/// Commits a change; with `--push` it is pushed to the remote of the branch, and where it is not though there is one, that is
/// noticed. A change of a remote repository is at the remote when this returns.
///
/// # Errors
///
/// As [`Repository::commit`] and [`Repository::push`]; after a push that failed the commit stands on this machine.
pub(super) fn commit(site: &Site, repository: &Repository, change: &Change) -> Result<Committed, Error> {
    let committed = repository.commit(change, &site.author())?;
    if site.origin.is_some() {
        return Ok(committed);
    }
    if site.push {
        repository.push(&committed)?;
    } else if let (true, Some(remote)) = (committed.is_new, repository.remote()?) {
        let (path, branch) = (repository.root().to_owned(), committed.branch.clone());
        site.notices.add(Notice::Unpushed(Unpushed { path, branch, remote: remote.name }));
    }
    Ok(committed)
}

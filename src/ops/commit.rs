//! Putting a change of the records where others see it: a commit, and a push where one is asked for.

use super::{Error, Notice, Site, Unpushed};
use crate::records::{self, Change, Committed, Repository};

/// How often something is looked at anew that others changed meanwhile.
const LOOKS: u32 = 5;

/// Runs `attempt`, and again where others had committed to the same files when it came to its own commit: what they did may be
/// what was wanted, or may be added to.
///
/// # Errors
///
/// Those of the last attempt.
pub(super) fn anew<T>(attempt: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..LOOKS {
        match attempt() {
            Err(Error::Records(records::Error::Changed { .. })) => {}
            done => return done,
        }
    }
    attempt()
}

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

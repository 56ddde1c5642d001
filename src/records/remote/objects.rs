//! Bringing what the mirror has not: the one step between git2 and an object that may be missing.

use git2::Oid;

use super::origin::Origin;
use crate::records::error::{Context as _, Doing, Error};
use crate::records::repository::Repository;

/// So many objects are named to git at once: its arguments have an end.
const AT_ONCE: usize = 2000;

/// How much is taken along with what is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::records) enum Depth {
    /// Nothing.
    None,
    /// The directory with its files, and one directory of signatures.
    Version,
    /// Of a commit: the tree, the directory of records, and those in there; all that the commits between change in those.
    Top,
}

impl Depth {
    /// The filter that git is told; `tree:N` leaves out what lies N levels below or deeper.
    pub fn filter(self) -> String {
        match self {
            Depth::None => "--filter=tree:0",
            Depth::Version | Depth::Top => "--filter=tree:3",
        }
        .to_owned()
    }
}

impl Repository {
    /// Makes sure that these objects are here: of a mirror they are brought, in one go. Every reader calls this before it
    /// asks git2 for an object.
    ///
    /// # Errors
    ///
    /// The remote cannot be reached, or does not send them.
    pub(in crate::records) fn bring(&self, wanted: &[Oid], depth: Depth) -> Result<(), Error> {
        match &self.origin {
            Some(origin) => origin.bring(&self.git, wanted, depth),
            None => Ok(()),
        }
    }
}

impl Origin {
    fn bring(&self, git: &git2::Repository, wanted: &[Oid], depth: Depth) -> Result<(), Error> {
        if missing(git, wanted)?.is_empty() {
            return Ok(());
        }
        self.require_online()?;
        let _lock = self.lock()?;
        // Others may have brought some meanwhile.
        for part in missing(git, wanted)?.chunks(AT_ONCE) {
            let filter = depth.filter();
            let ids: Vec<_> = part.iter().map(Oid::to_string).collect();
            // Nothing is said of what is here: a server would else send less than is missing.
            let mut args = vec!["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--no-tags", "--no-write-fetch-head"];
            args.extend([filter.as_str(), "origin"]);
            args.extend(ids.iter().map(String::as_str));
            let said = self.git().run(&args)?;
            if let Some(object) = missing(git, part)?.first() {
                return Err(match said.done || said.has(&["not our ref", "unadvertised object"]) {
                    false => self.unreachable(&said),
                    true => self.not_sent(&object.to_string(), &said),
                }
                .into());
            }
        }
        Ok(())
    }
}

/// Those that are not here.
pub(super) fn missing(git: &git2::Repository, wanted: &[Oid]) -> Result<Vec<Oid>, Error> {
    let odb = git.odb().during(Doing::Read, git.path())?;
    Ok(wanted.iter().filter(|id| !odb.exists(**id)).copied().collect())
}

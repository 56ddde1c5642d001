//! The mirror on the disk: making it, its lock, and making it anew where something of it cannot be read.
//!
//! ```text
//! <store>.records/<digits>.git            the mirror
//! <store>.records/<digits>.git/damaged    something of it could not be read: the next look that gets through makes it anew
//! <store>.records/<digits>.git/alone      ids of commits that came without their ancestors, a line each
//! <store>.records/<digits>.git/cuts       the same and those of `shallow`: where history ends for a push
//! <store>.records/<digits>.git.new        one that is being made
//! <store>.records/<digits>.git.fresh      one that shall take the place of a damaged one, once it is fetched into
//! <store>.records/<digits>.git.old        the damaged one, being removed
//! ```

use std::path::Path;
use std::time::Duration;

use git2::Oid;

use super::origin::{FIRST_BRANCH, Origin, Seen};
use super::{Depth, RemoteError};
use crate::fsx::{self, Lock, LockError, Mode};
use crate::records::error::{Context as _, Doing, Error};

/// So long another process may fetch.
const PATIENCE: Duration = Duration::from_secs(600);

/// Every fetch adds a pack; so many are joined.
const MANY_PACKS: usize = 60;

/// The file in a mirror that says that something of it could not be read.
const DAMAGED: &str = "damaged";

/// The files of commits that came alone, and of all where history ends.
const ALONE: &str = "alone";
const CUTS: &str = "cuts";

impl Origin {
    pub(super) fn lock(&self) -> Result<Lock, Error> {
        let path = self.mirror.with_extension("git.lock");
        fsx::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        Lock::take(&path, Mode::Exclusive, &self.process, PATIENCE).map_err(|error| match error {
            LockError::Held { path, .. } => Error::IndexLocked { path },
            LockError::Io(error) => error.into(),
        })
    }

    /// Opens the mirror, which is made where it is missing, was left half made or is no repository any more. The lock is held.
    pub(super) fn open(&self) -> Result<git2::Repository, Error> {
        if fsx::inspect(&self.mirror)?.is_some() && git2::Repository::open_bare(&self.mirror).is_err() {
            fsx::remove_tree(&self.mirror)?;
        }
        if fsx::inspect(&self.mirror)?.is_none() {
            let new = self.mirror.with_extension("git.new");
            fsx::remove_tree(&new)?;
            let mut options = git2::RepositoryInitOptions::new();
            options.bare(true).initial_head(FIRST_BRANCH).external_template(false).no_reinit(true);
            let made = git2::Repository::init_opts(&new, &options).and_then(|git| {
                let mut config = git.config()?.open_level(git2::ConfigLevel::Local)?;
                config.set_str("remote.origin.url", self.url.as_str())
            });
            made.during(Doing::Init, &self.mirror)?;
            fsx::rename(&new, &self.mirror)?;
        }
        git2::Repository::open_bare(&self.mirror).during(Doing::Open, &self.mirror)
    }

    /// Makes another mirror and fetches into it, and puts it in the place of this one if that worked. The lock is held.
    pub(super) fn made_anew(&self, branch: Option<&str>) -> Result<Seen, Error> {
        let mut fresh = self.as_it_is();
        fresh.mirror = self.mirror.with_extension("git.fresh");
        fsx::remove_tree(&fresh.mirror)?;
        let seen = fresh.fetch_branch(&fresh.open()?, branch, Depth::None)?;
        let old = self.mirror.with_extension("git.old");
        fsx::remove_tree(&old)?;
        fsx::rename(&self.mirror, &old)?;
        fsx::rename(&fresh.mirror, &self.mirror)?;
        fsx::remove_tree(&old)?;
        Ok(seen)
    }

    /// Notes that something of the mirror cannot be read: the next look makes it anew. What can be read stays until then.
    pub(in crate::records) fn note_damage(&self, source: &git2::Error) -> Error {
        let noted = fsx::write_atomic(&self.mirror.join(DAMAGED), b"");
        let (url, path) = (self.url.to_string(), self.mirror.clone());
        match noted {
            Ok(()) => RemoteError::Damaged { url, path, reason: source.message().to_owned() }.into(),
            Err(error) => error.into(),
        }
    }

    pub(super) fn is_damaged(&self) -> Result<bool, Error> {
        Ok(fsx::inspect(&self.mirror.join(DAMAGED))?.is_some())
    }

    /// Notes that a commit came without its ancestors. The lock is held.
    pub(super) fn note_alone(&self, id: Oid) -> Result<(), Error> {
        let path = self.mirror.join(ALONE);
        let mut all = fsx::read_opt(&path)?.unwrap_or_default();
        all.extend(format!("{id}\n").into_bytes());
        Ok(fsx::write_atomic(&path, &all)?)
    }

    /// What `git push` needs in its environment: it looks at the ancestors of whatever the remote has and is here, and fails
    /// where they are not. `None` where it finds by itself where history ends.
    ///
    /// # Errors
    ///
    /// The mirror cannot be read or written.
    pub fn cuts(&self) -> Result<Option<(&'static str, String)>, Error> {
        let Some(alone) = fsx::read_opt(&self.mirror.join(ALONE))? else { return Ok(None) };
        let shallow = fsx::read_opt(&self.mirror.join("shallow"))?.unwrap_or_default();
        let path = self.mirror.join(CUTS);
        fsx::write_atomic(&path, &[shallow, alone].concat())?;
        Ok(Some(("GIT_SHALLOW_FILE", path.display().to_string())))
    }

    /// Joins packs where there are many. git2 looks again where a pack is gone that it knew.
    pub(super) fn tidy(&self, git: &git2::Repository) -> Result<(), Error> {
        let packs = fsx::list(&git.path().join("objects/pack"))?;
        if packs.iter().filter(|entry| entry.name.to_string_lossy().ends_with(".pack")).count() > MANY_PACKS {
            // Nothing is lost where it fails: the packs stay, and the next look tries again.
            self.git().run(&["repack", "-a", "-d", "-q"])?;
        }
        Ok(())
    }
}

/// Whether the trees at the top of this commit were brought: the first two levels, of those that lead on.
pub(super) fn top_is_here(git: &git2::Repository, tip: Oid) -> bool {
    let top = || {
        let tree = git.find_commit(tip)?.tree()?;
        let below: Vec<_> =
            tree.iter().filter(|entry| entry.kind() == Some(git2::ObjectType::Tree)).map(|entry| entry.id()).collect();
        below.into_iter().try_for_each(|id| git.find_tree(id).map(|_| ()))
    };
    top().is_ok()
}

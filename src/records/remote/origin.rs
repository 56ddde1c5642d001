//! The remote: looking at the tip of a branch, at other commits, at what a name means there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use git2::Oid;

use super::git::{Git, Said};
use super::mirror::top_is_here;
use super::objects::missing;
use super::{Depth, RemoteError};
use crate::fsx;
use crate::model::{RepositoryUrl, Sha256};
use crate::records::error::{Context as _, Doing, Error};
use crate::records::repository::{head_of, optional_tip};

/// The branch of a remote that has no commit yet and says of none that it is the one.
pub(super) const FIRST_BRANCH: &str = "main";

/// The depth that git takes for all of it.
const EVERYTHING: &str = "--depth=2147483647";

/// What a server says that knows no filters.
const NO_FILTER: &str = "filtering not recognized by server";

/// A remote, its mirror, and what was seen of it. One operation looks once.
#[derive(Debug)]
pub struct Origin {
    pub(super) url: RepositoryUrl,
    pub(super) mirror: PathBuf,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) process: String,
    may_fetch: bool,
    seen: Mutex<Option<(Instant, Seen)>>,
}

/// What a look at a remote showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Why it could not be reached; the mirror is as it was.
    pub offline: Option<String>,
    /// Whether it sends everything, since it knows no filters.
    pub unfiltered: bool,
}

impl Origin {
    /// The remote at `url`, mirrored below the directory `cache`. `environment` is what `git` is run with; `process` is what
    /// others read who wait for us.
    pub fn new(url: RepositoryUrl, cache: &Path, environment: BTreeMap<String, String>, process: String) -> Self {
        let name: String = Sha256::of(url.as_str().as_bytes()).to_string().chars().take(16).collect();
        let mirror = cache.join(format!("{name}.git"));
        Self { url, mirror, environment, process, may_fetch: true, seen: Mutex::default() }
    }

    /// The same, which never asks the remote for anything.
    #[must_use]
    pub fn as_it_is(&self) -> Self {
        let (url, mirror, environment) = (self.url.clone(), self.mirror.clone(), self.environment.clone());
        Self { url, mirror, environment, process: self.process.clone(), may_fetch: false, seen: Mutex::default() }
    }

    /// The URL.
    pub fn url(&self) -> &RepositoryUrl {
        &self.url
    }

    /// The directory of the mirror, which may not be there yet.
    pub fn mirror(&self) -> &Path {
        &self.mirror
    }

    /// What the last look showed.
    pub fn seen(&self) -> Seen {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|(_, seen)| seen.clone())
            .unwrap_or_default()
    }

    /// The next look is a new one: the remote has moved.
    pub(super) fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn git(&self) -> Git<'_> {
        Git { top: &self.mirror, dir: &self.mirror, environment: &self.environment }
    }

    pub(super) fn unreachable(&self, said: &Said) -> RemoteError {
        RemoteError::Unreachable { url: self.url.to_string(), reason: said.reason() }
    }

    pub(super) fn not_sent(&self, object: &str, said: &Said) -> RemoteError {
        RemoteError::NotSent { url: self.url.to_string(), object: object.to_owned(), reason: said.reason() }
    }

    /// Refuses what needs the remote where it could not be reached before, or is not to be asked.
    pub(in crate::records) fn require_online(&self) -> Result<(), RemoteError> {
        if !self.may_fetch {
            return Err(RemoteError::NotFetched { url: self.url.to_string() });
        }
        match self.seen().offline {
            None => Ok(()),
            Some(reason) => Err(RemoteError::Unreachable { url: self.url.to_string(), reason }),
        }
    }

    /// Looks at the branch, unless that was done after `since`: afterwards the mirror is there and its branch where the
    /// remote's is. Where the remote cannot be reached, the mirror stays as it is; [`Origin::seen`] says so.
    ///
    /// # Errors
    ///
    /// The remote cannot be reached and nothing of the branch is here; it has no such branch.
    pub(in crate::records) fn look(&self, branch: Option<&str>, since: Instant) -> Result<(), Error> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.as_ref().is_some_and(|(at, _)| *at >= since) {
            return Ok(());
        }
        if !self.may_fetch {
            return match fsx::inspect(&self.mirror)? {
                Some(_) => Ok(()),
                None => Err(RemoteError::NotFetched { url: self.url.to_string() }.into()),
            };
        }
        let _lock = self.lock()?;
        let git = self.open()?;
        let at = Instant::now();
        let fetched = match self.is_damaged()? {
            true => self.made_anew(branch),
            false => self.fetch_new(&git, branch),
        };
        let git = self.open()?;
        let known = || -> Result<bool, Error> {
            let branch = branch.map(str::to_owned).map_or_else(|| self.default_of(&git), |branch| Ok(Some(branch)))?;
            Ok(branch.map(|branch| optional_tip(&git, &branch)).transpose()?.flatten().is_some())
        };
        let now = match fetched {
            Ok(now) => now,
            Err(Error::Remote(RemoteError::Unreachable { reason, .. })) if known()? => {
                Seen { offline: Some(reason), unfiltered: false }
            }
            Err(error) => return Err(error),
        };
        self.tidy(&git)?;
        *seen = Some((at, now));
        Ok(())
    }

    /// Looks at the branch once more, since others moved it.
    pub(super) fn look_again(&self, git: &git2::Repository, branch: &str) -> Result<(), Error> {
        let _lock = self.lock()?;
        self.fetch_new(git, Some(branch)).map(|_| ())
    }

    /// Brings the commits since the last look, with what they changed near the top where all of that was read before: it is
    /// little, and spares who reads on a round trip for each level. A server's deltas may all the same stand on what was
    /// never brought; then it is done the slow way. Where that is no way either, though the remote answers, something here
    /// stands in it: a lock of a git that was killed, or damage.
    fn fetch_new(&self, git: &git2::Repository, branch: Option<&str>) -> Result<Seen, Error> {
        let name = branch.map(str::to_owned).map_or_else(|| self.default_of(git), |branch| Ok(Some(branch)))?;
        let tip = name.map(|name| optional_tip(git, &name)).transpose()?.flatten();
        let depth = if tip.is_some_and(|tip| top_is_here(git, tip)) { Depth::Top } else { Depth::None };
        let failed = match self.fetch_branch(git, branch, depth) {
            Err(Error::Remote(error @ RemoteError::Unreachable { .. })) => error,
            done => return done,
        };
        if failed.is_away() || !self.answers()? {
            return Err(failed.into());
        }
        let slowly = if depth == Depth::Top { self.fetch_branch(git, branch, Depth::None).ok() } else { None };
        slowly.map_or_else(|| self.made_anew(branch).or(Err(failed.into())), Ok)
    }

    /// Whether the remote answers at all.
    fn answers(&self) -> Result<bool, Error> {
        Ok(self.git().run(&["ls-remote", self.url.as_str(), "HEAD"])?.done)
    }

    /// The branch that the mirror's HEAD names, once it is known which it is.
    fn default_of(&self, git: &git2::Repository) -> Result<Option<String>, Error> {
        let head = head_of(git).during(Doing::Read, &self.mirror)?;
        Ok(head.and_then(|head| head.strip_prefix("refs/heads/").map(str::to_owned)))
    }

    /// Brings the commits of the branch, or of the one that the remote's HEAD names.
    pub(super) fn fetch_branch(
        &self,
        git: &git2::Repository,
        branch: Option<&str>,
        depth: Depth,
    ) -> Result<Seen, Error> {
        let (branch, asked) = match branch {
            Some(branch) => (branch.to_owned(), true),
            None => match self.default_of(git)?.filter(|_| !git.is_empty().unwrap_or(true)) {
                Some(branch) => (branch, false),
                None => (self.ask_default(git)?, true),
            },
        };
        let spec = format!("+refs/heads/{branch}:refs/heads/{branch}");
        let filter = depth.filter();
        let mut args = vec!["fetch", "--no-tags", "--no-write-fetch-head", &filter];
        if no_branches(git).during(Doing::Read, &self.mirror)? {
            args.push("--depth=1");
        }
        args.extend(["origin", spec.as_str()]);
        let said = self.git().run(&args)?;
        if said.done {
            return Ok(Seen { offline: None, unfiltered: said.has(&[NO_FILTER]) });
        }
        if !said.has(&["couldn't find remote ref"]) {
            return Err(self.unreachable(&said).into());
        }
        match asked {
            // Another branch is the default by now.
            false => {
                let branch = self.ask_default(git)?;
                self.fetch_branch(git, Some(&branch), depth)
            }
            true => match self.branches()? {
                all if all.is_empty() => Ok(Seen::default()),
                // Somebody has made it meanwhile.
                all if all.contains(&branch) => self.fetch_branch(git, Some(&branch), depth),
                _ => Err(RemoteError::NoBranch { url: self.url.to_string(), branch }.into()),
            },
        }
    }

    /// Asks which branch the remote's HEAD names, and keeps the answer in the mirror's HEAD.
    fn ask_default(&self, git: &git2::Repository) -> Result<String, Error> {
        let said = self.git().run(&["ls-remote", "--symref", "origin", "HEAD"])?;
        if !said.done {
            return Err(self.unreachable(&said).into());
        }
        let named = said.text.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"));
        let branch = named.unwrap_or(FIRST_BRANCH).to_owned();
        git.set_head(&format!("refs/heads/{branch}")).during(Doing::Commit, &self.mirror)?;
        Ok(branch)
    }

    fn branches(&self) -> Result<Vec<String>, Error> {
        let said = self.git().run(&["ls-remote", "--heads", "origin"])?;
        if !said.done {
            return Err(self.unreachable(&said).into());
        }
        let names = said.text.lines().filter_map(|line| line.split_once("\trefs/heads/"));
        Ok(names.map(|(_, name)| name.to_owned()).collect())
    }

    /// Whether the remote has this branch; brings its commits where it has.
    pub(in crate::records) fn has_branch(&self, git: &git2::Repository, branch: &str) -> Result<bool, Error> {
        let _lock = self.lock()?;
        match self.fetch_branch(git, Some(branch), Depth::None) {
            Ok(_) => Ok(optional_tip(git, branch)?.is_some()),
            Err(Error::Remote(RemoteError::NoBranch { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What a revision means at the remote, as something the mirror can tell: a full id is brought where it is missing, a
    /// branch or tag is asked for. What is neither is left as it is, and so is everything where the remote cannot be reached
    /// and the mirror knows it.
    ///
    /// # Errors
    ///
    /// The remote has nothing of this name, or cannot be reached and nothing of the name is here.
    pub(in crate::records) fn revision(&self, git: &git2::Repository, revision: &str) -> Result<String, Error> {
        let known = |name: &str| git.revparse_single(name).is_ok();
        let full = revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
        let plain = git2::Reference::is_valid_name(&format!("refs/heads/{revision}"));
        let is_read = self.default_of(git)?.as_deref() == Some(revision) || revision == "HEAD";
        if !self.may_fetch || full && known(revision) || is_read || !full && !plain {
            return Ok(revision.to_owned());
        }
        let id = if full {
            revision.to_owned()
        } else {
            let named = self.require_online().map_err(Error::from).and_then(|()| self.ask(revision));
            match named {
                Ok(Some(id)) => id,
                // A short id, or nothing.
                Ok(None) if known(revision) => return Ok(revision.to_owned()),
                Ok(None) => {
                    return Err(
                        RemoteError::NoRevision { url: self.url.to_string(), revision: revision.to_owned() }.into()
                    );
                }
                Err(Error::Remote(RemoteError::Unreachable { .. })) if known(revision) => {
                    return Ok(revision.to_owned());
                }
                Err(error) => return Err(error),
            }
        };
        if !known(&id) {
            self.bring_commit(git, &id, revision)?;
        }
        Ok(id)
    }

    /// The commit that a tag or a branch of this name leads to.
    fn ask(&self, name: &str) -> Result<Option<String>, Error> {
        let [tag, branch] = [format!("refs/tags/{name}"), format!("refs/heads/{name}")];
        let peeled = format!("{tag}^{{}}");
        let said = self.git().run(&["ls-remote", "origin", &tag, &peeled, &branch])?;
        if !said.done {
            return Err(self.unreachable(&said).into());
        }
        let lines: Vec<_> = said.text.lines().filter_map(|line| line.split_once('\t')).collect();
        let found =
            [&peeled, &tag, &branch].into_iter().find_map(|wanted| lines.iter().find(|(_, name)| name == wanted));
        Ok(found.map(|(id, _)| (*id).to_owned()))
    }

    /// Brings one commit without its ancestors. git notes where it cut; that is taken back, since what leads to this commit
    /// later shall come with all between, and is noted for pushes ([`Origin::cuts`]).
    fn bring_commit(&self, git: &git2::Repository, id: &str, revision: &str) -> Result<(), Error> {
        self.require_online()?;
        let _lock = self.lock()?;
        let cuts = self.mirror.join("shallow");
        let before = fsx::read_opt(&cuts)?;
        let filter = Depth::None.filter();
        let said =
            self.git().run(&["fetch", "--no-tags", "--no-write-fetch-head", "--depth=1", &filter, "origin", id])?;
        match before {
            Some(bytes) => fsx::write_atomic(&cuts, &bytes)?,
            None => drop(fsx::remove_file_opt(&cuts)?),
        }
        let id = Oid::from_str(id).during(Doing::Read, &self.mirror)?;
        if missing(git, &[id])?.is_empty() {
            return self.note_alone(id);
        }
        if said.has(&["unadvertised object"]) {
            return Err(self.not_sent(&id.to_string(), &said).into());
        }
        match said.done || said.has(&["not our ref", "no such remote ref"]) {
            true => Err(RemoteError::NoRevision { url: self.url.to_string(), revision: revision.to_owned() }.into()),
            false => Err(self.unreachable(&said).into()),
        }
    }

    /// Brings all commits behind these branches.
    ///
    /// # Errors
    ///
    /// The remote cannot be reached.
    pub fn deepen(&self, branches: &[&str]) -> Result<(), Error> {
        self.require_online()?;
        let _lock = self.lock()?;
        let filter = Depth::None.filter();
        let specs: Vec<_> = branches.iter().map(|branch| format!("refs/heads/{branch}")).collect();
        let mut args = vec!["fetch", "--no-tags", "--no-write-fetch-head", EVERYTHING, &filter, "origin"];
        args.extend(specs.iter().map(String::as_str));
        match self.git().run(&args)? {
            said if said.done => Ok(()),
            said => Err(self.unreachable(&said).into()),
        }
    }
}

fn no_branches(git: &git2::Repository) -> Result<bool, git2::Error> {
    Ok(git.references_glob("refs/heads/*")?.next().is_none())
}

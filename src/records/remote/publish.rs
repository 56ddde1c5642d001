//! A commit on the remote's tip.
//!
//! ```text
//! 1  look      the branch as it is at the remote
//! 2  commit    objects in the mirror, on that tip; no reference moves
//! 3  push      git push <url> <commit>:refs/heads/<branch>, never forced: the remote compares and swaps, the commit point
//! 4  again     where others were faster: from 1, after a random pause
//! ```

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

use git2::{Oid, Signature};

use super::RemoteError;
use super::git::Git;
use super::origin::Origin;
use crate::records::change::Change;
use crate::records::checkout::short;
use crate::records::commit::Committed;
use crate::records::error::{Context as _, Doing, Error};
use crate::records::repository::{Repository, tip};

/// How often a commit is made anew. Each time somebody else got on.
const TRIES: u32 = 200;

/// The least and the greatest ceiling of the pause before it is made anew.
const CEILINGS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(10));

/// How often the ceiling doubles.
const DOUBLINGS: u32 = 3;

/// What became of a push.
enum Pushed {
    Done,
    /// Others were faster, or are at it.
    Lost,
}

impl Repository {
    /// Puts a change on the remote's branch.
    pub(in crate::records) fn commit_to(
        &self,
        origin: &Origin,
        change: &Change,
        who: &Signature<'_>,
        reference: &str,
    ) -> Result<Committed, Error> {
        origin.require_online()?;
        let branch = short(reference);
        let mut round = Duration::ZERO;
        for tries in 0..TRIES {
            if tries > 0 {
                std::thread::sleep(pause(tries, round));
            }
            let began = Instant::now();
            if tries > 0 {
                origin.look_again(&self.git, &branch)?;
            }
            let at = tip(&self.git, reference).during(Doing::Read, self.root())?;
            let parent = at.map_or_else(|| self.tip_id(), |at| Ok(Some(at)))?;
            let base = self.base(parent)?;
            let pending = self.pending(change, parent, &base)?;
            if let (true, Some(tip)) = (pending.is_empty(), parent) {
                return Ok(Committed { commit: tip.to_string(), branch, is_new: false, work_trees: Vec::new() });
            }
            let commit = self.object(change, who, parent, &base, &pending)?;
            let spec = format!("{commit}:{reference}");
            match push(&origin.git(), origin.url().as_str(), &spec, &branch, origin.cuts()?)? {
                Pushed::Lost => round = began.elapsed(),
                Pushed::Done => {
                    origin.forget();
                    return Ok(Committed { commit: commit.to_string(), branch, is_new: true, work_trees: Vec::new() });
                }
            }
        }
        Err(RemoteError::Contended { url: origin.url().to_string(), branch, tries: TRIES }.into())
    }

    /// Pushes a commit of a repository on this machine to the remote of its branch.
    ///
    /// # Errors
    ///
    /// There is no remote; it cannot be reached, or does not take the commit. The commit stands.
    pub fn push(&self, committed: &Committed) -> Result<String, Error> {
        let remote = self.require_remote()?;
        let spec = format!("{}:refs/heads/{}", committed.commit, committed.branch);
        let git = self.user_git();
        let (branch, commit) = (committed.branch.clone(), committed.commit.clone());
        match push(&git, &remote, &spec, &branch, None) {
            Ok(Pushed::Done) => Ok(remote),
            Ok(Pushed::Lost) => {
                Err(RemoteError::Behind { remote, branch, commit, path: self.root().to_owned() }.into())
            }
            Err(RemoteError::Unreachable { reason, .. } | RemoteError::Refused { reason, .. }) => {
                Err(RemoteError::NotPushed { remote, branch, commit, reason }.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The user's `git` program in this repository.
    pub fn user_git(&self) -> Git<'_> {
        Git { top: self.root(), dir: self.git.path(), environment: &self.environment }
    }

    /// The name of the remote that [`Repository::push`] pushes to.
    ///
    /// # Errors
    ///
    /// [`RemoteError::NoRemote`].
    pub fn require_remote(&self) -> Result<String, Error> {
        let remote = self.remote()?.map(|remote| remote.name);
        remote.ok_or_else(|| RemoteError::NoRemote { path: self.root().to_owned() }.into())
    }
}

/// Pushes; `to` is a URL or the name of a remote, `cuts` what [`Origin::cuts`] gave.
fn push(
    git: &Git<'_>,
    to: &str,
    spec: &str,
    branch: &str,
    cuts: Option<(&str, String)>,
) -> Result<Pushed, RemoteError> {
    let args = ["-c", "push.followTags=false", "push", "--porcelain", "--recurse-submodules=no", to, spec];
    let said = git.push(&args, cuts)?;
    match said.refused() {
        None if said.done => Ok(Pushed::Done),
        Some(_) if said.is_lost() => Ok(Pushed::Lost),
        None => Err(RemoteError::Unreachable { url: to.to_owned(), reason: said.reason() }),
        Some(_) => Err(RemoteError::Refused { url: to.to_owned(), branch: branch.to_owned(), reason: said.reason() }),
    }
}

/// A random pause before what others were faster at is tried for the `tries`th time again. `round` is how long it took to lose:
/// so long the branch has to hold still for a try to succeed, whatever the server and the way to it are. The ceiling doubles
/// with every loss, until about as many are at it at once as there is room for. Source: "full jitter", M. Brooker, Exponential
/// Backoff And Jitter, 2015.
pub fn pause(tries: u32, round: Duration) -> Duration {
    let doubled = round.saturating_mul(1 << tries.saturating_sub(1).min(DOUBLINGS));
    let ceiling = doubled.clamp(CEILINGS.0, CEILINGS.1);
    let random = RandomState::new().build_hasher().finish();
    ceiling.mul_f64((random >> 32) as f64 / f64::from(u32::MAX))
}

/// A commit that the user's git signs, as `commit.gpgsign` asks: libgit2 signs nothing. `git commit-tree` takes the key, the
/// format (`gpg.format`) and the program from the user's configuration.
pub(in crate::records) fn signed(
    git: &Git<'_>,
    who: &Signature<'_>,
    message: &str,
    tree: Oid,
    parent: Option<Oid>,
) -> Result<Oid, RemoteError> {
    let (tree, parent) = (tree.to_string(), parent.map(|id| id.to_string()));
    let message = message.trim_end();
    let mut args = vec!["commit-tree", "-S", "-m", message];
    args.extend(parent.iter().flat_map(|id| ["-p", id.as_str()]));
    args.push(&tree);
    let (name, email) = (String::from_utf8_lossy(who.name_bytes()), String::from_utf8_lossy(who.email_bytes()));
    let date = format!("{} +0000", who.when().seconds());
    let said = git.run_with(
        &args,
        [
            ("GIT_AUTHOR_NAME", name.to_string()),
            ("GIT_AUTHOR_EMAIL", email.to_string()),
            ("GIT_AUTHOR_DATE", date.clone()),
            ("GIT_COMMITTER_NAME", name.to_string()),
            ("GIT_COMMITTER_EMAIL", email.to_string()),
            ("GIT_COMMITTER_DATE", date),
        ],
    )?;
    let id = said.text.lines().rev().find(|line| line.len() == 40).and_then(|line| Oid::from_str(line).ok());
    id.filter(|_| said.done).ok_or_else(|| RemoteError::Unsigned { reason: said.reason() })
}

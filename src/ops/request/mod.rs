//! `--pr`: a change goes to a branch of the remote, made anew from the tip of the branch it is for, and a
//! request to merge it is opened, or brought up to date.
//!
//! ```text
//! remote's base ── fetch ──▶ read as of there ── change ──▶ one commit ── push, with a lease ──▶ branch ── settle ──▶ request
//! ```
//!
//! Everything is told from git's content and the open requests, nothing is kept: the branch's name follows from the
//! change; where the base holds the change nothing is done, and where the branch holds it on this base nothing is pushed.

mod branch;
mod describe;
mod error;
mod git;

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

pub(super) use branch::Scope;
pub(super) use describe::About;
pub use describe::markdown;
pub use error::{Doing, RequestError};
use git::{Push, Remote};

use super::{Error, Site};
use crate::config::ForgeKind;
use crate::forge::{self, Ends, Hosting, State, Text, Token};
use crate::model::{ComponentType, Version};
use crate::records::{Change, Published, Repository, is_branch_name, pause};

/// How often a push is tried again that others were faster than.
const ATTEMPTS: u32 = 10;

/// Where a change goes instead of the branch of the repository: a request to merge it shall be open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// The branch of the remote; one that follows from the change where none is given.
    pub branch: Option<String>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    /// It was opened.
    Opened,
    /// It was open, and has other words or another commit now.
    Updated,
    /// It was open and is as it was.
    Unchanged,
    /// Nobody here can open it: the URL is the page where a person can.
    ByHand,
}

impl From<State> for RequestState {
    fn from(state: State) -> Self {
        match state {
            State::Opened => RequestState::Opened,
            State::Updated => RequestState::Updated,
            State::Unchanged => RequestState::Unchanged,
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Requested {
    /// Its page; absent where it is not known.
    pub url: Option<String>,
    /// Its number; absent where it is not known.
    pub number: Option<u64>,
    /// What became of it, or would.
    pub state: RequestState,
}

/// What became of a proposal, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposed {
    /// The remote.
    pub remote: String,
    /// The branch of the remote that the change is for.
    pub base: String,
    /// Whether the branch was pushed; it was not where it held the change.
    pub pushed: bool,
    /// The request, where one was asked for and there is something to merge.
    pub request: Option<Requested>,
    /// The variables that a token would be taken from, where none was found.
    #[serde(skip)]
    pub token_variables: Vec<&'static str>,
}

/// Where proposals are made.
pub(super) struct Desk {
    /// The site, read as of the tip of the base.
    pub site: Site,
    proposal: Proposal,
    remote: Remote,
    base: String,
    hosting: Option<Hosting>,
    token: Option<Token>,
    dry_run: bool,
}

impl Desk {
    /// The desk where `site` asks for a proposal; brings what the base has. A dry run takes it as it was fetched last.
    ///
    /// # Errors
    ///
    /// No remote, no such branch there, a forge that is badly configured.
    pub fn of(site: &Site, dry_run: bool) -> Result<Option<Self>, Error> {
        let Some(proposal) = site.proposal.clone() else { return Ok(None) };
        let wanted = site.config.records.remote.clone();
        let no_remote = || RequestError::NoRemote { repository: site.repository.clone(), name: wanted.clone() };
        if site.own_repository && !site.has_repository()? {
            return Err(no_remote().into());
        }
        let branch = site.config.records.branch.clone();
        // A mirror is looked at once, at the branch it is about.
        let looked = branch.as_deref().filter(|_| site.origin.is_some());
        let repository = site.repository_of(looked)?;
        let (name, url) = match &site.origin {
            Some(origin) => (origin.url().to_string(), origin.url().to_string()),
            None => repository.remote_url(wanted.as_deref())?.ok_or_else(no_remote)?,
        };
        let settings = site.config.records.forge.as_ref();
        let hosting = forge::hosting(&url, settings).map_err(RequestError::from)?;
        let configured = settings.and_then(|settings| settings.token.as_ref());
        let token = hosting.as_ref().and_then(|hosting| Token::find(hosting, configured, &site.ambient));
        let remote = Remote::new(&repository, name);
        let base = match branch {
            Some(branch) => branch,
            None if site.origin.is_some() => repository.target_branch()?,
            None => remote.head()?.ok_or_else(|| RequestError::NoHead { remote: remote.name.clone() })?,
        };
        let commit = match site.origin {
            Some(_) => mirrored(&repository, &remote, &base, dry_run)?,
            None => bring(&repository, &remote, &base, dry_run)?,
        };
        let site = Site { base: Some(commit), ..site.clone() };
        Ok(Some(Self { site, proposal, remote, base, hosting, token, dry_run }))
    }

    /// The branch for a change of `scope` that has these parts: `deploy-tool/prod/model-1.0.1`.
    ///
    /// # Errors
    ///
    /// The branch that was asked for is the base, or git does not take its name.
    pub fn branch(&self, scope: &Scope<'_>, moves: &BTreeMap<ComponentType, Option<Version>>) -> Result<String, Error> {
        let branch = self.proposal.branch.clone().unwrap_or_else(|| scope.branch(moves));
        if !is_branch_name(&branch) {
            return Err(crate::records::Error::BranchName { branch }.into());
        }
        match branch == self.base {
            true => Err(RequestError::SameBranch { branch }.into()),
            false => Ok(branch),
        }
    }

    /// A version as an earlier proposal on `branch` has it; nothing where it cannot be read.
    pub fn proposed(&self, branch: &str, kind: &ComponentType, version: &Version) -> Result<Option<Published>, Error> {
        let repository = self.site.repository()?;
        let Some(tip) = self.remote.tip(branch)? else { return Ok(None) };
        if !self.dry_run {
            self.has(&repository, &tip, branch)?;
        }
        let Ok(snapshot) = repository.snapshot(Some(&tip)) else { return Ok(None) };
        Ok(snapshot.get(kind, version).ok().flatten())
    }

    /// Puts a change on `branch` and sees to its request. Also says which commit holds it: `None` where the base does.
    ///
    /// # Errors
    ///
    /// Commits of others on the branch; git or the forge do not do it. What was pushed stays then, and the next run goes on
    /// from there.
    pub fn propose(
        &self,
        change: &Change,
        branch: &str,
        about: About<'_>,
    ) -> Result<(Option<String>, Proposed), Error> {
        let repository = self.site.repository()?;
        let nothing = self.outcome(false, None);
        let Some(made) = repository.propose(change, &self.site.author(), branch)? else { return Ok((None, nothing)) };
        let text = describe::describe(&self.site, &repository, &made, about)?;
        let mut began = Instant::now();
        for tries in 0..ATTEMPTS {
            if tries > 0 {
                std::thread::sleep(pause(tries, began.elapsed()));
                began = Instant::now();
            }
            let there = self.remote.tip(branch)?;
            if let Some(there) = &there {
                if !self.has(&repository, there, branch)? {
                    continue;
                }
                if repository.same_proposal(there, &made)? {
                    let request = self.request(branch, &text, None)?;
                    return Ok((Some(there.clone()), self.outcome(false, Some(request))));
                }
                self.require_own(&repository, there, branch)?;
            }
            if let Some(said) = self.push(&made, branch, there.as_deref(), &text)? {
                let request = self.request(branch, &text, Some(&said))?;
                return Ok((Some(made), self.outcome(true, Some(request))));
            }
        }
        Err(RequestError::Contended { branch: branch.to_owned() }.into())
    }

    /// What a proposal would do, as far as one can tell without making it.
    ///
    /// # Errors
    ///
    /// The forge cannot be asked.
    pub fn plan(&self, branch: &str) -> Result<Proposed, Error> {
        let request = match (&self.hosting, &self.token) {
            (Some(hosting), Some(token)) => {
                let ends = Ends { head: branch, base: &self.base };
                let forge = hosting.connect(token.clone(), &self.site.ambient).map_err(RequestError::from)?;
                let found = forge.find(ends).map_err(RequestError::from)?;
                let state = if found.is_some() { RequestState::Updated } else { RequestState::Opened };
                let number = found.as_ref().map(|found| found.number);
                Requested { number, url: found.map(|found| found.url), state }
            }
            _ => self.by_hand(branch, ""),
        };
        Ok(self.outcome(false, Some(request)))
    }

    /// Whether a commit of `branch` is here, once it was fetched.
    fn has(&self, repository: &Repository, commit: &str, branch: &str) -> Result<bool, Error> {
        if repository.has_commit(commit)? {
            return Ok(true);
        }
        if self.site.origin.is_some() {
            return Ok(false);
        }
        self.remote.fetch(branch)?;
        Ok(repository.has_commit(commit)?)
    }

    /// Refuses a branch that has commits of others.
    fn require_own(&self, repository: &Repository, there: &str, branch: &str) -> Result<(), Error> {
        let mut foreign = repository.foreign(there, branch)?;
        if foreign.is_some() && repository.is_shallow() {
            // What the branch stands on may be older than what is here: then it looks like work of others.
            match &self.site.origin {
                Some(origin) => origin.deepen(&[&self.base, branch])?,
                None => self.remote.deepen(&self.base)?,
            }
            foreign = self.site.repository()?.foreign(there, branch)?;
        }
        match foreign {
            Some(commit) => Err(RequestError::Taken { branch: branch.to_owned(), commit }.into()),
            None => Ok(()),
        }
    }

    /// What the remote said, or `None` where somebody was faster.
    fn push(&self, made: &str, branch: &str, there: Option<&str>, text: &Text) -> Result<Option<String>, Error> {
        let options = self.options(text);
        let cuts = self.site.origin.as_ref().map(|origin| origin.cuts()).transpose()?.flatten();
        let push = |options: &[String]| self.remote.push(made, branch, there, options, cuts.clone());
        let pushed = match push(&options)? {
            Push::NoOptions => push(&[])?,
            other => other,
        };
        Ok(match pushed {
            Push::Done(said) => Some(said),
            Push::Lost | Push::NoOptions => None,
        })
    }

    /// The options by which GitLab opens a request without a token.
    fn options(&self, text: &Text) -> Vec<String> {
        let is_gitlab = self.hosting.as_ref().is_some_and(|hosting| hosting.kind == ForgeKind::GitLab);
        if !is_gitlab || self.token.is_some() {
            return Vec::new();
        }
        let title = format!("merge_request.title={}", text.title);
        vec!["merge_request.create".to_owned(), format!("merge_request.target={}", self.base), title]
    }

    fn request(&self, branch: &str, text: &Text, pushed: Option<&str>) -> Result<Requested, Error> {
        let (Some(hosting), Some(token)) = (&self.hosting, &self.token) else {
            return Ok(self.by_hand(branch, pushed.unwrap_or_default()));
        };
        let forge = hosting.connect(token.clone(), &self.site.ambient).map_err(RequestError::from)?;
        let ends = Ends { head: branch, base: &self.base };
        let settled = forge::settle(forge.as_ref(), ends, text).map_err(RequestError::from)?;
        let state = match settled.state {
            // Its commit is another one.
            State::Unchanged if pushed.is_some() => RequestState::Updated,
            state => state.into(),
        };
        Ok(Requested { url: Some(settled.request.url), number: Some(settled.request.number), state })
    }

    /// A request that nobody here can open, by what the remote said to the push: GitLab may have opened it, others name the
    /// page for it.
    fn by_hand(&self, branch: &str, said: &str) -> Requested {
        let urls = said.lines().filter_map(|line| line.strip_prefix("remote:")).filter_map(|line| {
            line.split_whitespace().find(|word| word.starts_with("https://") || word.starts_with("http://"))
        });
        let urls: Vec<&str> = urls.collect();
        let number = |url: &str| url.rsplit_once("/merge_requests/")?.1.parse().ok();
        if let Some((url, number)) = urls.iter().find_map(|url| Some((*url, number(url)?))) {
            return Requested { url: Some(url.to_owned()), number: Some(number), state: RequestState::Opened };
        }
        let page = self.hosting.as_ref().and_then(|hosting| hosting.by_hand(branch, &self.base));
        let url = page.or_else(|| urls.first().map(|url| (*url).to_owned()));
        Requested { url, number: None, state: RequestState::ByHand }
    }

    fn outcome(&self, pushed: bool, request: Option<Requested>) -> Proposed {
        let missing = self.token.is_none() && request.as_ref().is_some_and(|r| r.state == RequestState::ByHand);
        let variables = self.hosting.iter().filter(|_| missing).flat_map(Hosting::variables).collect();
        let (remote, base) = (self.remote.name.clone(), self.base.clone());
        Proposed { remote, base, pushed, request, token_variables: variables }
    }
}

/// The commit at the tip of the base, of a mirror that was looked at.
fn mirrored(repository: &Repository, remote: &Remote, base: &str, dry_run: bool) -> Result<String, Error> {
    if !dry_run {
        repository.require_target()?;
    }
    let no_base = || RequestError::NoBase { remote: remote.name.clone(), branch: base.to_owned() };
    Ok(repository.tip()?.ok_or_else(no_base)?)
}

/// The commit at the tip of the base, and it is here.
fn bring(repository: &Repository, remote: &Remote, base: &str, dry_run: bool) -> Result<String, Error> {
    let no_base = || RequestError::NoBase { remote: remote.name.clone(), branch: base.to_owned() };
    let mut began = Instant::now();
    for tries in 0..ATTEMPTS {
        if tries > 0 {
            std::thread::sleep(pause(tries, began.elapsed()));
            began = Instant::now();
        }
        let tip = remote.tip(base)?.ok_or_else(no_base)?;
        if repository.has_commit(&tip)? {
            return Ok(tip);
        }
        if dry_run {
            let known = repository.snapshot(Some(&format!("refs/remotes/{}/{base}", remote.name)));
            let known = known.ok().and_then(|snapshot| snapshot.commit_id().map(str::to_owned));
            let not = || RequestError::NotFetched { remote: remote.name.clone(), branch: base.to_owned() };
            return Ok(known.ok_or_else(not)?);
        }
        remote.fetch(base)?;
    }
    Err(RequestError::Contended { branch: base.to_owned() }.into())
}

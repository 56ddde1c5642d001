//! That branches and environments do not go back: what a root has seen of them, against what they are now.
//!
//! A commit's signature, date and author say nothing of whether it is the newest. So a root remembers the tip of each branch
//! that it looked at and the serial number of each environment; a new tip has to descend from that one, and a serial number
//! never falls. Whoever has rewritten a branch on purpose names both commits. The first look trusts. A commit that is named
//! (`--at`) and a rollback are somebody's own decision and are neither compared nor remembered.

use super::Distrust;
use crate::deploy::{Root, Seen};
use crate::fsx;
use crate::model::EnvironmentName;
use crate::ops::{Error, Site, record};
use crate::records::Repository;

/// A rewrite of a branch that is known and accepted: commits by their first digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// The commit that the root has seen.
    pub old: String,
    /// The commit that the branch is at now.
    pub new: String,
}

/// Fewer digits name no commit for certain.
const MIN_DIGITS: usize = 7;

impl std::str::FromStr for Rewrite {
    type Err = String;

    /// Reads `OLD..NEW`.
    fn from_str(text: &str) -> Result<Self, String> {
        let good = |commit: &&str| {
            commit.len() >= MIN_DIGITS && commit.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let pair = text.split_once("..").filter(|(old, new)| good(old) && good(new));
        let (old, new) = pair.ok_or_else(|| format!("OLD..NEW: {MIN_DIGITS} {text}"))?;
        Ok(Self { old: old.to_owned(), new: new.to_owned() })
    }
}

/// The tip of a branch, and the environment that was read there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ops) struct Tip {
    /// The repository and branch.
    pub branch: String,
    /// The commit.
    pub commit: String,
    /// The environment and its serial number.
    pub environment: Option<(EnvironmentName, u64)>,
}

impl Tip {
    /// What a root knows when it has seen this as well.
    fn after(&self, mut seen: Seen) -> Seen {
        let branch = seen.branches.entry(self.branch.clone()).or_default();
        branch.tip.clone_from(&self.commit);
        if let Some((name, serial)) = &self.environment {
            branch.serials.insert(name.clone(), *serial);
        }
        seen
    }

    /// Whether this comes after what was seen, and what was seen then.
    fn follows(&self, site: &Site, repository: &Repository, mut seen: Seen) -> Result<Seen, Error> {
        let known = seen.branches.get(&self.branch);
        let old = known.map(|branch| branch.tip.as_str());
        if let Some(rewrite) = &site.accept_rewrite {
            if !old.is_some_and(|old| old.starts_with(&rewrite.old)) || !self.commit.starts_with(&rewrite.new) {
                let (branch, old, new) = (self.branch.clone(), old.map(str::to_owned), self.commit.clone());
                return Err(Distrust::OtherRewrite { branch, old, new }.into());
            }
            seen.branches.remove(&self.branch);
            return Ok(self.after(seen));
        }
        if let Some(old) = old
            && !repository.descends(&self.commit, old)?
        {
            let (branch, old, new) = (self.branch.clone(), old.to_owned(), self.commit.clone());
            return Err(Distrust::Rewritten { branch, old, new }.into());
        }
        if let Some((name, serial)) = &self.environment
            && let Some(seen) = known.and_then(|branch| branch.serials.get(name)).filter(|seen| *seen > serial)
        {
            return Err(Distrust::SerialFell { environment: name.clone(), serial: *serial, seen: *seen }.into());
        }
        Ok(self.after(seen))
    }
}

/// Refuses a tip that does not follow what this root has seen. Changes nothing.
pub(in crate::ops) fn check(site: &Site, repository: &Repository, tip: &Tip) -> Result<(), Error> {
    let seen = match fsx::inspect_followed(&site.root)? {
        Some(_) => crate::deploy::seen(&site.root)?,
        None => Seen::default(),
    };
    tip.follows(site, repository, seen).map(|_| ())
}

/// The same under the lock of the root, which then remembers the tip; durable when it returns.
pub(in crate::ops) fn remember(site: &Site, root: &Root, tip: Option<&Tip>) -> Result<(), Error> {
    let Some(tip) = tip else { return Ok(()) };
    let seen = tip.follows(site, &record::existing(site)?, root.view().seen()?)?;
    Ok(root.remember(&seen)?)
}

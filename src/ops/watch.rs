//! `deploy --env NAME --watch`: one look at the branch, and a deploy where the environment there differs from the root.
//!
//! Must not know: how often to look, and when to stop.

use super::deploy::{Follow, Report, What, deploy};
use super::{Error, OnProgress, Site, record};
use crate::fsx;

/// Follows an environment on the branch of the records.
#[derive(Debug)]
pub struct Watch {
    follow: Follow,
    /// Tip and release at which there was nothing to do any more.
    settled: Option<Seen>,
}

/// What one look compares.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    tip: Option<String>,
    release: Option<u64>,
}

/// What one look led to.
#[derive(Debug)]
pub enum Look {
    /// Nothing: the root is as the environment says.
    Quiet,
    /// A release was made.
    Deployed(Box<Report>),
    /// Nothing, since the root is on hold; an [`Error::Held`] that says what would have changed. Told once a change.
    Held(Error),
}

impl Watch {
    /// Follows `follow`, whatever its commit. With `resume` the hold that the root is on ends, and no later one.
    pub fn new(follow: Follow) -> Self {
        Self { follow, settled: None }
    }

    /// Looks once. Where neither the branch nor the release has moved since there was nothing to do, this reads one
    /// reference and the end of the history, and no object of git.
    ///
    /// # Errors
    ///
    /// As [`deploy`]; the next look tries again.
    pub fn look(&mut self, site: &Site, progress: OnProgress<'_>) -> Result<Look, Error> {
        let seen = Seen { tip: record::existing(site)?.tip()?, release: release(site)? };
        if self.settled.as_ref() == Some(&seen) {
            return Ok(Look::Quiet);
        }
        // At the tip, whichever it is by then: where it has moved since, the next look finds nothing to do.
        let follow = Follow { at: None, ..self.follow.clone() };
        let done = deploy(site, &What::Environment(follow), false, progress);
        // A release that did not stand ended the hold, too; one that begins later is not ours to end.
        self.follow.resume = self.follow.resume && is_held(site)?;
        match done {
            Ok(report) => {
                self.settled = Some(Seen { release: report.change.release.or(seen.release), ..seen });
                Ok(match report.change.release {
                    Some(_) => Look::Deployed(Box::new(report)),
                    None => Look::Quiet,
                })
            }
            Err(held @ Error::Held { .. }) => {
                self.settled = Some(seen);
                Ok(Look::Held(held))
            }
            Err(error) => Err(error),
        }
    }
}

fn is_held(site: &Site) -> Result<bool, Error> {
    match fsx::inspect_followed(&site.root)? {
        Some(_) => Ok(site.view()?.hold()?.is_some()),
        None => Ok(false),
    }
}

/// The current release; `None` before the first deploy.
fn release(site: &Site) -> Result<Option<u64>, Error> {
    match fsx::inspect_followed(&site.root)? {
        Some(_) => Ok(site.view()?.state()?.number()),
        None => Ok(None),
    }
}

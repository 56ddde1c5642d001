//! What is due on a root before anything else is done there, and `confirm`: a release that was stopped before it was found
//! healthy is looked at again; one that failed, or that nobody confirmed in time, is undone.

use serde::Serialize;

use super::change::Moved;
use super::release::{self, Aftermath, Cause};
use super::{Error, Site};
use crate::deploy::{Checked, HistoryEntry, Recovery, Root, Standing, View, Who};
use crate::model::Timestamp;

/// Does what is due. `recovery` is what was recovered before, and is answered where nothing is.
///
/// # Errors
///
/// [`Error::Fallen`] for a release that does not stand and cannot be undone.
pub(super) fn settle(site: &Site, root: &Root, recovery: Recovery) -> Result<Recovery, Error> {
    let Some((entry, standing)) = root.view().standing(site.caller.time())? else { return Ok(recovery) };
    let done = match standing {
        Standing::OnTrial(_) => return Ok(recovery),
        Standing::Untested => {
            release::see_through(site, root, &entry, &moved(root.view(), &entry)?, Vec::new()).map(|_| ())
        }
        Standing::Failed => Err(release::fall(site, root, &entry, Cause::Earlier)),
        Standing::Overdue(until) => Err(release::fall(site, root, &entry, Cause::Unconfirmed(until))),
    };
    let release = entry.release;
    match done {
        Ok(()) => Ok(Recovery::Checked { release, passed: true }),
        Err(Error::Fallen(fallen)) => match fallen.aftermath {
            Aftermath::Stays => Ok(Recovery::Checked { release, passed: false }),
            Aftermath::Undone { by, .. } => Ok(Recovery::RolledBack { release, by, why: fallen.why() }),
            Aftermath::NotUndone(_) => Err(Error::Fallen(fallen)),
        },
        Err(error) => Err(error),
    }
}

/// What the release of `entry` changed, by the entry before it.
fn moved(view: &View, entry: &HistoryEntry) -> Result<Vec<Moved>, Error> {
    let before = view.entry_before(entry.release)?;
    let (before, after) = (before.map(|before| before.set()).unwrap_or_default(), entry.set());
    let one = |component: &_| Moved {
        component: Clone::clone(component),
        from: before.get(component).cloned(),
        to: after.get(component).cloned(),
    };
    Ok(entry.changed.iter().map(one).collect())
}

/// What `confirm` found and did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The current release; absent where there is none.
    pub release: Option<u64>,
    /// What became of its trial.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Whether it was only planned.
    pub dry_run: bool,
    /// What an earlier run had left unfinished.
    #[serde(skip)]
    pub recovery: Recovery,
}

/// What became of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// It is confirmed.
    Confirmed,
    /// It was confirmed before.
    WasConfirmed,
    /// It is on trial.
    OnTrial {
        /// Until then.
        until: Timestamp,
    },
    /// Nothing is on trial.
    Nothing,
    /// It would be looked at again, of a dry run.
    WouldCheck,
    /// It would be undone, of a dry run.
    WouldUndo,
}

/// `confirm`: the current release stands.
///
/// # Errors
///
/// [`Error::RolledBack`] where it is too late, [`Error::NothingOnTrial`].
pub fn confirm(site: &Site, dry_run: bool) -> Result<Report, Error> {
    if dry_run {
        let (view, now) = (site.view()?, site.caller.time());
        return match standing(&view, now)? {
            (release, Verdict::OnTrial { .. }) => Ok(planned(release, Verdict::Confirmed)),
            (_, Verdict::Nothing) => Err(Error::NothingOnTrial),
            (release, verdict) => Ok(planned(release, verdict)),
        };
    }
    let (root, recovery) = due(site)?;
    let now = site.caller.time();
    let (release, verdict) = standing(root.view(), now)?;
    let verdict = match (verdict, release) {
        (Verdict::OnTrial { .. }, Some(number)) => {
            if let Some(checked) = Checked::read(root.layout(), number)? {
                checked.confirm(&root, &Who { at: now, ..site.who() })?;
            }
            Verdict::Confirmed
        }
        (Verdict::Nothing, _) => return Err(Error::NothingOnTrial),
        (verdict, _) => verdict,
    };
    Ok(Report { release, verdict, dry_run, recovery })
}

/// `confirm --expire`: does what is due and nothing else; for a timer.
///
/// # Errors
///
/// [`Error::RolledBack`] where a release was undone.
pub fn expire(site: &Site, dry_run: bool) -> Result<Report, Error> {
    if dry_run {
        let (release, verdict) = standing(&site.view()?, site.caller.time())?;
        return Ok(planned(release, verdict));
    }
    let (root, recovery) = due(site)?;
    let (release, verdict) = standing(root.view(), site.caller.time())?;
    Ok(Report { release, verdict, dry_run, recovery })
}

fn planned(release: Option<u64>, verdict: Verdict) -> Report {
    Report { release, verdict, dry_run: true, recovery: Recovery::Clean }
}

/// The root with nothing due; that a release was undone is an error here.
fn due(site: &Site) -> Result<(Root, Recovery), Error> {
    site.view()?;
    match site.change()? {
        (_, Recovery::RolledBack { release, by, why }) => Err(Error::RolledBack { release, by, why }),
        other => Ok(other),
    }
}

/// The current release, and how it stands.
fn standing(view: &View, now: Timestamp) -> Result<(Option<u64>, Verdict), Error> {
    let release = view.state()?.number();
    let verdict = match view.standing(now)? {
        Some((_, Standing::OnTrial(until))) => Verdict::OnTrial { until },
        Some((_, Standing::Untested)) => Verdict::WouldCheck,
        Some((_, Standing::Failed | Standing::Overdue(_))) => Verdict::WouldUndo,
        None => match release.map(|number| Checked::read(view.layout(), number)).transpose()?.flatten() {
            Some(Checked { confirmed_at: Some(_), .. }) => Verdict::WasConfirmed,
            _ => Verdict::Nothing,
        },
    };
    Ok((release, verdict))
}

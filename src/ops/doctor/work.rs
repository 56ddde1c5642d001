//! What earlier runs left behind: unfinished releases and cleanups, what only they leave, and what is still due.

use super::finding::{Fact, Finding, Fix};
use crate::deploy::{Error, Standing, View};
use crate::model::Timestamp;
use crate::ops::Site;

pub(super) fn look(site: &Site, view: &View) -> Vec<Finding> {
    let found = left(view).and_then(|mut findings| {
        findings.extend(due(view, site.caller.time())?);
        Ok(findings)
    });
    found.unwrap_or_else(|error| {
        vec![Finding::error("state-unreadable").path("path", &view.layout().state()).because(error)]
    })
}

/// What the current release still has to pass. The next changing command looks to it, or undoes the release.
fn due(view: &View, now: Timestamp) -> Result<Option<Finding>, Error> {
    Ok(view.standing(now)?.map(|(entry, standing)| {
        let (finding, until) = match standing {
            Standing::Untested => (Finding::warning("release-untested"), None),
            Standing::Failed => (Finding::warning("release-failed"), None),
            Standing::OnTrial(until) => (Finding::info("release-on-trial"), Some(until)),
            Standing::Overdue(until) => (Finding::warning("release-overdue"), Some(until)),
        };
        let finding = finding.number("release", entry.release);
        until.into_iter().fold(finding, |finding, until| finding.fact("until", Fact::Time(until)))
    }))
}

fn left(view: &View) -> Result<Vec<Finding>, Error> {
    if let Some(path) = view.torn_journal()? {
        return Ok(vec![Finding::error("journal-torn").path("path", &path)]);
    }
    // What is left over belongs to what is unfinished, and goes with it.
    let finding = match view.unfinished()? {
        Some(Some(release)) => Finding::warning("unfinished-release").number("release", release),
        Some(None) => Finding::warning("unfinished-cleanup"),
        None => {
            let left = view.leftovers()?;
            match left.first() {
                None => return Ok(vec![Finding::ok("nothing-unfinished")]),
                Some(first) => Finding::warning("leftovers").number("count", left.len()).path("path", first),
            }
        }
    };
    Ok(vec![finding.mended_by(Fix::Recover)])
}

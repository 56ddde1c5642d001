//! The clock, against what it said before and what the file system says.

use super::finding::{Fact, Finding};
use crate::deploy::{Error, View};
use crate::fsx;
use crate::model::Timestamp;
use crate::ops::Site;

/// Clocks of machines that are looked after differ by less, in seconds.
const TOLERANCE: i64 = 120;

pub(super) fn look(site: &Site, view: &View) -> Vec<Finding> {
    let now = site.caller.now;
    match against(view, now) {
        Ok(findings) if findings.is_empty() => vec![Finding::ok("clock-ok").fact("now", Fact::Time(now))],
        Ok(findings) => findings,
        // A history that cannot be read is a finding already.
        Err(_) => Vec::new(),
    }
}

fn against(view: &View, now: Timestamp) -> Result<Vec<Finding>, Error> {
    let history = view.layout().history();
    let mut findings = Vec::new();
    let newest = view.history()?.entries.iter().map(|entry| entry.at).max();
    let stamped = fsx::inspect(&history)?.and_then(|stat| Timestamp::from_unix(stat.mtime));
    let later = |a: Timestamp, b: Timestamp| a.as_unix() - b.as_unix() > TOLERANCE;
    let about = |finding: Finding, time: Timestamp| finding.fact("now", Fact::Time(now)).fact("time", Fact::Time(time));
    if let Some(at) = newest.filter(|at| later(*at, now)) {
        findings.push(about(Finding::warning("clock-behind-history"), at));
    }
    if let Some(time) = stamped.filter(|time| later(*time, now)) {
        findings.push(about(Finding::warning("clock-behind-files"), time).path("path", &history));
    }
    // The line was written and the file stamped in one moment: by two clocks, then.
    if let (Some(at), Some(time)) = (newest, stamped)
        && later(at, time)
        && !later(at, now)
    {
        findings.push(
            about(Finding::warning("clock-ahead-of-files"), time).fact("at", Fact::Time(at)).path("path", &history),
        );
    }
    Ok(findings)
}

//! What makes a release of installed versions: `version switch`, `rollback`; and the lines about a release.

use super::{processes, tell_recovery};
use crate::cli::args::{OneVersion, Rollback};
use crate::cli::explain;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::words::{Phrase, say};
use crate::deploy::{Action, Check, Outcome};
use crate::ops::release::Would;
use crate::ops::{Site, change};

pub(super) fn switch(site: &Site, args: &OneVersion, output: &Output) -> Result<(), Failure> {
    tell(site, change::switch(site, &args.component, &args.version, args.dry.dry_run)?, output);
    Ok(())
}

pub(super) fn rollback(site: &Site, args: &Rollback, output: &Output) -> Result<(), Failure> {
    let dry_run = args.dry.dry_run;
    let report = match &args.component {
        Some(component) => change::rollback_component(site, component, dry_run)?,
        None => change::rollback(site, args.to, dry_run)?,
    };
    tell(site, report, output);
    Ok(())
}

pub(super) fn tell(site: &Site, report: change::Report, output: &Output) {
    notes(&report, output);
    processes::with_users(site, report, output, |report| output.report(report, text));
}

/// What was recovered, and what hooks said no that only a rollback goes past.
pub(super) fn notes(report: &change::Report, output: &Output) {
    tell_recovery(report.recovery, output);
    for unmet in &report.unmet {
        output.warn(&Phrase::failed("release.unmet").with("what", explain::unmet(unmet)));
    }
    let failed = report.checks.runs.iter().filter(|run| run.outcome != Outcome::Ok);
    failed.for_each(|run| output.warn(&explain::said_no(run)));
}

/// The lines about a release: a line a component that changed, then the release itself.
pub(super) fn text(report: &change::Report) -> String {
    let Some(release) = report.release else { return say("release.unchanged", &[]) };
    let mut lines: Vec<String> = report.changed.iter().map(explain::moved).collect();
    if report.dry_run {
        for link in &report.links {
            let args = [
                ("path", link.path.display().to_string()),
                ("target", link.target.as_ref().map(|target| target.display().to_string()).unwrap_or_default()),
            ];
            lines.push(say(if link.target.is_some() { "release.would-link" } else { "release.would-unlink" }, &args));
        }
    }
    let key = match (report.dry_run, report.action) {
        (true, _) => "release.would",
        (false, Action::Deploy) => "release.deployed",
        (false, Action::Switch) => "release.switched",
        (false, Action::Undeploy) => "release.undeployed",
        (false, Action::Rollback) => "release.rolled-back",
    };
    lines.extend(report.checks.would.iter().map(would));
    lines.push(say(key, &[("release", release.to_string())]));
    if let Some(span) = report.checks.would_confirm {
        lines.push(say("release.would-confirm", &[("span", span.to_string())]));
    }
    if let Some(until) = report.checks.confirm_by {
        lines.push(say("release.on-trial", &[("until", until.to_string())]));
    }
    lines.join("\n")
}

fn would(would: &Would) -> String {
    let key = match would.check {
        Check::PreSwitch => "release.would-ask",
        Check::PostSwitch => "release.would-run",
        Check::Health => "release.would-wait",
    };
    say(key, &[("what", would.what.clone())])
}

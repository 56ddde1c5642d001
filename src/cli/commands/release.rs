//! What makes a release of installed versions: `version switch`, `rollback`; and the lines about a release.

use super::tell_recovery;
use crate::cli::args::{OneVersion, Rollback};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::words::say;
use crate::deploy::Action;
use crate::model::Version;
use crate::ops::{Site, change};

pub(super) fn switch(site: &Site, args: &OneVersion, output: &Output) -> Result<(), Failure> {
    tell(&change::switch(site, &args.component, &args.version, args.dry.dry_run)?, output);
    Ok(())
}

pub(super) fn rollback(site: &Site, args: &Rollback, output: &Output) -> Result<(), Failure> {
    let dry_run = args.dry.dry_run;
    let report = match &args.component {
        Some(component) => change::rollback_component(site, component, dry_run)?,
        None => change::rollback(site, args.to, dry_run)?,
    };
    tell(&report, output);
    Ok(())
}

fn tell(report: &change::Report, output: &Output) {
    tell_recovery(report.recovery, output);
    output.report(report, text);
}

/// The lines about a release: a line a component that changed, then the release itself.
pub(super) fn text(report: &change::Report) -> String {
    let Some(release) = report.release else { return say("release.unchanged", &[]) };
    let name =
        |version: &Option<Version>| version.as_ref().map_or_else(|| say("release.none", &[]), Version::to_string);
    let mut lines: Vec<String> = report
        .changed
        .iter()
        .map(|moved| {
            let args =
                [("component", moved.component.to_string()), ("from", name(&moved.from)), ("to", name(&moved.to))];
            say("release.moved", &args)
        })
        .collect();
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
        (false, Action::Rollback) => "release.rolled-back",
    };
    lines.push(say(key, &[("release", release.to_string())]));
    lines.join("\n")
}

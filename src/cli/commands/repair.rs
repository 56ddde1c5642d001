//! `deploy --repair`

use super::deploy::ways;
use super::status::found_text;
use super::tell_recovery;
use crate::cli::args::Deploy;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::progress::Lines;
use crate::cli::words::say;
use crate::ops::Site;
use crate::ops::repair::{self, Repaired};

pub(super) fn run(site: &Site, args: &Deploy, lines: &Lines, output: &Output) -> Result<(), Failure> {
    let report = repair::repair(site, &args.references, args.dry.dry_run, &|progress| lines.tell(progress))?;
    tell_recovery(report.recovery, output);
    output.report(&report, text);
    Ok(())
}

fn text(report: &repair::Report) -> String {
    report.versions.iter().map(|version| version_text(version, report.dry_run)).collect::<Vec<_>>().join("\n")
}

fn version_text(version: &Repaired, dry_run: bool) -> String {
    let key = match (version.entries, version.repaired.is_empty(), dry_run) {
        (None, ..) => "repair.unlisted",
        (_, true, _) => "repair.good",
        (_, false, true) => "repair.would-repair",
        (_, false, false) => "repair.repaired",
    };
    let args = [
        ("component", version.component.to_string()),
        ("version", version.version.to_string()),
        ("entries", version.entries.unwrap_or_default().to_string()),
        ("count", version.repaired.len().to_string()),
    ];
    let mut lines = vec![say(key, &args)];
    lines.extend(version.repaired.iter().map(found_text));
    lines.extend(ways(&version.ways));
    if !version.kept.is_empty() {
        lines.push(say("repair.kept", &[("count", version.kept.len().to_string())]));
        lines.extend(version.kept.iter().map(found_text));
    }
    lines.join("\n")
}

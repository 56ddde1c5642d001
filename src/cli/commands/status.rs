//! `status`

use std::process::ExitCode;

use crate::cli::explain;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::words::{Phrase, say};
use crate::deploy::Standing;
use crate::ops::{Site, status};

pub(super) fn run(site: &Site, output: &Output) -> Result<ExitCode, Failure> {
    let report = status::status(site)?;
    if let Some(unfinished) = report.unfinished {
        let phrase = match unfinished {
            Some(release) => Phrase::failed("status.unfinished").with("release", release),
            None => Phrase::failed("status.unfinished-cleanup"),
        };
        output.warn(&phrase);
    }
    let release = report.release.unwrap_or_default();
    match &report.standing {
        Some(Standing::Untested) => output.warn(&Phrase::unhealthy("status.untested").with("release", release)),
        Some(Standing::Failed) => output.warn(&Phrase::unhealthy("status.failed").with("release", release)),
        Some(Standing::Overdue(until)) => {
            output.warn(&Phrase::unhealthy("status.overdue").with("release", release).with("until", until));
        }
        Some(Standing::OnTrial(_)) | None => {}
    }
    if report.links_wrong > 0 {
        output.warn(&Phrase::failed("status.links-wrong").with("count", report.links_wrong));
    }
    output.report(&report, text);
    Ok(ExitCode::SUCCESS)
}

fn text(report: &status::Status) -> String {
    let root = ("root", report.root.display().to_string());
    let Some(release) = report.release else { return say("status.empty", &[root]) };
    let head = say(
        "status.release",
        &[
            root,
            ("release", release.to_string()),
            ("since", report.since.map(|time| time.to_string()).unwrap_or_default()),
            ("by", report.by.clone().unwrap_or_default()),
        ],
    );
    let rows = report.components.iter().map(|component| {
        [
            component.component.to_string(),
            component.version.to_string(),
            component.since.map(|time| time.to_string()).unwrap_or_default(),
            component.package.map(|digest| digest.short()).unwrap_or_default(),
            component.commit.as_deref().unwrap_or_default().chars().take(12).collect(),
        ]
    });
    let header = ["column.component", "column.version", "column.since", "column.package", "column.record"];
    let mut lines = vec![head, table(header, rows)];
    if let Some(Standing::OnTrial(until)) = &report.standing {
        lines.push(say("release.on-trial", &[("until", until.to_string())]));
    }
    lines.extend(report.bad.iter().map(|bad| {
        let args = [
            ("component", bad.component.to_string()),
            ("version", bad.version.to_string()),
            ("why", explain::why(bad.bad.why)),
            ("at", bad.bad.at.to_string()),
        ];
        say("status.bad", &args)
    }));
    lines.join("\n")
}

//! `status`

use std::process::ExitCode;

use crate::cli::args::Status;
use crate::cli::explain;
use crate::cli::failure::{self, Failure};
use crate::cli::output::{Output, table};
use crate::cli::progress::Lines;
use crate::cli::words::{Kind, Phrase, say};
use crate::deploy::{Action, Difference, Standing};
use crate::ops::verify::{self, Condition, Found, Inspected};
use crate::ops::{Site, status};

pub(super) fn run(site: &Site, args: &Status, lines: &Lines, output: &Output) -> Result<ExitCode, Failure> {
    let mut report = status::status(site)?;
    if args.verify || args.deep {
        report.inspected = Some(verify::verify(site, args.deep, &|progress| lines.tell(progress))?);
    }
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
    let wrong = |inspected: &Inspected| !matches!(inspected.state, Condition::Good | Condition::Edited);
    match report.inspected.iter().flatten().any(wrong) {
        true => Ok(ExitCode::from(failure::status(Kind::Refused))),
        false => Ok(ExitCode::SUCCESS),
    }
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
    let mut lines = vec![head];
    if let Some(environment) = &report.environment {
        let args = [
            ("environment", environment.name.to_string()),
            ("serial", environment.serial.to_string()),
            ("commit", short(&environment.commit)),
            ("release", environment.release.to_string()),
        ];
        lines.push(say("status.environment", &args));
    }
    if let Some(hold) = &report.hold {
        lines.push(say("status.held", &held(hold)));
    }
    let rows = report.components.iter().map(|component| {
        [
            component.component.to_string(),
            component.version.to_string(),
            component.since.map(|time| time.to_string()).unwrap_or_default(),
            component.package.map(|digest| digest.short()).unwrap_or_default(),
            short(component.commit.as_deref().unwrap_or_default()),
        ]
    });
    let header = ["column.component", "column.version", "column.since", "column.package", "column.record"];
    lines.push(table(header, rows));
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
    lines.extend(report.inspected.iter().flatten().map(inspected_text));
    lines.join("\n")
}

/// A line about a version, and one for each entry that differs.
fn inspected_text(inspected: &Inspected) -> String {
    let key = match inspected.state {
        Condition::Good => "verify.good",
        Condition::Edited => "verify.edited",
        Condition::Damaged => "verify.damaged",
        Condition::Unlisted => "verify.unlisted",
        Condition::Gone => "verify.gone",
    };
    let args = [
        ("component", inspected.component.to_string()),
        ("version", inspected.version.to_string()),
        ("entries", inspected.entries.to_string()),
        ("count", inspected.findings.len().to_string()),
    ];
    let findings = inspected.findings.iter().map(found_text);
    std::iter::once(say(key, &args)).chain(findings).collect::<Vec<_>>().join("\n")
}

/// What is wrong with one entry.
pub(super) fn found_text(found: &Found) -> String {
    let key = match found.what {
        Difference::Missing => "verify.missing",
        Difference::Extra => "verify.extra",
        Difference::Kind => "verify.kind",
        Difference::Mode => "verify.mode",
        Difference::Size => "verify.size",
        Difference::Content => "verify.content",
        Difference::Time => "verify.time",
        Difference::Replaced => "verify.replaced",
        Difference::Target => "verify.target",
    };
    say(key, &[("path", found.path.clone())])
}

fn held(hold: &status::Hold) -> [(&'static str, String); 4] {
    let action = match hold.action {
        Action::Deploy => "history.deploy",
        Action::Switch => "history.switch",
        Action::Undeploy => "history.undeploy",
        Action::Rollback => "history.rollback",
    };
    [
        ("since", hold.since.to_string()),
        ("by", hold.by.clone()),
        ("action", say(action, &[])),
        ("release", hold.release.to_string()),
    ]
}

fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}

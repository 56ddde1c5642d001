//! `record check`: findings as text, as JSON, as annotations of GitHub, as Markdown for a comment.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::args::{CheckFormat, RecordCheck};
use crate::cli::explain::{ToldFinding, told};
use crate::cli::failure::{Failure, status};
use crate::cli::output::Output;
use crate::cli::progress::Lines;
use crate::cli::words::{Kind, say};
use crate::forge;
use crate::ops::Site;
use crate::ops::check::{self, Finding, Range, Report};
use crate::records::Severity;

/// The branch that is merged into where none is configured.
const BASE: &str = "main";

/// How many findings a comment has at most.
const MOST: usize = 50;

pub(super) fn run(site: &Site, args: &RecordCheck, lines: &Lines, output: &Output) -> Result<ExitCode, Failure> {
    let branch = site.config.records.branch.clone().unwrap_or_else(|| BASE.to_owned());
    let range = args.range.clone().unwrap_or_else(|| Range { base: Some(branch), head: "HEAD".to_owned() });
    let report = check::check(site, &range, args.fetch, &|progress| lines.tell(progress))?;
    let told: Vec<_> = report.findings.iter().map(|finding| (finding, told(finding))).collect();
    let findings = told.iter().map(|(finding, told)| {
        json!({
            "rule": finding.rule, "severity": finding.severity, "file": told.file, "line": finding.line,
            "message": told.message, "hint": told.hint,
        })
    });
    let json = json!({
        "base": report.base, "head": report.head, "files": report.files, "refused": report.is_refused(),
        "counts": {"error": report.count(Severity::Error), "warning": report.count(Severity::Warning)},
        "findings": findings.collect::<Vec<_>>(),
    });
    output.report(&json, |_| match args.format {
        CheckFormat::Text => text(&report, &told),
        CheckFormat::Github => told.iter().map(|(finding, told)| annotation(finding, told)).collect(),
        CheckFormat::Markdown => markdown(&report, &told),
    });
    Ok(if report.is_refused() { ExitCode::from(status(Kind::Refused)) } else { ExitCode::SUCCESS })
}

fn total(report: &Report) -> String {
    let args = [
        ("files", report.files.to_string()),
        ("errors", report.count(Severity::Error).to_string()),
        ("warnings", report.count(Severity::Warning).to_string()),
    ];
    say(if report.is_refused() { "record-check.refused" } else { "record-check.clean" }, &args)
}

fn severity(finding: &Finding) -> String {
    say(if finding.severity == Severity::Error { "error" } else { "warning" }, &[])
}

fn text(report: &Report, told: &[(&Finding, ToldFinding)]) -> String {
    let line = |(finding, told): &(&Finding, ToldFinding)| {
        let (file, line, rule) = (&told.file, finding.line, finding.rule);
        let (severity, hint) = (severity(finding), say("hint", &[]));
        format!("{file}:{line}: {severity}: {} [{rule}]\n  {hint}: {}", told.message, told.hint)
    };
    told.iter().map(line).chain([total(report)]).collect::<Vec<_>>().join("\n")
}

/// A workflow command. Source: "Workflow commands for GitHub Actions", and the escapes of `@actions/core` (`command.ts`).
fn annotation(finding: &Finding, told: &ToldFinding) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let kind = if finding.severity == Severity::Error { "error" } else { "warning" };
    let message = data(&format!("{}\n{}", told.message, told.hint));
    let (file, title) = (property(&told.file), property(finding.rule));
    format!("::{kind} file={file},line={},title={title}::{message}\n", finding.line)
}

/// A comment: whatever the request holds, its words are code there and mean nothing else.
fn markdown(report: &Report, told: &[(&Finding, ToldFinding)]) -> String {
    let mut out = format!("### {}\n\n{}\n", say("record-check.title", &[]), total(report));
    if told.is_empty() {
        return out;
    }
    let columns = ["record-check.where", "record-check.rule", "record-check.what"].map(|key| say(key, &[]));
    out += &format!("\n| | {} |\n|---|---|---|---|\n", columns.join(" | "));
    for (finding, told) in told.iter().take(MOST) {
        let place = forge::code(&format!("{}:{}", told.file, finding.line));
        let (rule, message) = (forge::code(finding.rule), forge::code(&told.message));
        out += &format!("| {} | {place} | {rule} | {message} |\n", severity(finding));
    }
    if told.len() > MOST {
        out += &format!("\n{}\n", say("record-check.more", &[("count", (told.len() - MOST).to_string())]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_finding_ends_its_annotation() {
        let finding = Finding::error("secret", "f", 3);
        let told = ToldFinding {
            file: "a,b:c%\n::error ::x".to_owned(),
            message: "100%\r\n::warning ::y".to_owned(),
            hint: "z".to_owned(),
        };
        assert_eq!(
            annotation(&finding, &told),
            "::error file=a%2Cb%3Ac%25%0A%3A%3Aerror %3A%3Ax,line=3,title=secret::100%25%0D%0A::warning ::y%0Az\n"
        );
    }
}

//! The data of a report as one JSON document. A part that cannot be read is `null`, and `failures` says why.

use serde_json::{Value, json};

use crate::cli::commands::doctor::Told;
use crate::cli::explain::Explain as _;
use crate::deploy::Line;
use crate::ops::Error;
use crate::ops::report::{Installed, Report};

/// The whole of it.
pub(in crate::cli) fn document(report: &Report, told: &[Told]) -> Value {
    let mut failures = Vec::new();
    let status = part("status", &report.status, &mut failures, |status| json!(status));
    let releases = part("releases", &report.trail, &mut failures, |lines| {
        json!(lines.iter().filter(|line| matches!(line, Line::Release(_))).collect::<Vec<_>>())
    });
    let space = part("space", &report.space, &mut failures, |space| {
        json!({
            "versions": space.versions.iter().map(installed).collect::<Vec<_>>(),
            "would_free": space.freed,
            "at_most": space.at_most,
        })
    });
    let environments = part("environments", &report.environments, &mut failures, |all| json!(all));
    let findings = report.doctor.findings.iter().zip(told).map(|(finding, told)| told.json(finding));
    json!({
        "root": report.root,
        "at": report.at,
        "current": report.current,
        "status": status,
        "findings": findings.collect::<Vec<_>>(),
        "releases": releases,
        "space": space,
        "environments": environments,
        "failures": failures,
    })
}

fn part<T>(name: &str, part: &Result<T, Error>, failures: &mut Vec<Value>, to: impl FnOnce(&T) -> Value) -> Value {
    match part {
        Ok(part) => to(part),
        Err(error) => {
            let phrase = error.explain();
            failures.push(json!({"part": name, "message": phrase.text(), "hint": phrase.hint()}));
            Value::Null
        }
    }
}

fn installed(version: &Installed) -> Value {
    json!({
        "type": version.component,
        "version": version.version,
        "installed_at": version.installed_at,
        "last_current": version.last_current,
        "own_bytes": version.own,
        "shared_bytes": version.shared,
        "reason": version.reason,
        "would_be_removed": version.goes(),
    })
}

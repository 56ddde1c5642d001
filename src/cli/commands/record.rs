//! `record show|diff|sign|verify`; `list`, `url`, `import`, `yank`, `check` and `heartbeat` have files of their own.

use std::process::ExitCode;

use serde_json::json;

use super::{check, heartbeat, import, list, onto, trust, url, yank};
use crate::cli::args::{DiffFormat, RecordCommands};
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::progress::Lines;
use crate::cli::words::say;
use crate::model::{ByteSize, ComponentType, Version};
use crate::ops::diff::{self, Change, File};
use crate::ops::{Site, record, request};
use crate::records::Published;

/// How many files a table in Markdown has at most: comments have a greatest length.
const MARKDOWN_FILES: usize = 200;

pub(super) fn run(site: Site, args: &RecordCommands, lines: &Lines, output: &Output) -> Result<ExitCode, Failure> {
    let site = &match args {
        RecordCommands::Import(args) => trust::with_key(onto(site, &args.onto), args.sign.as_deref())?,
        RecordCommands::Heartbeat(args) => trust::with_key(onto(site, &args.onto), args.sign.as_deref())?,
        RecordCommands::Yank(args) => trust::with_key(onto(site, &args.onto), args.sign.as_deref())?,
        RecordCommands::Sign(args) => onto(site, &args.onto),
        _ => site,
    };
    match args {
        RecordCommands::List(args) => list::run(site, args, output)?,
        RecordCommands::Yank(args) => yank::run(site, args, output)?,
        RecordCommands::Diff(args) => {
            let report = diff::diff(site, &args.from, &args.to, args.at.as_deref())?;
            output.report(&report, |report| match args.format {
                DiffFormat::Text => differences(report),
                DiffFormat::Markdown => request::markdown(report, MARKDOWN_FILES),
            });
        }
        RecordCommands::Show(args) if args.files => {
            let (published, files) = diff::files(site, &args.reference, args.at.as_deref())?;
            let mut json = document(&published);
            json["files"] = json!(files);
            output.report(&json, |_| format!("{}\n{}", show(&published), list_files(&files)));
        }
        RecordCommands::Show(args) => {
            let published = record::show(site, &args.reference, args.at.as_deref())?;
            let json = document(&published);
            output.report(&json, |_| show(&published));
        }
        RecordCommands::Url(args) => url::run(site, args, output)?,
        RecordCommands::Import(args) => return import::run(site, args, output),
        RecordCommands::Sign(args) => trust::sign(site, args, output)?,
        RecordCommands::Verify(args) => return trust::verify(site, args, output),
        RecordCommands::Check(args) => return check::run(site, args, lines, output),
        RecordCommands::Heartbeat(args) => heartbeat::run(site, args, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn document(published: &Published) -> serde_json::Value {
    json!({
        "manifest": published.manifest, "record": published.record, "yanked": published.yanked,
        "commit": published.commit,
    })
}

fn size(file: &File) -> String {
    file.size.map(|size| ByteSize(size).to_string()).or_else(|| file.target.clone()).unwrap_or_default()
}

fn list_files(files: &[File]) -> String {
    let rows = files.iter().map(|file| [file.mode.clone(), size(file), file.path.clone()]);
    table(["column.mode", "column.size", "column.path"], rows)
}

fn differences(report: &diff::Report) -> String {
    let name = |(component, version): &(ComponentType, Version)| format!("{component}@{version}");
    let count = |wanted: &str| report.changes.iter().filter(|change| kind(change) == wanted).count().to_string();
    let args = [
        ("from", name(&report.from)),
        ("to", name(&report.to)),
        ("added", count("diff.added")),
        ("removed", count("diff.removed")),
        ("changed", count("diff.changed")),
        ("same", report.same.to_string()),
    ];
    if report.changes.is_empty() {
        return say("diff.none", &args);
    }
    let rows = report.changes.iter().map(|change| {
        let (path, was, is) = match change {
            Change::Added { to } => (&to.path, String::new(), size(to)),
            Change::Removed { from } => (&from.path, size(from), String::new()),
            Change::Changed { from, to } => (&to.path, size(from), size(to)),
        };
        [say(kind(change), &[]), was, is, path.clone()]
    });
    let table = table(["column.change", "column.was", "column.is", "column.path"], rows);
    format!("{table}\n{}", say("diff.total", &args))
}

fn kind(change: &Change) -> &'static str {
    match change {
        Change::Added { .. } => "diff.added",
        Change::Removed { .. } => "diff.removed",
        Change::Changed { .. } => "diff.changed",
    }
}

fn show(published: &Published) -> String {
    let package = &published.manifest.package;
    let mut args = vec![
        ("component", published.component().to_string()),
        ("version", published.version().to_string()),
        ("file", package.file.clone()),
        ("size", ByteSize(package.size).to_string()),
        ("algorithm", package.algorithm.name().to_owned()),
        ("sha256", package.checksum.value.to_string()),
        ("tree", package.tree.map(|tree| tree.to_string()).unwrap_or_else(|| "-".to_owned())),
        ("created", published.manifest.component.created_at.to_string()),
        ("published", published.record.published_at.to_string()),
        ("manifest", published.manifest_sha256.to_string()),
        ("commit", published.commit.clone().unwrap_or_else(|| "-".to_owned())),
    ];
    let mut lines: Vec<String> = ["record.name", "record.file", "record.sha256", "record.tree", "record.manifest"]
        .into_iter()
        .chain(["record.created", "record.published", "record.commit"])
        .map(|key| say(key, &args))
        .collect();
    for need in &published.manifest.dependencies {
        args.extend([("need", need.kind.to_string()), ("range", need.version.to_string())]);
        lines.push(say("record.needs", &args));
        args.truncate(args.len() - 2);
    }
    for location in &published.record.locations {
        let args = [("name", location.name.clone()), ("path", location.place.shown())];
        lines.push(say("record.location", &args));
    }
    if let Some(yank) = &published.yanked {
        let args = [("at", yank.at.to_string()), ("by", yank.by.clone()), ("reason", yank.reason.clone())];
        lines.push(say("record.yanked", &args));
    }
    lines.join("\n")
}

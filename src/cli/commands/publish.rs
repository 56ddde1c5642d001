//! `publish`

use std::path::PathBuf;

use super::{propose, trust};
use crate::cli::args::Publish;
use crate::cli::explain::{self, Explain as _};
use crate::cli::failure::Failure;
use crate::cli::log::Line;
use crate::cli::output::Output;
use crate::cli::progress::Lines;
use crate::cli::settings;
use crate::cli::words::{Phrase, say};
use crate::model::{ByteSize, Place, Reference, Selector};
use crate::ops::Site;
use crate::ops::delta::{Outcome, State};
use crate::ops::publish::{self, What};

pub(super) fn run(site: Site, args: &Publish, lines: &Lines, output: &Output) -> Result<(), Failure> {
    let site = trust::with_key(propose::site(site, &args.propose), args.sign.as_deref())?;
    let (what, from) = (what(&args.what)?, args.delta_from.as_ref());
    let report = publish::publish(&site, &what, &args.to, from, args.dry.dry_run, &|progress| lines.tell(progress))?;
    warnings(&report, output);
    log(&report, output);
    propose::warn(report.proposed.as_ref(), output);
    output.report(&report, text);
    Ok(())
}

/// The log's line about each target that has the version now.
fn log(report: &publish::Report, output: &Output) {
    let reached = report.targets.iter().filter(|target| target.failure.is_none() && !report.dry_run);
    for target in reached {
        let line = Line::said("log.published", &[("target", target.name.clone())]);
        let line = line.with("component", &report.component).with("version", &report.version);
        output.log().write(&line.with_bytes("size", report.size).with("target", &target.name));
    }
}

/// A file where one is there or what stands before any `@` is a path, else a reference to one version.
fn what(text: &str) -> Result<What, Failure> {
    let path: PathBuf = settings::working_directory()?.join(text).components().collect();
    let is_path = text.split('@').next().is_some_and(|start| start.contains('/'));
    if is_path || crate::fsx::inspect_followed(&path)?.is_some() {
        return Ok(What::File(path));
    }
    match text.parse::<Reference>() {
        Ok(Reference { component, selector: Selector::Exact(version) }) => Ok(What::Packed(component, version)),
        Ok(_) => Err(Failure::of(Phrase::usage("publish.no-version").with("what", text))),
        Err(error) => {
            let phrase = Phrase::usage("publish.not-a-reference").with("what", text);
            Err(Failure::of(phrase.with("reason", error.explain().text())))
        }
    }
}

/// What went wrong at single targets, and what is doubtful about them.
pub(super) fn warnings(report: &publish::Report, output: &Output) {
    for target in &report.targets {
        if let Some(failure) = &target.failure {
            let reason = failure.explain().text();
            output.warn(&Phrase::failed("publish.target-failed").with("name", &target.name).with("reason", reason));
        }
        target.warnings.iter().for_each(|warning| output.warn_text(&explain::warning(warning)));
    }
    trust::tell_missing(&report.missing, output);
}

/// The line about a delta.
pub(super) fn delta(delta: &Outcome) -> String {
    let key = match delta.state {
        State::Made => "publish.delta-made",
        State::Planned => "publish.delta-would",
        State::WasThere => "publish.delta-had",
        State::TooLarge => "publish.delta-dropped",
    };
    let size = delta.size.map(|size| ByteSize(size).to_string()).unwrap_or_default();
    say(key, &[("from", delta.from.to_string()), ("file", delta.file.clone()), ("size", size)])
}

/// The lines about one published version.
pub(super) fn text(report: &publish::Report) -> String {
    let mut lines = Vec::new();
    for target in &report.targets {
        let key = match (&target.failure, target.already_there, report.dry_run) {
            (Some(_), ..) => continue,
            (None, true, _) => "publish.target-had",
            (None, false, true) => "publish.target-would",
            (None, false, false) => "publish.target-got",
        };
        let path = match &target.place {
            Some(Place::Filesystem(place)) => place.path.trim_end_matches('/').to_owned(),
            other => other.as_ref().map(Place::shown).unwrap_or_default(),
        };
        lines.push(say(key, &[("name", target.name.clone()), ("path", path)]));
    }
    lines.extend(report.delta.as_ref().map(delta));
    if let Some(key) = &report.signed_by {
        lines.push(say("publish.signed", &[("key", key.to_string())]));
    }
    let args = [
        ("component", report.component.to_string()),
        ("version", report.version.to_string()),
        ("size", ByteSize(report.size).to_string()),
        ("sha256", report.package.to_string()),
        ("commit", report.commit.as_deref().unwrap_or_default().chars().take(12).collect()),
        ("branch", report.branch.clone().unwrap_or_default()),
    ];
    lines.push(say(
        match (report.dry_run, report.unchanged) {
            (_, true) => "publish.unchanged",
            (true, false) => "publish.would",
            (false, false) if report.proposed.is_some() => "publish.proposed",
            (false, false) => "publish.done",
        },
        &args,
    ));
    if let (Some(proposed), false) = (&report.proposed, report.unchanged) {
        lines.push(propose::text(proposed, report.branch.as_deref(), report.dry_run));
    }
    lines.join("\n")
}

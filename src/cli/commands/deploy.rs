//! `deploy`

use std::path::{Path, PathBuf};

use super::{processes, release, watch};
use crate::cli::args::Deploy;
use crate::cli::explain::{self, Explain as _};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::progress::Lines;
use crate::cli::settings;
use crate::cli::words::{Phrase, say};
use crate::config::Secret;
use crate::deploy::Ways;
use crate::fsx;
use crate::model::ByteSize;
use crate::ops::Site;
use crate::ops::deploy::{self, Follow, How, What};
use crate::ops::patch::PassedOver;
use crate::transfer::{Candidate, Cost, Means};

pub(super) fn run(mut site: Site, args: &Deploy, lines: &Lines, output: &Output) -> Result<(), Failure> {
    let here = settings::working_directory()?;
    let what = match (&args.env, args.record.is_empty()) {
        (Some(name), _) => What::Environment(Follow {
            name: name.clone(),
            at: args.at.clone(),
            prune: args.prune,
            resume: args.resume,
        }),
        (None, true) => What::References(args.references.clone(), args.at.clone()),
        (None, false) => What::Records(args.record.iter().map(|path| plain(&here.join(path))).collect()),
    };
    site.force = args.force;
    site.accept_rewrite.clone_from(&args.accept_rewrite);
    if let Some(span) = args.confirm {
        site.config.deploy.confirm = Some(span).filter(|span| !span.0.is_zero());
    }
    if let Some(url) = &args.url {
        if args.references.len() + args.record.len() != 1 {
            return Err(Failure::of(Phrase::usage("deploy.url-of-one")));
        }
        site.url = Some(Secret::new(url.clone()));
    }
    if let (What::Environment(follow), Some(every)) = (&what, args.watch) {
        return watch::run(site, follow.clone(), every.0, lines, output);
    }
    let report = deploy::deploy(&site, &what, args.dry.dry_run, &|progress| lines.tell(progress))?;
    notes(&report, output);
    processes::with_users(&site, report, output, |report| output.report(report, text));
    Ok(())
}

/// The path without `..`, where the directories it names are there.
fn plain(path: &Path) -> PathBuf {
    fsx::without_parents(path).unwrap_or_else(|_| path.to_owned())
}

/// What was recovered, and which sources failed on the way.
pub(super) fn notes(report: &deploy::Report, output: &Output) {
    release::notes(&report.change, output);
    let failed = report.components.iter().flat_map(|component| &component.failed);
    explain::sentences(failed).iter().for_each(|sentence| output.warn_text(sentence));
    for component in &report.components {
        for PassedOver { from, why } in &component.passed_over {
            let phrase = Phrase::failed("deploy.delta-passed-over").with("component", &component.component);
            output.warn(&phrase.with("from", from).with("reason", why.explain().text()));
        }
    }
}

/// How files came to be, where another version gave any of them.
pub(super) fn ways(ways: &Ways) -> Option<String> {
    if !ways.is_shared() {
        return None;
    }
    let each = [
        ("ways.reflinked", ways.reflinked),
        ("ways.hardlinked", ways.hardlinked),
        ("ways.copied", ways.copied),
        ("ways.unpacked", ways.unpacked),
    ];
    let some = each.into_iter().filter(|(_, count)| count.files > 0);
    let each = some.map(|(key, count)| {
        say(key, &[("files", count.files.to_string()), ("bytes", ByteSize(count.bytes).to_string())])
    });
    Some(say("deploy.ways", &[("ways", each.collect::<Vec<_>>().join(", "))]))
}

/// What is fetched, and by which way.
fn way(candidate: &Candidate) -> String {
    let (key, from) = match &candidate.means {
        Means::Here => ("cost.here", String::new()),
        Means::Whole => ("cost.whole", String::new()),
        Means::Ranges => ("cost.ranges", String::new()),
        Means::Delta { from } => ("cost.delta", from.to_string()),
    };
    let args = [
        ("bytes", ByteSize(candidate.bytes).to_string()),
        ("requests", candidate.requests.to_string()),
        ("seconds", format!("{:.1}", candidate.seconds)),
        ("from", from),
    ];
    say(key, &args)
}

/// The way that is taken, and the others.
pub(super) fn fetched(cost: &Cost) -> String {
    let taken = cost.taken().map(way).unwrap_or_default();
    let others = cost.candidates.iter().enumerate().filter(|(number, _)| *number != cost.chosen);
    let others: Vec<_> = others.map(|(_, other)| way(other)).collect();
    let key = if others.is_empty() { "cost.only" } else { "cost.taken" };
    say(key, &[("taken", taken), ("others", others.join("; "))])
}

/// The lines about a deploy: a line a component, then the release.
pub(super) fn text(report: &deploy::Report) -> String {
    let mut lines = Vec::new();
    for component in &report.components {
        let key = match (component.how, report.change.dry_run, &component.source) {
            (How::Present, ..) => "deploy.present",
            (How::Unpacked | How::Shared, true, _) if !component.ways.is_shared() => "deploy.would-unpack",
            (How::Unpacked | How::Shared, true, _) => "deploy.would-share",
            (How::Shared, false, _) => "deploy.shared",
            (How::Unpacked, false, None) => "deploy.unpacked-from-store",
            (How::Unpacked, false, Some(_)) => "deploy.unpacked",
        };
        let args = [
            ("component", component.component.to_string()),
            ("version", component.version.to_string()),
            ("source", component.source.clone().unwrap_or_default()),
            ("fetched", ByteSize(component.fetched).to_string()),
            ("files", component.files.to_string()),
            ("bytes", ByteSize(component.bytes).to_string()),
            ("seconds", format!("{:.1}", component.milliseconds as f64 / 1000.0)),
        ];
        lines.push(say(key, &args));
        lines.extend(ways(&component.ways));
        lines.extend(component.cost.as_ref().filter(|_| report.change.dry_run).map(fetched));
        if component.sources.len() > 1 {
            let each = component.sources.iter().map(|given| format!("`{}` {}", given.name, ByteSize(given.bytes)));
            lines.push(say("deploy.by-source", &[("sources", each.collect::<Vec<_>>().join(", "))]));
        }
    }
    for kept in &report.kept {
        let args = [("component", kept.component.to_string()), ("version", kept.version.to_string())];
        lines.push(say("deploy.kept", &args));
    }
    lines.push(release::text(&report.change));
    lines.join("\n")
}

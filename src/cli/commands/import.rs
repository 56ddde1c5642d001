//! `record import`

use std::process::ExitCode;

use crate::cli::args::RecordImport;
use crate::cli::explain;
use crate::cli::failure::{Failure, status};
use crate::cli::output::Output;
use crate::cli::words::{Kind, Phrase, say};
use crate::model::Sha256;
use crate::ops::Site;
use crate::ops::import::{self, Found, Report, State};

pub(super) fn run(site: &Site, args: &RecordImport, output: &Output) -> Result<ExitCode, Failure> {
    let report = import::import(site, &args.from, args.component.as_ref(), args.dry.dry_run)?;
    for unreadable in &report.unreadable {
        let phrase = Phrase::refused("import.unreadable");
        output.warn(
            &phrase.with("manifest", &unreadable.manifest).with("reason", explain::no_manifest(&unreadable.reason)),
        );
    }
    report.versions.iter().filter_map(warning).for_each(|phrase| output.warn(&phrase));
    output.report(&report, text);
    Ok(match report.has_conflict() {
        true => ExitCode::from(status(Kind::Conflict)),
        false => ExitCode::SUCCESS,
    })
}

fn warning(found: &Found) -> Option<Phrase> {
    let phrase = match &found.state {
        State::Imported | State::Recorded => return None,
        State::Conflict { recorded } => Phrase::conflict("import.conflict").with("recorded", recorded),
        State::Ambiguous { packages } => {
            let packages: Vec<_> = packages.iter().map(Sha256::to_string).collect();
            Phrase::conflict("import.ambiguous").with("packages", packages.join(", "))
        }
        State::Incomplete { file } => Phrase::failed("import.incomplete").with("file", file),
    };
    Some(phrase.with("component", &found.component).with("version", &found.version).with("manifest", &found.manifest))
}

fn text(report: &Report) -> String {
    let is_new = |found: &&Found| found.state == State::Imported;
    let key = if report.dry_run { "import.would-add" } else { "import.added" };
    let name =
        |found: &Found| say(key, &[("component", found.component.to_string()), ("version", found.version.to_string())]);
    let mut lines: Vec<_> = report.versions.iter().filter(is_new).map(name).collect();
    let args = [
        ("count", lines.len().to_string()),
        ("all", report.versions.len().to_string()),
        ("target", report.target.clone()),
        ("commit", report.commit.as_deref().unwrap_or_default().chars().take(12).collect()),
        ("branch", report.branch.clone().unwrap_or_default()),
    ];
    let key = match (lines.is_empty(), report.dry_run) {
        (true, _) => "import.nothing",
        (false, true) => "import.would",
        (false, false) => "import.done",
    };
    lines.push(say(key, &args));
    lines.join("\n")
}

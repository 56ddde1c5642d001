//! `ship`

use std::path::PathBuf;

use super::{deploy, publish};
use crate::cli::args::{Global, Ship};
use crate::cli::explain::Explain;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Output;
use crate::cli::progress::Lines;
use crate::cli::settings;
use crate::cli::words::say;
use crate::ops::ship;

pub(super) fn run(
    global: &Global,
    args: &Ship,
    interrupt: &Interrupt,
    lines: &Lines,
    output: &Output,
) -> Result<(), Failure> {
    let dir: PathBuf = settings::working_directory()?.join(&args.dir).components().collect();
    let site = settings::site(global, &dir, "ship", output)?;
    interrupt.at(&site);
    let report = ship::ship(&site, settings::created_at(&site)?, args.dry.dry_run, &|progress| lines.tell(progress))?;
    for component in &report.components {
        component.warnings.iter().for_each(|trap| output.warn(&trap.explain()));
    }
    report.published.iter().for_each(|published| publish::warnings(published, output));
    if let Some(deployed) = &report.deployed {
        deploy::notes(deployed, output);
    }
    output.report(&report, |report| text(report, &site.root));
    Ok(())
}

fn text(report: &ship::Report, root: &std::path::Path) -> String {
    let mut lines = Vec::new();
    for component in &report.components {
        let key = match (component.unchanged, report.dry_run) {
            (true, _) => "ship.unchanged",
            (false, true) => "ship.would",
            (false, false) => "ship.packed",
        };
        let args = [("component", component.component.to_string()), ("version", component.version.to_string())];
        lines.push(say(key, &args));
    }
    lines.extend(report.published.iter().map(publish::text));
    if let Some(deployed) = &report.deployed {
        lines.push(deploy::text(deployed));
        if !report.dry_run {
            lines.push(say("ship.links", &[("path", root.join("links").display().to_string())]));
        }
    }
    lines.join("\n")
}

//! `links list|verify|repair`

use std::process::ExitCode;

use serde_json::json;

use super::tell_recovery;
use crate::cli::args::LinksCommands;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::words::say;
use crate::deploy::{LinkCheck, LinkState};
use crate::ops::{Site, links};

pub(super) fn run(site: &Site, args: &LinksCommands, output: &Output) -> Result<ExitCode, Failure> {
    match args {
        LinksCommands::List => {
            output.report(&links::check(site)?, |checks| list(checks));
            Ok(ExitCode::SUCCESS)
        }
        LinksCommands::Verify => {
            let checks = links::check(site)?;
            let wrong: Vec<_> = checks.iter().filter(|check| !check.is_ok()).cloned().collect();
            let json = json!({"checked": checks.len(), "wrong": wrong});
            output.report(&json, |_| verdict(&checks, &wrong));
            Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        LinksCommands::Repair(dry) => {
            let repaired = links::repair(site, dry.dry_run)?;
            tell_recovery(repaired.recovery, output);
            let json = json!({"wrong": repaired.wrong, "left": repaired.left, "dry_run": repaired.dry_run});
            output.report(&json, |_| repair(&repaired));
            Ok(if repaired.left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn list(checks: &[LinkCheck]) -> String {
    let rows = checks.iter().map(|check| {
        let target = check.target.as_ref().map(|target| target.display().to_string()).unwrap_or_default();
        [check.path.display().to_string(), target, state(&check.state)]
    });
    table(["column.link", "column.target", "column.state"], rows)
}

fn verdict(checks: &[LinkCheck], wrong: &[LinkCheck]) -> String {
    let count = ("count", checks.len().to_string());
    match wrong.is_empty() {
        true => say("links.ok", &[count]),
        false => format!("{}\n{}", list(wrong), say("links.wrong", &[("wrong", wrong.len().to_string()), count])),
    }
}

fn repair(repaired: &links::Repaired) -> String {
    let mended = repaired.wrong.len() - repaired.left.len().min(repaired.wrong.len());
    let key = if repaired.dry_run { "links.would-mend" } else { "links.mended" };
    let mut lines = vec![say(key, &[("count", mended.to_string())])];
    if !repaired.left.is_empty() {
        lines.extend([list(&repaired.left), say("links.left", &[("count", repaired.left.len().to_string())])]);
    }
    lines.join("\n")
}

fn state(state: &LinkState) -> String {
    match state {
        LinkState::Ok => say("link.ok", &[]),
        LinkState::Missing => say("link.missing", &[]),
        LinkState::WrongTarget { found } => say("link.wrong-target", &[("found", found.display().to_string())]),
        LinkState::Dangling => say("link.dangling", &[]),
        LinkState::Escaped { leads_to, .. } => say("link.escaped", &[("leads", leads_to.display().to_string())]),
        LinkState::Replaced => say("link.replaced", &[]),
        LinkState::Foreign { found } => say("link.foreign", &[("found", found.display().to_string())]),
        LinkState::Stray { found } => say("link.stray", &[("found", found.display().to_string())]),
    }
}

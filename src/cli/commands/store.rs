//! `store list|verify|gc`

use std::process::ExitCode;

use serde_json::json;

use crate::cli::args::StoreCommands;
use crate::cli::ask;
use crate::cli::explain;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::progress::Lines;
use crate::cli::words::{Phrase, say};
use crate::model::ByteSize;
use crate::ops::{Progress, Site, store};
use crate::store::{Damage, Entry, Plan};

pub(super) fn run(site: &Site, args: &StoreCommands, lines: &Lines, output: &Output) -> Result<ExitCode, Failure> {
    let progress = |progress: Progress<'_>| lines.tell(progress);
    match args {
        StoreCommands::List => {
            let entries = store::list(site)?;
            let json: Vec<_> = entries.iter().map(entry_json).collect();
            output.report(&json, |_| list(&entries));
            Ok(ExitCode::SUCCESS)
        }
        StoreCommands::Verify(args) => {
            let (verified, moved) = store::verify(site, args.set_aside && !args.dry.dry_run, &progress)?;
            let names: Vec<_> = verified.corrupt.iter().map(|corrupt| corrupt.sha256.to_string()).collect();
            let json = json!({
                "checked": verified.checked, "bytes": verified.bytes, "corrupt": names, "set_aside": moved,
            });
            for corrupt in &verified.corrupt {
                let found = match &corrupt.damage {
                    Damage::Digest { found, .. } => found.to_string(),
                    Damage::Unreadable(error) => explain::system(&error.source),
                };
                output.warn(&Phrase::refused("store.corrupt").with("sha256", corrupt.sha256).with("found", found));
            }
            let args = [
                ("count", verified.checked.to_string()),
                ("bytes", ByteSize(verified.bytes).to_string()),
                ("corrupt", verified.corrupt.len().to_string()),
            ];
            output.report(&json, |_| say(if names.is_empty() { "store.ok" } else { "store.corrupt-found" }, &args));
            Ok(if names.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(4) })
        }
        StoreCommands::Gc(args) => {
            ask::confirmed(&args.sure, &args.dry, || {
                let planned = store::gc(site, args.max_size, true, &progress)?;
                let count = planned.removed.len() + planned.leftovers.len();
                let words = [("count", count.to_string()), ("bytes", ByteSize(planned.frees()).to_string())];
                Ok((count > 0).then(|| say("ask.gc", &words)))
            })?;
            let plan = store::gc(site, args.max_size, args.dry.dry_run, &progress)?;
            let json = json!({
                "kept": plan.kept.iter().map(|(entry, _)| entry_json(entry)).collect::<Vec<_>>(),
                "removed": plan.removed.iter().map(|(entry, _)| entry_json(entry)).collect::<Vec<_>>(),
                "leftovers": plan.leftovers.len(), "frees": plan.frees(), "excess": plan.excess,
                "dry_run": args.dry.dry_run,
            });
            if plan.excess > 0 {
                output.warn(&Phrase::failed("store.excess").with("bytes", ByteSize(plan.excess)));
            }
            output.report(&json, |_| collected(&plan, args.dry.dry_run));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn entry_json(entry: &Entry) -> serde_json::Value {
    let held = entry.held.as_ref().map(|held| format!("{}@{}", held.component, held.version));
    json!({"sha256": entry.sha256, "size": entry.size, "last_used": entry.last_used, "unpublished": held, "unfinished": entry.unfinished})
}

fn list(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return say("store.empty", &[]);
    }
    let rows = entries.iter().map(|entry| {
        let held = entry.held.as_ref().map(|held| format!("{}@{}", held.component, held.version));
        let held = held.or_else(|| entry.unfinished.then(|| say("store.unfinished", &[])));
        [
            entry.sha256.to_string(),
            ByteSize(entry.size).to_string(),
            entry.last_used.map(|time| time.to_string()).unwrap_or_default(),
            held.unwrap_or_default(),
        ]
    });
    let total = ByteSize(entries.iter().map(|entry| entry.size).sum());
    let foot = say("store.total", &[("count", entries.len().to_string()), ("bytes", total.to_string())]);
    let table = table(["column.sha256", "column.size", "column.used", "column.unpublished"], rows);
    format!("{table}\n{foot}")
}

fn collected(plan: &Plan, dry_run: bool) -> String {
    let args = [
        ("count", (plan.removed.len() + plan.leftovers.len()).to_string()),
        ("bytes", ByteSize(plan.frees()).to_string()),
        ("kept", plan.kept.len().to_string()),
    ];
    say(if dry_run { "store.would-collect" } else { "store.collected" }, &args)
}

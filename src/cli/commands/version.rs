//! `version list|switch|pin|unpin|cleanup`

use serde_json::json;

use super::{release, tell_recovery};
use crate::cli::args::{Cleanup, OneVersion, VersionCommands};
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::words::say;
use crate::deploy::Reason;
use crate::model::ByteSize;
use crate::ops::{Site, versions};

pub(super) fn run(mut site: Site, args: &VersionCommands, output: &Output) -> Result<(), Failure> {
    match args {
        VersionCommands::List(args) => {
            let listed = versions::list(&site, args.component.as_ref())?;
            output.report(&listed, |listed| list(listed));
            Ok(())
        }
        VersionCommands::Switch(args) => {
            site.force = args.force;
            release::switch(&site, &args.to, output)
        }
        VersionCommands::Pin(args) => pin(&site, args, true, output),
        VersionCommands::Unpin(args) => pin(&site, args, false, output),
        VersionCommands::Cleanup(args) => cleanup(&site, args, output),
    }
}

fn list(listed: &[versions::Listed]) -> String {
    if listed.is_empty() {
        return say("version.none", &[]);
    }
    let rows = listed.iter().map(|version| {
        let states = [
            (version.current, "version.current"),
            (version.installed && !version.current, "version.installed"),
            (version.recorded, "version.recorded"),
            (version.yanked, "version.yanked"),
            (version.pinned, "version.pinned"),
            (version.bad.is_some(), "version.bad"),
        ];
        let state = states.into_iter().filter(|(is, _)| *is).map(|(_, key)| say(key, &[]));
        [
            version.component.to_string(),
            version.version.to_string(),
            state.collect::<Vec<_>>().join(", "),
            version.published_at.map(|time| time.to_string()).unwrap_or_default(),
            version.installed_at.map(|time| time.to_string()).unwrap_or_default(),
        ]
    });
    let header = ["column.component", "column.version", "column.state", "column.published", "column.installed"];
    table(header, rows)
}

fn pin(site: &Site, args: &OneVersion, pin: bool, output: &Output) -> Result<(), Failure> {
    let (changed, recovery) = versions::pin(site, &args.component, &args.version, pin, args.dry.dry_run)?;
    tell_recovery(recovery, output);
    let json = json!({
        "type": args.component, "version": args.version, "pinned": pin, "changed": changed, "dry_run": args.dry.dry_run,
    });
    let key = match (changed, pin, args.dry.dry_run) {
        (false, true, _) => "version.was-pinned",
        (false, false, _) => "version.was-unpinned",
        (true, true, false) => "version.now-pinned",
        (true, false, false) => "version.now-unpinned",
        (true, true, true) => "version.would-pin",
        (true, false, true) => "version.would-unpin",
    };
    let words = [("component", args.component.to_string()), ("version", args.version.to_string())];
    output.report(&json, |_| say(key, &words));
    Ok(())
}

fn cleanup(site: &Site, args: &Cleanup, output: &Output) -> Result<(), Failure> {
    let older_than = args.older_than.map(|span| span.0);
    let cleaned = versions::cleanup(site, args.component.as_ref(), args.keep, older_than, args.dry.dry_run)?;
    tell_recovery(cleaned.recovery, output);
    let decisions: Vec<_> = cleaned
        .decisions
        .iter()
        .map(|(decision, bytes)| {
            json!({
                "type": decision.candidate.component, "version": decision.candidate.version,
                "removed": decision.removes(), "reason": decision.reason, "bytes": bytes,
            })
        })
        .collect();
    let json = json!({"versions": decisions, "freed": cleaned.freed(), "dry_run": cleaned.dry_run});
    output.report(&json, |_| cleanup_text(&cleaned));
    Ok(())
}

fn cleanup_text(cleaned: &versions::Cleaned) -> String {
    let rows = cleaned.decisions.iter().map(|(decision, bytes)| {
        let what = match (decision.removes(), cleaned.dry_run) {
            (false, _) => say("cleanup.kept", &[]),
            (true, false) => say("cleanup.removed", &[]),
            (true, true) => say("cleanup.would-remove", &[]),
        };
        let size = if decision.removes() { ByteSize(*bytes).to_string() } else { String::new() };
        let candidate = &decision.candidate;
        [candidate.component.to_string(), candidate.version.to_string(), what, reason(&decision.reason), size]
    });
    let header = ["column.component", "column.version", "column.decision", "column.reason", "column.size"];
    let freed = ("bytes", ByteSize(cleaned.freed()).to_string());
    let foot = say(if cleaned.dry_run { "cleanup.would-free" } else { "cleanup.freed" }, &[freed]);
    let table = table(header, rows);
    if table.is_empty() { foot } else { format!("{table}\n{foot}") }
}

fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Current => say("reason.current", &[]),
        Reason::Parent => say("reason.parent", &[]),
        Reason::Pinned => say("reason.pinned", &[]),
        Reason::Newest => say("reason.newest", &[]),
        Reason::Young => say("reason.young", &[]),
        Reason::Needed { by, version } => {
            say("reason.needed", &[("component", by.to_string()), ("version", version.to_string())])
        }
        Reason::NotKept => say("reason.not-kept", &[]),
    }
}

//! `version list|switch|pin|unpin|cleanup`

use serde_json::json;

use super::{processes, release, tell_recovery};
use crate::cli::args::{Cleanup, OneVersion, VersionCommands};
use crate::cli::ask;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::progress::Lines;
use crate::cli::words::say;
use crate::deploy::Reason;
use crate::model::ByteSize;
use crate::ops::{Site, versions};

pub(super) fn run(mut site: Site, args: &VersionCommands, lines: &Lines, output: &Output) -> Result<(), Failure> {
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
        VersionCommands::Cleanup(args) => cleanup(&site, args, lines, output),
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

fn cleanup(site: &Site, args: &Cleanup, lines: &Lines, output: &Output) -> Result<(), Failure> {
    let request = versions::CleanupRequest {
        only: args.component.as_ref(),
        keep: args.keep,
        older_than: args.older_than.map(|span| span.0),
        force: args.force,
        dry_run: args.dry.dry_run,
    };
    ask::confirmed(&args.sure, &args.dry, || {
        let planned = versions::cleanup(site, versions::CleanupRequest { dry_run: true, ..request }, &|_| {})?;
        let count = planned.decisions.iter().filter(|(decision, _)| decision.removes()).count();
        let words = [("count", count.to_string()), ("bytes", ByteSize(planned.freed).to_string())];
        Ok((count > 0).then(|| say("ask.cleanup", &words)))
    })?;
    let cleaned = versions::cleanup(site, request, &|progress| lines.tell(progress))?;
    tell_recovery(cleaned.recovery, output);
    let decisions = cleaned.decisions.iter().map(|(decision, usage)| {
        json!({
            "type": decision.candidate.component, "version": decision.candidate.version,
            "removed": decision.removes(), "reason": decision.reason, "processes": decision.processes,
            "bytes": usage.own, "shared": usage.shared,
        })
    });
    let json = json!({
        "versions": decisions.collect::<Vec<_>>(), "freed": cleaned.freed, "at_most": cleaned.at_most,
        "unseen_processes": cleaned.unseen, "dry_run": cleaned.dry_run,
    });
    output.report(&json, |_| cleanup_text(&cleaned));
    // Only who is about to lose something has to know that not everybody could be asked.
    if cleaned.decisions.iter().any(|(decision, _)| decision.removes()) {
        processes::tell_unseen(cleaned.unseen, output);
    }
    Ok(())
}

fn cleanup_text(cleaned: &versions::Cleaned) -> String {
    let rows = cleaned.decisions.iter().map(|(decision, usage)| {
        let what = match (decision.removes(), cleaned.dry_run) {
            (false, _) => say("cleanup.kept", &[]),
            (true, false) => say("cleanup.removed", &[]),
            (true, true) => say("cleanup.would-remove", &[]),
        };
        let size = match (decision.removes(), usage.shared) {
            (false, _) => String::new(),
            (true, 0) => ByteSize(usage.own).to_string(),
            (true, shared) => say(
                "cleanup.size-shared",
                &[("own", ByteSize(usage.own).to_string()), ("shared", ByteSize(shared).to_string())],
            ),
        };
        let candidate = &decision.candidate;
        [candidate.component.to_string(), candidate.version.to_string(), what, reason(&decision.reason), size]
    });
    let header = ["column.component", "column.version", "column.decision", "column.reason", "column.size"];
    let mut lines = vec![table(header, rows)];
    for (decision, _) in &cleaned.decisions {
        let candidate = &decision.candidate;
        lines.extend(processes::lines(&candidate.component, &candidate.version, &decision.processes));
    }
    let freed = ("bytes", ByteSize(cleaned.freed).to_string());
    let foot = match (cleaned.dry_run, cleaned.at_most) {
        (true, false) => "cleanup.would-free",
        (true, true) => "cleanup.would-free-at-most",
        (false, false) => "cleanup.freed",
        (false, true) => "cleanup.freed-at-most",
    };
    lines.push(say(foot, &[freed]));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

pub(in crate::cli) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Current => say("reason.current", &[]),
        Reason::Parent => say("reason.parent", &[]),
        Reason::Pinned => say("reason.pinned", &[]),
        Reason::Newest => say("reason.newest", &[]),
        Reason::Young => say("reason.young", &[]),
        Reason::Needed { by, version } => {
            say("reason.needed", &[("component", by.to_string()), ("version", version.to_string())])
        }
        Reason::InUse => say("reason.in-use", &[]),
        Reason::NotKept => say("reason.not-kept", &[]),
    }
}

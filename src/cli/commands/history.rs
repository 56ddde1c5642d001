//! `history`

use crate::cli::args::History;
use crate::cli::explain;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::words::say;
use crate::deploy::{Action, Ending, Event, HistoryEntry, Line, Verified, What};
use crate::ops::{Site, status};

pub(super) fn run(site: &Site, args: &History, output: &Output) -> Result<(), Failure> {
    if args.verify {
        output.report(&status::verify_trail(site)?, verdict);
        return Ok(());
    }
    if args.all {
        output.report(&status::trail(site, args.limit)?, |lines| match lines.is_empty() {
            true => say("history.empty", &[]),
            false => trail(lines),
        });
        return Ok(());
    }
    let entries = status::history(site, args.at, args.limit)?;
    output.report(&entries, |entries| match entries.is_empty() {
        true => say("history.empty", &[]),
        false => text(entries),
    });
    Ok(())
}

fn verdict(verified: &Verified) -> String {
    let head = verified.head.map(|head| head.to_string()).unwrap_or_default();
    let mut lines = vec![say("history.whole", &[("lines", verified.lines.to_string()), ("head", head)])];
    if verified.unchained > 1 {
        lines.push(say("history.old-lines", &[("count", verified.unchained.to_string())]));
    }
    if verified.torn {
        lines.push(say("history.torn", &[]));
    }
    lines.join("\n")
}

fn text(entries: &[HistoryEntry]) -> String {
    table(HEADER, entries.iter().map(release))
}

fn trail(lines: &[Line]) -> String {
    let row = |line: &Line| match line {
        Line::Release(entry) => release(entry),
        Line::Event(event) => self::event(event),
    };
    table(HEADER, lines.iter().map(row))
}

fn event(event: &Event) -> [String; 5] {
    let what = match event.event {
        What::Release => "history.no-release",
        What::Confirm => "history.confirm",
        What::Pin => "history.pin",
        What::Unpin => "history.unpin",
        What::Cleanup => "history.cleanup",
        What::RepairLinks => "history.repair-links",
        What::RepairVersion => "history.repair-version",
    };
    let result = match event.result {
        Ending::Done => None,
        Ending::Failed => Some(say("history.failed", &[("reason", event.reason.clone().unwrap_or_default())])),
        Ending::Undone => Some(say("history.undone", &[])),
    };
    let links = event.links.iter().map(|link| link.display().to_string());
    let about: Vec<_> = event.versions.iter().cloned().chain(links).collect();
    [
        match (event.event, event.release) {
            (What::Release, Some(number)) => format!("({number})"),
            (_, number) => number.map(|number| number.to_string()).unwrap_or_default(),
        },
        event.at.to_string(),
        format!("{}{}", say(what, &[]), result.unwrap_or_default()),
        event.by.clone(),
        about.join(" "),
    ]
}

const HEADER: [&str; 5] = ["column.release", "column.at", "column.action", "column.by", "column.components"];

fn release(entry: &HistoryEntry) -> [String; 5] {
    let parts = entry.components.iter().map(|(component, c)| format!("{component}@{}", c.version));
    let restores = entry.restores.map(|n| say("history.restores", &[("release", n.to_string())]));
    let of = entry.environment.as_ref().map(|environment| {
        let key = if environment.resumed { "history.of-resumed" } else { "history.of" };
        say(key, &[("environment", environment.name.to_string())])
    });
    let because = entry.because.map(|because| say("history.because", &[("why", explain::why(because.why))]));
    let more = [restores, of, because].into_iter().flatten();
    [
        entry.release.to_string(),
        entry.at.to_string(),
        [action(entry.action)].into_iter().chain(more).collect(),
        entry.by.clone(),
        parts.collect::<Vec<_>>().join(" "),
    ]
}

pub(in crate::cli) fn action(action: Action) -> String {
    let key = match action {
        Action::Deploy => "history.deploy",
        Action::Switch => "history.switch",
        Action::Undeploy => "history.undeploy",
        Action::Rollback => "history.rollback",
    };
    say(key, &[])
}

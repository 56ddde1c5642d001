//! `history`

use crate::cli::args::History;
use crate::cli::explain;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::words::say;
use crate::deploy::{Action, HistoryEntry};
use crate::ops::{Site, status};

pub(super) fn run(site: &Site, args: &History, output: &Output) -> Result<(), Failure> {
    let entries = status::history(site, args.at, args.limit)?;
    output.report(&entries, |entries| match entries.is_empty() {
        true => say("history.empty", &[]),
        false => text(entries),
    });
    Ok(())
}

fn text(entries: &[HistoryEntry]) -> String {
    let rows = entries.iter().map(|entry| {
        let parts = entry.components.iter().map(|(component, c)| format!("{component}@{}", c.version));
        let action = match entry.action {
            Action::Deploy => "history.deploy",
            Action::Switch => "history.switch",
            Action::Rollback => "history.rollback",
        };
        let restores = entry.restores.map(|n| say("history.restores", &[("release", n.to_string())]));
        let because = entry.because.map(|because| say("history.because", &[("why", explain::why(because.why))]));
        [
            entry.release.to_string(),
            entry.at.to_string(),
            format!("{}{}{}", say(action, &[]), restores.unwrap_or_default(), because.unwrap_or_default()),
            entry.by.clone(),
            parts.collect::<Vec<_>>().join(" "),
        ]
    });
    table(["column.release", "column.at", "column.action", "column.by", "column.components"], rows)
}

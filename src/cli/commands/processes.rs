//! The lines about running processes that use a version.

use crate::cli::output::Output;
use crate::cli::words::{Phrase, say};
use crate::fsx::Process;
use crate::model::{ComponentType, Version};
use crate::ops::{Site, change, users};

/// More processes of one version are counted, not named: a pool of workers is one thing to restart.
const NAMED: usize = 10;

/// A line a process.
pub(super) fn lines(component: &ComponentType, version: &Version, processes: &[Process]) -> Vec<String> {
    let named = processes.iter().take(NAMED).map(|process| {
        let args = [
            ("component", component.to_string()),
            ("version", version.to_string()),
            ("pid", process.pid.to_string()),
            ("name", process.name.clone()),
            ("user", process.user.clone()),
            ("path", process.path.display().to_string()),
        ];
        say("processes.uses", &args)
    });
    let mut lines: Vec<_> = named.collect();
    if let Some(more) = processes.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let args =
            [("component", component.to_string()), ("version", version.to_string()), ("count", more.to_string())];
        lines.push(say("processes.more", &args));
    }
    lines
}

/// Says that not every process could be looked into.
pub(super) fn tell_unseen(unseen: Option<u64>, output: &Output) {
    match unseen {
        Some(0) => {}
        Some(count) => output.warn(&Phrase::failed("processes.unseen").with("count", count)),
        None => output.warn(&Phrase::failed("processes.hidden")),
    }
}

/// Prints the report of a release with `print`, and names the processes that still use what it replaced: in the one JSON
/// document, or after the text, since looking for them takes longer than a switch.
pub(super) fn with_users<R: AsMut<change::Report>>(
    site: &Site,
    mut report: R,
    output: &Output,
    print: impl FnOnce(&R),
) {
    // The release is made: that nobody can be looked at is no failure of it.
    let look = |report: &change::Report| users::of_replaced(site, report).ok().flatten();
    if output.is_json() {
        let change = report.as_mut();
        change.still_used = look(change);
    }
    print(&report);
    if output.tells_notes() && !output.is_json() {
        tell_users(look(report.as_mut()), output);
    }
}

fn tell_users(used: Option<users::StillUsed>, output: &Output) {
    let versions = used.map(|used| used.versions).unwrap_or_default();
    for used in &versions {
        for line in lines(&used.component, &used.version, &used.processes) {
            output.note_text(&line);
        }
    }
    if !versions.is_empty() {
        output.note("processes.restart", &[]);
    }
}

//! `deploy --env NAME --watch`: looks again and again until a signal ends it, between two transactions.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{deploy, metrics, processes};
use crate::cli::explain;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::progress::Lines;
use crate::cli::settings;
use crate::cli::words::{Phrase, say};
use crate::ops::Site;
use crate::ops::deploy::{Follow, Report};
use crate::ops::watch::{Look, Watch};

/// Looks at once and then `every` so long. A line a change on stdout; what fails is told on stderr, once, and tried again.
pub(super) fn run(
    mut site: Site,
    follow: Follow,
    every: Duration,
    lines: &Lines,
    output: &Output,
) -> Result<(), Failure> {
    let end = end()?;
    let mut watch = Watch::new(follow);
    let mut failed = String::new();
    loop {
        (site.caller.now, site.caller.began) = (settings::now()?, Instant::now());
        match watch.look(&site, &|progress| lines.tell(progress)) {
            Ok(look) => {
                failed.clear();
                tell(look, &site, output);
            }
            Err(error) => {
                let failure = Failure::from(error);
                let text = failure.phrase().text();
                if failed != text {
                    trouble("error", failure, output);
                    failed = text;
                }
            }
        }
        match end.recv_timeout(every) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// Gets a word at the first SIGINT or SIGTERM. The second does what it always did: whoever is in a hurry is let go, and what
/// is under way then is finished or undone by the next command.
fn end() -> Result<Receiver<()>, Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|e| Failure::of(Phrase::failed("watch.signals").with("reason", explain::system(&e))))?;
    let (sender, end) = mpsc::channel();
    std::thread::spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 || sender.send(()).is_err() {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    });
    Ok(end)
}

fn tell(look: Look, site: &Site, output: &Output) {
    match look {
        Look::Quiet => {}
        Look::Deployed(report) => {
            deploy::notes(&report, output);
            processes::with_users(site, *report, output, |report| {
                let mut document = serde_json::to_value(report).unwrap_or_default();
                event(&mut document, "deployed");
                output.line(&document, Some(&line(report, site)));
            });
            metrics::publish(output);
        }
        Look::Held(held) => trouble("held", held.into(), output),
    }
}

/// Tells of something that kept the environment from being deployed.
fn trouble(kind: &str, failure: Failure, output: &Output) {
    let mut document = failure.document();
    event(&mut document, kind);
    output.warn(failure.phrase());
    output.line(&document, None);
}

fn event(document: &mut Value, kind: &str) {
    if let Value::Object(fields) = document {
        fields.insert("event".to_owned(), json!(kind));
    }
}

fn line(report: &Report, site: &Site) -> String {
    let changes: Vec<_> = report.change.changed.iter().map(explain::moved).collect();
    let environment = report.environment.as_ref();
    let args = [
        ("at", site.caller.now.to_string()),
        ("environment", environment.map(|environment| environment.name.to_string()).unwrap_or_default()),
        ("serial", environment.map(|environment| environment.serial.to_string()).unwrap_or_default()),
        ("commit", report.commit.as_deref().unwrap_or_default().chars().take(12).collect()),
        ("changes", changes.join(", ")),
        ("release", report.change.release.unwrap_or_default().to_string()),
    ];
    say(if changes.is_empty() { "watch.same" } else { "watch.deployed" }, &args)
}

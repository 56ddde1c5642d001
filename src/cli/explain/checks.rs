//! Sentences for what hooks and health checks said, and for releases that do not stand.

use super::Explain;
use crate::cli::words::{Phrase, say};
use crate::deploy::{Check, Outcome, Run, Why};
use crate::ops::release::{Aftermath, Cause, Fallen};

/// Why a release does not stand, in a word.
pub fn why(why: Why) -> String {
    let key = match why {
        Why::Unhealthy => "why.unhealthy",
        Why::Unconfirmed => "why.unconfirmed",
        Why::Links => "why.links",
    };
    say(key, &[])
}

/// A warning of a hook that failed and stopped nothing.
pub fn said_no(run: &Run) -> Phrase {
    with_run(Phrase::unhealthy("check.passed-over"), run)
}

/// Adds what was run, what came of it and what it said.
pub(super) fn with_run(phrase: Phrase, run: &Run) -> Phrase {
    phrase.with("what", &run.what).with("outcome", outcome(run)).with("output", output(run))
}

fn outcome(run: &Run) -> String {
    let (key, value) = match &run.outcome {
        Outcome::Ok => ("check.ok", String::new()),
        Outcome::Exit(status) => ("check.exit", status.to_string()),
        Outcome::Signal(number) => ("check.signal", number.to_string()),
        Outcome::TimedOut => ("check.timed-out", format!("{:.1}", run.milliseconds as f64 / 1000.0)),
        Outcome::NotStarted(reason) => ("check.not-started", reason.clone()),
        Outcome::Answered(status) => ("check.answered", status.to_string()),
        Outcome::Unreachable(reason) => ("check.unreachable", reason.clone()),
    };
    say(key, &[("value", value)])
}

/// What it said, each line indented, from the line after on.
fn output(run: &Run) -> String {
    run.output.trim_end().lines().map(|line| format!("\n  {line}")).collect()
}

impl Explain for Cause {
    fn explain(&self) -> Phrase {
        match self {
            Cause::Run(run) => {
                let key = if run.check == Check::Health { "fallen.health" } else { "fallen.hook" };
                with_run(Phrase::unhealthy(key), run)
            }
            Cause::Earlier => Phrase::unhealthy("fallen.earlier"),
            Cause::Unconfirmed(until) => Phrase::unhealthy("fallen.unconfirmed").with("until", until),
            Cause::Link(error) => error.explain(),
        }
    }
}

impl Explain for Fallen {
    fn explain(&self) -> Phrase {
        let marked = self.marked.iter().map(|(component, version)| format!("{component}@{version}"));
        let phrase = match &self.aftermath {
            Aftermath::Undone { by, failed: None } => {
                Phrase::unhealthy(if self.marked.is_empty() { "fallen.undone" } else { "fallen.undone-marked" })
                    .with("by", by)
            }
            Aftermath::Undone { by, failed: Some(run) } => {
                with_run(Phrase::unhealthy("fallen.undone-badly").with("by", by), run)
            }
            Aftermath::Stays => Phrase::unhealthy("fallen.stays"),
            Aftermath::NotUndone(error) => {
                Phrase::unhealthy("fallen.not-undone").with("reason", error.explain().text())
            }
        };
        let phrase = phrase.with("release", self.release).with("cause", self.cause.explain().text());
        phrase.with("marked", marked.collect::<Vec<_>>().join(", "))
    }
}

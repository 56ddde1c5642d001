//! The health check: looks again and again until the service has been healthy for so long, or its time is over.

use std::io;
use std::time::{Duration, Instant};

use super::hooks::{Scene, milliseconds};
use crate::config::{Health, Probe};
use crate::deploy::{Check, Outcome, Run};
use crate::target::{Fault, ask_port, ask_web};

/// The longest that one look may take, so that a service that hangs while it starts is asked again.
const LOOK: Duration = Duration::from_secs(10);

/// Waits for the end of the check: the last look, or the one that says best why it failed.
pub(super) fn wait(scene: &Scene<'_>, health: &Health) -> Run {
    let begun = Instant::now();
    let mut healthy_since = None;
    let mut failed: Option<Run> = None;
    loop {
        let asked = Instant::now();
        let limit = health.timeout.saturating_sub(begun.elapsed()).min(LOOK);
        let run = look(scene, &health.probe, limit);
        let mut wait = health.interval;
        if run.outcome == Outcome::Ok {
            let healthy = healthy_since.get_or_insert(asked).elapsed();
            if healthy >= health.healthy_for {
                return Run { milliseconds: milliseconds(begun.elapsed()), ..run };
            }
            wait = wait.min(health.healthy_for - healthy);
        } else {
            healthy_since = None;
            // That a look was cut short says less than the one before it.
            if run.outcome != Outcome::TimedOut || failed.is_none() {
                failed = Some(run.clone());
            }
        }
        let left = health.timeout.saturating_sub(begun.elapsed());
        if left.is_zero() {
            let late = Run { outcome: Outcome::TimedOut, ..run };
            return Run { milliseconds: milliseconds(begun.elapsed()), ..failed.unwrap_or(late) };
        }
        std::thread::sleep(wait.min(left));
    }
}

fn look(scene: &Scene<'_>, probe: &Probe, limit: Duration) -> Run {
    if limit.is_zero() {
        return seen(probe.shown(), Outcome::TimedOut);
    }
    match probe {
        Probe::Command(program) => scene.program(Check::Health, program, limit),
        Probe::Http { url, shown } => seen(
            shown,
            match ask_web(url, limit) {
                Ok(200..=299) => Outcome::Ok,
                Ok(status) => Outcome::Answered(status),
                Err(Fault::Stalled { .. }) => Outcome::TimedOut,
                Err(fault) => Outcome::Unreachable(fault.to_string()),
            },
        ),
        Probe::Tcp(address) => seen(
            address,
            match ask_port(address, limit) {
                Ok(()) => Outcome::Ok,
                Err(e) if e.kind() == io::ErrorKind::TimedOut => Outcome::TimedOut,
                Err(e) => Outcome::Unreachable(e.to_string()),
            },
        ),
    }
}

fn seen(what: &str, outcome: Outcome) -> Run {
    Run { check: Check::Health, what: what.to_owned(), outcome, milliseconds: 0, output: String::new() }
}

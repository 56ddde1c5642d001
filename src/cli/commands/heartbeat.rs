//! `record heartbeat`

use crate::cli::args::RecordHeartbeat;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::words::say;
use crate::ops::Site;
use crate::ops::trust::{self, Beaten};

pub(super) fn run(site: &Site, args: &RecordHeartbeat, output: &Output) -> Result<(), Failure> {
    output.report(&trust::renew(site, args.dry.dry_run)?, text);
    Ok(())
}

fn text(beaten: &Beaten) -> String {
    let args = [
        ("at", beaten.at.to_string()),
        ("serial", beaten.serial.to_string()),
        ("key", beaten.fingerprint.map(|key| key.to_string()).unwrap_or_default()),
        ("commit", beaten.commit.as_deref().unwrap_or_default().chars().take(12).collect()),
        ("branch", beaten.branch.clone().unwrap_or_default()),
    ];
    say(if beaten.dry_run { "heartbeat.would" } else { "heartbeat.done" }, &args)
}

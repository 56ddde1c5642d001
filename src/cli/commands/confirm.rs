//! `confirm`

use super::tell_recovery;
use crate::cli::args::Confirm;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::words::say;
use crate::ops::Site;
use crate::ops::settle::{self, Report, Verdict};

pub(super) fn run(site: &Site, args: &Confirm, output: &Output) -> Result<(), Failure> {
    let dry_run = args.dry.dry_run;
    let report = if args.expire { settle::expire(site, dry_run)? } else { settle::confirm(site, dry_run)? };
    tell_recovery(report.recovery, output);
    output.report(&report, text);
    Ok(())
}

fn text(report: &Report) -> String {
    let release = ("release", report.release.unwrap_or_default().to_string());
    match (report.verdict, report.dry_run) {
        (Verdict::Confirmed, false) => say("confirm.done", &[release]),
        (Verdict::Confirmed, true) => say("confirm.would", &[release]),
        (Verdict::WasConfirmed, _) => say("confirm.was", &[release]),
        (Verdict::OnTrial { until }, _) => say("confirm.on-trial", &[release, ("until", until.to_string())]),
        (Verdict::Nothing, _) => say("confirm.nothing", &[]),
        (Verdict::WouldCheck, _) => say("confirm.would-check", &[release]),
        (Verdict::WouldUndo, _) => say("confirm.would-undo", &[release]),
    }
}

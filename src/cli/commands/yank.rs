//! `record yank`

use super::trust;
use crate::cli::args::RecordYank;
use crate::cli::ask;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::words::say;
use crate::ops::Site;
use crate::ops::record::{self, Yanked};

pub(super) fn run(site: &Site, args: &RecordYank, output: &Output) -> Result<(), Failure> {
    ask::confirmed(&args.sure, &args.dry, || {
        let planned = record::yank(site, &args.reference, &args.reason, true)?;
        let words = [("component", planned.component.to_string()), ("version", planned.version.to_string())];
        Ok((!planned.unchanged).then(|| say("ask.yank", &words)))
    })?;
    let report = record::yank(site, &args.reference, &args.reason, args.dry.dry_run)?;
    trust::tell_missing(&report.missing, output);
    output.report(&report, text);
    Ok(())
}

fn text(report: &Yanked) -> String {
    let args = [
        ("component", report.component.to_string()),
        ("version", report.version.to_string()),
        ("reason", report.yanked.reason.clone()),
        ("at", report.yanked.at.to_string()),
        ("by", report.yanked.by.clone()),
        ("commit", report.commit.as_deref().unwrap_or_default().chars().take(12).collect()),
        ("branch", report.branch.clone().unwrap_or_default()),
    ];
    let key = match (report.unchanged, report.dry_run) {
        (true, _) => "yank.unchanged",
        (false, true) => "yank.would",
        (false, false) => "yank.done",
    };
    say(key, &args)
}

//! `record sign` and `record verify`

use std::process::ExitCode;

use crate::cli::args::{RecordSign, RecordVerify};
use crate::cli::explain;
use crate::cli::failure::{Failure, status};
use crate::cli::output::Output;
use crate::cli::settings;
use crate::cli::words::{Kind, Phrase, say};
use crate::model::Lack;
use crate::ops::Site;
use crate::ops::trust::{self, Report, SignedWhat, Verified};

pub(super) fn sign(site: &Site, args: &RecordSign, output: &Output) -> Result<(), Failure> {
    let site = with_key(site.clone(), args.sign.as_deref())?;
    let what = match (&args.reference, &args.env) {
        (Some(reference), _) if args.yank => SignedWhat::Yank(reference.clone()),
        (Some(reference), _) => SignedWhat::Manifest(reference.clone()),
        (None, Some(name)) => SignedWhat::Environment(name.clone()),
        (None, None) => SignedWhat::Policy,
    };
    let signed = trust::sign(&site, &what, args.dry.dry_run)?;
    tell_missing(&signed.missing, output);
    output.report(&signed, |signed| {
        let args = [
            ("file", signed.file.clone()),
            ("key", signed.fingerprint.map(|key| key.to_string()).unwrap_or_default()),
            ("commit", signed.commit.as_deref().unwrap_or_default().chars().take(12).collect()),
            ("branch", signed.branch.clone().unwrap_or_default()),
        ];
        let key = match (signed.dry_run, signed.unchanged) {
            (true, _) => "sign.would",
            (false, true) => "sign.unchanged",
            (false, false) => "sign.done",
        };
        say(key, &args)
    });
    Ok(())
}

/// The site with the key that `--sign` names; without a name the configured one has to be there.
pub(super) fn with_key(mut site: Site, given: Option<&str>) -> Result<Site, Failure> {
    match given {
        None => {}
        Some("") if site.config.records.sign.is_some() => {}
        Some("") => return Err(Failure::of(Phrase::usage("trust.no-key"))),
        Some(key) => site.config.records.sign = Some(settings::working_directory()?.join(key)),
    }
    Ok(site)
}

/// Warns of signatures that hosts will wait for.
pub(super) fn tell_missing(missing: &[Lack], output: &Output) {
    for lack in missing {
        output.warn(&Phrase::refused("sign.missing").with("what", explain::missing(lack)));
    }
}

pub(super) fn verify(site: &Site, args: &RecordVerify, output: &Output) -> Result<ExitCode, Failure> {
    let report = trust::verify(site, &args.references, args.at.as_deref())?;
    if !report.configured {
        output.warn(&Phrase::refused("record-verify.not-configured"));
    }
    output.report(&report, text);
    Ok(if report.is_trusted() { ExitCode::SUCCESS } else { ExitCode::from(status(Kind::Refused)) })
}

fn text(report: &Report) -> String {
    let lines = report.files.iter().flat_map(file);
    let bad = report.files.iter().filter(|file| !file.trusted).count();
    let args = [("count", report.files.len().to_string()), ("bad", bad.to_string())];
    let total = say(if bad == 0 { "record-verify.all-trusted" } else { "record-verify.not-trusted" }, &args);
    lines.chain([total]).collect::<Vec<_>>().join("\n")
}

fn file(verified: &Verified) -> Vec<String> {
    let args =
        [("file", verified.file.clone()), ("people", verified.people.to_string()), ("need", verified.need.to_string())];
    let mut lines = vec![say(if verified.trusted { "record-verify.good" } else { "record-verify.bad" }, &args)];
    for line in &verified.signatures {
        let key = line.fingerprint.map_or_else(|| line.file.clone(), |fingerprint| fingerprint.to_string());
        lines.push(match &line.refused {
            None => say("record-verify.signed", &[("key", key), ("who", line.principals.clone().unwrap_or_default())]),
            Some(why) => say("record-verify.refused", &[("key", key), ("why", explain::reason(why))]),
        });
    }
    lines.extend(verified.missing.iter().map(|lack| say("record-verify.missing", &[("what", explain::missing(lack))])));
    lines
}

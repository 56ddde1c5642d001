//! `doctor`

use std::process::ExitCode;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use crate::cli::args::{Doctor, Global};
use crate::cli::explain::{self, Explain as _};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::paint::Ink;
use crate::cli::progress::Lines;
use crate::cli::settings;
use crate::cli::words::{say, say_with};
use crate::model::ByteSize;
use crate::ops::doctor::{self, Fact, Finding, Fix, Fixed, Options, Report, Severity};

/// How many columns a severity takes.
const SEVERITY: usize = 8;

pub(super) fn run(global: &Global, args: &Doctor, lines: &Lines, output: &Output) -> Result<ExitCode, Failure> {
    let (site, configured) = settings::survey(global, &settings::working_directory()?, "doctor")?;
    // It takes no lock and fetches nothing: whether the remote answers is a question of its own.
    let site = site.unfetched();
    output.log().configure(&site.config.log);
    output.measure(&site);
    output.follow(&site.notices);
    let options = Options { deep: args.deep, offline: args.offline, fix: args.fix, dry_run: args.dry_run };
    let report = doctor::doctor(&site, &configured, options, &|progress| lines.tell(progress))?;
    let tool = tool(global);
    let told: Vec<_> = report.findings.iter().map(|finding| Told::of(finding, &tool)).collect();
    let count = |severity| report.count(severity);
    let json = json!({
        "root": site.root,
        "findings": report.findings.iter().zip(&told).map(|(finding, told)| told.json(finding)).collect::<Vec<_>>(),
        "counts": {
            "ok": count(Severity::Ok), "info": count(Severity::Info),
            "warning": count(Severity::Warning), "error": count(Severity::Error),
        },
        "fixed": report.fixed.iter().map(|fixed| done(*fixed)).collect::<Vec<_>>(),
        "would_fix": report.would.iter().map(|fix| planned(*fix)).collect::<Vec<_>>(),
        "dry_run": args.dry_run,
    });
    output.report(&json, |_| text(&report, &told, global.logging.verbose));
    Ok(if count(Severity::Error) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The words of a finding.
pub(in crate::cli) struct Told {
    pub what: String,
    pub why: Option<String>,
    pub command: Option<String>,
    pub hint: Option<String>,
}

impl Told {
    pub fn of(finding: &Finding, tool: &str) -> Self {
        let key = format!("doctor.{}", finding.id);
        let args: Vec<_> = finding.facts.iter().map(|(name, fact)| (*name, words(fact))).collect();
        let mut arguments: Vec<_> = finding.facts.iter().map(|(name, fact)| (*name, argument(fact))).collect();
        arguments.push(("tool", tool.to_owned()));
        let part = |part: &str| say_with(&format!("{key}.{part}"), &args);
        let error = finding.facts.iter().find_map(|(_, fact)| match fact {
            Fact::Error(error) => error.explain().hint(),
            Fact::Config(error) => error.explain().hint(),
            _ => None,
        });
        Self {
            what: say_with(&key, &args).unwrap_or_else(|| finding.id.to_owned()),
            why: part("why"),
            command: say_with(&format!("{key}.mend"), &arguments),
            // What the error itself advises knows more.
            hint: error.or_else(|| part("hint")),
        }
    }

    pub fn json(&self, finding: &Finding) -> Value {
        let facts = finding.facts.iter().map(|(name, fact)| ((*name).to_owned(), value(fact)));
        json!({
            "id": finding.id, "severity": finding.severity, "what": self.what, "why": self.why,
            "mend": self.command, "hint": self.hint, "fixable": finding.fix.is_some(),
            "facts": facts.collect::<serde_json::Map<_, _>>(),
        })
    }
}

fn text(report: &Report, told: &[Told], verbose: bool) -> String {
    let mut lines: Vec<String> = report.fixed.iter().map(|fixed| fixed_line(*fixed)).collect();
    lines.extend(report.would.iter().map(|fix| match fix {
        Fix::Recover => say("doctor.would-recover", &[]),
        Fix::Links => say("doctor.would-links", &[]),
        Fix::Store => say("doctor.would-store", &[]),
    }));
    for (finding, told) in report.findings.iter().zip(told) {
        if finding.severity == Severity::Ok && !verbose {
            continue;
        }
        let word = severity(finding.severity);
        let gap = " ".repeat(SEVERITY.saturating_sub(word.width()));
        lines.push(format!("{} {}", painted(finding.severity, word + &gap), told.what));
        if finding.severity != Severity::Ok {
            let indented = |line: String| format!("         {}", line.replace('\n', "\n         "));
            let why = told.why.clone().map(|words| say("doctor.why", &[("words", words)]));
            let mend = told.command.clone().or_else(|| told.hint.clone());
            let mend = mend.map(|words| say("doctor.mend", &[("words", words)]));
            lines.extend(why.into_iter().chain(mend).map(indented));
        }
    }
    let count = |severity| report.count(severity).to_string();
    let healthy = report.count(Severity::Ok) == report.findings.len();
    let args = [
        ("all", report.findings.len().to_string()),
        ("error", count(Severity::Error)),
        ("warning", count(Severity::Warning)),
        ("info", count(Severity::Info)),
        ("ok", count(Severity::Ok)),
    ];
    lines.push(say(if healthy { "doctor.healthy" } else { "doctor.summary" }, &args));
    lines.join("\n")
}

pub(in crate::cli) fn severity(severity: Severity) -> String {
    let key = match severity {
        Severity::Ok => "doctor.severity-ok",
        Severity::Info => "doctor.severity-info",
        Severity::Warning => "doctor.severity-warning",
        Severity::Error => "doctor.severity-error",
    };
    say(key, &[])
}

fn painted(severity: Severity, words: String) -> String {
    match severity {
        Severity::Ok => Ink::Good.paint(words),
        Severity::Info => words,
        Severity::Warning => Ink::Warning.paint(words),
        Severity::Error => Ink::Error.paint(words),
    }
}

fn fixed_line(fixed: Fixed) -> String {
    let release = |number: u64| ("release", number.to_string());
    let count = |number: usize| ("count", number.to_string());
    match fixed {
        Fixed::Undone(number) => say("doctor.fixed-undone", &[release(number)]),
        Fixed::Finished(number) => say("doctor.fixed-finished", &[release(number)]),
        Fixed::CleanedUp => say("doctor.fixed-cleaned-up", &[]),
        Fixed::Swept(number) => say("doctor.fixed-swept", &[count(number)]),
        Fixed::Links(number) => say("doctor.fixed-links", &[count(number)]),
        Fixed::Store(number, bytes) => {
            say("doctor.fixed-store", &[count(number), ("bytes", ByteSize(bytes).to_string())])
        }
    }
}

fn done(fixed: Fixed) -> Value {
    match fixed {
        Fixed::Undone(release) => json!({"fix": "undone", "release": release}),
        Fixed::Finished(release) => json!({"fix": "finished", "release": release}),
        Fixed::CleanedUp => json!({"fix": "cleaned-up"}),
        Fixed::Swept(count) => json!({"fix": "swept", "count": count}),
        Fixed::Links(count) => json!({"fix": "links", "count": count}),
        Fixed::Store(count, bytes) => json!({"fix": "store", "count": count, "bytes": bytes}),
    }
}

fn planned(fix: Fix) -> &'static str {
    match fix {
        Fix::Recover => "recover",
        Fix::Links => "links",
        Fix::Store => "store",
    }
}

/// A fact as a sentence has it.
fn words(fact: &Fact) -> String {
    match fact {
        Fact::Text(text) => text.clone(),
        Fact::None => say("config.none", &[]),
        Fact::Path(path) => path.display().to_string(),
        Fact::Number(number) => number.to_string(),
        Fact::Bytes(bytes) => ByteSize(*bytes).to_string(),
        Fact::Mode(mode) => format!("{mode:04o}"),
        Fact::Time(time) => time.to_string(),
        Fact::System(code) => explain::system(&std::io::Error::from_raw_os_error(*code)),
        Fact::Error(error) => error.explain().text(),
        Fact::Config(error) => error.explain().text(),
    }
}

/// A fact as the document has it.
fn value(fact: &Fact) -> Value {
    match fact {
        Fact::None => Value::Null,
        Fact::Number(number) | Fact::Bytes(number) => json!(number),
        other => json!(words(other)),
    }
}

/// A fact as a word of a command.
fn argument(fact: &Fact) -> String {
    quoted(&words(fact))
}

/// The program with the places it was given, so that a command that mends goes to the same ones.
pub(in crate::cli) fn tool(global: &Global) -> String {
    let places = [
        ("--config", &global.config),
        ("--root", &global.root),
        ("--records", &global.records),
        ("--store", &global.store),
    ];
    let given = places.iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)));
    let given = given.map(|(flag, path)| format!(" {flag} {}", quoted(&path.display().to_string())));
    std::iter::once("deploy-tool".to_owned()).chain(given).collect()
}

/// One word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/@=+:,-".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

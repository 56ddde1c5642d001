//! Sentences for what is not signed as it should be, not allowed, or older than what was seen.

use super::Explain;
use crate::cli::words::{Phrase, say};
use crate::model::Lack;
use crate::ops::trust::Distrust;
use crate::trust::{Fault, Rejected, RevokedError, SignError, SignatureError, Why};

impl Explain for Distrust {
    fn explain(&self) -> Phrase {
        match self {
            Distrust::Signers { path, source } => Phrase::usage(match source.fault {
                Fault::CertAuthority => "trust.cert-authority",
                Fault::LocalTime(_) => "trust.local-time",
                _ => "trust.signers",
            })
            .path("path", path)
            .with("line", source.line)
            .with("reason", fault(&source.fault)),
            Distrust::Revoked { path, source } => Phrase::usage(match source {
                RevokedError::Krl => "trust.krl",
                _ => "trust.revoked-list",
            })
            .path("path", path)
            .with("reason", revoked(source)),
            Distrust::NotSigned { what, need, people, rejected } => {
                Phrase::refused(match (people.len(), rejected.len()) {
                    (0, 0) => "trust.unsigned",
                    _ => "trust.not-signed",
                })
                .with("what", what)
                .with("need", need)
                .with("have", people.len())
                .with("found", found(people, rejected))
            }
            Distrust::Denied { what, lacks, people, rejected } => Phrase::refused("trust.denied")
                .with("what", what)
                .with("lacks", all_missing(lacks))
                .with("found", found(people, rejected)),
            Distrust::NoPolicy { repository: Some(path) } => Phrase::refused("trust.no-policy").path("path", path),
            Distrust::NoPolicy { repository: None } => Phrase::refused("trust.no-policy-without-git"),
            Distrust::NobodyKnown { lacks } => Phrase::refused("trust.nobody-known").with("lacks", all_missing(lacks)),
            Distrust::NoKey => Phrase::usage("trust.no-key"),
            Distrust::NothingToSign { what } => Phrase::not_found("trust.nothing-to-sign").with("what", what),
            Distrust::Sign(error) => match error {
                SignError::NotRun(error) => Phrase::failed("trust.no-ssh-keygen")
                    .path("program", &error.program)
                    .with("reason", super::system(&error.source)),
                SignError::TimedOut => Phrase::failed("trust.sign-timeout"),
                SignError::Refused(reason) => Phrase::failed("trust.sign").with("reason", reason),
                SignError::Unusable { algorithm } => Phrase::usage("trust.unusable-key").with("algorithm", algorithm),
            },
            Distrust::Rewritten { branch, old, new } => Phrase::refused("trust.rewritten")
                .with("branch", branch)
                .with("old", short(old))
                .with("new", short(new)),
            Distrust::OtherRewrite { branch, old, new } => Phrase::refused(match old {
                Some(_) => "trust.other-rewrite",
                None => "trust.nothing-seen",
            })
            .with("branch", branch)
            .with("old", old.as_deref().map(short).unwrap_or_default())
            .with("new", short(new)),
            Distrust::NoHeartbeat { repository } => Phrase::refused("trust.no-heartbeat").path("path", repository),
            Distrust::Stale { at, now, max_age } => Phrase::refused(match at > now {
                true => "trust.heartbeat-ahead",
                false => "trust.heartbeat-stale",
            })
            .with("at", at)
            .with("now", now)
            .with("max_age", max_age),
            Distrust::SerialFell { environment, serial, seen } => Phrase::refused("trust.serial-fell")
                .with("environment", environment)
                .with("serial", serial)
                .with("seen", seen),
        }
    }
}

/// What is wrong with a line of the allowed signers.
fn fault(fault: &Fault) -> String {
    let text = |key, text: &str| say(key, &[("text", text.to_owned())]);
    match fault {
        Fault::NotText => say("signers.not-text", &[]),
        Fault::Quote => say("signers.quote", &[]),
        Fault::NoKey => say("signers.no-key", &[]),
        Fault::Key(reason) => say("signers.key", &[("reason", reason.clone())]),
        Fault::CertAuthority => say("signers.cert-authority", &[]),
        Fault::Option(option) => text("signers.option", option),
        Fault::Twice(option) => text("signers.twice", option),
        Fault::Unquoted(option) => text("signers.unquoted", option),
        Fault::Time(time) => text("signers.time", time),
        Fault::LocalTime(time) => text("signers.local-time", time),
        Fault::NeverValid => say("signers.never-valid", &[]),
    }
}

fn revoked(error: &RevokedError) -> String {
    match error {
        RevokedError::Krl => say("signers.krl", &[]),
        RevokedError::NotText => say("signers.not-text", &[]),
        RevokedError::Key { line, reason } => {
            say("signers.revoked-key", &[("line", line.to_string()), ("reason", reason.clone())])
        }
    }
}

fn unreadable(error: &SignatureError) -> String {
    match error {
        SignatureError::TooLong(bytes) => say("signers.too-long", &[("bytes", bytes.to_string())]),
        SignatureError::Malformed(reason) => say("signers.malformed", &[("reason", reason.clone())]),
    }
}

fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}

/// Who signed, and what does not count.
fn found(people: &[String], rejected: &[Rejected]) -> String {
    let good = (!people.is_empty()).then(|| say("trust.signed-by", &[("people", people.join("; "))]));
    let bad = rejected.iter().map(|rejected| {
        let key = rejected.fingerprint.map_or_else(|| rejected.file.clone(), |fingerprint| fingerprint.to_string());
        say("trust.rejected", &[("key", key), ("why", reason(&rejected.why))])
    });
    let all: Vec<_> = good.into_iter().chain(bad).collect();
    if all.is_empty() { say("trust.no-signature", &[]) } else { all.join("; ") }
}

/// Why a signature does not count.
pub fn reason(why: &Why) -> String {
    match why {
        Why::Unreadable(error) => say("trust.why-unreadable", &[("reason", unreadable(error))]),
        Why::Unsupported(algorithm) => say("trust.why-unsupported", &[("algorithm", algorithm.clone())]),
        Why::Namespace(namespace) => say("trust.why-namespace", &[("namespace", namespace.clone())]),
        Why::OtherContent => say("trust.why-other-content", &[]),
        Why::Revoked => say("trust.why-revoked", &[]),
        Why::Unknown => say("trust.why-unknown", &[]),
        Why::NotForThis => say("trust.why-not-for-this", &[]),
        Why::NotYetValid(from) => say("trust.why-not-yet", &[("time", from.to_string())]),
        Why::Expired(until) => say("trust.why-expired", &[("time", until.to_string())]),
    }
}

fn all_missing(lacks: &[Lack]) -> String {
    lacks.iter().map(missing).collect::<Vec<_>>().join("; ")
}

/// What the policy asks for and is not there.
pub fn missing(lack: &Lack) -> String {
    let args = [
        ("role", lack.role.to_string()),
        ("component", lack.component.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("have", lack.have.to_string()),
        ("need", lack.need.to_string()),
        ("principals", lack.principals.iter().cloned().collect::<Vec<_>>().join(", ")),
    ];
    say(
        match (&lack.component, lack.principals.is_empty()) {
            (Some(_), true) => "trust.lacks-rule",
            (None, true) => "trust.lacks-any-rule",
            (Some(_), false) => "trust.lacks",
            (None, false) => "trust.lacks-people",
        },
        &args,
    )
}

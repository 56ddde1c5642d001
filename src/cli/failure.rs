//! A failure on its way to the user: sentence, hint, exit status.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::explain::Explain;
use super::log::Log;
use super::paint::{self, Ink};
use super::words::{Kind, Phrase, say};

/// What the program ends with when it did not do what was asked.
#[derive(Debug)]
pub(super) struct Failure {
    phrase: Phrase,
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { phrase: error.explain() }
    }
}

impl Failure {
    /// A failure that is a sentence of its own.
    pub fn of(phrase: Phrase) -> Self {
        Self { phrase }
    }

    /// The sentence.
    pub fn phrase(&self) -> &Phrase {
        &self.phrase
    }

    /// The failure as JSON.
    pub fn document(&self) -> Value {
        document(status(self.phrase.kind), &self.phrase.text(), self.phrase.hint().as_deref())
    }

    /// Prints the failure: words on stderr, and one JSON document on stdout where JSON was asked for.
    pub fn tell(&self, json: bool, quiet: bool, log: &Log) -> ExitCode {
        let (text, hint, status) = (self.phrase.text(), self.phrase.hint(), status(self.phrase.kind));
        if json {
            print_json(status, &text, hint.as_deref());
        }
        log.error(&self.phrase);
        if log.is_on_stderr() {
            return ExitCode::from(status);
        }
        paint::err_line(&format!("{} {text}", Ink::Error.paint(format!("{}:", say("error", &[])))));
        if let Some(hint) = hint.filter(|_| !quiet) {
            paint::err_line(&format!("\n{} {hint}", Ink::Hint.paint(format!("{}:", say("hint", &[])))));
        }
        ExitCode::from(status)
    }
}

/// The one JSON document of a failure, on stdout.
pub(super) fn print_json(status: u8, message: &str, hint: Option<&str>) {
    paint::out(&format!("{:#}\n", document(status, message, hint)));
}

/// A failure as JSON.
fn document(status: u8, message: &str, hint: Option<&str>) -> Value {
    json!({"error": {"status": status, "message": message, "hint": hint}})
}

/// The exit status of each kind of failure.
pub(super) fn status(kind: Kind) -> u8 {
    match kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::NotFound => 3,
        Kind::Refused => 4,
        Kind::Conflict => 5,
        Kind::Unhealthy => 6,
    }
}

//! Printing: reports as text or as one JSON document on stdout, notes and warnings on stderr.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::words::{Phrase, say};

/// How the user wants to be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// One JSON document on stdout instead of text.
    pub json: bool,
    /// No notes on stderr.
    pub quiet: bool,
}

impl Output {
    /// Prints a report: `text` of it, or the whole of it as JSON.
    pub fn report<T: Serialize>(&self, report: &T, text: impl FnOnce(&T) -> String) {
        let mut out = if self.json {
            serde_json::to_string_pretty(report).unwrap_or_else(|e| format!("{{\"error\": \"{e}\"}}"))
        } else {
            text(report)
        };
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        // A reader that has closed the pipe wants no more, which is no failure of ours.
        let _ = std::io::stdout().write_all(out.as_bytes());
    }

    /// Prints a warning and its hint on stderr.
    pub fn warn(&self, phrase: &Phrase) {
        if self.quiet {
            return;
        }
        eprintln!("{}: {}", say("warning", &[]), phrase.text());
        if let Some(hint) = phrase.hint() {
            eprintln!("{}: {hint}", say("hint", &[]));
        }
    }

    /// Prints a warning that is a finished sentence on stderr.
    pub fn warn_text(&self, text: &str) {
        if !self.quiet {
            eprintln!("{}: {text}", say("warning", &[]));
        }
    }

    /// Prints a note on stderr.
    pub fn note(&self, key: &'static str, args: &[(&'static str, String)]) {
        if !self.quiet {
            eprintln!("{}", say(key, args));
        }
    }
}

/// A table with a header from the catalogue: as wide as the terminal, or as its content where there is none.
pub(super) fn table<const N: usize>(header: [&'static str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.map(|key| say(key, &[])));
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    let mut any = false;
    for row in rows {
        table.add_row(row);
        any = true;
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    if !any {
        return String::new();
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

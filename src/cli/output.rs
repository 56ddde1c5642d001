//! Printing: reports as text or as one JSON document on stdout, notes and warnings on stderr.
//!
//! A command that goes on (`--watch`) prints a document a line instead.
//!
//! A document that is an object has `warnings`: what was warned of until then, each with `message` and `hint` (or null).

use std::cell::RefCell;
use std::io::IsTerminal as _;

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::{Value, json};

use super::explain::Explain as _;
use super::log::{Level, Line, Log};
use super::paint::{self, Ink};
use super::progress::Lines;
use super::words::{Phrase, say};
use crate::ops::{Notices, Site};

/// How the user wants to be told.
#[derive(Debug)]
pub(super) struct Output {
    /// One JSON document on stdout instead of text.
    json: bool,
    /// No notes on stderr.
    quiet: bool,
    /// The warnings so far, as the JSON document has them.
    warnings: RefCell<Vec<Value>>,
    /// What the operation notices.
    notices: RefCell<Notices>,
    log: Log,
    /// What is taken away before anything is printed.
    lines: Lines,
    /// What metrics are written of.
    measured: RefCell<Option<Site>>,
}

impl Output {
    pub fn new(json: bool, quiet: bool, log: Log, lines: Lines) -> Self {
        Self {
            json,
            quiet,
            warnings: RefCell::default(),
            notices: RefCell::default(),
            log,
            lines,
            measured: RefCell::default(),
        }
    }

    /// Notes what metrics are written of at the end, where they are.
    pub fn measure(&self, site: &Site) {
        let wanted = site.config.metrics.textfile.is_some();
        self.measured.replace(wanted.then(|| site.clone()));
    }

    /// What metrics are written of, where that is known.
    pub fn measured(&self) -> Option<Site> {
        self.measured.borrow().clone()
    }

    /// The log of this run.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Warns of what an operation notices before its report is printed.
    pub fn follow(&self, notices: &Notices) {
        self.notices.replace(notices.clone());
    }

    /// Prints a report: `text` of it, or the whole of it as JSON with the warnings so far.
    pub fn report<T: Serialize>(&self, report: &T, text: impl FnOnce(&T) -> String) {
        self.tell_notices();
        let mut out = if self.json { format!("{:#}", self.document(report)) } else { text(report) };
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        self.lines.end();
        paint::out(&out);
    }

    fn tell_notices(&self) {
        let notices = self.notices.borrow().take();
        notices.iter().for_each(|notice| self.warn(&notice.explain()));
    }

    /// Prints one line of a command that goes on: `text` where there is any, or `document` as JSON with the warnings so far.
    pub fn line(&self, document: &Value, text: Option<&str>) {
        self.tell_notices();
        let document = self.document(document).to_string();
        let Some(line) = (if self.json { Some(document.as_str()) } else { text }) else { return };
        self.lines.end();
        paint::out(&format!("{line}\n"));
    }

    fn document(&self, report: &impl Serialize) -> Value {
        let mut document = serde_json::to_value(report).unwrap_or_else(|e| json!({"error": e.to_string()}));
        if let Value::Object(fields) = &mut document {
            fields.insert("warnings".to_owned(), Value::Array(self.warnings.take()));
        }
        document
    }

    /// Prints a warning and its hint on stderr.
    pub fn warn(&self, phrase: &Phrase) {
        self.warning(&phrase.text(), phrase.hint().as_deref(), Line::warning(phrase));
    }

    /// Prints a warning that is a finished sentence on stderr.
    pub fn warn_text(&self, text: &str) {
        self.warning(text, None, Line::text(Level::Warn, "warning", text.to_owned()));
    }

    fn warning(&self, message: &str, hint: Option<&str>, line: Line) {
        self.warnings.borrow_mut().push(json!({"message": message, "hint": hint}));
        self.log.write(&line);
        if self.quiet || self.log.is_on_stderr() {
            return;
        }
        self.lines.end();
        paint::err_line(&format!("{} {message}", Ink::Warning.paint(format!("{}:", say("warning", &[])))));
        if let Some(hint) = hint {
            paint::err_line(&format!("{} {hint}", Ink::Hint.paint(format!("{}:", say("hint", &[])))));
        }
    }

    /// Whether reports are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether notes are printed at all.
    pub fn tells_notes(&self) -> bool {
        !self.quiet
    }

    /// Prints a note that is a finished sentence on stderr.
    pub fn note_text(&self, text: &str) {
        self.log.write(&Line::text(Level::Info, "note", text.to_owned()));
        if self.prints_notes() {
            self.lines.end();
            paint::err_line(text);
        }
    }

    /// Prints a note on stderr.
    pub fn note(&self, key: &'static str, args: &[(&'static str, String)]) {
        self.log.write(&Line::said(key, args));
        if self.prints_notes() {
            self.lines.end();
            paint::err_line(&say(key, args));
        }
    }

    fn prints_notes(&self) -> bool {
        !self.quiet && !self.log.is_on_stderr()
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
    table.enforce_styling();
    for row in rows {
        table.add_row(header.iter().zip(row).map(|(column, words)| cell(column, words)));
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

/// States in colour: what stands, and what must not be deployed or does not lead where it should.
const STATES: [(&str, Color); 9] = [
    ("version.yanked", Color::Red),
    ("version.bad", Color::Red),
    ("env.not-recorded", Color::Red),
    ("env.other-package", Color::Red),
    ("link.missing", Color::Red),
    ("link.dangling", Color::Red),
    ("link.replaced", Color::Red),
    ("version.current", Color::Green),
    ("link.ok", Color::Green),
];

fn cell(column: &str, words: String) -> Cell {
    let states = STATES.iter().filter(|_| column == "column.state");
    let color = states.into_iter().find(|(key, _)| words.split(", ").any(|word| word == say(key, &[])));
    match color {
        Some((_, color)) => Cell::new(words).fg(*color),
        None => Cell::new(words),
    }
}

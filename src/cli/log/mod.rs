//! The log: what is done, warned of and refused, one line each, on stderr and in a file, as text or as JSON.
//!
//! ```text
//! 2024-01-20 10:00:00 [INFO] 开始部署 component=model version=1.0.1                                           text: local time
//! {"time":"2024-01-20T02:00:00Z","level":"INFO","event":"log.deploy-begin","message":"…","component":"model","version":"1.0.1"}
//! ```
//!
//! `event` is the key of the sentence in the catalogue: it is the same in every language. In JSON sizes are bytes, durations
//! seconds, speeds bytes a second. The time is that of the line: `SOURCE_DATE_EPOCH`, which is about what is built, does not
//! change what happened when.
//!
//! Where log lines go to stderr (`-v`, `--log-format`, `log.stderr`), everything there is one. What cannot be logged to a file
//! is said once and stops nothing. No crate of log frameworks: a line is a sentence of the catalogue with values in it, a
//! dozen places write one, and size-bounded files that several processes share are in none of the usual appenders.

mod event;
mod file;
mod line;

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) use line::{Level, Line};

use super::args::{Global, LogFormat, Logging};
use super::explain::Explain as _;
use super::failure;
use super::paint::{self, Ink};
use super::words::{Kind, Phrase, say};
use crate::config::{self, LogStyle};
use crate::ops::{Event, Events};

/// The log of this run. Clones are the same log.
#[derive(Debug, Clone)]
pub(super) struct Log(Arc<Sinks>);

#[derive(Debug)]
struct Sinks {
    /// The style of lines on stderr; `None` where stderr holds none.
    stderr: Mutex<Option<LogStyle>>,
    /// Whether stderr gets errors only.
    quiet: bool,
    file: Mutex<Option<file::File>>,
    /// The line that a command begins with, until it is known where lines go.
    first: Mutex<Option<Line>>,
}

impl Log {
    /// The log that the arguments ask for.
    pub fn new(global: &Global) -> Self {
        let Logging { verbose, log_format, log_file } = &global.logging;
        let format = log_format.map(|format| match format {
            LogFormat::Text => LogStyle::Text,
            LogFormat::Json => LogStyle::Json,
        });
        let stderr = format.or_else(|| verbose.then_some(LogStyle::Text));
        let file = log_file.as_ref().map(|path| {
            let path = std::env::current_dir().unwrap_or_default().join(path);
            let defaults = config::Log::default();
            file::File::new(&path, format.unwrap_or(defaults.format), defaults.max_size.0, defaults.keep)
        });
        let (stderr, file) = (Mutex::new(stderr), Mutex::new(file));
        Self(Arc::new(Sinks { stderr, quiet: global.quiet, file, first: Mutex::default() }))
    }

    /// Adds what the configuration asks for; what the arguments say stays.
    pub fn configure(&self, config: &config::Log) {
        {
            let mut stderr = held(&self.0.stderr);
            *stderr = stderr.or(config.stderr);
        }
        {
            let mut file = held(&self.0.file);
            let new = |path| file::File::new(path, config.format, config.max_size.0, config.keep);
            match (&mut *file, &config.file) {
                (Some(file), _) => file.bound(config.max_size.0, config.keep),
                (None, Some(path)) => *file = Some(new(path)),
                (None, None) => {}
            }
        }
        self.write_first();
    }

    /// Writes the line that a command begins with, as soon as the configuration is read or another line is written.
    pub fn begin(&self, line: Line) {
        *held(&self.0.first) = Some(line);
    }

    fn write_first(&self) {
        let first = held(&self.0.first).take();
        if let Some(line) = first {
            self.write(&line);
        }
    }

    /// Whether stderr holds log lines and nothing else.
    pub fn is_on_stderr(&self) -> bool {
        self.style().is_some()
    }

    /// Who tells what operations do.
    pub fn events(&self) -> Events {
        let log = self.clone();
        Events::to(move |event: Event<'_>| log.write(&event::line(&event)))
    }

    /// Writes a line.
    pub fn write(&self, line: &Line) {
        self.write_first();
        let now = jiff::Timestamp::now();
        if let Some(style) = self.style().filter(|_| !self.0.quiet || line.level == Level::Error) {
            to_stderr(&line.render(style, now));
        }
        let mut held = held(&self.0.file);
        let Some(file) = held.take() else { return };
        let Err(error) = file.write(&line.render(file.style(), now)) else {
            *held = Some(file);
            return;
        };
        let phrase = Phrase::failed("log.no-file").path("path", file.path()).with("reason", error.explain().text());
        match self.style() {
            Some(style) => to_stderr(&Line::warning(&phrase).render(style, now)),
            None => paint::err_line(&format!(
                "{} {}",
                Ink::Warning.paint(format!("{}:", say("warning", &[]))),
                phrase.text()
            )),
        }
    }

    /// Says on stderr, and there only, that a signal ends the command: the disk takes no change any more, nor a line, and
    /// another thread may be waiting in the middle of writing one.
    pub fn interrupted(&self, words: &str) {
        match self.style() {
            Some(style) => {
                let line = Line::text(Level::Warn, "interrupted", words.to_owned());
                to_stderr(&line.render(style, jiff::Timestamp::now()));
            }
            None => paint::err_line(words),
        }
    }

    /// Writes that a command failed.
    pub fn error(&self, phrase: &Phrase) {
        let line = Line::of(Level::Error, phrase)
            .with("kind", kind(phrase.kind))
            .with_number("status", failure::status(phrase.kind));
        self.write(&line.hint(phrase.hint()));
    }

    fn style(&self) -> Option<LogStyle> {
        *held(&self.0.stderr)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the arguments, which cannot be read, ask for JSON on stderr.
pub(super) fn is_json_asked_for() -> bool {
    let args: Vec<_> = std::env::args_os().collect();
    args.iter().any(|arg| arg == "--log-format=json")
        || args.windows(2).any(|two| two[0] == "--log-format" && two[1] == "json")
}

/// Writes to stderr, as JSON, what is wrong with the arguments.
pub(super) fn usage(message: &str) {
    let line = Line::text(Level::Error, "usage", message.to_owned()).with("kind", kind(Kind::Usage));
    let line = line.with_number("status", failure::status(Kind::Usage));
    to_stderr(&line.render(LogStyle::Json, jiff::Timestamp::now()));
}

/// What cannot be said to stderr can be said nowhere.
fn to_stderr(line: &str) {
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The name of a kind of failure, for machines.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Failed => "failed",
        Kind::Usage => "usage",
        Kind::NotFound => "not-found",
        Kind::Refused => "refused",
        Kind::Conflict => "conflict",
        Kind::Unhealthy => "unhealthy",
    }
}

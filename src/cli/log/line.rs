//! One line of the log, and its two forms. Whatever a value holds, it stays within its line: control characters, line breaks
//! and what turns the direction of text are escaped, and in text a value with anything odd in it is quoted as logfmt does.

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::cli::words::{Phrase, say};
use crate::config::LogStyle;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Level {
    Info,
    Warn,
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// A sentence and its fields.
#[derive(Debug)]
pub(in crate::cli) struct Line {
    pub level: Level,
    event: &'static str,
    message: String,
    /// Each as text and for machines.
    fields: Vec<(&'static str, String, Value)>,
}

impl Line {
    /// A sentence of the catalogue without arguments.
    pub fn info(key: &'static str) -> Self {
        Self::said(key, &[])
    }

    /// A sentence of the catalogue.
    pub fn said(key: &'static str, args: &[(&'static str, String)]) -> Self {
        Self::text(Level::Info, key, say(key, args))
    }

    /// A finished sentence.
    pub fn text(level: Level, event: &'static str, message: String) -> Self {
        Self { level, event, message, fields: Vec::new() }
    }

    /// A sentence about something that went wrong.
    pub fn of(level: Level, phrase: &Phrase) -> Self {
        Self::text(level, phrase.key(), phrase.text())
    }

    /// A warning with its hint.
    pub fn warning(phrase: &Phrase) -> Self {
        Self::of(Level::Warn, phrase).hint(phrase.hint())
    }

    /// Adds a field that is text.
    pub fn with(self, name: &'static str, value: impl Display) -> Self {
        let value = value.to_string();
        self.field(name, value.clone(), value.into())
    }

    /// Adds a number.
    pub fn with_number(self, name: &'static str, value: impl Into<u64>) -> Self {
        let value = value.into();
        self.field(name, value.to_string(), value.into())
    }

    /// Adds an amount of bytes.
    pub fn with_bytes(self, name: &'static str, bytes: u64) -> Self {
        self.field(name, size(bytes), bytes.into())
    }

    /// Adds how long something took.
    pub fn with_duration(self, name: &'static str, took: Duration) -> Self {
        let seconds = took.as_secs_f64();
        let shown = match seconds {
            ..0.9995 => format!("{}ms", took.as_millis()),
            ..9.95 => format!("{seconds:.1}s"),
            _ => format!("{seconds:.0}s"),
        };
        self.field(name, shown, ((seconds * 1000.0).round() / 1000.0).into())
    }

    /// Adds how fast so many bytes came.
    pub fn with_speed(self, name: &'static str, bytes: u64, took: Duration) -> Self {
        let speed = (bytes as f64 / took.as_secs_f64().max(0.001)) as u64;
        self.field(name, format!("{}/s", size(speed)), speed.into())
    }

    /// Adds what to do next, where that is known.
    pub fn hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.with("hint", hint),
            None => self,
        }
    }

    fn field(mut self, name: &'static str, text: String, value: Value) -> Self {
        self.fields.push((name, text, value));
        self
    }

    /// The line with its line break.
    pub fn render(&self, style: LogStyle, now: jiff::Timestamp) -> String {
        match style {
            LogStyle::Text => {
                let local = now.to_zoned_datetime(jiff::tz::TimeZone::system());
                let mut line = format!(
                    "{} [{}] {}",
                    local.strftime("%Y-%m-%d %H:%M:%S"),
                    self.level.name(),
                    escaped(&self.message)
                );
                for (name, text, _) in &self.fields {
                    line.push_str(&format!(" {name}={}", quoted(text)));
                }
                line + "\n"
            }
            LogStyle::Json => {
                let second = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
                let mut object = Map::new();
                let head = [
                    ("time", second.to_string()),
                    ("level", self.level.name().to_owned()),
                    ("event", self.event.to_owned()),
                    ("message", self.message.clone()),
                ];
                object.extend(head.map(|(name, value)| (name.to_owned(), value.into())));
                object.extend(self.fields.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
                Value::Object(object).to_string() + "\n"
            }
        }
    }
}

/// An amount in decimal units: three figures, no space.
fn size(bytes: u64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match units.into_iter().find(|(_, factor)| bytes as f64 >= *factor) {
        Some((unit, factor)) if bytes as f64 / factor < 9.95 => format!("{:.1}{unit}", bytes as f64 / factor),
        Some((unit, factor)) => format!("{:.0}{unit}", bytes as f64 / factor),
        None => format!("{bytes}B"),
    }
}

/// Whether a character would end a line, move the cursor or turn the direction of what follows.
fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_odd(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// A value as logfmt has it. Source: https://brandur.org/logfmt
fn quoted(text: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !is_odd(c) && !matches!(c, '"' | '=' | '\\');
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("\"{}\"", escaped(&text.replace('\\', "\\\\").replace('"', "\\\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str, value: &str) -> Line {
        Line::text(Level::Info, "log.test", message.to_owned()).with("component", value)
    }

    #[test]
    fn no_value_makes_another_line_or_field() {
        let now = jiff::Timestamp::from_second(1_705_716_000).expect("a time");
        let evil = "x\n2024-01-20 10:00:00 [INFO] forged\r\u{1b}[2K\u{85}\u{2028}\u{202e} version=9 \"q\\";
        let text = line(evil, evil).render(LogStyle::Text, now);
        assert_eq!(text.matches('\n').count(), 1);
        assert!(!text.trim_end_matches('\n').chars().any(is_odd), "{text:?}");
        let (_, fields) = text.split_once(" component=").expect("a field");
        assert_eq!(
            fields,
            "\"x\\n2024-01-20 10:00:00 [INFO] forged\\r\\u{1b}[2K\\u{85}\\u{2028}\\u{202e} version=9 \\\"q\\\\\"\n"
        );
        let json = line(evil, evil).render(LogStyle::Json, now);
        assert_eq!(json.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&value["component"], &value["message"]), (&evil.into(), &evil.into()));
        assert_eq!(value["time"], "2024-01-20T02:00:00Z");
    }

    #[test]
    fn values_have_units_in_text_and_are_numbers_in_json() {
        let took = Duration::from_millis(29_400);
        let line = line("m", "model").with_bytes("size", 524_000_000).with_duration("duration", took).with_speed(
            "speed",
            524_000_000,
            took,
        );
        let now = jiff::Timestamp::from_second(0).expect("a time");
        let text = line.render(LogStyle::Text, now);
        assert!(text.ends_with(" m component=model size=524MB duration=29s speed=18MB/s\n"), "{text}");
        let value: Value = serde_json::from_str(&line.render(LogStyle::Json, now)).expect("JSON");
        assert_eq!(
            (value["size"].as_u64(), value["duration"].as_f64(), value["speed"].as_u64()),
            (Some(524_000_000), Some(29.4), Some(17_823_129))
        );
        assert_eq!([0, 999, 1_000, 9_900, 12_345_678].map(size), ["0B", "999B", "1.0kB", "9.9kB", "12MB"]);
    }
}

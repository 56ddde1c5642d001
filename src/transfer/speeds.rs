//! How fast sources were at other times: a hint of whom to ask first, and nothing more.
//!
//! `<store>/speeds.json`: `{"version": 1, "sources": {"<name>": bytes a second}, "round_trips": {"<name>": microseconds},
//! "whole": ["<name>"]}`. `whole` are sources that gave the whole file where a part was asked for. It may be removed at any
//! time, and one that cannot be read or written is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fsx;

/// The version of the file this program writes and reads.
const VERSION: u64 = 1;
/// How much of a new measure counts against what was known: old ones fade.
const FRESH_SHARE: f64 = 0.5;
/// The most sources that are remembered.
const MOST: usize = 256;
/// What is moved faster than it can be measured says nothing.
const LEAST_BYTES: u64 = 4 << 20;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct File {
    version: u64,
    sources: BTreeMap<String, u64>,
    #[serde(default)]
    round_trips: BTreeMap<String, u64>,
    #[serde(default)]
    whole: BTreeSet<String>,
}

/// What is remembered of one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Remembered {
    /// Bytes a second.
    pub speed: Option<u64>,
    /// How long it takes to answer.
    pub round_trip: Option<Duration>,
    /// Whether it gives whole files only.
    pub whole: bool,
}

/// What one run saw of a source.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measured {
    /// Good bytes it gave.
    pub bytes: u64,
    /// Bytes a second, where that could be measured.
    pub speed: Option<f64>,
    /// The shortest time it took to answer; `None` where it did not.
    pub round_trip: Option<Duration>,
    /// Whether it gave the whole file where a part was asked for.
    pub whole: bool,
}

/// The remembered speeds.
#[derive(Debug)]
pub(super) struct Speeds {
    path: PathBuf,
}

impl Speeds {
    /// Those of the store in `directory`.
    pub fn of(directory: &Path) -> Self {
        Self { path: directory.join("speeds.json") }
    }

    /// Bytes a second, by the source's name.
    pub fn read(&self) -> BTreeMap<String, u64> {
        self.file().sources
    }

    /// What is known of the source of this name.
    pub fn of_source(&self, name: &str) -> Remembered {
        let file = self.file();
        Remembered {
            speed: file.sources.get(name).copied(),
            round_trip: file.round_trips.get(name).map(|micros| Duration::from_micros(*micros)),
            whole: file.whole.contains(name),
        }
    }

    fn file(&self) -> File {
        let bytes = fsx::read_opt(&self.path).ok().flatten().unwrap_or_default();
        let file: Option<File> = serde_json::from_slice(&bytes).ok();
        file.filter(|file| file.version == VERSION).unwrap_or_default()
    }

    /// Remembers what was measured, by the source's name. Little says nothing of the speed.
    pub fn note<'a>(&self, measured: impl Iterator<Item = (&'a str, Measured)>) {
        let before = self.file();
        let mut file = File { version: VERSION, ..before.clone() };
        let fade = |known: Option<&u64>, new: f64| {
            known.map_or(new, |known| *known as f64 * (1.0 - FRESH_SHARE) + new * FRESH_SHARE) as u64
        };
        for (name, Measured { bytes, speed, round_trip, whole }) in measured {
            if let Some(speed) = speed.filter(|_| bytes >= LEAST_BYTES) {
                let speed = fade(file.sources.get(name), speed);
                file.sources.insert(name.to_owned(), speed);
            }
            if let Some(time) = round_trip {
                let micros = fade(file.round_trips.get(name), time.as_secs_f64() * 1e6);
                file.round_trips.insert(name.to_owned(), micros);
                match whole {
                    true => file.whole.insert(name.to_owned()),
                    false => file.whole.remove(name),
                };
            }
        }
        while file.sources.len() > MOST {
            file.sources.pop_first();
        }
        while file.round_trips.len() > MOST {
            file.round_trips.pop_first();
        }
        while file.whole.len() > MOST {
            file.whole.pop_first();
        }
        if file == (File { version: VERSION, ..before }) {
            return;
        }
        if let Ok(bytes) = serde_json::to_vec(&file) {
            // A store that takes no more files takes no hints either.
            let _ = fsx::write_hint(&self.path, &bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_fade_and_damage_is_forgotten() {
        let dir = tempfile::tempdir().expect("a directory");
        let speeds = Speeds::of(dir.path());
        assert!(speeds.read().is_empty());
        let seen = |bytes, speed| Measured { bytes, speed: Some(speed), ..Measured::default() };
        speeds.note([("a", seen(LEAST_BYTES, 100.0)), ("b", seen(LEAST_BYTES - 1, 1e9))].into_iter());
        assert_eq!(speeds.read(), BTreeMap::from([("a".to_owned(), 100)]));
        speeds.note([("a", seen(LEAST_BYTES, 300.0))].into_iter());
        assert_eq!(speeds.read(), BTreeMap::from([("a".to_owned(), 200)]));
        let answered = |micros, whole| {
            let round_trip = Some(Duration::from_micros(micros));
            [("b", Measured { round_trip, whole, ..Measured::default() })].into_iter()
        };
        speeds.note(answered(100, true));
        assert!(speeds.of_source("b").whole);
        speeds.note(answered(300, false));
        let known = Remembered { speed: None, round_trip: Some(Duration::from_micros(200)), whole: false };
        assert_eq!(speeds.of_source("b"), known);
        fsx::write_atomic(&dir.path().join("speeds.json"), b"{").expect("damaged");
        assert!(speeds.read().is_empty());
        fsx::write_atomic(&dir.path().join("speeds.json"), br#"{"version":2,"sources":{"a":1}}"#).expect("newer");
        assert!(speeds.read().is_empty());
    }
}

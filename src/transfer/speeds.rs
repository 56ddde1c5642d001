//! How fast sources were at other times: a hint of whom to ask first, and nothing more.
//!
//! `<store>/speeds.json`: `{"version": 1, "sources": {"<name>": bytes a second}}`. It may be removed at any time, and one
//! that cannot be read or written is passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct File {
    version: u64,
    sources: BTreeMap<String, u64>,
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
        let bytes = fsx::read_opt(&self.path).ok().flatten().unwrap_or_default();
        let file: Option<File> = serde_json::from_slice(&bytes).ok();
        file.filter(|file| file.version == VERSION).map(|file| file.sources).unwrap_or_default()
    }

    /// Remembers what was measured: name, bytes, bytes a second. Little says nothing.
    pub fn note<'a>(&self, measured: impl Iterator<Item = (&'a str, u64, f64)>) {
        let before = self.read();
        let mut sources = before.clone();
        for (name, _, speed) in measured.filter(|(_, bytes, _)| *bytes >= LEAST_BYTES) {
            let known = sources.get(name).map(|known| *known as f64);
            let speed = known.map_or(speed, |known| known * (1.0 - FRESH_SHARE) + speed * FRESH_SHARE);
            sources.insert(name.to_owned(), speed as u64);
        }
        while sources.len() > MOST {
            sources.pop_first();
        }
        if sources == before {
            return;
        }
        if let Ok(bytes) = serde_json::to_vec(&File { version: VERSION, sources }) {
            // A store that takes no more files takes no hints either.
            let _ = fsx::write_atomic(&self.path, &bytes);
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
        speeds.note([("a", LEAST_BYTES, 100.0), ("b", LEAST_BYTES - 1, 1e9)].into_iter());
        assert_eq!(speeds.read(), BTreeMap::from([("a".to_owned(), 100)]));
        speeds.note([("a", LEAST_BYTES, 300.0)].into_iter());
        assert_eq!(speeds.read(), BTreeMap::from([("a".to_owned(), 200)]));
        fsx::write_atomic(&dir.path().join("speeds.json"), b"{").expect("damaged");
        assert!(speeds.read().is_empty());
        fsx::write_atomic(&dir.path().join("speeds.json"), br#"{"version":2,"sources":{"a":1}}"#).expect("newer");
        assert!(speeds.read().is_empty());
    }
}

//! History: one JSON line for each release this root ever made, oldest first (`.deploy-tool/history.jsonl`).
//!
//! ```text
//! {"release":5,"parent":4,"action":"switch","at":"…","by":"mei@host","components":{"model":{"version":"1.0.1",…}},"changed":["model"]}
//! ```
//!
//! The parent is the release a rollback goes to. A rollback's parent is the parent of what it restores, so that rolling
//! back again goes further back. A line is appended after the commit point, into space reserved before; a torn last line
//! (power cut: a part of it, or zeros anywhere in it) is dropped when the next one is appended.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::checks::{Because, Trial};
use super::{Action, Error, Layout, Set};
use crate::fsx;
use crate::model::{ComponentType, Sha256, Timestamp, Version};

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number.
    pub release: u64,
    /// The release a rollback goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u64>,
    /// What made it.
    pub action: Action,
    /// When.
    pub at: Timestamp,
    /// Who, as `user@host`.
    pub by: String,
    /// What is current in it.
    pub components: BTreeMap<ComponentType, EntryComponent>,
    /// The components that differ from the release before it.
    pub changed: Vec<ComponentType>,
    /// The release whose set this one repeats, for a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// For components rolled back alone: the release whose version they have again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub origins: BTreeMap<ComponentType, u64>,
    /// What it has to pass before it counts as good; absent where that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// Which release did not stand and why, for one that was made because of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
}

/// One component of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryComponent {
    /// The version.
    pub version: Version,
    /// The package's sha256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Sha256>,
    /// The commit of the record it was deployed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// The whole history of a root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The entries, oldest first.
    pub entries: Vec<Entry>,
}

impl History {
    /// Reads the history. A torn last line is left out; anything else that is no entry is an error.
    pub fn read(layout: &Layout) -> Result<Self, Error> {
        let path = layout.history();
        let bytes = fsx::read_opt(&path)?.unwrap_or_default();
        let whole = bytes.get(..whole(&bytes)).unwrap_or_default();
        let lines = whole.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let mut entries: Vec<Entry> = Vec::new();
        for (number, line) in lines.enumerate() {
            let entry = serde_json::from_slice(line)
                .map_err(|e| Error::Damaged { path: path.clone(), reason: format!("line {}: {e}", number + 1) })?;
            entries.push(entry);
        }
        Ok(Self { entries })
    }

    /// The newest entry alone, for who needs no other: a root may have made thousands of releases.
    pub fn last(layout: &Layout) -> Result<Option<Entry>, Error> {
        let path = layout.history();
        let (last, ..) = last_line(&path)?;
        let entry = (!last.is_empty()).then(|| serde_json::from_slice(&last)).transpose();
        entry.map_err(|e| Error::Damaged { path, reason: format!("last line: {e}") })
    }

    /// The entry of one release.
    pub fn release(&self, number: u64) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.release == number)
    }

    /// The entry of the release before the current one in the chain that rollbacks follow.
    pub fn parent_of(&self, number: u64) -> Option<&Entry> {
        self.release(self.release(number)?.parent?)
    }

    /// The last version of `component`, before the one it has in release `number`, that rolling back leads to, and
    /// the release that had it.
    pub fn previous_version(&self, component: &ComponentType, number: u64) -> Option<(Version, u64)> {
        let mut entry = self.release(number)?;
        let now = &entry.components.get(component)?.version;
        loop {
            if let Some(origin) = entry.origins.get(component).filter(|origin| **origin < entry.release) {
                entry = self.release(*origin)?;
            }
            let parent = entry.parent.filter(|parent| *parent < entry.release)?;
            entry = self.release(parent)?;
            match entry.components.get(component) {
                Some(before) if before.version != *now => return Some((before.version.clone(), entry.release)),
                _ => {}
            }
        }
    }

    /// When a version was last current: the release after the last one that had it began then; `now` for a version
    /// that still is. `None` for one that never was.
    pub fn last_current(&self, component: &ComponentType, version: &Version, now: Timestamp) -> Option<Timestamp> {
        let has = |entry: &Entry| entry.components.get(component).is_some_and(|c| c.version == *version);
        let last = self.entries.iter().rposition(has)?;
        Some(self.entries.get(last + 1).map_or(now, |after| after.at))
    }
}

impl Entry {
    /// The versions that were current together.
    pub fn set(&self) -> Set {
        self.components.iter().map(|(component, detail)| (component.clone(), detail.version.clone())).collect()
    }

    /// The line of this entry, with its newline.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("keys are strings");
        line.push(b'\n');
        line
    }

    /// Appends this entry unless it is there already, after dropping a torn last line. Not flushed.
    pub(super) fn append(&self, layout: &Layout) -> Result<(), Error> {
        let path = layout.history();
        let (last, end, length) = last_line(&path)?;
        if end < length {
            fsx::truncate(&path, end)?;
        }
        let there = serde_json::from_slice::<Entry>(&last).ok();
        if there.is_some_and(|entry| entry.release == self.release) {
            return Ok(());
        }
        Ok(fsx::append(&path, &self.line())?)
    }
}

/// The last whole line of a file, where it ends, and the length of the file; only the end is read, however long the file.
fn last_line(path: &Path) -> Result<(Vec<u8>, u64, u64), Error> {
    let mut window = 8 << 10;
    loop {
        let (tail, start) = fsx::read_tail(path, window)?;
        let end = whole(&tail);
        let before = tail.get(..end.saturating_sub(1)).unwrap_or_default();
        let begin = before.iter().rposition(|b| *b == b'\n').map(|at| at + 1);
        if start == 0 || begin.is_some() {
            let line = tail.get(begin.unwrap_or(0)..end).unwrap_or_default().to_vec();
            return Ok((line, start + end as u64, start + tail.len() as u64));
        }
        window *= 8;
    }
}

/// Where the last whole line of `bytes` ends, its newline included. Of a line that was being appended a power cut may leave
/// a part, but also its end behind zeros, since blocks reach the disk in any order; no whole line has a zero in it.
fn whole(bytes: &[u8]) -> usize {
    let behind_newline = |bytes: &[u8]| bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let mut end = behind_newline(bytes);
    loop {
        let begin = behind_newline(bytes.get(..end.saturating_sub(1)).unwrap_or_default());
        if !bytes.get(begin..end).unwrap_or_default().contains(&0) {
            return end;
        }
        end = begin;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(release: u64, parent: Option<u64>, model: &str) -> Entry {
        let version = EntryComponent { version: model.parse().expect("a version"), package: None, commit: None };
        Entry {
            release,
            parent,
            action: Action::Deploy,
            at: Timestamp::from_unix(release as i64 * 100).expect("a time"),
            by: "mei@host".into(),
            components: BTreeMap::from([("model".parse().expect("a type"), version)]),
            changed: Vec::new(),
            restores: None,
            origins: BTreeMap::new(),
            trial: None,
            because: None,
        }
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_an_entry_is_appended_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(dir.path());
        fsx::create_dir_all(&layout.state()).expect("created");
        entry(1, None, "1.0.0").append(&layout).expect("appended");
        fsx::append(&layout.history(), b"{\"release\":2,\"par").expect("torn");
        assert_eq!(History::read(&layout).expect("read").entries.len(), 1);
        for _ in 0..2 {
            entry(2, Some(1), "1.0.1").append(&layout).expect("appended");
        }
        let history = History::read(&layout).expect("read");
        assert_eq!(history.entries, [entry(1, None, "1.0.0"), entry(2, Some(1), "1.0.1")]);
    }

    #[test]
    fn of_a_torn_line_any_part_may_be_zeros() {
        let dir = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(dir.path());
        fsx::create_dir_all(&layout.state()).expect("created");
        entry(1, None, "1.0.0").append(&layout).expect("appended");
        let line = entry(2, Some(1), "1.0.1").line();
        let length = fsx::read(&layout.history()).expect("read").len() as u64;
        for zeros in [0..line.len(), 0..40, 40..line.len() - 1, 0..1, line.len() - 1..line.len()] {
            let mut torn = line.clone();
            torn[zeros].fill(0);
            fsx::append(&layout.history(), &torn).expect("appended");
            assert_eq!(History::read(&layout).expect("read").entries, [entry(1, None, "1.0.0")]);
            assert_eq!(History::last(&layout).expect("read"), Some(entry(1, None, "1.0.0")));
            entry(2, Some(1), "1.0.1").append(&layout).expect("appended");
            let mended = [entry(1, None, "1.0.0"), entry(2, Some(1), "1.0.1")];
            assert_eq!(History::read(&layout).expect("read").entries, mended);
            fsx::truncate(&layout.history(), length).expect("cut");
        }
    }

    #[test]
    fn the_last_line_is_found_however_long_the_lines_are() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("history");
        assert_eq!(last_line(&path).expect("no file"), (vec![], 0, 0));
        let long = |byte: u8, length: usize| [vec![byte; length], vec![b'\n']].concat();
        let mut all: Vec<u8> = Vec::new();
        for (byte, length) in [(b'a', 5), (b'b', 70_000), (b'c', 9_000), (b'd', 8_191), (b'e', 0), (b'f', 8_192)] {
            let line = long(byte, length);
            all.extend(&line);
            fsx::append(&path, &line).expect("appended");
            let whole = all.len() as u64;
            assert_eq!(last_line(&path).expect("found"), (line.clone(), whole, whole));
            fsx::append(&path, b"torn").expect("appended");
            assert_eq!(last_line(&path).expect("found"), (line, whole, whole + 4));
            fsx::truncate(&path, whole).expect("cut");
        }
    }

    #[test]
    fn one_component_rolls_back_further_each_time() {
        let model = "model".parse().expect("a type");
        let mut entries = vec![entry(1, None, "1.0"), entry(2, Some(1), "1.1"), entry(3, Some(2), "1.2")];
        let previous = |entries: &[Entry], n| History { entries: entries.to_vec() }.previous_version(&model, n);
        assert_eq!(previous(&entries, 3), Some(("1.1".parse().expect("a version"), 2)));
        let mut fourth = entry(4, Some(3), "1.1");
        fourth.origins.insert(model.clone(), 2);
        entries.push(fourth);
        assert_eq!(previous(&entries, 4), Some(("1.0".parse().expect("a version"), 1)));
        assert_eq!(previous(&entries, 1), None);
    }

    #[test]
    fn last_current_is_when_the_next_release_began() {
        let model = "model".parse().expect("a type");
        let now = Timestamp::from_unix(999).expect("a time");
        let history = History { entries: vec![entry(1, None, "1.0"), entry(2, Some(1), "1.1")] };
        let last = |v: &str| history.last_current(&model, &v.parse().expect("a version"), now).map(|t| t.as_unix());
        assert_eq!((last("1.0"), last("1.1"), last("2.0")), (Some(200), Some(999), None));
    }
}

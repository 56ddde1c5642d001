//! History: one JSON line for each release this root ever made, oldest first (`.deploy-tool/history.jsonl`, where
//! [other lines](super::audit) stand between them).
//!
//! ```text
//! {"release":5,"parent":4,"action":"switch","at":"…","by":"mei@host","components":{"model":{"version":"1.0.1",…}},"changed":["model"]}
//! ```
//!
//! `work` is there where the release installed something: how long that took and where its bytes came from, measured and not
//! planned. A release that was finished after its run was stopped has none: nobody measured it.
//!
//! ```text
//! "work":{"milliseconds":840,"components":{"model":{"milliseconds":812,"sources":{"near":52428800},"resumed":0,"reused":1073741824,"unpacked":52430000}}}
//! ```
//!
//! `environment` {name, serial, commit, resumed} is there where the release was deployed from one.
//!
//! The parent is the release a rollback goes to. A rollback's parent is the parent of what it restores, so that rolling
//! back again goes further back. A line is appended after the commit point, into space reserved before; a torn last line
//! (power cut: a part of it, or zeros anywhere in it) is dropped when the next one is appended.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::audit::{Line, line};
use super::checks::{Because, Trial};
use super::{Action, Damage, Error, Layout, Set, View};
use crate::fsx;
use crate::model::{ComponentType, EnvironmentName, Sha256, Timestamp, Version};

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
    /// The environment it was deployed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EntryEnvironment>,
    /// What it has to pass before it counts as good; absent where that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// Which release did not stand and why, for one that was made because of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
    /// The number of the user who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// What installing its versions took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// The digest of the line before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Sha256>,
}

/// What it took to install the versions of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Milliseconds from the start of the first until all were on the disk, flushed.
    pub milliseconds: u64,
    /// Each version that was installed.
    pub components: BTreeMap<ComponentType, ComponentWork>,
}

/// What it took to install one version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentWork {
    /// Milliseconds from the first byte asked for to the last one unpacked and checked.
    pub milliseconds: u64,
    /// The bytes that were fetched, by source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, u64>,
    /// Bytes that an earlier fetch had left.
    #[serde(default)]
    pub resumed: u64,
    /// Bytes of files that other installed versions gave, however they were shared.
    #[serde(default)]
    pub reused: u64,
    /// Bytes of files that came out of the package.
    #[serde(default)]
    pub unpacked: u64,
}

impl Work {
    /// The bytes that were fetched for all of it.
    pub fn fetched(&self) -> u64 {
        self.components.values().flat_map(|work| work.sources.values()).fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// The bytes of files that other installed versions gave.
    pub fn reused(&self) -> u64 {
        self.components.values().fold(0, |sum, work| sum.saturating_add(work.reused))
    }
}

/// The environment that a release was deployed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryEnvironment {
    /// Its name.
    pub name: EnvironmentName,
    /// The serial number of its file.
    pub serial: u64,
    /// The commit it was read at.
    pub commit: String,
    /// Whether this deploy ended a hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
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
    /// Reads the history. A torn last line and lines that are no releases are left out; anything else is an error.
    pub fn read(layout: &Layout) -> Result<Self, Error> {
        let lines = View::of(layout.clone()).trail()?.into_iter();
        let entries = lines.filter_map(|line| match line {
            Line::Release(entry) => Some(*entry),
            Line::Event(_) => None,
        });
        Ok(Self { entries: entries.collect() })
    }

    /// The newest entry alone, for who needs no other: a root may have made thousands of releases.
    pub fn last(layout: &Layout) -> Result<Option<Entry>, Error> {
        Ok(last_lines(layout)?.release)
    }

    /// When each version that ever was current was so last: the release after the last one that had it began then; `now`
    /// for a version that still is. One pass, however many there are.
    pub fn last_current(&self, now: Timestamp) -> HashMap<(&ComponentType, &Version), Timestamp> {
        let ends = self.entries.iter().skip(1).map(|after| after.at).chain([now]);
        let each = self.entries.iter().zip(ends);
        each.flat_map(|(entry, end)| entry.components.iter().map(move |(c, detail)| ((c, &detail.version), end)))
            .collect()
    }
}

impl Entry {
    /// The versions that were current together.
    pub fn set(&self) -> Set {
        self.components.iter().map(|(component, detail)| (component.clone(), detail.version.clone())).collect()
    }

    /// How long the line of this entry gets, in bytes.
    pub(super) fn room(&self) -> u64 {
        line(&Self { prev: Some(Sha256::of(b"")), ..self.clone() }).len() as u64
    }

    /// Appends this entry unless it is there already, after dropping a torn last line. Not flushed.
    pub(super) fn append(&self, layout: &Layout) -> Result<(), Error> {
        let tail = last_lines(layout)?;
        if tail.release.as_ref().is_some_and(|entry| entry.release == self.release) {
            return tail.cut(layout);
        }
        tail.append(layout, &line(&Self { prev: tail.digest(), ..self.clone() }))
    }
}

/// The end of the history.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tail {
    /// The last whole line, without its newline; empty where there is none.
    pub last: Vec<u8>,
    /// The last release.
    pub release: Option<Entry>,
    /// Where the last whole line ends.
    end: u64,
    /// The length of the file.
    length: u64,
}

impl Tail {
    /// What the next line says of the last one.
    pub fn digest(&self) -> Option<Sha256> {
        (!self.last.is_empty()).then(|| Sha256::of(&self.last))
    }

    /// Appends a line after dropping a torn one. Not flushed.
    pub fn append(&self, layout: &Layout, line: &[u8]) -> Result<(), Error> {
        self.cut(layout)?;
        Ok(fsx::append(&layout.history(), line)?)
    }

    fn cut(&self, layout: &Layout) -> Result<(), Error> {
        if self.end < self.length {
            fsx::truncate(&layout.history(), self.end)?;
        }
        Ok(())
    }
}

/// The end of the history, from the last release on; no more of the file is read than that, however long it is.
pub(super) fn last_lines(layout: &Layout) -> Result<Tail, Error> {
    let path = layout.history();
    let mut window = 8 << 10;
    loop {
        let (bytes, start) = fsx::read_tail(&path, window)?;
        window *= 8;
        let end = whole(&bytes);
        if end == 0 && start > 0 {
            continue;
        }
        let mut lines: Vec<&[u8]> = bytes.get(..end).unwrap_or_default().split(|b| *b == b'\n').collect();
        if start > 0 {
            // It may have begun before.
            lines.remove(0);
        }
        let mut tail = Tail { end: start + end as u64, length: start + bytes.len() as u64, ..Tail::default() };
        for line in lines.into_iter().rev().filter(|line| !line.is_empty()) {
            if tail.last.is_empty() {
                tail.last = line.to_vec();
            }
            let damaged = |e| Error::Damaged { path: path.clone(), damage: Damage::SomeLine(e) };
            match Line::parse(line).map_err(damaged)? {
                Line::Release(entry) => {
                    tail.release = Some(*entry);
                    return Ok(tail);
                }
                Line::Event(_) => {}
            }
        }
        if start == 0 {
            return Ok(tail);
        }
    }
}

/// Where the last whole line of `bytes` ends, its newline included. Of a line that was being appended a power cut may leave
/// a part, but also its end behind zeros, since blocks reach the disk in any order; no whole line has a zero in it.
pub(super) fn whole(bytes: &[u8]) -> usize {
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
pub(super) mod tests {
    use super::super::audit::{Event, What, Who};
    use super::*;

    pub fn entry(release: u64, parent: Option<u64>, model: &str) -> Entry {
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
            uid: None,
            work: None,
            prev: None,
            environment: None,
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
        let first = entry(1, None, "1.0.0");
        let mut bytes = line(&first);
        bytes.pop();
        let second = Entry { prev: Some(Sha256::of(&bytes)), ..entry(2, Some(1), "1.0.1") };
        assert_eq!(line(&second).len() as u64, entry(2, Some(1), "1.0.1").room());
        assert_eq!(history.entries, [first, second]);
    }

    #[test]
    fn of_a_torn_line_any_part_may_be_zeros() {
        let dir = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(dir.path());
        fsx::create_dir_all(&layout.state()).expect("created");
        entry(1, None, "1.0.0").append(&layout).expect("appended");
        let torn_line = line(&entry(2, Some(1), "1.0.1"));
        let length = fsx::read(&layout.history()).expect("read").len() as u64;
        for zeros in [0..torn_line.len(), 0..40, 40..torn_line.len() - 1, 0..1, torn_line.len() - 1..torn_line.len()] {
            let mut torn = torn_line.clone();
            torn[zeros].fill(0);
            fsx::append(&layout.history(), &torn).expect("appended");
            let versions = || -> Vec<u64> {
                History::read(&layout).expect("read").entries.iter().map(|entry| entry.release).collect()
            };
            assert_eq!(versions(), [1]);
            assert_eq!(History::last(&layout).expect("read").map(|entry| entry.release), Some(1));
            entry(2, Some(1), "1.0.1").append(&layout).expect("appended");
            assert_eq!(versions(), [1, 2]);
            fsx::truncate(&layout.history(), length).expect("cut");
        }
    }

    #[test]
    fn the_last_release_is_found_however_long_the_lines_are_and_whatever_follows_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(dir.path());
        fsx::create_dir_all(&layout.state()).expect("created");
        let (path, who) =
            (layout.history(), Who { by: "mei@host".into(), at: Timestamp::from_unix(0).expect("a time") });
        assert_eq!(last_lines(&layout).expect("no file"), Tail::default());
        let mut whole = 0;
        for (number, length) in (1..).zip([5, 70_000, 9_000, 8_191, 0, 8_192]) {
            let release = Entry { by: "m".repeat(length), ..entry(number, None, "1.0") };
            let event = Event { reason: Some("r".repeat(length)), ..Event::new(What::Pin, &who) };
            for line in [line(&release), line(&event), line(&event)] {
                whole += line.len() as u64;
                let (last, release) = (line[..line.len() - 1].to_vec(), Some(release.clone()));
                let tail = Tail { last, release, end: whole, length: whole };
                fsx::append(&path, &line).expect("appended");
                assert_eq!(last_lines(&layout).expect("found"), tail);
                fsx::append(&path, b"torn").expect("appended");
                assert_eq!(last_lines(&layout).expect("found"), Tail { length: whole + 4, ..tail });
                fsx::truncate(&path, whole).expect("cut");
            }
        }
    }

    #[test]
    fn last_current_is_when_the_next_release_began() {
        let model: ComponentType = "model".parse().expect("a type");
        let now = Timestamp::from_unix(999).expect("a time");
        let history = History { entries: vec![entry(1, None, "1.0"), entry(2, Some(1), "1.1")] };
        let all = history.last_current(now);
        let last = |v: &str| all.get(&(&model, &v.parse().expect("a version"))).map(|t| t.as_unix());
        assert_eq!((last("1.0"), last("1.1"), last("2.0")), (Some(200), Some(999), None));
    }
}

//! The audit trail: every line of `.deploy-tool/history.jsonl`, and the chain that ties them together.
//!
//! ```text
//! {"release":5,…,"by":"mei@host","uid":1000,…,"prev":"<sha256>"}                    a release
//! {"event":"pin","at":"…","by":"mei@host","uid":1000,"result":"done","versions":["model@1.0.0"],"prev":"<sha256>"}
//! ```
//!
//! Releases write their line after the commit point; what makes no release (pins, cleanups, mended links) and what failed
//! writes an event. Who reads releases passes events over. `prev` is the sha256 of the line before, without its newline: a
//! line that was edited, removed or moved no longer fits the one after it. Lines without `prev`, which older programs wrote,
//! are accepted at the beginning only. The chain has no secret: it shows what editing leaves behind, and stops nobody who may
//! write the file and computes it anew; whoever must know keeps the last digest elsewhere.
//!
//! An event's line is written before the change it is about, so that there is no change without one; where the change then
//! fails, a second line says so. A cleanup's line is part of what its journal finishes.

use std::path::PathBuf;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::history::{Entry, last_lines};
use super::state::current_number;
use super::{Damage, Error, Layout, Root, View, journal};
use crate::fsx;
use crate::model::{ComponentType, Sha256, Timestamp, Version};

/// What was done, or tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A release that did not come to be.
    Release,
    /// The release on trial was confirmed.
    Confirm,
    /// A version was pinned.
    Pin,
    /// A pin was removed.
    Unpin,
    /// Versions were removed.
    Cleanup,
    /// Links were mended.
    RepairLinks,
    /// Files of a version were put back.
    RepairVersion,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It was done, or was about to be: where it then failed, the next line says so.
    Done,
    /// It failed and changed nothing, or not all of it.
    Failed,
    /// It was killed, and undone by the next command.
    Undone,
}

/// A change that made no release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What was done.
    pub event: What,
    /// When.
    pub at: Timestamp,
    /// Who, as `user@host`.
    pub by: String,
    /// The number of that user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// How it ended.
    pub result: Ending,
    /// The release it was about; of one that did not come to be the number it would have had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    /// The versions it was about, as `model@1.0.1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// The links it was about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<PathBuf>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The digest of the line before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Sha256>,
}

/// Who changes a root, and when: what every line of the trail names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// As `user@host`.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Event {
    /// An event that is about to be done.
    pub(super) fn new(event: What, who: &Who) -> Self {
        Self {
            event,
            at: who.at,
            by: who.by.clone(),
            uid: Some(fsx::user()),
            result: Ending::Done,
            release: None,
            versions: Vec::new(),
            links: Vec::new(),
            reason: None,
            prev: None,
        }
    }

    /// The same about these versions.
    pub(super) fn of<'v>(mut self, versions: impl IntoIterator<Item = (&'v ComponentType, &'v Version)>) -> Self {
        self.versions = versions.into_iter().map(|(component, version)| format!("{component}@{version}")).collect();
        self
    }

    /// The event of a release that did not come to be.
    pub(super) fn instead_of(entry: &Entry, result: Ending, reason: Option<String>) -> Self {
        let who = Who { by: entry.by.clone(), at: entry.at };
        let changed = entry.changed.iter().filter_map(|c| Some((c, &entry.components.get(c)?.version)));
        Self {
            result,
            release: Some(entry.release),
            reason,
            uid: entry.uid,
            ..Self::new(What::Release, &who).of(changed)
        }
    }

    /// Appends this event, unless it is the last line already. Durable when it returns.
    pub(super) fn append(mut self, layout: &Layout) -> Result<(), Error> {
        let path = layout.history();
        let tail = last_lines(layout)?;
        let last = serde_json::from_slice::<Event>(&tail.last).ok();
        if last.is_some_and(|last| Event { prev: None, ..last } == self) {
            return Ok(());
        }
        self.prev = tail.digest();
        tail.append(layout, &line(&self))?;
        Ok(fsx::flush_file(&fsx::open(&path)?, &path)?)
    }
}

/// The line of a value, with its newline.
pub(super) fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("keys are strings");
    line.push(b'\n');
    line
}

impl Root {
    /// Writes `event`, then makes the change it is about; where that fails, writes that too.
    pub(super) fn audited<T>(&self, event: Event, change: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        event.clone().append(self.layout())?;
        change().inspect_err(|error| {
            let failed = Event { result: Ending::Failed, reason: Some(error.to_string()), ..event };
            // What failed is what the user must hear.
            let _ = failed.append(self.layout());
        })
    }

    /// Writes that the release of `entry` did not come to be, and why. Where a transaction is still open the next command
    /// finds out how it ended, and where it was current, if only for a moment, it has a line: then nothing is written.
    pub fn note_failure(&self, entry: &Entry, reason: &str) {
        let open = !journal::all(self.layout()).is_ok_and(|open| open.is_empty());
        let current = self.view().state().ok().and_then(|state| state.number());
        if !open && current.is_none_or(|current| current < entry.release) {
            let event = Event::instead_of(entry, Ending::Failed, Some(reason.to_owned()));
            // What failed is what the user must hear.
            let _ = event.append(self.layout());
        }
    }
}

/// One line of the trail.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Line {
    /// A release.
    Release(Box<Entry>),
    /// Anything else.
    Event(Event),
}

#[derive(Deserialize)]
struct Probe {
    event: Option<IgnoredAny>,
}

impl Line {
    /// Reads a line.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        match serde_json::from_slice::<Probe>(bytes)?.event {
            Some(_) => serde_json::from_slice(bytes).map(Line::Event),
            None => serde_json::from_slice(bytes).map(|entry| Line::Release(Box::new(entry))),
        }
    }

    fn prev(&self) -> Option<&Sha256> {
        match self {
            Line::Release(entry) => entry.prev.as_ref(),
            Line::Event(event) => event.prev.as_ref(),
        }
    }
}

/// What checking the trail found, where it is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many lines there are.
    pub lines: usize,
    /// How many of them, at the beginning, were written before there was a chain: an edit of those is not seen.
    pub unchained: usize,
    /// Whether a torn line, of a run that was killed, stands at the end.
    pub torn: bool,
    /// The digest of the last line, which stands for all of them.
    pub head: Option<Sha256>,
}

/// What does not fit in a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The line before is not the one that this one was written after: it was edited, or lines were removed or moved.
    Prev,
    /// It says nothing of the line before, though lines before it do.
    Unchained,
    /// Its release does not follow the one before.
    Release,
    /// It names the last release there is, but another one is current.
    Current,
}

impl View {
    /// Every line of the trail, oldest first. A torn last line is left out.
    pub fn trail(&self) -> Result<Vec<Line>, Error> {
        let (lines, _) = raw(self.layout())?;
        lines.iter().enumerate().map(|(n, line)| parse(self.layout(), n, line)).collect()
    }

    /// Checks the chain of the trail.
    ///
    /// # Errors
    ///
    /// [`Error::Trail`] names the first line that does not fit.
    pub fn verify_trail(&self) -> Result<Verified, Error> {
        let layout = self.layout();
        let (lines, torn) = raw(layout)?;
        let broken = |number: usize, why| Error::Trail { path: layout.history(), line: number + 1, why };
        let (mut before, mut unchained, mut release): (Option<Sha256>, _, Option<(usize, u64)>) = (None, 0, None);
        for (number, bytes) in lines.iter().enumerate() {
            let line = parse(layout, number, bytes)?;
            match line.prev() {
                None if unchained == number => unchained += 1,
                None => return Err(broken(number, Break::Unchained)),
                prev if prev != before.as_ref() => return Err(broken(number, Break::Prev)),
                Some(_) => {}
            }
            if let Line::Release(entry) = &line {
                if release.is_some_and(|(_, last)| last + 1 != entry.release) {
                    return Err(broken(number, Break::Release));
                }
                release = Some((number, entry.release));
            }
            before = Some(Sha256::of(bytes));
        }
        if let Some((number, last)) = release
            && journal::all(layout)?.is_empty()
            // A link that cannot be read is no matter of the trail.
            && current_number(layout).is_ok_and(|current| current.is_some_and(|current| current > last))
        {
            return Err(broken(number, Break::Current));
        }
        Ok(Verified { lines: lines.len(), unchained, torn, head: before })
    }
}

fn parse(layout: &Layout, number: usize, line: &[u8]) -> Result<Line, Error> {
    let damage = |source| Damage::Line { line: number + 1, source };
    Line::parse(line).map_err(|e| Error::Damaged { path: layout.history(), damage: damage(e) })
}

/// The whole lines, without their newlines, and whether a torn one follows.
fn raw(layout: &Layout) -> Result<(Vec<Vec<u8>>, bool), Error> {
    let bytes = fsx::read_opt(&layout.history())?.unwrap_or_default();
    let whole = super::history::whole(&bytes);
    let lines = bytes.get(..whole).unwrap_or_default().split(|b| *b == b'\n').filter(|line| !line.is_empty());
    Ok((lines.map(<[u8]>::to_vec).collect(), whole < bytes.len()))
}

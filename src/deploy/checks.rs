//! What a release had to pass, and what came of it (`.deploy-tool/checks/<n>.json`).
//!
//! ```text
//! history.jsonl      … "trial":{"checked":true,"confirm":"10m"} …      what release n has to pass, durable with its commit
//! checks/<n>.json    {"release":n,"at":"…","passed":true,"confirm_by":"…","confirmed_at":"…","runs":[…]}
//! ```
//!
//! A release whose history line has a trial and which has no file here was stopped before its result was known. The file
//! is written when the result is, and once more when it is confirmed; it goes with `releases/<n>`. `runs` holds what hooks
//! and the health check said.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::audit::{Event, What, Who};
use super::history::Entry;
use super::{Action, Error, History, Layout, Root, View};
use crate::fsx;
use crate::model::{Span, Timestamp, to_canonical_json};

/// What a release has to pass before it counts as good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Whether something is run or asked after the links have moved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checked: bool,
    /// How long there is to confirm it, from when it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Span>,
}

/// For a release that was made because the one before it did not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Because {
    /// The release that did not stand.
    pub release: u64,
    /// Why not.
    pub why: Why,
}

/// Why a release does not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A hook after the switch failed, or the health check did.
    Unhealthy,
    /// Nobody confirmed it in time.
    Unconfirmed,
    /// After the switch a link did not hold what was planned.
    Links,
}

/// What came of the checks of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The release.
    pub release: u64,
    /// When the result was known.
    pub at: Timestamp,
    /// Whether it passed.
    pub passed: bool,
    /// Until when it has to be confirmed; absent where it need not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_by: Option<Timestamp>,
    /// When it was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// What was run and asked, in that order; of the health check the last look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Run>,
}

/// What was run or asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A hook before the switch.
    PreSwitch,
    /// A hook after the switch.
    PostSwitch,
    /// The health check.
    Health,
}

/// One hook or one look of the health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which.
    pub check: Check,
    /// The command, URL or address, as the configuration spells it.
    pub what: String,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub milliseconds: u64,
    /// The end of what it said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

/// What came of a hook or of a look of the health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It went well.
    Ok,
    /// The program ended with a status other than 0.
    Exit(i32),
    /// The program was ended by a signal.
    Signal(i32),
    /// Its time was over.
    TimedOut,
    /// The program could not be started.
    NotStarted(String),
    /// The server answered with a status that is none of 200 to 299.
    Answered(u16),
    /// There was no answer.
    Unreachable(String),
}

/// What the current release still has to pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It was stopped before the result of its checks was known.
    Untested,
    /// It did not pass and is to be undone.
    Failed,
    /// It has to be confirmed, and there is time until then.
    OnTrial(Timestamp),
    /// It was to be confirmed until then, nobody did, and it is to be undone.
    Overdue(Timestamp),
}

impl Checked {
    /// What came of the checks of release `number`; `None` where that is not known.
    pub fn read(layout: &Layout, number: u64) -> Result<Option<Self>, Error> {
        let path = layout.check(number);
        let Some(bytes) = fsx::read_opt(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::Damaged { path, damage: e.into() })
    }

    /// Notes that the release is confirmed, and who did that. Durable when it returns.
    pub fn confirm(self, root: &Root, who: &Who) -> Result<(), Error> {
        let event = Event { release: Some(self.release), ..Event::new(What::Confirm, who) };
        root.audited(event, || Self { confirmed_at: Some(who.at), ..self }.write(root))
    }

    /// Writes it; after a crash the old or the new text is there, whole. Durable when it returns.
    pub fn write(&self, root: &Root) -> Result<(), Error> {
        let layout = root.layout();
        put(layout, &layout.check(self.release), &to_canonical_json(self))
    }
}

/// Replaces a state file that lies in a directory of its own kind, which may hold thousands. Its temporary name is among
/// the journals, where the next changing command looks for what a killed one left. Durable when it returns.
pub(super) fn put(layout: &Layout, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let dir = path.parent().unwrap_or(layout.root());
    fsx::create_dir_all(dir)?;
    let temporary = layout.journals().join(".state.tmp");
    fsx::remove_file_opt(&temporary)?;
    fsx::write_new(&temporary, bytes)?;
    fsx::rename(&temporary, path)?;
    Ok(fsx::flush_dir(dir)?)
}

impl View {
    /// The newest release where it still has something to pass, and what.
    pub fn standing(&self, now: Timestamp) -> Result<Option<(Entry, Standing)>, Error> {
        let Some(entry) = History::last(self.layout())? else { return Ok(None) };
        if entry.trial.is_none() {
            return Ok(None);
        }
        let checked = Checked::read(self.layout(), entry.release)?;
        Ok(standing(&entry, checked.as_ref(), now).map(|standing| (entry, standing)))
    }
}

fn standing(entry: &Entry, checked: Option<&Checked>, now: Timestamp) -> Option<Standing> {
    let Some(checked) = checked else { return Some(Standing::Untested) };
    match (checked.passed, checked.confirm_by, checked.confirmed_at) {
        // A rollback stays, whatever it is like: it never leads forward again.
        (false, ..) => (entry.action != Action::Rollback).then_some(Standing::Failed),
        (true, Some(until), None) if now < until => Some(Standing::OnTrial(until)),
        (true, Some(until), None) => Some(Standing::Overdue(until)),
        (true, ..) => None,
    }
}

//! What to collect: a plan, which is a plain value that says of everything why it stays or goes.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use super::{Entry, Held, Reader, Result};
use super::{packed, uploads};
use crate::fsx::{self, FileKind};
use crate::model::{ByteSize, ComponentType, Sha256, Timestamp, Version};

/// How long an unfinished content may wait for somebody to go on with it.
pub const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What gc goes by.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The most the contents may take together; `None` removes leftovers only.
    pub max_size: Option<ByteSize>,
    /// Contents that stay whatever they take, besides packed versions that are not published.
    pub keep: &'a HashSet<Sha256>,
    /// The time it is: what was left unfinished more than [`PATIENCE`] before is given up.
    pub now: Timestamp,
}

/// Why a content stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The caller asked for it.
    Asked,
    /// It belongs to a version that is packed and not published.
    Packed(Held),
    /// There is room for it.
    Fits,
}

/// Why a content goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// The store is larger than it may be, and what stays was used later.
    LeastRecentlyUsed,
    /// It is unfinished, and nobody went on with it for [`PATIENCE`], or the whole is there too.
    GivenUp,
}

/// An unfinished write that nobody works on any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
}

/// What gc will do. Of a [`Reader`] it is a preview: leftovers may still be somebody's, and all may change until gc runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What stays, by digest.
    pub kept: Vec<(Entry, Kept)>,
    /// What goes, the longest unused first.
    pub removed: Vec<(Entry, Removed)>,
    /// Unfinished writes, which go.
    pub leftovers: Vec<Leftover>,
    /// Notes of published versions whose package goes or is gone; they go with it.
    pub notes: Vec<(ComponentType, Version)>,
    /// By how many bytes the store stays larger than it may be, because of what must stay.
    pub excess: u64,
}

impl Plan {
    /// How many bytes the removal frees.
    pub fn frees(&self) -> u64 {
        let contents = self.removed.iter().map(|(entry, _)| entry.size);
        contents.chain(self.leftovers.iter().map(|leftover| leftover.size)).sum()
    }
}

impl Reader {
    /// Plans a collection by `rules`; changes nothing.
    pub fn plan_gc(&self, rules: Rules<'_>) -> Result<Plan> {
        let mut entries = self.list()?;
        let whole: HashSet<_> = entries.iter().map(|entry| entry.sha256).collect();
        let unfinished = self.unfinished()?.into_iter();
        let (given_up, resumable): (Vec<_>, Vec<_>) = unfinished.partition(|entry| {
            let age = entry.last_used.map(|last| rules.now.since(last));
            whole.contains(&entry.sha256) || age.is_none_or(|age| age > PATIENCE)
        });
        entries.extend(resumable);
        let (mut kept, removed, excess) = choose(entries, rules);
        let given_up = given_up.into_iter().map(|entry| (entry, Removed::GivenUp));
        let removed = given_up.chain(removed).collect();
        kept.sort_by_key(|(entry, _)| entry.sha256);
        let staying = kept.iter().filter(|(entry, _)| !entry.unfinished);
        let staying: HashSet<_> = staying.map(|(entry, _)| entry.sha256).collect();
        let notes = packed::all(self.directory())?.into_iter();
        let notes = notes.filter(|(_, _, note)| note.published.is_some() && !staying.contains(&note.package));
        let notes = notes.map(|(component, version, _)| (component, version)).collect();
        let mut leftovers = self.leftovers()?;
        leftovers.extend(uploads::leftovers(self.directory(), |package| staying.contains(package))?);
        Ok(Plan { kept, removed, leftovers, notes, excess })
    }

    fn leftovers(&self) -> Result<Vec<Leftover>> {
        let tmp = self.directory().join("tmp");
        let mut leftovers = Vec::new();
        for file in fsx::list(&tmp)?.into_iter().filter(|e| matches!(e.kind, FileKind::File | FileKind::Directory)) {
            let path = tmp.join(file.name);
            if let Some(stat) = fsx::inspect(&path)? {
                leftovers.push(Leftover { path, size: stat.size });
            }
        }
        Ok(leftovers)
    }
}

type Choice = (Vec<(Entry, Kept)>, Vec<(Entry, Removed)>, u64);

/// Lets the longest unused go until the rest fits; what must stay counts but does not go.
fn choose(mut entries: Vec<Entry>, rules: Rules<'_>) -> Choice {
    entries.sort_by_key(|entry| (entry.last_used, entry.sha256));
    let cap = rules.max_size.map_or(u64::MAX, |size| size.0);
    let mut total: u64 = entries.iter().map(|entry| entry.size).sum();
    let (mut kept, mut removed) = (Vec::new(), Vec::new());
    for entry in entries {
        if let Some(held) = entry.held.clone() {
            kept.push((entry, Kept::Packed(held)));
        } else if rules.keep.contains(&entry.sha256) && !entry.unfinished {
            kept.push((entry, Kept::Asked));
        } else if total > cap {
            total -= entry.size;
            removed.push((entry, Removed::LeastRecentlyUsed));
        } else {
            kept.push((entry, Kept::Fits));
        }
    }
    (kept, removed, total.saturating_sub(cap))
}

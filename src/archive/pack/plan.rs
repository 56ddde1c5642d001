//! The planner: walks the tree and decides which entries share a piece.

use std::sync::mpsc::{Receiver, Sender};

use super::cut::{BIG, Cutter, PLACE_BYTES, group_bytes, place};
use super::walk::Walker;
use super::work::{Content, Job, Slot};
use super::{PackOptions, full_path};
use crate::archive::error::PackError;
use crate::archive::os_path;
use crate::archive::tar::{END_BYTES, header_bytes, padding};
use crate::codec::Settings;
use crate::fsx::{Action, Dir, Error as FsError};
use crate::model::{Blake3, Entry, EntryKind};

/// Why planning stopped early.
pub(super) enum Stop {
    /// By its own error.
    Failed(PackError),
    /// The writer has gone, with an error of its own.
    NobodyListens,
}

impl<E: Into<PackError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Failed(error.into())
    }
}

/// Makes jobs from entries.
pub(super) struct Planner<'a> {
    root: &'a Dir,
    dereference: bool,
    group_bytes: u64,
    slots: Receiver<Slot>,
    jobs: Sender<Job>,
    number: u64,
    /// The group being filled: zeros that end a big file before it, its entries, and their bytes in the tar stream.
    lead: usize,
    group: Vec<Entry>,
    bytes: u64,
    /// Where the last entry of the group lies.
    place: Vec<u8>,
    cutter: Option<Cutter>,
}

impl<'a> Planner<'a> {
    pub fn new(
        root: &'a Dir,
        settings: Settings,
        options: &PackOptions<'_>,
        slots: Receiver<Slot>,
        jobs: Sender<Job>,
    ) -> Self {
        let group_bytes = group_bytes(settings.compression());
        let dereference = options.dereference;
        Self {
            root,
            dereference,
            group_bytes,
            slots,
            jobs,
            number: 0,
            lead: 0,
            group: Vec::new(),
            bytes: 0,
            place: Vec::new(),
            cutter: None,
        }
    }

    /// Plans the whole tree; returns how many entries the excludes left out.
    pub fn run(mut self, mut walker: Walker<'_>) -> Result<u64, Stop> {
        while let Some(entry) = walker.next()? {
            let size = match entry.kind {
                EntryKind::File { size, .. } => size,
                _ => 0,
            };
            let place = place(&entry.path);
            if self.bytes >= PLACE_BYTES && self.place != place {
                self.end_group(0)?;
            }
            if self.place != place {
                self.place = place.to_vec();
            }
            self.bytes += header_bytes(&entry);
            if size > BIG {
                // The header ends this group; the file's bytes are pieces of their own; its padding opens the next.
                let path = entry.path.clone();
                self.group.push(entry);
                self.end_group(0)?;
                self.big_file(&path, size)?;
            } else {
                self.group.push(entry);
                self.bytes += size + padding(size) as u64;
                if self.bytes >= self.group_bytes {
                    self.end_group(0)?;
                }
            }
        }
        self.end_group(END_BYTES)?;
        Ok(walker.excluded)
    }

    fn end_group(&mut self, trail: usize) -> Result<(), Stop> {
        let entries = std::mem::take(&mut self.group);
        let content = Content::Group { lead: std::mem::take(&mut self.lead), entries, trail };
        self.bytes = 0;
        let slot = self.slot()?;
        self.send(slot, content)
    }

    fn slot(&self) -> Result<Slot, Stop> {
        self.slots.recv().map_err(|_| Stop::NobodyListens)
    }

    fn send(&mut self, slot: Slot, content: Content) -> Result<(), Stop> {
        let number = self.number;
        self.number += 1;
        self.jobs.send(Job { number, slot, content }).map_err(|_| Stop::NobodyListens)
    }
}

impl Planner<'_> {
    /// Cuts the file whose header ended the last group.
    fn big_file(&mut self, path: &crate::model::TreePath, size: u64) -> Result<(), Stop> {
        let full = full_path(self.root, path);
        let mut file = self.root.open_file(os_path(path), self.dereference)?;
        let mut cutter = self.cutter.take().unwrap_or_else(Cutter::new);
        let mut hasher = blake3::Hasher::new();
        let mut done = 0;
        loop {
            let mut slot = self.slot()?;
            slot.raw.clear();
            let piece = cutter.next(&mut file, &mut |bytes| {
                hasher.update(bytes);
            });
            slot.raw.push(piece.map_err(|e| FsError::new(Action::Read, &full, e))?);
            done += slot.raw.len() as u64;
            if slot.raw.is_empty() || done > size {
                return Err(PackError::Changed { path: full }.into());
            }
            let digest = (done == size).then(|| Blake3::from_bytes(*hasher.finalize().as_bytes()));
            let last = digest.is_some();
            if last
                && !cutter.next(&mut file, &mut |_| {}).map_err(|e| FsError::new(Action::Read, &full, e))?.is_empty()
            {
                return Err(PackError::Changed { path: full }.into());
            }
            self.send(slot, Content::Chunk { digest })?;
            if last {
                break;
            }
        }
        self.cutter = Some(cutter);
        self.lead = padding(size);
        self.bytes = self.lead as u64;
        Ok(())
    }
}

//! The writer: pieces in order into one archive, and the index of it all.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::mpsc::{Receiver, Sender};

use super::trap::Traps;
use super::work::{Content, Done, Slot};
use super::{PackOptions, Trap};
use crate::archive::error::PackError;
use crate::archive::tar::{header_bytes, padding};
use crate::codec::{Container, Settings};
use crate::model::{Blake3, EntryKind, Index, IndexEntry, IndexParts, Piece};

/// What the writer knows in the end.
pub(super) struct Written {
    pub index: Index,
    pub warnings: Vec<Trap>,
}

/// Writes pieces as they are done, each in its turn, and gives their slots back.
pub(super) fn run<W: Write>(
    settings: Settings,
    options: &PackOptions<'_>,
    out: W,
    done: &Receiver<Result<Done, PackError>>,
    empty_slots: Sender<Slot>,
) -> Result<Written, PackError> {
    let mut writer = Writer::new(settings, out)?;
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    let mut bytes = 0;
    for result in done {
        let piece = result?;
        waiting.insert(piece.number, piece);
        while let Some(piece) = waiting.remove(&next) {
            next += 1;
            let (slot, content_bytes) = writer.piece(piece)?;
            bytes += content_bytes;
            (options.progress)(bytes);
            // The planner may have finished.
            let _ = empty_slots.send(slot.back());
        }
    }
    writer.finish()
}

struct Writer<W> {
    out: W,
    container: Box<dyn Container>,
    traps: Traps,
    index: IndexParts,
    /// The hashes of archive and tar stream, where pieces cannot be taken out and one spans the archive.
    whole: Option<(blake3::Hasher, blake3::Hasher)>,
}

impl<W: Write> Writer<W> {
    fn new(settings: Settings, out: W) -> Result<Self, PackError> {
        let container = settings.container();
        let whole = (!settings.pieces_stand_alone()).then(Default::default);
        let index = IndexParts {
            compression: settings.compression(),
            whole: whole.is_some(),
            size: 0,
            tar_size: 0,
            head: Vec::new(),
            tail: Vec::new(),
            entries: Vec::new(),
            pieces: Vec::new(),
        };
        let mut writer = Self { out, container, traps: Traps::default(), index, whole };
        let head = writer.container.head();
        writer.write(&head)?;
        if writer.whole.is_none() {
            writer.index.head = head;
        }
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.out.write_all(bytes).map_err(PackError::Write)?;
        if let Some((packed, _)) = &mut self.whole {
            packed.update(bytes);
        }
        self.index.size += bytes.len() as u64;
        Ok(())
    }

    /// Writes one piece; returns its slot and how many bytes of files it held.
    fn piece(&mut self, done: Done) -> Result<(Slot, u64), PackError> {
        let Done { mut slot, content, length: tar_length, seal, raw, packed, traps, .. } = done;
        self.container.add(slot.raw.filled(), &mut slot.packed, seal);
        let piece = Piece {
            offset: self.index.size,
            length: slot.packed.len() as u64,
            tar_offset: self.index.tar_size,
            tar_length,
            packed,
            raw,
        };
        self.write(slot.packed.filled())?;
        match &mut self.whole {
            Some((_, tar)) => {
                tar.update(slot.raw.filled());
            }
            None => self.index.pieces.push(piece),
        }
        let bytes = self.entries(content, piece);
        self.index.tar_size += tar_length;
        traps.into_iter().for_each(|(kind, path)| self.traps.add(kind, path));
        Ok((slot, bytes))
    }

    fn entries(&mut self, content: Content, piece: Piece) -> u64 {
        match content {
            Content::Chunk { digest } => {
                if let (Some(found), Some(item)) = (digest, self.index.entries.last_mut())
                    && let EntryKind::File { digest, .. } = &mut item.entry.kind
                {
                    *digest = found;
                }
                piece.tar_length
            }
            Content::Group { lead, entries, .. } => {
                let mut at = piece.tar_offset + lead as u64;
                let mut bytes = 0;
                for entry in entries {
                    let offset = at + header_bytes(&entry);
                    let stored = match entry.kind {
                        EntryKind::File { size, .. } => size,
                        _ => 0,
                    };
                    at = offset + stored + padding(stored) as u64;
                    bytes += if stored > super::cut::BIG { 0 } else { stored };
                    self.index.entries.push(IndexEntry { entry, offset, stored });
                }
                bytes
            }
        }
    }

    fn finish(mut self) -> Result<Written, PackError> {
        let tail = self.container.tail();
        self.write(&tail)?;
        self.out.flush().map_err(PackError::Write)?;
        match self.whole.take() {
            Some((packed, tar)) => self.index.pieces.push(Piece {
                offset: 0,
                length: self.index.size,
                tar_offset: 0,
                tar_length: self.index.tar_size,
                packed: Blake3::from_bytes(*packed.finalize().as_bytes()),
                raw: Blake3::from_bytes(*tar.finalize().as_bytes()),
            }),
            None => self.index.tail = tail,
        }
        Ok(Written { index: Index::new(self.index)?, warnings: self.traps.finish() })
    }
}

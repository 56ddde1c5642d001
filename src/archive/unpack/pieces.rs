//! The fast way: pieces checked, decoded and written on all cores.
//!
//! Each thread takes the next piece, checks its digest before a byte of it is decoded, and goes through the entries
//! that lie in it. Headers are parsed and compared with the index wherever they lie. A small file is wholly in one
//! piece; the pieces of a big one are written at their offsets by whoever has them and hashed in turn.

use std::collections::HashMap;
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::UnpackOptions;
use super::deposit::Deposit;
use super::feed::{Feed, lock};
use super::watch::compare;
use crate::archive::error::{Aspect, UnpackError};
use crate::archive::tar::{BLOCK, TarError, next_member, only_zeros};
use crate::codec::{self, Buffer, Form};
use crate::fsx::Hand;
use crate::model::{Blake3, EntryKind, Index};

/// What is wanted of a package: which files, and which pieces for that.
pub(super) struct Wanted<'a> {
    index: &'a Index,
    /// Of each entry, whether its file is there already; empty where none is.
    have: &'a [bool],
    /// Of each piece, whether it is needed.
    pieces: Vec<bool>,
}

impl<'a> Wanted<'a> {
    pub fn new(index: &'a Index, have: &'a [bool], options: &UnpackOptions<'_>) -> Self {
        match have.is_empty() || options.whole || options.expected.is_some() {
            true => Self { index, have, pieces: vec![true; index.pieces.len()] },
            false => Self::some(index, have),
        }
    }

    /// The pieces that hold something of a file that is not there.
    pub fn some(index: &'a Index, have: &'a [bool]) -> Self {
        let mut wanted = Self { index, have, pieces: vec![false; index.pieces.len()] };
        wanted.mark();
        wanted
    }

    /// Whether an entry's file has to be made.
    fn file(&self, number: usize) -> bool {
        !self.have.get(number).copied().unwrap_or(false)
    }

    /// Of each piece, whether it is needed.
    pub fn into_pieces(self) -> Vec<bool> {
        self.pieces
    }

    pub fn piece(&self, number: usize) -> bool {
        self.pieces.get(number).copied().unwrap_or(false)
    }

    /// Marks the pieces that hold content of a file that is not there; of an empty file, its headers.
    fn mark(&mut self) {
        let index = self.index;
        let mut end = 0;
        for (number, item) in index.entries.iter().enumerate() {
            let headers = std::mem::replace(&mut end, item.end());
            let (EntryKind::File { .. }, true) = (&item.entry.kind, self.file(number)) else { continue };
            let (from, to) = match item.stored {
                0 => (headers, item.offset),
                stored => (item.offset, item.offset + stored),
            };
            let first = index.pieces.partition_point(|piece| piece.tar_offset + piece.tar_length <= from);
            let behind = index.pieces.partition_point(|piece| piece.tar_offset < to);
            self.pieces.iter_mut().take(behind).skip(first).for_each(|piece| *piece = true);
        }
    }

    /// The bytes of the files that are there.
    fn had(&self) -> u64 {
        let had = self.index.entries.iter().zip(self.have).filter(|(_, have)| **have);
        had.map(|(item, _)| item.stored).fold(0, u64::saturating_add)
    }
}

/// Unpacks every piece that is wanted. The inode of each file that is made goes to the number of its entry in `inodes`.
pub(super) fn unpack<'a>(
    feed: Feed<'a>,
    wanted: &'a Wanted<'a>,
    deposit: &'a Deposit<'a>,
    inodes: &'a [AtomicU64],
    options: &'a UnpackOptions<'_>,
) -> Result<(), UnpackError> {
    let index = wanted.index;
    let end = index.entries.last().map_or(0, |last| last.end());
    if index.tar_size < end + BLOCK as u64 {
        return Err(TarError::CutShort.into());
    }
    let job = Job {
        index,
        wanted,
        deposit,
        inodes,
        feed,
        assemblies: assemblies(index),
        failure: Mutex::new(None),
        failed: AtomicBool::new(false),
        whole: options.whole,
        bytes: AtomicU64::new(if options.whole { 0 } else { wanted.had() }),
        progress: options.progress,
    };
    std::thread::scope(|scope| {
        for _ in 1..crate::archive::threads(options.threads) {
            scope.spawn(|| job.run());
        }
        job.run();
    });
    if let Some(error) = lock(&job.failure).take() {
        return Err(error);
    }
    job.feed.finish()
}

/// A file whose bytes lie in several pieces.
#[derive(Default)]
struct Assembly {
    state: Mutex<AssemblyState>,
    turn: Condvar,
}

#[derive(Default)]
struct AssemblyState {
    file: Option<Arc<File>>,
    /// How many bytes have been hashed: the part that begins here is next.
    hashed: u64,
    hasher: Option<blake3::Hasher>,
}

impl Assembly {
    /// The file, made by whoever comes first.
    fn file(&self, make: impl FnOnce() -> crate::fsx::Result<File>) -> Result<Arc<File>, UnpackError> {
        let mut state = lock(&self.state);
        match &state.file {
            Some(file) => Ok(file.clone()),
            None => Ok(state.file.insert(Arc::new(make()?)).clone()),
        }
    }
}

/// The files that do not lie in one piece, by their number.
fn assemblies(index: &Index) -> HashMap<usize, Assembly> {
    let mut cuts = index.pieces.iter().map(|piece| piece.tar_offset).peekable();
    let mut found = HashMap::new();
    for (number, item) in index.entries.iter().enumerate() {
        while cuts.next_if(|cut| *cut <= item.offset).is_some() {}
        if cuts.peek().is_some_and(|cut| *cut < item.offset + item.stored) {
            found.insert(number, Assembly::default());
        }
    }
    found
}

/// What all threads share.
struct Job<'a> {
    index: &'a Index,
    wanted: &'a Wanted<'a>,
    deposit: &'a Deposit<'a>,
    inodes: &'a [AtomicU64],
    feed: Feed<'a>,
    assemblies: HashMap<usize, Assembly>,
    failure: Mutex<Option<UnpackError>>,
    failed: AtomicBool,
    /// Whether files that are there are checked in the package, too.
    whole: bool,
    bytes: AtomicU64,
    progress: &'a (dyn Fn(u64) + Sync),
}

impl Job<'_> {
    fn run(&self) {
        if let Err(error) = self.work() {
            lock(&self.failure).get_or_insert(error);
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    fn work(&self) -> Result<(), UnpackError> {
        let mut decoder =
            codec::decoder(self.index.compression).map_err(|source| UnpackError::Codec { piece: 0, source })?;
        let (mut packed, mut raw, mut hand) = (Buffer::default(), Buffer::default(), self.deposit.hand());
        while !self.failed.load(Ordering::Relaxed) {
            let Some((number, form)) = self.feed.next(&mut packed)? else { break };
            if !self.wanted.piece(number) {
                continue;
            }
            let piece = self.index.pieces[number];
            let found = if self.feed.is_checked() { piece.packed } else { Blake3::of(packed.filled()) };
            if found != piece.packed {
                let (offset, length, expected) = (piece.offset, piece.length, piece.packed);
                return Err(UnpackError::Piece { piece: number, offset, length, expected, found });
            }
            let codec_error = |source| UnpackError::Codec { piece: number, source };
            let length = piece.tar_length as usize;
            let bytes = match &mut decoder {
                Some(decoder) if form == Form::Packed => {
                    raw.clear();
                    decoder.decode(&mut packed, raw.room(length)).map_err(codec_error)?;
                    raw.grow(length);
                    raw.filled()
                }
                _ => packed.filled(),
            };
            if bytes.len() != length {
                return Err(UnpackError::Size { expected: piece.tar_length, found: bytes.len() as u64 });
            }
            self.entries(piece.tar_offset, bytes, &mut hand)?;
        }
        Ok(())
    }

    /// Goes through the entries that lie in a piece, which holds the tar stream from `start`.
    fn entries(&self, start: u64, bytes: &[u8], hand: &mut Hand<'_>) -> Result<(), UnpackError> {
        let entries = &self.index.entries;
        let mut number = entries.partition_point(|item| item.end() <= start);
        let mut rest = bytes;
        let mut done = 0;
        while !rest.is_empty() {
            let at = start + (bytes.len() - rest.len()) as u64;
            let before = number.checked_sub(1).and_then(|n| entries.get(n));
            let Some(item) = entries.get(number) else {
                only_zeros(&mut rest)?;
                break;
            };
            if at < item.offset {
                let begin = before.map_or(0, |b| b.end());
                let cut = UnpackError::Differs { path: item.entry.path.clone(), what: Aspect::Pieces };
                if at != begin {
                    return Err(cut);
                }
                let whole = rest.len();
                let member = match next_member(&mut rest, before.map(|b| &b.entry.path)) {
                    // What is cut short here goes on in the next piece.
                    Err(TarError::CutShort) => return Err(cut),
                    other => other?,
                };
                let Some(member) = member else {
                    return Err(UnpackError::Unlisted { path: item.entry.path.clone(), in_archive: false });
                };
                compare(&member, at + (whole - rest.len()) as u64, item)?;
                if let EntryKind::File { size: 0, .. } = item.entry.kind {
                    self.content(number, 0, &[], hand)?;
                }
            }
            let at = start + (bytes.len() - rest.len()) as u64;
            let content = (item.offset + item.stored).saturating_sub(at).min(rest.len() as u64) as usize;
            if content > 0 {
                let part;
                (part, rest) = rest.split_at(content);
                self.content(number, at - item.offset, part, hand)?;
                done += content as u64;
            }
            let at = start + (bytes.len() - rest.len()) as u64;
            let padding = item.end().saturating_sub(at).min(rest.len() as u64) as usize;
            rest = &rest[padding..];
            if at + padding as u64 == item.end() {
                number += 1;
            }
        }
        (self.progress)(self.bytes.fetch_add(done, Ordering::Relaxed) + done);
        Ok(())
    }

    /// A part of a file, at `offset` in it.
    fn content(&self, number: usize, offset: u64, part: &[u8], hand: &mut Hand<'_>) -> Result<(), UnpackError> {
        let entry = &self.index.entries[number].entry;
        let EntryKind::File { size, digest: expected } = entry.kind else { return Ok(()) };
        let path = &entry.path;
        let verify = |found: Blake3| match found == expected {
            true => Ok(()),
            false => Err(UnpackError::Content { path: path.clone(), expected, found }),
        };
        let wanted = self.wanted.file(number);
        if !wanted && !self.whole {
            return Ok(());
        }
        let Some(assembly) = self.assemblies.get(&number) else {
            verify(Blake3::of(part))?;
            if wanted {
                let file = self.deposit.file(hand, path, entry.mode)?;
                if !part.is_empty() {
                    self.deposit.write(hand, path, &file, part, 0)?;
                }
                self.seal(number, &file, hand)?;
            }
            return Ok(());
        };
        let file = match wanted {
            true => Some(assembly.file(|| self.deposit.file(hand, path, entry.mode))?),
            false => None,
        };
        if let Some(file) = &file {
            self.deposit.write(hand, path, file, part, offset)?;
        }
        let mut state = lock(&assembly.state);
        while state.hashed != offset {
            // Whoever has the part before may have failed.
            if self.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let wait = assembly.turn.wait_timeout(state, Duration::from_millis(50));
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut hasher = state.hasher.take().unwrap_or_default();
        drop(state);
        hasher.update(part);
        let end = offset + part.len() as u64;
        if end == size {
            verify(Blake3::from_bytes(*hasher.finalize().as_bytes()))?;
            if let Some(file) = &file {
                self.seal(number, file, hand)?;
            }
        }
        let mut state = lock(&assembly.state);
        state.hashed = end;
        if end == size {
            state.file = None;
        } else {
            state.hasher = Some(hasher);
        }
        assembly.turn.notify_all();
        Ok(())
    }

    /// The file of an entry is whole.
    fn seal(&self, number: usize, file: &File, hand: &mut Hand<'_>) -> Result<(), UnpackError> {
        let entry = &self.index.entries[number].entry;
        let inode = self.deposit.seal(hand, &entry.path, file, entry.mode, entry.mtime)?;
        if let Some(seen) = self.inodes.get(number) {
            seen.store(inode, Ordering::Relaxed);
        }
        Ok(())
    }
}

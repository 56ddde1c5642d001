//! The fast way: pieces checked, decoded and written on all cores.
//!
//! Each thread takes the next piece, checks its digest before a byte of it is decoded, and goes through the entries
//! that lie in it. Headers are parsed and compared with the index wherever they lie. A small file is wholly in one
//! piece; the pieces of a big one are written at their offsets by whoever has them and hashed in turn.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::UnpackOptions;
use super::deposit::{Deposit, Hand};
use super::feed::{Feed, lock};
use super::stream::compare;
use crate::archive::error::UnpackError;
use crate::archive::pack::NORMALIZED_MTIME;
use crate::archive::tar::{BLOCK, TarError, next_member, only_zeros};
use crate::codec::{self, Buffer};
use crate::model::{Blake3, Entry, EntryKind, Index, TreePath};

/// Unpacks every piece of `index`.
pub(super) fn unpack<'a>(
    feed: Feed<'a>,
    index: &'a Index,
    deposit: &'a Deposit,
    options: &'a UnpackOptions<'_>,
) -> Result<(), UnpackError> {
    let end = index.entries.last().map_or(0, |last| last.end());
    if index.tar_size < end + BLOCK as u64 {
        return Err(TarError::CutShort.into());
    }
    let directories = make_directories(index, deposit)?;
    let job = Job {
        index,
        deposit,
        feed,
        assemblies: assemblies(index),
        failure: Mutex::new(None),
        failed: AtomicBool::new(false),
        bytes: AtomicU64::new(0),
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
    job.feed.finish()?;
    make_links(index, deposit)?;
    deposit.seal_directories(&directories)?;
    Ok(())
}

/// Makes all directories, those that no entry names too; returns them with their times.
fn make_directories(index: &Index, deposit: &Deposit) -> Result<BTreeMap<TreePath, i64>, UnpackError> {
    let mut hand = Hand::default();
    let mut times = BTreeMap::new();
    let mut known: Option<TreePath> = None;
    for Entry { path, kind, mtime, .. } in index.entries.iter().map(|item| &item.entry) {
        let mut missing = Vec::new();
        let mut above = path.parent();
        if above != known {
            known.clone_from(&above);
            while let Some(parent) = above.filter(|parent| !times.contains_key(parent)) {
                above = parent.parent();
                missing.push((parent, NORMALIZED_MTIME));
            }
        }
        if *kind == EntryKind::Directory && times.insert(path.clone(), *mtime).is_none() {
            missing.insert(0, (path.clone(), *mtime));
        }
        for (directory, mtime) in missing.into_iter().rev() {
            deposit.directory(&mut hand, &directory)?;
            times.insert(directory, mtime);
        }
    }
    Ok(times)
}

/// Links come last: nothing is ever written through one.
fn make_links(index: &Index, deposit: &Deposit) -> Result<(), UnpackError> {
    let mut hand = Hand::default();
    for item in &index.entries {
        let entry = &item.entry;
        match &entry.kind {
            EntryKind::Symlink { target } => deposit.symlink(&mut hand, &entry.path, target, entry.mtime)?,
            EntryKind::HardLink { to } => deposit.hard_link(&mut hand, &entry.path, to)?,
            EntryKind::Directory | EntryKind::File { .. } => {}
        }
    }
    Ok(())
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
    deposit: &'a Deposit,
    feed: Feed<'a>,
    assemblies: HashMap<usize, Assembly>,
    failure: Mutex<Option<UnpackError>>,
    failed: AtomicBool,
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
        let (mut packed, mut raw, mut hand) = (Buffer::default(), Buffer::default(), Hand::default());
        while !self.failed.load(Ordering::Relaxed) {
            let Some(number) = self.feed.next(&mut packed)? else { break };
            let piece = self.index.pieces[number];
            let found = if self.feed.is_checked() { piece.packed } else { Blake3::of(packed.filled()) };
            if found != piece.packed {
                let (offset, length, expected) = (piece.offset, piece.length, piece.packed);
                return Err(UnpackError::Piece { piece: number, offset, length, expected, found });
            }
            let codec_error = |source| UnpackError::Codec { piece: number, source };
            let length = piece.tar_length as usize;
            let bytes = match &mut decoder {
                Some(decoder) => {
                    raw.clear();
                    decoder.decode(&mut packed, raw.room(length)).map_err(codec_error)?;
                    raw.grow(length);
                    raw.filled()
                }
                None => packed.filled(),
            };
            if bytes.len() != length {
                return Err(UnpackError::Size { expected: piece.tar_length, found: bytes.len() as u64 });
            }
            self.entries(piece.tar_offset, bytes, &mut hand)?;
        }
        Ok(())
    }

    /// Goes through the entries that lie in a piece, which holds the tar stream from `start`.
    fn entries(&self, start: u64, bytes: &[u8], hand: &mut Hand) -> Result<(), UnpackError> {
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
                let cut = UnpackError::Differs { path: item.entry.path.clone(), what: "its headers lie in two pieces" };
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
    fn content(&self, number: usize, offset: u64, part: &[u8], hand: &mut Hand) -> Result<(), UnpackError> {
        let entry = &self.index.entries[number].entry;
        let EntryKind::File { size, digest: expected } = entry.kind else { return Ok(()) };
        let path = &entry.path;
        let verify = |found: Blake3| match found == expected {
            true => Ok(()),
            false => Err(UnpackError::Content { path: path.clone(), expected, found }),
        };
        let Some(assembly) = self.assemblies.get(&number) else {
            verify(Blake3::of(part))?;
            let file = self.deposit.file(hand, path, entry.mode)?;
            if !part.is_empty() {
                self.deposit.write(hand, path, &file, part, 0)?;
            }
            self.deposit.seal(hand, path, &file, entry.mode, entry.mtime)?;
            return Ok(());
        };
        let file = {
            let mut state = lock(&assembly.state);
            match &state.file {
                Some(file) => file.clone(),
                None => state.file.insert(Arc::new(self.deposit.file(hand, path, entry.mode)?)).clone(),
            }
        };
        self.deposit.write(hand, path, &file, part, offset)?;
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
            self.deposit.seal(hand, path, &file, entry.mode, entry.mtime)?;
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
}

//! One file into a bucket: not where other bytes stand, in parts where it is long, going on where it was interrupted,
//! and checked at the end.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::Objects;
use crate::model::{Blake3, Sha256};
use crate::target::{Doing, Error, Fault, Nonsense, Result, Target as _, Unfinished, Upload};

const MIB: u64 = 1 << 20;

/// What is sent in one request; longer files are sent in parts of this size or more.
const PART: u64 = 8 * MIB;

/// The most parts S3 takes; others take as many or more.
const PARTS: u64 = 10_000;

/// Parts on their way at once, as long as they fit into `MEMORY` bytes.
const AT_ONCE: u64 = 4;
const MEMORY: u64 = 64 * MIB;

/// What is done before others can see a file.
type Before<'a> = &'a (dyn Fn() -> Result<()> + Sync);

/// What came of placing a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    New,
    WasThere,
    Taken,
}

/// What is noted of an upload in parts, so that another run goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// The store's name of it.
    upload: String,
    /// Of what.
    sha256: Sha256,
    /// In parts of this many bytes.
    part: u64,
    /// Those the store has, by number from 0.
    parts: BTreeMap<usize, Part>,
}

/// A part the store has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    /// The store's name of it.
    id: String,
    /// The digest of the bytes that were sent, so that a file that changed since is noticed.
    blake3: Blake3,
}

/// Bytes of the file in order, and their digest.
struct Source<'a> {
    upload: &'a Upload<'a>,
    part: u64,
    next: usize,
    hasher: sha2::Sha256,
}

impl<'a> Source<'a> {
    fn new(upload: &'a Upload<'a>, part: u64) -> Self {
        Self { upload, part, next: 0, hasher: sha2::Sha256::new() }
    }

    /// The next part and its number.
    fn next(&mut self) -> Result<Option<(usize, Bytes)>> {
        let at = self.next as u64 * self.part;
        if at >= self.upload.size {
            return Ok(None);
        }
        let length = usize::try_from(self.part.min(self.upload.size - at)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        self.upload.content.read_at(at, &mut bytes)?;
        self.hasher.update(&bytes);
        self.next += 1;
        Ok(Some((self.next - 1, bytes.into())))
    }

    /// Whether what was read is what was announced.
    fn finish(self) -> Result<()> {
        let (expected, found) = (self.upload.sha256, Sha256::from_bytes(self.hasher.finalize().into()));
        if found == expected {
            return Ok(());
        }
        Err(Error::Source { path: self.upload.content.path().to_owned(), expected, found })
    }
}

impl Objects {
    /// Puts a file under `key`, unless something is there; `before` that.
    pub(super) fn place(
        &self,
        key: &str,
        upload: &Upload<'_>,
        unfinished: Option<&dyn Unfinished>,
        before: Before<'_>,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Outcome> {
        if let Some(size) = self.size(key)? {
            let same = size == upload.size && self.digest(key, size)? == upload.sha256;
            return Ok(if same { Outcome::WasThere } else { Outcome::Taken });
        }
        if upload.size > PART {
            self.put_parts(key, upload, unfinished, before, told)?;
        } else {
            let mut source = Source::new(upload, PART);
            let bytes = source.next()?.map(|(_, bytes)| bytes).unwrap_or_default();
            source.finish()?;
            before()?;
            self.bucket.put(key, bytes).map_err(|fault| self.remote(Doing::Write, key, fault))?;
            told(upload.size);
        }
        self.check(key, upload)?;
        Ok(Outcome::New)
    }

    /// Whether the object is what was sent; see the room's page for what that proves.
    fn check(&self, key: &str, upload: &Upload<'_>) -> Result<()> {
        let size = self.size(key)?;
        if size != Some(upload.size) {
            let written = upload.size;
            let reason =
                size.map_or(Nonsense::HoldsNothing { written }, |holds| Nonsense::HoldsOther { written, holds });
            return Err(self.remote(Doing::Write, key, Fault::Protocol { reason }));
        }
        if self.bucket.checks() {
            return Ok(());
        }
        let (expected, found) = (upload.sha256, self.digest(key, upload.size)?);
        if found == expected { Ok(()) } else { Err(Error::ReadBack { place: self.shown(key), expected, found }) }
    }

    /// The digest of the object as it reads back.
    fn digest(&self, key: &str, size: u64) -> Result<Sha256> {
        let reading = self.read(key, None)?;
        let failed = |e: io::Error| {
            let within = e.get_ref().and_then(|error| error.downcast_ref::<Fault>()).cloned();
            self.remote(Doing::Read, key, within.unwrap_or_else(|| Fault::Connection { reason: e.to_string() }))
        };
        let (digest, length) = Sha256::of_reader(reading.body.take(size + 1)).map_err(failed)?;
        if length != size {
            return Err(failed(io::Error::other(format!("it broke off after {length} of {size} bytes"))));
        }
        Ok(digest)
    }

    /// Sends a file in parts, with the noted upload where it still works, else with a new one.
    fn put_parts(
        &self,
        key: &str,
        upload: &Upload<'_>,
        unfinished: Option<&dyn Unfinished>,
        before: Before<'_>,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<()> {
        let part = part_size(upload.size);
        let place = self.shown(key);
        let noted = unfinished.and_then(|notes| notes.load(&place));
        let noted: Option<Note> = noted.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // Bytes that a failed first try told of are not told of again by the second.
        let covered = AtomicU64::new(0);
        if let Some(note) = noted {
            let name = note.upload.clone();
            if (note.sha256, note.part) == (upload.sha256, part) {
                let held = note.parts.len() as u64 * part;
                let count = |bytes| {
                    covered.fetch_add(bytes, Ordering::Relaxed);
                    told(bytes);
                };
                match self.finish(key, upload, note, unfinished, before, &count) {
                    Err(Error::Remote { fault, .. }) if is_gone(&fault) => {}
                    // Of an upload they know no more, some stores say that it is not allowed, or hang up on its parts.
                    Err(Error::Remote { fault: Fault::Denied { .. } | Fault::Connection { .. }, .. })
                        if covered.load(Ordering::Relaxed) <= held => {}
                    outcome => return outcome,
                }
            }
            // It cannot be used; whether it can be given up makes no difference here.
            _ = self.bucket.abort(key, &name);
        }
        let begun = self.bucket.begin(key).map_err(|fault| self.remote(Doing::Write, key, fault))?;
        let note = Note { upload: begun, sha256: upload.sha256, part, parts: BTreeMap::new() };
        let tell = |bytes: u64| {
            let before =
                covered.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(bytes)));
            told(bytes - bytes.min(before.unwrap_or_else(|left| left)));
        };
        self.finish(key, upload, note, unfinished, before, &tell)
    }

    /// Sends what the note lacks and makes the object. On failure the upload is kept where it is noted, else given up.
    fn finish(
        &self,
        key: &str,
        upload: &Upload<'_>,
        note: Note,
        unfinished: Option<&dyn Unfinished>,
        before: Before<'_>,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<()> {
        let sending = Sending {
            objects: self,
            key,
            place: self.shown(key),
            name: note.upload.clone(),
            source: Mutex::new(Source::new(upload, note.part)),
            note: Mutex::new(note),
            unsaved: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            unfinished,
            before,
            told,
        };
        sending.save(true);
        let sent = sending.run();
        let goes_on = matches!(&sent, Err(Error::Remote { fault, .. }) if !is_gone(fault));
        match (&sent, unfinished) {
            (Ok(()), Some(notes)) => notes.clear(&sending.place),
            (Err(_), Some(_)) if goes_on => sending.save(true),
            (Err(Error::Io(_)), Some(_)) => sending.save(true),
            (Err(_), notes) => {
                if let Some(notes) = notes {
                    notes.clear(&sending.place);
                }
                // What failed is said; that the store keeps the parts until it tidies up is not worth another error.
                _ = self.bucket.abort(key, &sending.name);
            }
            (Ok(()), None) => {}
        }
        sent
    }
}

/// An upload in parts, on its way.
struct Sending<'a> {
    objects: &'a Objects,
    key: &'a str,
    place: String,
    name: String,
    source: Mutex<Source<'a>>,
    note: Mutex<Note>,
    unsaved: AtomicU64,
    stop: AtomicBool,
    unfinished: Option<&'a dyn Unfinished>,
    before: Before<'a>,
    told: &'a (dyn Fn(u64) + Sync),
}

impl Sending<'_> {
    fn run(&self) -> Result<()> {
        let part = lock(&self.note).part;
        let threads = (MEMORY / part).clamp(1, AT_ONCE);
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.send())).collect();
            let ended = running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            // All are waited for; the first failure is the reason of the others, if any.
            ended.fold(Ok(()), Result::and)
        })?;
        let (upload, part) = (lock(&self.source).upload, part);
        std::mem::replace(&mut *lock(&self.source), Source::new(upload, part)).finish()?;
        (self.before)()?;
        let parts = lock(&self.note).parts.values().map(|part| part.id.clone()).collect();
        let completed = self.objects.bucket.complete(self.key, &self.name, parts);
        completed.map_err(|fault| self.objects.remote(Doing::Write, self.key, fault))
    }

    /// Sends parts until there are no more, or one failed.
    fn send(&self) -> Result<()> {
        while !self.stop.load(Ordering::Relaxed) {
            let sent = self.send_one();
            match sent {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(_) => self.stop.store(true, Ordering::Relaxed),
            }
            sent?;
        }
        Ok(())
    }

    fn send_one(&self) -> Result<bool> {
        let Some((index, bytes)) = lock(&self.source).next()? else { return Ok(false) };
        let length = bytes.len() as u64;
        let blake3 = Blake3::of(&bytes);
        let held = lock(&self.note).parts.get(&index).is_some_and(|part| part.blake3 == blake3);
        if !held {
            let sent = self.objects.bucket.part(self.key, &self.name, index, bytes);
            let id = sent.map_err(|fault| self.objects.remote(Doing::Write, self.key, fault))?;
            lock(&self.note).parts.insert(index, Part { id, blake3 });
            self.save(false);
        }
        (self.told)(length);
        Ok(true)
    }

    /// Notes what the store has: seldom where there are many parts, since the note names them all.
    fn save(&self, now: bool) {
        let Some(notes) = self.unfinished else { return };
        let note = lock(&self.note);
        let unsaved = self.unsaved.fetch_add(1, Ordering::Relaxed);
        if now || unsaved >= note.parts.len() as u64 / 64 {
            self.unsaved.store(0, Ordering::Relaxed);
            if let Ok(bytes) = serde_json::to_vec(&*note) {
                notes.save(&self.place, &bytes);
            }
        }
    }
}

/// Whether an upload in parts that failed so is of no more use.
fn is_gone(fault: &Fault) -> bool {
    !fault.is_passing() && !matches!(fault, Fault::Denied { .. } | Fault::NoLogin | Fault::Tls { .. })
}

/// At least [`PART`], whole MiB, and as much as it takes to need [`PARTS`] parts at most.
fn part_size(size: u64) -> u64 {
    size.div_ceil(PARTS).next_multiple_of(MIB).max(PART)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_parts_are_enough() {
        const TIB: u64 = 1 << 40;
        assert_eq!(part_size(PART + 1), PART);
        assert_eq!(part_size(PART * PARTS), PART);
        assert_eq!(part_size(PART * PARTS + 1), PART + MIB);
        for size in [5 * TIB, 5 * TIB - 1, TIB + 7] {
            assert!(size.div_ceil(part_size(size)) <= PARTS);
        }
        assert!(part_size(5 * TIB) <= 5 << 30, "and none is too long");
    }
}

//! The engine against sources that cut, lie, stall, refuse and know no ranges.

mod faults;
mod machine;
mod random;
mod together;

use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::engine::{self, Outcome, Run};
use super::plan::{Check, Layout, Origin, Part};
use super::shared::{Machine, Material};
use super::{FetchError, Options, Source, Stopped, Why, whole};
use crate::codec::{Buffer, Form};
use crate::model::{Blake3, ByteSize, Place, Sha256};
use crate::store::Store;
use crate::target::{self, Doing, Fault, Listed, Parcel, Placed, Reading, Target, Wanted};

const PIECE: usize = 1000;

/// What a source does with one request.
#[derive(Debug, Clone)]
enum Act {
    Well,
    /// Answers with a refusal.
    Refuse(Fault),
    /// Breaks after so many bytes, with an error or as if that were all.
    Cut(u64, bool),
    /// One byte of every answer is another.
    Lie,
    /// Gives so many bytes, and then nothing.
    Stall(u64),
    /// Gives the whole file whatever was asked for.
    Whole,
    /// Says that the file is longer.
    Longer,
    /// Waits so long before each 100 bytes.
    Slow(Duration),
    /// Waits so long before each byte.
    Trickle(Duration),
    /// Gives another part than was asked for.
    Elsewhere,
}

/// A source that does what a test says.
struct Fake {
    name: String,
    bytes: Vec<u8>,
    /// By the number of the request, and whether it goes past caches.
    act: Box<dyn Fn(usize, bool) -> Act + Send + Sync>,
    requests: AtomicUsize,
    given: Arc<AtomicU64>,
    at_once: Mutex<Vec<Range<u64>>>,
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl Fake {
    fn answer(&self, range: Option<Range<u64>>, fresh: bool) -> target::Result<Reading> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let total = self.bytes.len() as u64;
        let mut range = range.unwrap_or(0..total);
        self.at_once.lock().expect("free").push(range.clone());
        let act = (self.act)(number, fresh);
        let refuse = |fault| {
            Err(target::Error::Remote {
                target: self.name.clone(),
                doing: Doing::Read,
                place: "here".to_owned(),
                fault,
            })
        };
        let mut said = Some(total);
        let (mut limit, mut end) = (u64::MAX, End::Well);
        let mut lie = false;
        let (mut pace, mut most) = (Duration::ZERO, 100);
        match act {
            Act::Well => {}
            Act::Refuse(fault) => return refuse(fault),
            Act::Cut(after, cleanly) => {
                (limit, end, said) = (after, if cleanly { End::Well } else { End::Broken }, None);
            }
            Act::Lie => lie = true,
            Act::Stall(after) => (limit, end) = (after, End::Stalled),
            Act::Whole => range = 0..total,
            Act::Longer => said = Some(total + 1),
            Act::Slow(each) => pace = each,
            Act::Trickle(each) => (pace, most) = (each, 1),
            Act::Elsewhere => range.start = (range.start + 1).min(range.end - 1),
        }
        let mut bytes = self.bytes[range.start as usize..range.end as usize].to_vec();
        if lie && let Some(byte) = bytes.last_mut() {
            *byte ^= 1;
        }
        bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let end = if limit == u64::MAX { End::Well } else { end };
        let body = FakeBody { bytes: io::Cursor::new(bytes), end, pace, most, given: self.given.clone() };
        Ok(Reading { start: range.start, total: said, body: Box::new(body) })
    }
}

#[derive(Debug, Clone, Copy)]
enum End {
    Well,
    Broken,
    Stalled,
}

struct FakeBody {
    bytes: io::Cursor<Vec<u8>>,
    end: End,
    pace: Duration,
    most: usize,
    given: Arc<AtomicU64>,
}

impl Read for FakeBody {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let some = out.len().min(self.most);
        let count = self.bytes.read(&mut out[..some])?;
        if count == 0 && !out.is_empty() {
            match self.end {
                End::Well => {}
                End::Broken => return Err(io::ErrorKind::ConnectionReset.into()),
                End::Stalled => loop {
                    std::thread::park();
                },
            }
        }
        if !self.pace.is_zero() {
            std::thread::sleep(self.pace);
        }
        self.given.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }
}

impl Target for Fake {
    fn name(&self) -> &str {
        &self.name
    }

    fn shown(&self, key: &str) -> String {
        key.to_owned()
    }

    fn locate(&self, _: &Place, _: Wanted<'_>) -> Option<String> {
        None
    }

    fn size(&self, _: &str) -> target::Result<Option<u64>> {
        Ok(Some(self.bytes.len() as u64))
    }

    fn read(&self, _: &str, range: Option<Range<u64>>) -> target::Result<Reading> {
        self.answer(range, false)
    }

    fn read_fresh(&self, _: &str, range: Option<Range<u64>>) -> target::Result<Reading> {
        self.answer(range, true)
    }

    fn put(&self, _: &Parcel<'_>, _: &(dyn Fn(u64) + Sync)) -> target::Result<Placed> {
        Err(target::Error::ReadOnly { target: self.name.clone() })
    }

    fn list(&self, _: &str) -> target::Result<Vec<Listed>> {
        Ok(Vec::new())
    }

    fn delete(&self, _: &str) -> target::Result<()> {
        Err(target::Error::ReadOnly { target: self.name.clone() })
    }

    fn presign(&self, _: &str, _: Duration) -> target::Result<Option<String>> {
        Ok(None)
    }
}

/// Bytes of which no two pieces are the same.
fn content(pieces: usize) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"content");
    let mut bytes = vec![0; pieces * PIECE];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// The same as pieces, the first 3 bytes a head and the last 2 a tail.
fn layout(bytes: &[u8]) -> Layout {
    let body = &bytes[3..bytes.len() - 2];
    let mut at = 3;
    let parts = body.chunks(PIECE).map(|piece| {
        let part = Part {
            offset: at,
            length: piece.len() as u64,
            check: Check::Blake3(Blake3::of(piece)),
            origin: Origin::Source,
        };
        at = part.end();
        part
    });
    let parts = parts.collect();
    let (head, tail) = (bytes[..3].to_vec(), bytes[bytes.len() - 2..].to_vec());
    Layout { size: bytes.len() as u64, head, parts, tail }
}

fn fake(name: &str, bytes: &[u8], act: impl Fn(usize, bool) -> Act + Send + Sync + 'static) -> Arc<Fake> {
    Arc::new(Fake {
        name: name.to_owned(),
        bytes: bytes.to_vec(),
        act: Box::new(act),
        requests: AtomicUsize::new(0),
        given: Arc::default(),
        at_once: Mutex::default(),
    })
}

fn options() -> Options {
    Options {
        connections: 3,
        stall: Duration::from_millis(300),
        bandwidth: None,
        memory: ByteSize(10 * PIECE as u64),
        pause: Duration::from_millis(1),
    }
}

/// A run and what came out of it, in order.
fn fetch(bytes: &[u8], tiers: &[&[&Arc<Fake>]], options: Options, store: Option<&Store>) -> (Outcome, Vec<u8>) {
    let source = |fake: &&Arc<Fake>| {
        let target: Arc<dyn Target> = (*fake).clone();
        (Source { name: fake.name.clone(), target, key: "package".to_owned() }, None)
    };
    let sha256 = Sha256::of(bytes);
    let run = Run {
        sha256,
        layout: layout(bytes),
        machine: Machine {
            partial: store.map(|store| store.partial(&sha256, bytes.len() as u64).expect("made")),
            material: None,
        },
        tiers: tiers.iter().map(|tier| tier.iter().map(source).collect()).collect(),
        options,
        keep: Box::new(|_| None),
    };
    let mut out = bytes[..3].to_vec();
    let told = AtomicU64::new(0);
    let outcome = engine::run(
        run,
        &mut |_, piece: &mut Buffer| {
            out.extend_from_slice(piece.filled());
            Ok(())
        },
        &|count| {
            told.fetch_add(count, Ordering::Relaxed);
        },
    );
    out.extend_from_slice(&bytes[bytes.len() - 2..]);
    if outcome.result.is_ok() {
        assert!(out == bytes, "other bytes came out");
        assert_eq!(told.into_inner(), bytes.len() as u64 - 5, "what was told");
    }
    (outcome, out)
}

fn given(outcome: &Outcome, name: &str) -> u64 {
    let done = outcome.result.as_ref().expect("fetched");
    done.given.iter().filter(|(source, ..)| source.name == name).map(|(_, measured)| measured.bytes).sum()
}

fn whys(outcome: &Outcome) -> Vec<String> {
    let attempts = match &outcome.result {
        Ok(done) => &done.attempts,
        Err(FetchError::AllFailed { attempts, .. }) => attempts,
        Err(other) => panic!("{other:?}"),
    };
    attempts.iter().map(|attempt| format!("{}: {:?}", attempt.name, attempt.why)).collect()
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("store"), Duration::ZERO).expect("created");
    (dir, store)
}

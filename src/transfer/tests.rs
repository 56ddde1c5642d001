//! The engine against sources that cut, lie, stall, refuse and know no ranges.

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

#[test]
fn one_source_gives_all_once() {
    let bytes = content(40);
    let good = fake("good", &bytes, |_, _| Act::Well);
    let (outcome, _) = fetch(&bytes, &[&[&good]], options(), None);
    assert_eq!(given(&outcome, "good"), bytes.len() as u64 - 5);
    assert!(whys(&outcome).is_empty());
    assert_eq!(good.given.load(Ordering::SeqCst), bytes.len() as u64 - 5, "nothing twice");
}

#[test]
fn every_fault_of_one_source_is_made_good_by_itself_or_by_another() {
    let bytes = content(30);
    let busy = || Fault::Busy { status: 429, retry_after: Some(Duration::from_millis(5)) };
    let passing: [fn() -> Act; 6] = [
        || Act::Refuse(Fault::Server { status: 500 }),
        || Act::Refuse(Fault::Connection { reason: "reset".to_owned() }),
        || Act::Cut(1500, false),
        || Act::Cut(2500, true),
        || Act::Stall(500),
        || Act::Refuse(Fault::Server { status: 408 }),
    ];
    for act in passing {
        let flaky = fake("flaky", &bytes, move |number, _| if number < 2 { act() } else { Act::Well });
        let (outcome, _) = fetch(&bytes, &[&[&flaky]], options(), None);
        assert!(outcome.result.is_ok(), "{:?}: {:?}", act(), outcome.result);
        assert!(outcome.liars.is_empty());
    }
    let waits = fake("waits", &bytes, move |number, _| if number == 0 { Act::Refuse(busy()) } else { Act::Well });
    assert!(fetch(&bytes, &[&[&waits]], options(), None).0.result.is_ok());

    let lasting: [fn() -> Act; 8] = [
        || Act::Refuse(Fault::Missing),
        || Act::Refuse(Fault::Denied { status: 403 }),
        || Act::Refuse(Fault::Server { status: 500 }),
        || Act::Refuse(Fault::Status { status: 416 }),
        || Act::Lie,
        || Act::Longer,
        || Act::Elsewhere,
        || Act::Cut(0, true),
    ];
    for act in lasting {
        let bad = fake("bad", &bytes, move |_, _| act());
        let good = fake("good", &bytes, |_, _| Act::Well);
        let (outcome, _) = fetch(&bytes, &[&[&bad], &[&good]], options(), None);
        assert!(outcome.result.is_ok(), "{:?}: {:?}", act(), outcome.result);
        assert!(whys(&outcome).iter().any(|why| why.starts_with("bad: ")), "{:?}: {:?}", act(), whys(&outcome));
        let (outcome, _) = fetch(&bytes, &[&[&bad]], options(), None);
        assert!(matches!(outcome.result, Err(FetchError::AllFailed { .. })), "{:?}: {:?}", act(), outcome.result);
    }
}

#[test]
fn what_is_not_worth_asking_again_is_not_asked_again() {
    let bytes = content(10);
    let denied = fake("denied", &bytes, |_, _| Act::Refuse(Fault::Denied { status: 403 }));
    let one = Options { connections: 1, ..options() };
    assert!(fetch(&bytes, &[&[&denied]], one.clone(), None).0.result.is_err());
    assert_eq!(denied.requests.load(Ordering::SeqCst), 1);
    let failing = fake("failing", &bytes, |_, _| Act::Refuse(Fault::Server { status: 500 }));
    assert!(fetch(&bytes, &[&[&failing]], one, None).0.result.is_err());
    assert_eq!(failing.requests.load(Ordering::SeqCst), 5);
}

#[test]
fn wrong_bytes_are_asked_for_once_more_past_caches() {
    let bytes = content(10);
    let cached = fake("cached", &bytes, |_, fresh| if fresh { Act::Well } else { Act::Lie });
    let (outcome, _) = fetch(&bytes, &[&[&cached]], Options { connections: 1, ..options() }, None);
    assert_eq!(whys(&outcome).len(), 1, "{:?}", whys(&outcome));
    assert!(outcome.liars.is_empty());
    let liar = fake("liar", &bytes, |_, _| Act::Lie);
    let (outcome, _) = fetch(&bytes, &[&[&liar]], Options { connections: 1, ..options() }, None);
    assert_eq!(whys(&outcome).len(), 2, "{:?}", whys(&outcome));
    assert_eq!(outcome.liars.into_iter().collect::<Vec<_>>(), ["liar"]);
}

#[test]
fn a_source_that_knows_no_ranges_is_read_once_from_its_beginning() {
    let bytes = content(50);
    let whole = fake("whole", &bytes, |_, _| Act::Whole);
    let (outcome, _) = fetch(&bytes, &[&[&whole]], options(), None);
    assert_eq!(given(&outcome, "whole"), bytes.len() as u64 - 5);
    // Connections that were under way when it showed may have begun to read, too; none after them.
    assert!(whole.requests.load(Ordering::SeqCst) <= 3);
}

#[test]
fn two_sources_share_the_work_and_a_far_slower_one_does_not_hold_it_up() {
    let bytes = content(60);
    let pace = Duration::from_millis(1);
    let (a, b) = (fake("a", &bytes, move |_, _| Act::Slow(pace)), fake("b", &bytes, move |_, _| Act::Slow(pace)));
    let (outcome, _) = fetch(&bytes, &[&[&a, &b]], options(), None);
    assert!(given(&outcome, "a") > 0 && given(&outcome, "b") > 0);
    let fast = fake("fast", &bytes, |_, _| Act::Well);
    let silent = fake("silent", &bytes, |_, _| Act::Stall(10));
    let begun = Instant::now();
    let options = Options { stall: Duration::from_secs(60), ..options() };
    let (outcome, _) = fetch(&bytes, &[&[&silent, &fast]], options, None);
    assert_eq!(given(&outcome, "fast"), bytes.len() as u64 - 5);
    assert!(begun.elapsed() < Duration::from_secs(30), "the stall timeout was not waited for");
}

#[test]
fn a_source_that_trickles_never_holds_up_another_that_has_not_been_measured() {
    let bytes = content(3);
    let trickling = fake("trickling", &bytes, |_, _| Act::Trickle(Duration::from_millis(100)));
    let good = fake("good", &bytes, |_, _| Act::Well);
    let begun = Instant::now();
    let options = Options { stall: Duration::from_secs(60), ..options() };
    let (outcome, _) = fetch(&bytes, &[&[&trickling, &good]], options, None);
    assert_eq!(given(&outcome, "good"), bytes.len() as u64 - 5);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn nobody_leaves_work_to_a_source_that_is_too_slow_for_any() {
    let bytes = content(60);
    let slow = fake("slow", &bytes, |_, _| Act::Slow(Duration::from_millis(60)));
    let fast = fake("fast", &bytes, |_, _| Act::Slow(Duration::from_millis(1)));
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (outcome, _) = fetch(&bytes, &[&[&slow, &fast]], options(), None);
        let _ = sender.send(given(&outcome, "fast"));
    });
    let given = ended.recv_timeout(Duration::from_secs(30)).expect("it ends");
    assert!(given > 50 * PIECE as u64, "{given}");
}

#[test]
fn a_source_that_gave_nothing_while_others_did_is_told_of() {
    let bytes = content(3);
    let silent = fake("silent", &bytes, |_, _| Act::Stall(0));
    let good = fake("good", &bytes, |_, _| Act::Well);
    let options = Options { stall: Duration::from_secs(60), ..options() };
    let (outcome, _) = fetch(&bytes, &[&[&silent, &good]], options, None);
    assert_eq!(whys(&outcome).len(), 1, "{:?}", whys(&outcome));
    assert!(whys(&outcome)[0].starts_with("silent: Silent"), "{:?}", whys(&outcome));
}

#[test]
fn a_source_that_only_trickles_is_given_up() {
    let bytes = content(3);
    let trickling = fake("trickling", &bytes, |_, _| Act::Trickle(Duration::from_millis(50)));
    let (outcome, _) = fetch(&bytes, &[&[&trickling]], Options { connections: 1, ..options() }, None);
    assert_eq!(trickling.requests.load(Ordering::SeqCst), 5);
    assert!(whys(&outcome).iter().all(|why| why.starts_with("trickling: Silent")), "{:?}", whys(&outcome));
}

#[test]
fn a_stream_that_only_trickles_is_given_up_too() {
    let bytes = content(3);
    let (dir, store) = store();
    let trickling = fake("trickling", &bytes, |_, _| Act::Trickle(Duration::from_millis(50)));
    let good = fake("good", &bytes, |_, _| Act::Well);
    let sources = [trickling.clone(), good].map(|fake| {
        let target: Arc<dyn Target> = fake.clone();
        Source { name: fake.name.clone(), target, key: "package".to_owned() }
    });
    let options = options();
    let asked = whole::Asked { store: &store, rejected: &dir.path().join("rejected"), options: &options };
    let wanted = super::Wanted { sha256: Sha256::of(&bytes), size: bytes.len() as u64 };
    let (outcome, liars) = asked.fetch(&wanted, &sources, &|_| {});
    let fetched = outcome.expect("fetched");
    assert_eq!((fetched.given[0].name.as_str(), trickling.requests.load(Ordering::SeqCst)), ("good", 5));
    assert!(matches!(fetched.failed[0].why, Why::Silent { bytes: 1.., .. }), "{:?}", fetched.failed);
    assert!(liars.is_empty());
}

#[test]
fn the_next_tier_is_asked_only_where_the_first_gives_nothing() {
    let bytes = content(20);
    let (first, second) = (fake("first", &bytes, |_, _| Act::Well), fake("second", &bytes, |_, _| Act::Well));
    let (outcome, _) = fetch(&bytes, &[&[&first], &[&second]], options(), None);
    assert!(outcome.result.is_ok());
    assert_eq!(second.requests.load(Ordering::SeqCst), 0);
    let down = fake("down", &bytes, |_, _| Act::Refuse(Fault::Connection { reason: "refused".to_owned() }));
    let (outcome, _) = fetch(&bytes, &[&[&down], &[&second]], options(), None);
    assert_eq!(given(&outcome, "second"), bytes.len() as u64 - 5);
}

#[test]
fn what_is_on_the_disk_is_checked_and_not_fetched_again() {
    let bytes = content(300);
    let (_dir, store) = store();
    let sha256 = Sha256::of(&bytes);
    let layout = layout(&bytes);
    {
        let partial = store.partial(&sha256, bytes.len() as u64).expect("made");
        for (number, part) in layout.parts.iter().enumerate() {
            let piece = &bytes[part.offset as usize..part.end() as usize];
            match number {
                7 | 100 | 299 => {}
                9 => partial.write(part.offset, &vec![1; piece.len()]).expect("rotten"),
                _ => partial.write(part.offset, piece).expect("written"),
            }
        }
    }
    let good = fake("good", &bytes, |_, _| Act::Well);
    let (outcome, _) = fetch(&bytes, &[&[&good]], options(), Some(&store));
    let missing: u64 = [7, 9, 100, 299].iter().map(|number: &usize| layout.parts[*number].length).sum();
    assert_eq!(good.given.load(Ordering::SeqCst), missing);
    assert_eq!(outcome.result.as_ref().expect("fetched").reused, bytes.len() as u64 - 5 - missing);
}

#[test]
fn two_runs_into_one_file_at_once_both_end_well() {
    let bytes = content(200);
    let (_dir, store) = store();
    std::thread::scope(|scope| {
        for name in ["one", "two"] {
            let (bytes, store) = (&bytes, &store);
            scope.spawn(move || {
                let source =
                    fake(name, bytes, |number, _| if number % 5 == 3 { Act::Cut(700, false) } else { Act::Well });
                let (outcome, _) = fetch(bytes, &[&[&source]], options(), Some(store));
                outcome.result.expect("fetched");
                store.complete(outcome.shared.partial.as_ref().expect("there"), &Sha256::of(bytes)).expect("kept");
            });
        }
    });
    assert_eq!(store.digest(&Sha256::of(&bytes)).expect("read"), Some(Sha256::of(&bytes)));
}

#[test]
fn a_consumer_that_takes_no_more_ends_the_run() {
    let bytes = content(100);
    let good = fake("good", &bytes, |_, _| Act::Well);
    let target: Arc<dyn Target> = good;
    let run = Run {
        sha256: Sha256::of(&bytes),
        layout: layout(&bytes),
        machine: Machine::default(),
        tiers: vec![vec![(Source { name: "good".to_owned(), target, key: String::new() }, None)]],
        options: options(),
        keep: Box::new(|_| None),
    };
    let mut taken = 0;
    let mut sink = |_: Form, _: &mut Buffer| {
        taken += 1;
        if taken < 5 { Ok(()) } else { Err(Stopped) }
    };
    let outcome = engine::run(run, &mut sink, &|_| {});
    assert!(matches!(outcome.result, Err(FetchError::Stopped)));
}

#[test]
fn pieces_that_make_another_package_are_refused() {
    let bytes = content(10);
    let good = fake("good", &bytes, |_, _| Act::Well);
    let target: Arc<dyn Target> = good;
    let run = Run {
        sha256: Sha256::of(b"another"),
        layout: layout(&bytes),
        machine: Machine::default(),
        tiers: vec![vec![(Source { name: "good".to_owned(), target, key: String::new() }, None)]],
        options: options(),
        keep: Box::new(|_| None),
    };
    let outcome = engine::run(run, &mut |_, _| Ok(()), &|_| {});
    assert!(matches!(outcome.result, Err(FetchError::Disagree { .. })), "{:?}", outcome.result);
}

#[test]
fn a_bound_on_the_bandwidth_makes_no_connection_seem_silent() {
    let bytes = content(20);
    let good = fake("good", &bytes, |_, _| Act::Well);
    let (outcome, _) = fetch(&bytes, &[&[&good]], Options { bandwidth: Some(ByteSize(40_000)), ..options() }, None);
    assert_eq!(given(&outcome, "good"), bytes.len() as u64 - 5);
    assert!(whys(&outcome).is_empty());
}

#[test]
fn what_is_in_memory_keeps_to_its_bound() {
    let bytes = content(400);
    let good = fake("good", &bytes, |_, _| Act::Well);
    let (outcome, _) = fetch(&bytes, &[&[&good]], Options { connections: 8, ..options() }, None);
    assert!(outcome.result.is_ok());
    // Without a partial file nothing is asked for that lies farther ahead than the memory reaches: the requests overlap so.
    let mut most = 0;
    for range in good.at_once.lock().expect("free").iter() {
        most = most.max(range.end - range.start);
    }
    assert!(most <= options().memory.0, "{most}");
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Well),
        1 => Just(Act::Refuse(Fault::Server { status: 503 })),
        1 => Just(Act::Refuse(Fault::Denied { status: 403 })),
        1 => (0u64..3000, any::<bool>()).prop_map(|(after, cleanly)| Act::Cut(after, cleanly)),
        1 => Just(Act::Lie),
        1 => (0u64..3000).prop_map(Act::Stall),
        1 => Just(Act::Whole),
        1 => Just(Act::Longer),
        1 => Just(Act::Elsewhere),
        1 => Just(Act::Slow(Duration::from_micros(50))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever sources do, what comes out is the package or an error; with one good source, the package.
    #[test]
    fn only_the_package_or_an_error(
        pieces in 1usize..40,
        scripts in prop::collection::vec((prop::collection::vec(acts(), 1..5), 0usize..2), 1..4),
        with_good: bool,
        with_store: bool,
    ) {
        let bytes = content(pieces);
        let (_dir, store) = store();
        let mut tiers: [Vec<Arc<Fake>>; 2] = Default::default();
        for (number, (script, tier)) in scripts.into_iter().enumerate() {
            let act = move |number: usize, _: bool| script[number % script.len()].clone();
            tiers[tier].push(fake(&number.to_string(), &bytes, act));
        }
        if with_good {
            tiers[1].push(fake("good", &bytes, |_, _| Act::Well));
        }
        let tiers: Vec<Vec<&Arc<Fake>>> = tiers.iter().map(|tier| tier.iter().collect()).collect();
        let tiers: Vec<&[&Arc<Fake>]> = tiers.iter().map(Vec::as_slice).collect();
        let (outcome, _) = fetch(&bytes, &tiers, options(), with_store.then_some(&store));
        match outcome.result {
            Ok(_) => {}
            Err(FetchError::AllFailed { attempts, .. }) => {
                prop_assert!(!with_good, "{attempts:?}");
                prop_assert!(!attempts.iter().any(|attempt| matches!(attempt.why, Why::LeftOut)));
            }
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}

/// Pieces that lie on this machine; the damaged ones do not any more.
struct Here {
    pieces: Vec<Vec<u8>>,
    damaged: Vec<bool>,
}

impl Material for Here {
    fn piece(&self, number: usize, into: &mut Buffer) -> bool {
        into.clear();
        into.push(&self.pieces[number]);
        !self.damaged[number]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn some_pieces_come_in_order_whatever_is_here_and_what_is_damaged_is_fetched(
        pieces in prop::collection::vec((0u8..3, any::<bool>(), any::<bool>()), 1..40),
        keeps in any::<bool>(),
        whole in any::<bool>(),
    ) {
        let bytes = content(pieces.len());
        let mut layout = layout(&bytes);
        let origin = |number: usize| match pieces.get(number).map_or(0, |piece| piece.0) {
            0 => Origin::Source,
            1 => Origin::Here,
            _ => Origin::Nowhere,
        };
        layout.parts.iter_mut().enumerate().for_each(|(number, part)| part.origin = origin(number));
        let raw: Vec<Vec<u8>> =
            layout.parts.iter().map(|part| bytes[part.offset as usize..part.end() as usize].to_vec()).collect();
        let damaged: Vec<bool> = pieces.iter().map(|piece| piece.1).collect();
        let sha256 = Sha256::of(&bytes);
        let (_dir, store) = store();
        let partial = || store.partial_unreserved(&sha256, bytes.len() as u64).expect("made");
        // An earlier run left some.
        let left = |number: usize| keeps && pieces[number].2;
        for (number, part) in layout.parts.iter().enumerate().filter(|(number, _)| left(*number)) {
            partial().write(part.offset, &raw[number]).expect("written");
        }
        let source = fake("one", &bytes, move |_, _| if whole { Act::Whole } else { Act::Well });
        let target: Arc<dyn Target> = source.clone();
        let expected: Vec<usize> = (0..raw.len()).filter(|number| origin(*number) != Origin::Nowhere).collect();
        let must_come = |number: usize| match origin(number) {
            Origin::Source => !left(number),
            Origin::Here => damaged[number] && !left(number),
            Origin::Nowhere => false,
        };
        let must: u64 = (0..raw.len()).filter(|number| must_come(*number)).map(|number| raw[number].len() as u64).sum();
        let run = Run {
            sha256,
            layout,
            machine: Machine {
                partial: keeps.then(partial),
                material: Some(Arc::new(Here { pieces: raw.clone(), damaged: damaged.clone() })),
            },
            tiers: vec![vec![(Source { name: "one".to_owned(), target, key: String::new() }, None)]],
            options: options(),
            keep: Box::new(|_| None),
        };
        let mut came = Vec::new();
        let mut sink = |form: Form, piece: &mut Buffer| {
            came.push((form, piece.filled().to_vec()));
            Ok(())
        };
        let outcome = engine::run(run, &mut sink, &|_| {});
        prop_assert!(outcome.result.is_ok(), "{:?}", outcome.result);
        prop_assert_eq!(came.len(), expected.len());
        for ((form, found), number) in came.iter().zip(expected) {
            prop_assert!(*found == raw[number], "piece {}", number);
            prop_assert!(*form == Form::Packed || origin(number) == Origin::Here && !damaged[number]);
        }
        prop_assert_eq!(given(&outcome, "one"), must);
        if !whole {
            prop_assert_eq!(source.given.load(Ordering::SeqCst), must, "nothing else is asked for");
        }
    }
}

//! Fetching one content: which way, and what is remembered of its sources.
//!
//! A package with an index comes in pieces, anything small as one piece: several connections to several sources at once
//! (`engine`). What is large and has no index comes as one stream (`whole`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::engine::{self, Done, Run, Sink};
use super::plan::{Layout, Origin};
use super::shared::{Machine, Material};
use super::speeds::Speeds;
use super::{Attempt, FetchError, Why, rejected, whole};
use crate::codec::{Buffer, Form};
use crate::fsx;
use crate::model::{ByteSize, Index, Sha256};
use crate::store::Store;
use crate::target::Target;

/// The largest file that is held in memory as one piece.
const ONE_PIECE: u64 = 64 << 20;
/// Pieces of indexes have at most 16 MiB: less memory than this would only wait.
const LEAST_MEMORY: ByteSize = ByteSize(32 << 20);

/// The content to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Its digest.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size: u64,
}

/// Which pieces of a package are brought, and how.
pub struct Pieces<'a> {
    /// Its index.
    pub index: &'a Index,
    /// Of each piece, whether it is fetched; what is not is only brought where it is made from `material`.
    pub fetched: Vec<bool>,
    /// Of each piece, whether it is made from `material`. Where that turns out not to hold it, it is fetched.
    pub made: Vec<bool>,
    /// What lies on this machine.
    pub material: Option<Arc<dyn Material>>,
}

impl<'a> Pieces<'a> {
    /// All of a package, fetched.
    pub fn all(index: &'a Index) -> Self {
        Self { index, fetched: vec![true; index.pieces.len()], made: Vec::new(), material: None }
    }

    /// Whether a piece is brought at all.
    pub fn brings(&self, number: usize) -> bool {
        let says = |list: &[bool]| list.get(number).copied().unwrap_or(false);
        says(&self.fetched) || says(&self.made)
    }

    fn layout(&self) -> Layout {
        let says = |list: &[bool], number: usize| list.get(number).copied().unwrap_or(false);
        Layout::selected(self.index, |number| match (says(&self.made, number), says(&self.fetched, number)) {
            (true, _) => Origin::Here,
            (false, true) => Origin::Source,
            (false, false) => Origin::Nowhere,
        })
    }
}

/// Where a content may be had.
#[derive(Debug, Clone)]
pub struct Source {
    /// The location's name.
    pub name: String,
    /// The target to read through.
    pub target: Arc<dyn Target>,
    /// The file there.
    pub key: String,
}

/// How to fetch.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections to each source; at least 1.
    pub connections: usize,
    /// A connection over which nothing has come for so long is given up.
    pub stall: Duration,
    /// The most bytes a second, over all connections.
    pub bandwidth: Option<ByteSize>,
    /// The most bytes of pieces in memory that wait for the consumer. Each connection holds one piece more.
    pub memory: ByteSize,
    /// The wait after the first failure of a source; it doubles with each.
    pub pause: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 4,
            stall: Duration::from_secs(30),
            bandwidth: None,
            memory: ByteSize(64 << 20),
            pause: Duration::from_millis(500),
        }
    }
}

/// The consumer takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// What one source gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Given {
    /// The source's name.
    pub name: String,
    /// Bytes that were checked.
    pub bytes: u64,
}

/// What a fetch did.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The sources that gave something, the most first; none where the store had it.
    pub given: Vec<Given>,
    /// Bytes that an earlier fetch had left.
    pub reused: u64,
    /// What failed and was made good.
    pub failed: Vec<Attempt>,
}

impl Fetched {
    /// Adds what another fetch did.
    pub fn add(&mut self, other: Self) {
        self.given.extend(other.given);
        self.reused += other.reused;
        self.failed.extend(other.failed);
    }
}

/// Fetches contents in one run, and remembers which sources gave wrong bytes.
#[derive(Debug)]
pub struct Fetcher<'a> {
    store: &'a Store,
    rejected: PathBuf,
    options: Options,
    speeds: Speeds,
    left_out: Mutex<BTreeSet<String>>,
}

impl<'a> Fetcher<'a> {
    /// A run that fetches into `store` and keeps wrong bytes in the directory `rejected`, made when needed.
    pub fn new(store: &'a Store, rejected: &Path, mut options: Options) -> Self {
        options.memory = options.memory.max(LEAST_MEMORY);
        let speeds = Speeds::of(store.directory());
        Self { store, rejected: rejected.to_owned(), options, speeds, left_out: Mutex::default() }
    }

    /// Brings the wanted content into the store; does nothing where the store has it. `tiers` are the sources, those to be
    /// asked first in the first: the next tier is asked where all of one fail or nothing comes from it. `told` is told of
    /// bytes that were checked or, of a file that is too large to be checked before it is whole, came.
    ///
    /// A source that gives wrong bytes is asked once more past caches; wrong bytes are kept aside, and if they come again
    /// the source is left out for the rest of the run.
    ///
    /// # Errors
    ///
    /// [`FetchError::NoSpace`] before the first byte; [`FetchError::AllFailed`] names each source and why; a failure of the
    /// store itself ends the fetch at once.
    pub fn fetch(
        &self,
        wanted: &Wanted,
        tiers: &[Vec<Source>],
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, FetchError> {
        if self.has(wanted)? {
            return Ok(Fetched::default());
        }
        let (tiers, left_out) = self.usable(wanted, tiers)?;
        require_space(self.store, wanted.size)?;
        if wanted.size > ONE_PIECE {
            let asked = whole::Asked { store: self.store, rejected: &self.rejected, options: &self.options };
            let sources: Vec<_> = tiers.into_iter().flatten().map(|(source, _)| source).collect();
            let (outcome, liars) = asked.fetch(wanted, &sources, told);
            self.leave_out(liars);
            return with(outcome, left_out);
        }
        let mut incoming = self.store.incoming()?;
        let mut failure = None;
        let mut sink = |_: Form, bytes: &mut Buffer| {
            incoming.add(bytes.filled()).map_err(|error| {
                failure = Some(error);
                Stopped
            })
        };
        let layout = Layout::single(wanted.sha256, wanted.size);
        let fetched = self.run(wanted, layout, Machine::default(), tiers, &mut sink, told);
        if let Some(error) = failure {
            return Err(error.into());
        }
        let fetched = with(fetched, left_out)?;
        incoming.commit_expecting(&wanted.sha256, wanted.size)?;
        Ok(fetched)
    }

    /// Brings pieces of a package and hands them to `sink` in order, each checked by its digest before; with `keep`, the
    /// package is in the store afterwards if all its pieces were fetched, and else these pieces are, as an unfinished
    /// content with which another fetch goes on. Of what an earlier run left in the store no
    /// byte is fetched again that has its digest; a kill loses at most the piece that each connection was reading.
    ///
    /// `Ok` says that the whole package has the wanted sha256: until then `sink` has seen pieces of which the index, and
    /// no more, says that they belong to it.
    ///
    /// # Errors
    ///
    /// As [`Fetcher::fetch`]; [`FetchError::Stopped`] where `sink` said so; [`FetchError::Disagree`].
    pub fn fetch_pieces(
        &self,
        wanted: &Wanted,
        pieces: &Pieces<'_>,
        tiers: &[Vec<Source>],
        keep: bool,
        sink: &mut Sink<'_>,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, FetchError> {
        let (tiers, left_out) = self.usable(wanted, tiers)?;
        let layout = pieces.layout();
        let partial = match (keep, layout.is_all()) {
            (true, true) => {
                require_space(self.store, self.store.unreserved(&wanted.sha256, wanted.size)?)?;
                Some(self.store.partial(&wanted.sha256, wanted.size)?)
            }
            (true, false) => {
                require_space(self.store, layout.to_fetch())?;
                Some(self.store.partial_unreserved(&wanted.sha256, wanted.size)?)
            }
            (false, _) => None,
        };
        let machine = Machine { partial, material: pieces.material.clone() };
        with(self.run(wanted, layout, machine, tiers, sink, told), left_out)
    }

    /// The store that is fetched into.
    pub(super) fn store(&self) -> &Store {
        self.store
    }

    /// Runs with the sources that may be asked.
    pub(super) fn bring(
        &self,
        wanted: &Wanted,
        layout: Layout,
        machine: Machine,
        tiers: &[Vec<Source>],
        sink: &mut Sink<'_>,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, FetchError> {
        let (tiers, left_out) = self.usable(wanted, tiers)?;
        with(self.run(wanted, layout, machine, tiers, sink, told), left_out)
    }

    fn run(
        &self,
        wanted: &Wanted,
        layout: Layout,
        machine: Machine,
        tiers: Vec<Vec<(Source, Option<f64>)>>,
        sink: &mut Sink<'_>,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, FetchError> {
        let (sha256, rejected) = (wanted.sha256, self.rejected.clone());
        // That evidence could not be kept must not keep the next source from being asked.
        let keep = Box::new(move |bytes: &[u8]| rejected::keep_bytes(&rejected, &sha256, bytes).ok().flatten());
        let run = Run { sha256, layout, machine, tiers, options: self.options.clone(), keep };
        let outcome = engine::run(run, sink, told);
        self.leave_out(outcome.liars);
        let Done { given, attempts, reused } = match outcome.result {
            Err(FetchError::Disagree { expected, found }) => {
                // Its pieces are right, and never will it be what is wanted.
                self.store.forget_partial(&sha256)?;
                return Err(FetchError::Disagree { expected, found });
            }
            result => result?,
        };
        if let Some(partial) = outcome.shared.partial.as_ref().filter(|_| outcome.shared.layout.is_all()) {
            self.store.complete(partial, &sha256)?;
        }
        self.speeds.note(given.iter().map(|(source, measured)| (source.name.as_str(), *measured)));
        let given = given.into_iter().filter(|(_, measured)| measured.bytes > 0);
        let mut given: Vec<_> =
            given.map(|(source, measured)| Given { name: source.name, bytes: measured.bytes }).collect();
        given.sort_by_key(|given| std::cmp::Reverse(given.bytes));
        Ok(Fetched { given, reused, failed: attempts })
    }

    /// Whether the store has the content, by its length.
    pub fn has(&self, wanted: &Wanted) -> Result<bool, FetchError> {
        Ok(self.store.size(&wanted.sha256)? == Some(wanted.size) && self.store.file(&wanted.sha256)?.is_some())
    }

    /// The sources with their remembered speeds, without those that gave wrong bytes in this run.
    fn usable(&self, wanted: &Wanted, tiers: &[Vec<Source>]) -> Result<(Tiers, Vec<Attempt>), FetchError> {
        if tiers.iter().all(Vec::is_empty) {
            return Err(FetchError::NoSource { sha256: wanted.sha256 });
        }
        let speeds = self.speeds.read();
        let left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        let mut attempts = Vec::new();
        let mut usable = Vec::new();
        for tier in tiers {
            let mut kept = Vec::new();
            for source in tier {
                match left_out.contains(&source.name) {
                    true => attempts.push(Attempt::of(source, Why::LeftOut, None)),
                    false => kept.push((source.clone(), speeds.get(&source.name).map(|speed| *speed as f64))),
                }
            }
            usable.push(kept);
        }
        match usable.iter().all(Vec::is_empty) {
            true => Err(FetchError::AllFailed { sha256: wanted.sha256, attempts }),
            false => Ok((usable, attempts)),
        }
    }

    fn leave_out(&self, liars: BTreeSet<String>) {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).extend(liars);
    }
}

/// Sources with the bytes a second they gave at other times, in tiers.
type Tiers = Vec<Vec<(Source, Option<f64>)>>;

/// Tells of the sources that were not asked, too.
fn with(outcome: Result<Fetched, FetchError>, mut left_out: Vec<Attempt>) -> Result<Fetched, FetchError> {
    match outcome {
        Ok(mut fetched) => {
            left_out.append(&mut fetched.failed);
            Ok(Fetched { failed: left_out, ..fetched })
        }
        Err(FetchError::AllFailed { sha256, mut attempts }) => {
            left_out.append(&mut attempts);
            Err(FetchError::AllFailed { sha256, attempts: left_out })
        }
        other => other,
    }
}

/// Asks whether the store's file system has room for so many more bytes.
///
/// # Errors
///
/// [`FetchError::NoSpace`] with both numbers.
pub fn require_space(store: &Store, bytes: u64) -> Result<(), FetchError> {
    let path = store.directory();
    let free = fsx::space(path)?.bytes;
    if free < bytes {
        return Err(FetchError::NoSpace { path: path.to_owned(), needed: ByteSize(bytes), free: ByteSize(free) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::target::Filesystem;

    const GOOD: &[u8] = b"the package";

    struct Bench {
        dir: tempfile::TempDir,
        store: Store,
        rejected: PathBuf,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let store = Store::open(&dir.path().join("store"), Duration::ZERO).expect("created");
            let rejected = dir.path().join("root/rejected");
            Self { dir, store, rejected }
        }

        fn source(&self, name: &str, bytes: &[u8]) -> Source {
            let path = self.dir.path().join(name);
            fsx::write_new(&path, bytes).expect("written");
            self.absent(name)
        }

        fn absent(&self, name: &str) -> Source {
            let target = Filesystem::new(name, self.dir.path()).expect("absolute");
            let key = self.dir.path().join(name).to_string_lossy().into_owned();
            Source { name: name.to_owned(), target: Arc::new(target), key }
        }

        fn fetch(&self, sources: &[Source]) -> Result<Fetched, FetchError> {
            self.fetcher().fetch(&wanted(GOOD), &one_after_the_other(sources), &|_| {})
        }

        fn fetcher(&self) -> Fetcher<'_> {
            Fetcher::new(&self.store, &self.rejected, options())
        }

        fn leftovers(&self) -> usize {
            fsx::list(&self.store.directory().join("tmp")).expect("listed").len()
        }
    }

    fn options() -> Options {
        Options { pause: Duration::from_millis(1), ..Options::default() }
    }

    /// Each source in a tier of its own.
    fn one_after_the_other(sources: &[Source]) -> Vec<Vec<Source>> {
        sources.iter().map(|source| vec![source.clone()]).collect()
    }

    fn wanted(bytes: &[u8]) -> Wanted {
        Wanted { sha256: Sha256::of(bytes), size: bytes.len() as u64 }
    }

    fn name(fetched: &Fetched) -> Option<&str> {
        fetched.given.first().map(|given| given.name.as_str())
    }

    fn whys(attempts: &[Attempt]) -> Vec<String> {
        attempts.iter().map(|a| format!("{}: {:?}", a.name, a.why)).collect()
    }

    #[test]
    fn the_first_source_that_has_it_gives_it_once() {
        let bench = Bench::new();
        let (absent, good) = (bench.absent("absent"), bench.source("good", GOOD));
        let seen = AtomicU64::new(0);
        let fetcher = bench.fetcher();
        let count = |bytes| {
            seen.fetch_add(bytes, Ordering::Relaxed);
        };
        let fetched =
            fetcher.fetch(&wanted(GOOD), &one_after_the_other(&[absent, good.clone()]), &count).expect("fetched");
        assert_eq!(name(&fetched), Some("good"));
        assert_eq!(whys(&fetched.failed), ["absent: Missing"]);
        assert_eq!(seen.load(Ordering::Relaxed), GOOD.len() as u64);
        assert_eq!(bench.store.size(&Sha256::of(GOOD)).expect("readable"), Some(GOOD.len() as u64));
        let again = fetcher.fetch(&wanted(GOOD), &[], &count).expect("had");
        assert!(again.given.is_empty());
        assert_eq!(seen.load(Ordering::Relaxed), GOOD.len() as u64);
        assert_eq!(fsx::inspect(&bench.rejected).expect("readable"), None);
    }

    #[test]
    fn a_liar_is_asked_twice_named_left_out_and_its_bytes_are_kept() {
        let bench = Bench::new();
        let (liar, good) = (bench.source("liar", b"THE package"), bench.source("good", GOOD));
        let fetcher = bench.fetcher();
        let sources = [liar, good];
        let fetched = fetcher.fetch(&wanted(GOOD), &one_after_the_other(&sources), &|_| {}).expect("fetched");
        assert_eq!(name(&fetched), Some("good"));
        let lie = format!("liar: Digest {{ found: {:?} }}", Sha256::of(b"THE package"));
        assert_eq!(whys(&fetched.failed), [lie.clone(), lie]);
        let kept = fetched.failed[0].kept.as_ref().expect("kept");
        assert_eq!(fsx::read(kept).expect("there"), b"THE package");
        assert!(kept.starts_with(&bench.rejected));
        assert_eq!(bench.leftovers(), 0);

        let next = wanted(b"another");
        let error = fetcher
            .fetch(&next, &one_after_the_other(&sources[..1]), &|_| {})
            .expect_err("the only source is left out");
        assert!(
            matches!(&error, FetchError::AllFailed { attempts, .. } if whys(attempts) == ["liar: LeftOut"]),
            "{error:?}"
        );
    }

    #[test]
    fn every_failure_is_named_and_the_store_stays_clean() {
        let bench = Bench::new();
        let sources = [
            bench.source("short", &GOOD[..4]),
            bench.source("long", b"the package and more"),
            bench.absent("store"),
            bench.absent("absent"),
        ];
        match bench.fetch(&sources) {
            Err(FetchError::AllFailed { attempts, .. }) => assert_eq!(
                whys(&attempts),
                [
                    "short: Truncated { found: 4, expected: 11 }",
                    "short: Truncated { found: 4, expected: 11 }",
                    "long: TooLong { expected: 11 }",
                    "long: TooLong { expected: 11 }",
                    "store: Missing",
                    "absent: Missing"
                ]
            ),
            other => panic!("{other:?}"),
        }
        assert!(bench.store.list().expect("listed").is_empty());
        assert_eq!(bench.leftovers(), 0);
        assert_eq!(fsx::list(&bench.rejected).expect("listed").len(), 2);
        assert!(matches!(bench.fetch(&[]), Err(FetchError::NoSource { .. })));
    }

    #[test]
    fn wrong_bytes_are_kept_up_to_a_bound() {
        let bench = Bench::new();
        fsx::create_dir_all(&bench.rejected).expect("made");
        fsx::write_new(&bench.rejected.join("notes.txt"), b"mine").expect("written");
        for n in 0..8u8 {
            let lie = bench.source(&n.to_string(), &[n; 11]);
            bench.fetch(&[lie]).expect_err("a lie");
        }
        let names: Vec<_> = fsx::list(&bench.rejected).expect("listed").into_iter().map(|e| e.name).collect();
        assert_eq!(names.len(), 6, "five and a file that is not ours: {names:?}");
        let newest = format!("{}-{}", Sha256::of(GOOD).short(), Sha256::of(&[7; 11]).short());
        assert!(names.contains(&newest.into()));
    }

    #[test]
    fn evidence_that_cannot_be_kept_stops_nothing() {
        let bench = Bench::new();
        let blocked = bench.dir.path().join("file");
        fsx::write_new(&blocked, b"").expect("written");
        let fetcher = Fetcher::new(&bench.store, &blocked, options());
        let sources = [bench.source("liar", b"lie"), bench.source("good", GOOD)];
        let fetched = fetcher.fetch(&wanted(GOOD), &one_after_the_other(&sources), &|_| {}).expect("fetched");
        assert!(fetched.failed.iter().all(|attempt| attempt.kept.is_none()));
    }

    #[test]
    fn a_stored_file_of_the_wrong_length_is_replaced() {
        let bench = Bench::new();
        let good = bench.source("good", GOOD);
        bench.fetch(std::slice::from_ref(&good)).expect("fetched");
        let path = bench.store.path(&Sha256::of(GOOD)).expect("readable").expect("there");
        fsx::write_atomic(&path, b"cut").expect("damaged");
        let fetched = bench.fetch(std::slice::from_ref(&good)).expect("fetched again");
        assert_eq!(name(&fetched), Some("good"));
        assert!(bench.store.verify(&|_, _| {}).expect("verified").corrupt.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused_before_the_first_byte() {
        let bench = Bench::new();
        let source = bench.source("huge", GOOD);
        let wanted = Wanted { sha256: Sha256::of(GOOD), size: u64::MAX };
        let fetcher = bench.fetcher();
        let error = fetcher.fetch(&wanted, &[vec![source]], &|_| panic!("a byte was read")).expect_err("no room");
        assert!(matches!(error, FetchError::NoSpace { needed: ByteSize(u64::MAX), .. }), "{error:?}");
    }
}

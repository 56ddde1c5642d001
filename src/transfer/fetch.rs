//! Fetching one content into the store, from the first source that gives it.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Attempt, FetchError, Why, rejected};
use crate::fsx;
use crate::model::{ByteSize, Sha256};
use crate::store::Store;
use crate::target::Target;

/// What is read at once.
const BUFFER: usize = 1 << 20;

/// The content to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Its digest.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size: u64,
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

/// What a fetch did.
#[derive(Debug)]
pub struct Fetched {
    /// The source that gave the content; `None` where the store had it.
    pub source: Option<Source>,
    /// The attempts that failed before.
    pub failed: Vec<Attempt>,
}

/// Fetches contents in one run, and remembers which sources gave wrong bytes.
#[derive(Debug)]
pub struct Fetcher<'a> {
    store: &'a Store,
    rejected: &'a Path,
    left_out: Mutex<BTreeSet<String>>,
}

impl<'a> Fetcher<'a> {
    /// A run that fetches into `store` and keeps wrong bytes in the directory `rejected`, made when needed.
    pub fn new(store: &'a Store, rejected: &'a Path) -> Self {
        Self { store, rejected, left_out: Mutex::default() }
    }

    /// Brings the wanted content into the store from the first of `sources`, in their order, that gives it. Does nothing
    /// where the store has it. `progress` is told the number of bytes of each read, those of failed attempts included.
    ///
    /// A source that gives wrong bytes or fails in the middle is asked once more; wrong bytes are kept aside, and if they
    /// come again the source is left out for the rest of the run.
    ///
    /// # Errors
    ///
    /// [`FetchError::NoSpace`] before the first byte; [`FetchError::AllFailed`] names each source and why; a failure of the
    /// store itself ends the fetch at once.
    pub fn fetch(
        &self,
        wanted: &Wanted,
        sources: &[Source],
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, FetchError> {
        if self.store.size(&wanted.sha256)? == Some(wanted.size) && self.store.file(&wanted.sha256)?.is_some() {
            return Ok(Fetched { source: None, failed: Vec::new() });
        }
        if sources.is_empty() {
            return Err(FetchError::NoSource { sha256: wanted.sha256 });
        }
        require_space(self.store, wanted.size)?;
        let mut failed = Vec::new();
        for source in sources {
            if self.left_out.lock().unwrap_or_else(PoisonError::into_inner).contains(&source.name) {
                failed.push(Attempt { source: source.clone(), why: Why::LeftOut, kept: None });
                continue;
            }
            if self.ask_twice(wanted, source, progress, &mut failed)? {
                return Ok(Fetched { source: Some(source.clone()), failed });
            }
        }
        Err(FetchError::AllFailed { sha256: wanted.sha256, attempts: failed })
    }

    /// Whether the source gave the content, at the first or the second time.
    fn ask_twice(
        &self,
        wanted: &Wanted,
        source: &Source,
        progress: &(dyn Fn(u64) + Sync),
        failed: &mut Vec<Attempt>,
    ) -> Result<bool, FetchError> {
        for last in [false, true] {
            let Some((why, kept)) = self.ask(wanted, source, progress)? else { return Ok(true) };
            if last && why.is_wrong_bytes() {
                self.left_out.lock().unwrap_or_else(PoisonError::into_inner).insert(source.name.clone());
            }
            let again = why.is_wrong_bytes() || matches!(why, Why::Unreadable(_) | Why::Broken(_));
            failed.push(Attempt { source: source.clone(), why, kept });
            if !again {
                break;
            }
        }
        Ok(false)
    }

    /// Copies from the source into the store; `None` is success.
    fn ask(
        &self,
        wanted: &Wanted,
        source: &Source,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Option<(Why, Option<PathBuf>)>, FetchError> {
        let body = match source.target.read(&source.key, None) {
            Ok(reading) => reading.body,
            Err(e) if e.is_missing() => return Ok(Some((Why::Missing, None))),
            Err(e) => return Ok(Some((Why::Unreadable(e), None))),
        };
        // One byte more than wanted tells a file that is too long, whatever its length.
        let mut reader = body.take(wanted.size.saturating_add(1));
        let mut incoming = self.store.incoming()?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Ok(Some((Why::Broken(e), None))),
            };
            incoming.add(buffer.get(..count).unwrap_or(&buffer))?;
            progress(count as u64);
        }
        let (found, size) = incoming.digest();
        let why = match size.cmp(&wanted.size) {
            std::cmp::Ordering::Less => Why::Truncated { found: size, expected: wanted.size },
            std::cmp::Ordering::Greater => Why::TooLong { expected: wanted.size },
            std::cmp::Ordering::Equal if found != wanted.sha256 => Why::Digest { found },
            std::cmp::Ordering::Equal => {
                incoming.commit()?;
                return Ok(None);
            }
        };
        // That evidence could not be kept must not keep the next source from being asked.
        let kept = rejected::keep(self.rejected, &wanted.sha256, incoming).ok().flatten();
        Ok(Some((why, kept)))
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
            Fetcher::new(&self.store, &self.rejected).fetch(&wanted(GOOD), sources, &|_| {})
        }

        fn leftovers(&self) -> usize {
            fsx::list(&self.store.directory().join("tmp")).expect("listed").len()
        }
    }

    fn wanted(bytes: &[u8]) -> Wanted {
        Wanted { sha256: Sha256::of(bytes), size: bytes.len() as u64 }
    }

    fn name(fetched: &Fetched) -> Option<&str> {
        fetched.source.as_ref().map(|source| source.name.as_str())
    }

    fn whys(attempts: &[Attempt]) -> Vec<String> {
        attempts.iter().map(|a| format!("{}: {:?}", a.source.name, a.why)).collect()
    }

    #[test]
    fn the_first_source_that_has_it_gives_it_once() {
        let bench = Bench::new();
        let (absent, good) = (bench.absent("absent"), bench.source("good", GOOD));
        let seen = AtomicU64::new(0);
        let fetcher = Fetcher::new(&bench.store, &bench.rejected);
        let count = |bytes| {
            seen.fetch_add(bytes, Ordering::Relaxed);
        };
        let fetched = fetcher.fetch(&wanted(GOOD), &[absent, good.clone()], &count).expect("fetched");
        assert_eq!(name(&fetched), Some("good"));
        assert_eq!(whys(&fetched.failed), ["absent: Missing"]);
        assert_eq!(seen.load(Ordering::Relaxed), GOOD.len() as u64);
        assert_eq!(bench.store.size(&Sha256::of(GOOD)).expect("readable"), Some(GOOD.len() as u64));
        let again = fetcher.fetch(&wanted(GOOD), &[], &count).expect("had");
        assert!(again.source.is_none());
        assert_eq!(seen.load(Ordering::Relaxed), GOOD.len() as u64);
        assert_eq!(fsx::inspect(&bench.rejected).expect("readable"), None);
    }

    #[test]
    fn a_liar_is_asked_twice_named_left_out_and_its_bytes_are_kept() {
        let bench = Bench::new();
        let (liar, good) = (bench.source("liar", b"THE package"), bench.source("good", GOOD));
        let fetcher = Fetcher::new(&bench.store, &bench.rejected);
        let sources = [liar, good];
        let fetched = fetcher.fetch(&wanted(GOOD), &sources, &|_| {}).expect("fetched");
        assert_eq!(name(&fetched), Some("good"));
        let lie = format!("liar: Digest {{ found: {:?} }}", Sha256::of(b"THE package"));
        assert_eq!(whys(&fetched.failed), [lie.clone(), lie]);
        let kept = fetched.failed[0].kept.as_ref().expect("kept");
        assert_eq!(fsx::read(kept).expect("there"), b"THE package");
        assert!(kept.starts_with(&bench.rejected));
        assert_eq!(bench.leftovers(), 0);

        let next = wanted(b"another");
        let error = fetcher.fetch(&next, &sources[..1], &|_| {}).expect_err("the only source is left out");
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
    fn a_source_that_was_mended_in_between_is_used() {
        let bench = Bench::new();
        let source = bench.source("flaky", b"THE package");
        let path = Path::new(&source.key);
        let calls = AtomicU64::new(0);
        let mend = |_| {
            if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                fsx::write_atomic(path, GOOD).expect("mended");
            }
        };
        let fetcher = Fetcher::new(&bench.store, &bench.rejected);
        let fetched = fetcher.fetch(&wanted(GOOD), std::slice::from_ref(&source), &mend).expect("at the second time");
        assert_eq!(fetched.failed.len(), 1);
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
        let fetcher = Fetcher::new(&bench.store, &blocked);
        let sources = [bench.source("liar", b"lie"), bench.source("good", GOOD)];
        let fetched = fetcher.fetch(&wanted(GOOD), &sources, &|_| {}).expect("fetched");
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
        assert!(bench.store.verify().expect("verified").corrupt.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused_before_the_first_byte() {
        let bench = Bench::new();
        let source = bench.source("huge", GOOD);
        let wanted = Wanted { sha256: Sha256::of(GOOD), size: u64::MAX };
        let fetcher = Fetcher::new(&bench.store, &bench.rejected);
        let error = fetcher.fetch(&wanted, &[source], &|_| panic!("a byte was read")).expect_err("no room");
        assert!(matches!(error, FetchError::NoSpace { needed: ByteSize(u64::MAX), .. }), "{error:?}");
    }
}

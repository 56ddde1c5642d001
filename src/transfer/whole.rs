//! One stream into a private file: for what is too large for memory and has no index to check parts of it by.
//!
//! Within a run a stream that breaks goes on where it was, by range, at the same source; only the digest of the whole
//! says what it was worth. Sources are asked one after the other.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::peer::passes;
use super::pulse::{LEAST, Pulse};
use super::throttle::Throttle;
use super::{Attempt, FetchError, Fetched, Given, Options, Source, Wanted, Why, rejected, retry};
use crate::store::{Incoming, Store};

/// What is read at once.
const BUFFER: usize = 1 << 20;

/// What a stream is fetched with.
pub(super) struct Asked<'a> {
    pub store: &'a Store,
    pub rejected: &'a Path,
    pub options: &'a Options,
}

/// How an attempt ended: well, or why not and where its bytes are kept.
type Ended = Option<(Why, Option<PathBuf>)>;

impl Asked<'_> {
    /// Brings the content from the first source that gives it; also says which sources gave wrong bytes twice.
    pub fn fetch(
        &self,
        wanted: &Wanted,
        sources: &[Source],
        told: &(dyn Fn(u64) + Sync),
    ) -> (Result<Fetched, FetchError>, BTreeSet<String>) {
        let (mut failed, mut liars) = (Vec::new(), BTreeSet::new());
        for source in sources {
            for fresh in [false, true] {
                let (why, kept) = match self.ask(wanted, source, fresh, told) {
                    Err(error) => return (Err(error), liars),
                    Ok(None) => {
                        let given = vec![Given { name: source.name.clone(), bytes: wanted.size }];
                        return (Ok(Fetched { given, reused: 0, failed }), liars);
                    }
                    Ok(Some(failure)) => failure,
                };
                let wrong = why.is_wrong_bytes();
                failed.push(Attempt::of(source, why, kept));
                if !wrong {
                    break;
                }
                if fresh {
                    liars.insert(source.name.clone());
                }
            }
        }
        (Err(FetchError::AllFailed { sha256: wanted.sha256, attempts: failed }), liars)
    }

    /// Copies from the source into the store, again and again as long as that may help.
    fn ask(
        &self,
        wanted: &Wanted,
        source: &Source,
        fresh: bool,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Ended, FetchError> {
        let throttle = self.options.bandwidth.map(|bandwidth| Throttle::new(bandwidth.0));
        let mut incoming = self.store.incoming()?;
        let mut tries = 0;
        loop {
            let before = incoming.digest().1;
            let why = match self.stream(wanted, source, fresh, &mut incoming, throttle.as_ref(), told)? {
                Some(why) => why,
                None => return self.judge(wanted, incoming),
            };
            let (passing, retry_after) = passes(&why);
            tries = if incoming.digest().1 >= before + LEAST { 1 } else { tries + 1 };
            let random = RandomState::new().build_hasher().finish();
            match retry::pause(self.options.pause, tries, retry_after, random).filter(|_| passing) {
                Some(pause) => std::thread::sleep(pause),
                None => return Ok(Some((why, None))),
            }
        }
    }

    /// Reads on from where `incoming` ends; `None` at the end of the stream.
    fn stream(
        &self,
        wanted: &Wanted,
        source: &Source,
        fresh: bool,
        incoming: &mut Incoming<'_>,
        throttle: Option<&Throttle>,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Option<Why>, FetchError> {
        let at = incoming.digest().1;
        let range = (at > 0 && at < wanted.size).then_some(at..wanted.size);
        let reading = match fresh {
            true => source.target.read_fresh(&source.key, range),
            false => source.target.read(&source.key, range),
        };
        let reading = match reading {
            Ok(reading) => reading,
            Err(error) => return Ok(Some(Why::refused(error, wanted.size))),
        };
        if reading.start > at {
            return Ok(Some(Why::OtherRange { asked: at, got: reading.start }));
        }
        let mut skip = at - reading.start;
        // One byte more than wanted tells a file that is too long, whatever its length.
        let mut reader = reading.body.take(wanted.size.saturating_add(1).saturating_sub(reading.start));
        let mut buffer = vec![0; BUFFER];
        let mut pulse = Pulse::new(Instant::now());
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(count) => count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Ok(Some(Why::broke(e, self.options.stall))),
            };
            let held = throttle.map_or(Duration::ZERO, |throttle| throttle.pass(count));
            pulse.came(count as u64, held, Instant::now());
            let (quiet, few) = pulse.quiet(Instant::now());
            if quiet > self.options.stall {
                return Ok(Some(Why::Silent { after: self.options.stall, bytes: few }));
            }
            let known = usize::try_from(skip).unwrap_or(usize::MAX).min(count);
            skip -= known as u64;
            let new = buffer.get(known..count).unwrap_or_default();
            incoming.add(new)?;
            told(new.len() as u64);
        }
    }

    /// Whether what came is what was wanted; then it is in the store.
    fn judge(&self, wanted: &Wanted, incoming: Incoming<'_>) -> Result<Ended, FetchError> {
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

//! A delta that is fetched while what this machine has is linked, and while it is applied.
//!
//! ```text
//! fetch ── pieces, checked, in order ──▶ partial file ──┐
//!   └── so many bytes from the start are there ──▶ wait ─┴─▶ jobs
//! ```
//!
//! Its front was checked by the digest in the record, and each job by the one in the front; what is made of them is checked
//! by the version's index as ever. Of a delta whose record tells no front, nothing is used before all of it is there.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Error;
use super::fetch::{ONE_STREAM, Supply};
use crate::delta::{ApplyError, Bytes, Header};
use crate::model::{Blake3, RecordDelta};
use crate::records::Published;
use crate::store::Store;
use crate::transfer::{FetchError, Fetched, Front, Stopped, Wanted};

/// The longest front that is held in memory, in bytes.
const LONGEST: u64 = 8 << 20;

/// The front of a delta, and what it says.
pub(super) struct Begun {
    /// The delta's.
    delta: Wanted,
    bytes: Vec<u8>,
    header: Header,
}

/// A delta on its way.
pub(super) struct Ahead<'a> {
    /// What the record says of it.
    pub delta: &'a RecordDelta,
    begun: Option<&'a Begun>,
    state: Mutex<State>,
    changed: Condvar,
    /// Nobody reads it any more.
    stopped: AtomicBool,
}

#[derive(Default)]
struct State {
    /// What is read from.
    file: Option<Arc<File>>,
    /// So many bytes from its start are there.
    came: u64,
    /// What became of the fetch.
    ended: Option<Result<Fetched, Error>>,
}

impl<'a> Ahead<'a> {
    /// One that nothing has come of but its front, where `begun` is that.
    pub fn new(delta: &'a RecordDelta, begun: Option<&'a Begun>) -> Self {
        let begun = begun.filter(|begun| begun.delta.sha256 == delta.checksum.value);
        let (state, changed, stopped) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        Self { delta, begun, state, changed, stopped }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nap<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches it to its end, or until it or the whole work is stopped.
    pub fn fetch(
        &self,
        supply: &Supply<'_>,
        store: &Store,
        published: &Published,
        stop: &AtomicBool,
        told: &(dyn Fn(u64) + Sync),
    ) {
        let ends = || self.stopped.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed);
        let fetched = match self.begun {
            _ if ends() => Err(FetchError::Stopped.into()),
            Some(begun) => self.behind(begun, supply, store, published, &ends, told),
            None => supply.delta(published, self.delta, told),
        };
        let file = fetched.is_ok().then(|| store.file(&self.delta.checksum.value)).transpose();
        let mut state = self.lock();
        if let Ok(Some(Some(file))) = file {
            (state.file, state.came) = (Some(Arc::new(file)), self.delta.size);
        }
        state.ended = Some(fetched);
        self.changed.notify_all();
    }

    fn behind(
        &self,
        begun: &Begun,
        supply: &Supply<'_>,
        store: &Store,
        published: &Published,
        ends: &dyn Fn() -> bool,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, Error> {
        let Begun { delta: wanted, bytes, header } = begun;
        if supply.fetcher.has(wanted)? {
            return Ok(Fetched::default());
        }
        let (tiers, refused) = supply.tiers(published, &self.delta.file, *wanted)?;
        let partial = store.partial_unreserved(&wanted.sha256, wanted.size)?;
        self.lock().file = Some(Arc::new(partial.reader()?));
        let jobs = header.jobs().iter().filter(|job| job.length > 0);
        let pieces: Vec<(u64, Blake3)> = jobs.map(|job| (job.length, job.packed)).collect();
        let mut came = |end| {
            // Asked before the last piece is given away: with it the work is done, and this fetch is not stopped.
            if ends() {
                return Err(Stopped);
            }
            self.lock().came = end;
            self.changed.notify_all();
            Ok(())
        };
        let fetched = supply.fetcher.behind(wanted, (bytes, &pieces), partial, &tiers, &mut came, told);
        super::fetch::with(fetched, refused)
    }

    /// What its front says; waits for all of it where the front did not come before.
    pub fn header(&self) -> Result<Cow<'_, Header>, ApplyError> {
        match self.begun {
            Some(begun) => Ok(Cow::Borrowed(&begun.header)),
            None => {
                let file = self.wait(self.delta.size).map_err(ApplyError::Read)?;
                Ok(Cow::Owned(Header::read(file.as_ref())?))
            }
        }
    }

    /// What is read from, once so many bytes are there.
    fn wait(&self, end: u64) -> io::Result<Arc<File>> {
        let mut state = self.lock();
        loop {
            if let Some(file) = state.file.as_ref().filter(|_| state.came >= end) {
                return Ok(file.clone());
            }
            if state.ended.is_some() {
                return Err(io::Error::other("the fetch ended"));
            }
            state = self.nap(state);
        }
    }

    /// Nobody reads it any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// What became of the fetch; waits for its end. To be asked once.
    pub fn outcome(&self) -> Result<Fetched, Error> {
        let mut state = self.lock();
        loop {
            if let Some(ended) = state.ended.take() {
                state.ended = Some(Err(FetchError::Stopped.into()));
                return ended;
            }
            state = self.nap(state);
        }
    }
}

impl Bytes for Ahead<'_> {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.wait(offset.saturating_add(out.len() as u64))?.read_exact_at(out, offset)
    }
}

impl Supply<'_> {
    /// Brings the front of the smallest of the deltas, where it can be applied while it comes: a small one comes in one request.
    /// Without it nothing is lost but time.
    pub fn begin(
        &self,
        published: &Published,
        deltas: &[&RecordDelta],
        told: &(dyn Fn(u64) + Sync),
    ) -> Option<(Begun, Fetched)> {
        let delta = deltas.iter().min_by_key(|delta| delta.size).filter(|delta| delta.size > ONE_STREAM)?;
        let front = delta.header.as_ref().filter(|front| (1..=LONGEST.min(delta.size - 1)).contains(&front.size))?;
        let front = Front { sha256: front.checksum.value, size: front.size };
        let wanted = Wanted { sha256: delta.checksum.value, size: delta.size };
        if self.fetcher.has(&wanted).unwrap_or(true) {
            return None;
        }
        let (tiers, _) = self.tiers(published, &delta.file, wanted).ok()?;
        let (bytes, fetched) = self.fetcher.front(&wanted, &front, &tiers, told).ok()?;
        let header = Header::read(bytes.as_slice()).ok()?;
        let is_whole = (header.front_bytes(), header.size()) == (front.size, delta.size);
        is_whole.then_some((Begun { delta: wanted, bytes, header }, fetched))
    }
}

//! What the connections of one run share: which pieces are there, who fetches which, and what became of each source.
//!
//! Promises: a piece is taken in once, whoever brings it first; at any time each missing piece is either to be handed out
//! or somebody's; the pieces kept in memory lie within the window that begins where the consumer is. Everything here
//! is short work under one lock: no bytes move while it is held.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::peer::{Peer, Verdict};
use super::plan::{Layout, Origin, Work};
use super::state::{Slot, State, Task};
use super::throttle::Throttle;
use super::{FetchError, Options, Source, Why};
use crate::codec::{Buffer, Form};
use crate::model::Sha256;
use crate::store::Partial;

/// How long anybody sleeps before looking again.
const NAP: Duration = Duration::from_millis(50);
/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Still {
    /// Go on.
    Wanted,
    /// Somebody else brought it: end this request.
    Had,
    /// The run is over, or others have taken over: end this thread.
    Gone,
}

/// Where wrong bytes are put for inspection.
pub(super) type Keep = Box<dyn Fn(&[u8]) -> Option<PathBuf> + Send + Sync>;

/// Starts a thread that is a connection to the source of this number.
pub(super) type Spawn<'a> = &'a dyn Fn(usize) -> std::io::Result<()>;

/// Gives pieces from what lies on this machine.
pub trait Material: Send + Sync {
    /// Puts a piece, as it lies in the tar stream, into `into`. `false` where what is there is not that piece, or cannot be
    /// read: nothing else is ever given.
    fn piece(&self, number: usize, into: &mut Buffer) -> bool;
}

/// What this machine may have of a file.
#[derive(Default)]
pub(super) struct Machine {
    /// Where pieces are kept, if they are, and an earlier run may have left some.
    pub partial: Option<Partial>,
    /// What pieces are made from that need not be fetched.
    pub material: Option<Arc<dyn Material>>,
}

/// One run, shared by its connections.
pub(super) struct Shared {
    pub wanted: Sha256,
    pub layout: Layout,
    pub partial: Option<Partial>,
    material: Option<Arc<dyn Material>>,
    pub options: Options,
    pub throttle: Option<Throttle>,
    pub keep: Keep,
    pub began: Instant,
    state: Mutex<State>,
    pub changed: Condvar,
}

impl Shared {
    /// A run in which nothing has happened yet. `unchecked` pieces may be in the partial file.
    pub fn new(
        wanted: Sha256,
        layout: Layout,
        machine: Machine,
        unchecked: &BTreeSet<usize>,
        peers: Vec<Peer>,
        options: Options,
        keep: Keep,
    ) -> Self {
        let now = Instant::now();
        let mut work = Work::default();
        let slots = layout.parts.iter().enumerate().map(|(number, part)| match part.origin {
            Origin::Nowhere => Slot::Left,
            _ if unchecked.contains(&number) => Slot::Unchecked,
            Origin::Here => Slot::Here,
            Origin::Source => {
                work.add(number..number + 1);
                Slot::Missing
            }
        });
        let slots = slots.collect();
        let mut state = State {
            slots,
            work,
            claims: BTreeMap::new(),
            given_claims: 0,
            peers,
            front: 0,
            spare: Vec::new(),
            attempts: Vec::new(),
            liars: BTreeSet::new(),
            done: 0,
            reused: 0,
            progress_at: now,
            tiers: 0,
            waiting_threads: Vec::new(),
            over: false,
            failure: None,
        };
        state.pass_over();
        let throttle = options.bandwidth.map(|bandwidth| Throttle::new(bandwidth.0));
        Self {
            wanted,
            layout,
            partial: machine.partial,
            material: machine.material,
            throttle,
            options,
            keep,
            began: now,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn nap<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait_timeout(state, NAP).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The source of this number.
    pub fn source(&self, peer: usize) -> Option<Source> {
        self.lock().peers.get(peer).map(|peer| peer.source.clone())
    }

    /// The next work for a connection to `peer`; waits for it. `None` where there will be none.
    pub fn next(&self, peer: usize, spawn: Spawn<'_>) -> Option<Task> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.over || state.peers.get(peer).is_none_or(|peer| peer.out) {
                return None;
            }
            self.supervise(&mut state, now, spawn);
            let limit = self.limit(&state);
            if let Some(task) = state.assign(&self.layout, limit, peer, now) {
                return Some(task);
            }
            state = self.nap(state);
        }
    }

    /// The pieces a task still has to bring.
    pub fn run(&self, id: u64) -> Option<Range<usize>> {
        self.lock().claims.get(&id).map(|claim| claim.run.clone())
    }

    /// So many more bytes of piece `number` came, of which `held` was spent on this side. `streaming` connections read the
    /// whole file whatever they asked for.
    pub fn came(&self, id: u64, number: usize, bytes: u64, held: Duration, streaming: bool) -> Still {
        let mut state = self.lock();
        let over = state.over;
        let Some(claim) = state.claims.get_mut(&id).filter(|_| !over) else { return Still::Gone };
        claim.came(bytes, held, Instant::now());
        let in_run = claim.run.contains(&number);
        let missing = |slot: &Slot| matches!(slot, Slot::Missing | Slot::Unchecked);
        let wanted = match streaming {
            true => state.slots.iter().skip(number).any(missing),
            false => in_run && state.slots.get(number).is_some_and(missing),
        };
        if wanted { Still::Wanted } else { Still::Had }
    }

    /// The bytes of piece `number`, which were checked: written where there is a partial file, and handed to the consumer.
    /// What is left in `bytes` is memory to use again.
    pub fn deliver(&self, id: u64, number: usize, bytes: &mut Buffer) -> Still {
        let Some(part) = self.layout.parts.get(number) else { return Still::Gone };
        let mut state = self.lock();
        loop {
            if state.over || !state.claims.contains_key(&id) {
                return Still::Gone;
            }
            if part.end() <= self.limit(&state) {
                break;
            }
            // What was to be made on this machine could not be, and has gone by: who waits here begins anew.
            if state.front < number && state.work.has(state.front) {
                return Still::Had;
            }
            // Only who reads the whole file gets here; that the consumer is slow is not its source's fault.
            if let Some(claim) = state.claims.get_mut(&id) {
                claim.pulse.beat(Instant::now());
            }
            state = self.nap(state);
        }
        let missing = matches!(state.slots.get(number), Some(Slot::Missing));
        if missing {
            if let Some(slot) = state.slots.get_mut(number) {
                *slot = Slot::Busy;
            }
            state.work.remove(number);
            drop(state);
            if let Err(error) = self.partial.as_ref().map_or(Ok(()), |file| file.write(part.offset, bytes.filled())) {
                self.fail(error.into());
                return Still::Gone;
            }
            state = self.lock();
            self.put(&mut state, number, Form::Packed, bytes);
        }
        let now = Instant::now();
        let state = &mut *state;
        if missing {
            state.progress_at = now;
        }
        let Some(claim) = state.claims.get_mut(&id) else { return Still::Gone };
        claim.partial = 0;
        claim.pulse.beat(now);
        if claim.run.start == number {
            claim.run.start += 1;
        }
        if let Some(peer) = state.peers.get_mut(claim.peer).filter(|_| missing) {
            peer.good(part.length, now);
        }
        self.changed.notify_all();
        Still::Wanted
    }

    /// A checked piece, on the disk where there is a partial file: stays in memory where the consumer needs it soon.
    fn put(&self, state: &mut State, number: usize, form: Form, bytes: &mut Buffer) {
        let near = self.layout.parts.get(number).is_some_and(|part| part.end() <= self.window(state));
        let spare = if near { state.spare.pop().unwrap_or_default() } else { Buffer::default() };
        if let Some(slot) = state.slots.get_mut(number) {
            *slot = match (near, form) {
                (true, _) => Slot::Ready(form, std::mem::replace(bytes, spare)),
                (false, Form::Packed) => Slot::Stored,
                (false, Form::Raw) => Slot::Here,
            };
        }
        state.done += self.layout.parts.get(number).map_or(0, |part| part.length);
        self.changed.notify_all();
    }

    /// Where the pieces end that may be in memory.
    fn window(&self, state: &State) -> u64 {
        let front = self.layout.parts.get(state.front);
        front.map_or(u64::MAX, |front| front.end().max(front.offset.saturating_add(self.options.memory.0)))
    }

    /// Where the pieces end that may be handed out: with a partial file all, else those that have room in memory.
    fn limit(&self, state: &State) -> u64 {
        if self.partial.is_some() { u64::MAX } else { self.window(state) }
    }

    /// A task is done, or the rest of it came another way.
    pub fn finish(&self, id: u64) {
        let mut state = self.lock();
        if let Some(claim) = state.release(id)
            && let Some(peer) = state.peers.get_mut(claim.peer)
        {
            let now = Instant::now();
            peer.measured(claim.bytes, now.saturating_duration_since(claim.asked));
            peer.overtaken(&claim, now);
        }
        self.changed.notify_all();
    }

    /// A task failed: what to do now.
    pub fn failed(&self, id: u64, why: Why, kept: Option<PathBuf>) -> Verdict {
        let mut state = self.lock();
        let verdict = state.failed(id, why, kept, self.options.pause);
        self.changed.notify_all();
        verdict
    }

    /// The source of a task began to answer after so long.
    pub fn answered(&self, id: u64, after: Duration) {
        let mut state = self.lock();
        let state = &mut *state;
        if let Some(peer) = state.claims.get(&id).and_then(|claim| state.peers.get_mut(claim.peer)) {
            peer.answered(after);
        }
    }

    /// The source of a task reads whole files only.
    pub fn knows_no_ranges(&self, id: u64) {
        let mut state = self.lock();
        let state = &mut *state;
        if let Some(peer) = state.claims.get(&id).and_then(|claim| state.peers.get_mut(claim.peer)) {
            peer.no_ranges = true;
        }
    }

    /// Ends the run with an error of this side.
    pub fn fail(&self, error: FetchError) {
        self.lock().failure.get_or_insert(error);
        self.changed.notify_all();
    }

    /// Ends the run; connections that wait for bytes end when these come or their time is up.
    pub fn end(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }

    /// A piece that was on the disk was looked at, and is in `bytes` in the form in which it was found.
    pub fn checked(&self, number: usize, found: Option<Form>, bytes: &mut Buffer) {
        let mut state = self.lock();
        match found {
            Some(form) => {
                if form == Form::Packed {
                    state.reused += self.layout.parts.get(number).map_or(0, |part| part.length);
                }
                self.put(&mut state, number, form, bytes);
            }
            None => state.missing(number),
        }
        self.changed.notify_all();
    }

    /// Makes a piece from what lies on this machine; `false` where that cannot be.
    pub fn made_here(&self, number: usize, into: &mut Buffer) -> bool {
        let here = self.layout.parts.get(number).is_some_and(|part| part.origin == Origin::Here);
        here && self.material.as_ref().is_some_and(|material| material.piece(number, into))
    }

    /// Whether the run has ended.
    pub fn is_over(&self) -> bool {
        self.lock().over
    }

    /// Starts threads where sources have stalled, or more of them have to be asked.
    pub fn supervise(&self, state: &mut State, now: Instant, spawn: Spawn<'_>) {
        for peer in state.supervise(&self.options, self.layout.needed(), now) {
            if let Err(error) = spawn(peer) {
                state.failure.get_or_insert(FetchError::Thread(error));
            }
        }
    }
}

//! The state of one run and every decision on it: who gets what to do, what a failure means, when others join.
//!
//! Plain values, changed under the lock of `shared`; knows no threads.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::claim::{self, Claim};
use super::peer::{Peer, Verdict, passes, worth_telling};
use super::plan::{Layout, Work, run_bytes};
use super::{Attempt, FetchError, Options, Why};
use crate::codec::{Buffer, Form};

/// How long nothing at all may come from the better tiers before the next one joins.
const TIER_PATIENCE: Duration = Duration::from_secs(10);
/// Less than this goes to the best source alone.
const LITTLE: u64 = 2 << 20;

/// One piece.
#[derive(Debug)]
pub(super) enum Slot {
    /// Something is on the disk; nobody has looked yet.
    Unchecked,
    /// To be fetched.
    Missing,
    /// Being written or read.
    Busy,
    /// Checked and in memory.
    Ready(Form, Buffer),
    /// Checked and on the disk.
    Stored,
    /// Made from what lies on this machine when its turn comes, and checked then.
    Here,
    /// Not needed.
    Left,
    /// With the consumer.
    Taken,
}

/// A piece of work for one connection.
#[derive(Debug)]
pub(super) struct Task {
    /// Its number.
    pub id: u64,
    /// Whether to ask past caches.
    pub fresh: bool,
}

/// What is known of a run.
pub(super) struct State {
    pub slots: Vec<Slot>,
    pub work: Work,
    pub claims: BTreeMap<u64, Claim>,
    pub given_claims: u64,
    pub peers: Vec<Peer>,
    pub front: usize,
    pub spare: Vec<Buffer>,
    pub attempts: Vec<Attempt>,
    pub liars: BTreeSet<String>,
    pub done: u64,
    pub reused: u64,
    pub progress_at: Instant,
    pub tiers: usize,
    pub waiting_threads: Vec<usize>,
    pub over: bool,
    pub failure: Option<FetchError>,
}

impl State {
    /// Gives a connection to `peer` something to do, if there is something for it.
    pub fn assign(&mut self, layout: &Layout, limit: u64, peer: usize, now: Instant) -> Option<Task> {
        let usable = |peer: &&Peer| !peer.in_trouble() && peer.tier < self.tiers && peer.not_before <= now;
        let best = self.peers.iter().filter(usable).filter_map(|peer| peer.speed).fold(0.0, f64::max);
        let left = self.work.bytes(layout);
        let connections = self.claims.len() + 1;
        let me = self.peers.get(peer)?;
        if me.not_before > now || (me.no_ranges && me.busy > 0) {
            return None;
        }
        // A source that has just gone silent gets no more work while others have time.
        let silent = self.claims.values().any(|claim| claim.peer == peer && claim.is_silent(now));
        let others = self.peers.iter().enumerate().filter(|(number, _)| *number != peer).map(|(_, other)| other);
        if silent && others.filter(usable).count() > 0 {
            return None;
        }
        let (speed, fresh) = (me.speed, me.fresh);
        let little = left <= LITTLE || layout.is_single();
        let run = match me.is_too_slow(best) || little && self.better(peer, best, now) {
            true => None,
            false => self.work.take(layout, run_bytes(speed, left, connections), limit),
        };
        let run = match run {
            Some(run) => run,
            None => claim::help(&mut self.claims, layout, peer, speed, now)?,
        };
        self.given_claims += 1;
        let id = self.given_claims;
        self.claims.insert(id, Claim::new(peer, run, fresh, now));
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.busy += 1;
        }
        Some(Task { id, fresh })
    }

    /// Whether a source before `peer` has nothing to do and would take it; `best` is the speed of the fastest one. Who is left
    /// the work must not decline it, or all would wait for each other.
    fn better(&self, peer: usize, best: f64, now: Instant) -> bool {
        let usable = |peer: &Peer| !peer.in_trouble() && peer.tier < self.tiers && peer.not_before <= now;
        self.peers.iter().take(peer).any(|peer| usable(peer) && peer.busy == 0 && !peer.is_too_slow(best))
    }

    /// Takes a claim away; what is left of it is handed out again.
    pub fn release(&mut self, id: u64) -> Option<Claim> {
        let claim = self.claims.remove(&id)?;
        for number in claim.run.clone() {
            let others = self.claims.values().any(|other| other.run.contains(&number));
            if !others && matches!(self.slots.get(number), Some(Slot::Missing)) {
                self.work.add(number..number + 1);
            }
        }
        if let Some(peer) = self.peers.get_mut(claim.peer) {
            peer.busy = peer.busy.saturating_sub(1);
        }
        Some(claim)
    }

    /// Goes on to the first piece from `front` on that somebody needs.
    pub fn pass_over(&mut self) {
        while matches!(self.slots.get(self.front), Some(Slot::Left)) {
            self.front += 1;
        }
    }

    /// Something on this machine is not what it was: all that was to be made from such is looked at beside the fetching, so
    /// that the rest is not found wrong one by one. Which pieces that is.
    pub fn distrust(&mut self) -> BTreeSet<usize> {
        let here = self.slots.iter_mut().enumerate().filter(|(_, slot)| matches!(slot, Slot::Here));
        here.map(|(number, slot)| {
            *slot = Slot::Unchecked;
            number
        })
        .collect()
    }

    pub fn missing(&mut self, number: usize) {
        if let Some(slot) = self.slots.get_mut(number) {
            *slot = Slot::Missing;
        }
        self.work.add(number..number + 1);
    }

    pub fn failed(&mut self, id: u64, why: Why, kept: Option<PathBuf>, pause: Duration) -> Verdict {
        let Some(claim) = self.claims.get_mut(&id) else { return Verdict::Out };
        let Some(peer) = self.peers.get_mut(claim.peer) else { return Verdict::Out };
        let (passing, retry_after) = passes(&why);
        let verdict = if why.is_wrong_bytes() {
            peer.lied(claim.fresh)
        } else if passing {
            peer.failed(claim.asked, pause, retry_after, RandomState::new().build_hasher().finish())
        } else {
            peer.out = true;
            Verdict::Out
        };
        let number = claim.peer;
        if verdict == Verdict::Out && why.is_wrong_bytes() {
            self.liars.insert(peer.source.name.clone());
        }
        let tell = worth_telling(&why, verdict);
        let attempt = Attempt::of(&peer.source, why, kept);
        if tell {
            peer.trouble = None;
            self.attempts.push(attempt);
        } else if peer.in_trouble() {
            peer.trouble = Some(attempt);
        }
        match verdict {
            Verdict::AskAgain => *claim = Claim::new(number, claim.run.clone(), true, Instant::now()),
            Verdict::Later => {
                let _ = self.release(id);
            }
            Verdict::Out => {
                let its: Vec<_> = self.claims.iter().filter(|(_, c)| c.peer == number).map(|(id, _)| *id).collect();
                for id in its {
                    let _ = self.release(id);
                }
            }
        }
        verdict
    }

    /// At the end: what sources have not made good, and those from which a connection still waits in vain.
    pub fn tell_the_rest(&mut self, now: Instant) {
        for claim in self.claims.values() {
            if let Some(peer) = self.peers.get_mut(claim.peer) {
                peer.overtaken(claim, now);
            }
        }
        let mut rest: Vec<_> = self.peers.iter_mut().filter_map(|peer| peer.trouble.take()).collect();
        self.attempts.append(&mut rest);
    }

    /// Whether nobody is left to ask.
    pub fn is_hopeless(&self) -> bool {
        self.claims.is_empty() && self.peers.iter().all(|peer| peer.out)
    }

    /// Takes work from connections that have stalled, and lets the next tier join where the better ones do not give. Returns the
    /// sources that need one more thread, each as often as it does.
    pub fn supervise(&mut self, options: &Options, pieces: usize, now: Instant) -> Vec<usize> {
        let quiet = self.claims.iter().map(|(id, claim)| (*id, claim.peer, claim.pulse.quiet(now)));
        let stalled: Vec<_> = quiet.filter(|(.., (time, _))| *time > options.stall).collect();
        for (id, peer, (_, bytes)) in stalled {
            self.failed(id, Why::Silent { after: options.stall, bytes }, None, options.pause);
            // Its thread is still waiting: another takes its place.
            self.waiting_threads.push(peer);
        }
        let starving = matches!(self.slots.get(self.front), Some(Slot::Missing | Slot::Busy));
        let patience = TIER_PATIENCE.min(options.stall);
        let silent = starving && now.saturating_duration_since(self.progress_at) > patience;
        let tiers = self.tiers;
        let given_up = self.peers.iter().filter(|peer| peer.tier < tiers).all(Peer::in_trouble);
        if given_up || silent {
            let joining = |peer: &&usize| self.peers.get(**peer).is_some_and(|peer| peer.tier == tiers);
            let numbers: Vec<usize> = (0..self.peers.len()).collect();
            for peer in numbers.iter().filter(joining).copied().collect::<Vec<_>>() {
                let local = self.peers.get(peer).is_some_and(|peer| peer.source.target.is_local());
                let connections = options.connections.max(1);
                let count = if local { connections.min(2) } else { connections }.min(pieces);
                self.waiting_threads.extend(std::iter::repeat_n(peer, count));
            }
            if !self.waiting_threads.is_empty() {
                self.tiers += 1;
                self.progress_at = now;
            }
        }
        std::mem::take(&mut self.waiting_threads)
    }
}

//! What a run knows of one source: how fast it is, how often it failed, and whether it is still asked.

use std::time::{Duration, Instant};

use super::claim::Claim;
use super::speeds::Measured;
use super::{Attempt, Source, Why, retry};
use crate::target;

/// A source slower than the best by this factor is given no work of its own: it would hold up the end more than it helps.
const TOO_SLOW: f64 = 10.0;
/// How much of the speed of one run counts against what is known.
const FRESH_SHARE: f64 = 0.4;
/// What is measured over less than this says nothing.
const MEASURABLE: Duration = Duration::from_millis(20);

/// A source in a run.
#[derive(Debug)]
pub(super) struct Peer {
    /// The source.
    pub source: Source,
    /// Which tier it is in, from 0.
    pub tier: usize,
    /// Whether it is asked no more.
    pub out: bool,
    /// Whether it gave wrong bytes, so that requests go past caches from now on.
    pub fresh: bool,
    /// Whether it knows no ranges, so that one connection reads it from the beginning.
    pub no_ranges: bool,
    /// Good bytes it gave.
    pub given: u64,
    /// Bytes a second over one connection.
    pub speed: Option<f64>,
    /// It is not asked before.
    pub not_before: Instant,
    /// How many connections are at work.
    pub busy: usize,
    /// The shortest time it took to answer.
    pub round_trip: Option<Duration>,
    /// Why it failed several times, if it has not given a good byte since.
    pub trouble: Option<Attempt>,
    tries: u32,
    failed_at: Option<Instant>,
    first_byte: Option<Instant>,
    last_byte: Option<Instant>,
}

/// What is to be done after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same is asked once more, past caches.
    AskAgain,
    /// Its work goes to whoever is free; it is asked again later.
    Later,
    /// It is left out for the rest of the run.
    Out,
}

impl Peer {
    pub fn new(source: Source, tier: usize, speed: Option<f64>, not_before: Instant) -> Self {
        Self {
            source,
            tier,
            out: false,
            fresh: false,
            no_ranges: false,
            given: 0,
            speed,
            not_before,
            busy: 0,
            round_trip: None,
            trouble: None,
            tries: 0,
            failed_at: None,
            first_byte: None,
            last_byte: None,
        }
    }

    /// Whether it has failed lately and has not given a good byte since.
    pub fn in_trouble(&self) -> bool {
        self.out || self.tries >= 2
    }

    /// It answered a request after so long.
    pub fn answered(&mut self, after: Duration) {
        self.round_trip = Some(self.round_trip.map_or(after, |known| known.min(after)));
    }

    /// What was seen of it in a run that began at `began`.
    pub fn seen(&self, began: Instant) -> Measured {
        let (bytes, round_trip, whole) = (self.given, self.round_trip, self.no_ranges);
        Measured { bytes, speed: self.whole_speed(began), round_trip, whole }
    }

    /// A good piece came.
    pub fn good(&mut self, bytes: u64, now: Instant) {
        self.given += bytes;
        self.tries = 0;
        self.trouble = None;
        self.first_byte.get_or_insert(now);
        self.last_byte = Some(now);
    }

    /// One connection got so many bytes in so long.
    pub fn measured(&mut self, bytes: u64, time: Duration) {
        if bytes == 0 || time < MEASURABLE {
            return;
        }
        let found = bytes as f64 / time.as_secs_f64();
        self.speed = Some(self.speed.map_or(found, |known| known * (1.0 - FRESH_SHARE) + found * FRESH_SHARE));
    }

    /// Bytes a second over all its connections since it began; `None` where that was too short to tell.
    pub fn whole_speed(&self, began: Instant) -> Option<f64> {
        let time = self.last_byte?.saturating_duration_since(began);
        (time >= MEASURABLE).then(|| self.given as f64 / time.as_secs_f64())
    }

    /// Others brought what `claim` was for: where nothing came over it, that is worth telling unless it has been told.
    pub fn overtaken(&mut self, claim: &Claim, now: Instant) {
        if claim.is_silent(now) && self.tries == 0 {
            let (after, bytes) = claim.pulse.quiet(now);
            self.trouble = Some(Attempt::of(&self.source, Why::Silent { after, bytes }, None));
        }
    }

    /// Whether it is too slow to be given work while one as fast as `best` has time.
    pub fn is_too_slow(&self, best: f64) -> bool {
        self.speed.is_some_and(|speed| speed * TOO_SLOW < best)
    }

    /// A request that was begun at `asked` failed in a way that may pass.
    pub fn failed(&mut self, asked: Instant, pause: Duration, retry_after: Option<Duration>, random: u64) -> Verdict {
        // What other connections see of the same failure is no further one.
        if self.failed_at.is_some_and(|failed| asked <= failed) {
            return if self.out { Verdict::Out } else { Verdict::Later };
        }
        let now = Instant::now();
        self.failed_at = Some(now);
        self.tries += 1;
        match retry::pause(pause, self.tries, retry_after, random) {
            Some(wait) => {
                self.not_before = self.not_before.max(now + wait);
                Verdict::Later
            }
            None => {
                self.out = true;
                Verdict::Out
            }
        }
    }

    /// It gave wrong bytes to a request that was `fresh` (past caches) or not.
    pub fn lied(&mut self, fresh: bool) -> Verdict {
        self.fresh = true;
        if fresh || self.out {
            self.out = true;
            return Verdict::Out;
        }
        Verdict::AskAgain
    }
}

/// Whether the same request may do better later, and when the other side wants to be asked.
pub(super) fn passes(why: &Why) -> (bool, Option<Duration>) {
    match why {
        Why::Unreadable(error) => {
            let retry_after = match error {
                target::Error::Remote { fault: target::Fault::Busy { retry_after, .. }, .. } => *retry_after,
                _ => None,
            };
            (error.is_passing(), retry_after)
        }
        Why::Broken(_) | Why::Silent { .. } => (true, None),
        _ => (false, None),
    }
}

/// Failures that nobody needs to hear of where the fetch went well in the end are not kept: a reset that a second request
/// made good. One that took time is worth it.
pub(super) fn worth_telling(why: &Why, verdict: Verdict) -> bool {
    verdict == Verdict::Out || why.is_wrong_bytes() || matches!(why, Why::Silent { .. })
}

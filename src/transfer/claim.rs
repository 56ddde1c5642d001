//! Runs that are being fetched, and how an idle connection helps with one. Pure.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::plan::Layout;
use super::pulse::Pulse;

/// A connection that got nothing to speak of for so long may never get anything.
const SILENT: Duration = Duration::from_secs(2);
/// What will be done within this needs no help.
const SOON: f64 = 0.5;

/// What one connection is fetching.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    /// The source it asks.
    pub peer: usize,
    /// The pieces it has still to bring; the first is the one it is reading.
    pub run: Range<usize>,
    /// Whether it asked past caches.
    pub fresh: bool,
    /// When it asked.
    pub asked: Instant,
    /// When bytes came.
    pub pulse: Pulse,
    /// Bytes that came.
    pub bytes: u64,
    /// Bytes of the piece it is reading.
    pub partial: u64,
}

impl Claim {
    pub fn new(peer: usize, run: Range<usize>, fresh: bool, now: Instant) -> Self {
        Self { peer, run, fresh, asked: now, pulse: Pulse::new(now), bytes: 0, partial: 0 }
    }

    /// So many bytes came, of which `held` was spent on this side.
    pub fn came(&mut self, bytes: u64, held: Duration, now: Instant) {
        self.bytes += bytes;
        self.partial += bytes;
        self.pulse.came(bytes, held, now);
    }

    /// Whether nothing to speak of has come for so long that it may never.
    pub fn is_silent(&self, now: Instant) -> bool {
        self.pulse.quiet(now).0 >= SILENT
    }

    /// Bytes still to come, and in how many seconds they will have at the speed so far; for ever where nothing comes.
    fn outlook(&self, layout: &Layout, now: Instant) -> (u64, f64) {
        let left = layout.bytes(&self.run).saturating_sub(self.partial);
        let time = now.saturating_duration_since(self.asked).as_secs_f64();
        match self.is_silent(now) || self.bytes == 0 && time > SILENT.as_secs_f64() {
            true => (left, f64::INFINITY),
            // A request that has only begun is given the time it has had, at least.
            false if self.bytes == 0 => (left, time),
            false => (left, left as f64 * time / self.bytes as f64),
        }
    }
}

/// Pieces that an idle connection to `peer` of that speed should fetch, of the run that will be done last: the later half
/// of it, which the slow connection then leaves alone; or, where one piece is left or nothing comes, the same
/// pieces a second time.
pub(super) fn help(
    claims: &mut BTreeMap<u64, Claim>,
    layout: &Layout,
    peer: usize,
    speed: Option<f64>,
    now: Instant,
) -> Option<Range<usize>> {
    let slowest = claims.iter().filter(|(_, claim)| !claim.run.is_empty()).filter_map(|(id, claim)| {
        let covers = |(other, c): (&u64, &Claim)| other != id && !c.is_silent(now) && c.run.contains(&claim.run.start);
        let doubled = claims.iter().any(covers);
        let (left, seconds) = claim.outlook(layout, now);
        (!doubled || claim.run.len() > 1 && !claim.is_silent(now)).then_some((*id, left, seconds))
    });
    let (id, left, seconds) = slowest.max_by(|a, b| a.2.total_cmp(&b.2))?;
    let claim = claims.get_mut(&id)?;
    if seconds < SOON {
        return None;
    }
    if claim.run.len() > 1 && seconds.is_finite() {
        let cut = claim.run.start + claim.run.len().div_ceil(2);
        let later = cut..claim.run.end;
        claim.run.end = cut;
        return Some(later);
    }
    let faster = match speed {
        Some(speed) => seconds > 2.0 * left as f64 / speed + SOON,
        // Its speed was too high to be measured, or nobody has asked it yet: now is the time.
        None => now.saturating_duration_since(claim.asked) >= SILENT && seconds > SILENT.as_secs_f64(),
    };
    (seconds.is_infinite() || claim.peer != peer && faster).then(|| claim.run.clone())
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::layout;
    use super::*;

    /// A claim of `run` that got `bytes` in ten seconds, the last `silent` seconds ago.
    fn claim(run: Range<usize>, bytes: u64, silent: u64) -> (Claim, Instant) {
        let start = Instant::now();
        let now = start + Duration::from_secs(10);
        let mut claim = Claim::new(0, run, false, start);
        claim.came(bytes.max(1 << 10), Duration::ZERO, now - Duration::from_secs(silent));
        claim.bytes = bytes;
        claim.partial = 0;
        (claim, now)
    }

    fn ask(claims: &mut BTreeMap<u64, Claim>, peer: usize, speed: Option<f64>, now: Instant) -> Option<Range<usize>> {
        help(claims, &layout(&[100; 10]), peer, speed, now)
    }

    #[test]
    fn the_later_half_of_a_slow_run_changes_hands() {
        let (slow, now) = claim(2..7, 100, 0);
        let mut claims = BTreeMap::from([(1, slow)]);
        assert_eq!(ask(&mut claims, 0, None, now), Some(5..7));
        assert_eq!(claims[&1].run, 2..5);
    }

    #[test]
    fn the_last_piece_is_fetched_twice_only_by_somebody_faster_and_only_once() {
        let (slow, now) = claim(2..3, 100, 0);
        let mut claims = BTreeMap::from([(1, slow.clone())]);
        assert_eq!(ask(&mut claims, 1, Some(5.0), now), None, "no faster");
        assert_eq!(ask(&mut claims, 0, Some(1e6), now), None, "the same source");
        assert_eq!(ask(&mut claims.clone(), 1, None, now), Some(2..3), "nobody knows");
        assert_eq!(ask(&mut claims, 1, Some(1e6), now), Some(2..3));
        claims.insert(2, Claim { peer: 1, ..slow });
        assert_eq!(ask(&mut claims, 2, Some(1e6), now), None, "two have it");
    }

    #[test]
    fn what_a_silent_connection_had_is_asked_for_again_whole() {
        let (silent, now) = claim(2..6, 100, 3);
        let mut claims = BTreeMap::from([(1, silent)]);
        assert_eq!(ask(&mut claims, 0, None, now), Some(2..6));
        let again = claims[&1].clone();
        claims.insert(2, again);
        assert_eq!(ask(&mut claims, 1, None, now), Some(2..6), "both are silent");
    }

    #[test]
    fn what_is_nearly_done_is_left_alone() {
        let (fast, now) = claim(2..6, 1 << 30, 0);
        assert_eq!(ask(&mut BTreeMap::from([(1, fast)]), 0, Some(1e9), now), None);
    }
}

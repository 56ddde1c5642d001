//! Whether anything to speak of comes over a connection. Pure.

use std::time::{Duration, Instant};

/// Fewer bytes than this are no sign of life: a source that gives one byte a second would never end.
pub(super) const LEAST: u64 = 1 << 10;

/// What came over one connection lately.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pulse {
    /// When the last bytes came that count.
    last: Instant,
    /// Bytes that came since then.
    since: u64,
}

impl Pulse {
    /// Of a connection over which nothing has come yet.
    pub fn new(now: Instant) -> Self {
        Self { last: now, since: 0 }
    }

    /// So many bytes came, of which `held` was spent on this side: that is no silence.
    pub fn came(&mut self, bytes: u64, held: Duration, now: Instant) {
        self.since += bytes;
        if self.since >= LEAST {
            self.beat(now);
        } else {
            self.last = (self.last + held).min(now);
        }
    }

    /// What was asked for is here, however little it is; or nothing could have come.
    pub fn beat(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// For how long nothing to speak of has come, and how many bytes that was.
    pub fn quiet(&self, now: Instant) -> (Duration, u64) {
        (now.saturating_duration_since(self.last), self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_silence_and_a_wait_on_this_side_is_none() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut pulse = Pulse::new(begun);
        (1..=9).for_each(|second| pulse.came(1, Duration::ZERO, at(second)));
        assert_eq!(pulse.quiet(at(10)), (Duration::from_secs(10), 9));
        pulse.came(LEAST, Duration::ZERO, at(11));
        assert_eq!(pulse.quiet(at(12)), (Duration::from_secs(1), 0));
        pulse.came(1, Duration::from_secs(4), at(16));
        assert_eq!(pulse.quiet(at(16)), (Duration::from_secs(1), 1));
        pulse.came(1, Duration::from_secs(60), at(17));
        assert_eq!(pulse.quiet(at(17)), (Duration::ZERO, 2));
    }
}

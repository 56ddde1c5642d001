//! A bound on the bytes of each second, shared by all connections of a run.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What may come at once after a pause.
const BURST: Duration = Duration::from_millis(100);

/// Lets so many bytes pass in a second.
#[derive(Debug)]
pub(super) struct Throttle {
    bytes_per_second: u64,
    /// When the last byte that was let pass should have come.
    paid: Mutex<Instant>,
}

impl Throttle {
    /// At least one byte a second.
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), paid: Mutex::new(Instant::now()) }
    }

    /// How much should be read at once, so that no connection waits for its turn until it seems silent.
    pub fn part(&self) -> usize {
        usize::try_from(self.bytes_per_second / 64).unwrap_or(usize::MAX).max(1)
    }

    /// Waits until `bytes` more may pass; says for how long.
    pub fn pass(&self, bytes: usize) -> Duration {
        let wait = self.book(bytes, Instant::now());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        wait
    }

    /// How long whoever has read `bytes` at `now` must wait before reading on.
    fn book(&self, bytes: usize, now: Instant) -> Duration {
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        *paid = (*paid).max(earliest) + cost;
        paid.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_pass_keeps_to_the_rate_and_idle_time_is_not_saved_up() {
        let throttle = Throttle::new(1000);
        let start = Instant::now() + Duration::from_secs(60);
        assert!(throttle.book(100, start).is_zero(), "the burst");
        assert_eq!(throttle.book(500, start), Duration::from_millis(500));
        assert_eq!(throttle.book(500, start), Duration::from_secs(1));
        let later = start + Duration::from_secs(3600);
        assert_eq!(throttle.book(1100, later), Duration::from_secs(1));
    }
}

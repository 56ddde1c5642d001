//! How long to wait before a source is asked again, and when not to ask it any more. Pure.

use std::time::Duration;

/// So many failures in a row, without one good byte between them, and a source is given up for the run.
pub(super) const TRIES: u32 = 5;
/// The longest wait that is chosen here.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest wait that a server may ask for; one that asks for more is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// The wait after `tries` failures in a row: `first`, doubled with each, of which a random part of one half is left out so
/// that many hosts do not come back at once; never shorter than what the server asked for. `None` gives up. `random` is
/// any number. Source: "equal jitter", M. Brooker, Exponential Backoff And Jitter, 2015.
pub(super) fn pause(first: Duration, tries: u32, asked: Option<Duration>, random: u64) -> Option<Duration> {
    if tries >= TRIES || asked.is_some_and(|asked| asked > PATIENCE) {
        return None;
    }
    let ceiling = first.saturating_mul(1 << tries.saturating_sub(1)).min(LONGEST);
    let half = ceiling / 2;
    let part = (random >> 32) as f64 / f64::from(u32::MAX);
    Some((half + half.mul_f64(part)).max(asked.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST: Duration = Duration::from_millis(500);

    #[test]
    fn waits_grow_end_and_are_never_shorter_than_asked_for() {
        assert_eq!(pause(FIRST, 1, None, 0), Some(FIRST / 2));
        assert_eq!(pause(FIRST, 1, None, u64::MAX), Some(FIRST));
        assert_eq!(pause(FIRST, 4, None, u64::MAX), Some(FIRST * 8));
        assert_eq!(pause(FIRST, TRIES, None, 0), None);
        assert_eq!(pause(FIRST, 1, Some(Duration::from_secs(7)), 0), Some(Duration::from_secs(7)));
        assert_eq!(pause(FIRST, 1, Some(Duration::from_secs(3600)), 0), None);
    }

    proptest! {
        #[test]
        fn within_bounds(first in 1u64..100_000, tries in 1..TRIES, random: u64) {
            let first = Duration::from_millis(first);
            let wait = pause(first, tries, None, random).expect("not given up");
            prop_assert!(wait <= LONGEST && wait >= (first / 2).min(LONGEST / 2));
        }
    }
}

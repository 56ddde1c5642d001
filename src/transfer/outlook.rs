//! What is known of a fetch before it begins: who would give how much, and how the sources are reached. Both are guesses, from
//! what was seen of the sources at other times.

use super::speeds::Speeds;
use super::{Given, Link, Source};
use crate::store::Reader;

/// What each source would give of `bytes`, by what is known of them: one of this machine all, else those of the first tier
/// in proportion to their speeds at other times. Where nothing goes wrong, no other tier is asked.
pub fn expected(store: &Reader, bytes: u64, tiers: &[Vec<Source>]) -> Vec<Given> {
    let Some(tier) = tiers.iter().find(|tier| !tier.is_empty()) else { return Vec::new() };
    let locals: Vec<_> = tier.iter().filter(|source| source.target.is_local()).collect();
    let asked = if locals.is_empty() { tier.iter().collect() } else { locals };
    let speeds = Speeds::of(store.directory()).read();
    let known: Vec<u64> = asked.iter().filter_map(|source| speeds.get(&source.name).copied()).collect();
    let usual = known.iter().sum::<u64>().checked_div(known.len() as u64).unwrap_or(1).max(1);
    let shares: Vec<u64> = asked.iter().map(|source| speeds.get(&source.name).map_or(usual, |s| (*s).max(1))).collect();
    let all: u128 = shares.iter().map(|share| u128::from(*share)).sum();
    let mut left = bytes;
    let mut given: Vec<_> = asked
        .iter()
        .zip(shares)
        .map(|(source, share)| {
            let part = u64::try_from(u128::from(bytes) * u128::from(share) / all.max(1)).unwrap_or(bytes).min(left);
            left -= part;
            Given { name: source.name.clone(), bytes: part }
        })
        .collect();
    given.sort_by_key(|given| std::cmp::Reverse(given.bytes));
    // What rounding left.
    given.first_mut().into_iter().for_each(|first| first.bytes += left);
    given.retain(|given| given.bytes > 0);
    given
}

/// What is known of the way to the sources of the first tier, as [`expected`] takes them: of one that nobody has asked yet,
/// what is usual. `connections` go to each.
pub fn link(store: &Reader, tiers: &[Vec<Source>], connections: usize) -> Link {
    let Some(tier) = tiers.iter().find(|tier| !tier.is_empty()) else { return Link::USUAL };
    let speeds = Speeds::of(store.directory());
    let locals: Vec<_> = tier.iter().filter(|source| source.target.is_local()).collect();
    let (asked, usual) = match locals.is_empty() {
        true => (tier.iter().collect(), Link { connections: connections.max(1), ..Link::USUAL }),
        false => (locals, Link::DISK),
    };
    let known: Vec<_> = asked.iter().map(|source| speeds.of_source(&source.name)).collect();
    let round_trip = known.iter().filter_map(|known| known.round_trip).map(|time| time.as_secs_f64());
    Link {
        round_trip: round_trip.reduce(f64::min).unwrap_or(usual.round_trip),
        speed: known.iter().map(|known| known.speed.map_or(usual.speed, |speed| speed as f64)).sum(),
        connections: usual.connections * asked.len(),
        ranges: known.iter().any(|known| !known.whole),
    }
}

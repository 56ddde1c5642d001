//! Which way the content of a version comes to this machine: every candidate with what it costs, and the cheapest. Pure:
//! decided from the index and what is known of the links, before the first byte of a package is asked for.
//!
//! ```text
//! whole    every piece                  the package is in the store afterwards, its sha256 checked
//! ranges   needed pieces that are not   neighbours are one request where the bytes between them cost less
//!          on this machine              than a request's share of a round trip
//! delta    the bytes of a delta         where the version it starts from is here
//! ```
//!
//! A candidate takes as long as the slower of the link and the work on this machine, which go on side by side. The link: one round trip to begin, for each request its share of one (connections work
//! side by side), and the bytes.

use serde::Serialize;

use crate::model::Version;

/// Packed bytes a second that are hashed and written to the store.
const KEPT: f64 = 600e6;
/// Bytes a second that are decoded, hashed and written as files, on the cores together.
const UNPACKED: f64 = 500e6;
/// Bytes a second that are read from files of this machine, hashed and written as files.
const COPIED: f64 = 800e6;
/// Bytes a second of the tree that a delta makes, the old ones read and hashed and the new ones written.
const PATCHED: f64 = 1500e6;
/// Another way than the whole package must take no more than this share of its time: the whole has a digest of its own, and
/// other roots and repairs find it in the store.
const WORTH: f64 = 0.9;
/// So many bytes are asked for in one request at most.
const RUN: u64 = 32 << 20;

/// One piece of a package, by its lengths in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// In the archive.
    pub packed: u64,
    /// In the tar stream.
    pub raw: u64,
}

/// What of a package is needed, and what this machine has of it; all lists are by the number of the piece.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The pieces.
    pub spans: &'a [Span],
    /// The package's length in bytes.
    pub size: u64,
    /// Whether something in the piece is needed.
    pub needed: &'a [bool],
    /// Whether the piece can be made from files of this machine.
    pub here: &'a [bool],
    /// Whether an earlier fetch left the piece.
    pub left: &'a [bool],
    /// Deltas to the wanted version.
    pub deltas: &'a [Offer],
    /// How the package is reached.
    pub link: Link,
}

/// A delta from a version that is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The version it starts from.
    pub from: Version,
    /// How many bytes of it are to be fetched.
    pub bytes: u64,
}

/// What is known of the way to a package.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// Seconds from a request to its answer.
    pub round_trip: f64,
    /// Bytes a second, over all connections to all sources that are asked first.
    pub speed: f64,
    /// How many requests are under way at once; at least 1.
    pub connections: usize,
    /// Whether a part of a file can be asked for.
    pub ranges: bool,
}

impl Link {
    /// What is assumed of a source elsewhere of which nothing is known: 20 MB/s, 30 ms.
    pub const USUAL: Link = Link { round_trip: 0.03, speed: 20e6, connections: 4, ranges: true };
    /// What is assumed of a source on this machine: a disk.
    pub const DISK: Link = Link { round_trip: 0.0005, speed: 500e6, connections: 2, ranges: true };

    /// Seconds that one more request costs.
    fn request(&self) -> f64 {
        self.round_trip.max(0.0) / self.connections.max(1) as f64
    }

    fn seconds(&self, requests: u64, bytes: u64) -> f64 {
        if requests == 0 {
            return 0.0;
        }
        self.round_trip.max(0.0) + requests as f64 * self.request() + bytes as f64 / self.speed.max(1.0)
    }
}

/// A way to the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "way")]
pub enum Means {
    /// Nothing is fetched: all of it is on this machine.
    Here,
    /// The whole package.
    Whole,
    /// The pieces that are missing.
    Ranges,
    /// A delta.
    Delta {
        /// The version it starts from.
        from: Version,
    },
}

/// A way and what it costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// The way.
    #[serde(flatten)]
    pub means: Means,
    /// Bytes to fetch, the index not among them.
    pub bytes: u64,
    /// Requests for them.
    pub requests: u64,
    /// Round trips that are waited for one after the other.
    pub round_trips: u64,
    /// Bytes read from files of this machine.
    pub local_bytes: u64,
    /// How long it takes, as far as one can tell.
    pub seconds: f64,
}

/// What it costs to bring a version to a machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Every way there is, the whole package first.
    pub candidates: Vec<Candidate>,
    /// The place of the one that is taken.
    pub chosen: usize,
}

impl Cost {
    /// Nothing has to be fetched.
    pub fn nothing() -> Self {
        let means = Means::Here;
        let candidate = Candidate { means, bytes: 0, requests: 0, round_trips: 0, local_bytes: 0, seconds: 0.0 };
        Self { candidates: vec![candidate], chosen: 0 }
    }

    /// The whole package in one request: nothing is known of its pieces.
    pub fn whole(bytes: u64, link: &Link) -> Self {
        Self { candidates: vec![candidate(Means::Whole, bytes, 1, 0, link, bytes as f64 / KEPT)], chosen: 0 }
    }

    /// The one that is taken.
    pub fn taken(&self) -> Option<&Candidate> {
        self.candidates.get(self.chosen)
    }

    /// The bytes that are fetched.
    pub fn bytes(&self) -> u64 {
        self.taken().map_or(0, |candidate| candidate.bytes)
    }
}

/// What is taken, and which pieces that means.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The candidates and the one that is taken.
    pub cost: Cost,
    /// The pieces of the ranges that are fetched, or are there from an earlier fetch.
    pub fetched: Vec<bool>,
    /// The pieces of the ranges that are made from files of this machine.
    pub made: Vec<bool>,
}

/// Weighs every way. The cheapest is taken, and the whole package where no other is worth it.
pub fn choose(question: &Question<'_>) -> Choice {
    let says = |list: &[bool], number: usize| list.get(number).copied().unwrap_or(false);
    let numbers = || 0..question.spans.len();
    let needed = |number: &usize| says(question.needed, *number);
    let link = &question.link;
    let sum = |length: &dyn Fn(&Span) -> u64, of: &dyn Fn(usize) -> bool| -> u64 {
        question.spans.iter().enumerate().filter(|(number, _)| of(*number)).map(|(_, span)| length(span)).sum()
    };
    if !numbers().any(|number| needed(&number)) {
        let none = vec![false; question.spans.len()];
        return Choice { cost: Cost::nothing(), fetched: none.clone(), made: none };
    }
    let raw_needed = sum(&|span| span.raw, &|number| needed(&number)) as f64;
    let left = sum(&|span| span.packed, &|number| says(question.left, number));
    let bytes = question.size.saturating_sub(left);
    let work = bytes as f64 / KEPT + raw_needed / UNPACKED;
    let mut candidates = vec![candidate(Means::Whole, bytes, bytes.div_ceil(RUN), 0, link, work)];

    let mut made: Vec<bool> =
        numbers().map(|n| needed(&n) && says(question.here, n) && !says(question.left, n)).collect();
    let mut fetched: Vec<bool> = numbers().map(|n| needed(&n) && !says(&made, n)).collect();
    let asked = |fetched: &[bool], number: usize| says(fetched, number) && !says(question.left, number);
    merge(question, &mut fetched, &mut made);
    let runs =
        numbers().filter(|n| asked(&fetched, *n) && !n.checked_sub(1).is_some_and(|before| asked(&fetched, before)));
    let runs = runs.count() as u64;
    let last = numbers().rfind(|number| asked(&fetched, *number));
    let bytes = match link.ranges {
        true => sum(&|span| span.packed, &|number| asked(&fetched, number)),
        // The whole stream is read, up to the last piece that is needed.
        false => sum(&|span| span.packed, &|number| last.is_some_and(|last| number <= last)),
    };
    let requests = if link.ranges { runs.max(bytes.div_ceil(RUN)) } else { runs.min(1) };
    let local = sum(&|span| span.raw, &|number| says(&made, number));
    let unpacked = sum(&|span| span.raw, &|number| needed(&number) && says(&fetched, number)) as f64;
    let work = bytes as f64 / KEPT + unpacked / UNPACKED + local as f64 / COPIED;
    if fetched.contains(&false) {
        candidates.push(candidate(Means::Ranges, bytes, requests, local, link, work));
    }

    for offer in question.deltas {
        let means = Means::Delta { from: offer.from.clone() };
        let requests = offer.bytes.div_ceil(RUN);
        let work = offer.bytes as f64 / KEPT + raw_needed / PATCHED;
        candidates.push(candidate(means, offer.bytes, requests, raw_needed as u64, link, work));
    }
    let enough = candidates.first().map_or(0.0, |whole| whole.seconds * WORTH);
    let worth = candidates.iter().enumerate().skip(1).filter(|(_, candidate)| candidate.seconds < enough);
    let best = worth.min_by(|(_, a), (_, b)| a.seconds.total_cmp(&b.seconds));
    let chosen = best.map_or(0, |(number, _)| number);
    Choice { cost: Cost { candidates, chosen }, fetched, made }
}

fn candidate(means: Means, bytes: u64, requests: u64, local: u64, link: &Link, work: f64) -> Candidate {
    let round_trips = if requests == 0 { 0 } else { 1 + requests.div_ceil(link.connections.max(1) as u64) };
    Candidate {
        means,
        bytes,
        requests,
        round_trips,
        local_bytes: local,
        seconds: link.seconds(requests, bytes).max(work),
    }
}

/// Fetches what lies between two stretches, too, where that costs less than one more request.
fn merge(question: &Question<'_>, fetched: &mut [bool], made: &mut [bool]) {
    let says = |list: &[bool], number: usize| list.get(number).copied().unwrap_or(false);
    let worth = question.link.request() * question.link.speed.max(1.0);
    let mut before: Option<usize> = None;
    let mut gap = 0;
    for (number, span) in question.spans.iter().enumerate() {
        if says(question.left, number) {
            // What is there is not asked for: a request ends before it.
            before = None;
        } else if says(fetched, number) {
            if let Some(before) = before.filter(|before| number - before > 1 && (gap as f64) < worth) {
                for between in before + 1..number {
                    fetched.get_mut(between).into_iter().for_each(|piece| *piece = true);
                    made.get_mut(between).into_iter().for_each(|piece| *piece = false);
                }
            }
            (before, gap) = (Some(number), 0);
        } else {
            gap += span.packed;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SLOW: Link = Link { round_trip: 0.03, speed: 20e6, connections: 4, ranges: true };

    fn spans(packed: &[u64]) -> Vec<Span> {
        packed.iter().map(|packed| Span { packed: *packed, raw: packed * 3 }).collect()
    }

    fn ask<'a>(spans: &'a [Span], needed: &'a [bool], here: &'a [bool], link: Link) -> Question<'a> {
        let size = spans.iter().map(|span| span.packed).sum::<u64>() + 20;
        Question { spans, size, needed, here, left: &[], deltas: &[], link }
    }

    fn taken(choice: &Choice) -> &Means {
        &choice.cost.taken().expect("one is taken").means
    }

    #[test]
    fn what_is_missing_comes_by_range_and_what_is_here_is_made() {
        let spans = spans(&[1 << 20; 6]);
        let needed = [true, false, false, false, true, true];
        let choice = choose(&ask(&spans, &needed, &[false, false, false, false, true, false], SLOW));
        assert_eq!(*taken(&choice), Means::Ranges);
        assert_eq!(choice.fetched, [true, false, false, false, false, true]);
        assert_eq!(choice.made, [false, false, false, false, true, false]);
        let ranges = &choice.cost.candidates[1];
        assert_eq!((ranges.bytes, ranges.requests, ranges.local_bytes), (2 << 20, 2, 3 << 20));
    }

    #[test]
    fn a_gap_is_fetched_where_it_costs_less_than_a_request() {
        // A request costs 7.5 ms, in which 150 000 bytes come.
        let spans = spans(&[1 << 20, 149_000, 1 << 20, 151_000, 1 << 20]);
        let needed = [true, false, true, false, true];
        let choice = choose(&ask(&spans, &needed, &[], SLOW));
        assert_eq!(choice.fetched, [true, true, true, false, true]);
        let alone = choose(&ask(&spans, &needed, &[], Link { connections: 1, ..SLOW }));
        assert_eq!(alone.fetched, [true; 5]);
    }

    #[test]
    fn where_all_is_needed_or_no_part_can_be_asked_for_it_is_the_whole() {
        let spans = spans(&[1 << 20; 6]);
        let all = choose(&ask(&spans, &[true; 6], &[], SLOW)).cost;
        assert_eq!(all.candidates.iter().map(|candidate| &candidate.means).collect::<Vec<_>>(), [&Means::Whole]);
        let mut needed = [false; 6];
        needed[5] = true;
        let link = Link { ranges: false, ..SLOW };
        let choice = choose(&ask(&spans, &needed, &[], link));
        assert_eq!(choice.cost.candidates[1].bytes, 6 << 20);
        assert_eq!(*taken(&choose(&ask(&spans, &[false; 6], &[], SLOW))), Means::Here);
    }

    #[test]
    fn a_delta_is_taken_where_its_base_is_here() {
        let spans = spans(&[8 << 20; 6]);
        let from: Version = "1.0.0".parse().expect("a version");
        let offer = [Offer { from: from.clone(), bytes: 1 << 20 }];
        let question = ask(&spans, &[true; 6], &[], SLOW);
        let with = |deltas: &[Offer]| taken(&choose(&Question { deltas, ..question })).clone();
        assert_eq!(with(&offer), Means::Delta { from: from.clone() });
        assert_eq!(with(&[]), Means::Whole);
    }

    #[test]
    fn what_an_earlier_fetch_left_counts_for_both() {
        let spans = spans(&[1 << 20; 4]);
        let question = Question { left: &[true, true, false, false], ..ask(&spans, &[true; 4], &[], SLOW) };
        let question = Question { needed: &[true, true, true, false], ..question };
        let bytes: Vec<_> = choose(&question).cost.candidates.iter().map(|candidate| candidate.bytes).collect();
        assert_eq!(bytes, [(2 << 20) + 20, 1 << 20]);
    }

    proptest! {
        #[test]
        fn every_choice_holds_what_is_promised(
            pieces in prop::collection::vec((1u64..8 << 20, any::<bool>(), any::<bool>(), any::<bool>()), 1..40),
            round_trip in 0.0f64..0.3,
            speed in 1e4f64..1e9,
            connections in 1usize..9,
            ranges in any::<bool>(),
        ) {
            let spans: Vec<Span> = pieces.iter().map(|piece| Span { packed: piece.0, raw: piece.0 * 2 }).collect();
            let needed: Vec<bool> = pieces.iter().map(|piece| piece.1).collect();
            let here: Vec<bool> = pieces.iter().map(|piece| piece.2).collect();
            let left: Vec<bool> = pieces.iter().map(|piece| piece.3).collect();
            let link = Link { round_trip, speed, connections, ranges };
            let question = Question { left: &left, ..ask(&spans, &needed, &here, link) };
            let choice = choose(&question);
            let Choice { cost, fetched, made } = &choice;
            prop_assert_eq!(&choice, &choose(&question));
            // The cheapest is taken, or the whole where it takes hardly longer.
            let cheapest = cost.candidates.iter().map(|candidate| candidate.seconds).fold(f64::INFINITY, f64::min);
            let took = cost.taken().map_or(0.0, |candidate| candidate.seconds);
            prop_assert!(took <= cheapest / WORTH && (cost.chosen == 0 || took == cheapest));
            if *taken(&choice) == Means::Here {
                prop_assert!(!needed.contains(&true));
                return Ok(());
            }
            for number in 0..spans.len() {
                // All that is needed comes, one way and no other; what is made can be.
                prop_assert!(!needed[number] || fetched[number] != made[number]);
                prop_assert!(!made[number] || here[number] && needed[number]);
            }
            let whole = &cost.candidates[0];
            let some = cost.candidates.get(1).unwrap_or(whole);
            if ranges && some != whole {
                // Never more than the whole; more than is needed only by gaps that cost less than a request each.
                prop_assert!(some.bytes <= whole.bytes);
                let least: u64 = (0..spans.len())
                    .filter(|n| needed[*n] && !here[*n] && !left[*n]).map(|n| spans[n].packed).sum();
                prop_assert!(some.bytes >= least);
                let gaps = (some.bytes - least) as f64;
                prop_assert!(gaps <= spans.len() as f64 * round_trip / connections as f64 * speed + 1.0);
            }
            // A faster link or a shorter way is never slower, but for the work that fetched gaps make here: at most that of
            // the whole package.
            let raw: u64 = (0..spans.len()).filter(|n| needed[*n]).map(|n| spans[n].raw).sum();
            let work = question.size as f64 / KEPT + raw as f64 / UNPACKED;
            let seconds = |question: &Question<'_>| choose(question).cost.taken().map_or(0.0, |taken| taken.seconds);
            let faster = Question { link: Link { speed: speed * 1.5, ..link }, ..question };
            let nearer = Question { link: Link { round_trip: round_trip / 2.0, ..link }, ..question };
            prop_assert!(seconds(&faster) <= seconds(&question).max(work) / WORTH);
            prop_assert!(seconds(&nearer) <= seconds(&question).max(work) / WORTH);
        }
    }
}

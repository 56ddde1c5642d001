//! What is still to be fetched, as runs of neighbouring pieces, and how much of it to ask for at once. Pure.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use crate::model::{Blake3, Index, Sha256};

/// The first request to a source whose speed nobody knows: the probe.
const PROBE: u64 = 2 << 20;
/// The fewest bytes of one run: with less, connections that share a link wait for answers instead of using it. Who gets too much
/// of a slow one is [helped](super::claim::help).
const LEAST: u64 = 1 << 20;
/// The most bytes of one run.
const LONGEST: u64 = 32 << 20;
/// A run should take about so long.
const SPAN: Duration = Duration::from_secs(2);

/// The digest a piece is checked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Of an index's piece.
    Blake3(Blake3),
    /// Of a file that is one piece.
    Sha256(Sha256),
}

/// One piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it begins.
    pub offset: u64,
    /// Its length in bytes; never 0.
    pub length: u64,
    /// What it must hash to.
    pub check: Check,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a piece comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is fetched, unless an earlier run left it.
    Source,
    /// It is made from what lies on this machine; fetched where that is not what it was.
    Here,
    /// Nobody needs it.
    Nowhere,
}

impl Part {
    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// Whether these are its bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        match self.check {
            Check::Blake3(digest) => Blake3::of(bytes) == digest,
            Check::Sha256(digest) => Sha256::of(bytes) == digest,
        }
    }
}

/// A file as it is fetched: known bytes, pieces, known bytes, without a gap.
#[derive(Debug)]
pub(super) struct Layout {
    /// Its length in bytes.
    pub size: u64,
    /// What stands before the first piece.
    pub head: Vec<u8>,
    /// The pieces, in order.
    pub parts: Vec<Part>,
    /// What stands behind the last piece.
    pub tail: Vec<u8>,
}

impl Layout {
    /// A package by its index, whose pieces come from where `origin` says, by their number.
    pub fn selected(index: &Index, origin: impl Fn(usize) -> Origin) -> Self {
        let part = |(number, piece): (usize, &crate::model::Piece)| Part {
            offset: piece.offset,
            length: piece.length,
            check: Check::Blake3(piece.packed),
            origin: origin(number),
        };
        Self {
            size: index.size,
            head: index.head.clone(),
            parts: index.pieces.iter().enumerate().map(part).collect(),
            tail: index.tail.clone(),
        }
    }

    /// A file that is one piece; of an empty one there is nothing to fetch.
    pub fn single(sha256: Sha256, size: u64) -> Self {
        let part = Part { offset: 0, length: size, check: Check::Sha256(sha256), origin: Origin::Source };
        let parts = if size == 0 { Vec::new() } else { vec![part] };
        Self { size, head: Vec::new(), parts, tail: Vec::new() }
    }

    /// Of a file of `size` bytes the first, and no others.
    pub fn front(sha256: Sha256, length: u64, size: u64) -> Self {
        let check = Check::Sha256(sha256);
        let front = Part { offset: 0, length, check, origin: Origin::Source };
        // Nobody asks whether these are right.
        let rest = Part { offset: length, length: size.saturating_sub(length), check, origin: Origin::Nowhere };
        Self { size, head: Vec::new(), parts: vec![front, rest], tail: Vec::new() }
    }

    /// A file of `size` bytes that begins with `front`, and the pieces behind it.
    pub fn behind(front: Vec<u8>, pieces: &[(u64, Blake3)], size: u64) -> Self {
        let mut offset = front.len() as u64;
        let part = |(length, digest): &(u64, Blake3)| {
            let part = Part { offset, length: *length, check: Check::Blake3(*digest), origin: Origin::Source };
            offset = part.end();
            part
        };
        Self { size, parts: pieces.iter().map(part).collect(), head: front, tail: Vec::new() }
    }

    /// Whether the file is one piece, whose length is known only after it has come.
    pub fn is_single(&self) -> bool {
        matches!(self.parts.as_slice(), [Part { check: Check::Sha256(_), .. }])
    }

    /// Whether every piece is to come from a source, so that the whole has a digest.
    pub fn is_all(&self) -> bool {
        self.parts.iter().all(|part| part.origin == Origin::Source)
    }

    /// The bytes that are to be fetched.
    pub fn to_fetch(&self) -> u64 {
        self.parts.iter().filter(|part| part.origin == Origin::Source).map(|part| part.length).sum()
    }

    /// How many pieces somebody needs.
    pub fn needed(&self) -> usize {
        self.parts.iter().filter(|part| part.origin != Origin::Nowhere).count()
    }

    /// The bytes of neighbouring pieces.
    pub fn bytes(&self, run: &Range<usize>) -> u64 {
        match (self.parts.get(run.start), run.end.checked_sub(1).and_then(|last| self.parts.get(last))) {
            (Some(first), Some(last)) if !run.is_empty() => last.end() - first.offset,
            _ => 0,
        }
    }
}

/// The pieces that nobody has and nobody is fetching.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Start and end of each stretch; no two touch.
    stretches: BTreeMap<usize, usize>,
}

impl Work {
    /// Bytes left to hand out.
    pub fn bytes(&self, layout: &Layout) -> u64 {
        self.stretches.iter().map(|(start, end)| layout.bytes(&(*start..*end))).sum()
    }

    /// Whether nobody is fetching this missing piece.
    pub fn has(&self, number: usize) -> bool {
        self.stretches.range(..=number).next_back().is_some_and(|(_, end)| *end > number)
    }

    /// Adds what has to be fetched (again).
    pub fn add(&mut self, run: Range<usize>) {
        if run.is_empty() {
            return;
        }
        let (mut start, mut end) = (run.start, run.end);
        let touching: Vec<_> =
            self.stretches.range(..=end).filter(|(_, e)| **e >= start).map(|(s, e)| (*s, *e)).collect();
        for (s, e) in touching {
            self.stretches.remove(&s);
            (start, end) = (start.min(s), end.max(e));
        }
        self.stretches.insert(start, end);
    }

    /// Hands out the first pieces: at least one, up to `bytes`, none that ends behind `limit` in the file.
    pub fn take(&mut self, layout: &Layout, bytes: u64, limit: u64) -> Option<Range<usize>> {
        let (&start, &end) = self.stretches.first_key_value()?;
        let fits = |number: &usize| layout.parts.get(*number).is_some_and(|part| part.end() <= limit);
        let mut until = Some(start).filter(fits)? + 1;
        while until < end && layout.bytes(&(start..until + 1)) <= bytes && fits(&until) {
            until += 1;
        }
        self.stretches.remove(&start);
        if until < end {
            self.stretches.insert(until, end);
        }
        Some(start..until)
    }

    /// Takes back one piece that came another way.
    pub fn remove(&mut self, number: usize) {
        let Some((&start, &end)) = self.stretches.range(..=number).next_back().filter(|(_, end)| **end > number) else {
            return;
        };
        self.stretches.remove(&start);
        self.add(start..number);
        self.add(number + 1..end);
    }
}

/// How many bytes a connection should ask for that has `speed` (bytes a second, if known), when `left` bytes are to be
/// shared by so many connections: about two seconds' worth, less near the end so that all end together, but never so little
/// that the link stands idle.
pub(super) fn run_bytes(speed: Option<f64>, left: u64, connections: usize) -> u64 {
    let steady = speed.map_or(PROBE, |speed| (speed * SPAN.as_secs_f64()) as u64);
    let share = left / (2 * connections.max(1) as u64);
    steady.clamp(PROBE, LONGEST).min(share.max(LEAST))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A file of pieces of these lengths, with a head of 3 bytes and a tail of 2.
    pub fn layout(lengths: &[u64]) -> Layout {
        let mut at = 3;
        let mut parts = Vec::new();
        for length in lengths {
            let check = Check::Blake3(Blake3::of(&at.to_string().into_bytes()));
            parts.push(Part { offset: at, length: *length, check, origin: Origin::Source });
            at += length;
        }
        Layout { size: at + 2, head: vec![0; 3], parts, tail: vec![0; 2] }
    }

    #[test]
    fn runs_are_as_long_as_two_seconds_and_shorter_near_the_end() {
        assert_eq!(run_bytes(None, 1 << 40, 4), PROBE);
        assert_eq!(run_bytes(Some(8e6), 1 << 40, 4), 16_000_000);
        assert_eq!(run_bytes(Some(1e12), 1 << 40, 4), LONGEST);
        assert_eq!(run_bytes(Some(8e6), 16_000_000, 4), 2_000_000);
        assert_eq!(run_bytes(Some(1.0), 0, 0), LEAST);
    }

    #[test]
    fn the_limit_holds_back_what_lies_behind_it() {
        let layout = layout(&[10; 4]);
        let mut work = Work::default();
        work.add(0..4);
        assert_eq!(work.take(&layout, 100, 25), Some(0..2));
        assert_eq!(work.take(&layout, 100, 25), None);
        assert_eq!(work.take(&layout, 1, 100), Some(2..3));
        assert_eq!(work.bytes(&layout), 10);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Add(usize, usize),
        Take(u64),
        Remove(usize),
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_pieces(
            steps in prop::collection::vec(prop_oneof![
                (0usize..20, 0usize..5).prop_map(|(a, n)| Step::Add(a, n)),
                (1u64..40).prop_map(Step::Take),
                (0usize..20).prop_map(Step::Remove),
            ], 0..40),
        ) {
            let layout = layout(&[7; 20]);
            let (mut work, mut set) = (Work::default(), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Add(start, count) => {
                        let run = start..(start + count).min(20);
                        set.extend(run.clone());
                        work.add(run);
                    }
                    Step::Take(bytes) => {
                        let taken = work.take(&layout, bytes, u64::MAX);
                        prop_assert_eq!(taken.as_ref().map(|run| run.start), set.first().copied());
                        for number in taken.into_iter().flatten() {
                            prop_assert!(set.remove(&number));
                        }
                    }
                    Step::Remove(number) => {
                        set.remove(&number);
                        work.remove(number);
                    }
                }
                prop_assert_eq!(work.bytes(&layout), 7 * set.len() as u64);
            }
        }
    }
}

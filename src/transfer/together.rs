//! One package, several uploads: its bytes are read from the disk once and handed to all of them.
//!
//! Each upload reads through a [`Member`]. A part that one of them asks for is read, kept, and dropped when all have
//! gone past it: the slowest sets the pace, and no more than [`WINDOW`] parts are in memory. Who ends leaves the group. Who
//! asks for nothing while others have waited `patience` for it is waited for no longer; from then on it reads for itself,
//! and so does whoever goes back to what was dropped (a second attempt).
//!
//! Nobody waits for ever: the slowest member never waits for another one, and whoever waits for it waits `patience` at most
//! without it getting on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::fsx;
use crate::target::Content;

/// The bytes of a part.
const PART: u64 = 4 << 20;

/// How many parts an upload may go back behind the furthest one it asked for: it may send several at once, in any order.
const SLACK: u64 = 8;

/// How many parts are in memory at most.
const WINDOW: u64 = 2 * SLACK;

/// How long a member that does not get on is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Uploads that read one content together.
pub(super) struct Group<'a> {
    content: &'a dyn Content,
    size: u64,
    part: u64,
    patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The furthest part each member asked for; `None` for who has left or is no longer waited for.
    reached: Vec<Option<u64>>,
    parts: BTreeMap<u64, Part>,
}

enum Part {
    Coming,
    Here(Arc<Vec<u8>>),
}

impl State {
    fn slowest(&self) -> Option<u64> {
        self.reached.iter().flatten().min().copied()
    }

    /// The first part that is kept.
    fn floor(&self) -> u64 {
        self.slowest().map_or(u64::MAX, |slowest| slowest.saturating_sub(SLACK))
    }

    fn is_alone(&self) -> bool {
        self.reached.iter().flatten().count() == 1
    }

    fn drop_passed(&mut self) {
        self.parts = self.parts.split_off(&self.floor());
    }

    fn leave_behind(&mut self, slowest: Option<u64>) {
        self.reached.iter_mut().filter(|reached| **reached == slowest).for_each(|reached| *reached = None);
        self.drop_passed();
    }
}

impl<'a> Group<'a> {
    /// A group without members for `content`, which has `size` bytes.
    pub fn new(content: &'a dyn Content, size: u64) -> Self {
        Self { content, size, part: PART, patience: PATIENCE, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Another member. All should join before the first one reads.
    pub fn join(&self) -> Member<'_> {
        let mut state = self.lock();
        state.reached.push(Some(0));
        Member { group: self, id: state.reached.len() - 1 }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of a part; `None` where the member has to read for itself.
    fn part(&self, id: usize, number: u64) -> fsx::Result<Option<Arc<Vec<u8>>>> {
        let mut state = self.lock();
        match &mut state.reached[id] {
            Some(reached) => *reached = number.max(*reached),
            None => return Ok(None),
        }
        state.drop_passed();
        self.changed.notify_all();
        let (mut slowest, mut since) = (state.slowest(), Instant::now());
        loop {
            match state.parts.get(&number) {
                Some(Part::Here(bytes)) => return Ok(Some(bytes.clone())),
                Some(Part::Coming) => {}
                None if state.reached[id].is_none() || state.is_alone() || number < state.floor() => return Ok(None),
                None if number - state.floor() < WINDOW => break,
                None => {}
            }
            if state.slowest() != slowest {
                (slowest, since) = (state.slowest(), Instant::now());
            }
            let left = self.patience.saturating_sub(since.elapsed());
            if left.is_zero() && !state.parts.contains_key(&number) {
                state.leave_behind(slowest);
                self.changed.notify_all();
                continue;
            }
            // A part that is coming is read by a member that waits for nobody.
            let left = if left.is_zero() { self.patience.max(Duration::from_millis(10)) } else { left };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.parts.insert(number, Part::Coming);
        drop(state);
        let read = self.read(number);
        let mut state = self.lock();
        match &read {
            Ok(bytes) => state.parts.insert(number, Part::Here(bytes.clone())),
            Err(_) => state.parts.remove(&number),
        };
        state.drop_passed();
        self.changed.notify_all();
        read.map(Some)
    }

    fn read(&self, number: u64) -> fsx::Result<Arc<Vec<u8>>> {
        let start = number * self.part;
        let length = self.part.min(self.size.saturating_sub(start));
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.content.read_at(start, &mut bytes)?;
        Ok(Arc::new(bytes))
    }
}

/// One upload's reader. Dropping it leaves the group.
pub(super) struct Member<'g> {
    group: &'g Group<'g>,
    id: usize,
}

impl Content for Member<'_> {
    fn read_at(&self, mut offset: u64, mut out: &mut [u8]) -> fsx::Result<()> {
        let group = self.group;
        while !out.is_empty() {
            let (number, within) = (offset / group.part, usize::try_from(offset % group.part).unwrap_or_default());
            let length = out.len().min(usize::try_from(group.part).unwrap_or(usize::MAX) - within);
            let (now, later) = out.split_at_mut(length);
            match group.part(self.id, number)?.as_deref().and_then(|bytes| bytes.get(within..within + length)) {
                Some(bytes) => now.copy_from_slice(bytes),
                None => group.content.read_at(offset, now)?,
            }
            offset += length as u64;
            out = later;
        }
        Ok(())
    }

    fn path(&self) -> &Path {
        self.group.content.path()
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        let mut state = self.group.lock();
        state.reached[self.id] = None;
        state.drop_passed();
        self.group.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::prelude::*;

    use super::*;

    /// Bytes made up by their offset, which counts how many were asked for.
    #[derive(Default)]
    struct Counting {
        read: AtomicU64,
    }

    fn byte(at: u64) -> u8 {
        (at.wrapping_mul(0x9e37_79b9) >> 7) as u8
    }

    impl Content for Counting {
        fn read_at(&self, offset: u64, out: &mut [u8]) -> fsx::Result<()> {
            self.read.fetch_add(out.len() as u64, Ordering::Relaxed);
            out.iter_mut().zip(offset..).for_each(|(out, at)| *out = byte(at));
            Ok(())
        }

        fn path(&self) -> &Path {
            Path::new("made-up")
        }
    }

    fn group(content: &Counting, size: u64, patience: Duration) -> Group<'_> {
        Group { part: 16, patience, ..Group::new(content, size) }
    }

    fn read_all(member: &Member<'_>, size: u64, step: u64) {
        for start in (0..size).step_by(usize::try_from(step).expect("small")) {
            let mut out = vec![0; usize::try_from(step.min(size - start)).expect("small")];
            member.read_at(start, &mut out).expect("read");
            assert!(out.iter().zip(start..).all(|(out, at)| *out == byte(at)));
        }
    }

    const FOREVER: Duration = Duration::from_secs(3600);

    #[test]
    fn the_bytes_are_read_once_and_few_are_held() {
        let content = Counting::default();
        let size = 16 * 200 + 7;
        let group = group(&content, size, FOREVER);
        let members: Vec<_> = (0..4).map(|_| group.join()).collect();
        std::thread::scope(|scope| {
            for (member, step) in members.into_iter().zip([1, 5, 16, 40]) {
                let group = &group;
                scope.spawn(move || {
                    read_all(&member, size, step);
                    assert!(group.lock().parts.len() as u64 <= WINDOW);
                });
            }
        });
        assert_eq!(content.read.load(Ordering::Relaxed), size);
        assert!(group.lock().parts.is_empty());
    }

    #[test]
    fn who_ends_early_is_not_waited_for() {
        let content = Counting::default();
        let size = 16 * 100;
        let group = group(&content, size, FOREVER);
        let (first, second, third) = (group.join(), group.join(), group.join());
        std::thread::scope(|scope| {
            scope.spawn(|| drop(first));
            scope.spawn(move || {
                read_all(&second, 16 * 3, 16);
                drop(second);
            });
            scope.spawn(move || read_all(&third, size, 16));
        });
        assert_eq!(content.read.load(Ordering::Relaxed), size);
    }

    #[test]
    fn who_does_not_get_on_is_left_behind_and_reads_for_itself() {
        let content = Counting::default();
        let size = 16 * 100;
        let group = group(&content, size, Duration::ZERO);
        let (quick, stuck) = (group.join(), group.join());
        read_all(&quick, size, 16);
        read_all(&stuck, size, 16);
        assert_eq!(content.read.load(Ordering::Relaxed), 2 * size);
    }

    #[test]
    fn a_second_attempt_reads_again_without_holding_anybody_up() {
        let content = Counting::default();
        let size = 16 * 100;
        let group = group(&content, size, FOREVER);
        let (steady, again) = (group.join(), group.join());
        std::thread::scope(|scope| {
            scope.spawn(move || read_all(&steady, size, 16));
            scope.spawn(move || {
                read_all(&again, 16 * 60, 16);
                read_all(&again, size, 16);
            });
        });
        assert!(content.read.load(Ordering::Relaxed) <= size + 16 * 60);
    }

    proptest! {
        #[test]
        fn whatever_the_order_the_bytes_are_right(reads in prop::collection::vec((0u8..3, 0u64..1600, 0u64..200), 1..60)) {
            let content = Counting::default();
            let group = group(&content, 1800, Duration::ZERO);
            let members: Vec<_> = (0..3).map(|_| group.join()).collect();
            for (member, start, length) in reads {
                let mut out = vec![0; usize::try_from(length).expect("small")];
                members[usize::from(member)].read_at(start, &mut out).expect("read");
                prop_assert!(out.iter().zip(start..).all(|(out, at)| *out == byte(at)));
            }
        }
    }
}

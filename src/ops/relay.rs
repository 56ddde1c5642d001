//! Joins a fetch that brings pieces in order with an unpacking that takes them: a queue of a few pieces.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::archive::Pieces;
use crate::codec::Buffer;
use crate::transfer::Stopped;

/// The most pieces that wait.
const ROOM: usize = 4;

/// The queue. Whoever ends it, at either side, wakes the other.
#[derive(Default)]
pub(super) struct Relay {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Buffer>,
    spare: Vec<Buffer>,
    /// No more will come.
    ended: bool,
    /// No more will be taken.
    stopped: bool,
}

impl Relay {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room and adds a piece; leaves other memory in its place.
    pub fn push(&self, bytes: &mut Buffer) -> Result<(), Stopped> {
        let mut state = self.lock();
        while state.waiting.len() >= ROOM && !state.stopped {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped {
            return Err(Stopped);
        }
        let spare = state.spare.pop().unwrap_or_default();
        state.waiting.push_back(std::mem::replace(bytes, spare));
        self.changed.notify_all();
        Ok(())
    }

    /// Nothing more is pushed, since all was or since it failed.
    pub fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Nothing more is taken.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}

impl Pieces for Relay {
    fn next(&self, into: &mut Buffer) -> io::Result<()> {
        let mut state = self.lock();
        loop {
            if let Some(piece) = state.waiting.pop_front() {
                state.spare.push(std::mem::replace(into, piece));
                self.changed.notify_all();
                return Ok(());
            }
            if state.ended {
                return Err(io::Error::other("the fetch ended"));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_pass_in_order_and_either_side_can_end_it() {
        let relay = Relay::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut bytes = Buffer::default();
                for n in 0..100u8 {
                    bytes.clear();
                    bytes.push(&[n]);
                    relay.push(&mut bytes).expect("taken");
                }
                relay.end();
            });
            let mut bytes = Buffer::default();
            for n in 0..100u8 {
                relay.next(&mut bytes).expect("given");
                assert_eq!(bytes.filled(), [n]);
            }
            assert!(relay.next(&mut bytes).is_err());
        });
        relay.stop();
        assert_eq!(relay.push(&mut Buffer::default()), Err(Stopped));
    }
}

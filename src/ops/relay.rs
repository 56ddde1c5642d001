//! Joins a fetch that brings pieces in order with an unpacking that takes them: a queue of a few pieces.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::archive::Pieces;
use crate::codec::{Buffer, Form};
use crate::transfer::{self, Stopped};

/// The most pieces that wait.
const ROOM: usize = 4;

/// The queue. Whoever ends it, at either side, wakes the other.
pub(super) struct Relay {
    /// Of each piece, whether it passes.
    passing: Vec<bool>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Form, Buffer)>,
    spare: Vec<Buffer>,
    /// No more will come.
    ended: bool,
    /// No more will be taken.
    stopped: bool,
}

impl Relay {
    /// A queue for what is brought of a package.
    pub fn of(pieces: &transfer::Pieces<'_>) -> Self {
        let passing = (0..pieces.index.pieces.len()).map(|number| pieces.brings(number)).collect();
        Self { passing, state: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room and adds a piece; leaves other memory in its place.
    pub fn push(&self, form: Form, bytes: &mut Buffer) -> Result<(), Stopped> {
        let mut state = self.lock();
        while state.waiting.len() >= ROOM && !state.stopped {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped {
            return Err(Stopped);
        }
        let spare = state.spare.pop().unwrap_or_default();
        state.waiting.push_back((form, std::mem::replace(bytes, spare)));
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
    fn comes(&self, number: usize) -> bool {
        self.passing.get(number).copied().unwrap_or(false)
    }

    fn next(&self, into: &mut Buffer) -> io::Result<Form> {
        let mut state = self.lock();
        loop {
            if let Some((form, piece)) = state.waiting.pop_front() {
                state.spare.push(std::mem::replace(into, piece));
                self.changed.notify_all();
                return Ok(form);
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
        let relay = Relay { passing: vec![true; 100], state: Mutex::default(), changed: Condvar::new() };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut bytes = Buffer::default();
                for n in 0..100u8 {
                    bytes.clear();
                    bytes.push(&[n]);
                    relay.push(Form::Packed, &mut bytes).expect("taken");
                }
                relay.end();
            });
            let mut bytes = Buffer::default();
            for n in 0..100u8 {
                assert_eq!(relay.next(&mut bytes).expect("given"), Form::Packed);
                assert_eq!(bytes.filled(), [n]);
            }
            assert!(relay.next(&mut bytes).is_err());
        });
        relay.stop();
        assert_eq!(relay.push(Form::Raw, &mut Buffer::default()), Err(Stopped));
    }
}

//! The consumer's side of a run: pieces in their order, from memory or read back from the disk.

use std::time::Instant;

use super::FetchError;
use super::shared::{Shared, Spawn};
use super::state::Slot;
use crate::codec::Buffer;

impl Shared {
    /// The next piece in order; waits for it. `told` is told of bytes that were checked, whoever's they are. `false`
    /// behind the last piece.
    pub fn take(&self, into: &mut Buffer, told: &(dyn Fn(u64) + Sync), spawn: Spawn<'_>) -> Result<bool, FetchError> {
        let mut state = self.lock();
        loop {
            if let Some(failure) = state.failure.take() {
                return Err(failure);
            }
            let done = std::mem::take(&mut state.done);
            if done > 0 {
                drop(state);
                told(done);
                state = self.lock();
                continue;
            }
            let (front, hopeless) = (state.front, state.is_hopeless());
            let Some(slot) = state.slots.get_mut(front) else { return Ok(false) };
            match slot {
                Slot::Ready(bytes) => {
                    std::mem::swap(into, bytes);
                    let spare = std::mem::take(bytes);
                    *slot = Slot::Taken;
                    state.spare.push(spare);
                    state.front += 1;
                    self.changed.notify_all();
                    return Ok(true);
                }
                Slot::Stored => {
                    *slot = Slot::Busy;
                    drop(state);
                    let good = self.read_back(front, into)?;
                    state = self.lock();
                    if good {
                        if let Some(slot) = state.slots.get_mut(front) {
                            *slot = Slot::Taken;
                        }
                        state.front += 1;
                        self.changed.notify_all();
                        return Ok(true);
                    }
                    // What the disk gives is not what was written: it is fetched again.
                    state.missing(front);
                    continue;
                }
                Slot::Missing if hopeless => {
                    let attempts = std::mem::take(&mut state.attempts);
                    return Err(FetchError::AllFailed { sha256: self.wanted, attempts });
                }
                Slot::Missing | Slot::Unchecked | Slot::Busy | Slot::Taken => {}
            }
            self.supervise(&mut state, Instant::now(), spawn);
            state = self.nap(state);
        }
    }

    /// Whether the partial file holds a piece; its bytes are in `into` then.
    pub fn read_back(&self, number: usize, into: &mut Buffer) -> Result<bool, FetchError> {
        let (Some(part), Some(partial)) = (self.layout.parts.get(number), &self.partial) else { return Ok(false) };
        let length = usize::try_from(part.length).unwrap_or(usize::MAX);
        into.clear();
        if !partial.read(part.offset, into.room(length))? {
            return Ok(false);
        }
        into.grow(length);
        Ok(part.is(into.filled()))
    }
}

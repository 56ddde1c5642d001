//! The consumer's side of a run: pieces in their order, from memory or read back from the disk.

use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use super::FetchError;
use super::engine::{check_disk, connect};
use super::shared::{Shared, Spawn};
use super::state::{Slot, State};
use crate::codec::{Buffer, Form};

impl Shared {
    /// The next needed piece in order, and its form; waits for it. `told` is told of bytes that were checked, whoever's they
    /// are. `None` behind the last piece.
    pub fn take(self: &Arc<Self>, into: &mut Buffer, told: &(dyn Fn(u64) + Sync)) -> Result<Option<Form>, FetchError> {
        let spawn: Spawn<'_> = &|peer| connect(self, peer);
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
            let Some(slot) = state.slots.get_mut(front) else { return Ok(None) };
            match slot {
                Slot::Ready(form, bytes) => {
                    let form = *form;
                    std::mem::swap(into, bytes);
                    let spare = std::mem::take(bytes);
                    state.spare.push(spare);
                    self.passed(state);
                    return Ok(Some(form));
                }
                Slot::Here => {
                    *slot = Slot::Busy;
                    drop(state);
                    let good = self.made_here(front, into);
                    state = self.lock();
                    if good {
                        self.passed(state);
                        return Ok(Some(Form::Raw));
                    }
                    state.missing(front);
                    let doubtful = state.distrust();
                    drop(state);
                    check_disk(self, doubtful)?;
                    state = self.lock();
                    continue;
                }
                Slot::Stored => {
                    *slot = Slot::Busy;
                    drop(state);
                    let good = self.read_back(front, into)?;
                    state = self.lock();
                    if good {
                        self.passed(state);
                        return Ok(Some(Form::Packed));
                    }
                    // What the disk gives is not what was written: it is fetched again.
                    state.missing(front);
                    continue;
                }
                Slot::Missing if hopeless => {
                    let attempts = std::mem::take(&mut state.attempts);
                    return Err(FetchError::AllFailed { sha256: self.wanted, attempts });
                }
                Slot::Missing | Slot::Unchecked | Slot::Busy | Slot::Taken | Slot::Left => {}
            }
            self.supervise(&mut state, Instant::now(), spawn);
            state = self.nap(state);
        }
    }

    /// The consumer has the first piece.
    fn passed(&self, mut state: MutexGuard<'_, State>) {
        let front = state.front;
        if let Some(slot) = state.slots.get_mut(front) {
            *slot = Slot::Taken;
        }
        state.front += 1;
        state.pass_over();
        self.changed.notify_all();
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

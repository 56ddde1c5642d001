//! How far an operation is, as values: what the caller draws, if anything, is its own business.

use std::io::{self, Read};

use crate::model::ComponentType;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Packing its tree; how much is to come is not known, since packing does not scan first.
    Pack,
    /// Uploading its package, index and manifest, to all targets together.
    Publish,
    /// Fetching its package.
    Fetch,
    /// Unpacking its package.
    Unpack,
    /// Reading its installed files, or all that is in the store.
    Verify,
    /// Removing versions of it: counted in files and directories, since those are what takes the time.
    Remove,
    /// Removing what the store need not hold.
    Collect,
}

/// How far one phase of one component, or of the store, is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The component; `None` of what is done to the store.
    pub component: Option<&'a ComponentType>,
    /// What is being done.
    pub phase: Phase,
    /// Bytes done, or what else the phase is counted in.
    pub done: u64,
    /// The same in all, where it is known.
    pub total: Option<u64>,
}

/// Who is told; called from several threads, often.
pub type OnProgress<'a> = &'a (dyn Fn(Progress<'_>) + Sync);

/// Tells how many bytes each reading gave.
pub(super) struct Counting<'a, R> {
    input: R,
    told: &'a (dyn Fn(u64) + Sync),
}

impl<'a, R> Counting<'a, R> {
    pub fn new(input: R, told: &'a (dyn Fn(u64) + Sync)) -> Self {
        Self { input, told }
    }
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(out)?;
        (self.told)(count as u64);
        Ok(count)
    }
}

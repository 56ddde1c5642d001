//! How far an operation is, as values: what the caller draws, if anything, is its own business.

use crate::model::ComponentType;

/// What is being done to a component.
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
    /// Reading its installed files.
    Verify,
}

/// How far one phase of one component is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The component.
    pub component: &'a ComponentType,
    /// What is being done.
    pub phase: Phase,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all, where they are known.
    pub total: Option<u64>,
}

/// Who is told; called from several threads, often.
pub type OnProgress<'a> = &'a (dyn Fn(Progress<'_>) + Sync);

//! What every room that speaks HTTP shares: the client, the runtime it runs on, and what of the process's environment
//! they look at.
//!
//! Promises: one TLS library with one provider, one runtime for the whole program; a client that follows no redirect by
//! itself, sends no referrer and undoes no compression. Must not know: who is asked, and for what.

mod client;
mod runtime;

pub use client::{Ambient, CONNECT, client};
pub use runtime::{Body, block_on, spawn};

//! From typed errors to sentences: one file per room, each a `match` over its error's variants.

use super::words::Phrase;

mod config;
mod deploy;
mod fsx;
mod records;
mod store;
mod target;
mod transfer;

/// An error that the catalogue has a sentence for.
pub trait Explain {
    /// The sentence, its arguments and the kind of failure.
    fn explain(&self) -> Phrase;
}

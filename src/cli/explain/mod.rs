//! From typed errors to sentences: one file per room, each a `match` over its error's variants.

use super::words::Phrase;

mod archive;
mod check;
mod checks;
mod config;
mod delta;
mod deploy;
mod fsx;
mod index;
mod model;
mod notice;
mod ops;
mod records;
mod remote;
mod request;
mod store;
mod target;
mod transfer;
mod trust;

pub use check::{ToldFinding, told};
pub use checks::{said_no, why};
pub use fsx::system;
pub use model::value;
pub use ops::{moved, no_manifest, unmet};
pub use target::warning;
pub use transfer::sentences;
pub use trust::{missing, reason};

/// An error that the catalogue has a sentence for.
pub trait Explain {
    /// The sentence, its arguments and the kind of failure.
    fn explain(&self) -> Phrase;
}

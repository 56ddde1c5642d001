//! Moving packages between this machine's store and targets.
//!
//! Promises: what a fetch put into the store has the digest that was asked for, whatever its sources gave; a source that
//! gives other bytes is asked once more, named, and left out for the rest of the run, its bytes kept aside; a location
//! of a record is only read where the host's own configuration allows it; an upload says of each target what came of it.
//! Must not know: records and references, roots, what is in a package.

mod choice;
mod claim;
mod connection;
mod consume;
mod engine;
mod error;
mod fetch;
mod front;
mod outlook;
mod peek;
mod peer;
mod plan;
mod pulse;
mod rejected;
mod retry;
mod shared;
mod sources;
mod speeds;
mod state;
#[cfg(test)]
mod tests;
mod throttle;
mod together;
mod upload;
mod whole;

pub use choice::{Candidate, Choice, Cost, Link, Means, Offer, Question, Span, choose};
pub use engine::Sink;
pub use error::{Attempt, FetchError, UploadError, Why};
pub use fetch::{Fetched, Fetcher, Given, Options, Pieces, Source, Stopped, Wanted, require_space};
pub use front::{Came, Front};
pub use outlook::{expected, link};
pub use peek::peek;
pub use shared::Material;
pub use sources::{Anonymous, Refused, Targets, source};
pub use upload::{Uploaded, upload};

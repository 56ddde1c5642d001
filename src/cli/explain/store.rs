//! Sentences for what the store refuses.

use super::Explain;
use crate::cli::words::Phrase;
use crate::store::Error;

impl Explain for Error {
    fn explain(&self) -> Phrase {
        match self {
            Error::Io(e) => e.explain(),
            Error::Locked { path, holder } if holder.is_empty() => Phrase::conflict("store.busy").path("path", path),
            Error::Locked { path, holder } => {
                Phrase::conflict("store.locked").path("path", path).with("holder", holder)
            }
            Error::Newer { path, found, known } => {
                Phrase::usage("store.newer").path("path", path).with("found", found).with("known", known)
            }
            Error::NotAStore { path } => Phrase::usage("store.not-a-store").path("path", path),
            Error::Unexpected { expected, size, found, found_size } => Phrase::refused("store.unexpected")
                .with("expected", expected)
                .with("size", size)
                .with("found", found)
                .with("found-size", found_size),
            Error::Note { path, reason } => Phrase::failed("store.note").path("path", path).with("reason", reason),
        }
    }
}

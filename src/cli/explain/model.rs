//! Sentences for texts that are no value of their kind: no version, no name, no span of time.

use std::error::Error;
use std::num::ParseIntError;

use super::Explain;
use crate::cli::words::Phrase;
use crate::model::{NameError, PathError, ReferenceError, SizeError, SpanError, TimeError, VersionError};

impl Explain for VersionError {
    fn explain(&self) -> Phrase {
        match self {
            VersionError::Empty => Phrase::usage("value.version-empty"),
            VersionError::TooLong(bytes) => Phrase::usage("value.version-long").with("bytes", bytes),
            VersionError::Character(character) => Phrase::usage("value.version-character").with("text", character),
            VersionError::Start(character) => Phrase::usage("value.version-start").with("text", character),
            VersionError::Reserved(word) => Phrase::usage("value.version-reserved").with("text", word),
        }
    }
}

impl Explain for NameError {
    fn explain(&self) -> Phrase {
        match self {
            NameError::Empty => Phrase::usage("value.name-empty"),
            NameError::TooLong(bytes) => Phrase::usage("value.name-long").with("bytes", bytes),
            NameError::Character(character) => Phrase::usage("value.name-character").with("text", character),
            NameError::Start(character) => Phrase::usage("value.name-start").with("text", character),
        }
    }
}

impl Explain for ReferenceError {
    fn explain(&self) -> Phrase {
        match self {
            ReferenceError::Name(error) => error.explain(),
            ReferenceError::Version(error) => error.explain(),
            ReferenceError::Range { text, reason } => {
                Phrase::usage("value.range").with("text", text).with("reason", reason)
            }
            ReferenceError::Digest(text) => Phrase::usage("value.digest").with("text", text),
        }
    }
}

impl Explain for PathError {
    fn explain(&self) -> Phrase {
        match self {
            PathError::Empty => Phrase::usage("value.path-empty"),
            PathError::Absolute => Phrase::usage("value.path-absolute"),
            PathError::Parent => Phrase::usage("value.path-parent"),
            PathError::Nul => Phrase::usage("value.path-nul"),
            PathError::TooLong(bytes) => Phrase::usage("value.path-long").with("bytes", bytes),
            PathError::NameTooLong(bytes) => Phrase::usage("value.path-name-long").with("bytes", bytes),
        }
    }
}

impl Explain for SpanError {
    fn explain(&self) -> Phrase {
        Phrase::usage("value.span").with("text", &self.0)
    }
}

/// Why an argument is no value of its kind, where the catalogue knows.
pub fn value(error: &(dyn Error + 'static)) -> Option<String> {
    fn of<E: Error + Explain + 'static>(error: &(dyn Error + 'static)) -> Option<Phrase> {
        error.downcast_ref::<E>().map(Explain::explain)
    }
    let text = |key, text: &str| Phrase::usage(key).with("text", text);
    let phrase = of::<VersionError>(error)
        .or_else(|| of::<NameError>(error))
        .or_else(|| of::<ReferenceError>(error))
        .or_else(|| of::<SpanError>(error))
        .or_else(|| error.downcast_ref::<SizeError>().map(|error| text("value.size", &error.0)))
        .or_else(|| error.downcast_ref::<TimeError>().map(|error| text("value.time", &error.0)))
        .or_else(|| error.is::<ParseIntError>().then(|| Phrase::usage("value.number")))?;
    Some(phrase.text())
}

//! Sentences for why a delta was not used.

use super::Explain;
use crate::cli::words::Phrase;
use crate::delta::{ApplyError, HeaderError};
use crate::ops::patch::NotApplied;

impl Explain for NotApplied {
    fn explain(&self) -> Phrase {
        match self {
            NotApplied::Fetch(error) => error.explain(),
            NotApplied::Apply(error) => error.explain(),
        }
    }
}

impl Explain for ApplyError {
    fn explain(&self) -> Phrase {
        match self {
            ApplyError::Header(error) => error.explain(),
            ApplyError::NotMade { path } => Phrase::refused("delta.not-made").with("path", path),
            ApplyError::Read(error) => Phrase::failed("delta.read").with("reason", error),
            ApplyError::Packed { job, length, expected, found } => Phrase::refused("delta.packed")
                .with("job", job)
                .with("length", length)
                .with("expected", expected)
                .with("found", found),
            ApplyError::Old { path, source } => {
                Phrase::failed("delta.old").with("path", path).with("reason", source.explain().text())
            }
            ApplyError::BaseChanged { path } => Phrase::refused("delta.base-changed").with("path", path),
            ApplyError::Job { job, reason } => Phrase::refused("delta.job").with("job", job).with("reason", reason),
            ApplyError::File { path, expected, found } => {
                Phrase::refused("delta.file").with("path", path).with("expected", expected).with("found", found)
            }
            ApplyError::Fs(error) => error.explain(),
            ApplyError::Stopped => Phrase::failed("transfer.stopped"),
        }
    }
}

impl Explain for HeaderError {
    fn explain(&self) -> Phrase {
        match self {
            HeaderError::Newer { found } => Phrase::refused("delta.newer").with("found", found),
            HeaderError::OtherTarget { expected, found } => {
                Phrase::refused("delta.other-target").with("expected", expected).with("found", found)
            }
            damaged => Phrase::refused("delta.damaged").with("reason", damaged),
        }
    }
}

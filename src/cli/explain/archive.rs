//! Sentences for packing and unpacking.

use super::Explain;
use crate::archive::{PackError, Trap, UnpackError};
use crate::cli::words::Phrase;
use crate::model::IndexError;

impl Explain for PackError {
    fn explain(&self) -> Phrase {
        match self {
            PackError::Fs(error) => error.explain(),
            other => Phrase::failed("archive.pack").with("reason", other),
        }
    }
}

impl Explain for UnpackError {
    fn explain(&self) -> Phrase {
        match self {
            UnpackError::Fs(error) => error.explain(),
            other => Phrase::refused("archive.unpack").with("reason", other),
        }
    }
}

impl Explain for IndexError {
    fn explain(&self) -> Phrase {
        Phrase::refused("archive.index").with("reason", self)
    }
}

impl Explain for Trap {
    fn explain(&self) -> Phrase {
        Phrase::failed("archive.trap").with("count", self.count)
    }
}

//! Sentences for what a target refuses.

use super::Explain;
use crate::cli::words::{Phrase, say};
use crate::target::{Error, Warning};

impl Explain for Error {
    fn explain(&self) -> Phrase {
        match self {
            Error::Io(e) => e.explain(),
            Error::Relative { name, path } => Phrase::usage("target.relative").with("name", name).path("path", path),
            Error::NotText { name, path } => Phrase::usage("target.not-text").with("name", name).path("path", path),
            Error::FileName { file } => Phrase::refused("target.file-name").with("file", file),
            Error::Taken { path } => Phrase::conflict("target.taken").path("path", path),
            Error::Source { path, expected, found } => {
                Phrase::refused("target.source").path("path", path).with("expected", expected).with("found", found)
            }
            Error::ReadBack { path, expected, found } => {
                Phrase::refused("target.read-back").path("path", path).with("expected", expected).with("found", found)
            }
        }
    }
}

/// The sentence of a warning.
pub fn warning(warning: &Warning) -> String {
    match warning {
        Warning::WorldWritable { path, mode } => {
            say("target.world-writable", &[("path", path.display().to_string()), ("mode", format!("{mode:04o}"))])
        }
    }
}

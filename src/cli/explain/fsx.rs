//! Sentences for errors of the file system.

use super::Explain;
use crate::cli::words::Phrase;
use crate::fsx::{Action, Error};

impl Explain for Error {
    fn explain(&self) -> Phrase {
        let phrase = Phrase::failed(match self.action {
            Action::Read => "fsx.read",
            Action::Write => "fsx.write",
            Action::Create => "fsx.create",
            Action::CreateDir => "fsx.create-dir",
            Action::List => "fsx.list",
            Action::Inspect => "fsx.inspect",
            Action::Rename => "fsx.rename",
            Action::Remove => "fsx.remove",
            Action::Link => "fsx.link",
            Action::ReadLink => "fsx.read-link",
            Action::SetMode => "fsx.set-mode",
            Action::Flush => "fsx.flush",
            Action::FlushAll => "fsx.flush-all",
            Action::Lock => "fsx.lock",
            Action::Space => "fsx.space",
        });
        phrase.path("path", &self.path).with("reason", &self.source)
    }
}

//! Sentences for errors of the file system.

use std::io;

use rustix::io::Errno;

use super::Explain;
use super::archive::frame;
use super::target::fault;
use crate::cli::words::{Phrase, say};
use crate::codec::FrameError;
use crate::fsx::{Action, Error};
use crate::target::Fault;

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
        phrase.path("path", &self.path).with("reason", system(&self.source))
    }
}

/// What the system says of a failure: in the language's words where it is one of those that happen, else as it says it.
pub fn system(error: &io::Error) -> String {
    let Some(errno) = Errno::from_io_error(error) else { return within(error) };
    let key = match errno {
        Errno::PERM => "system.permitted",
        Errno::NOENT => "system.missing",
        Errno::IO => "system.failed",
        Errno::ACCESS => "system.denied",
        Errno::BUSY => "system.busy",
        Errno::EXIST => "system.exists",
        Errno::NOTDIR => "system.not-a-directory",
        Errno::ISDIR => "system.directory",
        Errno::MFILE => "system.files",
        Errno::FBIG => "system.too-big",
        Errno::NOSPC => "system.full",
        Errno::ROFS => "system.read-only",
        Errno::NAMETOOLONG => "system.name",
        Errno::NOTEMPTY => "system.not-empty",
        Errno::LOOP => "system.loop",
        Errno::CONNREFUSED => "system.refused",
        Errno::STALE => "system.stale",
        Errno::DQUOT => "system.quota",
        _ => return error.to_string(),
    };
    say(key, &[])
}

/// What an error says that was made of one of our own.
fn within(error: &io::Error) -> String {
    let within = error.get_ref();
    if let Some(error) = within.and_then(|error| error.downcast_ref::<FrameError>()) {
        return frame(error);
    }
    within.and_then(|error| error.downcast_ref::<Fault>()).map_or_else(|| error.to_string(), fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_words_are_those_of_the_system() {
        let errors = (1..134).map(io::Error::from_raw_os_error);
        let (ours, theirs): (Vec<_>, Vec<_>) = errors.map(|error| (system(&error), error.to_string())).unzip();
        assert_eq!(ours, theirs);
    }
}

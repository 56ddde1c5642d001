//! How transfers fail.

use std::path::PathBuf;
use std::time::Duration;

use super::{Refused, Source};
use crate::model::{ByteSize, Sha256};
use crate::target::Fault;
use crate::{fsx, store, target};

/// Why a package was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The file system failed on this side.
    #[error(transparent)]
    Io(#[from] fsx::Error),
    /// The store's file system has less room than the bytes to come.
    #[error("`{}` has {free} free, {needed} are needed", path.display())]
    NoSpace {
        /// The store.
        path: PathBuf,
        /// Bytes to fetch.
        needed: ByteSize,
        /// Bytes free.
        free: ByteSize,
    },
    /// No thread could be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The consumer takes no more.
    #[error("stopped")]
    Stopped,
    /// Every piece is what the index says, and the whole is not what the manifest says.
    #[error("the pieces of the index make sha256 {found}, not {expected}")]
    Disagree {
        /// The announced digest.
        expected: Sha256,
        /// The digest of the pieces.
        found: Sha256,
    },
    /// There is no source to ask.
    #[error("no source for {sha256}")]
    NoSource {
        /// The content's digest.
        sha256: Sha256,
    },
    /// Every source failed.
    #[error("every source of {sha256} failed")]
    AllFailed {
        /// The content's digest.
        sha256: Sha256,
        /// Each attempt, in order.
        attempts: Vec<Attempt>,
    },
}

/// One failed attempt to fetch from a source.
#[derive(Debug)]
pub struct Attempt {
    /// The source's name.
    pub name: String,
    /// What people call the file there: a path or URL, without any secret.
    pub place: String,
    /// Why it failed.
    pub why: Why,
    /// Where its bytes are kept for inspection; `None` where it gave none, they are too many, or the directory for them
    /// cannot be written.
    pub kept: Option<PathBuf>,
}

impl Attempt {
    /// Of a source that was to be asked.
    pub(super) fn of(source: &Source, why: Why, kept: Option<PathBuf>) -> Self {
        Self { name: source.name.clone(), place: source.target.shown(&source.key), why, kept }
    }
}

impl From<Refused> for Attempt {
    fn from(refused: Refused) -> Self {
        Self { name: refused.name().to_owned(), place: String::new(), why: Why::NotRead(refused), kept: None }
    }
}

/// Why an attempt failed.
#[derive(Debug)]
pub enum Why {
    /// The source has no such file.
    Missing,
    /// The file cannot be read.
    Unreadable(target::Error),
    /// Reading broke off.
    Broken(std::io::Error),
    /// The source gave fewer bytes than it should.
    Truncated {
        /// How many it gave.
        found: u64,
        /// How many it should give.
        expected: u64,
    },
    /// The source has more bytes than it should.
    TooLong {
        /// How many it should have.
        expected: u64,
    },
    /// The source gave other bytes.
    Digest {
        /// Their digest.
        found: Sha256,
    },
    /// The source gave other bytes for one piece.
    Piece {
        /// The piece, from 0.
        number: usize,
        /// Where it begins in the file.
        offset: u64,
        /// Its length in bytes.
        length: u64,
    },
    /// What the source gave before the first piece is not what the index says.
    Head,
    /// The source gave another part of the file than it was asked for.
    OtherRange {
        /// The first byte that was asked for.
        asked: u64,
        /// The first byte that it gave.
        got: u64,
    },
    /// Nothing to speak of came for so long.
    Silent {
        /// How long was waited.
        after: Duration,
        /// The few bytes that came.
        bytes: u64,
    },
    /// The source gave wrong bytes before in this run, so it was not asked.
    LeftOut,
    /// This host does not read the location.
    NotRead(Refused),
}

impl Why {
    /// What a target's refusal to read a file of so many bytes means.
    pub(super) fn refused(error: target::Error, expected: u64) -> Self {
        match error {
            missing if missing.is_missing() => Why::Missing,
            target::Error::Remote { fault: Fault::Stalled { after }, .. } => Why::Silent { after, bytes: 0 },
            target::Error::Remote { fault: Fault::Short { total: Some(found) }, .. } if found < expected => {
                Why::Truncated { found, expected }
            }
            error => Why::Unreadable(error),
        }
    }

    /// What it means that a body failed; `stall` is how long was waited.
    pub(super) fn broke(error: std::io::Error, stall: Duration) -> Self {
        match error.kind() {
            std::io::ErrorKind::TimedOut => Why::Silent { after: stall, bytes: 0 },
            _ => Why::Broken(error),
        }
    }

    /// Whether a login is missing, wrong or expired.
    pub fn is_denied(&self) -> bool {
        let fault = match self {
            Why::Unreadable(target::Error::Remote { fault, .. }) => fault,
            _ => return false,
        };
        matches!(fault, Fault::Denied { .. } | Fault::NoLogin | Fault::Login { .. })
    }

    /// Whether the source gave bytes that were not the wanted ones.
    pub fn is_wrong_bytes(&self) -> bool {
        matches!(
            self,
            Why::Truncated { .. }
                | Why::TooLong { .. }
                | Why::Digest { .. }
                | Why::Piece { .. }
                | Why::Head
                | Why::OtherRange { .. }
        )
    }
}

/// Why an upload did not do.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Fewer targets than required hold the package now.
    #[error("{held} of the {required} required targets hold the package")]
    TooFew {
        /// How many hold it.
        held: usize,
        /// How many have to.
        required: usize,
        /// The targets that failed, by name, and why.
        failures: Vec<(String, target::Error)>,
    },
}

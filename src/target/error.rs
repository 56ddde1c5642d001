//! What a target refuses.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{Detour, NoLogin, Nonsense, Setting};
use crate::config;
use crate::fsx;
use crate::model::Sha256;

/// Why a target did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system failed.
    #[error(transparent)]
    Io(#[from] fsx::Error),
    /// A target's path does not begin at `/`, so what a record says of it would mean something else elsewhere.
    #[error("the path `{}` of target `{name}` is not absolute", path.display())]
    Relative {
        /// The target.
        name: String,
        /// Its path.
        path: PathBuf,
    },
    /// A target's path is not UTF-8, which a record has to be.
    #[error("the path `{}` of target `{name}` is not UTF-8", path.display())]
    NotText {
        /// The target.
        name: String,
        /// Its path.
        path: PathBuf,
    },
    /// A name of a file that is more, or less, than a name.
    #[error("`{file}` is not a file name")]
    FileName {
        /// The name.
        file: String,
    },
    /// Other bytes stand both under the usual name and in the folder named by the digest.
    #[error("other bytes stand at `{place}`")]
    Taken {
        /// The path or URL in the digest's folder.
        place: String,
    },
    /// What is at a path is no regular file, or nothing is there.
    #[error("`{}` is no file", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// A server answered with a refusal, or not at all.
    #[error("target `{target}`: {doing} `{place}`: {fault}")]
    Remote {
        /// The target.
        target: String,
        /// What was being done.
        doing: Doing,
        /// To what: a URL without secrets.
        place: String,
        /// What came of it.
        fault: Fault,
    },
    /// A target that can only be read.
    #[error("target `{target}` is only read")]
    ReadOnly {
        /// The target.
        target: String,
    },
    /// A target that has no list of its files.
    #[error("target `{target}` has no list of its files")]
    NoList {
        /// The target.
        target: String,
    },
    /// Settings that do not make a target.
    #[error("target `{target}`: {reason}")]
    Settings {
        /// The target.
        target: String,
        /// What is wrong with them.
        reason: Setting,
    },
    /// Settings that take an environment variable which is not set.
    #[error(transparent)]
    Unset(Box<config::Error>),
    /// A signed URL was to last longer than any can.
    #[error("target `{target}` signs URLs for {} s at most", longest.as_secs())]
    Expiry {
        /// The target.
        target: String,
        /// The longest time.
        longest: Duration,
    },
    /// The files are not to be published, for a reason that who asked for it knows.
    #[error("it was given up")]
    GivenUp,
    /// What was to be published is not what was announced.
    #[error("`{}` has sha256 {found}, not {expected}", path.display())]
    Source {
        /// The file on this machine.
        path: PathBuf,
        /// The announced digest.
        expected: Sha256,
        /// The digest of its bytes.
        found: Sha256,
    },
    /// The target gives other bytes than were written to it.
    #[error("`{place}` reads back as sha256 {found}, not {expected}")]
    ReadBack {
        /// The path or URL it was to get.
        place: String,
        /// The digest of what was written.
        expected: Sha256,
        /// The digest of what came back.
        found: Sha256,
    },
}

/// What is done at a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Asking for a file's length.
    Size,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Listing.
    List,
    /// Deleting.
    Delete,
    /// Making a URL for others.
    Sign,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doing::Size => "asking for the size of",
            Doing::Read => "reading",
            Doing::Write => "writing",
            Doing::List => "listing",
            Doing::Delete => "deleting",
            Doing::Sign => "signing a URL for",
        })
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// 401 or 403: no login, a wrong one, an expired URL, or no permission.
    #[error("the server refused access ({status})")]
    Denied {
        /// The HTTP status.
        status: u16,
    },
    /// 429 or 503: asked too often.
    #[error("the server asks to wait ({status})")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// For how long.
        retry_after: Option<Duration>,
    },
    /// Another 5xx, or 408.
    #[error("the server failed ({status})")]
    Server {
        /// The HTTP status.
        status: u16,
    },
    /// 416: the file there ends before the bytes that were asked for.
    #[error("the file there ends before the bytes asked for")]
    Short {
        /// Its length, where the server said it.
        total: Option<u64>,
    },
    /// Any other status.
    #[error("the server answered {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// Another refusal, with the word the store has for it.
    #[error("the server answered {status} ({code})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The store's word: ASCII letters, digits, `-`, `_`, `.`.
        code: String,
    },
    /// The cloud was asked who this machine is, and did not say.
    #[error("no login was found")]
    NoLogin,
    /// A redirect that is not followed: too many, from https to http, or to where a login must not go.
    #[error("the redirect to `{to}` is not followed: {reason}")]
    Redirect {
        /// Where to, without query.
        to: String,
        /// Why not.
        reason: Detour,
    },
    /// No connection, or it broke.
    #[error("{reason}")]
    Connection {
        /// What the system or library said.
        reason: String,
    },
    /// The other side is not who it should be.
    #[error("{reason}")]
    Tls {
        /// What the library said.
        reason: String,
    },
    /// Nothing came for so long.
    #[error("nothing came for {} s", after.as_secs())]
    Stalled {
        /// How long was waited.
        after: Duration,
    },
    /// There should be a login, and it cannot be had or must not be sent.
    #[error("no login: {reason}")]
    Login {
        /// Why not.
        reason: Box<NoLogin>,
    },
    /// An answer that makes no sense.
    #[error("{reason}")]
    Protocol {
        /// What is wrong with it.
        reason: Nonsense,
    },
}

impl Fault {
    /// Whether the same request may do better later.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Fault::Busy { .. }
                | Fault::Server { .. }
                | Fault::Connection { .. }
                | Fault::Stalled { .. }
                | Fault::Protocol { .. }
        )
    }
}

impl Error {
    /// Whether the same action may do better later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Error::Remote { fault, .. } if fault.is_passing())
    }

    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        match self {
            Error::Remote { fault, .. } => *fault == Fault::Missing,
            Error::NoFile { .. } => true,
            Error::Io(e) => e.is_not_found(),
            _ => false,
        }
    }
}

/// The result of an action on a target.
pub type Result<T> = std::result::Result<T, Error>;

//! Why a tar stream is refused.

use std::fmt;
use std::io;

use crate::model::PathError;

/// Why a tar stream is refused.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The stream could not be read or decoded.
    #[error("cannot read the archive: {0}")]
    Read(#[from] io::Error),
    /// The stream ends without the zero blocks that end an archive: it was cut off.
    #[error("the archive is cut short")]
    CutShort,
    /// A header whose checksum is wrong.
    #[error("a header behind `{after}` has a wrong checksum")]
    Checksum {
        /// The entry before it.
        after: String,
    },
    /// A header or extended header that cannot be understood.
    #[error("the header of `{name}` is malformed: {what}")]
    Malformed {
        /// The entry.
        name: String,
        /// What of it.
        what: HeaderPart,
    },
    /// A path that is none, or leads out of the tree.
    #[error("the entry `{name}` is refused: {reason}")]
    Path {
        /// The path as it stands in the archive.
        name: String,
        /// What is wrong with it.
        reason: PathError,
    },
    /// A hard link whose other name is no path, or leads out of the tree.
    #[error("the hard link `{name}` to `{to}` is refused: {reason}")]
    HardLink {
        /// The entry.
        name: String,
        /// The other name as it stands in the archive.
        to: String,
        /// What is wrong with it.
        reason: PathError,
    },
    /// A device, pipe or socket, or something unheard of.
    #[error("the entry `{name}` is a {kind}")]
    Kind {
        /// The entry.
        name: String,
        /// What it is.
        kind: OddKind,
    },
    /// An entry that would run with another's rights.
    #[error("the entry `{name}` has mode {mode:04o}: setuid and setgid are refused")]
    SetId {
        /// The entry.
        name: String,
        /// Its mode.
        mode: u32,
    },
    /// Something follows the blocks that end an archive that may not, or what ends it is damaged.
    #[error("there is more behind the end of the archive")]
    Behind,
}

/// What of a header cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderPart {
    /// The length.
    Size,
    /// The length of an extended header.
    ExtendedSize,
    /// The records of a pax header.
    Pax,
    /// Records for every entry that follows, which change it.
    GlobalPax,
    /// Where a link leads.
    LinkName,
    /// The permission bits.
    Mode,
    /// The time of the last change.
    Time,
    /// Where the data of a sparse file lie.
    Sparse,
    /// Bytes of an entry that can have none.
    Content,
}

impl fmt::Display for HeaderPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "size",
            Self::ExtendedSize => "size of an extended header",
            Self::Pax => "pax records",
            Self::GlobalPax => "global pax records that change every entry",
            Self::LinkName => "link name",
            Self::Mode => "mode",
            Self::Time => "modification time",
            Self::Sparse => "map of a sparse file",
            Self::Content => "content where there can be none",
        })
    }
}

/// A kind of entry that no package has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddKind {
    /// A character or block device.
    Device,
    /// A named pipe.
    Pipe,
    /// Something unheard of, by its letter.
    Unknown(u8),
}

impl fmt::Display for OddKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device => f.write_str("device"),
            Self::Pipe => f.write_str("pipe"),
            Self::Unknown(letter) => write!(f, "kind that is not known ({})", letter.escape_ascii()),
        }
    }
}

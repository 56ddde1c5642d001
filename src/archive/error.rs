//! Why a tree was not packed, or a package refused.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::tar::TarError;
use crate::codec::CodecError;
use crate::fsx;
use crate::model::{Blake3, IndexError, PathError, Sha256, ShapeError, TreePath};

/// Why a tree was not packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Something in the tree cannot be read.
    #[error(transparent)]
    Fs(#[from] fsx::Error),
    /// The archive cannot be written.
    #[error("cannot write the package: {0}")]
    Write(#[source] io::Error),
    /// No such level, or the encoder failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// More than a package may hold.
    #[error("the tree does not fit into a package: {0}")]
    Index(#[from] IndexError),
    /// A pattern that is none.
    #[error("`{glob}` is not a pattern: {reason}")]
    Exclude {
        /// The pattern.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A path longer than a package may hold.
    #[error("cannot pack `{}`: {reason}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        reason: PathError,
    },
    /// A device, socket or pipe.
    #[error("cannot pack `{}`: it is a device, socket or pipe", path.display())]
    Special {
        /// Where it is.
        path: PathBuf,
    },
    /// A symbolic link that leads out of the tree, or might.
    #[error("the symbolic link `{}` -> `{}` leaves the tree", path.display(), target.escape_ascii())]
    LinkLeaves {
        /// The link.
        path: PathBuf,
        /// What it holds.
        target: Vec<u8>,
    },
    /// Followed links lead back to a directory above.
    #[error("the links at `{}` lead back to a directory above them", path.display())]
    Loop {
        /// Where the loop closes.
        path: PathBuf,
    },
    /// A file's size was not what it had been.
    #[error("`{}` changed while it was packed", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The work stopped without a reason of its own.
    #[error("packing was stopped")]
    Stopped,
}

/// Why a package was refused or not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Something cannot be written.
    #[error(transparent)]
    Fs(#[from] fsx::Error),
    /// The package cannot be read.
    #[error("cannot read the package: {0}")]
    Read(#[source] io::Error),
    /// The tar stream is refused.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// The entries are no tree.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The package's length is not the one expected.
    #[error("the package has {found} bytes, not {expected}")]
    Size {
        /// What was expected.
        expected: u64,
        /// What it has.
        found: u64,
    },
    /// The package's sha256 is not the one expected.
    #[error("the package has sha256 {found}, not {expected}")]
    Sha256 {
        /// What was expected.
        expected: Sha256,
        /// What it has.
        found: Sha256,
    },
    /// The bytes before the first or behind the last piece are not the index's.
    #[error("the package's {end} is not what its index says")]
    Ends {
        /// Which of them.
        end: End,
    },
    /// A piece is not what the index says; nothing of it was decoded.
    #[error("piece {piece} of the package, {length} bytes at {offset}, has digest {found}, not {expected}")]
    Piece {
        /// Its number, from 0.
        piece: usize,
        /// Where it lies in the package.
        offset: u64,
        /// Its length in the package.
        length: u64,
        /// What the index says.
        expected: Blake3,
        /// What it has.
        found: Blake3,
    },
    /// A piece cannot be decoded.
    #[error("piece {piece} of the package: {source}")]
    Codec {
        /// Its number, from 0.
        piece: usize,
        /// What is wrong with it.
        source: CodecError,
    },
    /// A file's content is not what the index says.
    #[error("`{path}` has digest {found}, not {expected}")]
    Content {
        /// The file.
        path: TreePath,
        /// What the index says.
        expected: Blake3,
        /// What it has.
        found: Blake3,
    },
    /// The archive's headers and the index tell different things.
    #[error("the archive says otherwise than its index about `{path}`: {what}")]
    Differs {
        /// The entry.
        path: TreePath,
        /// What differs.
        what: Aspect,
    },
    /// The archive has an entry that the index does not list, or lacks one that it does.
    #[error("the archive {} `{path}`, its index {}", if *in_archive { "has" } else { "lacks" },
        if *in_archive { "does not" } else { "lists it" })]
    Unlisted {
        /// The entry.
        path: TreePath,
        /// Whether it is in the archive.
        in_archive: bool,
    },
    /// The index is of another compression than the package.
    #[error("the index is for {}, the package is {}", index.name(), package.name())]
    Compression {
        /// The index's.
        index: crate::model::Compression,
        /// The package's.
        package: crate::model::Compression,
    },
    /// The package cannot be taken apart, so it does not come in pieces.
    #[error("the package is one piece")]
    Whole,
    /// A piece that is needed is none of those that come.
    #[error("piece {piece} is needed and does not come")]
    NoPiece {
        /// The piece.
        piece: usize,
    },
    /// The files hold more bytes than are allowed.
    #[error("the archive unpacks to more than {limit} bytes")]
    TooMuch {
        /// The limit.
        limit: u64,
    },
    /// The holes of sparse files are more bytes than are allowed.
    #[error("with `{path}`, the sparse files of the archive have holes of {found} bytes, more than {limit}")]
    Holes {
        /// The file that is too much.
        path: TreePath,
        /// How many bytes the holes have, those of the files before it included.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// More entries, or longer ones, than an index may hold.
    #[error("the archive does not fit into an index: {0}")]
    Index(#[from] IndexError),
}

/// What of a package lies before or behind its pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Before the first.
    Head,
    /// Behind the last.
    Tail,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "head",
            Self::Tail => "tail",
        })
    }
}

/// About what an archive and its index differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// Which entry stands in a place.
    Place,
    /// A file's length.
    Size,
    /// Where a link leads.
    Target,
    /// What an entry is.
    Kind,
    /// The permission bits.
    Mode,
    /// The time of the last change.
    Time,
    /// Where the bytes lie.
    Offset,
    /// Headers lie in two pieces, and an index never cuts them.
    Pieces,
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Place => "which entry stands in its place",
            Self::Size => "its size",
            Self::Target => "where it leads",
            Self::Kind => "what it is",
            Self::Mode => "its mode",
            Self::Time => "its modification time",
            Self::Offset => "where its bytes lie",
            Self::Pieces => "in which piece its headers lie",
        })
    }
}

//! Why bytes are not an index.

use std::fmt;

use super::INDEX_FORMAT;
use crate::model::{PathError, ShapeError, TreePath};

/// Why bytes are not an index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Not zstd, or cut off.
    #[error("it is not zstd, or cut short: {0}")]
    Zstd(#[source] std::io::Error),
    /// A line is not JSON of the right form.
    #[error("line {line}: {source}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line is JSON, and says less than it should.
    #[error("line {line}: {what}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: LineFault,
    },
    /// A line is longer than any honest one.
    #[error("line {line} is too long")]
    LongLine {
        /// The line, from 1.
        line: usize,
    },
    /// The header promises more lines than there are.
    #[error("it ends after line {line}, before all entries and pieces were listed")]
    Short {
        /// The last line.
        line: usize,
    },
    /// There are more lines than the header promises.
    #[error("there is something behind line {line}, where it should end")]
    Long {
        /// The last line that should be.
        line: usize,
    },
    /// Written by a newer tool.
    #[error("index format {found} is newer than {INDEX_FORMAT}, the newest this build reads")]
    Newer {
        /// The number in the file.
        found: u32,
    },
    /// More of something than the limit.
    #[error("{found} {what}, more than {limit}")]
    Limit {
        /// What there is too much of.
        what: Amount,
        /// How much there is.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A path that is none.
    #[error("line {line}: {reason}")]
    Path {
        /// The line, from 1.
        line: usize,
        /// Why it is none.
        reason: PathError,
    },
    /// Bits that no packed entry has.
    #[error("`{path}` has mode {mode:04o}")]
    Mode {
        /// The entry.
        path: TreePath,
        /// Its mode.
        mode: u32,
    },
    /// The entries are no tree.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// An entry does not lie behind the one before it.
    #[error("`{path}` lies at {offset} of the tar stream, not behind the entry before it")]
    Misplaced {
        /// The entry.
        path: TreePath,
        /// Where it says its bytes begin.
        offset: u64,
    },
    /// Head, pieces and tail leave a gap, overlap or do not end where the archive or the tar stream ends.
    #[error("the pieces do not tile the {what}: piece {piece} begins or ends in the wrong place")]
    Tiling {
        /// Which of them.
        what: Stream,
        /// The piece.
        piece: usize,
    },
}

/// What there may be too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Entries.
    Entries,
    /// Bytes of head and tail.
    Ends,
    /// Bytes of the index as it is stored.
    Stored,
    /// Bytes that the holes of sparse files have together.
    Holes,
    /// Bytes of one piece.
    Piece,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entries => "entries",
            Self::Ends => "bytes of head and tail",
            Self::Stored => "bytes of index",
            Self::Holes => "bytes of holes in sparse files",
            Self::Piece => "bytes in one piece",
        })
    }
}

/// What pieces tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The archive, as it is compressed.
    Archive,
    /// The tar stream in it.
    Tar,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Archive => "archive",
            Self::Tar => "tar stream",
        })
    }
}

/// What a line lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// A path, or UTF-8 stands under the name for what is none.
    #[error("no `path`, or no UTF-8 under `path_hex` only")]
    Path,
    /// The length or the digest of a file.
    #[error("a file without `size` or `blake3`")]
    File,
    /// What a symbolic link holds.
    #[error("a symlink without `target`")]
    Target,
    /// The first name of a hard link.
    #[error("a hard link without `link`")]
    Link,
    /// A mode that is a number.
    #[error("`mode` is not octal")]
    Mode,
}

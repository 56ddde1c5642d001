//! The index: the sidecar that lists a package's entries and pieces (`<type>-<version>.index.zst`).
//!
//! ```text
//!            head        piece 0         piece 1    …    piece n-1      tail
//! archive  |------|----------------|-------------|- - -|-----------|----------|
//!                          ↓ decoded alone
//! tar             |--------------------|-------------|- - -|---------------|
//!                 header a · bytes of a · padding · header b · … · two zero blocks
//!                          ^ offset of a
//! ```
//!
//! Head, pieces and tail tile the archive, the pieces tile the tar stream, and each entry's headers begin where the
//! entry before it ends: an [`Index`] that exists keeps all of this, and its entries form a tree ([`super::Shape`]). The
//! limits below are the same for packing and for reading. The bytes of a header never lie in two pieces.
//!
//! `whole` marks an archive that cannot be taken apart (a foreign one, or bzip2): one piece spans it.

mod error;
mod lines;
mod read;

pub use error::{Amount, IndexError, LineFault, Stream};
pub(crate) use lines::{Name, bytes_of, spell};

use super::shape::is_plain_walk;
use super::{Blake3, Compression, Entry, EntryKind, TreeHasher};

/// The version of the format this build writes and the newest it reads.
pub const INDEX_FORMAT: u32 = 1;
/// The most entries of one package.
pub const MAX_ENTRIES: usize = 4 << 20;
/// The most bytes of one piece, compressed or not, unless it spans the whole archive.
pub const MAX_PIECE_BYTES: u64 = 16 << 20;
/// The most bytes of an index as it is stored.
pub const MAX_INDEX_BYTES: u64 = 1 << 30;
/// The most bytes of head and tail together.
pub const MAX_ENDS_BYTES: usize = 16 << 20;
/// The most bytes of one entry's headers.
pub const MAX_HEADER_BYTES: u64 = 1 << 20;
/// The most bytes that the holes in the sparse files of one package may have together. Holes take no room, neither in the
/// archive nor on the disk, but they are hashed: so many take a minute or two.
pub const MAX_HOLE_BYTES: u64 = 256 << 30;
/// The tar stream's unit.
const BLOCK: u64 = 512;

/// One entry with its place in the tar stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The entry.
    pub entry: Entry,
    /// Where its headers end and its bytes begin, in the tar stream.
    pub offset: u64,
    /// How many bytes it has in the tar stream: a file's size, or less for a sparse file of a foreign archive.
    pub stored: u64,
}

impl IndexEntry {
    /// Where the entry ends in the tar stream, padding included: the next one's headers begin here.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.stored).checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX)
    }
}

/// One piece: where it lies and what it must hash to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins in the archive.
    pub offset: u64,
    /// Its length in the archive.
    pub length: u64,
    /// Where its bytes begin in the tar stream.
    pub tar_offset: u64,
    /// How many bytes it decodes to.
    pub tar_length: u64,
    /// BLAKE3 of its bytes in the archive; checked before they are decoded.
    pub packed: Blake3,
    /// BLAKE3 of its bytes in the tar stream.
    pub raw: Blake3,
}

/// The parts of an index before they are known to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexParts {
    /// How the archive is compressed.
    pub compression: Compression,
    /// Whether one piece spans the archive because it cannot be taken apart.
    pub whole: bool,
    /// The archive's length.
    pub size: u64,
    /// The tar stream's length.
    pub tar_size: u64,
    /// The archive's bytes before the first piece.
    pub head: Vec<u8>,
    /// The archive's bytes behind the last piece.
    pub tail: Vec<u8>,
    /// The entries in stream order.
    pub entries: Vec<IndexEntry>,
    /// The pieces in stream order.
    pub pieces: Vec<Piece>,
}

/// A package's entries and pieces; what exists fits together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index(IndexParts);

impl std::ops::Deref for Index {
    type Target = IndexParts;

    fn deref(&self) -> &IndexParts {
        &self.0
    }
}

impl Index {
    /// Checks that the parts fit together.
    ///
    /// # Errors
    ///
    /// The first thing that does not fit, or the limit that is passed.
    pub fn new(parts: IndexParts) -> Result<Self, IndexError> {
        limit(Amount::Entries, parts.entries.len() as u64, MAX_ENTRIES as u64)?;
        limit(Amount::Ends, (parts.head.len() + parts.tail.len()) as u64, MAX_ENDS_BYTES as u64)?;
        parts.check_entries()?;
        parts.check_pieces()?;
        Ok(Self(parts))
    }

    /// The digest of the tree: the same for the same content whatever the compression.
    pub fn tree_digest(&self) -> Blake3 {
        let mut hasher = TreeHasher::new();
        self.entries.iter().for_each(|e| hasher.add(&e.entry));
        hasher.finish()
    }

    /// The bytes of all files together, hard links counted once.
    pub fn content_size(&self) -> u64 {
        let sizes = self.entries.iter().map(|e| match e.entry.kind {
            EntryKind::File { size, .. } => size,
            _ => 0,
        });
        sizes.fold(0, u64::saturating_add)
    }

    /// The bytes of all files that the tar stream holds: [`Index::content_size`] without the holes of sparse files.
    pub fn stored_size(&self) -> u64 {
        self.entries.iter().map(|e| e.stored).fold(0, u64::saturating_add)
    }

    /// The index as it is stored: frames of zstd that hold one line of JSON for the header, each entry and each piece.
    pub fn to_bytes(&self) -> Vec<u8> {
        lines::write(&self.0)
    }

    /// Reads a stored index.
    ///
    /// # Errors
    ///
    /// Whatever is not what [`Index::to_bytes`] writes, or does not fit together.
    pub fn parse(bytes: &[u8]) -> Result<Self, IndexError> {
        limit(Amount::Stored, bytes.len() as u64, MAX_INDEX_BYTES)?;
        Self::new(read::read(bytes)?)
    }
}

impl IndexParts {
    fn check_entries(&self) -> Result<(), IndexError> {
        if !is_plain_walk(self.entries.len(), |number| &self.entries[number].entry) {
            let mut shape = super::Shape::new();
            self.entries.iter().try_for_each(|e| shape.admit(&e.entry.path, &e.entry.kind).map(|_| ()))?;
        }
        let (mut end, mut holes) = (0, 0u64);
        for item in &self.entries {
            let Entry { path, kind, mode, .. } = &item.entry;
            let allowed = match kind {
                EntryKind::Directory => *mode == 0o755,
                EntryKind::Symlink { .. } => *mode == 0o777,
                EntryKind::File { .. } | EntryKind::HardLink { .. } => matches!(mode, 0o644 | 0o755),
            };
            if !allowed {
                return Err(IndexError::Mode { path: path.clone(), mode: *mode });
            }
            let misplaced = || IndexError::Misplaced { path: path.clone(), offset: item.offset };
            let headers = item.offset.checked_sub(end).ok_or_else(misplaced)?;
            let size = match kind {
                EntryKind::File { size, .. } => *size,
                _ => 0,
            };
            let hole = size.checked_sub(item.stored).filter(|hole| self.whole || *hole == 0).ok_or_else(misplaced)?;
            holes = holes.saturating_add(hole);
            limit(Amount::Holes, holes, MAX_HOLE_BYTES)?;
            if headers < BLOCK || headers % BLOCK != 0 || headers > MAX_HEADER_BYTES {
                return Err(misplaced());
            }
            end = item.end();
            if end > self.tar_size {
                return Err(misplaced());
            }
        }
        Ok(())
    }

    fn check_pieces(&self) -> Result<(), IndexError> {
        let (mut at, mut tar_at) = (self.head.len() as u64, 0u64);
        for (number, piece) in self.pieces.iter().enumerate() {
            if !self.whole {
                limit(Amount::Piece, piece.length.max(piece.tar_length), MAX_PIECE_BYTES)?;
            }
            if piece.offset != at || piece.length == 0 {
                return Err(IndexError::Tiling { what: Stream::Archive, piece: number });
            }
            if piece.tar_offset != tar_at || piece.tar_length == 0 {
                return Err(IndexError::Tiling { what: Stream::Tar, piece: number });
            }
            at = at.saturating_add(piece.length);
            tar_at = tar_at.saturating_add(piece.tar_length);
        }
        let last = self.pieces.len().saturating_sub(1);
        let one = self.pieces.len() == 1 && self.head.is_empty() && self.tail.is_empty();
        // Blocks of bzip2 do not begin at whole bytes.
        let apart = !self.whole && self.compression != Compression::Bzip2;
        if at.saturating_add(self.tail.len() as u64) != self.size || !(apart || self.whole && one) {
            return Err(IndexError::Tiling { what: Stream::Archive, piece: last });
        }
        if tar_at != self.tar_size {
            return Err(IndexError::Tiling { what: Stream::Tar, piece: last });
        }
        Ok(())
    }
}

fn limit(what: Amount, found: u64, limit: u64) -> Result<(), IndexError> {
    if found > limit { Err(IndexError::Limit { what, found, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;

//! From a package to a tree.
//!
//! With an index whose pieces can be taken apart, pieces are checked, decoded and written on all cores (`pieces`).
//! Anything else goes the plain way, one stream (`stream`). Both ways give the same tree and refuse the same
//! attacks: what an entry may be is decided in `tar` and in `model::Shape`, and files are made beneath the directory
//! only, never over something that is there.

mod ahead;
mod deposit;
mod feed;
mod joined;
mod pieces;
mod source;
mod stream;
mod tree;
mod watch;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::UnpackError;
use crate::codec::{self, Trailing};
use crate::model::{Blake3, Compression, Entry, EntryKind, Index, IndexEntry, IndexParts, Piece, Sha256};
use deposit::Deposit;
pub use feed::Pieces;
use joined::{Cut, Joined};
pub use source::Source;
use source::Tally;
use stream::{Limits, Target};
pub use tree::{Tree, needed};
use watch::{Compare, Found};

/// What the whole package must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Its length in bytes.
    pub size: u64,
    /// Its sha256.
    pub sha256: Sha256,
}

/// How to unpack.
pub struct UnpackOptions<'a> {
    /// Threads that decode and write; 0 means one for each core.
    pub threads: usize,
    /// Files keep the owner's write bit (a mutable component); else nobody may write to them.
    pub keep_write_bits: bool,
    /// Permission bits that files and directories may have at most.
    pub mode_mask: Option<u32>,
    /// Checked against the package's bytes as they are read, if given. Costs one hash over the package.
    pub expected: Option<Expected>,
    /// The most bytes the files may have together, holes left out: what is written. Without an index, what else bounds
    /// them is the disk.
    pub max_bytes: Option<u64>,
    /// The most bytes the holes of sparse files may have together: what is hashed without being read or written.
    pub max_holes: u64,
    /// Pieces are read and checked even where all the files in them are there: index and package are the same then.
    pub whole: bool,
    /// Told, now and then, how many bytes of files are done.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// What was unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Unpacked {
    /// The tree digest; whoever knows what it should be compares.
    pub tree: Blake3,
    /// How many regular files, hard links counted once.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many entries.
    pub entries: u64,
    /// The entries, where no index lists them.
    pub listed: Vec<Entry>,
    /// The inodes of the files that were made, by the number of the index's entry; 0, or nothing, where that was not noted.
    pub inodes: Vec<u64>,
}

impl UnpackOptions<'_> {
    /// The permission bits that a file gets which the package says has `mode`.
    pub fn file_mode(&self, mode: u32) -> u32 {
        mode & self.mode_mask.unwrap_or(0o777) & if self.keep_write_bits { 0o755 } else { 0o555 }
    }

    /// The permission bits that directories get.
    pub fn directory_mode(&self) -> u32 {
        0o755 & self.mode_mask.unwrap_or(0o777)
    }
}

/// Unpacks a package into `into`, an empty directory that exists. Nothing is flushed.
///
/// Directories get 0755, files 0444 or 0555 (0644 or 0755 with `keep_write_bits`), all less what `mode_mask` lacks,
/// and the modification times the package says.
///
/// # Errors
///
/// The first thing that is refused or fails. What has been written until then stays in `into`, for the caller to
/// remove; nothing is ever written elsewhere.
pub fn unpack(
    source: Source<'_>,
    compression: Compression,
    index: Option<&Index>,
    into: &Path,
    options: &UnpackOptions<'_>,
) -> Result<Unpacked, UnpackError> {
    if let Some(index) = index {
        let tree = Tree::begin(index, into, options)?;
        tree.fill(source, compression, &[])?;
        return tree.finish();
    }
    let deposit = Deposit::new(into, options)?;
    let mut tally = Tally::new(source.into_read(), options.expected.is_some(), false);
    let mut found = Found::default();
    let limits = Limits { bytes: options.max_bytes, holes: options.max_holes };
    let target = Target { deposit: &deposit, progress: options.progress, have: None };
    stream::walk(&mut tally, compression, Some(target), limits, Trailing::PassedOver, &mut found)?;
    tally.check(options.expected)?;
    let mut unpacked = count(&found.entries, stream::digest(&found.entries));
    unpacked.listed = found.entries.into_iter().map(|item| item.entry).collect();
    Ok(unpacked)
}

/// Reads a package back with the plain tar reader and compares every entry, every byte and every offset with its index, and
/// every piece where an archive is nothing but pieces.
///
/// # Errors
///
/// The first difference.
pub fn check(package: &File, compression: Compression, index: &Index) -> Result<(), UnpackError> {
    read_back(package, compression, index, &Cut::default())
}

/// As [`check`], of a package that [`pack`](crate::archive::pack) made and whose bytes have its sha256 still, as the caller makes
/// sure: the pieces of big files, which were decoded and compared when they were packed, are not read.
///
/// # Errors
///
/// The first difference.
pub fn check_packed(package: &File, compression: Compression, index: &Index) -> Result<(), UnpackError> {
    let proved = if codec::sums_up(compression) && !index.whole { Cut::new(index) } else { Cut::default() };
    read_back(package, compression, index, &proved)
}

fn read_back(package: &File, compression: Compression, index: &Index, proved: &Cut) -> Result<(), UnpackError> {
    same_compression(index, compression)?;
    let reason = joined::Reason::default();
    let (input, compression, length) = match Joined::new(package, index, proved, &reason)? {
        Some(joined) => {
            let length = joined.length();
            // What it gives is decoded.
            (Box::new(joined) as Box<dyn Read + Send>, Compression::None, length)
        }
        None => (Source::File(package).into_read(), compression, index.size),
    };
    let mut tally = Tally::new(input, false, false);
    let mut compare = Compare::new(index, &proved.files);
    let size = stream::walk(&mut tally, compression, None, Limits::of_index(), trailing(index), &mut compare);
    let better = |error| feed::lock(&reason).take().unwrap_or(error);
    let size = size.map_err(better)?;
    compare.finish()?;
    if size != index.tar_size {
        return Err(UnpackError::Size { expected: index.tar_size, found: size });
    }
    tally.check_size(length).map_err(better)
}

/// Makes the index of an archive that came without one. Its one piece spans the archive.
///
/// # Errors
///
/// An archive that would be refused at unpacking. How much content it has is bounded by its own length alone, except for
/// holes ([`crate::model::MAX_HOLE_BYTES`]): a header of a few bytes may claim any number of them.
pub fn index_foreign(package: &File, compression: Compression) -> Result<Index, UnpackError> {
    index_stream(Source::File(package).into_read(), compression)
}

/// As [`index_foreign`], of an archive that is read once from its beginning to its end.
pub fn index_stream(package: Box<dyn Read + Send + '_>, compression: Compression) -> Result<Index, UnpackError> {
    let mut tally = Tally::new(package, false, true);
    let mut found = Found { raw: Some(blake3::Hasher::new()), ..Found::default() };
    let limits = Limits::of_index();
    let tar_size = stream::walk(&mut tally, compression, None, limits, Trailing::PassedOver, &mut found)?;
    let (size, packed) = tally.finish()?;
    let raw = found.raw.take().unwrap_or_default().finalize();
    let piece = Piece {
        offset: 0,
        length: size,
        tar_offset: 0,
        tar_length: tar_size,
        packed,
        raw: Blake3::from_bytes(*raw.as_bytes()),
    };
    let (head, tail) = (Vec::new(), Vec::new());
    let parts = IndexParts {
        compression,
        whole: true,
        size,
        tar_size,
        head,
        tail,
        entries: found.entries,
        pieces: vec![piece],
    };
    Ok(Index::new(parts)?)
}

/// Only an archive that another program made may have bytes behind it; one in pieces is our own.
fn trailing(index: &Index) -> Trailing {
    if index.whole { Trailing::PassedOver } else { Trailing::Refused }
}

fn same_compression(index: &Index, package: Compression) -> Result<(), UnpackError> {
    match index.compression {
        same if same == package => Ok(()),
        index => Err(UnpackError::Compression { index, package }),
    }
}

fn count(entries: &[IndexEntry], tree: Blake3) -> Unpacked {
    let sizes = entries.iter().filter_map(|e| match e.entry.kind {
        EntryKind::File { size, .. } => Some(size),
        _ => None,
    });
    let (files, bytes) = sizes.fold((0, 0u64), |(files, bytes), size| (files + 1, bytes.saturating_add(size)));
    Unpacked { tree, files, bytes, entries: entries.len() as u64, listed: Vec::new(), inodes: Vec::new() }
}

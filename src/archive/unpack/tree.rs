//! A tree made from an index: directories first, then files from wherever they are to be had, links last.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use super::deposit::Deposit;
use super::feed::{Feed, Pieces};
use super::source::{Source, Tally};
use super::stream::{self, Limits, Target};
use super::watch::Compare;
use super::{UnpackOptions, Unpacked, count, pieces, same_compression, trailing};
use crate::archive::error::UnpackError;
use crate::archive::pack::NORMALIZED_MTIME;
use crate::model::{Compression, Entry, EntryKind, Index, TreePath};

/// Of each piece of `index`, whether something in it is needed where `have` says of each entry whether its file is there;
/// with `whole`, all are. What cannot be taken apart is needed whole.
pub fn needed(index: &Index, have: &[bool], whole: bool) -> Vec<bool> {
    if whole || index.whole {
        return vec![true; index.pieces.len()];
    }
    pieces::Wanted::some(index, have).into_pieces()
}

/// A tree being made. Between [`Tree::begin`] and [`Tree::fill`] somebody else may put files into it, and says which.
pub struct Tree<'a> {
    index: &'a Index,
    deposit: Deposit<'a>,
    directories: BTreeMap<TreePath, i64>,
    /// Of each entry, the inode of its file, once that is made here; 0 until then.
    inodes: Vec<AtomicU64>,
    options: &'a UnpackOptions<'a>,
}

impl<'a> Tree<'a> {
    /// Makes every directory of `index` in `into`, an empty directory that exists.
    ///
    /// # Errors
    ///
    /// [`UnpackError::TooMuch`], [`UnpackError::Fs`].
    pub fn begin(index: &'a Index, into: &Path, options: &'a UnpackOptions<'a>) -> Result<Self, UnpackError> {
        if let Some(limit) = options.max_bytes.filter(|limit| index.stored_size() > *limit) {
            return Err(UnpackError::TooMuch { limit });
        }
        let deposit = Deposit::new(into, options)?;
        let directories = make_directories(index, &deposit)?;
        let inodes = index.entries.iter().map(|_| AtomicU64::new(0)).collect();
        Ok(Self { index, deposit, directories, inodes, options })
    }

    /// Takes from a package the files that are not there. `have` says of each entry of the index whether its file is; an
    /// empty one, that none is. What is there is neither read nor decoded, unless the options ask for the whole package to
    /// be checked.
    pub fn fill(&self, source: Source<'_>, compression: Compression, have: &[bool]) -> Result<(), UnpackError> {
        same_compression(self.index, compression)?;
        if self.index.whole {
            return self.fill_whole(source, have);
        }
        let wanted = pieces::Wanted::new(self.index, have, self.options);
        let feed = Feed::new(source, self.index, &wanted, self.options)?;
        pieces::unpack(feed, &wanted, &self.deposit, &self.inodes, self.options)
    }

    /// The same with the pieces of a package that come from elsewhere, in the order of the index and checked: all that are
    /// needed at least. `expected` of the options is for who gives them to check.
    ///
    /// # Errors
    ///
    /// As [`Tree::fill`]; [`UnpackError::Whole`]; [`UnpackError::NoPiece`].
    pub fn fill_pieces(&self, pieces: &dyn Pieces, compression: Compression, have: &[bool]) -> Result<(), UnpackError> {
        same_compression(self.index, compression)?;
        if self.index.whole {
            return Err(UnpackError::Whole);
        }
        let wanted = pieces::Wanted::new(self.index, have, self.options);
        if let Some(piece) = (0..self.index.pieces.len()).find(|number| wanted.piece(*number) && !pieces.comes(*number))
        {
            return Err(UnpackError::NoPiece { piece });
        }
        pieces::unpack(Feed::checked(pieces, self.index), &wanted, &self.deposit, &self.inodes, self.options)
    }

    /// Makes the links, and gives the directories their permission bits and times.
    pub fn finish(self) -> Result<Unpacked, UnpackError> {
        make_links(self.index, &self.deposit)?;
        self.deposit.seal_directories(&self.directories)?;
        let inodes = self.inodes.into_iter().map(AtomicU64::into_inner).collect();
        Ok(Unpacked { inodes, ..count(&self.index.entries, self.index.tree_digest()) })
    }

    /// Leaves the tree without links, and the directories as they are: only some of its files were wanted.
    pub fn unfinished(self) -> Unpacked {
        count(&self.index.entries, self.index.tree_digest())
    }

    /// One piece spans the package: one stream, compared with the index as it goes by.
    fn fill_whole(&self, source: Source<'_>, have: &[bool]) -> Result<(), UnpackError> {
        let (index, options) = (self.index, self.options);
        let mut tally = Tally::new(source.into_read(), options.expected.is_some(), true);
        let mut compare = Compare::new(index, &[]);
        let limits = Limits { bytes: None, holes: options.max_holes };
        let target = Target { deposit: &self.deposit, progress: options.progress, have: Some(have) };
        stream::walk(&mut tally, index.compression, Some(target), limits, trailing(index), &mut compare)?;
        compare.finish()?;
        tally.check_size(index.size)?;
        tally.check(options.expected)?;
        let (length, found) = tally.finish()?;
        match index.pieces.first().map(|piece| piece.packed) {
            Some(expected) if expected != found => {
                Err(UnpackError::Piece { piece: 0, offset: 0, length, expected, found })
            }
            _ => Ok(()),
        }
    }
}

/// Makes all directories, those that no entry names too; returns them with their times.
fn make_directories(index: &Index, deposit: &Deposit<'_>) -> Result<BTreeMap<TreePath, i64>, UnpackError> {
    let mut hand = deposit.hand();
    let mut times = BTreeMap::new();
    let mut known: Option<TreePath> = None;
    for Entry { path, kind, mtime, .. } in index.entries.iter().map(|item| &item.entry) {
        let mut missing = Vec::new();
        let mut above = path.parent();
        if above != known {
            known.clone_from(&above);
            while let Some(parent) = above.filter(|parent| !times.contains_key(parent)) {
                above = parent.parent();
                missing.push((parent, NORMALIZED_MTIME));
            }
        }
        if *kind == EntryKind::Directory && times.insert(path.clone(), *mtime).is_none() {
            missing.insert(0, (path.clone(), *mtime));
        }
        for (directory, mtime) in missing.into_iter().rev() {
            deposit.directory(&mut hand, &directory)?;
            times.insert(directory, mtime);
        }
    }
    Ok(times)
}

/// Links come last: nothing is ever written through one.
fn make_links(index: &Index, deposit: &Deposit<'_>) -> Result<(), UnpackError> {
    let mut hand = deposit.hand();
    for item in &index.entries {
        let entry = &item.entry;
        match &entry.kind {
            EntryKind::Symlink { target } => deposit.symlink(&mut hand, &entry.path, target, entry.mtime)?,
            EntryKind::HardLink { to } => deposit.hard_link(&mut hand, &entry.path, to)?,
            EntryKind::Directory | EntryKind::File { .. } => {}
        }
    }
    Ok(())
}

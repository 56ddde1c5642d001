//! Which pieces of a package that is to be unpacked lie in files of installed versions: those of big files that changed in
//! part. The index of an installed version says which bytes of which file are a piece by itself; the same bytes, wherever
//! they lie in the new version, are not fetched again.
//!
//! What a file holds is not believed: a piece is read, and given only where its digest is that of the wanted one.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::sources::candidates;
use super::{Error, Receipt, View};
use crate::codec::Buffer;
use crate::fsx::{Dir, FileKind};
use crate::model::{Blake3, ComponentType, Entry, EntryKind, Index, TreePath, Version};

/// Of so many installed versions the indexes are read at most.
const VERSIONS: usize = 4;
/// So many files are held open at most.
const FILES: usize = 256;

/// Where a piece lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    file: usize,
    offset: u64,
    length: usize,
    raw: Blake3,
}

/// Pieces that lie in files of installed versions.
#[derive(Debug, Default)]
pub struct HeldPieces {
    files: Vec<File>,
    /// By the number of the wanted piece.
    places: Vec<Option<Place>>,
}

/// Tells the index of an installed version; `None` where it cannot be had. The flag says whether it is worth fetching.
pub type IndexOf<'a> = &'a dyn Fn(&Receipt, bool) -> Option<Index>;

impl HeldPieces {
    /// The installed version of `component` that is looked in first, if there is another one than `version`.
    ///
    /// # Errors
    ///
    /// As [`HeldPieces::find`].
    pub fn first(view: &View, component: &ComponentType, version: &Version) -> Result<Option<Receipt>, Error> {
        let Some(first) = others(view, component, version)?.next() else { return Ok(None) };
        Ok(view.receipt(component, &first).ok().flatten())
    }

    /// Looks in the installed versions of `component`, the current one first, for the pieces of `index` that are `needed`; not
    /// in `version` itself, which is being made.
    ///
    /// # Errors
    ///
    /// It cannot be told which versions are installed. One that cannot be read has nothing.
    pub fn find(
        view: &View,
        (component, version): (&ComponentType, &Version),
        index: &Index,
        needed: &[bool],
        index_of: IndexOf<'_>,
    ) -> Result<Self, Error> {
        let mut found = Self { files: Vec::new(), places: vec![None; index.pieces.len()] };
        let mut wanted: HashMap<Blake3, Vec<usize>> = HashMap::new();
        for number in within_files(index).map(|(number, ..)| number) {
            if needed.get(number).copied().unwrap_or(false)
                && let Some(piece) = index.pieces.get(number)
            {
                wanted.entry(piece.raw).or_default().push(number);
            }
        }
        for (rank, other) in others(view, component, version)?.enumerate() {
            if wanted.is_empty() {
                break;
            }
            let Ok(Some(receipt)) = view.receipt(component, &other) else { continue };
            let Some(installed) = index_of(&receipt, rank == 0) else { continue };
            let Ok(dir) = Dir::open(&view.layout().version(component, &other)) else { continue };
            found.look_in(&dir, &installed, index, &mut wanted);
        }
        Ok(found)
    }

    fn look_in(&mut self, dir: &Dir, installed: &Index, index: &Index, wanted: &mut HashMap<Blake3, Vec<usize>>) {
        // A file that is gone, is no file or has another length has nothing; it is looked at once.
        let mut opened: HashMap<&TreePath, Option<usize>> = HashMap::new();
        for (number, entry, offset) in within_files(installed) {
            let Some(piece) = installed.pieces.get(number) else { continue };
            if !wanted.contains_key(&piece.raw) {
                continue;
            }
            let file = *opened.entry(&entry.path).or_insert_with(|| {
                let file = open(dir, entry).filter(|_| self.files.len() < FILES)?;
                self.files.push(file);
                Some(self.files.len() - 1)
            });
            let Some(file) = file else { continue };
            for number in wanted.remove(&piece.raw).unwrap_or_default() {
                let length = index.pieces.get(number).map_or(0, |piece| piece.tar_length);
                let Ok(length) = usize::try_from(length) else { continue };
                if let Some(place) = self.places.get_mut(number) {
                    *place = Some(Place { file, offset, length, raw: piece.raw });
                }
            }
        }
    }

    /// Of each piece, whether it lies here.
    pub fn has(&self) -> Vec<bool> {
        self.places.iter().map(Option::is_some).collect()
    }

    /// Reads a piece, as it lies in the tar stream. `false` where its bytes are not what they should be.
    pub fn read(&self, number: usize, into: &mut Buffer) -> bool {
        let Some(place) = self.places.get(number).copied().flatten() else { return false };
        let Some(file) = self.files.get(place.file) else { return false };
        into.clear();
        if file.read_exact_at(into.room(place.length), place.offset).is_err() {
            return false;
        }
        into.grow(place.length);
        Blake3::of(into.filled()) == place.raw
    }
}

/// The installed versions that are looked in, in their order.
fn others<'c>(
    view: &View,
    component: &'c ComponentType,
    version: &'c Version,
) -> Result<impl Iterator<Item = Version> + use<'c>, Error> {
    let all = candidates(view, component, version)?.into_iter();
    Ok(all.filter(move |(kind, other)| kind == component && other != version).map(|(_, other)| other).take(VERSIONS))
}

/// The pieces that lie in one file and hold nothing else: the number, the file's entry, and where in the file.
pub(super) fn within_files(index: &Index) -> impl Iterator<Item = (usize, &Entry, u64)> {
    index.pieces.iter().enumerate().filter_map(|(number, piece)| {
        let at = index.entries.partition_point(|item| item.end() <= piece.tar_offset);
        let item = index.entries.get(at)?;
        let offset = piece.tar_offset.checked_sub(item.offset)?;
        let is_file = matches!(item.entry.kind, EntryKind::File { .. });
        (is_file && offset + piece.tar_length <= item.stored).then_some((number, &item.entry, offset))
    })
}

/// The pieces of `index` that lie in a file of the tree of `before`, as its index says.
pub fn shared_pieces(index: &Index, before: &Index) -> Vec<bool> {
    let held: std::collections::HashSet<_> =
        within_files(before).filter_map(|(number, ..)| Some(before.pieces.get(number)?.raw)).collect();
    index.pieces.iter().map(|piece| held.contains(&piece.raw)).collect()
}

fn open(dir: &Dir, entry: &Entry) -> Option<File> {
    let EntryKind::File { size, .. } = entry.kind else { return None };
    let path = super::inventory::os_path(&entry.path);
    let file = dir.open_file(path, false).ok()?;
    let stat = dir.inspect_open(&file, path.file_name()?).ok()?;
    (stat.kind == FileKind::File && stat.size == size).then_some(file)
}

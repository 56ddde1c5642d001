//! What becomes of the entries of a stream that is read: they are collected, or compared with an index.

use crate::archive::error::{Aspect, UnpackError};
use crate::archive::tar::{Body, Member};
use crate::model::{Amount, Blake3, EntryKind, Index, IndexEntry, IndexError, MAX_ENTRIES};

/// Who watches the entries go by.
pub(super) trait Watch {
    /// An entry's headers were read; its content was not.
    fn member(&mut self, member: &Member, offset: u64) -> Result<(), UnpackError>;

    /// The entry is complete.
    fn entry(&mut self, entry: IndexEntry) -> Result<(), UnpackError>;

    /// The digest of the entry whose headers were read last, where the stream leaves its content out.
    fn left_out(&self) -> Option<Blake3> {
        None
    }

    /// Bytes of the tar stream.
    fn raw(&mut self, bytes: &[u8]);
}

/// Collects entries.
#[derive(Default)]
pub(super) struct Found {
    pub entries: Vec<IndexEntry>,
    /// Hashes the tar stream, if wanted.
    pub raw: Option<blake3::Hasher>,
}

impl Watch for Found {
    fn member(&mut self, _: &Member, _: u64) -> Result<(), UnpackError> {
        let (found, limit) = (self.entries.len() as u64 + 1, MAX_ENTRIES as u64);
        if found > limit { Err(IndexError::Limit { what: Amount::Entries, found, limit }.into()) } else { Ok(()) }
    }

    fn entry(&mut self, entry: IndexEntry) -> Result<(), UnpackError> {
        self.entries.push(entry);
        Ok(())
    }

    fn raw(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.raw {
            hasher.update(bytes);
        }
    }
}

/// Compares entries with an index.
pub(super) struct Compare<'a> {
    index: &'a Index,
    /// Of each entry, whether the stream leaves its content out.
    proved: &'a [bool],
    next: usize,
}

impl<'a> Compare<'a> {
    pub fn new(index: &'a Index, proved: &'a [bool]) -> Self {
        Self { index, proved, next: 0 }
    }

    /// The archive is at its end: so must be the index.
    pub fn finish(self) -> Result<(), UnpackError> {
        match self.index.entries.get(self.next) {
            None => Ok(()),
            Some(item) => Err(UnpackError::Unlisted { path: item.entry.path.clone(), in_archive: false }),
        }
    }
}

impl Watch for Compare<'_> {
    fn member(&mut self, member: &Member, offset: u64) -> Result<(), UnpackError> {
        match self.index.entries.get(self.next) {
            None => Err(UnpackError::Unlisted { path: member.path.clone(), in_archive: true }),
            Some(item) => compare(member, offset, item),
        }
    }

    fn entry(&mut self, found: IndexEntry) -> Result<(), UnpackError> {
        let listed = self.index.entries.get(self.next);
        self.next += 1;
        match (&found.entry.kind, listed.map(|item| &item.entry.kind)) {
            (EntryKind::File { digest: found_digest, .. }, Some(EntryKind::File { digest: expected, .. }))
                if found_digest != expected =>
            {
                let (path, expected, found) = (found.entry.path, *expected, *found_digest);
                Err(UnpackError::Content { path, expected, found })
            }
            _ => Ok(()),
        }
    }

    fn left_out(&self) -> Option<Blake3> {
        match self.index.entries.get(self.next).map(|item| &item.entry.kind) {
            Some(EntryKind::File { digest, .. }) if self.proved.get(self.next) == Some(&true) => Some(*digest),
            _ => None,
        }
    }

    fn raw(&mut self, _: &[u8]) {}
}

/// Whether headers say what the index says.
pub(super) fn compare(member: &Member, offset: u64, item: &IndexEntry) -> Result<(), UnpackError> {
    let entry = &item.entry;
    let differs = |what| Err(UnpackError::Differs { path: member.path.clone(), what });
    if member.path != entry.path {
        return differs(Aspect::Place);
    }
    match (&member.body, &entry.kind) {
        (Body::Directory, EntryKind::Directory) => {}
        (Body::File { size, .. }, EntryKind::File { size: listed, .. }) if size == listed => {}
        (Body::File { .. }, EntryKind::File { .. }) => return differs(Aspect::Size),
        (Body::Symlink { target }, EntryKind::Symlink { target: listed }) if target == listed => {}
        (Body::HardLink { to }, EntryKind::HardLink { to: listed }) if to == listed => {}
        (Body::Symlink { .. }, EntryKind::Symlink { .. }) | (Body::HardLink { .. }, EntryKind::HardLink { .. }) => {
            return differs(Aspect::Target);
        }
        _ => return differs(Aspect::Kind),
    }
    if member.mode != entry.mode {
        return differs(Aspect::Mode);
    }
    if member.mtime != entry.mtime {
        return differs(Aspect::Time);
    }
    if offset != item.offset || member.stored != item.stored {
        return differs(Aspect::Offset);
    }
    Ok(())
}

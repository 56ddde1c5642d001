//! The plain way: one stream, entry after entry. Takes archives of any origin.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

use super::ahead::Ahead;
use super::deposit::Deposit;
use super::source::Tally;
use super::watch::Watch;
use crate::archive::error::UnpackError;
use crate::archive::pack::NORMALIZED_MTIME;
use crate::archive::tar::{Body, Member, Segment, TarError, next_member, no_header, only_zeros, padding};
use crate::codec::{self, Trailing};
use crate::fsx::Hand;
use crate::model::{Blake3, Compression, Entry, EntryKind, IndexEntry, MAX_HOLE_BYTES, Shape, TreeHasher, TreePath};

/// The tree digest of entries.
pub(super) fn digest(entries: &[IndexEntry]) -> Blake3 {
    let mut hasher = TreeHasher::new();
    entries.iter().for_each(|e| hasher.add(&e.entry));
    hasher.finish()
}

/// Where to write, and whom to tell how much.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub deposit: &'a Deposit<'a>,
    pub progress: &'a (dyn Fn(u64) + Sync),
    /// Where only files are made, and those only that are not there: of each entry, whether it is.
    pub have: Option<&'a [bool]>,
}

impl<'a> Target<'a> {
    /// Where directories and links are made.
    fn shape(self) -> Option<&'a Deposit<'a>> {
        self.have.is_none().then_some(self.deposit)
    }

    /// Where the file of entry `number` is made.
    fn file(self, number: usize) -> Option<&'a Deposit<'a>> {
        let there = self.have.and_then(|have| have.get(number)).copied().unwrap_or(false);
        (!there).then_some(self.deposit)
    }
}

/// How much an archive may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of files, holes left out.
    pub bytes: Option<u64>,
    /// Bytes of holes in sparse files.
    pub holes: u64,
}

impl Limits {
    /// What an index can describe.
    pub fn of_index() -> Self {
        Self { bytes: None, holes: MAX_HOLE_BYTES }
    }
}

/// Reads an archive to the end of its input, writes its entries if there is a `target`, and returns the tar stream's
/// length.
pub(super) fn walk(
    input: &mut Tally<'_>,
    compression: Compression,
    target: Option<Target<'_>>,
    limits: Limits,
    trailing: Trailing,
    watch: &mut dyn Watch,
) -> Result<u64, UnpackError> {
    std::thread::scope(|scope| {
        let input: Box<dyn io::BufRead + Send + '_> = Box::new(BufReader::with_capacity(1 << 18, input));
        let input = Ahead::spawn(scope, codec::reader(compression, input, trailing));
        let mut walk = Walk {
            input: Counted { input, at: 0, watch },
            shape: Shape::new(),
            target,
            hand: target.map(|target| target.deposit.hand()),
            number: 0,
            directories: BTreeMap::new(),
            limits,
            trailing,
            bytes: 0,
            holes: 0,
            buffer: vec![0; 1 << 18],
        };
        walk.run()?;
        Ok(walk.input.at)
    })
}

/// The tar stream, counted and shown.
struct Counted<'w, R> {
    input: R,
    at: u64,
    watch: &'w mut dyn Watch,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(out)?;
        self.at += count as u64;
        self.watch.raw(&out[..count]);
        Ok(count)
    }
}

struct Walk<'a, 'w, R> {
    input: Counted<'w, R>,
    shape: Shape,
    target: Option<Target<'a>>,
    hand: Option<Hand<'a>>,
    /// The entry that is next.
    number: usize,
    directories: BTreeMap<TreePath, i64>,
    limits: Limits,
    trailing: Trailing,
    bytes: u64,
    holes: u64,
    buffer: Vec<u8>,
}

impl<R: Read> Walk<'_, '_, R> {
    fn run(&mut self) -> Result<(), UnpackError> {
        let mut after: Option<TreePath> = None;
        while let Some(member) = next_member(&mut self.input, after.as_ref())? {
            after = Some(member.path.clone());
            self.member(member)?;
        }
        match self.trailing {
            Trailing::Refused => only_zeros(&mut self.input)?,
            Trailing::PassedOver => no_header(&mut self.input)?,
        }
        if let Some(deposit) = self.target.and_then(Target::shape) {
            deposit.seal_directories(&self.directories)?;
        }
        Ok(())
    }

    fn member(&mut self, member: Member) -> Result<(), UnpackError> {
        let offset = self.input.at;
        self.input.watch.member(&member, offset)?;
        let Member { path, body, mode, mtime, stored, .. } = member;
        let mut kind = match &body {
            Body::Directory => EntryKind::Directory,
            Body::File { size, .. } => EntryKind::File { size: *size, digest: Blake3::from_bytes([0; 32]) },
            Body::Symlink { target } => EntryKind::Symlink { target: target.clone() },
            Body::HardLink { to } => EntryKind::HardLink { to: to.clone() },
        };
        let implied = self.shape.admit(&path, &kind)?;
        let shape = self.target.and_then(Target::shape).zip(self.hand.as_mut());
        match (body, shape) {
            (Body::File { size, segments }, shape) => {
                if let Some((deposit, hand)) = shape {
                    implied_directories(implied, deposit, hand, &mut self.directories)?;
                }
                let found = self.file(&path, mode, mtime, size, segments)?;
                kind = EntryKind::File { size, digest: found };
            }
            (body, Some((deposit, hand))) => {
                implied_directories(implied, deposit, hand, &mut self.directories)?;
                match body {
                    // It may have been made for an entry in it.
                    Body::Directory if self.directories.insert(path.clone(), mtime).is_none() => {
                        deposit.directory(hand, &path)?;
                    }
                    Body::Symlink { target } => deposit.symlink(hand, &path, &target, mtime)?,
                    Body::HardLink { to } => deposit.hard_link(hand, &path, &to)?,
                    Body::Directory | Body::File { .. } => {}
                }
            }
            (_, None) => {}
        }
        self.number += 1;
        self.input.watch.entry(IndexEntry { entry: Entry { path, kind, mode, mtime }, offset, stored })
    }

    /// Counts a file before anything of it is read or made.
    fn admit(&mut self, path: &TreePath, size: u64, stored: u64) -> Result<(), UnpackError> {
        self.bytes = self.bytes.saturating_add(stored);
        self.holes = self.holes.saturating_add(size.saturating_sub(stored));
        if let Some(limit) = self.limits.bytes.filter(|limit| self.bytes > *limit) {
            return Err(UnpackError::TooMuch { limit });
        }
        let (found, limit) = (self.holes, self.limits.holes);
        if found > limit { Err(UnpackError::Holes { path: path.clone(), found, limit }) } else { Ok(()) }
    }

    /// Reads a file's content and padding, writes it, and returns its digest.
    fn file(
        &mut self,
        path: &TreePath,
        mode: u32,
        mtime: i64,
        size: u64,
        segments: Option<Vec<Segment>>,
    ) -> Result<Blake3, UnpackError> {
        let segments = segments.unwrap_or_else(|| vec![Segment { offset: 0, length: size }]);
        let all = segments.iter().map(|segment| segment.length).sum();
        self.admit(path, size, all)?;
        if let Some(digest) = self.input.watch.left_out() {
            self.input.at += all;
            fill(&mut self.input, &mut self.buffer[..padding(all)])?;
            return Ok(digest);
        }
        let mut target = self.target.and_then(|target| target.file(self.number)).zip(self.hand.as_mut());
        let file = match &mut target {
            Some((deposit, hand)) => Some(deposit.file(hand, path, mode)?),
            None => None,
        };
        let mut hasher = blake3::Hasher::new();
        let (mut at, mut stored, mut written) = (0, 0, 0);
        for Segment { offset, length } in segments {
            hash_zeros(&mut hasher, offset - at);
            at = offset;
            stored += length;
            while at < offset + length {
                let part = self.buffer.len().min((offset + length - at) as usize);
                let part = &mut self.buffer[..part];
                fill(&mut self.input, part)?;
                hasher.update(part);
                if let (Some(file), Some((deposit, hand))) = (&file, &mut target) {
                    deposit.write(hand, path, file, part, at)?;
                }
                at += part.len() as u64;
                written = at;
            }
        }
        hash_zeros(&mut hasher, size - at);
        fill(&mut self.input, &mut self.buffer[..padding(stored)])?;
        if let (Some(file), Some((deposit, hand))) = (&file, &mut target) {
            if written < size {
                deposit.set_length(hand, path, file, size)?;
            }
            deposit.seal(hand, path, file, mode, mtime)?;
        }
        if let Some(target) = self.target {
            (target.progress)(self.bytes.saturating_add(self.holes));
        }
        Ok(Blake3::from_bytes(*hasher.finalize().as_bytes()))
    }
}

/// Makes the directories that an entry lies in and no entry names.
fn implied_directories(
    implied: Vec<TreePath>,
    deposit: &Deposit<'_>,
    hand: &mut Hand<'_>,
    directories: &mut BTreeMap<TreePath, i64>,
) -> Result<(), UnpackError> {
    for directory in implied {
        deposit.directory(hand, &directory)?;
        directories.insert(directory, NORMALIZED_MTIME);
    }
    Ok(())
}

fn fill(input: &mut impl Read, out: &mut [u8]) -> Result<(), TarError> {
    input.read_exact(out).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => TarError::CutShort,
        _ => TarError::Read(e),
    })
}

fn hash_zeros(hasher: &mut blake3::Hasher, mut count: u64) {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    while count > 0 {
        let part = count.min(ZEROS.len() as u64);
        hasher.update(&ZEROS[..part as usize]);
        count -= part;
    }
}

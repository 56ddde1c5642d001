//! The tar stream of an archive whose pieces lie one behind the other, piece after piece, each compared with what the index
//! says of it before and after decoding; at its end, head and tail. Pieces that were proved before are left out of it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;

use super::feed::lock;
use crate::archive::error::{End, UnpackError};
use crate::codec::{self, Buffer, Container, Decoder, Settings};
use crate::model::{Blake3, Index};

/// Why a reader gave up: itself it can only say so as an [`io::Error`], which others wrap.
pub(super) type Reason = Mutex<Option<UnpackError>>;

/// The files that lie in pieces of their own, as `pack` cuts big ones, and those pieces; each by its number.
#[derive(Default)]
pub(super) struct Cut {
    pub files: Vec<bool>,
    pub pieces: Vec<bool>,
}

impl Cut {
    pub fn new(index: &Index) -> Self {
        let mut cut = Self { files: vec![false; index.entries.len()], pieces: vec![false; index.pieces.len()] };
        for (item, file) in index.entries.iter().zip(&mut cut.files) {
            let (start, end) = (item.offset, item.offset + item.stored);
            let first = index.pieces.partition_point(|piece| piece.tar_offset < start);
            let behind = index.pieces.partition_point(|piece| piece.tar_offset < end);
            let Some(own) = cut.pieces.get_mut(first..behind) else { continue };
            let begins = index.pieces.get(first).is_some_and(|piece| piece.tar_offset == start);
            let ends = behind.checked_sub(1).and_then(|last| index.pieces.get(last));
            if begins && ends.is_some_and(|last| last.tar_offset + last.tar_length == end) {
                *file = !own.is_empty();
                own.fill(true);
            }
        }
        cut
    }
}

/// The reader.
pub(super) struct Joined<'a> {
    package: &'a File,
    index: &'a Index,
    /// What is left out.
    proved: &'a Cut,
    decoder: Option<Box<dyn Decoder>>,
    container: Box<dyn Container>,
    number: usize,
    packed: Buffer,
    raw: Buffer,
    at: usize,
    ended: bool,
    reason: &'a Reason,
}

impl<'a> Joined<'a> {
    /// The reader, where pieces, head and tail are all there is in such an archive ([`codec::sums_up`]).
    pub fn new(
        package: &'a File,
        index: &'a Index,
        proved: &'a Cut,
        reason: &'a Reason,
    ) -> Result<Option<Self>, UnpackError> {
        if index.whole || !codec::sums_up(index.compression) {
            return Ok(None);
        }
        let failed = |source| UnpackError::Codec { piece: 0, source };
        let (decoder, settings) = (codec::decoder(index.compression), Settings::new(index.compression, None));
        let (decoder, container) = (decoder.map_err(failed)?, settings.map_err(failed)?.container());
        let (packed, raw) = (Buffer::default(), Buffer::default());
        Ok(Some(Self {
            package,
            index,
            proved,
            decoder,
            container,
            number: 0,
            packed,
            raw,
            at: 0,
            ended: false,
            reason,
        }))
    }

    /// How many bytes it gives.
    pub fn length(&self) -> u64 {
        let left_out = self.index.pieces.iter().zip(&self.proved.pieces).filter(|(_, proved)| **proved);
        self.index.tar_size - left_out.map(|(piece, _)| piece.tar_length).sum::<u64>()
    }

    /// Brings the next piece; whether there was one.
    fn next(&mut self) -> Result<bool, UnpackError> {
        while self.proved.pieces.get(self.number).is_some_and(|proved| *proved) {
            self.number += 1;
        }
        let Some(piece) = self.index.pieces.get(self.number) else { return Ok(false) };
        let number = self.number;
        let (length, tar_length) = (piece.length as usize, piece.tar_length as usize);
        self.packed.clear();
        self.raw.clear();
        self.package.read_exact_at(self.packed.room(length), piece.offset).map_err(UnpackError::Read)?;
        self.packed.grow(length);
        let differs = |expected: Blake3, found: Blake3| match found == expected {
            true => Ok(()),
            false => {
                Err(UnpackError::Piece { piece: number, offset: piece.offset, length: piece.length, expected, found })
            }
        };
        let packed = Blake3::of(self.packed.filled());
        differs(piece.packed, packed)?;
        let raw = match &mut self.decoder {
            Some(decoder) => {
                let decoded = decoder.decode(&mut self.packed, self.raw.room(tar_length));
                decoded.map_err(|source| UnpackError::Codec { piece: number, source })?;
                self.raw.grow(tar_length);
                Blake3::of(self.raw.filled())
            }
            None => {
                std::mem::swap(&mut self.packed, &mut self.raw);
                packed
            }
        };
        differs(piece.raw, raw)?;
        let seal = codec::seal(self.index.compression, self.raw.filled());
        self.container.add(self.raw.filled(), &mut self.packed, seal);
        (self.number, self.at) = (number + 1, 0);
        Ok(true)
    }

    /// All pieces were read: what the file has around them is what the index says, and what such pieces have around them.
    fn end(&mut self) -> Result<(), UnpackError> {
        let size = self.package.metadata().map_err(UnpackError::Read)?.len();
        if size != self.index.size {
            return Err(UnpackError::Size { expected: self.index.size, found: size });
        }
        // Of pieces that were left out it does not know what to sum up.
        let whole = !self.proved.pieces.contains(&true);
        let tail = if whole { self.container.tail() } else { self.index.tail.clone() };
        for (end, made, listed, offset) in [
            (End::Head, self.container.head(), &self.index.head, 0),
            (End::Tail, tail, &self.index.tail, size - self.index.tail.len() as u64),
        ] {
            let mut found = vec![0; listed.len()];
            self.package.read_exact_at(&mut found, offset).map_err(UnpackError::Read)?;
            if found != *listed || made != *listed {
                return Err(UnpackError::Ends { end });
            }
        }
        Ok(())
    }
}

impl Read for Joined<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.raw.len() && !self.ended {
            let more = self.next().and_then(|more| if more { Ok(true) } else { self.end().map(|()| false) });
            match more {
                Ok(more) => self.ended = !more,
                Err(error) => {
                    lock(self.reason).get_or_insert(error);
                    return Err(io::Error::other("the package is not what its index says"));
                }
            }
        }
        let rest = self.raw.filled().get(self.at..).unwrap_or_default();
        let count = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}

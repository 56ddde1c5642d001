//! bzip2: one stream, its blocks made on all cores and joined bit by bit.
//!
//! ```text
//! head    42 5a 68 level           "BZh" and the level
//! blocks  31 41 59 26 53 59 · CRC-32 · …       each begins at any bit
//! tail    17 72 45 38 50 90 · combined CRC-32 · padding to a byte
//! ```
//!
//! Blocks depend on nothing before them, but they do not begin at whole bytes, so pieces cannot be taken out of the
//! archive: its index has one piece that spans it.

use std::io::{self, BufRead, Read};

use bzip2::bufread::BzDecoder;
use bzip2::{Action, Compress, Status};

use super::{Buffer, CodecError, Container, Encoder, Flaw, Seal, stream};
use crate::model::Compression;

/// The encoder's name and version.
pub(super) const LIBRARY: &str = "libbz2-rs-sys 0.2.6";

const END: u64 = 0x1772_4538_5090;
const HEAD_BITS: usize = 32;
const END_BITS: usize = 48 + 32;

/// Compresses pieces into blocks without a stream around them.
pub(super) struct Bzip2Encoder {
    level: u32,
    stream: Vec<u8>,
}

impl Bzip2Encoder {
    pub(super) fn new(level: i32) -> Self {
        Self { level: level.unsigned_abs(), stream: Vec::new() }
    }
}

impl Encoder for Bzip2Encoder {
    fn encode(&mut self, mut raw: &[u8], packed: &mut Buffer) -> Result<Seal, CodecError> {
        packed.clear();
        let mut bits = Bits::default();
        let (mut crc, mut blocks) = (0u32, 0);
        while !raw.is_empty() {
            let block;
            (block, raw) = raw.split_at(one_block(raw, self.level));
            compress(block, self.level, &mut self.stream)?;
            let (end, block_crc) = end_of_block(&self.stream).ok_or_else(|| failed(Flaw::Unexpected))?;
            bits.append(&self.stream, HEAD_BITS, end, packed);
            crc = crc.rotate_left(1) ^ block_crc;
            blocks += 1;
        }
        let bits = packed.len() * 8 + bits.finish(packed);
        Ok(Seal::Bzip2 { bits, crc, blocks })
    }
}

fn failed(reason: Flaw) -> CodecError {
    CodecError::Encode { compression: Compression::Bzip2, reason }
}

/// How many bytes fill one block. Blocks hold the outcome of a first pass, in which four to 255 equal bytes become
/// five.
fn one_block(raw: &[u8], level: u32) -> usize {
    let limit = 100_000 * level as usize - 32;
    let (mut taken, mut filled) = (0, 0);
    while let Some(first) = raw.get(taken) {
        let run = raw[taken..].iter().take(255).take_while(|b| *b == first).count();
        let cost = if run < 4 { run } else { 5 };
        if filled + cost > limit {
            break;
        }
        filled += cost;
        taken += run;
    }
    taken
}

fn compress(block: &[u8], level: u32, out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.clear();
    out.reserve(block.len() + block.len() / 64 + 1024);
    let mut state = Compress::new(bzip2::Compression::new(level), 0);
    loop {
        let rest = block.get(state.total_in() as usize..).unwrap_or_default();
        match state.compress_vec(rest, out, Action::Finish).map_err(|e| failed(Flaw::Library(e.to_string())))? {
            Status::StreamEnd => return Ok(()),
            _ => out.reserve(1024),
        }
    }
}

/// At which bit the only block of a stream ends, and its CRC. The padding is unknown, so the end mark is looked for
/// where it can be; the stream's CRC behind it is the block's.
fn end_of_block(stream: &[u8]) -> Option<(usize, u32)> {
    let crc = stream.get(10..14)?.try_into().map(u32::from_be_bytes).ok()?;
    let mark = u128::from(END) << 32 | u128::from(crc);
    let last = stream.last_chunk::<16>().map(|bytes| u128::from_be_bytes(*bytes))?;
    let padding = (0..8).find(|padding| last >> padding & ((1 << END_BITS) - 1) == mark)?;
    Some((stream.len() * 8 - padding - END_BITS, crc))
}

/// Up to seven bits that wait for their byte to become full; they are the highest of `byte`.
#[derive(Default)]
struct Bits {
    byte: u8,
    count: usize,
}

impl Bits {
    /// Appends bits `from..to` of `bytes`, counted from the highest of the first, to the whole bytes in `out`.
    /// `from` is a multiple of eight.
    fn append(&mut self, bytes: &[u8], from: usize, to: usize, out: &mut Buffer) {
        let bytes = &bytes[from / 8..to.div_ceil(8)];
        let (whole, rest) = ((to - from) / 8, (to - from) % 8);
        let room = out.room(whole + 1);
        for (place, byte) in room.iter_mut().zip(&bytes[..whole]) {
            *place = self.byte | byte >> self.count;
            self.byte = ((u16::from(*byte) << 8 >> self.count) & 0xff) as u8;
        }
        out.grow(whole);
        if rest > 0 {
            let last = bytes[whole] & !(0xff >> rest);
            let joined = u16::from(self.byte) << 8 | u16::from(last) << 8 >> self.count;
            self.count += rest;
            self.byte = (joined >> 8) as u8;
            if self.count >= 8 {
                out.push(&[self.byte]);
                self.byte = (joined & 0xff) as u8;
                self.count -= 8;
            }
        }
    }

    /// Puts the waiting bits into a last byte; returns how many they were.
    fn finish(&mut self, out: &mut Buffer) -> usize {
        let count = std::mem::take(&mut self.count);
        if count > 0 {
            out.push(&[std::mem::take(&mut self.byte)]);
        }
        count
    }
}

/// One stream around all pieces.
pub(super) struct Bzip2Container {
    level: i32,
    bits: Bits,
    crc: u32,
    joined: Buffer,
}

impl Bzip2Container {
    pub(super) fn new(level: i32) -> Self {
        Self { level, bits: Bits::default(), crc: 0, joined: Buffer::default() }
    }
}

impl Container for Bzip2Container {
    fn head(&self) -> Vec<u8> {
        format!("BZh{}", self.level).into_bytes()
    }

    fn add(&mut self, _: &[u8], packed: &mut Buffer, seal: Seal) {
        if let Seal::Bzip2 { bits, crc, blocks } = seal {
            self.crc = self.crc.rotate_left(blocks % 32) ^ crc;
            self.joined.clear();
            self.bits.append(packed.filled(), 0, bits, &mut self.joined);
            std::mem::swap(packed, &mut self.joined);
        }
    }

    fn tail(&mut self) -> Vec<u8> {
        let end = [&END.to_be_bytes()[2..], &self.crc.to_be_bytes()].concat();
        let mut out = Buffer::default();
        self.bits.append(&end, 0, END_BITS, &mut out);
        self.bits.finish(&mut out);
        out.filled().to_vec()
    }
}

/// One stream of a foreign archive.
pub(super) struct Bzip2Member<R>(BzDecoder<R>);

impl<R: BufRead> Read for Bzip2Member<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl<R: BufRead> stream::Member<R> for Bzip2Member<R> {
    fn begins(start: &[u8]) -> bool {
        stream::agrees(start, b"BZh")
    }

    fn open(input: R) -> io::Result<Self> {
        Ok(Self(BzDecoder::new(input)))
    }

    fn close(self) -> R {
        self.0.into_inner()
    }
}

//! xz (the .xz file format 1.2.1): one stream, one block a piece.
//!
//! ```text
//! head    fd 37 7a 58 5a 00  00 04 (CRC-64)  CRC-32            12 bytes
//! piece   block header · LZMA2 · padding to 4 · CRC-64
//! …
//! tail    index: 00 · count · (unpadded size · raw size)… · padding to 4 · CRC-32
//!         footer: CRC-32 · size of the index · 00 04 · 59 5a   12 bytes
//! ```
//!
//! Each piece is encoded as a stream of its own; its header, index and footer are cut off, one of each is written
//! for all.

use std::io::{self, BufRead, Read};

use liblzma::bufread::XzDecoder;
use liblzma::stream::{Action, Check, Filters, LzmaOptions, Status, Stream};

use super::sample::{Content, judge};
use super::{Buffer, CodecError, Container, Decoder, Encoder, Flaw, Seal, decode_error, stream};
use crate::model::Compression;

/// The encoder's name and version.
pub(super) const LIBRARY: &str = "liblzma 0.4.9";

const FLAGS: [u8; 2] = [0, 4];
const ENDS: usize = 12;
/// LZMA gains little on what has no repetitions, and is slow at it.
const UNEVEN_LEVEL: u32 = 0;
/// Decoders need as much memory as the encoder's dictionary had; more than level 9 asks for is refused.
const MEMORY: u64 = 256 << 20;
const SMALLEST_DICTIONARY: u32 = 64 << 10;

fn head() -> [u8; ENDS] {
    let mut head = *b"\xfd7zXZ\0\0\x04\0\0\0\0";
    head[8..].copy_from_slice(&crc32fast::hash(&FLAGS).to_le_bytes());
    head
}

/// Compresses pieces.
pub(super) struct XzEncoder {
    level: u32,
}

impl XzEncoder {
    pub(super) fn new(level: i32) -> Self {
        Self { level: level.unsigned_abs() }
    }
}

impl Encoder for XzEncoder {
    fn encode(&mut self, raw: &[u8], packed: &mut Buffer) -> Result<Seal, CodecError> {
        let failed = |reason: Flaw| CodecError::Encode { compression: Compression::Xz, reason };
        let level = if judge(raw) == Content::Ordinary { self.level } else { UNEVEN_LEVEL };
        let mut options = LzmaOptions::new_preset(level).map_err(|e| failed(Flaw::Library(e.to_string())))?;
        // A dictionary larger than the piece would only take memory.
        let needed = u32::try_from(raw.len()).unwrap_or(u32::MAX).checked_next_power_of_two().unwrap_or(1 << 31);
        options.dict_size(needed.clamp(SMALLEST_DICTIONARY, dictionary(level)));
        let mut filters = Filters::new();
        filters.lzma2(&options);
        let mut stream =
            Stream::new_stream_encoder(&filters, Check::Crc64).map_err(|e| failed(Flaw::Library(e.to_string())))?;
        packed.clear();
        let room = packed.room(raw.len() + raw.len() / 4096 + 1024);
        let mut input = raw;
        let mut written = 0;
        loop {
            let (before_in, before_out) = (stream.total_in(), stream.total_out());
            let status = stream
                .process(input, &mut room[written..], Action::Finish)
                .map_err(|e| failed(Flaw::Library(e.to_string())))?;
            let (read, wrote) = (stream.total_in() - before_in, stream.total_out() - before_out);
            input = &input[read as usize..];
            written += wrote as usize;
            match status {
                Status::StreamEnd => break,
                _ if read + wrote == 0 => return Err(failed(Flaw::Unexpected)),
                _ => {}
            }
        }
        let (block, unpadded) = block_of(&room[..written]).ok_or_else(|| failed(Flaw::Unexpected))?;
        let length = block.len();
        room.copy_within(block, 0);
        packed.grow(length);
        Ok(Seal::Xz { unpadded })
    }
}

/// The dictionary of a level: as `xz(1)` lists them up to level 4, then capped. The encoder takes twelve times as much
/// memory, and in a piece of 4 to 8 MiB the rest gains nearly nothing (0.006 % of the size at level 6).
fn dictionary(level: u32) -> u32 {
    match level {
        0 => 256 << 10,
        1 => 1 << 20,
        2 => 2 << 20,
        3..=6 => 4 << 20,
        _ => 8 << 20,
    }
}

/// Where the one block of a stream lies, and its size without padding, which its index tells.
fn block_of(stream: &[u8]) -> Option<(std::ops::Range<usize>, u64)> {
    let footer = stream.last_chunk::<ENDS>()?;
    let backward = u32::from_le_bytes(footer[4..8].try_into().ok()?);
    let index = (backward as usize + 1) * 4;
    let end = stream.len().checked_sub(ENDS + index)?;
    let mut records = stream.get(end..)?;
    (number(&mut records)? == 0 && number(&mut records)? == 1).then_some(())?;
    Some((ENDS..end, number(&mut records)?))
}

/// A number in the format's variable length, seven bits a byte.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn push_number(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// One stream around all pieces.
#[derive(Default)]
pub(super) struct XzContainer {
    records: Vec<u8>,
    count: u64,
}

impl Container for XzContainer {
    fn head(&self) -> Vec<u8> {
        head().to_vec()
    }

    fn add(&mut self, raw: &[u8], _: &mut Buffer, seal: Seal) {
        if let Seal::Xz { unpadded } = seal {
            push_number(&mut self.records, unpadded);
            push_number(&mut self.records, raw.len() as u64);
            self.count += 1;
        }
    }

    fn tail(&mut self) -> Vec<u8> {
        let mut index = vec![0];
        push_number(&mut index, self.count);
        index.append(&mut self.records);
        index.resize(index.len().next_multiple_of(4), 0);
        index.extend_from_slice(&crc32fast::hash(&index).to_le_bytes());
        let backward = (index.len() / 4 - 1) as u32;
        let footer = [&backward.to_le_bytes()[..], &FLAGS].concat();
        [&index[..], &crc32fast::hash(&footer).to_le_bytes(), &footer, b"YZ"].concat()
    }
}

/// Decompresses pieces.
pub(super) struct XzPieceDecoder;

impl Decoder for XzPieceDecoder {
    fn decode(&mut self, packed: &mut Buffer, raw: &mut [u8]) -> Result<(), CodecError> {
        let wrong = |reason: Flaw| decode_error(Compression::Xz, reason);
        let mut stream = Stream::new_stream_decoder(MEMORY, 0).map_err(|e| wrong(Flaw::Library(e.to_string())))?;
        let mut written = 0;
        for mut input in [&head()[..], packed.filled()] {
            // The block's own check stands at its end: all of the input has to be taken.
            while !input.is_empty() {
                let (before_in, before_out) = (stream.total_in(), stream.total_out());
                stream
                    .process(input, &mut raw[written..], Action::Run)
                    .map_err(|e| wrong(Flaw::Library(e.to_string())))?;
                let (read, wrote) = (stream.total_in() - before_in, stream.total_out() - before_out);
                if read + wrote == 0 {
                    return Err(wrong(Flaw::TooLong));
                }
                input = &input[read as usize..];
                written += wrote as usize;
            }
        }
        if written == raw.len() { Ok(()) } else { Err(wrong(Flaw::TooShort)) }
    }
}

/// One stream of a foreign archive.
pub(super) struct XzMember<R>(XzDecoder<R>);

impl<R: BufRead> Read for XzMember<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl<R: BufRead> stream::Member<R> for XzMember<R> {
    fn begins(start: &[u8]) -> bool {
        stream::agrees(start, &head())
    }

    fn open(input: R) -> io::Result<Self> {
        Ok(Self(XzDecoder::new_stream(input, Stream::new_stream_decoder(MEMORY, 0)?)))
    }

    fn close(self) -> R {
        self.0.into_inner()
    }
}

//! lz4 (LZ4 frame format 1.6.4): one frame, whatever the number of pieces.
//!
//! ```text
//! head    04 22 4d 18  flags 64  block size 70  check        7 bytes
//! piece   blocks of at most 4 MiB, each alone: length (highest bit: stored) · bytes
//! …
//! tail    00 00 00 00  xxh32 of the content                  8 bytes
//! ```
//!
//! Several frames would be simpler, but some readers stop after the first without a word.

use std::io::{self, BufRead, Read};

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};
use twox_hash::XxHash32;

use super::sample::{Content, judge};
use super::{Buffer, CodecError, Container, Decoder, Encoder, Flaw, Seal, decode_error, stream};
use crate::model::Compression;

/// The encoder's name and version.
pub(super) const LIBRARY: &str = "lz4_flex 0.14.0";

const MAGIC: u32 = 0x184D_2204;
const LEGACY_MAGIC: u32 = 0x184C_2102;
/// The sixteen magic numbers of skippable frames, but for their last digit.
const SKIPPABLE_MAGIC: u32 = 0x184D_2A50;
/// Version 1, independent blocks, content checksum.
const FLAGS: u8 = 0x64;
/// Blocks of at most 4 MiB.
const BLOCK_SIZE: u8 = 0x70;
const BLOCK: usize = 4 << 20;
const STORED: u32 = 1 << 31;
/// How far back a linked block may reach.
const WINDOW: usize = 64 << 10;

fn descriptor_check(descriptor: &[u8]) -> u8 {
    (XxHash32::oneshot(0, descriptor) >> 8) as u8
}

/// Compresses pieces.
pub(super) struct Lz4Encoder(CompressTable);

impl Default for Lz4Encoder {
    fn default() -> Self {
        Self(CompressTable::large())
    }
}

impl Encoder for Lz4Encoder {
    fn encode(&mut self, raw: &[u8], packed: &mut Buffer) -> Result<Seal, CodecError> {
        let ordinary = judge(raw) == Content::Ordinary;
        packed.clear();
        for block in raw.chunks(BLOCK) {
            let room = packed.room(4 + get_maximum_output_size(block.len()));
            let length = match ordinary {
                true => compress_into_with_table(block, &mut room[4..], &mut self.0).map_err(failed)?,
                false => block.len(),
            };
            if length < block.len() {
                room[..4].copy_from_slice(&(length as u32).to_le_bytes());
                packed.grow(4 + length);
            } else {
                packed.push(&(block.len() as u32 | STORED).to_le_bytes());
                packed.push(block);
            }
        }
        Ok(Seal::Plain)
    }
}

fn failed(error: lz4_flex::block::CompressError) -> CodecError {
    CodecError::Encode { compression: Compression::Lz4, reason: Flaw::Library(error.to_string()) }
}

/// One frame around all pieces.
pub(super) struct Lz4Container(XxHash32);

impl Default for Lz4Container {
    fn default() -> Self {
        Self(XxHash32::with_seed(0))
    }
}

impl Container for Lz4Container {
    fn head(&self) -> Vec<u8> {
        [&MAGIC.to_le_bytes()[..], &[FLAGS, BLOCK_SIZE, descriptor_check(&[FLAGS, BLOCK_SIZE])]].concat()
    }

    fn add(&mut self, raw: &[u8], _: &mut Buffer, _: Seal) {
        std::hash::Hasher::write(&mut self.0, raw);
    }

    fn tail(&mut self) -> Vec<u8> {
        [[0; 4], self.0.finish_32().to_le_bytes()].concat()
    }
}

/// Decompresses pieces.
pub(super) struct Lz4Decoder;

impl Decoder for Lz4Decoder {
    fn decode(&mut self, packed: &mut Buffer, raw: &mut [u8]) -> Result<(), CodecError> {
        let wrong = |reason: Flaw| decode_error(Compression::Lz4, reason);
        let (mut input, mut out) = (packed.filled(), raw);
        while let Some((head, rest)) = input.split_first_chunk::<4>() {
            let head = u32::from_le_bytes(*head);
            let (block, rest) =
                rest.split_at_checked((head & !STORED) as usize).ok_or_else(|| wrong(Flaw::CutShort))?;
            let room = out.len().min(BLOCK);
            let length = if head & STORED != 0 {
                out.get_mut(..block.len()).ok_or_else(|| wrong(Flaw::TooLong))?.copy_from_slice(block);
                block.len()
            } else {
                decompress_into(block, &mut out[..room]).map_err(|e| wrong(Flaw::Library(e.to_string())))?
            };
            (input, out) = (rest, &mut out[length..]);
        }
        if input.is_empty() && out.is_empty() { Ok(()) } else { Err(wrong(Flaw::TooShort)) }
    }
}

/// One frame of a foreign archive: blocks alone or linked, with any of the checksums. Skippable frames are empty ones.
pub(super) struct Lz4Member<R> {
    input: R,
    frame: Option<Frame>,
    out: Vec<u8>,
    /// How much of `out` is of earlier blocks, which linked ones refer to.
    at: usize,
}

struct Frame {
    linked: bool,
    block_checksums: bool,
    content_checksum: bool,
    size: Option<u64>,
    block_size: usize,
    seen: u64,
    hash: XxHash32,
}

/// Why a frame of a foreign archive is not read; an `io::Error` is made from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another version of the format, or one that needs a dictionary.
    #[error("lz4: a frame of an unknown version, or with a dictionary")]
    Version,
    /// Blocks of a size that the format does not have.
    #[error("lz4: an unknown block size")]
    BlockSize,
    /// The header's checksum is wrong.
    #[error("lz4: the frame's header has a wrong checksum")]
    HeaderChecksum,
    /// The content's checksum is wrong.
    #[error("lz4: the content has a wrong checksum")]
    Checksum,
    /// The content is shorter or longer than the header says.
    #[error("lz4: the content has another length than the frame's header says")]
    Length,
    /// A block is larger than the header allows.
    #[error("lz4: a block is larger than the frame's header allows")]
    Block,
    /// A block's checksum is wrong.
    #[error("lz4: a block has a wrong checksum")]
    BlockChecksum,
    /// A frame as `lz4 -l` makes them.
    #[error("lz4: a legacy frame (`lz4 -l`) is not supported")]
    Legacy,
    /// Neither a frame nor one to be skipped.
    #[error("lz4: no frame begins here")]
    NoFrame,
    /// What the library says of a block.
    #[error("lz4: {0}")]
    Library(String),
}

fn invalid(what: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn read_u32(input: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

impl Frame {
    fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut descriptor = vec![0; 2];
        input.read_exact(&mut descriptor)?;
        let (flags, blocks) = (descriptor[0], descriptor[1]);
        if flags >> 6 != 1 || flags & 0b11 != 0 || blocks & 0x8f != 0 {
            return Err(invalid(FrameError::Version));
        }
        let block_size = match blocks >> 4 {
            4 => 64 << 10,
            5 => 256 << 10,
            6 => 1 << 20,
            7 => BLOCK,
            _ => return Err(invalid(FrameError::BlockSize)),
        };
        let mut size = None;
        if flags & 8 != 0 {
            let mut bytes = [0; 8];
            input.read_exact(&mut bytes)?;
            descriptor.extend_from_slice(&bytes);
            size = Some(u64::from_le_bytes(bytes));
        }
        let mut check = [0];
        input.read_exact(&mut check)?;
        if check[0] != descriptor_check(&descriptor) {
            return Err(invalid(FrameError::HeaderChecksum));
        }
        Ok(Self {
            linked: flags & 0x20 == 0,
            block_checksums: flags & 0x10 != 0,
            content_checksum: flags & 4 != 0,
            size,
            block_size,
            seen: 0,
            hash: XxHash32::with_seed(0),
        })
    }
}

impl<R: BufRead> Lz4Member<R> {
    /// Decodes the next block behind the window; `false` at the frame's end.
    fn block(&mut self) -> io::Result<bool> {
        let Some(frame) = &mut self.frame else { return Ok(false) };
        let head = read_u32(&mut self.input)?;
        if head == 0 {
            if frame.content_checksum && read_u32(&mut self.input)? != frame.hash.finish_32() {
                return Err(invalid(FrameError::Checksum));
            }
            if frame.size.is_some_and(|size| size != frame.seen) {
                return Err(invalid(FrameError::Length));
            }
            self.frame = None;
            return Ok(false);
        }
        let length = (head & !STORED) as usize;
        if length > frame.block_size {
            return Err(invalid(FrameError::Block));
        }
        let mut block = vec![0; length];
        self.input.read_exact(&mut block)?;
        if frame.block_checksums && read_u32(&mut self.input)? != XxHash32::oneshot(0, &block) {
            return Err(invalid(FrameError::BlockChecksum));
        }
        let keep = if frame.linked { self.out.len().min(WINDOW) } else { 0 };
        self.out.drain(..self.out.len() - keep);
        self.at = keep;
        if head & STORED != 0 {
            self.out.extend_from_slice(&block);
        } else {
            self.out.resize(keep + frame.block_size, 0);
            let (window, room) = self.out.split_at_mut(keep);
            let length = lz4_flex::block::decompress_into_with_dict(&block, room, window);
            let length = length.map_err(|e| invalid(FrameError::Library(e.to_string())))?;
            self.out.truncate(keep + length);
        }
        std::hash::Hasher::write(&mut frame.hash, &self.out[keep..]);
        frame.seen += (self.out.len() - keep) as u64;
        Ok(true)
    }
}

impl<R: BufRead> Read for Lz4Member<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.out.len() {
            if !self.block()? {
                return Ok(0);
            }
        }
        let count = (self.out.len() - self.at).min(out.len());
        out[..count].copy_from_slice(&self.out[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

impl<R: BufRead> stream::Member<R> for Lz4Member<R> {
    fn begins(start: &[u8]) -> bool {
        [MAGIC, LEGACY_MAGIC].iter().any(|magic| stream::agrees(start, &magic.to_le_bytes()))
            || stream::agrees_with_skippable(start)
    }

    fn open(mut input: R) -> io::Result<Self> {
        let frame = match read_u32(&mut input)? {
            MAGIC => Some(Frame::read(&mut input)?),
            LEGACY_MAGIC => return Err(invalid(FrameError::Legacy)),
            magic if magic & !0xf == SKIPPABLE_MAGIC => {
                let length = u64::from(read_u32(&mut input)?);
                if io::copy(&mut (&mut input).take(length), &mut io::sink())? < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                None
            }
            _ => return Err(invalid(FrameError::NoFrame)),
        };
        Ok(Self { input, frame, out: Vec::new(), at: 0 })
    }

    fn close(self) -> R {
        self.input
    }
}

//! zstd (RFC 8878): one frame a piece, with content size and checksum. Frames follow each other with nothing between.

use std::io::{self, BufRead, Read};

use zstd::zstd_safe::{self, CParameter};

use super::sample::{Content, judge};
use super::{Buffer, CodecError, Decoder, Encoder, Flaw, Seal, decode_error, stream};
use crate::model::Compression;

const MAGIC: [u8; 4] = 0xFD2F_B528u32.to_le_bytes();
/// The fastest level there is still makes codes for frequent bytes; below zero it does not.
const UNEVEN_LEVEL: i32 = 1;
/// Frames of noise: hardly searched, and stored as they are.
const NOISE_LEVEL: i32 = -7;

/// The encoder's name and version.
pub(super) fn library() -> String {
    format!("zstd {}", zstd_safe::version_string())
}

/// Compresses pieces.
pub(super) struct ZstdEncoder {
    level: i32,
    context: zstd::bulk::Compressor<'static>,
}

impl ZstdEncoder {
    pub(super) fn new(level: i32) -> Result<Self, CodecError> {
        let mut context = zstd::bulk::Compressor::new(level).map_err(failed)?;
        context.set_parameter(CParameter::ChecksumFlag(true)).map_err(failed)?;
        context.set_parameter(CParameter::ContentSizeFlag(true)).map_err(failed)?;
        Ok(Self { level, context })
    }
}

impl Encoder for ZstdEncoder {
    fn encode(&mut self, raw: &[u8], packed: &mut Buffer) -> Result<Seal, CodecError> {
        let level = match judge(raw) {
            Content::Noise => NOISE_LEVEL,
            Content::Uneven => self.level.min(UNEVEN_LEVEL),
            Content::Ordinary => self.level,
        };
        self.context.set_parameter(CParameter::CompressionLevel(level)).map_err(failed)?;
        packed.clear();
        let room = packed.room(zstd_safe::compress_bound(raw.len()));
        let length = self.context.compress_to_buffer(raw, room).map_err(failed)?;
        packed.grow(length);
        Ok(Seal::Plain)
    }
}

fn failed(error: io::Error) -> CodecError {
    CodecError::Encode { compression: Compression::Zstd, reason: Flaw::Library(error.to_string()) }
}

/// Decompresses pieces.
pub(super) struct ZstdDecoder(zstd::bulk::Decompressor<'static>);

impl ZstdDecoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        zstd::bulk::Decompressor::new()
            .map(Self)
            .map_err(|e| decode_error(Compression::Zstd, Flaw::Library(e.to_string())))
    }
}

impl Decoder for ZstdDecoder {
    fn decode(&mut self, packed: &mut Buffer, raw: &mut [u8]) -> Result<(), CodecError> {
        let wrong = |e| decode_error(Compression::Zstd, e);
        let length =
            self.0.decompress_to_buffer(packed.filled(), raw).map_err(|e| wrong(Flaw::Library(e.to_string())))?;
        if length == raw.len() { Ok(()) } else { Err(wrong(Flaw::TooShort)) }
    }
}

/// One frame of a foreign archive; skippable frames are empty ones.
pub(super) struct ZstdMember<R>(zstd::stream::read::Decoder<'static, R>);

impl<R: BufRead> Read for ZstdMember<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl<R: BufRead> stream::Member<R> for ZstdMember<R> {
    fn begins(start: &[u8]) -> bool {
        stream::agrees(start, &MAGIC) || stream::agrees_with_skippable(start)
    }

    fn open(input: R) -> io::Result<Self> {
        Ok(Self(zstd::stream::read::Decoder::with_buffer(input)?.single_frame()))
    }

    fn close(self) -> R {
        self.0.finish()
    }
}

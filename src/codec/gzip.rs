//! gzip (RFC 1952): one member, whatever the number of pieces.
//!
//! ```text
//! head    1f 8b 08 00  mtime 0  00  ff                       10 bytes
//! piece   deflate from a fresh state, ended by a full flush (00 00 00 ff ff), or stored blocks
//! …
//! tail    03 00 (an empty last block)  CRC-32  size mod 2^32      10 bytes
//! ```
//!
//! Several members would be simpler, but common readers stop after the first without a word. A piece ends on a whole
//! byte, so pieces can be joined, and each decodes alone once `03 00` is put behind it.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::sample::{Content, judge};
use super::walk::open_end;
use super::{Buffer, CodecError, Container, Decoder, Encoder, Flaw, Seal, decode_error, huffman, stream};
use crate::model::Compression;

/// The encoder's name and version; and the version of [`huffman`], whose bytes may not change without it.
pub(super) const LIBRARY: &str = "libdeflater 1.26.1";
pub(super) const HUFFMAN: &str = "huffman 1";

const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const LAST_BLOCK: [u8; 2] = [3, 0];
/// The most bytes of a stored block (RFC 1951, 3.2.4).
const STORED: usize = 65535;

/// Deflates pieces: libdeflate where repetitions are worth the search, [`huffman`] where only frequent bytes are.
pub(super) struct GzipEncoder(libdeflater::Compressor);

impl GzipEncoder {
    pub(super) fn new(level: i32) -> Result<Self, CodecError> {
        let known =
            libdeflater::CompressionLvl::new(level).map_err(|_| failed(Flaw::Library("no such level".to_owned())))?;
        Ok(Self(libdeflater::Compressor::new(known)))
    }

    fn full(&mut self, raw: &[u8], packed: &mut Buffer) -> Result<(), CodecError> {
        // With no more room than storing takes, an encoder that does not get done has lost.
        match self.0.deflate_compress(raw, packed.room(stored_bytes(raw))) {
            Ok(length) => {
                packed.grow(length);
                open_end(packed).ok_or_else(|| failed(Flaw::Unexpected))
            }
            Err(libdeflater::CompressionError::InsufficientSpace) => {
                store(raw, packed);
                Ok(())
            }
        }
    }
}

impl Encoder for GzipEncoder {
    fn encode(&mut self, raw: &[u8], packed: &mut Buffer) -> Result<Seal, CodecError> {
        packed.clear();
        match judge(raw) {
            Content::Noise => store(raw, packed),
            Content::Uneven => {
                if !huffman::deflate(raw, packed, stored_bytes(raw)) {
                    store(raw, packed);
                }
            }
            Content::Ordinary => self.full(raw, packed)?,
        }
        if packed.len() > stored_bytes(raw) {
            store(raw, packed);
        }
        Ok(Seal::Crc32(crc32fast::hash(raw)))
    }
}

fn failed(reason: Flaw) -> CodecError {
    CodecError::Encode { compression: Compression::Gzip, reason }
}

fn stored_bytes(raw: &[u8]) -> usize {
    raw.len() + 5 * raw.len().div_ceil(STORED)
}

/// Stored blocks, none of them the last one of a stream.
fn store(raw: &[u8], packed: &mut Buffer) {
    packed.clear();
    for block in raw.chunks(STORED) {
        let length = block.len() as u16;
        packed.push(&[0]);
        packed.push(&length.to_le_bytes());
        packed.push(&(!length).to_le_bytes());
        packed.push(block);
    }
}

/// One member around all pieces.
#[derive(Default)]
pub(super) struct GzipContainer {
    crc: crc32fast::Hasher,
    size: u64,
}

impl Container for GzipContainer {
    fn head(&self) -> Vec<u8> {
        HEAD.to_vec()
    }

    fn add(&mut self, raw: &[u8], _: &mut Buffer, seal: Seal) {
        if let Seal::Crc32(crc) = seal {
            self.crc.combine(&crc32fast::Hasher::new_with_initial_len(crc, raw.len() as u64));
        }
        self.size = self.size.wrapping_add(raw.len() as u64);
    }

    fn tail(&mut self) -> Vec<u8> {
        let crc = self.crc.clone().finalize();
        [&LAST_BLOCK[..], &crc.to_le_bytes(), &(self.size as u32).to_le_bytes()].concat()
    }
}

/// Inflates pieces.
pub(super) struct GzipDecoder(libdeflater::Decompressor);

impl Default for GzipDecoder {
    fn default() -> Self {
        Self(libdeflater::Decompressor::new())
    }
}

impl Decoder for GzipDecoder {
    fn decode(&mut self, packed: &mut Buffer, raw: &mut [u8]) -> Result<(), CodecError> {
        packed.push(&LAST_BLOCK);
        let length = self
            .0
            .deflate_decompress(packed.filled(), raw)
            .map_err(|e| decode_error(Compression::Gzip, Flaw::Library(e.to_string())))?;
        if length == raw.len() { Ok(()) } else { Err(decode_error(Compression::Gzip, Flaw::TooShort)) }
    }
}

/// One member of a foreign archive.
pub(super) struct GzipMember<R>(GzDecoder<R>);

impl<R: BufRead> Read for GzipMember<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl<R: BufRead> stream::Member<R> for GzipMember<R> {
    fn begins(start: &[u8]) -> bool {
        stream::agrees(start, &HEAD[..2])
    }

    fn open(input: R) -> io::Result<Self> {
        Ok(Self(GzDecoder::new(input)))
    }

    fn close(self) -> R {
        self.0.into_inner()
    }
}

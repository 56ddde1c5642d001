//! gzip (RFC 1952): one member, whatever the number of pieces.
//!
//! ```text
//! head    1f 8b 08 00  mtime 0  00  ff                       10 bytes
//! piece   deflate from a fresh state, ended by a full flush (00 00 00 ff ff), or stored blocks
//! …
//! tail    03 00 (an empty last block)  CRC-32  size mod 2^32      10 bytes
//! ```
//!
//! Several members would be simpler, but common readers stop after the first without a word. A full flush ends on a
//! whole byte, so pieces can be joined, and each decodes alone once `03 00` is put behind it.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Strategy};

use super::sample::{Content, judge};
use super::{Buffer, CodecError, Container, Decoder, Encoder, Seal, decode_error, stream};
use crate::model::Compression;

/// The encoder's name and version.
pub(super) const LIBRARY: &str = "zlib-rs 0.6.8";

const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const LAST_BLOCK: [u8; 2] = [3, 0];
/// The most bytes of a stored block (RFC 1951, 3.2.4).
const STORED: usize = 65535;

/// Deflates pieces.
pub(super) struct GzipEncoder {
    level: i32,
    full: Option<Deflate>,
    huffman: Option<Deflate>,
}

impl GzipEncoder {
    pub(super) fn new(level: i32) -> Self {
        Self { level, full: None, huffman: None }
    }

    fn state(&mut self, strategy: Strategy) -> &mut Deflate {
        let level = self.level;
        // The highest memory level makes the largest blocks: fewer codes to build where there is nothing else to do.
        let (slot, mem_level) = match strategy {
            Strategy::HuffmanOnly => (&mut self.huffman, 9),
            _ => (&mut self.full, DeflateConfig::default().mem_level),
        };
        let state = slot.get_or_insert_with(|| {
            // Negative window bits: deflate without a container.
            let config = DeflateConfig { level, window_bits: -15, mem_level, strategy, ..DeflateConfig::default() };
            Deflate::new_with_config(config)
        });
        state.reset();
        state
    }
}

impl Encoder for GzipEncoder {
    fn encode(&mut self, raw: &[u8], packed: &mut Buffer) -> Result<Seal, CodecError> {
        let seal = Seal::Crc32(crc32fast::hash(raw));
        packed.clear();
        let strategy = match judge(raw) {
            Content::Noise => {
                store(raw, packed);
                return Ok(seal);
            }
            Content::Uneven => Strategy::HuffmanOnly,
            Content::Ordinary => Strategy::Default,
        };
        let state = self.state(strategy);
        let stored = raw.len() + 5 * raw.len().div_ceil(STORED);
        // Room for the worst case, nine bits a byte: level 1 of zlib-rs 0.6.8 panics where the output's end comes first.
        let room = packed.room(stored + raw.len() / 8 + 64);
        state
            .compress(raw, room, DeflateFlush::FullFlush)
            .map_err(|e| CodecError::Encode { compression: Compression::Gzip, reason: e.as_str().to_owned() })?;
        let written = usize::try_from(state.total_out()).unwrap_or(usize::MAX);
        if state.total_in() == raw.len() as u64 && written < stored {
            packed.grow(written);
        } else {
            store(raw, packed);
        }
        Ok(seal)
    }
}

/// Stored blocks, none of them the last one of a stream.
fn store(raw: &[u8], packed: &mut Buffer) {
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
        let length = self.0.deflate_decompress(packed.filled(), raw).map_err(|e| decode_error(Compression::Gzip, e))?;
        if length == raw.len() {
            Ok(())
        } else {
            Err(decode_error(Compression::Gzip, "it is shorter than it should be"))
        }
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
    fn open(input: R) -> io::Result<Self> {
        Ok(Self(GzDecoder::new(input)))
    }

    fn close(self) -> R {
        self.0.into_inner()
    }
}

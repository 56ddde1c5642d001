//! One file per compression: a piece in, a piece out.
//!
//! A package's tar stream is cut into pieces (`archive`), each encoded alone and on any thread; a [`Container`]
//! joins them, in order, into one archive that ordinary tools open. [`reader`] goes the other way for whole archives
//! of any origin: many members, frames or streams one after the other, and never an end where there is more.
//!
//! Promises: the same bytes for the same piece and settings; no piece larger than it would be stored; a decoder
//! writes exactly as many bytes as it was asked for or fails. Must not know: tar, files, threads.

mod buffer;
mod gzip;
mod sample;
mod stream;

use std::io::{BufRead, Read};
use std::ops::RangeInclusive;

use crate::model::Compression;

pub use buffer::Buffer;

/// Why a piece was not encoded or decoded, or settings make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The compression has no such level.
    #[error("{} has levels {lowest} to {highest}, not {level}", compression.name())]
    Level {
        /// The compression.
        compression: Compression,
        /// What was asked for.
        level: i32,
        /// The lowest there is.
        lowest: i32,
        /// The highest there is.
        highest: i32,
    },
    /// The compression has no levels.
    #[error("{} has no levels, so not {level}", compression.name())]
    NoLevels {
        /// The compression.
        compression: Compression,
        /// What was asked for.
        level: i32,
    },
    /// The encoder failed.
    #[error("cannot compress with {}: {reason}", compression.name())]
    Encode {
        /// The compression.
        compression: Compression,
        /// In the library's words.
        reason: String,
    },
    /// The bytes are not a piece of this compression, or decode to more or fewer bytes than asked for.
    #[error("cannot decompress with {}: {reason}", compression.name())]
    Decode {
        /// The compression.
        compression: Compression,
        /// In the library's words.
        reason: String,
    },
}

/// A compression and its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    compression: Compression,
    level: i32,
}

impl Settings {
    /// The settings for `level`, or for the compression's default.
    ///
    /// # Errors
    ///
    /// A level the compression does not have.
    pub fn new(compression: Compression, level: Option<i32>) -> Result<Self, CodecError> {
        let level = match (levels(compression), level) {
            (Some((_, default)), None) => default,
            (Some((range, _)), Some(level)) if range.contains(&level) => level,
            (Some((range, _)), Some(level)) => {
                let (lowest, highest) = range.into_inner();
                return Err(CodecError::Level { compression, level, lowest, highest });
            }
            (None, None) => 0,
            (None, Some(level)) => return Err(CodecError::NoLevels { compression, level }),
        };
        Ok(Self { compression, level })
    }

    /// The compression.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The library, its version and the level, as manifests name them: `zlib-rs 0.6.8 level 6`.
    pub fn describe(&self) -> String {
        match self.compression {
            Compression::Gzip => format!("{} level {}", gzip::LIBRARY, self.level),
            _ => "none".to_owned(),
        }
    }

    /// An encoder for one thread; `None` where pieces stay as they are.
    pub fn encoder(&self) -> Result<Option<Box<dyn Encoder>>, CodecError> {
        Ok(match self.compression {
            Compression::Gzip => Some(Box::new(gzip::GzipEncoder::new(self.level))),
            _ => None,
        })
    }

    /// What joins the pieces into one archive.
    pub fn container(&self) -> Box<dyn Container> {
        match self.compression {
            Compression::Gzip => Box::new(gzip::GzipContainer::default()),
            _ => Box::new(Plain),
        }
    }
}

/// The levels of a compression and its default; `None` where it has none.
pub fn levels(compression: Compression) -> Option<(RangeInclusive<i32>, i32)> {
    match compression {
        Compression::Gzip => Some((1..=9, 6)),
        _ => None,
    }
}

/// Encodes pieces, one after the other.
pub trait Encoder: Send {
    /// Encodes one piece from a fresh state into `packed`, whose earlier content is dropped.
    fn encode(&mut self, raw: &[u8], packed: &mut Buffer) -> Result<Seal, CodecError>;
}

/// What the end of the archive has to know about a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// Nothing.
    Plain,
    /// The CRC-32 of the piece's bytes before encoding.
    Crc32(u32),
}

/// Joins encoded pieces into one archive.
pub trait Container: Send {
    /// The bytes before the first piece.
    fn head(&self) -> Vec<u8>;

    /// Takes the next piece in, in stream order.
    fn add(&mut self, raw: &[u8], packed: &mut Buffer, seal: Seal);

    /// The bytes behind the last piece.
    fn tail(&mut self) -> Vec<u8>;
}

/// No compression: the pieces follow each other.
struct Plain;

impl Container for Plain {
    fn head(&self) -> Vec<u8> {
        Vec::new()
    }

    fn add(&mut self, _: &[u8], _: &mut Buffer, _: Seal) {}

    fn tail(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// Decodes pieces, one after the other.
pub trait Decoder: Send {
    /// Decodes one piece into `raw`, which it must fill exactly. `packed` may be changed.
    fn decode(&mut self, packed: &mut Buffer, raw: &mut [u8]) -> Result<(), CodecError>;
}

/// A decoder of pieces for one thread; `None` where pieces are as they are.
pub fn decoder(compression: Compression) -> Option<Box<dyn Decoder>> {
    match compression {
        Compression::Gzip => Some(Box::new(gzip::GzipDecoder::default())),
        _ => None,
    }
}

/// Decodes a whole archive of any origin: all its members, frames or streams. Zero bytes behind the last one are
/// skipped, anything else is an error, and so is an end in the middle.
pub fn reader<'a>(compression: Compression, input: Box<dyn BufRead + Send + 'a>) -> Box<dyn Read + Send + 'a> {
    match compression {
        Compression::Gzip => Box::new(stream::Joined::<_, gzip::GzipMember<_>>::new(input)),
        _ => Box::new(input),
    }
}

fn decode_error(compression: Compression, reason: impl ToString) -> CodecError {
    CodecError::Decode { compression, reason: reason.to_string() }
}

#[cfg(test)]
mod tests;

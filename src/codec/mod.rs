//! One file per compression: a piece in, a piece out.
//!
//! A package's tar stream is cut into pieces (`archive`), each encoded alone and on any thread; a [`Container`]
//! joins them, in order, into one archive that ordinary tools open. [`reader`] goes the other way for whole archives
//! of any origin: many members, frames or streams one after the other, and never an end where there is more.
//!
//! Promises: the same bytes for the same piece and settings; no piece larger than it would be stored (but bzip2's,
//! which cannot store); a decoder writes exactly as many bytes as it was asked for or fails. Must not know: tar,
//! files, threads.

mod buffer;
mod bzip2;
mod gzip;
mod huffman;
mod lz4;
mod sample;
mod stream;
mod walk;
mod xz;
mod zstd;

use std::io::{BufRead, Read};
use std::ops::RangeInclusive;

use crate::model::Compression;

pub use buffer::Buffer;
pub use lz4::FrameError;

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
        /// Why.
        reason: Flaw,
    },
    /// The bytes are not a piece of this compression, or decode to more or fewer bytes than asked for.
    #[error("cannot decompress with {}: {reason}", compression.name())]
    Decode {
        /// The compression.
        compression: Compression,
        /// Why.
        reason: Flaw,
    },
}

/// What is wrong with what was compressed or decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The bytes end within something.
    #[error("it is cut short")]
    CutShort,
    /// It decodes to fewer bytes than it should.
    #[error("it is shorter than it should be")]
    TooShort,
    /// It decodes to more bytes than it should.
    #[error("it is longer than it should be")]
    TooLong,
    /// The library made something else than its format says, or nothing at all.
    #[error("the library made an unexpected stream")]
    Unexpected,
    /// What the library says.
    #[error("{0}")]
    Library(String),
}

/// Whether bytes have repetitions that are worth a search, by a sample of them: not those of weights, images, archives.
pub fn has_repetitions(raw: &[u8]) -> bool {
    sample::judge(raw) == sample::Content::Ordinary
}

/// In which form the bytes of a piece are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As they lie in the archive.
    Packed,
    /// As they lie in the tar stream.
    Raw,
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

    /// Whether a piece can be decoded by itself; where not, only the whole archive can.
    pub fn pieces_stand_alone(&self) -> bool {
        self.compression != Compression::Bzip2
    }

    /// The library, its version and the level, as manifests name them: `liblzma 0.4.9 level 6`.
    pub fn describe(&self) -> String {
        match self.compression {
            Compression::Gzip => format!("{} level {}, {}", gzip::LIBRARY, self.level, gzip::HUFFMAN),
            Compression::Zstd => format!("{} level {}", zstd::library(), self.level),
            Compression::Lz4 => lz4::LIBRARY.to_owned(),
            Compression::Xz => format!("{} level {}", xz::LIBRARY, self.level),
            Compression::Bzip2 => format!("{} level {}", bzip2::LIBRARY, self.level),
            Compression::None => "none".to_owned(),
        }
    }

    /// An encoder for one thread; `None` where pieces stay as they are.
    pub fn encoder(&self) -> Result<Option<Box<dyn Encoder>>, CodecError> {
        Ok(match self.compression {
            Compression::Gzip => Some(Box::new(gzip::GzipEncoder::new(self.level)?)),
            Compression::Zstd => Some(Box::new(zstd::ZstdEncoder::new(self.level)?)),
            Compression::Lz4 => Some(Box::new(lz4::Lz4Encoder::default())),
            Compression::Xz => Some(Box::new(xz::XzEncoder::new(self.level))),
            Compression::Bzip2 => Some(Box::new(bzip2::Bzip2Encoder::new(self.level))),
            Compression::None => None,
        })
    }

    /// What joins the pieces into one archive.
    pub fn container(&self) -> Box<dyn Container> {
        match self.compression {
            Compression::Gzip => Box::new(gzip::GzipContainer::default()),
            Compression::Lz4 => Box::new(lz4::Lz4Container::default()),
            Compression::Xz => Box::new(xz::XzContainer::default()),
            Compression::Bzip2 => Box::new(bzip2::Bzip2Container::new(self.level)),
            Compression::Zstd | Compression::None => Box::new(Plain),
        }
    }
}

/// The levels of a compression and its default; `None` where it has none.
pub fn levels(compression: Compression) -> Option<(RangeInclusive<i32>, i32)> {
    match compression {
        // Above 9, libdeflate goes on to the smallest there is.
        Compression::Gzip => Some((1..=12, 6)),
        Compression::Zstd => Some((1..=22, 3)),
        Compression::Xz => Some((0..=9, 6)),
        Compression::Bzip2 => Some((1..=9, 9)),
        Compression::Lz4 | Compression::None => None,
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
    /// gzip: the CRC-32 of the piece's bytes before encoding.
    Crc32(u32),
    /// xz: the block's size without padding.
    Xz {
        /// In bytes.
        unpadded: u64,
    },
    /// bzip2: the piece does not end at a whole byte.
    Bzip2 {
        /// How many bits it has.
        bits: usize,
        /// The CRC-32s of its blocks, combined.
        crc: u32,
        /// How many blocks.
        blocks: u32,
    },
}

/// Whether an archive of this compression is its pieces between a head and a tail that follow from their bytes before
/// encoding, so that who decodes piece after piece has read all of it.
pub fn sums_up(compression: Compression) -> bool {
    matches!(compression, Compression::Gzip | Compression::Zstd | Compression::None)
}

/// The seal of a piece of a compression that [sums up](sums_up), from its bytes before encoding.
pub fn seal(compression: Compression, raw: &[u8]) -> Seal {
    match compression {
        Compression::Gzip => Seal::Crc32(crc32fast::hash(raw)),
        _ => Seal::Plain,
    }
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

/// The pieces follow each other with nothing around them: no compression, and zstd.
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
    /// Decodes one piece into `raw`, which it must fill exactly. `packed` may grow.
    fn decode(&mut self, packed: &mut Buffer, raw: &mut [u8]) -> Result<(), CodecError>;
}

/// A decoder of pieces for one thread; `None` where pieces are as they are, or cannot be taken out (bzip2).
pub fn decoder(compression: Compression) -> Result<Option<Box<dyn Decoder>>, CodecError> {
    Ok(match compression {
        Compression::Gzip => Some(Box::new(gzip::GzipDecoder::default())),
        Compression::Zstd => Some(Box::new(zstd::ZstdDecoder::new()?)),
        Compression::Lz4 => Some(Box::new(lz4::Lz4Decoder)),
        Compression::Xz => Some(Box::new(xz::XzPieceDecoder)),
        Compression::Bzip2 | Compression::None => None,
    })
}

/// What becomes of bytes behind an archive that are no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailing {
    /// They are an error: this program's own archives have none.
    Refused,
    /// They are read and passed over, as `gzip -d`, `bzip2 -d` and bsdtar do.
    PassedOver,
}

/// Decodes a whole archive of any origin: all its members, frames or streams. Zero bytes between and behind them are
/// skipped. What begins as a member is one, and an error where it is damaged or cut short; what follows the last and
/// begins otherwise is trailing.
pub fn reader<'a>(
    compression: Compression,
    input: Box<dyn BufRead + Send + 'a>,
    trailing: Trailing,
) -> Box<dyn Read + Send + 'a> {
    match compression {
        Compression::Gzip => Box::new(stream::Joined::<_, gzip::GzipMember<_>>::new(input, trailing)),
        Compression::Zstd => Box::new(stream::Joined::<_, zstd::ZstdMember<_>>::new(input, trailing)),
        Compression::Lz4 => Box::new(stream::Joined::<_, lz4::Lz4Member<_>>::new(input, trailing)),
        Compression::Xz => Box::new(stream::Joined::<_, xz::XzMember<_>>::new(input, trailing)),
        Compression::Bzip2 => Box::new(stream::Joined::<_, bzip2::Bzip2Member<_>>::new(input, trailing)),
        Compression::None => Box::new(input),
    }
}

fn decode_error(compression: Compression, reason: Flaw) -> CodecError {
    CodecError::Decode { compression, reason }
}

#[cfg(test)]
mod tests;

//! Where pieces end: small files grouped whole, big files cut by content.

use std::fs::File;
use std::io::Read as _;

use fastcdc::v2020::FastCDC;

use crate::model::Compression;

/// A file of more bytes is cut by its content.
pub(super) const BIG: u64 = 4 << 20;
/// Bounds and average of a piece of a big file.
const SMALLEST: usize = 512 << 10;
const AVERAGE: usize = 2 << 20;
const LARGEST: usize = 8 << 20;

/// A group of small files ends once it has so many bytes of the tar stream. zstd and xz lose much to small pieces,
/// gzip and lz4, with their short windows, nearly nothing.
pub(super) fn group_bytes(compression: Compression) -> u64 {
    match compression {
        Compression::Gzip | Compression::Lz4 | Compression::None => 1 << 20,
        Compression::Zstd | Compression::Xz | Compression::Bzip2 => 4 << 20,
    }
}

/// Cuts files by content (FastCDC, Xia et al. 2020), so that bytes inserted near the start of a file change the
/// pieces near the start only.
pub(super) struct Cutter {
    window: Vec<u8>,
    start: usize,
    end: usize,
}

impl Cutter {
    pub fn new() -> Self {
        Self { window: vec![0; 2 * LARGEST], start: 0, end: 0 }
    }

    /// The next piece of `file`, told to `seen` as it is read; empty at the file's end. A new file begins after an
    /// empty piece.
    pub fn next(&mut self, file: &mut File, seen: &mut impl FnMut(&[u8])) -> std::io::Result<&[u8]> {
        if self.window.len() - self.start < LARGEST {
            self.window.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        // The cut depends on as many bytes as the largest piece has.
        while self.end - self.start < LARGEST {
            let room = self.start + LARGEST;
            match file.read(&mut self.window[self.end..room]) {
                Ok(0) => break,
                Ok(count) => {
                    seen(&self.window[self.end..self.end + count]);
                    self.end += count;
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let rest = &self.window[self.start..self.end];
        let (_, length) = match rest {
            [] => (0, 0),
            _ => FastCDC::new(rest, SMALLEST, AVERAGE, LARGEST).cut(0, rest.len()),
        };
        self.start += length;
        Ok(&self.window[self.start - length..self.start])
    }
}

//! Where pieces end: small files grouped whole, big files cut by content.

use std::fs::File;
use std::io::Read as _;

use fastcdc::v2020::FastCDC;

use crate::codec;
use crate::model::{Compression, TreePath};

/// A file of more bytes is cut by its content.
pub(super) const BIG: u64 = 4 << 20;
/// The largest piece of a big file.
const LARGEST: usize = 8 << 20;

/// Bounds and average of the pieces of one big file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sizes {
    smallest: usize,
    average: usize,
    largest: usize,
}

/// Where bytes repeat, smaller pieces would cost size.
const ORDINARY: Sizes = Sizes { smallest: 512 << 10, average: 2 << 20, largest: LARGEST };
/// Where they do not (weights, archives), smaller pieces cost nothing, and less is fetched around what changed.
const WITHOUT_REPETITIONS: Sizes = Sizes { smallest: 256 << 10, average: 512 << 10, largest: 2 << 20 };

/// A group of small files ends once it has so many bytes of the tar stream. zstd and xz lose much to small pieces,
/// gzip and lz4, with their short windows, nearly nothing.
pub(super) fn group_bytes(compression: Compression) -> u64 {
    match compression {
        Compression::Gzip | Compression::Lz4 | Compression::None => 1 << 20,
        Compression::Zstd | Compression::Xz | Compression::Bzip2 => 4 << 20,
    }
}

/// A group that holds so many bytes ends where another place begins. What changes together lies together: an update of one
/// library should not bring half of its neighbour.
pub(super) const PLACE_BYTES: u64 = 512 << 10;

/// The place of an entry: the uppermost two of the directories it lies in.
pub(super) fn place(path: &TreePath) -> &[u8] {
    let bytes = path.as_bytes();
    let mut slashes = memchr::memchr_iter(b'/', bytes);
    let end = match (slashes.next(), slashes.next()) {
        (_, Some(second)) => second,
        (first, None) => first.unwrap_or(0),
    };
    bytes.get(..end).unwrap_or_default()
}

/// Cuts files by content (FastCDC, Xia et al. 2020), so that bytes inserted near the start of a file change the
/// pieces near the start only.
pub(super) struct Cutter {
    window: Vec<u8>,
    start: usize,
    end: usize,
    /// Of the file that is being cut: by its first bytes, which are the same ones wherever it is packed.
    sizes: Option<Sizes>,
}

impl Cutter {
    pub fn new() -> Self {
        Self { window: vec![0; 2 * LARGEST], start: 0, end: 0, sizes: None }
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
        let length = match rest {
            [] => {
                self.sizes = None;
                0
            }
            _ => {
                // Behind what may be a header.
                let body = rest.get(rest.len() / 2..).unwrap_or_default();
                let judge = || if codec::has_repetitions(body) { ORDINARY } else { WITHOUT_REPETITIONS };
                let Sizes { smallest, average, largest } = *self.sizes.get_or_insert_with(judge);
                FastCDC::new(rest, smallest, average, largest).cut(0, rest.len()).1
            }
        };
        self.start += length;
        Ok(&self.window[self.start - length..self.start])
    }
}

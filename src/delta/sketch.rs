//! Where in the base bytes like these stand: samples of short windows, chosen by what they hold.
//!
//! A window of 32 bytes is sampled where its gear hash (as in FastCDC, Xia et al. 2016) ends in zeros, so that equal
//! windows are sampled wherever they stand. Each sample votes for the block of the base that has the same one. How dense
//! samples are follows from the size of the base's files alone, so that memory is bounded.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;

use rayon::prelude::*;

use super::{MakeError, Segment, Tree};
use crate::fsx;
use crate::model::TreePath;

/// So many bytes share a vote.
const BLOCK: u64 = 32 << 10;
/// One window of so many is sampled, at least.
const SPARSE_BITS: u32 = 5;
/// About so many samples are kept.
const SAMPLES: u64 = 4 << 20;
/// What stands in more blocks than one says little; marks it.
const SEVERAL: u32 = u32::MAX;
const READ: usize = 1 << 20;

/// Samples of the base.
#[derive(Default)]
pub(super) struct Sketch {
    bits: u32,
    /// Hash and block, sorted.
    samples: Vec<(u64, u32)>,
    /// The file of each first block, by entry, and its length; sorted.
    files: Vec<(u32, u32, u64)>,
}

impl Sketch {
    /// Samples these files of the base.
    pub fn of(base: Tree<'_>, entries: &[u32]) -> Result<Self, MakeError> {
        let mut files = Vec::new();
        let (mut block, mut total) = (0u32, 0u64);
        for entry in entries {
            let Some((_, size)) = base.file(*entry) else { continue };
            files.push((block, *entry, size));
            block = block.saturating_add(u32::try_from(size.div_ceil(BLOCK)).unwrap_or(SEVERAL));
            total = total.saturating_add(size);
        }
        let bits = SPARSE_BITS.max((total / SAMPLES).checked_ilog2().map_or(0, |log| log + 1));
        let of_file = |&(block, entry, _): &(u32, u32, u64)| match base.file(entry) {
            Some((path, _)) => of_stream(base, path, base.open(path)?, bits, block),
            None => Ok(Vec::new()),
        };
        let parts = files.par_iter().map(of_file).collect::<Result<Vec<_>, fsx::Error>>()?;
        let mut samples = parts.concat();
        samples.par_sort_unstable();
        samples.dedup();
        samples.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = SEVERAL;
            }
            same
        });
        samples.retain(|(_, block)| *block != SEVERAL);
        Ok(Self { bits, samples, files })
    }

    /// Blocks of the base that have most in common with `raw`, most first, of `room` bytes together at most.
    pub fn like(&self, raw: &[u8], room: u64) -> Vec<Segment> {
        if self.samples.is_empty() {
            return Vec::new();
        }
        let mut votes: HashMap<u32, u32> = HashMap::new();
        let mut gear = Gear::new(self.bits);
        for byte in raw {
            if let Some(hash) = gear.roll(*byte)
                && let Ok(at) = self.samples.binary_search_by_key(&hash, |sample| sample.0)
            {
                *votes.entry(self.samples[at].1).or_default() += 1;
            }
        }
        let mut votes: Vec<(u32, u32)> = votes.into_iter().map(|(block, votes)| (votes, block)).collect();
        votes.sort_unstable_by_key(|(votes, block)| (std::cmp::Reverse(*votes), *block));
        let blocks = votes.into_iter().filter_map(|(_, block)| self.segment(block));
        blocks.take((room / BLOCK) as usize).collect()
    }

    fn segment(&self, block: u32) -> Option<Segment> {
        let behind = self.files.partition_point(|(first, ..)| *first <= block);
        let (first, file, size) = *self.files.get(behind.checked_sub(1)?)?;
        let offset = u64::from(block - first) * BLOCK;
        let length = size.checked_sub(offset)?.min(BLOCK);
        (length > 0).then_some(Segment { file, offset, length })
    }
}

fn of_stream(base: Tree<'_>, path: &TreePath, mut file: File, bits: u32, first: u32) -> fsx::Result<Vec<(u64, u32)>> {
    let (mut samples, mut gear, mut at) = (Vec::new(), Gear::new(bits), 0u64);
    let mut buffer = vec![0; READ];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok(samples),
            Ok(count) => count,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(base.error(path, e)),
        };
        for byte in &buffer[..count] {
            if let Some(hash) = gear.roll(*byte) {
                samples.push((hash, first.saturating_add(u32::try_from(at / BLOCK).unwrap_or(SEVERAL))));
            }
            at += 1;
        }
    }
}

/// A rolling hash of the last 32 bytes.
struct Gear {
    hash: u64,
    seen: u32,
    mask: u64,
}

/// Two bits a byte: after 32 bytes nothing of the first is left.
const SHIFT: u32 = 2;
const WINDOW: u32 = 64 / SHIFT;

impl Gear {
    fn new(bits: u32) -> Self {
        Self { hash: 0, seen: 0, mask: !(u64::MAX >> bits.min(63)) }
    }

    fn roll(&mut self, byte: u8) -> Option<u64> {
        self.hash = (self.hash << SHIFT).wrapping_add(TABLE[usize::from(byte)]);
        self.seen = (self.seen + 1).min(WINDOW);
        (self.hash & self.mask == 0 && self.seen == WINDOW).then_some(self.hash)
    }
}

/// Numbers without a pattern: splitmix64 (Steele et al. 2014).
const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut state = 0u64;
    let mut at = 0;
    while at < 256 {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        table[at] = z ^ (z >> 31);
        at += 1;
    }
    table
};

//! Sparse files of foreign archives: which parts of the file the stream holds. The rest is zeros.

use std::io::Read;

use super::BLOCK;
use super::pax::{SparseRecords, number};

/// A part of a file that the stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) struct Segment {
    /// Where it lies in the file.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
}

/// The most segments of one file.
const MAX_SEGMENTS: usize = 1 << 16;

/// A map: the file's real size, its segments, and how many bytes of the stream the map itself took.
pub(super) struct Map {
    pub size: u64,
    pub segments: Vec<Segment>,
    pub taken: u64,
}

/// GNU tar's old form: four segments in the header, more in blocks behind it. `None` where it is malformed.
pub(super) fn read_gnu(header: &tar::GnuHeader, input: &mut impl Read) -> std::io::Result<Option<Map>> {
    let Ok(size) = header.real_size() else { return Ok(None) };
    let mut map = Map { size, segments: Vec::new(), taken: 0 };
    let mut more = header.is_extended();
    if !add_all(&mut map.segments, &header.sparse) {
        return Ok(None);
    }
    while more {
        let mut block = tar::GnuExtSparseHeader::new();
        input.read_exact(block.as_mut_bytes())?;
        map.taken += BLOCK as u64;
        if !add_all(&mut map.segments, block.sparse()) || map.segments.len() > MAX_SEGMENTS {
            return Ok(None);
        }
        more = block.is_extended();
    }
    Ok(Some(map))
}

fn add_all(segments: &mut Vec<Segment>, found: &[tar::GnuSparseHeader]) -> bool {
    for part in found.iter().filter(|part| !part.is_empty()) {
        match (part.offset(), part.length()) {
            (Ok(offset), Ok(length)) => segments.push(Segment { offset, length }),
            _ => return false,
        }
    }
    true
}

/// GNU tar's pax forms 0.1 (the map is a record) and 1.0 (the map stands before the content). `None` where it is
/// malformed or of another form.
pub(super) fn read_pax(records: SparseRecords, input: &mut impl Read) -> std::io::Result<Option<Map>> {
    let SparseRecords { major, minor, real_size, map, unsupported, .. } = records;
    let (Some(size), false) = (real_size, unsupported) else { return Ok(None) };
    match (major.unwrap_or(0), minor.unwrap_or(1), map) {
        (0, 1, Some(segments)) => Ok(Some(Map { size, segments, taken: 0 })),
        (1, 0, None) => {
            let mut lines = Lines { input, block: [0; BLOCK], at: BLOCK, taken: 0 };
            let Some(count) = lines.number()?.and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= MAX_SEGMENTS)
            else {
                return Ok(None);
            };
            let mut segments = Vec::new();
            for _ in 0..count {
                match (lines.number()?, lines.number()?) {
                    (Some(offset), Some(length)) => segments.push(Segment { offset, length }),
                    _ => return Ok(None),
                }
            }
            Ok(Some(Map { size, segments, taken: lines.taken }))
        }
        _ => Ok(None),
    }
}

/// Decimal numbers, one a line, in whole blocks.
struct Lines<'a, R> {
    input: &'a mut R,
    block: [u8; BLOCK],
    at: usize,
    taken: u64,
}

impl<R: Read> Lines<'_, R> {
    fn number(&mut self) -> std::io::Result<Option<u64>> {
        let mut digits = Vec::new();
        loop {
            if self.at == BLOCK {
                self.input.read_exact(&mut self.block)?;
                self.taken += BLOCK as u64;
                self.at = 0;
            }
            let byte = self.block[self.at];
            self.at += 1;
            match byte {
                b'\n' => return Ok(number(&digits)),
                _ if digits.len() < 20 => digits.push(byte),
                _ => return Ok(None),
            }
        }
    }
}

impl Map {
    /// Whether the segments follow each other inside the file and hold `stored` bytes together.
    pub fn fits(&self, stored: u64) -> bool {
        let (mut end, mut total) = (0u64, 0u64);
        for part in &self.segments {
            match (part.offset.checked_add(part.length), total.checked_add(part.length)) {
                (Some(next), Some(sum)) if part.offset >= end && next <= self.size => (end, total) = (next, sum),
                _ => return false,
            }
        }
        total == stored
    }
}

//! Reading a stored index: frames are decoded in order, lines are parsed on all cores meanwhile.

use std::io::{BufRead as _, BufReader, Read as _};

use rayon::prelude::*;

use super::lines::{EntryLine, HeaderLine, PieceLine, from_hex};
use super::{Amount, INDEX_FORMAT, IndexError, IndexParts, MAX_ENDS_BYTES, MAX_ENTRIES, limit};
use crate::model::MAX_PATH_BYTES;

/// The longest line but the first: two paths with every byte escaped, and the rest.
const MAX_LINE: u64 = 2 * 6 * MAX_PATH_BYTES as u64 + 1024;
const MAX_FIRST_LINE: u64 = 2 * MAX_ENDS_BYTES as u64 + 1024;
/// So many bytes of lines, or a line more, are parsed at once.
const BATCH: usize = 1 << 20;
/// A thread takes no fewer lines.
const FEWEST: usize = 256;

/// Reads the lines of a stored index; whether they fit together is not looked at.
pub(super) fn read(bytes: &[u8]) -> Result<IndexParts, IndexError> {
    let decoder = zstd::Decoder::with_buffer(bytes).map_err(IndexError::Zstd)?;
    let mut lines = Lines { input: BufReader::with_capacity(1 << 16, decoder), number: 0 };
    let mut first = Vec::new();
    lines.next(&mut first, MAX_FIRST_LINE)?;
    let json = |line, source| IndexError::Json { line, source };
    let header: HeaderLine<'_> = serde_json::from_slice(&first).map_err(|e| json(1, e))?;
    if header.index > INDEX_FORMAT {
        return Err(IndexError::Newer { found: header.index });
    }
    limit(Amount::Entries, header.entries, MAX_ENTRIES as u64)?;
    let hex = |text: &str| from_hex(text).ok_or_else(|| json(1, serde::de::Error::custom("not hexadecimal")));
    let (compression, whole) = (header.compression, header.whole);
    let (head, tail) = (hex(&header.head)?, hex(&header.tail)?);
    let HeaderLine { size, tar_size, entries, pieces, .. } = header;
    let entries = lines.parsed(entries, |line, number| {
        let line: EntryLine<'_> = serde_json::from_slice(line).map_err(|e| json(number, e))?;
        line.into_entry(number)
    })?;
    let pieces = lines.parsed(pieces, |line, number| {
        let line: PieceLine = serde_json::from_slice(line).map_err(|e| json(number, e))?;
        Ok(line.into())
    })?;
    lines.end()?;
    Ok(IndexParts { compression, whole, size, tar_size, head, tail, entries, pieces })
}

struct Lines<R> {
    input: R,
    /// How many lines have been read.
    number: usize,
}

/// Lines that are parsed together.
#[derive(Default)]
struct Batch {
    /// The number of the first.
    first: usize,
    text: Vec<u8>,
    /// Where each begins in the text, and where the last ends.
    ends: Vec<usize>,
}

impl Batch {
    fn parsed<T: Send>(
        &self,
        parse: impl Fn(&[u8], usize) -> Result<T, IndexError> + Sync,
    ) -> Vec<Result<T, IndexError>> {
        let lines = self.ends.par_windows(2).with_min_len(FEWEST).enumerate();
        lines.map(|(at, ends)| parse(&self.text[ends[0]..ends[1]], self.first + at)).collect()
    }
}

impl<R: std::io::BufRead + Send> Lines<R> {
    /// Appends the next line to `text`.
    fn next(&mut self, text: &mut Vec<u8>, longest: u64) -> Result<(), IndexError> {
        let read = (&mut self.input).take(longest).read_until(b'\n', text).map_err(IndexError::Zstd)?;
        if read == 0 || text.last() != Some(&b'\n') {
            return Err(if read as u64 == longest {
                IndexError::LongLine { line: self.number + 1 }
            } else {
                IndexError::Short { line: self.number }
            });
        }
        self.number += 1;
        Ok(())
    }

    /// Reads a batch of `left` lines at most; those before an error are in it.
    fn fill(&mut self, batch: &mut Batch, left: &mut u64) -> Result<(), IndexError> {
        batch.first = self.number + 1;
        batch.text.clear();
        batch.ends.clear();
        batch.ends.push(0);
        while *left > 0 && batch.text.len() < BATCH {
            self.next(&mut batch.text, MAX_LINE)?;
            batch.ends.push(batch.text.len());
            *left -= 1;
        }
        Ok(())
    }

    /// The next `count` lines, each made a value by `parse`, which is told its number. The first error counts.
    fn parsed<T: Send>(
        &mut self,
        count: u64,
        parse: impl Fn(&[u8], usize) -> Result<T, IndexError> + Sync,
    ) -> Result<Vec<T>, IndexError> {
        let (mut values, mut left) = (Vec::new(), count);
        let (mut batch, mut ahead) = (Batch::default(), Batch::default());
        let mut read = self.fill(&mut ahead, &mut left);
        loop {
            std::mem::swap(&mut batch, &mut ahead);
            let last = left == 0 || read.is_err();
            let fill = || if last { Ok(()) } else { self.fill(&mut ahead, &mut left) };
            let (following, parsed) = rayon::join(fill, || batch.parsed(&parse));
            for value in parsed {
                values.push(value?);
            }
            if last {
                return read.map(|()| values);
            }
            read = following;
        }
    }

    fn end(&mut self) -> Result<(), IndexError> {
        match self.input.fill_buf().map_err(IndexError::Zstd)? {
            [] => Ok(()),
            _ => Err(IndexError::Long { line: self.number }),
        }
    }
}

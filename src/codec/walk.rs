//! Opens a deflate stream's end, so that another may follow it.
//!
//! libdeflate packs faster and smaller than zlib but always ends its stream: the last block has BFINAL set, and after
//! it there may be a byte half full. Where the last block begins is only known to who has read all before it, so the
//! symbols are walked through, without writing what they mean; then the bit is cleared and an empty stored block
//! (`00 00 ff ff` at a whole byte) put behind, as a full flush of zlib would.
//!
//! Source: RFC 1951. Codes are looked up by their next 11 bits; longer ones, which are rare, bit by bit.

use super::Buffer;

/// Makes the one stream that is in `packed` one that another may follow. `None` where it is not a whole, correct
/// stream and nothing else.
pub(super) fn open_end(packed: &mut Buffer) -> Option<()> {
    let (start, end) = last_block(packed.filled())?;
    if packed.len() != end.div_ceil(8) {
        return None;
    }
    *packed.filled_mut().get_mut(start / 8)? &= !(1 << (start % 8));
    // Three zero bits: not the last, stored; then to the next whole byte.
    packed.push_zeros((end + 3).div_ceil(8) - packed.len());
    packed.push(&[0, 0, 0xff, 0xff]);
    Some(())
}

/// At which bit the last block begins, and at which it ends.
fn last_block(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut bits = Bits { bytes, at: 0, held: 0, count: 0 };
    let mut tables = Tables::default();
    loop {
        let start = bits.position();
        bits.refill();
        let last = bits.take(1) == 1;
        match bits.take(2) {
            0 => bits.skip_stored()?,
            1 => {
                tables.fixed();
                tables.walk(&mut bits)?;
            }
            2 => {
                tables.dynamic(&mut bits)?;
                tables.walk(&mut bits)?;
            }
            _ => return None,
        }
        if bits.position() > bytes.len() * 8 {
            return None;
        }
        if last {
            return Some((start, bits.position()));
        }
    }
}

/// The stream bit by bit, lowest first; zeros behind its end.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    fn position(&self) -> usize {
        self.at * 8 - self.count as usize
    }

    /// Holds at least 56 bits.
    #[inline(always)]
    fn refill(&mut self) {
        if let Some(word) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            self.held |= u64::from_le_bytes(*word) << self.count;
            self.at += (63 - self.count as usize) / 8;
            self.count |= 56;
        } else {
            while self.count < 56 {
                self.held |= u64::from(self.bytes.get(self.at).copied().unwrap_or(0)) << self.count;
                self.at += 1;
                self.count += 8;
            }
        }
    }

    #[inline(always)]
    fn drop(&mut self, count: u32) {
        self.held >>= count;
        self.count -= count;
    }

    /// At most as many bits as are held.
    #[inline(always)]
    fn take(&mut self, count: u32) -> usize {
        let value = self.held & ((1 << count) - 1);
        self.drop(count);
        value as usize
    }

    fn skip_stored(&mut self) -> Option<()> {
        let at = self.position().div_ceil(8);
        let length = u16::from_le_bytes(*self.bytes.get(at..)?.first_chunk::<2>()?);
        (self.at, self.held, self.count) = (at + 4 + usize::from(length), 0, 0);
        Some(())
    }
}

const ROOT: u32 = 11;
const LONGEST: usize = 15;
const END_OF_BLOCK: usize = 256;

/// A prefix code. What is looked up says how many bits to drop, extra bits included, and what the symbol is.
struct Code {
    root: [u16; 1 << ROOT],
    /// How many codes there are of each length, and their symbols in order: for codes longer than the root.
    counts: [u16; LONGEST + 1],
    symbols: [u16; 288],
}

/// In the root: a literal, a length or distance, the end of the block; nothing means a longer code.
const LITERAL: u16 = 1 << 8;
const MATCH: u16 = 2 << 8;
const END: u16 = 3 << 8;

impl Code {
    const EMPTY: Code = Code { root: [0; 1 << ROOT], counts: [0; LONGEST + 1], symbols: [0; 288] };

    /// Builds the code with these lengths; `entry` says what a symbol is, with its extra bits.
    fn build(&mut self, lengths: &[u8], entry: impl Fn(usize) -> u16) -> Option<()> {
        self.counts = [0; LONGEST + 1];
        for length in lengths {
            self.counts[usize::from(*length)] += 1;
        }
        self.counts[0] = 0;
        let (mut code, mut index) = (0u32, 0u16);
        let (mut next_code, mut next_index) = ([0u32; LONGEST + 1], [0u16; LONGEST + 1]);
        for length in 1..=LONGEST {
            code = (code + u32::from(self.counts[length - 1])) << 1;
            if code + u32::from(self.counts[length]) > 1 << length {
                return None;
            }
            (next_code[length], next_index[length]) = (code, index);
            index += self.counts[length];
        }
        self.root = [0; 1 << ROOT];
        for (symbol, length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let (place, length) = (usize::from(*length), u32::from(*length));
            self.symbols[usize::from(next_index[place])] = symbol as u16;
            next_index[place] += 1;
            let reversed = next_code[place].reverse_bits() >> (32 - length);
            next_code[place] += 1;
            if length <= ROOT {
                let value = entry(symbol) + length as u16;
                self.root[reversed as usize..].iter_mut().step_by(1 << length).for_each(|slot| *slot = value);
            }
        }
        Some(())
    }

    /// The next symbol's entry, its bits dropped but for the extra ones.
    #[inline(always)]
    fn next(&self, bits: &mut Bits<'_>, entry: impl Fn(usize) -> u16) -> Option<u16> {
        let found = self.root[(bits.held & ((1 << ROOT) - 1)) as usize];
        if found != 0 {
            bits.drop(u32::from(found & 0xff));
            return Some(found);
        }
        self.long(bits).map(|symbol| {
            let found = entry(symbol);
            bits.drop(u32::from(found & 0xff));
            found
        })
    }

    /// Canonical decoding, one bit after the other.
    #[cold]
    fn long(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for length in 1..=LONGEST {
            code |= bits.take(1);
            let count = usize::from(self.counts[length]);
            if code < first + count {
                return self.symbols.get(index + code - first).map(|symbol| usize::from(*symbol));
            }
            index += count;
            (first, code) = ((first + count) << 1, code << 1);
        }
        None
    }
}

/// Literals, lengths with their extra bits, the end. Symbols 286 and 287 take part in the fixed code but never occur.
fn literal_entry(symbol: usize) -> u16 {
    match symbol {
        0..END_OF_BLOCK => LITERAL,
        END_OF_BLOCK => END,
        257..265 | 285.. => MATCH,
        _ => MATCH + (symbol as u16 - 261) / 4,
    }
}

fn distance_entry(symbol: usize) -> u16 {
    if symbol < 4 { MATCH } else { MATCH + (symbol as u16 - 2) / 2 }
}

struct Tables {
    literals: Code,
    distances: Code,
}

impl Default for Tables {
    fn default() -> Self {
        Self { literals: Code::EMPTY, distances: Code::EMPTY }
    }
}

impl Tables {
    fn fixed(&mut self) {
        let mut lengths = [8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        // Complete codes always build.
        let _ = self.literals.build(&lengths, literal_entry);
        let _ = self.distances.build(&[5; 30], distance_entry);
    }

    fn dynamic(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        bits.refill();
        let (literals, distances, count) = (bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4);
        let mut lengths = [0; 19];
        for symbol in ORDER.into_iter().take(count) {
            bits.refill();
            lengths[symbol] = bits.take(3) as u8;
        }
        self.literals.build(&lengths, |_| LITERAL)?;
        let mut lengths = [0u8; 288 + 32];
        let mut at = 0;
        while at < literals + distances {
            bits.refill();
            let symbol = self.literals.long(bits)?;
            let (value, repeat) = match symbol {
                0..16 => (symbol as u8, 1),
                16 => (*lengths.get(at.checked_sub(1)?)?, 3 + bits.take(2)),
                17 => (0, 3 + bits.take(3)),
                _ => (0, 11 + bits.take(7)),
            };
            lengths.get_mut(at..at + repeat)?.fill(value);
            at += repeat;
        }
        let (first, second) = lengths.get(..literals + distances)?.split_at(literals);
        if first.len() > 286 || second.len() > 30 {
            return None;
        }
        self.literals.build(first, literal_entry)?;
        self.distances.build(second, distance_entry)
    }

    /// Goes through the symbols of a block.
    fn walk(&self, bits: &mut Bits<'_>) -> Option<()> {
        loop {
            // A length and a distance take at most 48 bits, each with its extra bits.
            if bits.count < 48 {
                bits.refill();
                if bits.at > bits.bytes.len() + 8 {
                    return None;
                }
            }
            match self.literals.next(bits, literal_entry)? & 0xff00 {
                LITERAL => {}
                MATCH => {
                    self.distances.next(bits, distance_entry)?;
                }
                _ => return Some(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(raw: &[u8], level: i32) -> Buffer {
        let level = libdeflater::CompressionLvl::new(level).expect("a level");
        let mut state = libdeflater::Compressor::new(level);
        let mut out = Buffer::default();
        let length = state.deflate_compress(raw, out.room(raw.len() + raw.len() / 8 + 1000)).expect("room");
        out.grow(length);
        out
    }

    fn with(bytes: &[u8]) -> Buffer {
        let mut out = Buffer::default();
        out.push(bytes);
        out
    }

    /// Opens each stream's end, joins them, closes the last and inflates with another library.
    fn joined(streams: Vec<Buffer>) -> Vec<u8> {
        let mut all = Vec::new();
        for mut stream in streams {
            open_end(&mut stream).expect("a correct stream");
            all.extend_from_slice(stream.filled());
        }
        all.extend([3, 0]);
        let mut out = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::DeflateDecoder::new(&all[..]), &mut out).expect("one stream");
        out
    }

    #[test]
    fn every_kind_of_block_and_code() {
        let text = include_bytes!("walk.rs").repeat(9);
        let skewed: Vec<u8> = (0..400_000u32).map(|i| (i.wrapping_mul(i) >> 7).trailing_zeros() as u8).collect();
        // Counts as Fibonacci numbers make codes as long as they may be.
        let (mut a, mut b, mut long) = (1usize, 1, Vec::new());
        for byte in 0..24 {
            long.extend(std::iter::repeat_n(byte, a));
            (a, b) = (b, a + b);
        }
        let mut mixed: Vec<u8> =
            long.iter().enumerate().map(|(i, _)| long[i.wrapping_mul(7919) % long.len()]).collect();
        let mut noise = vec![0; 200_000];
        blake3::Hasher::new().update(b"noise").finalize_xof().fill(&mut noise);
        mixed.extend(&noise);
        let all = [&text[..], &skewed, &mixed, &noise, b"", b"x", &[0; 1_000_000]];
        for level in [0, 1, 6, 9, 12] {
            let streams = all.iter().map(|raw| packed(raw, level)).collect();
            assert!(joined(streams) == all.concat(), "level {level}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = open_end(&mut with(&bytes));
        }

        #[test]
        fn damaged_streams_never_panic(at: usize, bit in 0u8..8, cut: usize) {
            let mut bytes = packed(&include_bytes!("walk.rs")[..6000], 6).filled().to_vec();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let _ = open_end(&mut with(&bytes));
            let _ = open_end(&mut with(&bytes[..cut % bytes.len()]));
        }

        #[test]
        fn what_is_cut_short_is_seen(cut: usize) {
            let bytes = packed(&include_bytes!("walk.rs")[..6000], 6);
            prop_assert!(open_end(&mut with(&bytes.filled()[..cut % bytes.len()])).is_none());
        }
    }
}

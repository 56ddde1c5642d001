//! Deflate without repetitions: short codes for frequent bytes and nothing else.
//!
//! ```text
//! block   0, 2 (dynamic codes), 0 (257 symbols), 1 (two distance codes, never used), HCLEN,
//!         code lengths of code lengths, code lengths, literals, end of block             up to 64 KiB of literals
//! …
//! flush   0, 0 (stored), to the next whole byte, 00 00 ff ff
//! ```
//!
//! What weights are packed with by gzip, and so worth its own encoder: one core takes about 1 GB/s, where zlib's strategy of
//! that name, whose buffers are made for repetitions, takes 230 MB/s for the same size. No code has more than 11 bits: five
//! fit beside what is held of a 64-bit word, and decoders find each in their first table.
//!
//! Sources: RFC 1951, 3.2; joining the two lightest of two sorted queues: van Leeuwen, "On the construction of Huffman
//! trees", 1976. Must not know: pieces, archives.

use super::Buffer;

/// Literals of a block: few enough that codes follow the bytes, so many that their lengths cost next to nothing.
const BLOCK: usize = 64 << 10;
/// Every byte, and the end of a block.
const SYMBOLS: usize = 257;
const END: usize = 256;
/// The most bits of a symbol's code.
const LONGEST: usize = 11;
/// So many codes and 7 bits that are held make a word at most.
const AT_ONCE: usize = 5;
/// The most bits of the code of a code length.
const LONGEST_OF_LENGTHS: usize = 7;
/// In this order the lengths of their codes are told.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Appends `raw` to `packed`, up to a whole byte, in blocks of which none is the last. `false`, with anything behind what
/// was there, where it would be more than `most` bytes.
pub(super) fn deflate(raw: &[u8], packed: &mut Buffer, most: usize) -> bool {
    let most = packed.len() + most;
    let mut bits = Bits::default();
    for literals in raw.chunks(BLOCK) {
        let block = Block::new(literals);
        let bytes = (block.bits + u64::from(bits.count)).div_ceil(8) as usize;
        // The flush besides.
        if packed.len() + bytes + 5 > most {
            return false;
        }
        // Words are written whole.
        let mut out = Out { room: packed.room(bytes + 8), at: 0, bits };
        block.write(literals, &mut out);
        let written = out.at;
        bits = out.bits;
        packed.grow(written);
    }
    let mut out = Out { room: packed.room(16), at: 0, bits };
    out.add(0, 3);
    out.flush();
    if out.bits.count > 0 {
        out.bits.count = 8;
        out.flush();
    }
    let written = out.at;
    packed.grow(written);
    packed.push(&[0, 0, 0xff, 0xff]);
    true
}

/// What is not yet a whole byte, lowest bit first.
#[derive(Debug, Clone, Copy, Default)]
struct Bits {
    held: u64,
    count: u32,
}

/// Room for a block.
struct Out<'a> {
    room: &'a mut [u8],
    at: usize,
    bits: Bits,
}

impl Out<'_> {
    fn add(&mut self, bits: u16, count: u16) {
        self.bits.held |= u64::from(bits) << self.bits.count;
        self.bits.count += u32::from(count);
    }

    fn code(&mut self, code: Code) {
        self.add(code.bits, code.length);
    }

    /// Writes the word that is held, and keeps what is not a whole byte of it.
    fn flush(&mut self) {
        if let Some(word) = self.room.get_mut(self.at..self.at + 8) {
            word.copy_from_slice(&self.bits.held.to_le_bytes());
        }
        let bytes = self.bits.count / 8;
        self.at += bytes as usize;
        self.bits.held >>= 8 * bytes;
        self.bits.count %= 8;
    }
}

/// A symbol's bits, in the order in which they are written.
#[derive(Debug, Clone, Copy, Default)]
struct Code {
    bits: u16,
    length: u16,
}

/// The codes of one block.
struct Block {
    /// Of each symbol; then of two distances, which zlib wants to see though nothing uses them.
    lengths: [u8; SYMBOLS + 2],
    lengths_of_lengths: [u8; ORDER.len()],
    /// How many of the latter are told.
    told: usize,
    /// What it all takes.
    bits: u64,
}

impl Block {
    fn new(literals: &[u8]) -> Self {
        let counts = counts(literals);
        let mut lengths = [1; SYMBOLS + 2];
        find_lengths(&counts, LONGEST, &mut lengths[..SYMBOLS]);
        let mut used = [0; ORDER.len()];
        lengths.iter().for_each(|length| used[usize::from(*length)] += 1);
        let mut lengths_of_lengths = [0; ORDER.len()];
        find_lengths(&used, LONGEST_OF_LENGTHS, &mut lengths_of_lengths);
        let told = ORDER.iter().rposition(|length| lengths_of_lengths[*length] > 0).unwrap_or(0).max(3) + 1;
        let sum = |counts: &[u32], lengths: &[u8]| -> u64 {
            counts.iter().zip(lengths).map(|(count, length)| u64::from(*count) * u64::from(*length)).sum()
        };
        let bits = 17 + 3 * told as u64 + sum(&used, &lengths_of_lengths) + sum(&counts, &lengths);
        Self { lengths, lengths_of_lengths, told, bits }
    }

    fn write(&self, literals: &[u8], out: &mut Out<'_>) {
        // Not the last block, dynamic codes; 257 symbols, two distances.
        out.add(0b100, 3);
        out.add(0, 5);
        out.add(1, 5);
        out.add(self.told as u16 - 4, 4);
        out.flush();
        for length in &ORDER[..self.told] {
            out.add(self.lengths_of_lengths[*length].into(), 3);
            out.flush();
        }
        let of_lengths: [Code; ORDER.len()] = codes(&self.lengths_of_lengths);
        for length in self.lengths {
            out.code(of_lengths[usize::from(length)]);
            out.flush();
        }
        let codes: [Code; SYMBOLS] = codes(&self.lengths[..SYMBOLS]);
        let mut words = literals.chunks_exact(AT_ONCE);
        for word in &mut words {
            word.iter().for_each(|byte| out.code(codes[usize::from(*byte)]));
            out.flush();
        }
        for byte in words.remainder() {
            out.code(codes[usize::from(*byte)]);
            out.flush();
        }
        out.code(codes[END]);
        out.flush();
    }
}

/// How often each byte occurs; the end once.
fn counts(literals: &[u8]) -> [u32; SYMBOLS] {
    // Four tables: one would wait for itself where a byte is repeated.
    let mut tables = [[0u32; 256]; 4];
    let mut words = literals.chunks_exact(4);
    for word in &mut words {
        word.iter().zip(&mut tables).for_each(|(byte, table)| table[usize::from(*byte)] += 1);
    }
    words.remainder().iter().for_each(|byte| tables[0][usize::from(*byte)] += 1);
    let mut counts = [1; SYMBOLS];
    for (byte, count) in counts[..END].iter_mut().enumerate() {
        *count = tables.iter().map(|table| table[byte]).sum();
    }
    counts
}

/// Finds the length of each symbol's code so that frequent ones are short, none is longer than `longest`, and no bits are
/// left over; 0 for what does not occur. At least two symbols must occur.
fn find_lengths(counts: &[u32], longest: usize, lengths: &mut [u8]) {
    let mut used: Vec<(u32, usize)> = counts.iter().copied().zip(0..).filter(|(count, _)| *count > 0).collect();
    used.sort_unstable();
    let leaves = used.len();
    let mut weights: Vec<u32> = used.iter().map(|(count, _)| *count).collect();
    let mut parents = vec![0; 2 * leaves];
    // Two queues, lightest first: leaves, and what was joined.
    let (mut leaf, mut joined) = (0, leaves);
    for node in leaves..(2 * leaves).saturating_sub(1) {
        let mut weight = 0;
        for _ in 0..2 {
            let light = leaf < leaves && weights.get(joined).is_none_or(|other| weights[leaf] <= *other);
            let next = if light { &mut leaf } else { &mut joined };
            weight += weights[*next];
            parents[*next] = node;
            *next += 1;
        }
        weights.push(weight);
    }
    let mut depths = vec![0; 2 * leaves];
    for node in (0..(2 * leaves).saturating_sub(2)).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    // How many codes of each length. Where cutting the longest made too many, a shorter one makes room for another.
    let mut of_length = vec![0u32; longest + 1];
    depths[..leaves].iter().for_each(|depth: &usize| of_length[(*depth).clamp(1, longest)] += 1);
    let taken: u32 = of_length.iter().zip(0..).skip(1).map(|(count, length)| count << (longest - length)).sum();
    for _ in 1 << longest..taken {
        if let Some(shorter) = (1..longest).rev().find(|length| of_length[*length] > 0) {
            of_length[longest] -= 1;
            of_length[shorter] -= 1;
            of_length[shorter + 1] += 2;
        }
    }
    lengths.fill(0);
    let mut rarest_first = used.iter();
    for length in (1..=longest).rev() {
        for (_, symbol) in rarest_first.by_ref().take(of_length[length] as usize) {
            lengths[*symbol] = length as u8;
        }
    }
}

/// The codes that follow from their lengths: those of a length in order of their symbols (RFC 1951, 3.2.2).
fn codes<const COUNT: usize>(lengths: &[u8]) -> [Code; COUNT] {
    let mut of_length = [0; 16];
    lengths.iter().filter(|length| **length > 0).for_each(|length| of_length[usize::from(*length)] += 1);
    let mut next = [0u16; 16];
    for length in 1..15 {
        next[length + 1] = (next[length] + of_length[length]) << 1;
    }
    let mut codes = [Code::default(); COUNT];
    for (code, length) in codes.iter_mut().zip(lengths).filter(|(_, length)| **length > 0) {
        let next = &mut next[usize::from(*length)];
        // Codes are written from their highest bit on, everything else from its lowest.
        *code = Code { bits: next.reverse_bits() >> (16 - length), length: u16::from(*length) };
        *next += 1;
    }
    codes
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    /// Packs, checks that two decoders give the same back, and returns the length.
    fn round_trip(raw: &[u8]) -> usize {
        let mut packed = Buffer::default();
        packed.push(b"before");
        assert!(deflate(raw, &mut packed, 2 * raw.len() + 200));
        let bytes = packed.filled().strip_prefix(b"before").expect("kept");
        assert!(bytes.ends_with(&[0, 0, 0xff, 0xff]));
        let whole = [bytes, &[3, 0]].concat();
        let mut back = vec![1; raw.len()];
        let length = libdeflater::Decompressor::new().deflate_decompress(&whole, &mut back).expect("deflate");
        assert!(length == raw.len() && back == raw);
        back.clear();
        flate2::read::DeflateDecoder::new(&whole[..]).read_to_end(&mut back).expect("deflate");
        assert!(back == raw);
        bytes.len()
    }

    #[test]
    fn one_byte_all_bytes_and_blocks_of_every_end_come_back() {
        round_trip(&[]);
        for length in [1, 2, 4, 5, 6, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7] {
            let one = round_trip(&vec![7; length]);
            assert!(one <= length / 8 + 100 * length.div_ceil(BLOCK), "{length}: {one}");
            let all: Vec<u8> = (0..length).map(|at| (at * 181 % 256) as u8).collect();
            round_trip(&all);
        }
    }

    #[test]
    fn codes_that_would_be_longer_are_cut_and_stay_complete() {
        // Each twice as frequent as the one before: unlimited, the rarest would have as many bits as there are bytes.
        let (mut raw, mut count) = (Vec::new(), 1.0f64);
        for byte in 0..24 {
            raw.extend(vec![byte; count as usize]);
            count *= 1.62;
        }
        raw.truncate(BLOCK);
        let counts = counts(&raw);
        let mut lengths = [0; SYMBOLS];
        find_lengths(&counts, LONGEST, &mut lengths);
        assert_eq!(lengths.iter().max(), Some(&(LONGEST as u8)));
        let taken: u32 = lengths.iter().filter(|length| **length > 0).map(|length| 1 << (LONGEST as u8 - length)).sum();
        assert_eq!(taken, 1 << LONGEST);
        round_trip(&raw);
    }

    #[test]
    fn what_would_not_pay_is_given_up() {
        let noise: Vec<u8> = (0..BLOCK as u32 * 2).map(|i| (i.wrapping_mul(0x9E37_79B1) >> 24) as u8).collect();
        let mut packed = Buffer::default();
        assert!(!deflate(&noise, &mut packed, noise.len() / 2));
        let exact = round_trip(&noise);
        assert!(deflate(&noise, &mut Buffer::default(), exact + 1));
        assert!(!deflate(&noise, &mut Buffer::default(), exact - 8));
    }

    proptest! {
        #[test]
        fn any_use_of_bytes_comes_back(
            parts in proptest::collection::vec((any::<u8>(), any::<u8>(), 1usize..40_000), 1..12),
        ) {
            // Runs of bytes under a mask: from one byte alone to all of them.
            let part = |(seed, mask, length): &(u8, u8, usize)| {
                let next = |i: u32| ((i.wrapping_mul(0x9E37_79B1) >> 13) as u8).wrapping_add(*seed) & mask;
                (0..*length as u32).map(next).collect::<Vec<u8>>()
            };
            round_trip(&parts.iter().flat_map(part).collect::<Vec<u8>>());
        }
    }
}

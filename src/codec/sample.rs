//! What a piece's bytes are, judged by a sample: whether to look for repetitions, only for frequent bytes, or neither.
//!
//! Model weights have no repetitions worth the search but an uneven use of bytes; archives, images and encrypted
//! files have neither. The sample is 16 windows of 4 KiB, evenly spread; the judgement depends on the piece alone.

/// What compresses a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing: store it.
    Noise,
    /// Shorter codes for frequent bytes.
    Uneven,
    /// Repetitions: the level that was asked for.
    Ordinary,
}

const WINDOWS: usize = 16;
const WINDOW: usize = 4 << 10;
/// Below this share of bytes in repetitions, the search for them does not pay.
const REPEATED: f64 = 0.03;
/// Above these bits a byte, shorter codes save less than one part in a hundred.
const NOISE_BITS: f64 = 7.92;

/// Judges a piece.
pub(super) fn judge(raw: &[u8]) -> Content {
    if raw.len() < 2 * WINDOW {
        return Content::Ordinary;
    }
    let windows = WINDOWS.min(raw.len() / WINDOW);
    let step = (raw.len() - WINDOW) / (windows - 1).max(1);
    let mut sample = Vec::with_capacity(windows * WINDOW);
    (0..windows).for_each(|i| sample.extend_from_slice(&raw[i * step..i * step + WINDOW]));
    if repeated(&sample) >= REPEATED {
        return Content::Ordinary;
    }
    if bits_per_byte(&sample) > NOISE_BITS { Content::Noise } else { Content::Uneven }
}

/// Order-0 entropy.
fn bits_per_byte(sample: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    sample.iter().for_each(|b| counts[usize::from(*b)] += 1);
    let total = sample.len() as f64;
    let used = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count));
    used.map(|count| count / total * (total / count).log2()).sum()
}

/// The share of bytes that a greedy search with four-byte hashes finds repeated.
fn repeated(sample: &[u8]) -> f64 {
    let mut last = vec![0u32; 1 << 14];
    let four = |at: usize| sample.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let (mut at, mut found) = (0, 0);
    while let Some(bytes) = four(at) {
        let slot = &mut last[(bytes.wrapping_mul(0x9E37_79B1) >> 18) as usize];
        // Stored one higher, so that zero means none.
        let before = std::mem::replace(slot, at as u32 + 1) as usize;
        if before > 0 && four(before - 1) == Some(bytes) {
            let same = sample[before - 1..].iter().zip(&sample[at..]).take_while(|(a, b)| a == b).count();
            found += same;
            at += same;
        } else {
            at += 1;
        }
    }
    found as f64 / sample.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// xorshift64: even bytes without repetitions.
    pub(crate) fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x2545_F491_4F6C_DD1Du64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
    }

    #[test]
    fn tells_noise_weights_and_text_apart() {
        assert_eq!(judge(&noise(1 << 20)), Content::Noise);
        // Every second byte has four bits: like the exponents of weights.
        let weights: Vec<u8> =
            noise(1 << 20).iter().enumerate().map(|(i, b)| if i % 2 == 0 { *b } else { b & 15 }).collect();
        assert_eq!(judge(&weights), Content::Uneven);
        let text: Vec<u8> = (0..1 << 17).flat_map(|i: u32| format!("line {i}\n").into_bytes()).collect();
        assert_eq!(judge(&text), Content::Ordinary);
        assert_eq!(judge(&vec![0; 1 << 20]), Content::Ordinary);
        assert_eq!(judge(&[]), Content::Ordinary);
    }
}

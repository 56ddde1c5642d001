//! Digests as values that can only be made by hashing or by parsing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not exactly 64 characters.
    #[error("a digest has 64 hexadecimal digits, not {0}")]
    Length(usize),
    /// A character that is not a lowercase hexadecimal digit.
    #[error("`{0}` is not a lowercase hexadecimal digit")]
    Digit(char),
}

const NO_DIGIT: u8 = 0x10;

/// What each byte is worth as a lowercase hexadecimal digit. An index has two digests a line: to look up is several times as
/// fast as to compare.
const NIBBLES: [u8; 256] = {
    let mut nibbles = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 16 {
        nibbles[b"0123456789abcdef"[digit] as usize] = digit as u8;
        digit += 1;
    }
    nibbles
};

fn parse_hex(text: &str) -> Result<[u8; 32], DigestError> {
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    if text.len() != 64 {
        return Err(DigestError::Length(text.chars().count()));
    }
    let (mut bytes, mut seen) = ([0; 32], 0);
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (NIBBLES[usize::from(*high)], NIBBLES[usize::from(*low)]);
        *byte = high << 4 | low & 0xf;
        seen |= high | low;
    }
    if seen >= NO_DIGIT {
        let wrong = text.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f'));
        return Err(DigestError::Digit(wrong.unwrap_or_default()));
    }
    Ok(bytes)
}

/// Lowercase hexadecimal digits.
fn to_hex(bytes: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; 64];
    for (pair, byte) in hex.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    hex
}

macro_rules! digest {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The digest with these bytes, as a hash function returned them.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first 16 hexadecimal digits: enough to tell contents apart, short enough to read.
            pub fn short(&self) -> String {
                let mut hex = self.to_string();
                hex.truncate(16);
                hex
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(std::str::from_utf8(&to_hex(&self.0)).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(std::str::from_utf8(&to_hex(&self.0)).unwrap_or_default())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
            }
        }
    };
}

digest!(Sha256, "A SHA-256 digest (FIPS 180-4): names packages, manifests and indexes.");
digest!(Blake3, "A BLAKE3 digest: names trees, files and pieces.");

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of everything `reader` gives, and how many bytes that was.
    ///
    /// # Errors
    ///
    /// The reader's own.
    pub fn of_reader(mut reader: impl std::io::Read) -> std::io::Result<(Self, u64)> {
        let mut hasher = Sha256Hasher::default();
        let mut buffer = vec![0; 256 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(hasher.digest()),
                Ok(count) => hasher.add(buffer.get(..count).unwrap_or(&buffer)),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// Hashes and counts what is written to it.
#[derive(Debug, Clone, Default)]
pub struct Sha256Hasher {
    hasher: sha2::Sha256,
    size: u64,
}

impl Sha256Hasher {
    /// Takes the next bytes in.
    pub fn add(&mut self, bytes: &[u8]) {
        sha2::Digest::update(&mut self.hasher, bytes);
        self.size += bytes.len() as u64;
    }

    /// Digest and length of what came so far.
    pub fn digest(&self) -> (Sha256, u64) {
        (Sha256(sha2::Digest::finalize(self.hasher.clone()).into()), self.size)
    }
}

impl std::io::Write for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Blake3 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_it_prints_and_nothing_else() {
        let digest = Sha256::of(b"abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_string().parse::<Sha256>(), Ok(digest));
        assert_eq!(digest.short(), "ba7816bf8f01cfea");
        assert_eq!("ab".parse::<Sha256>(), Err(DigestError::Length(2)));
        let upper = digest.to_string().to_uppercase();
        assert_eq!(upper.parse::<Sha256>(), Err(DigestError::Digit('B')));
    }
}

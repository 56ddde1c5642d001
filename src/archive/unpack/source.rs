//! Where a package is read from, counted and hashed on the way.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

use sha2::Digest as _;

use super::Expected;
use crate::archive::error::UnpackError;
use crate::model::{Blake3, Sha256};

/// A package to read.
pub enum Source<'a> {
    /// A file, read from its beginning at any place; its own position is neither used nor moved.
    File(&'a File),
    /// A stream, read once: a pipe, a download under way.
    Stream(Box<dyn Read + Send + 'a>),
}

impl<'a> Source<'a> {
    pub(super) fn into_read(self) -> Box<dyn Read + Send + 'a> {
        match self {
            Source::File(file) => Box::new(Positioned { file, at: 0 }),
            Source::Stream(stream) => stream,
        }
    }
}

/// A file read from its beginning, whatever others do to its position.
struct Positioned<'a> {
    file: &'a File,
    at: u64,
}

impl Read for Positioned<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(out, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Counts and hashes what is read.
pub(super) struct Tally<'a> {
    input: Box<dyn Read + Send + 'a>,
    size: u64,
    sha256: Option<sha2::Sha256>,
    blake3: Option<blake3::Hasher>,
}

impl<'a> Tally<'a> {
    pub fn new(input: Box<dyn Read + Send + 'a>, sha256: bool, blake3: bool) -> Self {
        let (sha256, blake3) = (sha256.then(sha2::Sha256::new), blake3.then(blake3::Hasher::new));
        Self { input, size: 0, sha256, blake3 }
    }

    /// Reads what is left, so that size and digests are of the whole.
    fn drain(&mut self) -> Result<(), UnpackError> {
        io::copy(self, &mut io::sink()).map(|_| ()).map_err(UnpackError::Read)
    }

    pub fn check_size(&mut self, expected: u64) -> Result<(), UnpackError> {
        self.drain()?;
        if self.size == expected { Ok(()) } else { Err(UnpackError::Size { expected, found: self.size }) }
    }

    pub fn check(&mut self, expected: Option<Expected>) -> Result<(), UnpackError> {
        let Some(Expected { size, sha256: expected }) = expected else { return Ok(()) };
        self.check_size(size)?;
        match self.sha256.take().map(|hasher| Sha256::from_bytes(hasher.finalize().into())) {
            Some(found) if found != expected => Err(UnpackError::Sha256 { expected, found }),
            _ => Ok(()),
        }
    }

    /// Length and BLAKE3 of the whole.
    pub fn finish(mut self) -> Result<(u64, Blake3), UnpackError> {
        self.drain()?;
        let digest = self.blake3.unwrap_or_default().finalize();
        Ok((self.size, Blake3::from_bytes(*digest.as_bytes())))
    }
}

impl Read for Tally<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(out)?;
        let bytes = &out[..count];
        self.size += count as u64;
        if let Some(hasher) = &mut self.sha256 {
            hasher.update(bytes);
        }
        if let Some(hasher) = &mut self.blake3 {
            hasher.update(bytes);
        }
        Ok(count)
    }
}

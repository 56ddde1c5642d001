//! Hashing everything again.

use std::fs::File;
use std::io::{self, Read};

use rayon::prelude::*;

use super::{Entry, Reader, Result};
use crate::fsx::{self, Action};
use crate::model::Sha256;

/// What a verification found.
#[derive(Debug)]
pub struct Verified {
    /// How many contents were hashed.
    pub checked: usize,
    /// How many bytes those were.
    pub bytes: u64,
    /// The ones that are not what their name says, by digest.
    pub corrupt: Vec<Corrupt>,
}

/// A content that is not what its name says.
#[derive(Debug)]
pub struct Corrupt {
    /// Its name.
    pub sha256: Sha256,
    /// What is wrong.
    pub damage: Damage,
}

/// What is wrong with a content.
#[derive(Debug)]
pub enum Damage {
    /// Its bytes have another digest.
    Digest {
        /// That digest.
        found: Sha256,
        /// Its length in bytes.
        size: u64,
    },
    /// The disk does not give its bytes.
    Unreadable(fsx::Error),
}

impl Reader {
    /// Hashes every content, on all cores. `told` is told of bytes that were read, and of how many there are in all. Reports;
    /// [`super::Store::set_aside`] and [`super::Store::discard`] mend.
    pub fn verify(&self, told: &(dyn Fn(u64, u64) + Sync)) -> Result<Verified> {
        let entries = self.list()?;
        let all = entries.iter().map(|entry| entry.size).sum();
        let rehash = |entry: Entry| (entry.sha256, self.rehash(entry.sha256, &|bytes| told(bytes, all)));
        let results: Vec<_> = entries.into_par_iter().map(rehash).collect();
        let mut verified = Verified { checked: 0, bytes: 0, corrupt: Vec::new() };
        for (sha256, result) in results {
            let damage = match result {
                // Collected or discarded since it was listed.
                Ok(None) => continue,
                Ok(Some((found, size))) => {
                    verified.bytes += size;
                    (found != sha256).then_some(Damage::Digest { found, size })
                }
                Err(e) => Some(Damage::Unreadable(e)),
            };
            verified.checked += 1;
            verified.corrupt.extend(damage.map(|damage| Corrupt { sha256, damage }));
        }
        Ok(verified)
    }

    /// What the bytes of a content really hash to; `None` where it is not there.
    pub fn digest(&self, sha256: &Sha256) -> Result<Option<Sha256>> {
        Ok(self.rehash(*sha256, &|_| {})?.map(|(found, _)| found))
    }

    fn rehash(&self, sha256: Sha256, told: &dyn Fn(u64)) -> fsx::Result<Option<(Sha256, u64)>> {
        let path = self.place(&sha256);
        let file = match fsx::open(&path) {
            Ok(file) => file,
            Err(e) if e.is_not_found() => return Ok(None),
            Err(e) => return Err(e),
        };
        Sha256::of_reader(Told { file, told }).map(Some).map_err(|e| fsx::Error::new(Action::Read, path, e))
    }
}

/// A file that tells of what was read of it.
struct Told<'a> {
    file: File,
    told: &'a dyn Fn(u64),
}

impl Read for Told<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        (self.told)(read as u64);
        Ok(read)
    }
}

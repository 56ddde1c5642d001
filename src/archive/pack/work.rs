//! The workers: fill a group's piece from its files, hash, encode.
//!
//! A piece of a big file is decoded again at once, while it is in memory, and compared: `publish` need not ([`check_packed`]).
//! Those with headers it reads back with a plain tar reader.
//!
//! [`check_packed`]: crate::archive::check_packed

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender};

use super::trap::{self, TrapKind};
use super::{Mtime, PackOptions, full_path};
use crate::archive::error::PackError;
use crate::archive::os_path;
use crate::archive::tar::{padding, write_header};
use crate::codec::{self, Buffer, CodecError, Decoder, Encoder, Flaw, Seal, Settings};
use crate::fsx::{Action, Dir, Error as FsError};
use crate::model::{Blake3, Compression, Entry, EntryKind, TreePath};

use super::cut::BIG;

/// Memory for one piece; a fixed number of them goes round.
#[derive(Default)]
pub(super) struct Slot {
    pub raw: Buffer,
    pub packed: Buffer,
}

impl Slot {
    /// To be used again. What is packed as it is changes buffers on the way: the one that grew takes the next bytes.
    pub fn back(mut self) -> Self {
        if self.packed.capacity() > self.raw.capacity() {
            std::mem::swap(&mut self.raw, &mut self.packed);
        }
        self
    }
}

/// What a piece is made of.
pub(super) enum Content {
    /// Whole entries: zeros that end the file before, headers with content, zeros at the end of the stream. The
    /// content of a big file is not here: its header is the last.
    Group { lead: usize, entries: Vec<Entry>, trail: usize },
    /// Bytes of a big file, in the slot already; the last piece of a file has its digest.
    Chunk { digest: Option<Blake3> },
}

/// One piece to encode.
pub(super) struct Job {
    pub number: u64,
    pub slot: Slot,
    pub content: Content,
}

/// An encoded piece.
pub(super) struct Done {
    pub number: u64,
    pub slot: Slot,
    pub content: Content,
    /// The piece's bytes before encoding.
    pub length: u64,
    pub seal: Seal,
    pub raw: Blake3,
    pub packed: Blake3,
    pub traps: Vec<(TrapKind, TreePath)>,
}

/// Works until there are no more jobs, or nobody takes what is done.
pub(super) fn run(
    root: &Dir,
    settings: Settings,
    options: &PackOptions<'_>,
    jobs: &Mutex<Receiver<Job>>,
    done: &Sender<Result<Done, PackError>>,
) {
    let mut worker = Worker { root, options, last: None, traps: Vec::new() };
    let mut coder = match Coder::new(settings) {
        Ok(coder) => coder,
        Err(e) => {
            let _ = done.send(Err(e.into()));
            return;
        }
    };
    loop {
        let job = match jobs.lock().map(|jobs| jobs.recv()) {
            Ok(Ok(job)) => job,
            _ => return,
        };
        let result = worker.piece(job, &mut coder);
        let failed = result.is_err();
        if done.send(result).is_err() || failed {
            return;
        }
    }
}

/// Encodes, and decodes again what is not read back later.
struct Coder {
    compression: Compression,
    encoder: Option<Box<dyn Encoder>>,
    decoder: Option<Box<dyn Decoder>>,
    again: Buffer,
}

impl Coder {
    fn new(settings: Settings) -> Result<Self, CodecError> {
        let compression = settings.compression();
        let decoder = match codec::sums_up(compression) {
            true => codec::decoder(compression)?,
            false => None,
        };
        Ok(Self { compression, encoder: settings.encoder()?, decoder, again: Buffer::default() })
    }

    /// Whether what was packed decodes to what it was made of.
    fn prove(&mut self, raw: &[u8], packed: &mut Buffer) -> Result<(), CodecError> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let length = packed.len();
        self.again.clear();
        let again = self.again.room(raw.len());
        let decoded = decoder.decode(packed, again);
        packed.truncate(length);
        if decoded.is_ok() && again == raw {
            return Ok(());
        }
        Err(CodecError::Encode { compression: self.compression, reason: Flaw::Unexpected })
    }
}

struct Worker<'a> {
    root: &'a Dir,
    options: &'a PackOptions<'a>,
    /// The directory of the last file: the next one is mostly in it too.
    last: Option<(Vec<u8>, Dir)>,
    traps: Vec<(TrapKind, TreePath)>,
}

impl Worker<'_> {
    fn piece(&mut self, job: Job, coder: &mut Coder) -> Result<Done, PackError> {
        let Job { number, mut slot, mut content } = job;
        if let Content::Group { lead, entries, trail } = &mut content {
            slot.raw.clear();
            slot.raw.push_zeros(*lead);
            for entry in entries {
                self.entry(entry, &mut slot.raw)?;
            }
            slot.raw.push_zeros(*trail);
        }
        let length = slot.raw.len() as u64;
        let raw = Blake3::of(slot.raw.filled());
        let (seal, packed) = match &mut coder.encoder {
            None => {
                // As it is: the two buffers change places.
                std::mem::swap(&mut slot.raw, &mut slot.packed);
                (Seal::Plain, raw)
            }
            Some(encoder) => {
                let seal = encoder.encode(slot.raw.filled(), &mut slot.packed)?;
                if let Content::Chunk { .. } = content {
                    coder.prove(slot.raw.filled(), &mut slot.packed)?;
                }
                (seal, Blake3::of(slot.packed.filled()))
            }
        };
        let traps = std::mem::take(&mut self.traps);
        Ok(Done { number, slot, content, length, seal, raw, packed, traps })
    }

    fn entry(&mut self, entry: &mut Entry, raw: &mut Buffer) -> Result<(), PackError> {
        write_header(entry, raw);
        let EntryKind::File { size, digest } = &mut entry.kind else { return Ok(()) };
        if *size > BIG {
            return Ok(());
        }
        let start = raw.len();
        self.read(&entry.path, *size as usize, raw)?;
        let bytes = &raw.filled()[start..];
        *digest = Blake3::of(bytes);
        let normalized = self.options.mtime == Mtime::Normalize;
        if let Some(kind) = trap::look(&entry.path, entry.mode, normalized, bytes) {
            self.traps.push((kind, entry.path.clone()));
        }
        raw.push_zeros(padding(*size));
        Ok(())
    }

    fn open(&mut self, path: &TreePath) -> Result<File, FsError> {
        let bytes = path.as_bytes();
        let slash = bytes.iter().rposition(|b| *b == b'/').filter(|_| !self.options.dereference);
        let Some(slash) = slash else { return self.root.open_file(os_path(path), self.options.dereference) };
        let (above, name) = (&bytes[..slash], Path::new(OsStr::from_bytes(&bytes[slash + 1..])));
        match &self.last {
            Some((known, dir)) if known == above => dir.open_file(name, false),
            _ => {
                let dir = self.root.below(Path::new(OsStr::from_bytes(above)))?;
                self.last.insert((above.to_vec(), dir)).1.open_file(name, false)
            }
        }
    }

    /// Appends exactly `size` bytes, all that the file has.
    fn read(&mut self, path: &TreePath, size: usize, raw: &mut Buffer) -> Result<(), PackError> {
        let mut file = self.open(path)?;
        // One byte more than there should be, to see a file that has grown.
        let room = raw.room(size + 1);
        let mut filled = 0;
        while filled <= size {
            match file.read(&mut room[filled..]) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    // A short file is read to its end by one call.
                    if filled == size {
                        break;
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(FsError::new(Action::Read, full_path(self.root, path), e).into()),
            }
        }
        if filled != size {
            return Err(PackError::Changed { path: full_path(self.root, path) });
        }
        raw.grow(size);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_decode_to_what_it_was_made_of_is_refused() {
        let raw: Vec<u8> = (0..300_000u32).map(|i| (i.wrapping_mul(0x9E37_79B1) >> 27) as u8).collect();
        for compression in [Compression::Gzip, Compression::Zstd] {
            let mut coder = Coder::new(Settings::new(compression, None).expect("the default")).expect("a coder");
            let mut packed = Buffer::default();
            coder.encoder.as_mut().expect("it packs").encode(&raw, &mut packed).expect("encoded");
            let before = packed.filled().to_vec();
            coder.prove(&raw, &mut packed).expect("proved");
            assert!(packed.filled() == before, "{compression:?}: changed by proving");
            let mut other = raw.clone();
            other[299_999] ^= 1;
            let refused = coder.prove(&other, &mut packed);
            assert!(matches!(refused, Err(CodecError::Encode { reason: Flaw::Unexpected, .. })), "{compression:?}");
            packed.truncate(before.len() / 2);
            assert!(coder.prove(&raw, &mut packed).is_err(), "{compression:?}: cut");
        }
    }
}

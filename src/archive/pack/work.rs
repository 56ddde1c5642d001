//! The workers: fill a group's piece from its files, hash, encode.

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
use crate::codec::{Buffer, Seal, Settings};
use crate::fsx::{Action, Dir, Error as FsError};
use crate::model::{Blake3, Entry, EntryKind, TreePath};

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
    let mut encoder = match settings.encoder() {
        Ok(encoder) => encoder,
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
        let result = worker.piece(job, encoder.as_deref_mut());
        let failed = result.is_err();
        if done.send(result).is_err() || failed {
            return;
        }
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
    fn piece(
        &mut self,
        job: Job,
        encoder: Option<&mut (dyn crate::codec::Encoder + 'static)>,
    ) -> Result<Done, PackError> {
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
        let (seal, packed) = match encoder {
            None => {
                // As it is: the two buffers change places.
                std::mem::swap(&mut slot.raw, &mut slot.packed);
                (Seal::Plain, raw)
            }
            Some(encoder) => {
                let seal = encoder.encode(slot.raw.filled(), &mut slot.packed)?;
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

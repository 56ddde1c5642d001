//! Hands out a package's pieces to many threads, from a file at any place or from a stream in order, and sees to it
//! that head, pieces and tail are all there is.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::Digest as _;

use super::pieces::Wanted;
use super::{Source, UnpackOptions};
use crate::archive::error::{End, UnpackError};
use crate::archive::tar::TarError;
use crate::codec::{Buffer, Form};
use crate::model::{Index, Sha256};

/// Pieces that come from elsewhere, while they are fetched for example: in order, each checked by its digest before.
pub trait Pieces: Sync {
    /// Whether the piece of this number is one of those that come.
    fn comes(&self, number: usize) -> bool;

    /// Waits for the next piece and puts it into `into`, whose memory it may take in exchange; says in which form it is.
    ///
    /// # Errors
    ///
    /// No more will come.
    fn next(&self, into: &mut Buffer) -> std::io::Result<Form>;
}

/// Hands out pieces in order.
pub(super) struct Feed<'a> {
    index: &'a Index,
    file: Option<&'a File>,
    pieces: Option<&'a dyn Pieces>,
    /// What is read of a file; the rest is passed over.
    wanted: Option<&'a Wanted<'a>>,
    state: Mutex<FeedState<'a>>,
    expected: Option<Sha256>,
}

struct FeedState<'a> {
    next: usize,
    stream: Option<Box<dyn Read + Send + 'a>>,
    sha256: Option<sha2::Sha256>,
}

impl<'a> Feed<'a> {
    pub fn new(
        source: Source<'a>,
        index: &'a Index,
        wanted: &'a Wanted<'a>,
        options: &UnpackOptions<'_>,
    ) -> Result<Self, UnpackError> {
        if let Some(expected) = options.expected.filter(|e| e.size != index.size) {
            return Err(UnpackError::Size { expected: expected.size, found: index.size });
        }
        let (file, stream) = match source {
            Source::File(file) => (Some(file), None),
            Source::Stream(stream) => (None, Some(stream)),
        };
        if let Some(file) = file {
            let found = file.metadata().map_err(UnpackError::Read)?.len();
            if found != index.size {
                return Err(UnpackError::Size { expected: index.size, found });
            }
        }
        let expected = options.expected.map(|e| e.sha256);
        let state = FeedState { next: 0, stream, sha256: expected.map(|_| sha2::Sha256::new()) };
        let wanted = file.map(|_| wanted);
        let feed = Self { index, file, pieces: None, wanted, state: Mutex::new(state), expected };
        feed.end(0, &index.head, End::Head)?;
        Ok(feed)
    }

    /// Pieces that were checked by who gives them.
    pub fn checked(pieces: &'a dyn Pieces, index: &'a Index) -> Self {
        let state = FeedState { next: 0, stream: None, sha256: None };
        Self { index, file: None, pieces: Some(pieces), wanted: None, state: Mutex::new(state), expected: None }
    }

    /// Whether pieces were checked by their digests before.
    pub fn is_checked(&self) -> bool {
        self.pieces.is_some()
    }

    /// Reads the next piece; `None` behind the last. A file that need not be hashed is read by several at once.
    pub fn next(&self, packed: &mut Buffer) -> Result<Option<(usize, Form)>, UnpackError> {
        let mut state = lock(&self.state);
        let passed_over = |number| {
            self.wanted.is_some_and(|wanted| !wanted.piece(number))
                || self.pieces.is_some_and(|pieces| !pieces.comes(number))
        };
        while state.next < self.index.pieces.len() && passed_over(state.next) {
            state.next += 1;
        }
        let number = state.next;
        let Some(piece) = self.index.pieces.get(number) else { return Ok(None) };
        state.next += 1;
        let length = piece.length as usize;
        if let Some(pieces) = self.pieces {
            // With the lock: who has a piece must not wait for one before it that nobody has.
            let form = pieces.next(packed).map_err(read_error)?;
            return Ok(Some((number, form)));
        }
        packed.clear();
        let room = packed.room(length);
        match self.file {
            Some(file) if state.sha256.is_none() => {
                drop(state);
                file.read_exact_at(room, piece.offset).map_err(read_error)?;
            }
            _ => self.read(&mut state, piece.offset, room)?,
        }
        packed.grow(length);
        Ok(Some((number, Form::Packed)))
    }

    /// Reads what is next in order, and hashes it.
    fn read(&self, state: &mut FeedState<'a>, offset: u64, out: &mut [u8]) -> Result<(), UnpackError> {
        if let Some(file) = self.file {
            file.read_exact_at(out, offset).map_err(read_error)?;
        } else if let Some(stream) = &mut state.stream {
            stream.read_exact(out).map_err(read_error)?;
        }
        if let Some(hasher) = &mut state.sha256 {
            hasher.update(out);
        }
        Ok(())
    }

    /// Reads head or tail.
    fn end(&self, offset: u64, listed: &[u8], end: End) -> Result<(), UnpackError> {
        let mut found = vec![0; listed.len()];
        self.read(&mut lock(&self.state), offset, &mut found)?;
        if found == listed { Ok(()) } else { Err(UnpackError::Ends { end }) }
    }

    /// All pieces are done: what is behind them must be the tail and nothing more.
    pub fn finish(&self) -> Result<(), UnpackError> {
        if self.is_checked() {
            return Ok(());
        }
        let tail = &self.index.tail;
        self.end(self.index.size - tail.len() as u64, tail, End::Tail)?;
        let mut state = lock(&self.state);
        if let Some(stream) = &mut state.stream {
            let more = std::io::copy(stream, &mut std::io::sink()).map_err(UnpackError::Read)?;
            if more > 0 {
                return Err(UnpackError::Size { expected: self.index.size, found: self.index.size + more });
            }
        }
        match (self.expected, state.sha256.take()) {
            (Some(expected), Some(hasher)) => match Sha256::from_bytes(hasher.finalize().into()) {
                found if found == expected => Ok(()),
                found => Err(UnpackError::Sha256 { expected, found }),
            },
            _ => Ok(()),
        }
    }
}

fn read_error(error: std::io::Error) -> UnpackError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => TarError::CutShort.into(),
        _ => UnpackError::Read(error),
    }
}

/// The value behind a lock; a thread that panicked with it leaves nothing half done that matters.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Decodes ahead on a thread of its own, while what was decoded is hashed and written.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

const BUFFERS: usize = 4;
const BUFFER_BYTES: usize = 256 << 10;

/// What another thread has read.
pub(super) struct Ahead {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Ahead {
    /// Begins to read `input`; the thread ends with the input, or once the reader is dropped.
    pub fn spawn<'s>(scope: &'s Scope<'s, '_>, mut input: Box<dyn Read + Send + 's>) -> Self {
        let (full_in, full) = channel();
        let (empty, empty_out) = channel::<Vec<u8>>();
        for _ in 0..BUFFERS {
            let _ = empty.send(vec![0; BUFFER_BYTES]);
        }
        scope.spawn(move || {
            while let Ok(mut buffer) = empty_out.recv() {
                buffer.resize(BUFFER_BYTES, 0);
                let (filled, error) = fill(&mut input, &mut buffer);
                buffer.truncate(filled);
                let ended = filled < BUFFER_BYTES;
                if full_in.send(Ok(buffer)).is_err() {
                    return;
                }
                if let Some(e) = error {
                    let _ = full_in.send(Err(e));
                }
                if ended {
                    return;
                }
            }
        });
        Self { full, empty, current: Vec::new(), at: 0, ended: false }
    }
}

/// Reads until the buffer is full, the input ends or an error comes.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (filled, Some(e)),
        }
    }
    (filled, None)
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.current.len() && !self.ended {
            // The thread may have ended: then nobody needs the buffer.
            let _ = self.empty.send(std::mem::take(&mut self.current));
            self.at = 0;
            match self.full.recv() {
                Ok(next) => self.current = next?,
                Err(_) => self.ended = true,
            }
        }
        let count = out.len().min(self.current.len() - self.at);
        out[..count].copy_from_slice(&self.current[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

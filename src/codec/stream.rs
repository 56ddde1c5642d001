//! Archives of any origin as one stream: member after member until the input ends.

use std::io::{self, BufRead, Read};

use super::Trailing;

/// So many bytes tell whether a member begins: the longest magic number, xz's.
const START: usize = 6;

/// A decoder of one member, frame or stream, which leaves what follows it in the input.
pub(super) trait Member<R>: Read + Sized {
    /// Whether a member begins with these bytes, the next ones. They are fewer than its magic number where the input ends
    /// within it: that is a member too, one that is cut short.
    fn begins(start: &[u8]) -> bool;

    /// Begins to decode.
    fn open(input: R) -> io::Result<Self>;

    /// The input behind the member, once it has been read to its end.
    fn close(self) -> R;
}

enum State<R, M> {
    Between(R),
    Inside(M),
    Done,
}

/// Whether the bytes agree with a magic number as far as both go.
pub(super) fn agrees(start: &[u8], magic: &[u8]) -> bool {
    start.iter().zip(magic).all(|(found, expected)| found == expected)
}

/// Whether the bytes may begin a skippable frame, which zstd and lz4 have in common.
pub(super) fn agrees_with_skippable(start: &[u8]) -> bool {
    start.first().is_some_and(|first| first & 0xf0 == 0x50) && agrees(&start[1..], &[0x2a, 0x4d, 0x18])
}

/// All members, one after the other.
pub(super) struct Joined<R, M> {
    state: State<Peek<R>, M>,
    members: u64,
    trailing: Trailing,
}

impl<R, M> Joined<R, M> {
    pub(super) fn new(input: R, trailing: Trailing) -> Self {
        Self { state: State::Between(Peek { input, start: [0; START], at: 0, filled: 0 }), members: 0, trailing }
    }
}

impl<R: BufRead, M: Member<Peek<R>>> Read for Joined<R, M> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            // After an error the stream stays at its end.
            self.state = match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Ok(0),
                State::Inside(mut member) => match member.read(out)? {
                    0 => State::Between(member.close()),
                    count => {
                        self.state = State::Inside(member);
                        return Ok(count);
                    }
                },
                State::Between(mut input) => {
                    if self.members > 0 {
                        // Tapes fill up with zeros, and so may xz between streams; no member begins with one.
                        skip_zeros(&mut input)?;
                    }
                    let pass_over = self.members > 0 && self.trailing == Trailing::PassedOver;
                    match input.start()? {
                        [] if self.members == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        [] => State::Done,
                        start if pass_over && !M::begins(start) => {
                            io::copy(&mut input, &mut io::sink())?;
                            State::Done
                        }
                        _ => {
                            self.members += 1;
                            State::Inside(M::open(input)?)
                        }
                    }
                }
            };
        }
    }
}

/// An input whose next bytes can be looked at, however few the reader below has at once.
pub(super) struct Peek<R> {
    input: R,
    /// Bytes that were looked at and not yet read: `start[at..filled]`.
    start: [u8; START],
    at: usize,
    filled: usize,
}

impl<R: BufRead> Peek<R> {
    /// The next bytes, fewer than [`START`] only where the input ends.
    fn start(&mut self) -> io::Result<&[u8]> {
        self.start.copy_within(self.at..self.filled, 0);
        (self.at, self.filled) = (0, self.filled - self.at);
        while self.filled < START {
            match self.input.read(&mut self.start[self.filled..]) {
                Ok(0) => break,
                Ok(count) => self.filled += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(&self.start[..self.filled])
    }
}

impl<R: BufRead> BufRead for Peek<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at < self.filled { Ok(&self.start[self.at..self.filled]) } else { self.input.fill_buf() }
    }

    fn consume(&mut self, count: usize) {
        if self.at < self.filled {
            self.at += count;
        } else {
            self.input.consume(count);
        }
    }
}

impl<R: BufRead> Read for Peek<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.filled {
            return self.input.read(out);
        }
        let count = (&self.start[self.at..self.filled]).read(out)?;
        self.at += count;
        Ok(count)
    }
}

/// Skips zeros; the input may end or go on behind them.
fn skip_zeros(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = input.fill_buf()?;
        let zeros = bytes.iter().take_while(|b| **b == 0).count();
        if zeros == 0 {
            return Ok(());
        }
        input.consume(zeros);
    }
}

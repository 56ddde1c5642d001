//! Archives of any origin as one stream: member after member until the input ends.

use std::io::{self, BufRead, Read};

/// A decoder of one member, frame or stream, which leaves what follows it in the input.
pub(super) trait Member<R>: Read + Sized {
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

/// All members, one after the other.
pub(super) struct Joined<R, M> {
    state: State<R, M>,
    members: u64,
}

impl<R, M> Joined<R, M> {
    pub(super) fn new(input: R) -> Self {
        Self { state: State::Between(input), members: 0 }
    }
}

impl<R: BufRead, M: Member<R>> Read for Joined<R, M> {
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
                    match input.fill_buf()? {
                        [] if self.members == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        [] => State::Done,
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

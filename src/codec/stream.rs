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
                    let first = input.fill_buf()?.first().copied();
                    match first {
                        None if self.members == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        None => State::Done,
                        // Tapes and some tools fill up with zeros; no member begins with one.
                        Some(0) if self.members > 0 => {
                            only_zeros(&mut input)?;
                            State::Done
                        }
                        Some(_) => {
                            self.members += 1;
                            State::Inside(M::open(input)?)
                        }
                    }
                }
            };
        }
    }
}

fn only_zeros(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|b| *b != 0) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "there are more bytes behind its end"));
        }
        let count = bytes.len();
        input.consume(count);
    }
}

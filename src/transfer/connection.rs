//! One connection to one source: takes work, asks for it, checks what comes.
//!
//! A thread of its own that nobody waits for: a source that never answers must not hold up a run that others have
//! brought to its end.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::connect;
use super::peer::Verdict;
use super::plan::Part;
use super::shared::{Shared, Still};
use super::{Source, Why};
use crate::codec::Buffer;
use crate::model::Sha256;
use crate::target::Reading;

/// What is read at once.
const CHUNK: usize = 256 << 10;

/// Why a request ended early.
enum End {
    /// Others have the rest.
    Had,
    /// The thread is not needed any more.
    Gone,
    /// The source failed; its wrong bytes, if any.
    Failed(Why, Vec<u8>),
}

/// Works until there is no work.
pub(super) fn work(shared: &Arc<Shared>, peer: usize) {
    let Some(source) = shared.source(peer) else { return };
    let mut buffer = Buffer::default();
    while let Some(task) = shared.next(peer, &|peer| connect(shared, peer)) {
        let mut fresh = task.fresh;
        loop {
            let (why, bytes) = match request(shared, &source, task.id, fresh, &mut buffer) {
                Ok(()) | Err(End::Had) => break shared.finish(task.id),
                Err(End::Gone) => return,
                Err(End::Failed(why, bytes)) => (why, bytes),
            };
            let kept = if bytes.is_empty() { None } else { (shared.keep)(&bytes) };
            match shared.failed(task.id, why, kept) {
                Verdict::AskAgain => fresh = true,
                Verdict::Later => break,
                Verdict::Out => return,
            }
        }
    }
}

/// Asks for what is left of a task and takes it in, piece by piece.
fn request(shared: &Shared, source: &Source, id: u64, fresh: bool, buffer: &mut Buffer) -> Result<(), End> {
    let layout = &shared.layout;
    let run = shared.run(id).filter(|run| !run.is_empty()).ok_or(End::Gone)?;
    let ends = layout.parts.get(run.start).zip(layout.parts.get(run.end - 1));
    let (start, end) = ends.map(|(first, last)| (first.offset, last.end())).ok_or(End::Gone)?;
    let range = (!layout.is_single()).then_some(start..end);
    let asked_at = Instant::now();
    let asked = match fresh {
        true => source.target.read_fresh(&source.key, range),
        false => source.target.read(&source.key, range),
    };
    let mut reading = asked.map_err(|error| End::Failed(Why::refused(error, layout.size), Vec::new()))?;
    shared.answered(id, asked_at.elapsed());
    if let Some(why) = length(reading.total, layout.size).filter(|_| !layout.is_single()) {
        return Err(End::Failed(why, evidence(&mut reading)));
    }
    let streaming = reading.start != start;
    let mut stream = Stream { shared, id, body: reading.body, streaming, brought: 0 };
    if !streaming {
        let mut number = run.start;
        // The run may have been cut shorter meanwhile.
        while shared.run(id).ok_or(End::Gone)?.contains(&number) {
            stream.piece(number, buffer)?;
            number += 1;
        }
        return Ok(());
    }
    if reading.start != 0 {
        return Err(End::Failed(Why::OtherRange { asked: start, got: reading.start }, Vec::new()));
    }
    shared.knows_no_ranges(id);
    stream.head(&layout.head)?;
    (0..layout.parts.len()).try_for_each(|number| stream.piece(number, buffer))
}

/// What is wrong with the length that the source says the file has.
fn length(said: Option<u64>, expected: u64) -> Option<Why> {
    match said {
        Some(found) if found < expected => Some(Why::Truncated { found, expected }),
        Some(found) if found > expected => Some(Why::TooLong { expected }),
        _ => None,
    }
}

/// What came in place of the file, where that is a page or the like.
fn evidence(reading: &mut Reading) -> Vec<u8> {
    let mut bytes = Vec::new();
    if reading.start == 0 && reading.total.is_some_and(|total| total <= CHUNK as u64) {
        // As far as it comes.
        let _ = reading.body.by_ref().take(CHUNK as u64).read_to_end(&mut bytes);
    }
    bytes
}

/// The bytes of one answer.
struct Stream<'a> {
    shared: &'a Shared,
    id: u64,
    body: Box<dyn Read + Send>,
    streaming: bool,
    /// Pieces it has brought.
    brought: usize,
}

impl Stream<'_> {
    /// Reads what stands before the first piece.
    fn head(&mut self, listed: &[u8]) -> Result<(), End> {
        let mut found = vec![0; listed.len()];
        let filled = self.fill(0, &mut found)?;
        found.truncate(filled);
        if found == listed { Ok(()) } else { Err(End::Failed(Why::Head, found)) }
    }

    /// Reads a piece, checks it and hands it over.
    fn piece(&mut self, number: usize, buffer: &mut Buffer) -> Result<(), End> {
        let part = *self.shared.layout.parts.get(number).ok_or(End::Gone)?;
        let length = usize::try_from(part.length).map_err(|_| End::Gone)?;
        buffer.clear();
        let filled = self.fill(number, buffer.room(length))?;
        buffer.grow(filled);
        if filled < length {
            return Err(self.cut(&part, buffer));
        }
        if self.shared.layout.is_single() && self.more(number)? {
            return Err(End::Failed(Why::TooLong { expected: part.length }, buffer.filled().to_vec()));
        }
        if !part.is(buffer.filled()) {
            return Err(wrong(self.shared, number, &part, buffer.filled()));
        }
        self.brought += 1;
        match self.shared.deliver(self.id, number, buffer) {
            Still::Wanted => Ok(()),
            Still::Had => Err(End::Had),
            Still::Gone => Err(End::Gone),
        }
    }

    /// Fills `out` with bytes of piece `number`; less than that where the answer ends.
    fn fill(&mut self, number: usize, out: &mut [u8]) -> Result<usize, End> {
        let mut filled = 0;
        while let Some(room) = out.get_mut(filled..).filter(|room| !room.is_empty()) {
            let some =
                room.len().min(self.shared.throttle.as_ref().map_or(CHUNK, |throttle| throttle.part().min(CHUNK)));
            let count = self.read(room.get_mut(..some).unwrap_or_default())?;
            if count == 0 {
                break;
            }
            filled += count;
            let held = self.shared.throttle.as_ref().map_or(Duration::ZERO, |throttle| throttle.pass(count));
            match self.shared.came(self.id, number, count as u64, held, self.streaming) {
                Still::Wanted => {}
                Still::Had => return Err(End::Had),
                Still::Gone => return Err(End::Gone),
            }
        }
        Ok(filled)
    }

    /// Whether anything follows.
    fn more(&mut self, number: usize) -> Result<bool, End> {
        let mut one = [0];
        let more = self.read(&mut one)? > 0;
        match self.shared.came(self.id, number, 0, Duration::ZERO, self.streaming) {
            Still::Gone => Err(End::Gone),
            _ => Ok(more),
        }
    }

    fn read(&mut self, out: &mut [u8]) -> Result<usize, End> {
        loop {
            match self.body.read(out) {
                Ok(count) => return Ok(count),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(End::Failed(Why::broke(e, self.shared.options.stall), Vec::new())),
            }
        }
    }

    /// The answer ended within a piece. After good pieces that is a connection that broke; before any it is a file, or a
    /// cache's copy of one, that is too short.
    fn cut(&self, part: &Part, got: &Buffer) -> End {
        let found = part.offset + got.len() as u64;
        match self.brought {
            0 => End::Failed(Why::Truncated { found, expected: self.shared.layout.size }, got.filled().to_vec()),
            _ => End::Failed(Why::Broken(io::ErrorKind::UnexpectedEof.into()), Vec::new()),
        }
    }
}

fn wrong(shared: &Shared, number: usize, part: &Part, bytes: &[u8]) -> End {
    let why = match shared.layout.is_single() {
        true => Why::Digest { found: Sha256::of(bytes) },
        false => Why::Piece { number, offset: part.offset, length: part.length },
    };
    End::Failed(why, bytes.to_vec())
}

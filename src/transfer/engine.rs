//! A run: many connections to many sources bring the pieces of one file, and a consumer gets them in order.
//!
//! ```text
//! source ─ connection ┐                       ┌─ memory ─┐
//! source ─ connection ┼─ read ─ check ─ write ┤          ├─ in order ─ hash ─ consumer
//! source ─ connection ┘                       └─ partial ┘
//!            partial ─── read ─ check ──────────┘
//! ```

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::Digest as _;

use super::connection;
use super::peer::Peer;
use super::plan::{Layout, Origin, Part};
use super::shared::{Keep, Machine, Shared};
use super::speeds::Measured;
use super::{Attempt, FetchError, Options, Source, Stopped};
use crate::codec::{Buffer, Form};
use crate::model::Sha256;
use crate::store::Partial;

/// How long remote sources leave the work to one of this machine in their tier.
const LOCAL_START: Duration = Duration::from_secs(1);
/// How long a source waits that was much slower than the best one at other times.
const SLOW_START: Duration = Duration::from_secs(2);

/// Takes the pieces that are needed, in order. It may keep the memory of a piece and leave other memory in its place.
pub type Sink<'a> = dyn FnMut(Form, &mut Buffer) -> Result<(), Stopped> + 'a;

/// What a run needs.
pub(super) struct Run {
    /// The digest of the whole file.
    pub sha256: Sha256,
    pub layout: Layout,
    /// What this machine may have of it.
    pub machine: Machine,
    /// The sources, best tier first, each with its speed at other times.
    pub tiers: Vec<Vec<(Source, Option<f64>)>>,
    pub options: Options,
    pub keep: Keep,
}

/// What a run did.
#[derive(Debug)]
pub(super) struct Done {
    /// Each source, and what was seen of it.
    pub given: Vec<(Source, Measured)>,
    /// What failed and was made good.
    pub attempts: Vec<Attempt>,
    /// Bytes that were on this machine.
    pub reused: u64,
}

/// What became of a run, and the sources that gave wrong bytes, whatever became of it.
pub(super) struct Outcome {
    pub result: Result<Done, FetchError>,
    pub liars: BTreeSet<String>,
    /// The partial file, when all pieces are in it and the whole has its digest.
    pub shared: Arc<Shared>,
}

/// Starts a connection.
pub(super) fn connect(shared: &Arc<Shared>, peer: usize) -> io::Result<()> {
    let shared = shared.clone();
    std::thread::Builder::new().name("fetch".to_owned()).spawn(move || connection::work(&shared, peer)).map(drop)
}

/// Runs to the end, on this thread and others.
pub(super) fn run(run: Run, sink: &mut Sink<'_>, told: &(dyn Fn(u64) + Sync)) -> Outcome {
    let unchecked = match run.machine.partial.as_ref().map(|partial| unchecked(&run.layout, partial)) {
        None => Ok(BTreeSet::new()),
        Some(found) => found,
    };
    let (unchecked, failure) = match unchecked {
        Ok(unchecked) => (unchecked, None),
        Err(error) => (BTreeSet::new(), Some(error)),
    };
    let peers = peers(run.tiers, Instant::now());
    let shared = Arc::new(Shared::new(run.sha256, run.layout, run.machine, &unchecked, peers, run.options, run.keep));
    let result = match failure {
        Some(error) => Err(error),
        None => check_disk(&shared, unchecked).and_then(|()| in_order(&shared, run.sha256, sink, told)),
    };
    shared.end();
    let mut state = shared.lock();
    let liars = std::mem::take(&mut state.liars);
    state.tell_the_rest(Instant::now());
    let result = result.map(|()| Done {
        given: state.peers.iter().map(|peer| (peer.source.clone(), peer.seen(shared.began))).collect(),
        attempts: std::mem::take(&mut state.attempts),
        reused: state.reused,
    });
    drop(state);
    Outcome { result, liars, shared }
}

/// The sources in the order in which they are preferred, and when each may be asked.
fn peers(tiers: Vec<Vec<(Source, Option<f64>)>>, now: Instant) -> Vec<Peer> {
    let mut peers = Vec::new();
    for (number, mut tier) in tiers.into_iter().filter(|tier| !tier.is_empty()).enumerate() {
        let is_local = |source: &Source| source.target.is_local();
        let any_local = tier.iter().any(|(source, _)| is_local(source));
        // Unknown ones count as fast, so that they come to be known.
        let speed = |known: &Option<f64>| known.unwrap_or(f64::INFINITY);
        tier.sort_by(|(a, x), (b, y)| is_local(b).cmp(&is_local(a)).then(speed(y).total_cmp(&speed(x))));
        let best = tier.iter().filter_map(|(_, known)| *known).fold(0.0, f64::max);
        for (source, known) in tier {
            let mut wait = Duration::ZERO;
            if any_local && !is_local(&source) {
                wait = LOCAL_START;
            }
            let mut peer = Peer::new(source, number, None, now);
            peer.speed = known;
            if peer.is_too_slow(best) {
                wait = SLOW_START;
            }
            // It may be faster today: it is measured anew.
            peer.speed = None;
            peer.not_before = now + wait;
            peers.push(peer);
        }
    }
    peers
}

/// The pieces that may be on the disk. What stands before and behind the pieces is known: it is written.
fn unchecked(layout: &Layout, partial: &Partial) -> Result<BTreeSet<usize>, FetchError> {
    let written = partial.written()?;
    if !layout.head.is_empty() {
        partial.write(0, &layout.head)?;
    }
    if !layout.tail.is_empty() {
        partial.write(layout.size - layout.tail.len() as u64, &layout.tail)?;
    }
    let within = |start: u64, end: u64| {
        let after = written.partition_point(|stretch| stretch.end <= start);
        written.get(after).is_some_and(|stretch| stretch.start <= start && end <= stretch.end)
    };
    let left = |part: &Part| part.origin != Origin::Nowhere && within(part.offset, part.end());
    Ok((0..).zip(&layout.parts).filter(|(_, part)| left(part)).map(|(number, _)| number).collect())
}

/// Starts to check what is on the disk, beside the fetching.
pub(super) fn check_disk(shared: &Arc<Shared>, unchecked: BTreeSet<usize>) -> Result<(), FetchError> {
    if unchecked.is_empty() {
        return Ok(());
    }
    let shared = shared.clone();
    let check = move || {
        let mut buffer = Buffer::default();
        for number in unchecked {
            if shared.is_over() {
                return;
            }
            let found = match shared.read_back(number, &mut buffer) {
                Ok(true) => Some(Form::Packed),
                Ok(false) => shared.made_here(number, &mut buffer).then_some(Form::Raw),
                Err(error) => return shared.fail(error),
            };
            shared.checked(number, found, &mut buffer);
        }
    };
    std::thread::Builder::new().name("recheck".to_owned()).spawn(check).map(drop).map_err(FetchError::Thread)
}

/// Hands the pieces to the consumer as they come to be next, and checks the digest of the whole.
fn in_order(
    shared: &Arc<Shared>,
    sha256: Sha256,
    sink: &mut Sink<'_>,
    told: &(dyn Fn(u64) + Sync),
) -> Result<(), FetchError> {
    let layout = &shared.layout;
    // A single piece was checked by this digest; and of some pieces there is no digest but their own.
    let mut hasher = (!layout.is_single() && layout.is_all()).then(sha2::Sha256::new);
    let mut hash = |bytes: &[u8]| hasher.iter_mut().for_each(|hasher| hasher.update(bytes));
    let mut buffer = Buffer::default();
    hash(&layout.head);
    while let Some(form) = shared.take(&mut buffer, told)? {
        hash(buffer.filled());
        sink(form, &mut buffer).map_err(|Stopped| FetchError::Stopped)?;
    }
    hash(&layout.tail);
    match hasher.map(|hasher| Sha256::from_bytes(hasher.finalize().into())) {
        Some(found) if found != sha256 => Err(FetchError::Disagree { expected: sha256, found }),
        _ => Ok(()),
    }
}

//! Applying: jobs on all cores, each checked before it is decoded and after.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::source::open_beneath;
use super::{ApplyError, Bytes, Header, Job, Out, Segment, Unmade, With, job};
use crate::fsx::{self, Action, Dir, Hand};
use crate::model::{Blake3, EntryKind};

/// How to apply a delta.
pub struct ApplyOptions<'a> {
    /// Threads; 0 means one for each core.
    pub threads: usize,
    /// Ends the work as soon as it can, once set: another step failed.
    pub stop: &'a AtomicBool,
    /// Told, now and then, how many bytes of new files are done.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// What was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// How many bytes of new files there are now.
    pub bytes: u64,
    /// How many of them an earlier run had written.
    pub resumed: u64,
}

/// Makes the files that `out` wants from the delta and the files in `base`. A run that was killed is gone on with: what it
/// wrote is looked at and kept where its digest is right. Nothing is flushed.
///
/// Memory: for each thread, the bytes of one job: [`super::MAX_RAW_BYTES`] twice and [`super::MAX_OLD_BYTES`] at most.
///
/// # Errors
///
/// The first thing that is not as it should be; [`ApplyError::another_way`] says whether another source of the same files
/// may do. Files that were not finished stay, for another run or for the caller to remove.
pub fn apply(
    header: &Header,
    delta: &(impl Bytes + ?Sized),
    base: &Dir,
    out: &Out<'_>,
    options: &ApplyOptions<'_>,
) -> Result<Applied, ApplyError> {
    header.check(out.index())?;
    all_are_made(header, out)?;
    let begun = out.begun()?;
    out.empty_files()?;
    let work = Work {
        begun,
        header,
        delta,
        base,
        out,
        options,
        next: AtomicUsize::new(0),
        bytes: AtomicU64::new(0),
        resumed: AtomicU64::new(0),
        failure: Mutex::new(None),
        failed: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        for _ in 1..super::threads(options.threads) {
            scope.spawn(|| work.run());
        }
        work.run();
    });
    match work.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) => Err(error),
        None => Ok(Applied { bytes: work.bytes.into_inner(), resumed: work.resumed.into_inner() }),
    }
}

/// What is wanted and in no job should have been found in the base.
fn all_are_made(header: &Header, out: &Out<'_>) -> Result<(), ApplyError> {
    let index = out.index();
    let mut made = vec![false; index.entries.len()];
    for segment in header.jobs.iter().flat_map(|job| &job.to) {
        if let Some(made) = made.get_mut(segment.file as usize) {
            *made = true;
        }
    }
    for (number, (item, made)) in index.entries.iter().zip(made).enumerate() {
        if matches!(item.entry.kind, EntryKind::File { size: 1.., .. }) && out.wants(number as u32) && !made {
            return Err(ApplyError::NotMade { path: item.entry.path.clone() });
        }
    }
    Ok(())
}

struct Work<'a, B: ?Sized> {
    header: &'a Header,
    delta: &'a B,
    base: &'a Dir,
    out: &'a Out<'a>,
    options: &'a ApplyOptions<'a>,
    /// Of each entry, whether an earlier run made its file.
    begun: Vec<bool>,
    next: AtomicUsize,
    bytes: AtomicU64,
    resumed: AtomicU64,
    failure: Mutex<Option<ApplyError>>,
    failed: AtomicBool,
}

/// What one thread uses again and again.
#[derive(Default)]
struct Room {
    packed: Vec<u8>,
    old: Vec<u8>,
    raw: Vec<u8>,
    planes: Vec<u8>,
}

impl<B: Bytes + ?Sized> Work<'_, B> {
    fn run(&self) {
        if let Err(error) = self.jobs() {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    fn jobs(&self) -> Result<(), ApplyError> {
        let (mut room, mut hand, mut old_hand) = (Room::default(), self.out.hand(), Hand::new(self.base));
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = self.header.jobs.get(number) else { return Ok(()) };
            if self.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            if self.options.stop.load(Ordering::Relaxed) {
                return Err(ApplyError::Stopped);
            }
            if !job.to.iter().any(|segment| self.out.wants(segment.file)) {
                continue;
            }
            let begun = |segment: &Segment| self.begun.get(segment.file as usize).copied().unwrap_or(false);
            if job.to.iter().all(begun) && self.out.has(&mut hand, &job.to, &job.raw) {
                self.resumed.fetch_add(job.raw_bytes(), Ordering::Relaxed);
                for segment in job.to.iter().filter(|segment| self.out.wants(segment.file)) {
                    self.out.came(&mut hand, segment)?;
                }
            } else {
                self.job(number, job, &mut room, &mut old_hand)?;
                let mut rest = room.raw.as_slice();
                for segment in &job.to {
                    let (part, behind) = rest.split_at_checked(segment.length as usize).unwrap_or_default();
                    if self.out.wants(segment.file) {
                        self.out.write(&mut hand, segment, part)?;
                    }
                    rest = behind;
                }
            }
            let bytes = self.bytes.fetch_add(job.raw_bytes(), Ordering::Relaxed) + job.raw_bytes();
            (self.options.progress)(bytes);
        }
    }

    /// Fills `room.raw` with the new bytes of a job.
    fn job(&self, number: usize, job: &Job, room: &mut Room, hand: &mut Hand<'_>) -> Result<(), ApplyError> {
        let Room { packed, old, raw, planes } = room;
        packed.resize(job.length as usize, 0);
        raw.resize(job.raw_bytes() as usize, 0);
        if !packed.is_empty() {
            self.delta.read_at(job.offset, packed).map_err(ApplyError::Read)?;
        }
        let found = Blake3::of(packed);
        if found != job.packed {
            return Err(ApplyError::Packed { job: number, length: job.length, expected: job.packed, found });
        }
        self.read_old(job, old, hand)?;
        let is_copy = job.with == With::Copy;
        if Blake3::of(old) != if is_copy { job.raw } else { job.old } {
            return Err(self.changed(number, job));
        }
        let wrong = |what| ApplyError::Job { job: number, what };
        job::unpack(packed, old, job.with, planes, raw).map_err(wrong)?;
        if !is_copy && Blake3::of(raw) != job.raw {
            return Err(wrong(Unmade::Digest));
        }
        Ok(())
    }

    fn read_old(&self, job: &Job, old: &mut Vec<u8>, hand: &mut Hand<'_>) -> Result<(), ApplyError> {
        use std::os::unix::fs::FileExt as _;
        old.resize(job.old_bytes() as usize, 0);
        let mut rest = old.as_mut_slice();
        for segment in &job.from {
            let (part, behind) = rest.split_at_mut(segment.length as usize);
            rest = behind;
            let Some(file) = self.header.olds.get(segment.file as usize) else { continue };
            let failed = |source: fsx::Error| match source.is_nowhere() {
                true => ApplyError::BaseChanged { path: file.path.clone() },
                false => ApplyError::Old { path: file.path.clone(), source },
            };
            let (dir, name) = hand.place(file.path.as_bytes()).map_err(failed)?;
            let open = dir.open_file(name.as_ref(), false).map_err(failed)?;
            open.read_exact_at(part, segment.offset).map_err(|e| match e.kind() {
                std::io::ErrorKind::UnexpectedEof => ApplyError::BaseChanged { path: file.path.clone() },
                _ => failed(fsx::Error::new(Action::Read, dir.path().join(name), e)),
            })?;
        }
        Ok(())
    }

    /// Which old file of a job is not as it was; where all are, the delta was made wrong.
    fn changed(&self, number: usize, job: &Job) -> ApplyError {
        let olds = &self.header.olds;
        let files =
            job.from.chunk_by(|a, b| a.file == b.file).filter_map(|parts| olds.get(parts.first()?.file as usize));
        for file in files {
            if self.old_digest(file).ok() != Some(file.digest) {
                return ApplyError::BaseChanged { path: file.path.clone() };
            }
        }
        ApplyError::Job { job: number, what: Unmade::OldDigest }
    }

    fn old_digest(&self, old: &super::OldFile) -> std::io::Result<Blake3> {
        use std::os::unix::ffi::OsStrExt as _;
        let path = std::path::Path::new(std::ffi::OsStr::from_bytes(old.path.as_bytes()));
        let file = open_beneath(self.base, path).map_err(|e| e.source)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file)?;
        Ok(Blake3::from_bytes(*hasher.finalize().as_bytes()))
    }
}

//! From a tree to a package: one walk, encoders on all cores, one writer.
//!
//! ```text
//! plan (1 thread)  ── jobs ──▶  work (n threads)  ── done ──▶  write (the caller's thread)
//! walks, groups,               reads small files,             puts pieces in order, joins
//! cuts big files               hashes, encodes                them, fills the index
//!        ▲────────────────────── empty slots ──────────────────────┘
//! ```
//!
//! A fixed number of slots goes round, so memory does not depend on the tree. Where pieces begin and end depends on
//! the entries, their bytes and the compression alone, never on threads.

mod auto;
mod cut;
mod plan;
mod trap;
mod walk;
mod work;
mod write;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};

use super::error::PackError;
use crate::codec::Settings;
use crate::fsx::Dir;
use crate::model::{Blake3, Choice, Compression, EntryKind, Index};

pub use trap::{Trap, TrapKind};

/// What becomes of modification times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mtime {
    /// Always 1980-01-01T00:00:00Z, so that equal content gives an equal digest.
    Normalize,
    /// Kept, in whole seconds.
    Keep,
}

/// [`Mtime::Normalize`]: 1980-01-01T00:00:00Z, the earliest time every archive format knows.
pub const NORMALIZED_MTIME: i64 = 315_532_800;

/// What to pack, and how.
pub struct PackOptions<'a> {
    /// The tree's top; its name is not packed.
    pub source: &'a Path,
    /// What to leave out: gitignore syntax, relative to the top. No ignore file is ever read.
    pub excludes: &'a [String],
    /// Packs what symbolic links lead to, instead of the links.
    pub dereference: bool,
    /// What becomes of modification times.
    pub mtime: Mtime,
    /// Which compression to take.
    pub compression: Choice,
    /// The compression's level; its default where not given.
    pub level: Option<i32>,
    /// Threads that encode; 0 means one for each core. The archive does not depend on it.
    pub threads: usize,
    /// Told, now and then, how many bytes of the tree's files are done.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// What was packed.
#[derive(Debug)]
#[must_use]
pub struct Packed {
    /// The archive's length in bytes.
    pub size: u64,
    /// The tree digest.
    pub tree: Blake3,
    /// How it is compressed.
    pub compression: Compression,
    /// The codec's name, version and level.
    pub codec: String,
    /// The index to store beside it.
    pub index: Index,
    /// The index as it is stored: made while the tree digest is, which takes as long.
    pub index_bytes: Vec<u8>,
    /// How many regular files, hard links counted once.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many entries the excludes left out; a directory counts as one.
    pub excluded: u64,
    /// What may not work elsewhere, one for each kind.
    pub warnings: Vec<Trap>,
}

/// Packs a tree into `out`: the bytes are a function of the tree and the options but `threads`, `progress` and
/// `source`. Nothing is flushed, and nobody but the caller hashes the whole: `out` sees every byte once, in order.
///
/// # Errors
///
/// What cannot be read or written; a file that changes while it is read; an entry that a package cannot hold. What
/// was written to `out` until then is of no use.
pub fn pack<W: Write + Send>(options: &PackOptions<'_>, out: W) -> Result<Packed, PackError> {
    let root = Dir::open(options.source)?;
    let compression = match options.compression {
        Choice::Fixed(compression) => compression,
        Choice::Auto => auto::choose(&root, options)?,
    };
    let settings = Settings::new(compression, options.level)?;
    let threads = super::threads(options.threads);
    let walker = walk::Walker::new(&root, options)?;

    let (empty_slots, slots) = mpsc::channel();
    for _ in 0..slot_count(compression, threads) {
        let _ = empty_slots.send(work::Slot::default());
    }
    let (jobs_in, jobs) = mpsc::channel();
    let jobs = Mutex::new(jobs);
    let (done_in, done) = mpsc::channel();

    let written = std::thread::scope(|scope| {
        let (jobs, root) = (&jobs, &root);
        let planner = scope.spawn(move || plan::Planner::new(root, settings, options, slots, jobs_in).run(walker));
        for _ in 0..threads {
            let done_in = done_in.clone();
            scope.spawn(move || work::run(root, settings, options, jobs, &done_in));
        }
        drop(done_in);
        let written = write::run(settings, options, out, &done, empty_slots);
        // The planner stops once it gets no more slots; its own error is the cause of whatever else went wrong.
        let planned = planner.join().expect("the planner does not panic");
        match (planned, written) {
            (Err(plan::Stop::Failed(e)), _) | (_, Err(e)) => Err(e),
            (Err(plan::Stop::NobodyListens), Ok(_)) => Err(PackError::Stopped),
            (Ok(excluded), Ok(written)) => Ok((excluded, written)),
        }
    });
    let (excluded, write::Written { index, warnings }) = written?;
    let files = index.entries.iter().filter(|e| matches!(e.entry.kind, EntryKind::File { .. })).count() as u64;
    let (tree, index_bytes) = rayon::join(|| index.tree_digest(), || index.to_bytes());
    Ok(Packed {
        size: index.size,
        tree,
        compression,
        codec: settings.describe(),
        files,
        bytes: index.content_size(),
        excluded,
        warnings,
        index,
        index_bytes,
    })
}

/// Two pieces for each encoder, and one each for planner and writer. Where nothing is encoded a piece is done so soon that
/// somebody would wait: there are three. With xz, three of the largest pieces would pass the 256 MiB that packing may take.
fn slot_count(compression: Compression, threads: usize) -> usize {
    let each = if compression == Compression::None { 3 } else { 2 };
    each * threads + 2
}

/// The path of an entry on this machine, for errors.
fn full_path(root: &Dir, path: &crate::model::TreePath) -> PathBuf {
    root.path().join(super::os_path(path))
}

//! Round trips, and what is caught.

// A scene is prepared with any means.
#![allow(clippy::disallowed_methods)]

mod damage;
mod round_trips;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::{Applied, ApplyError, ApplyOptions, Header, Made, MakeError, MakeOptions, Out, Segment, Tree, apply, make};
use crate::fsx::Dir;
use crate::model::{Blake3, Compression, Entry, EntryKind, Index, IndexEntry, IndexParts, Piece, TreePath, Version};

/// A tree of files, in the order of a walk.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// Sorted as a tree lists them; directories come from the paths.
pub(super) fn write(dir: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, bytes).expect("a file");
    }
}

/// The index of these files: cut into pieces of `piece` bytes where a file has more.
pub(super) fn index(files: &Files, piece: usize) -> Index {
    let mut files = files.clone();
    let path = |name: &str| TreePath::parse(name.as_bytes()).expect("a path");
    files.sort_by(|a, b| path(&a.0).walk_order(&path(&b.0)));
    let (mut entries, mut pieces, mut at, mut open) = (Vec::new(), Vec::new(), 0u64, 0u64);
    let cut = |pieces: &mut Vec<Piece>, from: u64, length: u64, digest: Blake3| {
        if length > 0 {
            let raw = digest;
            pieces.push(Piece { offset: from, length, tar_offset: from, tar_length: length, packed: raw, raw });
        }
    };
    for (name, bytes) in &files {
        let offset = at + 512;
        let kind = EntryKind::File { size: bytes.len() as u64, digest: Blake3::of(bytes) };
        entries.push(IndexEntry {
            entry: Entry { path: path(name), kind, mode: 0o644, mtime: 315_532_800 },
            offset,
            stored: bytes.len() as u64,
        });
        if bytes.len() > piece {
            cut(&mut pieces, open, offset - open, Blake3::of(name.as_bytes()));
            let mut from = offset;
            for part in bytes.chunks(piece) {
                cut(&mut pieces, from, part.len() as u64, Blake3::of(part));
                from += part.len() as u64;
            }
            open = from;
        }
        at = (offset + bytes.len() as u64).next_multiple_of(512);
    }
    let size = at + 1024;
    cut(&mut pieces, open, size - open, Blake3::of(b"the rest"));
    let parts = IndexParts {
        compression: Compression::None,
        whole: false,
        size,
        tar_size: size,
        head: Vec::new(),
        tail: Vec::new(),
        entries,
        pieces,
    };
    Index::new(parts).expect("an index")
}

/// Two trees on the disk, and a delta between them.
pub(super) struct Scene {
    pub dir: tempfile::TempDir,
    pub base: Index,
    pub target: Index,
    pub delta: Vec<u8>,
}

fn version(text: &str) -> Version {
    text.parse().expect("a version")
}

impl Scene {
    pub fn new(base: &Files, target: &Files) -> Self {
        Self::of(base, target, 1, 4 << 20)
    }

    pub fn of(base: &Files, target: &Files, threads: usize, piece: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["base", "target", "out"] {
            std::fs::create_dir(dir.path().join(name)).expect("a directory");
        }
        write(&dir.path().join("base"), base);
        write(&dir.path().join("target"), target);
        let mut scene = Self { base: index(base, piece), target: index(target, piece), delta: Vec::new(), dir };
        scene.delta = scene.make(threads, u64::MAX).expect("a delta").expect("within the limit");
        scene
    }

    pub fn open(&self, name: &str) -> Dir {
        Dir::open(&self.dir.path().join(name)).expect("a directory")
    }

    pub fn make(&self, threads: usize, limit: u64) -> Result<Option<Vec<u8>>, MakeError> {
        let (base, target) = (self.open("base"), self.open("target"));
        let (one, two) = (version("1.0.0"), version("1.0.1"));
        let options = MakeOptions { base: &one, target: &two, level: None, limit, threads, progress: &|_, _| {} };
        let mut out = Vec::new();
        let spool = tempfile::tempfile().expect("a file");
        let made = make(
            Tree { dir: &base, index: &self.base, follow: false },
            Tree { dir: &target, index: &self.target, follow: false },
            &options,
            (&spool, Path::new("spool")),
            &mut out,
        )?;
        Ok(match made {
            Made::Delta { header, .. } => {
                assert_eq!(header.size(), out.len() as u64);
                Some(out)
            }
            Made::TooLarge { .. } => None,
        })
    }

    /// Which entries of the target the base has not.
    pub fn wanted(&self) -> Vec<bool> {
        let is_old = |kind: &EntryKind| self.base.entries.iter().any(|old| old.entry.kind == *kind);
        self.target.entries.iter().map(|item| !is_old(&item.entry.kind)).collect()
    }

    pub fn apply(&self, delta: &[u8]) -> Result<Applied, ApplyError> {
        self.apply_on(delta, 2)
    }

    pub fn apply_on(&self, delta: &[u8], threads: usize) -> Result<Applied, ApplyError> {
        let (base, out) = (self.open("base"), self.open("out"));
        for item in &self.target.entries {
            if let Some(parent) = item.entry.path.parent() {
                let parent = self.dir.path().join("out").join(parent.to_string());
                std::fs::create_dir_all(parent).expect("a directory");
            }
        }
        let wanted = self.wanted();
        let out = Out::new(&out, &self.target, &wanted, &|mode| mode & 0o555);
        let header = Header::read(delta)?;
        let stop = AtomicBool::new(false);
        apply(&header, delta, &base, &out, &ApplyOptions { threads, stop: &stop, progress: &|_| {} })
    }

    /// Whether every wanted file is there with its content.
    pub fn is_right(&self) -> bool {
        self.target.entries.iter().zip(self.wanted()).filter(|(_, wanted)| *wanted).all(|(item, _)| {
            let found = std::fs::read(self.dir.path().join("out").join(item.entry.path.to_string()));
            matches!(item.entry.kind, EntryKind::File { digest, .. } if found.is_ok_and(|f| Blake3::of(&f) == digest))
        })
    }

    /// Empties what was made.
    pub fn again(&self) {
        let out = self.dir.path().join("out");
        std::fs::remove_dir_all(&out).expect("removed");
        std::fs::create_dir(out).expect("a directory");
    }
}

/// xorshift64: bytes without repetitions.
pub(super) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

/// A safetensors file of bf16 tensors `t0`, `t1` … with this metadata.
pub(super) fn safetensors(note: &str, tensors: &[Vec<u8>]) -> Vec<u8> {
    let mut items = vec![format!(r#""__metadata__":{{"note":"{note}"}}"#)];
    let mut at = 0;
    for (number, bytes) in tensors.iter().enumerate() {
        let (from, to, count) = (at, at + bytes.len(), bytes.len() / 2);
        items.push(format!(r#""t{number}":{{"dtype":"BF16","shape":[{count}],"data_offsets":[{from},{to}]}}"#));
        at = to;
    }
    let json = format!("{{{}}}", items.join(","));
    [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &tensors.concat()].concat()
}

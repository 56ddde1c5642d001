//! What packages promise, on real directories.

#![allow(clippy::disallowed_methods)]

mod attacks;
mod foreign;
mod packing;
#[path = "../../../tests/shared/programs.rs"]
mod programs;
#[path = "../../../tests/shared/raw_tar.rs"]
mod raw_tar;
mod round_trip;
#[path = "../../../tests/shared/sample.rs"]
mod sample;
#[path = "../../../tests/shared/scratch.rs"]
mod scratch;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::*;
use crate::model::{Choice, Compression, Index, MAX_HOLE_BYTES, Sha256};

/// The ways to compress.
const ALL: [Compression; 6] = Compression::ALL;

fn quiet(_: u64) {}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(scratch::place()).expect("a directory")
}

fn pack_options(source: &Path) -> PackOptions<'_> {
    PackOptions {
        source,
        excludes: &[],
        dereference: false,
        mtime: Mtime::Normalize,
        compression: Choice::Fixed(Compression::Gzip),
        level: None,
        threads: 2,
        progress: &quiet,
    }
}

/// With the quickest level of a compression.
fn quick(source: &Path, compression: Compression) -> PackOptions<'_> {
    let level = crate::codec::levels(compression).map(|(range, _)| *range.start());
    PackOptions { compression: Choice::Fixed(compression), level, ..pack_options(source) }
}

fn unpack_options() -> UnpackOptions<'static> {
    UnpackOptions {
        threads: 2,
        keep_write_bits: false,
        mode_mask: None,
        expected: None,
        max_bytes: None,
        whole: false,
        max_holes: MAX_HOLE_BYTES,
        progress: &quiet,
    }
}

/// A packed archive in memory.
struct Archive {
    bytes: Vec<u8>,
    packed: Packed,
}

impl Archive {
    fn expected(&self) -> Expected {
        Expected { size: self.packed.size, sha256: Sha256::of(&self.bytes) }
    }
}

fn packed(options: &PackOptions<'_>) -> Archive {
    let mut bytes = Vec::new();
    let packed = pack(options, &mut bytes).expect("packed");
    Archive { bytes, packed }
}

fn as_file(bytes: &[u8]) -> fs::File {
    use std::io::Write as _;
    let mut file = tempfile::tempfile_in(scratch::place()).expect("a file");
    file.write_all(bytes).expect("written");
    file
}

/// Unpacks three ways into fresh directories: by index from a file, by index from a stream, and without an index.
fn all_ways(
    bytes: &[u8],
    compression: Compression,
    index: Option<&Index>,
    options: &UnpackOptions<'_>,
) -> Vec<(tempfile::TempDir, Result<Unpacked, UnpackError>)> {
    let file = as_file(bytes);
    let sources = [
        (Source::File(&file), index),
        (Source::Stream(Box::new(bytes)), index),
        (Source::Stream(Box::new(bytes)), None),
    ];
    let unpack = |(source, index)| {
        let into = directory();
        let result = super::unpack(source, compression, index, into.path(), options);
        (into, result)
    };
    sources.into_iter().map(unpack).collect()
}

/// What a directory holds, with everything a package keeps.
#[derive(Debug, PartialEq, Eq)]
enum Node {
    Directory { mode: u32, mtime: i64 },
    File { mode: u32, mtime: i64, names: u64, content: blake3::Hash },
    Link { target: Vec<u8>, mtime: i64 },
}

fn listing(top: &Path) -> BTreeMap<Vec<u8>, Node> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![top.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            let meta = fs::symlink_metadata(&path).expect("there");
            let (mode, mtime) = (meta.permissions().mode() & 0o7777, meta.mtime());
            let node = if meta.is_dir() {
                waiting.push(path.clone());
                Node::Directory { mode, mtime }
            } else if meta.is_symlink() {
                let target = fs::read_link(&path).expect("a link").as_os_str().as_bytes().to_vec();
                Node::Link { target, mtime }
            } else {
                let content = blake3::hash(&fs::read(&path).expect("readable"));
                Node::File { mode, mtime, names: meta.nlink(), content }
            };
            let name = path.strip_prefix(top).expect("below").as_os_str().as_bytes().to_vec();
            found.insert(name, node);
        }
    }
    found
}

/// The listing of what a tree becomes once deployed.
fn deployed(mut tree: BTreeMap<Vec<u8>, Node>) -> BTreeMap<Vec<u8>, Node> {
    for node in tree.values_mut() {
        match node {
            Node::Directory { mode, mtime } => (*mode, *mtime) = (0o755, NORMALIZED_MTIME),
            Node::File { mode, mtime, .. } => {
                *mode = if *mode & 0o100 != 0 { 0o555 } else { 0o444 };
                *mtime = NORMALIZED_MTIME;
            }
            Node::Link { mtime, .. } => *mtime = NORMALIZED_MTIME,
        }
    }
    tree
}

/// Bytes that do not compress.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// A tree with one of everything: small files, a big one of several pieces, links of both kinds, odd names.
fn sample() -> tempfile::TempDir {
    let dir = directory();
    let at = |path: &str| dir.path().join(path);
    for path in ["bin", "lib/deep/er", "empty", "lib/\u{e9}t\u{e9}"] {
        fs::create_dir_all(at(path)).expect("a directory");
    }
    fs::write(at("README"), b"hello\n").expect("written");
    fs::write(at("nothing"), b"").expect("written");
    fs::write(at("bin/run"), b"#!/bin/sh\n").expect("written");
    fs::set_permissions(at("bin/run"), fs::Permissions::from_mode(0o700)).expect("a mode");
    fs::write(at("lib/weights"), [noise(5_500_000, 1), vec![0; 2_000_000]].concat()).expect("written");
    fs::write(at("lib/deep/er/text"), b"words ".repeat(120_000)).expect("written");
    fs::write(at("lib/after"), noise(4_300_001, 2)).expect("written");
    for i in 0..300 {
        fs::write(at(&format!("lib/deep/small-{i}")), noise(i * 7, i as u64)).expect("written");
    }
    fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"odd\xff\nname")), b"x").expect("written");
    fs::write(at(&"n".repeat(250)), b"long").expect("written");
    std::os::unix::fs::symlink("../README", at("bin/link")).expect("a link");
    std::os::unix::fs::symlink("no/such/file", at("dangling")).expect("a link");
    fs::hard_link(at("bin/run"), at("lib/same")).expect("a name");
    dir
}

/// A smaller one, for tests that unpack many times: a big file of several pieces, small ones, a link.
fn little() -> tempfile::TempDir {
    with_big(4_500_000)
}

/// The same with a big file of this size.
fn with_big(size: usize) -> tempfile::TempDir {
    let dir = directory();
    fs::create_dir(dir.path().join("d")).expect("a directory");
    fs::write(dir.path().join("d/big"), noise(size, 1)).expect("written");
    for i in 0..5 {
        fs::write(dir.path().join(format!("d/small-{i}")), noise(i * 30_000, i as u64)).expect("written");
    }
    std::os::unix::fs::symlink("big", dir.path().join("d/link")).expect("a link");
    dir
}

//! A tree with all that a tar has trouble with, in several pieces whatever the compression.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::OnceLock;

use super::env::Env;
use super::tree;

/// Makes it: two files over 4 MiB of different nature, many small ones, paths of over 300 bytes, names of any bytes, an empty
/// file and directory, links of both kinds, an execute bit.
pub fn make(env: &Env, sub: &str) {
    cut(env, sub, usize::MAX);
}

/// The same with no file of more than `most` bytes, for archives that are one piece whatever is in them.
pub fn cut(env: &Env, sub: &str, most: usize) {
    let top = env.path(sub);
    let at = |name: &str| format!("{sub}/{name}");
    let long = format!("{}/{}/{}", "d".repeat(120), "e".repeat(130), "f".repeat(140));
    // Made once, since every test that is made with the tree takes longer over these than over the tree.
    static LONG: OnceLock<(Vec<u8>, Vec<String>)> = OnceLock::new();
    let (weights, lines) = LONG.get_or_init(|| {
        let line = |i| format!("token {i} of the vocabulary, {}\n", i * i % 977);
        (numbers(4_300_000), (0..110_000u64).map(line).collect())
    });
    let start = |bytes: &[u8]| bytes[..bytes.len().min(most)].to_vec();
    env.write(&at("weights.bin"), start(weights));
    env.write(&at("vocab.txt"), start(lines.concat().as_bytes()));
    for i in 0..120 {
        env.write(&at(&format!("small/{i:03}.txt")), lines[i * 100..i * 100 + 1 + i].concat());
    }
    for (name, content) in
        [("empty", ""), ("with space and 'quote'", "space\n"), ("größe 模型.json", "{}\n"), (&long, "deep\n")]
    {
        env.write(&at(name), content);
    }
    fs::write(top.join(OsStr::from_bytes(b"latin-\xe9.txt")), b"not UTF-8\n").expect("written");
    fs::create_dir_all(top.join("nothing in here")).expect("made");
    let script = env.write(&at("run.sh"), "#!/bin/sh\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("executable");
    for (target, name) in
        [("vocab.txt", "link"), (&long, "long link"), ("nowhere", "dangling"), ("../run.sh", "small/up")]
    {
        symlink(target, top.join(name)).expect("linked");
    }
    for (name, other) in
        [("weights.bin", "small/weights"), (&long, "hard to long"), ("small/007.txt", "small/same as 007")]
    {
        fs::hard_link(top.join(name), top.join(other)).expect("a second name");
    }
}

/// Bytes that compress a little, as weights do.
fn numbers(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252u64;
    let step = |i: usize| {
        if i.is_multiple_of(4) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
        }
        if i % 4 == 3 { 0x3f } else { (state >> (8 * (i % 4))) as u8 }
    };
    (0..length).map(step).collect()
}

/// Both directories hold the same names, kinds, execute bits, link targets, bytes and hard links.
pub fn assert_same(found: &Path, expected: &Path, what: &str) {
    let (nodes, wanted) = (tree::content(found), tree::content(expected));
    for (name, node) in &wanted {
        assert_eq!(nodes.get(name), Some(node), "{what}: {name}");
    }
    assert_eq!(nodes.len(), wanted.len(), "{what}: more than expected");
    let hard = same_files(expected, wanted.into_keys());
    assert_eq!(same_files(found, nodes.into_keys()), hard, "{what}: hard links");
}

/// Which names are one file.
fn same_files(top: &Path, names: impl Iterator<Item = String>) -> Vec<Vec<String>> {
    let mut inodes = BTreeMap::<u64, Vec<String>>::new();
    // Only names in ASCII have second names here.
    for name in names {
        if let Ok(meta) = fs::symlink_metadata(top.join(&name))
            && meta.is_file()
            && meta.nlink() > 1
        {
            inodes.entry(meta.ino()).or_default().push(name);
        }
    }
    let mut all: Vec<_> = inodes.into_values().collect();
    all.sort();
    all
}

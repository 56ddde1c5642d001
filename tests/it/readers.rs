//! Every ordinary reader opens what `pack` makes, and finds the same tree.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::env::{Env, has};
use super::tree;

const PACKAGE: &str = "dist/model-1.0.0.tar.gz";

/// A tree with all that a tar has trouble with.
fn odd_tree(env: &Env) {
    let top = env.path("project/models");
    let long = format!("{}/{}/{}", "d".repeat(120), "e".repeat(130), "f".repeat(140));
    for (path, content) in [
        ("empty-file", &b""[..]),
        ("notes.txt", b"hello\n"),
        ("\u{6a21}\u{578b}/\u{914d}\u{7f6e}.json", b"{}\n"),
        ("with space and 'quote'", b"space\n"),
        (&long, b"deep\n"),
    ] {
        env.write(&format!("project/models/{path}"), content);
    }
    fs::write(top.join(OsStr::from_bytes(b"latin-\xe9.txt")), b"not UTF-8\n").expect("written");
    fs::create_dir_all(top.join("empty-dir")).expect("made");
    env.write("project/models/run.sh", "#!/bin/sh\nexit 0\n");
    fs::set_permissions(top.join("run.sh"), fs::Permissions::from_mode(0o755)).expect("allowed");
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, top.join(name)).expect("linked");
    link("notes.txt", "link");
    link(&long, "long-link");
    link("nowhere", "dangling-link");
    link("../run.sh", "bert/up");
    for (name, other) in [("notes.txt", "hard"), (&long, "hard-to-long"), ("big.bin", "bert/hard-to-big")] {
        if name == "big.bin" {
            fs::write(top.join(name), numbers(9_500_000)).expect("written");
        }
        fs::hard_link(top.join(name), top.join(other)).expect("linked");
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

/// The packed tree, made once a test.
fn packed() -> Env {
    let env = Env::with_model();
    odd_tree(&env);
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    let index = fs::read(env.path("project/dist/model-1.0.0.index.zst")).expect("made");
    let index = deploy_tool::model::Index::parse(&index).expect("an index");
    assert!(index.pieces.len() > 4, "the big file is cut: {} pieces", index.pieces.len());
    env
}

/// Runs a reader in an empty directory; it must succeed.
fn run(env: &Env, command: &[&OsStr]) {
    let into = env.path("into");
    fs::create_dir(&into).expect("made");
    let output = env.hermetic(command[0]).args(&command[1..]).current_dir(&into).output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Which names are one file, by their first name.
fn same_files(dir: &Path, all: &BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    let mut inodes = BTreeMap::<u64, Vec<String>>::new();
    for name in all.iter().filter(|(_, what)| what.starts_with("file")).map(|(name, _)| name) {
        // Only names in ASCII have second names here.
        let meta = fs::symlink_metadata(dir.join(name)).ok().filter(|meta| meta.nlink() > 1);
        if let Some(meta) = meta {
            inodes.entry(meta.ino()).or_default().push(name.clone());
        }
    }
    inodes.into_values().map(|names| (names[0].clone(), names)).collect()
}

fn opens(debian_package: &str, command: &[&str]) {
    if !has(command[0], debian_package) {
        return;
    }
    let env = packed();
    let package = env.path("project").join(PACKAGE);
    let fill = |word: &&str| if *word == "PACKAGE" { package.clone().into_os_string() } else { OsString::from(word) };
    let words: Vec<OsString> = command.iter().map(fill).collect();
    run(&env, &words.iter().map(OsString::as_os_str).collect::<Vec<_>>());
    let (source, into) = (env.path("project/models"), env.path("into"));
    let (expected, found) = (tree::content(&source), tree::content(&into));
    for (name, what) in &expected {
        assert_eq!(found.get(name), Some(what), "{command:?}: {name}");
    }
    assert_eq!(found.len(), expected.len(), "{command:?}: more than was packed");
    assert_eq!(same_files(&into, &found), same_files(&source, &expected), "{command:?}: hard links");
    assert_eq!(same_files(&source, &expected).len(), 3);
}

#[test]
fn gnu_tar() {
    opens("tar", &["tar", "xzf", "PACKAGE"]);
}

#[test]
fn bsdtar() {
    opens("libarchive-tools", &["bsdtar", "-xf", "PACKAGE"]);
}

#[test]
fn busybox_tar() {
    opens("busybox", &["busybox", "tar", "-xzf", "PACKAGE"]);
}

const PYTHON: &str = "
import sys, tarfile
with tarfile.open(sys.argv[1], sys.argv[2]) as package:
    try:
        package.extraction_filter = tarfile.data_filter
    except AttributeError:
        pass
    package.extractall('.')
";

#[test]
fn python_with_seeking() {
    opens("python3", &["python3", "-c", PYTHON, "PACKAGE", "r:*"]);
}

#[test]
fn python_as_a_stream() {
    opens("python3", &["python3", "-c", PYTHON, "PACKAGE", "r|gz"]);
}

#[test]
fn gzip_and_pigz_find_one_sound_member() {
    let env = packed();
    let package = env.path("project").join(PACKAGE);
    for program in ["gzip", "pigz"] {
        if !has(program, program) {
            continue;
        }
        let output = env.hermetic(program).arg("-t").arg(&package).output().expect("it runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{program}: {output:?}");
    }
    // One member and nothing behind it: the plain single-member decoder sees all of it.
    let bytes = fs::read(&package).expect("read");
    let mut decoder = flate2::bufread::GzDecoder::new(&bytes[..]);
    std::io::copy(&mut decoder, &mut std::io::sink()).expect("decoded");
    assert!(decoder.into_inner().is_empty(), "bytes behind the first member");
}

#[test]
fn its_own_deploy() {
    let env = packed();
    env.ok(&["publish", "model@1.0.0"]);
    env.ok(&["deploy", "model"]);
    let (source, links) = (env.path("project/models"), env.path("root/components/model/1.0.0"));
    let (expected, found) = (tree::content(&source), tree::content(&links));
    assert_eq!(found, expected);
    assert_eq!(same_files(&links, &found), same_files(&source, &expected));
}

//! Every ordinary reader opens every package it has the compression for: exit 0 and the same tree.

use std::fs;

use super::env::Env;
use super::odd_tree;
use super::programs::has;
use super::sample::is_whole;

/// What reads a package: a name, and a shell command that unpacks `$PACKAGE` into the empty directory it runs in.
type Reader = (&'static str, &'static str);

const ANY: &[Reader] = &[("bsdtar", "bsdtar -xf $PACKAGE"), ("bsdtar from a pipe", "cat $PACKAGE | bsdtar -xf -")];

/// What has no lz4 and no zstd.
const OLDER: &[Reader] = &[
    ("GNU tar", "tar -xf $PACKAGE"),
    ("Python", "python3 -c 'import os, tarfile; tarfile.open(os.environ[\"PACKAGE\"], \"r:*\").extractall()'"),
    (
        "Python's stream",
        "python3 -c 'import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode=sys.argv[1]).extractall()' $MODE <$PACKAGE",
    ),
    ("7z", "7z x -so $PACKAGE | tar -xf -"),
];

const GZIP: &[Reader] = &[
    ("busybox", "busybox tar -xzf $PACKAGE"),
    ("busybox gunzip", "busybox gunzip -c <$PACKAGE | tar -xf -"),
    (
        "node",
        "node -e 'process.stdin.pipe(require(\"zlib\").createGunzip()).pipe(process.stdout)' <$PACKAGE | tar -xf -",
    ),
    ("gzip", "gzip -dc $PACKAGE | tar -xf -"),
    ("pigz", "pigz -dc $PACKAGE | tar -xf -"),
];

const ZSTD: &[Reader] = &[
    ("GNU tar", "tar -xf $PACKAGE"),
    ("zstd", "zstd -q -dc $PACKAGE | tar -xf -"),
    // A node that has zstd (from 22.15 on) must read it; an older one has nothing to say.
    (
        "node",
        "if node -e 'process.exit(require(\"zlib\").createZstdDecompress ? 0 : 1)'; then \
         node -e 'process.stdin.pipe(require(\"zlib\").createZstdDecompress()).pipe(process.stdout)' <$PACKAGE; \
         else zstd -q -dc $PACKAGE; fi | tar -xf -",
    ),
];

const LZ4: &[Reader] = &[("GNU tar", "tar -I lz4 -xf $PACKAGE"), ("lz4", "lz4 -q -dc $PACKAGE | tar -xf -")];

const XZ: &[Reader] = &[
    ("busybox", "busybox tar -xJf $PACKAGE"),
    ("busybox unxz", "busybox unxz -c <$PACKAGE | tar -xf -"),
    ("xz", "xz -dc $PACKAGE | tar -xf -"),
    ("xz on all cores", "xz -dc -T0 $PACKAGE | tar -xf -"),
];

const BZIP2: &[Reader] = &[
    ("busybox", "busybox tar -xjf $PACKAGE"),
    ("busybox bunzip2", "busybox bunzip2 -c <$PACKAGE | tar -xf -"),
    ("bzip2", "bzip2 -dc $PACKAGE | tar -xf -"),
    ("lbzip2", "lbzip2 -dc $PACKAGE | tar -xf -"),
    ("pbzip2", "pbzip2 -dc $PACKAGE | tar -xf -"),
];

const NONE: &[Reader] = &[
    ("busybox", "busybox tar -xf $PACKAGE"),
    ("busybox from a pipe", "busybox tar -xf - <$PACKAGE"),
    ("GNU tar from a pipe", "tar -xf - <$PACKAGE"),
];

/// Packs with each level (`""` for the default) and unpacks with each reader. In a plain run (`tests/shared/sample.rs`) each
/// reader takes one of the levels, in turn.
fn matrix(compression: &str, levels: &[&str], readers: &[&[Reader]]) {
    let env = Env::new();
    odd_tree::make(&env, "project/models");
    env.write("project/.deploy-tool.yaml", "components: {model: {source: ./models}}\nstore: {path: ../store}\n");
    for (turn, level) in levels.iter().enumerate() {
        let version = turn.to_string();
        let level: &[&str] = if level.is_empty() { &[] } else { &["--level", level] };
        let args = ["pack", "--type", "model", "--version", &version, "--compression", compression];
        let packed = env.json(&[&args, level].concat());
        let package = packed["file"].as_str().expect("a path");
        for (number, (name, script)) in readers.concat().into_iter().enumerate() {
            if !is_whole() && number % levels.len() != turn {
                continue;
            }
            let tar_calls = if name == "GNU tar" { compressors(compression) } else { "" };
            if !all_there(script) || !all_there(tar_calls) {
                continue;
            }
            let what = format!("{name}, {compression} {level:?}");
            fs::create_dir(env.path("unpacked")).expect("made");
            let mut reader = env.hermetic("bash");
            reader
                .args(["-o", "pipefail", "-ec", script])
                .env("PACKAGE", package)
                .env("MODE", python_mode(compression))
                .current_dir(env.path("unpacked"));
            let output = reader.output().expect("bash runs");
            assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
            odd_tree::assert_same(&env.path("unpacked"), &env.path("project/models"), &what);
            fs::remove_dir_all(env.path("unpacked")).expect("removed");
        }
    }
}

/// The programs of the scripts, and the Debian packages they come in.
const PROGRAMS: &[(&str, &str)] = &[
    ("bsdtar", "libarchive-tools"),
    ("python3", "python3"),
    ("7z", "p7zip-full"),
    ("busybox", "busybox"),
    ("node", "nodejs"),
    ("pigz", "pigz"),
    ("zstd", "zstd"),
    ("lz4", "lz4"),
    ("xz", "xz-utils"),
    ("bzip2", "bzip2"),
    ("lbzip2", "lbzip2"),
    ("pbzip2", "pbzip2"),
];

/// Whether every program that a script names is there.
pub fn all_there(script: &str) -> bool {
    let words: Vec<&str> = script.split(|c: char| c.is_whitespace() || "'\"()|=;".contains(c)).collect();
    PROGRAMS.iter().filter(|(program, _)| words.contains(program)).all(|(program, package)| has(program, package))
}

/// The programs that GNU tar calls for a compression.
fn compressors(compression: &str) -> &'static str {
    match compression {
        "zstd" => "zstd",
        "xz" => "xz",
        "bzip2" => "bzip2 lbzip2",
        _ => "",
    }
}

/// How Python calls reading a stream of this compression.
fn python_mode(compression: &str) -> &'static str {
    match compression {
        "gzip" => "r|gz",
        "xz" => "r|xz",
        "bzip2" => "r|bz2",
        _ => "r|",
    }
}

#[test]
fn gzip() {
    matrix("gzip", &["", "1"], &[ANY, OLDER, GZIP]);
}

#[test]
fn zstd() {
    matrix("zstd", &["", "9"], &[ANY, ZSTD]);
}

#[test]
fn lz4() {
    matrix("lz4", &[""], &[ANY, LZ4]);
}

#[test]
fn xz() {
    matrix("xz", &["0", "3"], &[ANY, OLDER, XZ]);
}

#[test]
fn bzip2() {
    matrix("bzip2", &["1", ""], &[ANY, OLDER, BZIP2]);
}

#[test]
fn none() {
    let [gnu, python, stream, _] = OLDER else { unreachable!("four readers") };
    // 7z 16 makes no link that has `..` in it, wherever it leads, so that one is left to us.
    let seven_zip: &[Reader] = &[("7z", "7z x -bd -y '-x!small/up' $PACKAGE && ln -s ../run.sh small/up")];
    matrix("none", &[""], &[ANY, &[*gnu, *python, *stream], NONE, seven_zip]);
}

/// One member and nothing behind it: a plain decoder of a single member sees all of it.
#[test]
fn gzip_is_one_sound_member() {
    let env = Env::new();
    odd_tree::make(&env, "project/models");
    let packed = env.json(&["pack", "models", "--type", "model", "--version", "1", "--compression", "gzip"]);
    let package = packed["file"].as_str().expect("a path");
    for program in ["gzip", "pigz"].into_iter().filter(|program| all_there(program)) {
        let output = env.hermetic(program).args(["-t", package]).output().expect("it runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{program}: {output:?}");
    }
    let bytes = fs::read(package).expect("read");
    let mut decoder = flate2::bufread::GzDecoder::new(&bytes[..]);
    std::io::copy(&mut decoder, &mut std::io::sink()).expect("decoded");
    assert!(decoder.into_inner().is_empty(), "bytes behind the first member");
}

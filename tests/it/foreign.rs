//! Archives that other tools made become versions: the whole tree, never cut short and called done.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde_json::json;

use super::env::{CONFIG, Env};
use super::matrix::all_there;
use super::odd_tree;
use super::sample::is_whole;

/// How an archive is made: a name, and a shell command that writes `$ARCHIVE` from `$TREE`, or from its tar, `$TAR`.
type Maker = (&'static str, &'static str);

/// The odd tree with holes in files, and its tar. In a plain run (`tests/shared/sample.rs`) its files are shorter.
fn scene() -> Env {
    let env = Env::new();
    odd_tree::cut(&env, "tree", if is_whole() { usize::MAX } else { 1_000_000 });
    let sparse = fs::File::create(env.path("tree/sparse")).expect("made");
    for i in 0..20u64 {
        sparse.write_all_at(b"island", i * 100_000 + 50_000).expect("written");
    }
    sparse.set_len(3_000_000).expect("a length");
    env.write("project/.deploy-tool.yaml", CONFIG);
    env.git_init("records");
    shell(&env, "tar -C $TREE -cf $TAR .");
    env
}

fn shell(env: &Env, script: &str) {
    let mut command = env.hermetic("bash");
    command.args(["-o", "pipefail", "-ec", script]).current_dir(env.path("."));
    command.env("TREE", env.path("tree")).env("TAR", env.path("plain.tar")).env("ARCHIVE", env.path("archive"));
    let output = command.output().expect("bash runs");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Each archive is indexed, published and deployed; then deployed again by a record of the seed's form, which knows no index.
fn whole(makers: &[Maker]) {
    let env = scene();
    for (version, (name, script)) in makers.iter().enumerate() {
        if !all_there(script) {
            continue;
        }
        let version = version.to_string();
        shell(&env, script);
        let made = env.json(&["pack", "--index-only", "../archive", "--type", "model", "--version", &version]);
        env.ok(&["publish", &format!("model@{version}")]);
        fs::remove_dir_all(env.path("store")).expect("removed");
        env.ok(&["deploy", &format!("model@{version}")]);
        odd_tree::assert_same(&env.path("root/links/model"), &env.path("tree"), name);

        env.ok(&[
            "--root",
            "../seed-root",
            "deploy",
            "--record",
            seed_record(&env, &version, &made).to_str().expect("UTF-8"),
        ]);
        odd_tree::assert_same(
            &env.path("seed-root/links/model"),
            &env.path("tree"),
            &format!("{name}, without an index"),
        );
        for used in ["root", "seed-root", "store", "targets"] {
            fs::remove_dir_all(env.path(used)).expect("removed");
        }
    }
}

/// Manifest and record as the user's design has them, for the archive where it lies.
fn seed_record(env: &Env, version: &str, made: &serde_json::Value) -> std::path::PathBuf {
    let archive = env.path("archive");
    let size = fs::metadata(&archive).expect("there").len();
    let at = "2024-01-20T10:00:00Z";
    let manifest = json!({
        "component": {"type": "model", "version": version, "created_at": at},
        "package": {
            "file": "archive",
            "size": size,
            "algorithm": made["compression"],
            "checksum": {"algorithm": "sha256", "value": made["sha256"]},
        },
        "metadata": {"source_path": "./models", "pack_version": "1.0"},
    });
    let place = env.path("targets/near/seed");
    fs::create_dir_all(&place).expect("made");
    fs::copy(&archive, place.join("archive")).expect("copied");
    let record = json!({
        "component": {"type": "model", "version": version},
        "locations": [{"name": "near", "type": "filesystem", "path": place, "url": url(&place)}],
        "published_at": at,
    });
    env.write("seed/manifest.json", manifest.to_string());
    env.write("seed/record.json", record.to_string())
}

fn url(place: &Path) -> String {
    format!("file://{}/archive", place.display())
}

#[test]
fn gzip_of_many_members() {
    whole(&[
        ("pigz", "pigz -c $TAR >$ARCHIVE"),
        ("pigz, blocks on their own", "pigz -i -b 128 -c $TAR >$ARCHIVE"),
        ("members of 64 KiB, as bgzip's", "split -b 65280 --filter='gzip -1' $TAR >$ARCHIVE"),
    ]);
}

#[test]
fn bzip2_of_many_streams() {
    whole(&[
        ("bzip2", "bzip2 -1c $TAR >$ARCHIVE"),
        ("lbzip2", "lbzip2 -c $TAR >$ARCHIVE"),
        ("pbzip2", "pbzip2 -b1 -c $TAR >$ARCHIVE"),
    ]);
}

#[test]
fn xz_of_many_blocks_and_streams() {
    whole(&[
        ("xz -T2", "xz -0 -T2 --block-size=1MiB -c $TAR >$ARCHIVE"),
        ("many streams", "split -b 1300000 --filter='xz -0' $TAR >$ARCHIVE"),
        ("padding between streams", "split -b 2600000 --filter='xz -0; head -c 1024 /dev/zero' $TAR >$ARCHIVE"),
    ]);
}

#[test]
fn zstd_of_many_frames() {
    whole(&[
        ("zstd -T2, long", "zstd -q -T2 -3 --long=27 -c $TAR >$ARCHIVE"),
        ("many frames", "split -b 1300000 --filter='zstd -q -1' $TAR >$ARCHIVE"),
        ("from a pipe, without a checksum", "zstd -q --no-check -1 <$TAR >$ARCHIVE"),
    ]);
}

#[test]
fn lz4_of_many_frames() {
    whole(&[
        ("lz4, linked blocks", "lz4 -q -BD -c $TAR >$ARCHIVE"),
        ("many frames", "split -b 1300000 --filter='lz4 -q' $TAR >$ARCHIVE"),
        ("with size and block checksums", "lz4 -q -BX --content-size $TAR $ARCHIVE.new && mv $ARCHIVE.new $ARCHIVE"),
    ]);
}

#[test]
fn tars_of_every_kind() {
    whole(&[
        ("GNU", "tar --format=gnu -C $TREE -cf $ARCHIVE ."),
        ("GNU, sparse", "tar --format=gnu -S -C $TREE -cf $ARCHIVE ."),
        ("pax", "tar --format=posix -C $TREE -cf $ARCHIVE ."),
        ("pax, sparse", "tar --format=posix -S -C $TREE -cf $ARCHIVE ."),
        ("bsdtar", "bsdtar -C $TREE -cf $ARCHIVE ."),
        (
            "Python",
            "python3 -c 'import sys, tarfile\nwith tarfile.open(sys.argv[1], \"w\") as t: t.add(sys.argv[2], \".\")' $ARCHIVE $TREE",
        ),
        ("zeros behind", "(cat $TAR; head -c 70000 /dev/zero) >$ARCHIVE"),
    ]);
}

/// What `gzip -d`, `bzip2 -d` and bsdtar pass over: the archive before it is whole.
#[test]
fn other_bytes_behind_an_archive_are_passed_over() {
    whole(&[
        ("gzip", "(gzip -1c $TAR; echo behind) >$ARCHIVE"),
        ("gzip, zeros", "(gzip -1c $TAR; head -c 5000 /dev/zero) >$ARCHIVE"),
        ("zstd", "(zstd -q -1c $TAR; echo behind) >$ARCHIVE"),
        ("zstd, zeros", "(zstd -q -1c $TAR; head -c 5000 /dev/zero) >$ARCHIVE"),
        ("lz4", "(lz4 -qc $TAR; echo behind) >$ARCHIVE"),
        ("xz", "(xz -0c $TAR; head -c 5 /dev/zero; echo behind) >$ARCHIVE"),
        ("bzip2", "(bzip2 -1c $TAR; echo behind) >$ARCHIVE"),
        ("none", "(cat $TAR; echo behind) >$ARCHIVE"),
        ("behind the tar, inside gzip", "(cat $TAR; echo behind) | gzip -1 >$ARCHIVE"),
        ("behind the tar, a gzip member", "(gzip -1c $TAR; echo behind | gzip -1) >$ARCHIVE"),
    ]);
}

/// What compresses a stream.
const COMPRESS: [&str; 6] = ["gzip -1", "zstd -q -1", "lz4 -q", "xz -0", "bzip2 -1", "cat"];

/// What belongs to an archive, or would be another one, is never taken for such bytes.
#[test]
fn what_is_no_whole_archive_is_refused_whatever_stands_behind_it() {
    let env = scene();
    for compress in COMPRESS.iter().filter(|compress| all_there(compress)) {
        shell(&env, &format!("{compress} <$TAR >whole"));
        shell(&env, &format!("head -c 1000000 $TAR | {compress} >first; tail -c +1000001 $TAR | {compress} >second"));
        let mut scripts = vec![
            "cat whole whole >$ARCHIVE",
            "(cat whole; head -c 5000 whole) >$ARCHIVE",
            "(cat first; echo damaged; cat second) >$ARCHIVE",
            "(cat first; tail -c +2 second) >$ARCHIVE",
        ];
        if *compress != "cat" {
            // A member of which nothing is left but the start of its magic number.
            scripts.push("(cat whole; head -c 1 whole) >$ARCHIVE");
        }
        for script in scripts {
            shell(&env, script);
            let error = env.fails(4, &["pack", "--index-only", "../archive", "--type", "model", "--version", "1"]);
            assert!(error.contains("archive"), "{compress}: {script}: {error}");
        }
    }
}

/// The first half of an archive is no archive, wherever it was cut.
#[test]
fn an_archive_that_is_cut_short_is_refused() {
    let env = scene();
    for compress in COMPRESS.iter().filter(|compress| all_there(compress)) {
        shell(&env, &format!("{compress} <$TAR >whole"));
        let half = "$(($(stat -c %s whole) / 1024 * 512))";
        // The zeros at the end of a tar are of any number, so only a half of it is known to be one.
        let cuts: &[&str] = if *compress == "cat" { &[half] } else { &[half, "-8", "-1"] };
        for cut in cuts {
            shell(&env, &format!("head -c {cut} whole >$ARCHIVE"));
            env.fails(4, &["pack", "--index-only", "../archive", "--type", "model", "--version", "1"]);
        }
    }
}

//! Archives of other writers: unpacked whole, never cut short.

use std::process::Command;

use super::programs::has;
use super::*;

/// Unpacks without an index and with the one made for it; both must give `expected`.
fn gives(bytes: &[u8], compression: Compression, expected: &BTreeMap<Vec<u8>, Node>) {
    let index = index_foreign(&as_file(bytes), compression).expect("an index");
    let index = Index::parse(&index.to_bytes()).expect("what was written");
    check(&as_file(bytes), compression, &index).expect("it reads back");
    let mut trees = Vec::new();
    for (into, result) in all_ways(bytes, compression, Some(&index), &unpack_options()) {
        trees.push(result.expect("unpacked").tree);
        let found = listing(into.path());
        assert!(found.keys().eq(expected.keys()), "{:?}", found.keys());
        for (path, node) in &found {
            match (node, &expected[path]) {
                (Node::File { content, names, .. }, Node::File { content: other, names: others, .. }) => {
                    assert_eq!((content, names), (other, others), "{}", path.escape_ascii());
                }
                (Node::Link { target, .. }, Node::Link { target: other, .. }) => assert_eq!(target, other),
                (Node::Directory { .. }, Node::Directory { .. }) => {}
                (node, other) => panic!("{}: {node:?} is not {other:?}", path.escape_ascii()),
            }
        }
    }
    trees.dedup();
    assert_eq!(trees.len(), 1);
}

/// A tree with what makes tars differ: long names, holes, hard links.
fn odd_tree() -> tempfile::TempDir {
    use std::os::unix::fs::FileExt as _;
    let dir = directory();
    let at = |path: &str| dir.path().join(path);
    let deep = format!("{}/{}", "d".repeat(120), "e".repeat(200));
    fs::create_dir_all(at(&deep)).expect("a directory");
    fs::write(at(&format!("{deep}/{}", "f".repeat(150))), b"deep").expect("written");
    std::os::unix::fs::symlink(&deep, at("long link")).expect("a link");
    fs::hard_link(at(&format!("{deep}/{}", "f".repeat(150))), at("same")).expect("a name");
    let sparse = fs::File::create(at("sparse")).expect("a file");
    for i in 0..30 {
        sparse.write_all_at(b"island", i * 100_000 + 50_000).expect("written");
    }
    sparse.set_len(5_000_000).expect("a length");
    fs::File::create(at("only a hole")).expect("a file").set_len(70_000).expect("a length");
    fs::write(at("plain"), noise(1_000_000, 3)).expect("written");
    dir
}

/// What a program, of this Debian package, prints; `None` where it is not installed.
fn run(dir: &Path, (program, debian_package): (&str, &str), args: &[&str]) -> Option<Vec<u8>> {
    if !has(program, debian_package) {
        return None;
    }
    let output = Command::new(program).args(args).current_dir(dir).output().expect("it runs");
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

const GNU_TAR: (&str, &str) = ("tar", "tar");
const BSDTAR: (&str, &str) = ("bsdtar", "libarchive-tools");

#[test]
fn gnu_tar_in_every_format() {
    let tree = odd_tree();
    let expected = listing(tree.path());
    for format in ["gnu", "oldgnu", "posix"] {
        for sparse in [&["--sparse"][..], &[], &["--sparse", "--sparse-version=0.1"]] {
            let format = format!("--format={format}");
            let args = [&["-c", "-f", "-", &format][..], sparse, &["."]].concat();
            let Some(tar) = run(tree.path(), GNU_TAR, &args) else { return };
            gives(&tar, Compression::None, &expected);
        }
    }
}

#[test]
fn an_empty_directory_is_an_archive_too() {
    let tree = directory();
    for format in ["--format=gnu", "--format=posix"] {
        let Some(tar) = run(tree.path(), GNU_TAR, &["-c", "-f", "-", format, "."]) else { return };
        gives(&tar, Compression::None, &BTreeMap::new());
        // An extended header without the header it extends is cut short.
        if format == "--format=posix" {
            let cut = [&tar[..1024], &[0; 1024]].concat();
            let error = index_foreign(&as_file(&cut), Compression::None).expect_err("refused");
            assert!(matches!(error, UnpackError::Tar(TarError::CutShort)), "{error}");
        }
    }
}

#[test]
fn bsdtar_which_sees_holes_by_itself() {
    let tree = odd_tree();
    let expected = listing(tree.path());
    for format in ["pax", "gnutar"] {
        let Some(tar) = run(tree.path(), BSDTAR, &["-c", "-f", "-", "--format", format, "."]) else { return };
        gives(&tar, Compression::None, &expected);
    }
}

#[test]
fn a_form_of_sparse_files_that_is_not_read_is_refused() {
    let tree = odd_tree();
    let args = ["-c", "-f", "-", "--format=posix", "--sparse", "--sparse-version=0.0", "."];
    let Some(tar) = run(tree.path(), GNU_TAR, &args) else { return };
    let error = index_foreign(&as_file(&tar), Compression::None).expect_err("refused");
    assert!(error.to_string().contains("sparse"), "{error}");
}

#[test]
fn many_members_and_padding_are_read_to_the_end() {
    let tree = with_big(if sample::is_whole() { 4_500_000 } else { 1_500_000 });
    let expected = listing(tree.path());
    let Some(tar) = run(tree.path(), GNU_TAR, &["-c", "-f", "-", "."]) else { return };
    for compression in ALL.into_iter().filter(|c| *c != Compression::None) {
        let parts = tar.chunks(300_007).map(|part| compressed(compression, part));
        let mut many: Vec<u8> = parts.collect::<Vec<_>>().concat();
        gives(&many, compression, &expected);
        many.resize(many.len() + 4096, 0);
        gives(&many, compression, &expected);
        // Other bytes behind the archive, as they are and in a member of their own.
        gives(&[&many[..], b"more"].concat(), compression, &expected);
        gives(&[&many[..], &compressed(compression, b"more")].concat(), compression, &expected);
        // A member that is cut short is not passed over, nor is an archive behind the archive.
        for behind in [compressed(compression, &tar), compressed(compression, &[&[7; 512], &tar[..]].concat())] {
            let refused = |end| index_foreign(&as_file(&[&many[..], &behind[..end]].concat()), compression);
            assert!(matches!(refused(behind.len()), Err(UnpackError::Tar(TarError::Behind))), "{compression:?}");
            for end in [1, behind.len() / 2, behind.len() - 1] {
                assert!(matches!(refused(end), Err(UnpackError::Tar(_))), "{compression:?} at {end}");
            }
        }
    }
}

#[test]
fn bytes_behind_the_end_of_a_tar_are_passed_over_where_none_of_them_is_an_entry() {
    let tree = little();
    let expected = listing(tree.path());
    let Some(tar) = run(tree.path(), GNU_TAR, &["-c", "-f", "-", "."]) else { return };
    let end = tar.len() - tar.iter().rev().take_while(|b| **b == 0).count();
    let end = end.next_multiple_of(512);
    for behind in [&b"more"[..], &[7; 100_000], &[&[0; 5000][..], b"more"].concat()] {
        gives(&[&tar[..], behind].concat(), Compression::None, &expected);
        gives(&[&tar[..end + 1024], behind].concat(), Compression::None, &expected);
    }
    // A single block of zeros may be a hole in a damaged archive.
    let one_block = [&tar[..end + 512], b"more"].concat();
    // An archive behind the archive, and one whose middle is blank: entries that no reader would see.
    let twice = [&tar[..], &[9; 1024], &tar].concat();
    let mut blank = tar.clone();
    blank[512..2048].fill(0);
    for bytes in [one_block, twice, blank] {
        for (_, result) in all_ways(&bytes, Compression::None, None, &unpack_options()) {
            assert!(matches!(result, Err(UnpackError::Tar(TarError::Behind))), "{result:?}");
        }
        assert!(matches!(index_foreign(&as_file(&bytes), Compression::None), Err(UnpackError::Tar(TarError::Behind))));
    }
}

/// One member of each kind, as its own library writes it.
fn compressed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let read = |mut encoder: Box<dyn std::io::Read + '_>| {
        let mut out = Vec::new();
        encoder.read_to_end(&mut out).expect("into memory");
        out
    };
    match compression {
        Compression::Gzip => read(Box::new(flate2::read::GzEncoder::new(bytes, flate2::Compression::fast()))),
        Compression::Zstd => zstd::encode_all(bytes, 1).expect("into memory"),
        Compression::Lz4 => {
            let mut info = lz4_flex::frame::FrameInfo::new().block_mode(lz4_flex::frame::BlockMode::Linked);
            info = info.block_checksums(true).content_checksum(true).content_size(Some(bytes.len() as u64));
            let mut out = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            out.write_all(bytes).expect("into memory");
            out.finish().expect("into memory")
        }
        Compression::Xz => read(Box::new(liblzma::read::XzEncoder::new(bytes, 0))),
        Compression::Bzip2 => read(Box::new(bzip2::read::BzEncoder::new(bytes, bzip2::Compression::fast()))),
        Compression::None => bytes.to_vec(),
    }
}

#[test]
fn directories_that_nobody_names_are_made() {
    let mut builder = ::tar::Builder::new(Vec::new());
    let mut header = ::tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o600);
    for path in ["a/b/c", "a/b/d", "a/e"] {
        builder.append_data(&mut header, path, &b"x"[..]).expect("into memory");
    }
    header.set_entry_type(::tar::EntryType::Directory);
    header.set_size(0);
    header.set_mtime(77);
    builder.append_data(&mut header, "a/b", &b""[..]).expect("into memory");
    let tar = builder.into_inner().expect("into memory");
    let into = directory();
    let unpacked = unpack(Source::Stream(Box::new(&tar[..])), Compression::None, None, into.path(), &unpack_options());
    assert_eq!(unpacked.expect("unpacked").entries, 4);
    let found = listing(into.path());
    assert_eq!(found[&b"a"[..]], Node::Directory { mode: 0o755, mtime: NORMALIZED_MTIME });
    assert_eq!(found[&b"a/b"[..]], Node::Directory { mode: 0o755, mtime: 77 });
}

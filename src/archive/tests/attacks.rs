//! Packages that mean harm, refused by both ways with the entry's name.

use super::raw_tar::{Raw, file, link, tar as stream};
use super::sample::Sample;
use super::*;
use crate::model::{Blake3, EntryKind, IndexError, IndexParts, Piece, ShapeError};

/// An index in pieces that fits `tar` but for what `harmless`, a stream of the same layout, says otherwise.
fn lying_index(tar: &[u8], harmless: &[u8]) -> Index {
    let honest = index_foreign(&as_file(harmless), Compression::None).expect("harmless");
    let piece = Piece {
        offset: 0,
        length: tar.len() as u64,
        tar_offset: 0,
        tar_length: tar.len() as u64,
        packed: Blake3::of(tar),
        raw: Blake3::of(tar),
    };
    Index::new(IndexParts { whole: false, pieces: vec![piece], ..(*honest).clone() }).expect("it fits")
}

/// Unpacks below a guard directory, both ways; the guard must hold nothing but the empty or half-filled target.
fn refused(evil: &[Raw<'_>], harmless: &[Raw<'_>]) -> Vec<UnpackError> {
    let (tar, harmless) = (stream(evil), stream(harmless));
    let index = lying_index(&tar, &harmless);
    let whole = Index::new(IndexParts { whole: true, ..(*index).clone() }).expect("it fits");
    let ways = [None, Some(&index), Some(&whole)];
    let unpack = |index: Option<&Index>| {
        let guard = directory();
        let into = guard.path().join("into");
        fs::create_dir(&into).expect("a directory");
        fs::write(guard.path().join("x"), b"outside").expect("written");
        let file = as_file(&tar);
        let error = super::unpack(Source::File(&file), Compression::None, index, &into, &unpack_options());
        let left: Vec<_> =
            fs::read_dir(guard.path()).expect("a directory").map(|e| e.expect("an entry").file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert_eq!(fs::read(guard.path().join("x")).expect("there"), b"outside");
        error.expect_err("refused")
    };
    let errors: Vec<_> = ways.into_iter().map(unpack).collect();
    assert!(index_foreign(&as_file(&tar), Compression::None).is_err());
    errors
}

fn named(evil: &[Raw<'_>], harmless: &[Raw<'_>], name: &str) {
    for error in refused(evil, harmless) {
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
}

#[test]
fn paths_that_lead_out() {
    for name in [&b"../x"[..], b"/etc/x", b"a/../../x", b"a/.."] {
        named(&[file(name)], &[file(b"safe")], &String::from_utf8_lossy(name));
    }
}

#[test]
fn links_that_lead_out() {
    for target in [&b"../x"[..], b"/etc", b"a/../../x", b""] {
        let errors = refused(&[link(b"trap", target)], &[link(b"trap", b"inside")]);
        assert!(errors.iter().all(|e| e.to_string().contains("trap")), "{errors:?}");
    }
    let hard = |to| Raw { kind: b'1', ..link(b"trap", to) };
    let harmless = [file(b"f"), hard(b"f")];
    for to in [&b"../x"[..], b"/etc/passwd", b"no/such"] {
        let errors = refused(&[file(b"f"), hard(to)], &harmless);
        assert!(errors.iter().all(|e| e.to_string().contains("trap")), "{errors:?}");
    }
}

#[test]
fn entries_below_links_and_files_and_duplicates() {
    let harmless = [link(b"a", b"b"), file(b"c")];
    for error in refused(&[link(b"a", b"b"), file(b"a/c")], &harmless) {
        assert!(error.to_string().contains("a/c"), "{error}");
    }
    named(&[file(b"a"), file(b"a/c")], &[file(b"a"), file(b"c")], "a/c");
    named(&[file(b"twice"), file(b"twice")], &[file(b"twice"), file(b"other")], "twice");
    named(&[file(b"twice"), link(b"twice", b"b")], &[file(b"twice"), link(b"other", b"b")], "twice");
}

#[test]
fn devices_pipes_and_borrowed_rights() {
    for kind in [b'3', b'4', b'6', b'Z'] {
        named(&[Raw { kind, content: b"", ..file(b"dev") }], &[Raw { content: b"", ..file(b"dev") }], "dev");
    }
    for mode in [0o4755, 0o2755] {
        named(&[Raw { mode, ..file(b"suid") }], &[file(b"suid")], "suid");
    }
    named(&[Raw { kind: b'2', ..file(b"odd") }], &[file(b"odd")], "odd");
}

/// The entry the error must name, and the lie.
type Lie = (&'static str, fn(&mut IndexParts));

#[test]
fn an_index_that_lies_about_an_entry() {
    let honest = [file(b"f"), link(b"l", b"f"), Raw { mode: 0o755, ..file(b"g") }];
    let lies: [Lie; 6] = [
        ("`f`", |p| p.entries[0].entry.mode = 0o755),
        ("`f`", |p| p.entries[0].entry.mtime += 1),
        ("`l`", |p| p.entries[1].entry.kind = EntryKind::Symlink { target: b"g".into() }),
        ("`g`", |p| p.entries[2].entry.kind = EntryKind::File { size: 4, digest: Blake3::of(b"good") }),
        ("`g`", |p| p.entries.truncate(2)),
        ("`f`", |p| p.entries[0].entry.path = p.entries[2].entry.path.parent().unwrap_or(path("h"))),
    ];
    let tar = stream(&honest);
    for (number, (name, lie)) in lies.iter().enumerate() {
        for whole in [false, true] {
            let mut parts = (*lying_index(&tar, &tar)).clone();
            parts.whole = whole;
            lie(&mut parts);
            let index = Index::new(parts).expect("it fits");
            let into = directory();
            let file = as_file(&tar);
            let result =
                super::unpack(Source::File(&file), Compression::None, Some(&index), into.path(), &unpack_options());
            match result.expect_err("refused") {
                // Pieces see bytes where the index says the archive ends.
                UnpackError::Tar(TarError::Behind) if number == 4 && !whole => {}
                error => assert!(error.to_string().contains(name), "lie {number}: {error}"),
            }
            assert!(check(&file, Compression::None, &index).is_err(), "lie {number}");
        }
    }
}

fn path(text: &str) -> crate::model::TreePath {
    crate::model::TreePath::parse(text.as_bytes()).expect("a path")
}

#[test]
fn packages_that_are_cut_flipped_or_longer() {
    let tree = little();
    for compression in ALL {
        let archive = packed(&quick(tree.path(), compression));
        let (bytes, index) = (&archive.bytes, &archive.packed.index);
        let expected = Some(archive.expected());
        let options = UnpackOptions { expected, ..unpack_options() };
        for cut in [0, 5, 700, bytes.len() / 2, bytes.len() - 1030, bytes.len() - 1] {
            for (_, result) in all_ways(&bytes[..cut], compression, Some(index), &options) {
                assert!(result.is_err(), "{compression:?} cut at {cut}");
            }
        }
        let longer = [&bytes[..], b"more"].concat();
        for (_, result) in all_ways(&longer, compression, Some(index), &options) {
            assert!(result.is_err(), "{compression:?} longer");
        }
        let places: Vec<usize> = (0..bytes.len()).step_by(bytes.len() / 9).collect();
        for point in Sample::of(&format!("flips in {compression:?}"), places.len()).points() {
            let at = places[point - 1];
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            for (_, result) in all_ways(&flipped, compression, Some(index), &options) {
                assert!(result.is_err(), "{compression:?} flipped at {at}");
            }
            // The index alone is enough to see it.
            let plain = unpack_options();
            for (_, result) in all_ways(&flipped, compression, Some(index), &plain).into_iter().take(2) {
                let seen = matches!(result, Err(UnpackError::Piece { .. } | UnpackError::Ends { .. }));
                assert!(seen || (index.whole && result.is_err()), "{compression:?} flipped at {at}: {result:?}");
            }
        }
    }
}

#[test]
fn more_bytes_than_allowed() {
    let tree = sample();
    let archive = packed(&pack_options(tree.path()));
    let options = UnpackOptions { max_bytes: Some(archive.packed.bytes - 1), ..unpack_options() };
    for (_, result) in all_ways(&archive.bytes, Compression::Gzip, Some(&archive.packed.index), &options) {
        assert!(matches!(result, Err(UnpackError::TooMuch { .. })));
    }
    let options = UnpackOptions { max_bytes: Some(archive.packed.bytes), ..unpack_options() };
    for (_, result) in all_ways(&archive.bytes, Compression::Gzip, Some(&archive.packed.index), &options) {
        assert!(result.is_ok());
    }
}

/// A GNU tar of sparse files that are nothing but a hole each.
fn hollow(sizes: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        let mut header = ::tar::Header::new_gnu();
        header.set_path(format!("hollow-{number}")).expect("a path");
        header.set_entry_type(::tar::EntryType::GNUSparse);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_size(0);
        header.as_gnu_mut().expect("a GNU header").set_real_size(*size);
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
    }
    out.resize(out.len() + 1024, 0);
    out
}

#[test]
fn holes_that_are_hashed_for_ever() {
    for sizes in [&[1 << 40][..], &[u64::MAX], &[5, MAX_HOLE_BYTES], &[7, u64::MAX, 1 << 40]] {
        let tar = hollow(sizes);
        let error = index_foreign(&as_file(&tar), Compression::None).expect_err("refused");
        assert!(matches!(error, UnpackError::Holes { .. }), "{error}");
        for (into, result) in all_ways(&tar, Compression::None, None, &unpack_options()) {
            assert!(matches!(result, Err(UnpackError::Holes { .. })), "{result:?}");
            assert!(listing(into.path()).len() < sizes.len(), "made what is refused");
        }
    }
    let tar = hollow(&[300_000, 1, 500_000]);
    let index = index_foreign(&as_file(&tar), Compression::None).expect("an index");
    for index in [None, Some(&index)] {
        for (max_holes, fits) in [(800_001, true), (800_000, false)] {
            // Holes are no bytes that are written.
            let options = UnpackOptions { max_holes, max_bytes: Some(0), ..unpack_options() };
            for (_, result) in all_ways(&tar, Compression::None, index, &options) {
                assert_eq!(result.is_ok(), fits, "{result:?}");
            }
        }
    }
}

#[test]
fn the_wrong_compression_is_named() {
    let tree = sample();
    let archive = packed(&pack_options(tree.path()));
    let into = directory();
    let file = as_file(&archive.bytes);
    let index = Some(&archive.packed.index);
    let result = super::unpack(Source::File(&file), Compression::None, index, into.path(), &unpack_options());
    assert!(matches!(result, Err(UnpackError::Compression { .. })));
    let result = super::unpack(Source::File(&file), Compression::None, None, into.path(), &unpack_options());
    assert!(matches!(result, Err(UnpackError::Tar(_))));
}

#[test]
fn an_index_with_an_escape_is_no_index() {
    let tar = stream(&[link(b"l", b"inside")]);
    let mut parts = (*lying_index(&tar, &tar)).clone();
    parts.entries[0].entry.kind = EntryKind::Symlink { target: b"../x".into() };
    assert!(matches!(Index::new(parts), Err(IndexError::Shape(ShapeError::LinkLeaves { .. }))));
}

//! The index gives back what it was made of, and refuses what does not tile.

use proptest::prelude::*;

use super::*;
use crate::model::{ShapeError, TreePath};

fn entry(path: &[u8], kind: EntryKind, mode: u32) -> Entry {
    Entry { path: TreePath::parse(path).expect("a path"), kind, mode, mtime: 315_532_800 }
}

/// Three kinds of entries, a name that is not UTF-8, two pieces.
fn parts() -> IndexParts {
    let digest = Blake3::of(b"x");
    let entries = vec![
        IndexEntry { entry: entry(b"a\xff", EntryKind::Directory, 0o755), offset: 512, stored: 0 },
        IndexEntry {
            entry: entry(b"a\xff/f", EntryKind::File { size: 700, digest }, 0o644),
            offset: 1024,
            stored: 700,
        },
        IndexEntry {
            entry: entry(b"l", EntryKind::Symlink { target: b"a\xff/f".into() }, 0o777),
            offset: 2560,
            stored: 0,
        },
        IndexEntry {
            entry: entry(b"m", EntryKind::HardLink { to: TreePath::parse(b"a\xff/f").expect("a path") }, 0o644),
            offset: 3072,
            stored: 0,
        },
    ];
    let piece = |offset, length, tar_offset, tar_length| Piece {
        offset,
        length,
        tar_offset,
        tar_length,
        packed: digest,
        raw: digest,
    };
    IndexParts {
        compression: Compression::Gzip,
        whole: false,
        size: 10 + 300 + 8,
        tar_size: 4096,
        head: vec![0x1f; 10],
        tail: vec![3; 8],
        entries,
        pieces: vec![piece(10, 100, 0, 2048), piece(110, 200, 2048, 2048)],
    }
}

#[test]
fn what_is_written_is_read() {
    let index = Index::new(parts()).expect("it fits");
    let bytes = index.to_bytes();
    assert_eq!(Index::parse(&bytes).expect("what was written"), index);
    assert_eq!((index.content_size(), index.stored_size()), (700, 700));
}

#[test]
fn holes_of_foreign_archives_are_bounded() {
    let with_hole = |hole| {
        let mut parts = parts();
        let digest = Blake3::of(b"x");
        parts.entries[1].entry.kind = EntryKind::File { size: 700 + hole, digest };
        parts.pieces = vec![Piece { offset: 0, length: 318, tar_length: 4096, ..parts.pieces[0] }];
        IndexParts { whole: true, head: Vec::new(), tail: Vec::new(), ..parts }
    };
    let index = Index::new(with_hole(MAX_HOLE_BYTES)).expect("the most there may be");
    assert_eq!((index.content_size(), index.stored_size()), (700 + MAX_HOLE_BYTES, 700));
    let limit = |e| matches!(e, IndexError::Limit { what: Amount::Holes, .. });
    assert!(Index::new(with_hole(MAX_HOLE_BYTES + 1)).is_err_and(limit));
    let mut more_than_the_file = with_hole(0);
    more_than_the_file.entries[1].stored = 701;
    assert!(matches!(Index::new(more_than_the_file), Err(IndexError::Misplaced { .. })));
}

#[test]
fn many_lines_keep_their_order_and_the_first_that_is_wrong_is_named() {
    let mut parts = parts();
    parts.entries.truncate(1);
    let named = |n: u64| IndexEntry {
        entry: entry(format!("f{n:05}").as_bytes(), EntryKind::Directory, 0o755),
        offset: 1024 + 512 * n,
        stored: 0,
    };
    parts.entries.extend((0..20_000).map(named));
    parts.tar_size = 512 * 20_004;
    parts.pieces[1].tar_length = parts.tar_size - 2048;
    let index = Index::new(parts).expect("it fits");
    let bytes = index.to_bytes();
    assert_eq!(Index::parse(&bytes).expect("what was written"), index);
    let text = String::from_utf8(zstd::decode_all(&bytes[..]).expect("zstd")).expect("JSON");
    let wrong = text.replace("\"f04999\"", "5").replace("\"f05000\"", "5").replace("\"f19999\"", "5");
    // Before it: the header, the first directory, and 4999 others.
    assert!(matches!(Index::parse(&stored(&wrong)), Err(IndexError::Json { line: 5002, .. })));
    // Lines are read ahead of those that are parsed: an end too early is told only where nothing before it is wrong.
    let until = |text: &str| text.lines().take(15_000).map(|line| format!("{line}\n")).collect::<String>();
    assert!(matches!(Index::parse(&stored(&until(&wrong))), Err(IndexError::Json { line: 5002, .. })));
    assert!(matches!(Index::parse(&stored(&until(&text))), Err(IndexError::Short { line: 15_000 })));
}

/// A change and whether the error is the one meant for it.
type Change = (fn(&mut IndexParts), fn(&IndexError) -> bool);

#[test]
fn what_does_not_fit_is_refused() {
    let changes: &[Change] = &[
        (|p| p.pieces[1].offset += 1, |e| matches!(e, IndexError::Tiling { what: Stream::Archive, piece: 1 })),
        (|p| p.pieces[1].tar_offset -= 1, |e| matches!(e, IndexError::Tiling { what: Stream::Tar, piece: 1 })),
        (|p| p.pieces[0].length = u64::MAX, |e| matches!(e, IndexError::Limit { .. })),
        (|p| p.size += 1, |e| matches!(e, IndexError::Tiling { what: Stream::Archive, .. })),
        (|p| p.tar_size += 512, |e| matches!(e, IndexError::Tiling { what: Stream::Tar, .. })),
        (|p| p.tar_size = 512, |e| matches!(e, IndexError::Misplaced { .. })),
        (|p| p.pieces.clear(), |e| matches!(e, IndexError::Tiling { .. })),
        (|p| p.entries[1].offset = 512, |e| matches!(e, IndexError::Misplaced { .. })),
        (|p| p.entries[1].offset = 1025, |e| matches!(e, IndexError::Misplaced { .. })),
        (|p| p.entries[1].stored = 1, |e| matches!(e, IndexError::Misplaced { .. })),
        (|p| p.entries[1].stored = u64::MAX, |e| matches!(e, IndexError::Misplaced { .. })),
        (|p| p.entries[1].entry.mode = 0o4755, |e| matches!(e, IndexError::Mode { mode: 0o4755, .. })),
        (|p| p.entries.swap(0, 1), |e| matches!(e, IndexError::Misplaced { .. })),
        (
            |p| p.entries[2].entry.kind = EntryKind::Symlink { target: b"../x".into() },
            |e| matches!(e, IndexError::Shape(ShapeError::LinkLeaves { .. })),
        ),
        (
            |p| p.entries[3].entry.path = p.entries[2].entry.path.clone(),
            |e| matches!(e, IndexError::Shape(ShapeError::Duplicate { .. })),
        ),
    ];
    for (number, (change, expected)) in changes.iter().enumerate() {
        let mut parts = parts();
        change(&mut parts);
        let error = Index::new(parts).expect_err("it does not fit");
        assert!(expected(&error), "change {number}: {error}");
    }
}

fn stored(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).expect("zstd into memory")
}

fn text() -> String {
    let bytes = Index::new(parts()).expect("it fits").to_bytes();
    String::from_utf8(zstd::decode_all(&bytes[..]).expect("zstd")).expect("JSON")
}

#[test]
fn lines_that_are_missing_or_too_many_or_newer_are_refused() {
    let text = text();
    let parse = |text: &str| Index::parse(&stored(text));
    assert!(parse(&text).is_ok());
    assert!(matches!(parse(&format!("{text}{{}}\n")), Err(IndexError::Long { line: 7 })));
    let cut = &text[..text[..text.len() - 1].rfind('\n').expect("lines") + 1];
    assert!(matches!(parse(cut), Err(IndexError::Short { line: 6 })));
    assert!(matches!(parse(&text.replace("\"index\":1", "\"index\":2")), Err(IndexError::Newer { found: 2 })));
    assert!(matches!(parse(&text.replace("\"entries\":4", "\"entries\":99999999")), Err(IndexError::Limit { .. })));
    assert!(matches!(parse(&text.replace("\"l\"", "\"../l\"")), Err(IndexError::Path { line: 4, .. })));
    assert!(matches!(Index::parse(b"hello"), Err(IndexError::Zstd(_))));
    let bytes = Index::new(parts()).expect("it fits").to_bytes();
    assert!(Index::parse(&bytes[..bytes.len() - 5]).is_err());
    // A name has one spelling: UTF-8 may not hide in hexadecimal.
    assert!(parse(&text.replace("\"path\":\"l\"", "\"path_hex\":\"6c\"")).is_err());
    let long = format!("{}\n", "x".repeat(100_000));
    assert!(matches!(parse(&text.replacen("\n", &format!("\n{long}"), 1)), Err(IndexError::LongLine { line: 2 })));
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(at in 0usize..2000, byte: u8, cut in 0usize..2000) {
        let mut bytes = text().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Index::parse(&zstd::encode_all(&bytes[..], 1).expect("zstd into memory"));
        bytes.truncate(cut.max(1));
        let _ = Index::parse(&zstd::encode_all(&bytes[..], 1).expect("zstd into memory"));
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Index::parse(&bytes);
        let _ = Index::parse(&zstd::encode_all(&bytes[..], 1).expect("zstd into memory"));
    }
}

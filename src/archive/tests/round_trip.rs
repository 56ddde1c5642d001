//! A tree, packed and unpacked, is itself.

use proptest::prelude::*;

use super::sample::Sample;
use super::*;
use crate::codec;
use crate::model::{Blake3, IndexEntry, IndexParts};

#[test]
fn every_way_gives_the_same_tree_back() {
    let tree = sample();
    let before = deployed(listing(tree.path()));
    let mut digests = Vec::new();
    for compression in ALL {
        let archive = packed(&quick(tree.path(), compression));
        assert_eq!(archive.packed.size, archive.bytes.len() as u64);
        assert_eq!(archive.packed.files, 308);
        let index = Index::parse(&archive.packed.index.to_bytes()).expect("what was written");
        assert_eq!(index, archive.packed.index);
        check(&as_file(&archive.bytes), compression, &index).expect("it reads back");
        let expected = Some(archive.expected());
        for options in [unpack_options(), UnpackOptions { threads: 1, expected, ..unpack_options() }] {
            for (into, result) in all_ways(&archive.bytes, compression, Some(&index), &options) {
                let unpacked = result.expect("unpacked");
                assert_eq!(unpacked.tree, archive.packed.tree);
                assert_eq!((unpacked.files, unpacked.bytes), (308, archive.packed.bytes));
                assert_eq!(listing(into.path()), before);
                let noted = index.entries.iter().zip(&unpacked.inodes).filter(|(_, inode)| **inode != 0);
                for (item, inode) in noted.clone() {
                    let path = into.path().join(os_path(&item.entry.path));
                    assert_eq!(fs::symlink_metadata(&path).expect("there").ino(), *inode, "{}", path.display());
                }
                // Where pieces are taken apart, every file is noted; hard links and whole archives are looked up later.
                assert_eq!(noted.count(), if index.whole || unpacked.inodes.is_empty() { 0 } else { 308 });
            }
        }
        digests.push(archive.packed.tree);
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "the tree digest does not depend on the compression");
}

#[test]
fn reading_back_compares_every_piece_and_both_ends() {
    let tree = sample();
    for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
        let archive = packed(&quick(tree.path(), compression));
        let other = Blake3::of(b"other bytes");
        let lies: [fn(&mut IndexParts, Blake3); 2] = [
            |parts, other| parts.pieces.last_mut().expect("a piece").packed = other,
            |parts, other| parts.pieces.last_mut().expect("a piece").raw = other,
        ];
        for lie in lies {
            let mut parts = (*archive.packed.index).clone();
            lie(&mut parts, other);
            let refused = check(&as_file(&archive.bytes), compression, &Index::new(parts).expect("it fits"));
            match refused.expect_err("refused") {
                UnpackError::Piece { expected, .. } => assert_eq!(expected, other),
                error => panic!("{compression:?}: {error}"),
            }
        }
    }
    // An index may say the same wrong thing as the archive: what other readers would find is what counts.
    let archive = packed(&quick(tree.path(), Compression::Gzip));
    for at in [archive.bytes.len() - 1, archive.bytes.len() - 8, 2] {
        let (mut bytes, mut parts) = (archive.bytes.clone(), (*archive.packed.index).clone());
        bytes[at] ^= 1;
        let (head, tail) = (parts.head.len(), bytes.len() - parts.tail.len());
        parts.head.copy_from_slice(&bytes[..head]);
        parts.tail.copy_from_slice(&bytes[tail..]);
        let refused = check(&as_file(&bytes), Compression::Gzip, &Index::new(parts).expect("it fits"));
        assert!(matches!(refused, Err(UnpackError::Ends { .. })), "{at}: {refused:?}");
    }
}

#[test]
fn what_pack_has_proved_is_not_read_back_and_everything_else_is() {
    let tree = sample();
    for compression in ALL {
        let archive = packed(&quick(tree.path(), compression));
        let index = &archive.packed.index;
        let read_back = |bytes: &[u8]| check_packed(&as_file(bytes), compression, index);
        read_back(&archive.bytes).expect("it reads back");
        let big = |item: &&IndexEntry| item.stored > 4 << 20;
        let proved: Vec<bool> = index
            .pieces
            .iter()
            .map(|piece| {
                let within = |item: &&IndexEntry| {
                    item.offset <= piece.tar_offset && piece.tar_offset < item.offset + item.stored
                };
                codec::sums_up(compression) && index.entries.iter().filter(big).any(|item| within(&item))
            })
            .collect();
        // Two big files, each in several pieces; the pieces before, between and behind them have headers.
        assert_eq!(proved.iter().filter(|proved| **proved).count() > 3, codec::sums_up(compression), "{compression:?}");
        assert!(proved.iter().filter(|proved| !**proved).count() >= if index.whole { 1 } else { 3 }, "{compression:?}");
        for (piece, proved) in index.pieces.iter().zip(proved) {
            let mut bytes = archive.bytes.clone();
            bytes[(piece.offset + piece.length / 2) as usize] ^= 1;
            assert_eq!(read_back(&bytes).is_ok(), proved, "{compression:?}: {piece:?}");
            assert!(check(&as_file(&bytes), compression, index).is_err(), "{compression:?}: {piece:?}");
        }
        assert!(read_back(&archive.bytes[..archive.bytes.len() - 1]).is_err(), "{compression:?}: cut");
        let mut longer = (**index).clone();
        longer.entries.pop();
        let longer = Index::new(longer);
        let refused = longer.map(|index| check_packed(&as_file(&archive.bytes), compression, &index));
        assert!(!matches!(refused, Ok(Ok(()))), "{compression:?}: an entry that is not listed");
    }
}

#[test]
fn threads_and_place_and_day_do_not_change_the_bytes() {
    let (one, other) = (sample(), sample());
    for compression in ALL {
        let of =
            |tree: &tempfile::TempDir, threads| packed(&PackOptions { threads, ..quick(tree.path(), compression) });
        let (a, b) = (of(&one, 1), of(&other, 8));
        assert!(a.bytes == b.bytes, "{compression:?}");
        assert_eq!(a.packed.index, b.packed.index);
    }
}

#[test]
fn times_and_write_bits_are_kept_where_asked_for() {
    let tree = sample();
    let archive = packed(&PackOptions { mtime: Mtime::Keep, ..pack_options(tree.path()) });
    let mut before = listing(tree.path());
    for node in before.values_mut() {
        if let Node::File { mode, .. } = node {
            *mode = if *mode & 0o100 != 0 { 0o755 } else { 0o644 };
        }
    }
    let options = UnpackOptions { keep_write_bits: true, ..unpack_options() };
    for (into, result) in all_ways(&archive.bytes, Compression::Gzip, Some(&archive.packed.index), &options) {
        let _ = result.expect("unpacked");
        assert_eq!(listing(into.path()), before);
    }
    let options = UnpackOptions { mode_mask: Some(0o750), ..unpack_options() };
    for (into, result) in all_ways(&archive.bytes, Compression::Gzip, Some(&archive.packed.index), &options) {
        let _ = result.expect("unpacked");
        let found = listing(into.path());
        assert!(matches!(found[&b"bin/run"[..]], Node::File { mode: 0o550, .. }));
        assert!(matches!(found[&b"README"[..]], Node::File { mode: 0o440, .. }));
        assert!(matches!(found[&b"bin"[..]], Node::Directory { mode: 0o750, .. }));
    }
}

#[test]
fn an_empty_tree_is_a_package_too() {
    let tree = directory();
    for compression in ALL {
        let archive = packed(&quick(tree.path(), compression));
        for (into, result) in all_ways(&archive.bytes, compression, Some(&archive.packed.index), &unpack_options()) {
            assert_eq!(result.expect("unpacked").entries, 0);
            assert!(listing(into.path()).is_empty());
        }
    }
}

/// What stands at one path of a made-up tree.
#[derive(Debug, Clone)]
enum Made {
    Directory,
    File { size: usize, seed: u64, executable: bool },
    Link(Vec<Vec<u8>>),
    SameAs(usize),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let any_byte = prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()];
    let length = prop_oneof![8 => 1usize..12, 1 => 90usize..120, 1 => 200usize..=255];
    length.prop_flat_map(move |n| proptest::collection::vec(any_byte.clone(), n)).prop_map(|mut name| {
        for byte in &mut name {
            if matches!(*byte, 0 | b'/') {
                *byte = b'_';
            }
        }
        if matches!(&name[..], b"." | b"..") { b"dots".to_vec() } else { name }
    })
}

fn made() -> impl Strategy<Value = Made> {
    let size =
        prop_oneof![2 => Just(0usize), 8 => 1usize..2000, 2 => 100_000usize..1_000_000, 1 => 4_000_000usize..6_000_000];
    prop_oneof![
        2 => Just(Made::Directory),
        6 => (size, any::<u64>(), any::<bool>())
            .prop_map(|(size, seed, executable)| Made::File { size, seed, executable }),
        1 => proptest::collection::vec(name(), 1..4).prop_map(Made::Link),
        1 => any::<usize>().prop_map(Made::SameAs),
    ]
}

/// Makes what can be made: a path that is taken, or below a file, is left out.
fn make(top: &Path, nodes: &[(Vec<Vec<u8>>, Made)]) {
    let join = |names: &[Vec<u8>]| names.iter().map(|n| std::ffi::OsStr::from_bytes(n)).collect::<std::path::PathBuf>();
    let mut files = Vec::new();
    for (names, node) in nodes {
        let path = top.join(join(names));
        let parent = path.parent().expect("below the top");
        if fs::create_dir_all(parent).is_err() || fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        match node {
            Made::Directory => fs::create_dir(&path).expect("a directory"),
            Made::File { size, seed, executable } => {
                let bytes = if seed % 2 == 0 { noise(*size, *seed) } else { seed.to_le_bytes().repeat(size / 8) };
                fs::write(&path, bytes).expect("written");
                let mode = if *executable { 0o700 } else { 0o600 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
                files.push(path);
            }
            Made::Link(target) => std::os::unix::fs::symlink(join(target), &path).expect("a link"),
            Made::SameAs(which) if !files.is_empty() => {
                fs::hard_link(&files[which % files.len()], &path).expect("a name");
            }
            Made::SameAs(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sample::share(30) as u32, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_is_itself_again(
        nodes in proptest::collection::vec((proptest::collection::vec(name(), 1..6), made()), 0..40),
        which in 0..ALL.len(),
        threads in 1usize..5,
    ) {
        let tree = directory();
        make(tree.path(), &nodes);
        let before = deployed(listing(tree.path()));
        let compression = ALL[which];
        let options = PackOptions { threads, ..quick(tree.path(), compression) };
        let archive = packed(&options);
        let again = packed(&PackOptions { threads: 8, ..options });
        prop_assert!(archive.bytes == again.bytes);
        let index = Index::parse(&archive.packed.index.to_bytes()).expect("what was written");
        check(&as_file(&archive.bytes), compression, &index).expect("it reads back");
        let options = UnpackOptions { threads, ..unpack_options() };
        for (into, result) in all_ways(&archive.bytes, compression, Some(&index), &options) {
            prop_assert_eq!(result.expect("unpacked").tree, archive.packed.tree);
            prop_assert_eq!(&listing(into.path()), &before);
        }
        let foreign = index_foreign(&as_file(&archive.bytes), compression).expect("an index");
        prop_assert_eq!(foreign.tree_digest(), archive.packed.tree);
    }
}

/// Copies a file with its mode and its time.
fn copy_of(from: &Path, to: &Path) {
    let meta = fs::metadata(from).expect("there");
    fs::copy(from, to).expect("copied");
    fs::File::open(to).and_then(|file| file.set_modified(meta.modified()?)).expect("set");
}

#[test]
fn files_that_are_there_are_not_taken_from_the_package() {
    let tree = sample();
    for compression in ALL {
        let archive = packed(&quick(tree.path(), compression));
        let index = &archive.packed.index;
        let whole = directory();
        let options = unpack_options();
        let source = Source::Stream(Box::new(&archive.bytes[..]));
        let _ = unpack(source, compression, Some(index), whole.path(), &options).expect("unpacked");
        let expected = listing(whole.path());
        let files: Vec<bool> = index.entries.iter().map(|item| is_file(&item.entry)).collect();
        let ways: Vec<(usize, bool)> =
            [1, 2, 7, 100, usize::MAX].into_iter().flat_map(|step| [(step, false), (step, true)]).collect();
        for point in Sample::of(&format!("files that are there, {compression:?}"), ways.len()).points() {
            let (step, stream) = ways[point - 1];
            // All files are there but every so many-th.
            let have: Vec<bool> = files.iter().enumerate().map(|(n, file)| *file && (n + 1) % step != 0).collect();
            let into = directory();
            let tree = Tree::begin(index, into.path(), &options).expect("begun");
            let there = index.entries.iter().zip(&have).filter(|(_, have)| **have);
            for (item, _) in there {
                let path = os_path(&item.entry.path);
                copy_of(&whole.path().join(path), &into.path().join(path));
            }
            let mut bytes = archive.bytes.clone();
            if !stream && !index.whole {
                // What holds nothing that is missing may be anything.
                blank(&mut bytes, index, &have);
            }
            let file = as_file(&bytes);
            let source = if stream { Source::Stream(Box::new(&bytes[..])) } else { Source::File(&file) };
            tree.fill(source, compression, &have).expect("filled");
            let unpacked = tree.finish().expect("finished");
            assert_eq!((unpacked.tree, unpacked.files), (archive.packed.tree, archive.packed.files));
            assert_eq!(listing(into.path()), expected, "{compression:?}, {step}, {stream}");
        }
        // A whole look reads those pieces, too.
        let mut bytes = archive.bytes.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let options = UnpackOptions { whole: true, ..unpack_options() };
        let into = directory();
        let tree = Tree::begin(index, into.path(), &options).expect("begun");
        assert!(tree.fill(Source::File(&as_file(&bytes)), compression, &files).is_err(), "{compression:?}");
        tree.fill(Source::File(&as_file(&archive.bytes)), compression, &files).expect("all is well");
    }
}

fn is_file(entry: &crate::model::Entry) -> bool {
    matches!(entry.kind, crate::model::EntryKind::File { .. })
}

/// Overwrites the pieces that hold no byte of a file that is missing.
fn blank(bytes: &mut [u8], index: &Index, have: &[bool]) {
    for piece in &index.pieces {
        let (start, end) = (piece.tar_offset, piece.tar_offset + piece.tar_length);
        let mut before = 0;
        let needed = index.entries.iter().zip(have).any(|(item, have)| {
            let headers = std::mem::replace(&mut before, item.end());
            let from = if item.stored == 0 { headers } else { item.offset };
            is_file(&item.entry) && !have && from < end && start < (item.offset + item.stored).max(from + 1)
        });
        if !needed {
            bytes[piece.offset as usize..(piece.offset + piece.length) as usize].fill(0x55);
        }
    }
}

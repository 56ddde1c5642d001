//! What is packed, what is left out, what is refused.

use super::*;

fn error(options: &PackOptions<'_>) -> PackError {
    pack(options, std::io::sink()).expect_err("refused")
}

fn paths(index: &Index) -> Vec<String> {
    index.entries.iter().map(|e| e.entry.path.to_string()).collect()
}

#[test]
fn excludes_are_the_given_patterns_and_no_ignore_file() {
    let tree = directory();
    let at = |path: &str| tree.path().join(path);
    for path in [".git/objects", "a/__pycache__", "a/keep"] {
        fs::create_dir_all(at(path)).expect("a directory");
    }
    for path in [".git/HEAD", "a/__pycache__/x.pyc", "a/weights.bin", "a/notes.tmp", "top.tmp", ".hidden"] {
        fs::write(at(path), b"x").expect("written");
    }
    fs::write(at(".gitignore"), b"weights.bin\n").expect("written");
    let excludes = [".git", "__pycache__/", "/*.tmp"].map(str::to_owned);
    let found = packed(&PackOptions { excludes: &excludes, ..pack_options(tree.path()) });
    let expected = [".gitignore", ".hidden", "a", "a/keep", "a/notes.tmp", "a/weights.bin"];
    assert_eq!(paths(&found.packed.index), expected);
    assert_eq!(found.packed.excluded, 3);
    let bad = ["a{b".to_owned()];
    assert!(matches!(error(&PackOptions { excludes: &bad, ..pack_options(tree.path()) }), PackError::Exclude { .. }));
}

#[test]
fn links_that_leave_the_tree_are_refused_or_followed() {
    let outer = directory();
    let tree = outer.path().join("tree");
    fs::create_dir_all(tree.join("a")).expect("a directory");
    fs::create_dir_all(outer.path().join("shared")).expect("a directory");
    fs::write(outer.path().join("shared/data"), b"data").expect("written");
    std::os::unix::fs::symlink("../../shared", tree.join("a/link")).expect("a link");
    match error(&pack_options(&tree)) {
        PackError::LinkLeaves { path, target } => {
            assert_eq!((path, &target[..]), (tree.join("a/link"), &b"../../shared"[..]));
        }
        other => panic!("{other}"),
    }
    let followed = PackOptions { dereference: true, ..pack_options(&tree) };
    assert_eq!(paths(&packed(&followed).packed.index), ["a", "a/link", "a/link/data"]);
    std::os::unix::fs::symlink("../tree", outer.path().join("shared/back")).expect("a link");
    assert!(matches!(error(&followed), PackError::Loop { .. }));
}

#[test]
fn sockets_are_refused_by_name() {
    let tree = directory();
    let path = tree.path().join("s");
    let _socket = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    assert!(matches!(error(&pack_options(tree.path())), PackError::Special { path: found } if found == path));
}

/// Changes a file's length once the first piece of 1000 bytes is written.
struct Meddler<'a>(&'a Path, u64);

impl std::io::Write for Meddler<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() >= 1000 {
            fs::OpenOptions::new().write(true).open(self.0)?.set_len(self.1)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn changed(tree: &Path, path: &Path, length: u64) {
    let result = pack(&PackOptions { threads: 1, ..pack_options(tree) }, Meddler(path, length));
    assert!(matches!(result, Err(PackError::Changed { path: found }) if found == path), "{length}");
}

#[test]
fn a_big_file_that_changes_fails_the_pack() {
    let tree = directory();
    let path = tree.path().join("big");
    // More than the pieces in flight and the cutter's window, so that its end is read after its start was written.
    for length in [70_000_000, 90_000_000] {
        fs::write(&path, noise(80_000_000, 1)).expect("written");
        changed(tree.path(), &path, length);
    }
}

#[test]
fn a_small_file_that_changes_fails_the_pack() {
    let tree = directory();
    let path = tree.path().join("small");
    // They take a while to compress, so the one thread comes to the last of the planned pieces after the change.
    let slow: Vec<u8> = noise(4_000_000, 1).iter().map(|b| b & 0x77).collect();
    for name in ["a", "b", "c"] {
        fs::write(tree.path().join(name), &slow).expect("written");
    }
    for length in [2, 5] {
        fs::write(&path, b"abc").expect("written");
        changed(tree.path(), &path, length);
    }
}

/// Takes so many bytes and no more.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_it_and_leaves_no_thread_waiting() {
    let tree = sample();
    for room in [0, 100, 5_000_000] {
        let result = pack(&pack_options(tree.path()), Full(room));
        assert!(matches!(result, Err(PackError::Write(e)) if e.kind() == std::io::ErrorKind::StorageFull));
    }
}

#[test]
fn traps_are_told() {
    let tree = directory();
    fs::write(tree.path().join("pyvenv.cfg"), b"home = /usr").expect("written");
    fs::write(tree.path().join("fine"), b"x").expect("written");
    let found = packed(&pack_options(tree.path())).packed.warnings;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind, found[0].count), (TrapKind::Venv, 1));
}

#[test]
fn bytes_inserted_at_the_start_of_a_big_file_leave_its_later_pieces_alone() {
    let pieces = |header: usize| {
        let tree = directory();
        fs::write(tree.path().join("w"), [vec![b'h'; header], noise(40_000_000, 5)].concat()).expect("written");
        let packed =
            packed(&PackOptions { compression: Choice::Fixed(Compression::None), ..pack_options(tree.path()) });
        packed.packed.index.pieces.iter().map(|p| p.raw).collect::<Vec<_>>()
    };
    let (before, after) = (pieces(1000), pieces(1060));
    let kept = before.iter().filter(|digest| after.contains(digest)).count();
    assert!(before.len() > 10 && kept >= before.len() - 4, "{kept} of {}", before.len());
}

#[test]
fn progress_ends_at_the_size_of_the_tree() {
    let tree = sample();
    let last = std::sync::atomic::AtomicU64::new(0);
    let progress = |done| last.store(done, std::sync::atomic::Ordering::Relaxed);
    let archive = packed(&PackOptions { progress: &progress, ..pack_options(tree.path()) });
    assert_eq!(last.load(std::sync::atomic::Ordering::Relaxed), archive.packed.bytes);
}

#[test]
fn auto_compresses_what_gets_smaller() {
    let chosen = |bytes: Vec<u8>| {
        let tree = directory();
        fs::write(tree.path().join("small"), b"text").expect("written");
        fs::write(tree.path().join("big"), bytes).expect("written");
        packed(&PackOptions { compression: Choice::Auto, ..pack_options(tree.path()) }).packed.compression
    };
    assert_eq!(chosen(noise(3_000_000, 1)), Compression::None);
    assert_eq!(chosen(b"words ".repeat(100_000)), Compression::Zstd);
    assert_eq!(chosen(Vec::new()), Compression::Zstd);
}

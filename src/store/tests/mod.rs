//! What the store promises, on real directories.

mod gc;

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;
use crate::fsx;
use crate::model::{ByteSize, ComponentType, Sha256, Timestamp, Version};

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("store"), Duration::ZERO).expect("created");
    (dir, store)
}

fn model(version: &str) -> (ComponentType, Version) {
    ("model".parse().expect("a type"), version.parse().expect("a version"))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).expect("in range")
}

/// Pretends that the content was last used `seconds` after 1970.
fn used(store: &Reader, sha256: &Sha256, seconds: u64) {
    let file = store.file(sha256).expect("readable").expect("there");
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).expect("own file");
}

/// Changes the bytes under a name behind the store's back.
fn overwrite(store: &Reader, sha256: &Sha256, bytes: &[u8]) {
    let path = store.path(sha256).expect("readable").expect("there");
    fsx::remove_file(&path).expect("removed");
    fsx::write_new(&path, bytes).expect("written");
}

fn names(path: &Path) -> Vec<String> {
    fsx::list(path).expect("listed").into_iter().map(|e| e.name.to_string_lossy().into_owned()).collect()
}

fn plan(store: &Reader, max_size: Option<u64>) -> Plan {
    store.plan_gc(Rules { max_size: max_size.map(ByteSize), keep: &HashSet::new(), now: now() }).expect("planned")
}

/// The time by the clock that stamps files, or a little later.
fn now() -> Timestamp {
    let file = tempfile::NamedTempFile::new().expect("made");
    at(fsx::inspect(file.path()).expect("readable").expect("there").mtime + 1)
}

#[test]
fn content_is_found_by_its_digest_and_cannot_be_written() {
    let (_dir, store) = store();
    let mut incoming = store.incoming().expect("begun");
    incoming.write_all(b"ab").expect("written");
    incoming.write_all(b"c").expect("written");
    assert_eq!(incoming.commit().expect("committed"), (Sha256::of(b"abc"), 3));
    let sha256 = Sha256::of(b"abc");
    let path = store.path(&sha256).expect("readable").expect("there");
    assert!(path.ends_with(format!("sha256/ba/{sha256}")));
    assert_eq!(fsx::inspect(&path).expect("readable").expect("there").mode, 0o444);
    let mut text = String::new();
    store.file(&sha256).expect("readable").expect("there").read_to_string(&mut text).expect("text");
    assert_eq!(text, "abc");
    assert_eq!(store.size(&sha256).expect("readable"), Some(3));
    assert!(store.file(&Sha256::of(b"other")).expect("readable").is_none());
    assert!(names(&store.directory().join("tmp")).is_empty());
}

#[test]
fn use_is_noted_by_users_and_not_by_readers() {
    let (_dir, store) = store();
    let sha256 = store.put_bytes(b"abc").expect("put");
    used(&store, &sha256, 1000);
    let reader = Reader::open(store.directory()).expect("opened");
    reader.file(&sha256).expect("readable").expect("there");
    assert_eq!(store.list().expect("listed")[0].last_used, Some(at(1000)));
    store.file(&sha256).expect("readable").expect("there");
    assert!(store.list().expect("listed")[0].last_used > Some(at(1000)));
    used(&store, &sha256, 1000);
    store.put_bytes(b"abc").expect("put again");
    assert!(store.list().expect("listed")[0].last_used > Some(at(1000)));
}

#[test]
fn many_writers_of_one_content_leave_one_file() {
    let (_dir, store) = store();
    let bytes = vec![7; 300_000];
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(store.put_bytes(&bytes).expect("put"), Sha256::of(&bytes)));
        }
    });
    assert_eq!(store.list().expect("listed").len(), 1);
    assert!(store.verify(&|_, _| {}).expect("verified").corrupt.is_empty());
    assert!(names(&store.directory().join("tmp")).is_empty());
}

#[test]
fn many_creators_make_one_store() {
    let dir = tempfile::tempdir().expect("a directory");
    std::thread::scope(|scope| {
        for n in 0..8u8 {
            let path = dir.path();
            scope.spawn(move || Store::open(path, Duration::ZERO).expect("opened").put_bytes(&[n]).expect("put"));
        }
    });
    assert_eq!(Reader::open(dir.path()).expect("opened").list().expect("listed").len(), 8);
}

#[test]
fn announced_content_must_be_what_was_announced() {
    let (_dir, store) = store();
    let mut incoming = store.incoming().expect("begun");
    incoming.add(b"abc").expect("written");
    match incoming.commit_expecting(&Sha256::of(b"abd"), 3) {
        Err(Error::Unexpected { found, found_size: 3, .. }) => assert_eq!(found, Sha256::of(b"abc")),
        other => panic!("{other:?}"),
    }
    assert!(store.list().expect("listed").is_empty());
    let mut incoming = store.incoming().expect("begun");
    incoming.add(b"abc").expect("written");
    incoming.commit_expecting(&Sha256::of(b"abc"), 3).expect("as announced");
    assert_eq!(store.list().expect("listed").len(), 1);
}

#[test]
fn a_killed_writer_leaves_only_what_gc_removes() {
    let (dir, store) = store();
    let mut incoming = store.incoming().expect("begun");
    incoming.add(b"half").expect("written");
    // As a process that dies: nothing is cleaned up, the lock goes.
    std::mem::forget(incoming);
    drop(store);
    let path = dir.path().join("store");
    let store = Exclusive::open(&path, "pid 1 gc", Duration::ZERO).expect("alone");
    assert!(store.list().expect("listed").is_empty());
    let plan = plan(&store, None);
    assert_eq!((plan.leftovers.len(), plan.frees()), (1, 4));
    assert_eq!(store.collect(&plan, &|_| {}).expect("collected"), Collected { files: 1, bytes: 4 });
    assert!(names(&path.join("tmp")).is_empty());
}

#[test]
fn bytes_moved_out_leave_the_store_as_it_was() {
    let (dir, store) = store();
    let mut incoming = store.incoming().expect("begun");
    incoming.add(b"wrong").expect("written");
    let to = dir.path().join("rejected");
    incoming.move_out(&to).expect("moved");
    assert_eq!(fsx::read(&to).expect("there"), b"wrong");
    assert!(names(&store.directory().join("tmp")).is_empty());
    // Another file system: `/dev/shm` where there is one.
    if let Ok(other) = tempfile::tempdir_in("/dev/shm") {
        let mut incoming = store.incoming().expect("begun");
        incoming.add(b"far").expect("written");
        incoming.move_out(&other.path().join("far")).expect("copied");
        assert_eq!(fsx::read(&other.path().join("far")).expect("there"), b"far");
        assert!(names(&store.directory().join("tmp")).is_empty());
    }
}

#[test]
fn corruption_is_found_set_aside_and_healed() {
    let (_dir, store) = store();
    let (good, flipped, short) = (b"good".as_slice(), b"flip".as_slice(), b"short".as_slice());
    for bytes in [good, flipped, short] {
        store.put_bytes(bytes).expect("put");
    }
    overwrite(&store, &Sha256::of(flipped), b"flop");
    overwrite(&store, &Sha256::of(short), b"sho");
    let verified = store.verify(&|_, _| {}).expect("verified");
    assert_eq!((verified.checked, verified.bytes), (3, 11));
    let corrupt: HashSet<_> = verified.corrupt.iter().map(|corrupt| corrupt.sha256).collect();
    assert_eq!(corrupt, HashSet::from([Sha256::of(flipped), Sha256::of(short)]));
    // A file of the wrong length is replaced when the right bytes come again.
    store.put_bytes(short).expect("put again");
    assert_eq!(store.size(&Sha256::of(short)).expect("readable"), Some(5));
    // One of the right length is not looked into, so whoever finds it out says so.
    let kept = store.set_aside(&Sha256::of(flipped)).expect("moved");
    assert_eq!(fsx::read(&kept).expect("there"), b"flop");
    assert_eq!(store.path(&Sha256::of(flipped)).expect("readable"), None);
    store.discard(&Sha256::of(good)).expect("removed");
    store.discard(&Sha256::of(good)).expect("nothing to remove");
    assert_eq!(store.list().expect("listed").len(), 1);
    assert!(store.verify(&|_, _| {}).expect("verified").corrupt.is_empty());
}

#[test]
fn a_reader_creates_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("none");
    let reader = Reader::open(&path).expect("an empty store");
    assert!(reader.list().expect("listed").is_empty());
    assert_eq!(reader.verify(&|_, _| {}).expect("verified").checked, 0);
    assert_eq!(plan(&reader, Some(0)).frees(), 0);
    assert_eq!(fsx::inspect(&path).expect("readable"), None);
}

#[test]
fn foreign_directories_and_newer_stores_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    fsx::write_new(&dir.path().join("thesis.txt"), b"years of work").expect("written");
    let refused = Store::open(dir.path(), Duration::ZERO);
    assert!(matches!(refused, Err(Error::NotAStore { .. })), "{refused:?}");
    assert_eq!(names(dir.path()), ["thesis.txt"]);

    let (_dir, store) = store();
    assert_eq!(fsx::read(&store.directory().join("format")).expect("there"), b"1\n");
    fsx::write_atomic(&store.directory().join("format"), b"2\n").expect("written");
    let refused = Store::open(store.directory(), Duration::ZERO);
    assert!(matches!(refused, Err(Error::Newer { found: 2, known: 1, .. })), "{refused:?}");
}

#[test]
fn an_unfinished_content_is_gone_on_with_and_completed_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), Duration::ZERO).expect("created");
    let bytes = vec![7u8; 100_000];
    let sha256 = Sha256::of(&bytes);
    assert_eq!(store.unreserved(&sha256, 100_000).expect("known"), 100_000);
    let partial = store.partial(&sha256, 100_000).expect("made");
    partial.write(50_000, &bytes[50_000..]).expect("written");
    assert_eq!(store.unreserved(&sha256, 100_000).expect("known"), 0, "reserved");
    drop(partial);
    let left: u64 = store.left_behind(&sha256, 100_000).expect("known").iter().map(|part| part.end - part.start).sum();
    assert!((50_000..=100_000).contains(&left), "{left}");
    // Two writers, of which one is faster, and a third who begins anew at the wrong time.
    let (first, second) = (store.partial(&sha256, 100_000), store.partial(&sha256, 100_000));
    let (first, second) = (first.expect("open"), second.expect("open"));
    let mut half = vec![0; 50_000];
    assert!(first.read(50_000, &mut half).expect("read") && half == bytes[50_000..]);
    assert!(!first.read(60_000, &mut half).expect("read"), "less is there");
    first.write(0, &bytes).expect("written");
    store.complete(&first, &sha256).expect("whole");
    let third = store.partial(&sha256, 100_000).expect("made");
    store.complete(&second, &sha256).expect("it is there");
    assert_eq!(store.digest(&sha256).expect("read"), Some(sha256));
    assert_eq!(store.unfinished().expect("listed").len(), 1);
    third.write(0, &bytes).expect("written");
    store.complete(&third, &sha256).expect("replaced by the same");
    assert_eq!(store.digest(&sha256).expect("read"), Some(sha256));
    assert!(store.unfinished().expect("listed").is_empty());
}

#[test]
fn several_that_finish_one_content_in_the_same_moment_all_end_well() {
    let (_dir, store) = store();
    let barrier = std::sync::Barrier::new(4);
    for round in 0..100_u32 {
        let bytes = round.to_le_bytes();
        let sha256 = Sha256::of(&bytes);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let partial = store.partial(&sha256, 4).expect("opened");
                    partial.write(0, &bytes).expect("written");
                    barrier.wait();
                    store.complete(&partial, &sha256).expect("complete");
                });
            }
        });
        assert_eq!(store.digest(&sha256).expect("read"), Some(sha256));
    }
}

#[test]
fn notes_of_uploads_are_replaced_and_go_with_their_package() {
    let bench = tempfile::tempdir().expect("a directory");
    let store = Store::open(&bench.path().join("store"), Duration::ZERO).expect("created");
    let (kept, gone) = (store.put_bytes(b"kept").expect("put"), Sha256::of(b"gone"));
    assert_eq!(store.upload_note(&kept, "s3://b/k").expect("read"), None);
    for note in ["one", "two"] {
        store.note_upload(&kept, "s3://b/k", note.as_bytes()).expect("noted");
    }
    store.note_upload(&kept, "s3://b/other", b"three").expect("noted");
    store.note_upload(&gone, "s3://b/k", b"four").expect("noted");
    store.forget_upload(&kept, "s3://b/other").expect("forgotten");
    store.forget_upload(&kept, "s3://b/other").expect("forgotten before");
    drop(store);
    let store = Exclusive::open(&bench.path().join("store"), "test", Duration::ZERO).expect("alone");
    let keep = HashSet::new();
    let plan = store.plan_gc(Rules { max_size: None, keep: &keep, now: now() }).expect("planned");
    store.collect(&plan, &|_| {}).expect("collected");
    assert_eq!(store.upload_note(&kept, "s3://b/k").expect("read").as_deref(), Some(&b"two"[..]));
    assert_eq!(store.upload_note(&gone, "s3://b/k").expect("read"), None);
    let plan = store.plan_gc(Rules { max_size: Some(ByteSize(0)), keep: &keep, now: now() }).expect("planned");
    store.collect(&plan, &|_| {}).expect("collected");
    assert_eq!(store.upload_note(&kept, "s3://b/k").expect("read"), None);
}

//! What gc removes, what it keeps, and for whom it waits.

use super::*;

#[test]
fn gc_removes_the_longest_unused_and_never_what_is_held() {
    let (dir, store) = store();
    let (kind, version) = model("1.0.0");
    let put = |byte: u8, age: u64| {
        let sha256 = store.put_bytes(&[byte; 100]).expect("put");
        used(&store, &sha256, age);
        sha256
    };
    let (package, asked, oldest, old, new) = (put(0, 1), put(1, 2), put(2, 3), put(3, 4), put(4, 5));
    let manifest = put(5, 0);
    let note = Packed { manifest, package, index: None, proved: false, deltas: Vec::new(), at: at(1), published: None };
    store.record_packed(&kind, &version, &note).expect("noted");
    drop(store);

    let path = dir.path().join("store");
    let store = Exclusive::open(&path, "", Duration::ZERO).expect("alone");
    let keep = HashSet::from([asked]);
    let rules = |bytes| Rules { max_size: Some(ByteSize(bytes)), keep: &keep, now: now() };
    let plan = store.plan_gc(rules(450)).expect("planned");
    let removed: Vec<_> = plan.removed.iter().map(|(entry, _)| entry.sha256).collect();
    assert_eq!(removed, [oldest, old]);
    let why = |sha256| plan.kept.iter().find(|(entry, _)| entry.sha256 == sha256).map(|(_, why)| why.clone());
    let held = Held { component: kind.clone(), version: version.clone() };
    assert_eq!(why(package), Some(Kept::Packed(held.clone())));
    assert_eq!(why(manifest), Some(Kept::Packed(held)));
    assert_eq!(why(asked), Some(Kept::Asked));
    assert_eq!(why(new), Some(Kept::Fits));
    assert_eq!((plan.frees(), plan.excess), (200, 0));
    assert_eq!(store.list().expect("listed").len(), 6, "a plan changes nothing");
    assert_eq!(store.collect(&plan, &|_| {}).expect("collected"), Collected { files: 2, bytes: 200 });
    assert_eq!(store.list().expect("listed").len(), 4);

    // What must stay is more than the cap: the plan says by how much.
    let tight = store.plan_gc(rules(50)).expect("planned");
    assert_eq!((tight.removed.len(), tight.excess), (1, 250));

    // Published, it is like the rest, and its note goes with it.
    store.mark_published(&kind, &version, at(9)).expect("noted");
    assert_eq!(store.packed(&kind, &version).expect("readable").expect("there").published, Some(at(9)));
    let plan = store.plan_gc(rules(100)).expect("planned");
    assert_eq!(plan.notes, [(kind.clone(), version.clone())]);
    store.collect(&plan, &|_| {}).expect("collected");
    assert_eq!(store.packed(&kind, &version).expect("readable"), None);
    let left: Vec<_> = store.list().expect("listed").into_iter().map(|entry| entry.sha256).collect();
    assert_eq!(left, [asked]);
}

#[test]
fn gc_refuses_to_guess_what_a_broken_note_holds() {
    let (_dir, store) = store();
    let (kind, version) = model("1.0.0");
    let digest = store.put_bytes(b"abc").expect("put");
    let note = Packed {
        manifest: digest,
        package: digest,
        index: Some(digest),
        proved: true,
        deltas: Vec::new(),
        at: at(1),
        published: None,
    };
    store.record_packed(&kind, &version, &note).expect("noted");
    assert_eq!(store.packed(&kind, &version).expect("readable"), Some(note));
    fsx::write_atomic(&store.directory().join("packed/model/1.0.0.json"), b"{").expect("written");
    let planned = store.plan_gc(Rules { max_size: Some(ByteSize(0)), keep: &HashSet::new(), now: now() });
    assert!(matches!(planned, Err(Error::Note { .. })), "{planned:?}");
}

#[test]
fn gc_waits_for_users_and_users_for_gc() {
    let (dir, store) = store();
    let path = dir.path().join("store");
    let second = Store::open(&path, Duration::ZERO).expect("shared");
    assert!(matches!(Exclusive::open(&path, "", Duration::ZERO), Err(Error::Locked { .. })));
    drop((store, second));
    let alone = Exclusive::open(&path, "pid 1 gc", Duration::ZERO).expect("alone");
    match Store::open(&path, Duration::ZERO) {
        Err(Error::Locked { holder, .. }) => assert_eq!(holder, "pid 1 gc"),
        other => panic!("{other:?}"),
    }
    Reader::open(&path).expect("readers do not wait");
    drop(alone);
    Store::open(&path, Duration::ZERO).expect("free again");
}

#[test]
fn gc_counts_what_is_unfinished_and_gives_it_up_in_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let sha256 = Sha256::of(b"wanted");
    {
        let store = Store::open(dir.path(), Duration::ZERO).expect("created");
        store.partial(&sha256, 10_000).expect("made").write(0, &[1; 10_000]).expect("written");
    }
    let store = Exclusive::open(dir.path(), "a test", Duration::ZERO).expect("alone");
    let keep = HashSet::new();
    let plan =
        |max_size, now| store.plan_gc(Rules { max_size: Some(ByteSize(max_size)), keep: &keep, now }).expect("planned");
    assert_eq!(plan(10_000, now()).removed, []);
    assert_eq!(plan(9_999, now()).removed.len(), 1);
    let later = at(now().as_unix() + PATIENCE.as_secs() as i64 + 5);
    let given_up = plan(1 << 30, later);
    assert!(matches!(given_up.removed.as_slice(), [(entry, Removed::GivenUp)] if entry.unfinished));
    assert_eq!(store.collect(&given_up, &|_| {}).expect("collected").files, 1);
    assert!(store.unfinished().expect("listed").is_empty());
}

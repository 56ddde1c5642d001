//! What is wrong is found, and named.

use proptest::prelude::*;

use super::*;
use crate::delta::{Amount, HeaderError, Job, OldFile, Side, With, header_length, lines};

fn small() -> Scene {
    let lines = |from: u32| (from..from + 60).flat_map(|n| format!("line {n}\n").into_bytes()).collect::<Vec<u8>>();
    let base = vec![("a".to_owned(), lines(0)), ("b".to_owned(), lines(500))];
    let mut target = base.clone();
    target[0].1[40] ^= 1;
    target[1].1.extend(b"more");
    Scene::new(&base, &target)
}

#[test]
fn every_flipped_byte_of_a_delta_is_caught() {
    let scene = small();
    for at in 0..scene.delta.len() {
        let mut delta = scene.delta.clone();
        delta[at] ^= 1;
        scene.again();
        // A bit of the header may mean nothing; what is made is right then.
        assert!(scene.apply(&delta).is_err() || scene.is_right(), "byte {at}");
        let header = Header::read(&scene.delta[..]).expect("a header");
        if at as u64 >= header.jobs()[0].offset {
            scene.again();
            assert!(matches!(scene.apply(&delta), Err(ApplyError::Packed { job: 0, .. })), "byte {at}");
        }
    }
    for cut in 0..scene.delta.len() {
        scene.again();
        assert!(scene.apply(&scene.delta[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn every_flipped_byte_of_the_base_is_caught_and_its_file_named() {
    let scene = small();
    for name in ["a", "b"] {
        let path = scene.dir.path().join("base").join(name);
        let good = std::fs::read(&path).expect("there");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).expect("written");
            scene.again();
            let error = scene.apply(&scene.delta).expect_err("another base");
            assert!(matches!(&error, ApplyError::BaseChanged { path } if path.to_string() == name), "{at}: {error}");
            assert!(error.another_way());
        }
        for less in [&good[..good.len() / 2], &[]] {
            std::fs::write(&path, less).expect("written");
            scene.again();
            let error = scene.apply(&scene.delta).expect_err("another base");
            assert!(matches!(error, ApplyError::BaseChanged { .. }), "{error}");
        }
        std::fs::remove_file(&path).expect("removed");
        assert!(matches!(scene.apply(&scene.delta), Err(ApplyError::BaseChanged { .. })));
        std::os::unix::fs::symlink("/etc/passwd", &path).expect("a link");
        assert!(scene.apply(&scene.delta).is_err(), "no link is followed");
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, &good).expect("written");
    }
    scene.again();
    let _ = scene.apply(&scene.delta).expect("the base is whole again");
}

#[test]
fn a_delta_of_another_target_is_refused_and_so_is_a_file_it_does_not_make() {
    let (scene, mut other) = (small(), small());
    let mut files = vec![("a".to_owned(), b"x".to_vec())];
    other.target = index(&files, 4 << 20);
    assert!(matches!(other.apply(&scene.delta), Err(ApplyError::Header(HeaderError::OtherTarget { .. }))));
    // A file that base and target share is wanted all the same: the base has lost it.
    files.push(("b".to_owned(), b"y".to_vec()));
    let mut changed = files.clone();
    changed[0].1 = b"z".to_vec();
    let mut scene = Scene::new(&files, &changed);
    scene.base = index(&vec![("q".to_owned(), b"q".to_vec())], 4 << 20);
    let error = scene.apply(&scene.delta).expect_err("not made");
    assert!(matches!(&error, ApplyError::NotMade { path } if path.to_string() == "b"), "{error}");
}

fn job() -> Job {
    let part = |file, length| vec![Segment { file, offset: 0, length }];
    let none = Blake3::of(b"");
    Job {
        to: part(0, 8),
        from: part(0, 8),
        with: With::Prefix,
        offset: 0,
        length: 5,
        packed: none,
        old: none,
        raw: none,
    }
}

fn read(jobs: Vec<Job>, olds: Vec<OldFile>) -> Result<Header, HeaderError> {
    let side = Side { version: version("1"), tree: Blake3::of(b"") };
    Header::read(&lines::write(&side, &side, &olds, &jobs)?[..])
}

fn old() -> OldFile {
    OldFile { path: TreePath::parse(b"a\xff").expect("a path"), size: 8, digest: Blake3::of(b"") }
}

#[test]
fn headers_that_make_no_sense_are_refused() {
    let good = read(vec![job()], vec![old()]).expect("it fits");
    assert_eq!((good.olds(), good.jobs().len()), (&[old()][..], 1));
    let changes: &[fn(&mut Job)] = &[
        |job| job.to.clear(),
        |job| job.to[0].length = 0,
        |job| job.to[0].length = super::super::MAX_RAW_BYTES + 1,
        |job| job.to[0].length = u64::MAX,
        |job| job.from[0].file = 1,
        |job| job.from[0].offset = 1,
        |job| job.from[0].offset = u64::MAX,
        |job| job.from[0].length = super::super::MAX_OLD_BYTES + 1,
        |job| job.from.clear(),
        |job| job.length = 0,
        |job| job.length = u64::from(u32::MAX),
        |job| job.with = With::Copy,
        |job| job.with = With::Plain,
        |job| (job.with, job.to[0].length) = (With::Diff(crate::delta::header::Width::Two), 6),
        |job| job.to = vec![job.to[0]; super::super::MAX_SEGMENTS + 1],
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut bad = job();
        change(&mut bad);
        assert!(read(vec![bad], vec![old()]).is_err(), "change {number}");
    }
}

fn start(text: &str) -> Vec<u8> {
    let packed = zstd::encode_all(text.as_bytes(), 1).expect("zstd into memory");
    let good = small().delta;
    [&good[..16], &(packed.len() as u64).to_le_bytes(), &packed].concat()
}

fn header_text() -> String {
    let delta = small().delta;
    let length = header_length(delta.first_chunk().expect("a start")).expect("a header") as usize;
    String::from_utf8(zstd::decode_all(&delta[24..24 + length]).expect("zstd")).expect("JSON")
}

#[test]
fn the_header_opens_with_any_zstd_reader_and_lines_are_counted() {
    let text = header_text();
    assert!(text.starts_with("{\"delta\":1,\"size\":"), "{text}");
    assert!(Header::read(&start(&text)[..]).is_ok());
    assert!(matches!(
        Header::read(&start(&text.replace("\"delta\":1", "\"delta\":2"))[..]),
        Err(HeaderError::Newer { found: 2 })
    ));
    assert!(Header::read(&start(&format!("{text}{{}}\n"))[..]).is_err());
    assert!(Header::read(&start(text.trim_end().rsplit_once('\n').expect("lines").0)[..]).is_err());
    assert!(matches!(
        Header::read(&start(&text.replace("\"jobs\":1", "\"jobs\":99999999"))[..]),
        Err(HeaderError::Limit { what: Amount::Jobs, .. })
    ));
    assert!(Header::read(&start(&"x".repeat(5 << 20))[..]).is_err());
    assert!(matches!(Header::read(&b"hello"[..]), Err(HeaderError::Foreign)));
    let mut long = start(&text);
    long[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(Header::read(&long[..]), Err(HeaderError::Limit { .. })));
    // It is a skippable frame and a frame: zstd reads through to the jobs.
    assert_eq!(zstd::decode_all(&start(&text)[..]).expect("zstd"), text.as_bytes());
}

#[test]
fn jobs_that_tile_a_file_badly_are_refused() {
    let scene = small();
    for (what, with) in [("[[0,0,", "[[0,1,"), ("[[0,0,", "[[7,0,")] {
        let text = header_text();
        assert!(text.contains(what), "{text}");
        let mut delta = start(&text.replacen(what, with, 1));
        delta.extend_from_slice(&scene.delta[scene.delta.len() - 100..]);
        assert!(matches!(
            scene.apply(&delta),
            Err(ApplyError::Header(HeaderError::Untiled { .. } | HeaderError::NoFile { .. }))
        ));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changed_headers_never_panic(at in 0usize..4000, byte: u8, cut in 1usize..4000, number: u64) {
        let scene = small();
        let text = header_text();
        let mut bytes = text.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = scene.apply(&start(&String::from_utf8_lossy(&bytes)));
        bytes.truncate(cut);
        let _ = scene.apply(&start(&String::from_utf8_lossy(&bytes)));
        for place in ["\"size\":", "\"length\":", "[[0,"] {
            let behind = text.find(place).expect("there") + place.len();
            let end = behind + text[behind..].find(|c: char| !c.is_ascii_digit()).expect("a number ends");
            let mut delta = start(&format!("{}{number}{}", &text[..behind], &text[end..]));
            delta.extend_from_slice(&[7; 300]);
            scene.again();
            prop_assert!(scene.apply(&delta).is_err() || scene.is_right());
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Header::read(&bytes[..]);
        let _ = Header::read(&start(&String::from_utf8_lossy(&bytes))[..]);
    }
}

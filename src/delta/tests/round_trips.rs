//! Whatever changed, the target comes out.

use proptest::prelude::*;

use super::*;
use crate::delta::With;

fn file(path: &str, bytes: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (path.to_owned(), bytes.into())
}

fn text(lines: u32, changed: u32) -> Vec<u8> {
    let line = |n| if n == changed { format!("changed {n}\n") } else { format!("line {n} of a file\n") };
    (0..lines).flat_map(|n| line(n).into_bytes()).collect()
}

fn kinds(delta: &[u8]) -> Vec<With> {
    Header::read(delta).expect("a header").jobs().iter().map(|job| job.with).collect()
}

#[test]
fn small_files_share_a_job_and_unchanged_ones_are_in_none() {
    let base =
        vec![file("a.txt", text(2000, 1)), file("same", noise(1, 5000)), file("x-1.0.dist-info/RECORD", text(3000, 7))];
    let target = vec![
        file("a.txt", text(2000, 2)),
        file("empty", []),
        file("moved", noise(1, 5000)),
        file("x-1.1.dist-info/RECORD", text(3000, 8)),
    ];
    let scene = Scene::new(&base, &target);
    assert_eq!(kinds(&scene.delta), [With::Prefix]);
    let header = Header::read(&scene.delta[..]).expect("a header");
    assert_eq!((header.jobs()[0].to.len(), header.olds().len()), (2, 2));
    assert!(scene.delta.len() < 2000, "{}", scene.delta.len());
    let applied = scene.apply(&scene.delta).expect("applied");
    assert!(scene.is_right());
    assert_eq!((applied.bytes, applied.resumed), (header.jobs()[0].raw_bytes(), 0));
}

#[test]
fn unchanged_pieces_are_copied_wherever_they_stand() {
    let body = noise(3, 3 << 20);
    let target: Vec<u8> = [&noise(4, 1000)[..], &body[1 << 20..], &body[..1 << 20]].concat();
    let (base, target) = (vec![file("big", body.clone())], vec![file("big", target)]);
    let scene = Scene::new(&base, &target);
    assert!(scene.delta.len() < 100_000, "{}: found by its samples", scene.delta.len());
    let _ = scene.apply(&scene.delta).expect("applied");
    assert!(scene.is_right());
    let more = vec![file("big", [&body[..], &noise(5, 100)].concat())];
    let scene = Scene::of(&base, &more, 2, 1 << 20);
    assert_eq!(kinds(&scene.delta).iter().filter(|with| **with == With::Copy).count(), 3);
    assert!(scene.delta.len() < 1500, "{}", scene.delta.len());
    let _ = scene.apply(&scene.delta).expect("applied");
    assert!(scene.is_right());
}

#[test]
fn floats_of_equal_name_and_shape_are_differences_whatever_the_header_has() {
    let tensor = |seed: u64| {
        let bytes = noise(seed, 400_000);
        bytes
            .as_chunks::<2>()
            .0
            .iter()
            .flat_map(|b| (0x3c00 | (u16::from_le_bytes(*b) & 0x83ff)).to_le_bytes())
            .collect()
    };
    let near = |tensor: &Vec<u8>| -> Vec<u8> {
        let near = |(n, b): (usize, &[u8; 2])| u16::from_le_bytes(*b).wrapping_add(u16::from(n % 5 == 0)).to_le_bytes();
        tensor.as_chunks::<2>().0.iter().enumerate().flat_map(near).collect()
    };
    let (a, b): (Vec<u8>, Vec<u8>) = (tensor(1), tensor(2));
    let base = vec![file("m.safetensors", safetensors("", &[a.clone(), b.clone()]))];
    let target = vec![file("m.safetensors", safetensors("a longer header", &[near(&a), b, tensor(3)]))];
    let scene = Scene::new(&base, &target);
    assert!(kinds(&scene.delta).iter().any(|with| matches!(with, With::Diff(_))), "{:?}", kinds(&scene.delta));
    // A fifth of the first tensor changed by one; the second is the same; the third is new.
    assert!(scene.delta.len() < 450_000, "{}", scene.delta.len());
    let _ = scene.apply(&scene.delta).expect("applied");
    assert!(scene.is_right());
}

#[test]
fn a_tensor_header_that_lies_is_bytes_like_any_other() {
    for header in [r#"{"a":{"dtype":"BF16","shape":[9],"data_offsets":[0,99999999]}}"#, "{", r#"{"a":5}"#, ""] {
        let of = |seed| [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &noise(seed, 100_000)].concat();
        let scene = Scene::new(&vec![file("m.safetensors", of(1))], &vec![file("m.safetensors", of(2))]);
        let _ = scene.apply(&scene.delta).expect("applied");
        assert!(scene.is_right(), "{header}");
    }
    let huge = [&u64::MAX.to_le_bytes()[..], b"{", &noise(1, 100_000)].concat();
    let scene = Scene::new(&vec![file("m", noise(2, 1000))], &vec![file("m", huge)]);
    let _ = scene.apply(&scene.delta).expect("applied");
    assert!(scene.is_right());
}

#[test]
fn a_delta_is_the_same_for_one_thread_and_for_eight() {
    let base: Files =
        (0..40).map(|n| file(&format!("f{n}"), [text(900, n), noise(u64::from(n), 90_000)].concat())).collect();
    let target: Files =
        (0..40).map(|n| file(&format!("f{n}"), [text(901, n), noise(u64::from(n), 90_000)].concat())).collect();
    let scene = Scene::new(&base, &target);
    assert_eq!(scene.make(8, u64::MAX).expect("made").as_ref(), Some(&scene.delta));
    assert!(kinds(&scene.delta).len() > 2);
    for threads in [1, 8] {
        scene.again();
        let _ = scene.apply_on(&scene.delta, threads).expect("applied");
        assert!(scene.is_right());
    }
    assert_eq!(scene.make(1, scene.delta.len() as u64 - 1).expect("made"), None);
}

#[test]
fn jobs_that_make_much_of_few_bytes_come_first() {
    let all = |change: u32| -> Files {
        let noisy = |n: u64| [noise(n, 600_000), noise(n + 10 * u64::from(change), 600_000)].concat();
        let of = |n: u64| [file(&format!("a{n}"), noisy(n)), file(&format!("b{n}"), text(60_000, change))];
        (1..4).flat_map(of).collect()
    };
    let scene = Scene::new(&all(1), &all(2));
    let header = Header::read(&scene.delta[..]).expect("a header");
    let worth = |job: &crate::delta::Job| (job.raw_bytes() / job.length).max(1).ilog2();
    let places: Vec<_> = header.jobs().iter().map(|job| (std::cmp::Reverse(worth(job)), job.to[0].file)).collect();
    assert!(places.is_sorted(), "those of about the same worth in the order of the tree: {places:?}");
    assert!(worth(&header.jobs()[0]) > 6 + worth(header.jobs().last().expect("jobs")), "{places:?}");
    let _ = scene.apply(&scene.delta).expect("applied");
    assert!(scene.is_right());
}

#[test]
fn a_run_that_was_killed_is_gone_on_with_and_bad_bytes_are_not_kept() {
    let base = vec![file("big", noise(1, 3 << 20)), file("small", text(500, 1))];
    let mut big = noise(1, 3 << 20);
    (0..3).for_each(|n| big[(n << 20) + 77] ^= 1);
    let target = vec![file("big", big.clone()), file("small", text(500, 2))];
    let scene = Scene::new(&base, &target);
    let whole = scene.apply(&scene.delta).expect("applied");
    let again = scene.apply(&scene.delta).expect("applied");
    assert_eq!((again.bytes, again.resumed), (whole.bytes, whole.bytes));
    // Half written, and wrong in one place.
    scene.again();
    let path = scene.dir.path().join("out/big");
    big.truncate(2 << 20);
    big[5] ^= 1;
    std::fs::write(&path, &big).expect("a file");
    let resumed = scene.apply(&scene.delta).expect("applied");
    assert!(scene.is_right());
    assert!(resumed.resumed > 0 && resumed.resumed < whole.bytes, "{resumed:?}");
    // A file with another name is never written to.
    scene.again();
    std::fs::write(&path, &big).expect("a file");
    std::fs::hard_link(&path, scene.dir.path().join("other")).expect("a link");
    assert!(matches!(scene.apply(&scene.delta), Err(ApplyError::Fs(_))));
    assert_eq!(std::fs::read(scene.dir.path().join("other")).expect("there"), big);
    // One that is longer than it should be is not taken for whole, whether its first bytes are right or not.
    for first in [b'l', b'x'] {
        scene.again();
        let mut small = [text(500, 2), b"more".to_vec()].concat();
        small[0] = first;
        std::fs::write(scene.dir.path().join("out/small"), &small).expect("a file");
        assert!(matches!(scene.apply(&scene.delta), Err(ApplyError::File { .. })), "{first}");
    }
}

/// An edit of one file: kind, where, how much.
type Edit = (u8, u16, u16);

fn edited(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (kind, at, length) in edits {
        let at = usize::from(*at) % (bytes.len() + 1);
        let end = (at + usize::from(*length) % 3000).min(bytes.len());
        match kind % 4 {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, noise(u64::from(*length), usize::from(*length) % 3000))),
            2 => bytes[at..end].iter_mut().for_each(|b| *b = b.wrapping_add(1)),
            _ => {
                let part = bytes[at..end].to_vec();
                bytes.extend(part);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_edits_come_out(
        sizes in proptest::collection::vec(0usize..150_000, 1..6),
        edits in proptest::collection::vec((0usize..6, any::<Edit>()), 0..12),
        renamed in proptest::collection::vec(any::<bool>(), 6),
        binary: bool,
        piece in 20_000usize..90_000,
    ) {
        let content = |n: usize, size| if binary { noise(n as u64 + 1, size) } else { text(size as u32 / 20, n as u32) };
        let base: Files = sizes.iter().enumerate().map(|(n, size)| file(&format!("d/f-{n}.1"), content(n, *size))).collect();
        let target: Files = base.iter().enumerate().map(|(n, (path, bytes))| {
            let edits: Vec<Edit> = edits.iter().filter(|(of, _)| *of == n).map(|(_, edit)| *edit).collect();
            let path = if renamed[n] { format!("e/g-{n}.2") } else { path.clone() };
            (path, edited(bytes, &edits))
        }).collect();
        let scene = Scene::of(&base, &target, 2, piece);
        let _ = scene.apply(&scene.delta).expect("applied");
        prop_assert!(scene.is_right());
    }

    #[test]
    fn any_tensors_come_out(
        sizes in proptest::collection::vec(1usize..60_000, 1..4),
        changed in proptest::collection::vec((0usize..4, any::<u16>()), 0..9),
        note in "[a-z]{0,9}",
        piece in 20_001usize..90_000,
    ) {
        let tensors: Vec<Vec<u8>> = sizes.iter().enumerate().map(|(n, size)| noise(n as u64 + 9, size * 2)).collect();
        let mut new = tensors.clone();
        for (tensor, at) in changed {
            let bytes = &mut new[tensor % sizes.len()];
            let at = usize::from(at) % bytes.len();
            bytes[at] = bytes[at].wrapping_add(1);
        }
        let base = vec![file("m", safetensors("", &tensors))];
        let scene = Scene::of(&base, &vec![file("m", safetensors(&note, &new))], 2, piece);
        let _ = scene.apply(&scene.delta).expect("applied");
        prop_assert!(scene.is_right());
    }
}

//! What every target promises, whatever its kind: one suite, run against each of them.
//!
//! `holds` runs it; a kind says with [`Traits`] what it is able to do. Each check publishes versions of its own, so a
//! target may hold other things before, and nothing is expected of its keys but what `Target` says.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use deploy_tool::fsx;
use deploy_tool::model::{ComponentType, Place, Sha256, Version};
use deploy_tool::target::{
    Content, Error, Filesystem, Parcel, Placed, Result, Target, Unfinished, Upload, Wanted, is_file_name,
};

/// Puts bytes under a key.
type Plant<'a> = dyn Fn(&str, &[u8]) + 'a;

/// What a kind of target is able to do.
pub struct Traits<'a> {
    /// Replaces what is under a key behind the target's back.
    pub plant: Option<&'a Plant<'a>>,
    /// Whether files can be removed.
    pub deletes: bool,
    /// The longest version and file name to try; [`Traits::LONGEST`] unless the server, not the kind, has a limit.
    pub longest: usize,
}

impl Traits<'_> {
    /// What a version may have.
    pub const LONGEST: usize = 128;
}

/// Every promise.
pub fn holds(target: &dyn Target, traits: &Traits<'_>) {
    put_and_get(target);
    ranges(target);
    listing(target);
    odd_names(target, traits.longest);
    empty_package(target);
    several_parts(target);
    not_what_was_announced(target);
    publishers_at_once(target);
    if let Some(plant) = traits.plant {
        never_replaced(target, plant);
    }
    if traits.deletes {
        deleting(target);
    }
    signed_urls(target);
}

// ---- scenes ----

/// Bytes made up as they are read: the same for the same seed, different in every block of 32.
pub struct Made {
    seed: u64,
    size: u64,
    /// Reading beyond this fails.
    pub readable: AtomicU64,
}

impl Made {
    pub fn new(seed: u64, size: u64) -> Self {
        Self { seed, size, readable: AtomicU64::new(u64::MAX) }
    }

    fn fill(&self, offset: u64, out: &mut [u8]) {
        let (mut at, mut rest) = (offset, out);
        while !rest.is_empty() {
            let mut block = [0; 32];
            block[..8].copy_from_slice(&(at / 32).to_le_bytes());
            block[8..16].copy_from_slice(&self.seed.to_le_bytes());
            let from = &block[(at % 32) as usize..];
            let count = from.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(&from[..count]);
            (at, rest) = (at + count as u64, later);
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.size).expect("fits")];
        self.fill(0, &mut bytes);
        bytes
    }
}

impl Content for Made {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> fsx::Result<()> {
        if offset + out.len() as u64 > self.readable.load(Ordering::Relaxed) {
            let lost = std::io::Error::other("the disk is gone");
            return Err(fsx::Error::new(fsx::Action::Read, self.path(), lost));
        }
        self.fill(offset, out);
        Ok(())
    }

    fn path(&self) -> &Path {
        Path::new("/made/up")
    }
}

/// Zeros without end, for sizes that nobody wants to store.
pub struct Zeros;

impl Content for Zeros {
    fn read_at(&self, _: u64, out: &mut [u8]) -> fsx::Result<()> {
        out.fill(0);
        Ok(())
    }

    fn path(&self) -> &Path {
        Path::new("/dev/zero")
    }
}

/// One version, ready to be put.
pub struct Set {
    component: ComponentType,
    version: Version,
    file: String,
    pub package: Made,
    manifest: Made,
    index: Made,
    announced: Sha256,
}

impl Set {
    pub fn new(component: &str, version: &str, seed: u64, size: u64) -> Self {
        let package = Made::new(seed, size);
        let announced = Sha256::of(&package.bytes());
        Self {
            component: component.parse().expect("a type"),
            version: version.parse().expect("a version"),
            file: format!("{component}-{version}.tar.gz"),
            package,
            manifest: Made::new(seed + 1000, 300),
            index: Made::new(seed + 2000, 700),
            announced,
        }
    }

    fn files(&self) -> [(&str, &Made, Sha256); 3] {
        let of = |made: &Made| Sha256::of(&made.bytes());
        [
            (&self.file, &self.package, self.announced),
            ("manifest.json", &self.manifest, of(&self.manifest)),
            ("files.index.zst", &self.index, of(&self.index)),
        ]
    }

    pub fn put(
        &self,
        target: &dyn Target,
        told: &(dyn Fn(u64) + Sync),
        unfinished: Option<&dyn Unfinished>,
    ) -> Result<Placed> {
        self.put_once_checked(target, told, unfinished, &|| Ok(()))
    }

    pub fn put_once_checked(
        &self,
        target: &dyn Target,
        told: &(dyn Fn(u64) + Sync),
        unfinished: Option<&dyn Unfinished>,
        checked: &(dyn Fn() -> Result<()> + Sync),
    ) -> Result<Placed> {
        let [package, manifest, index] =
            self.files().map(|(file, made, sha256)| Upload { file, content: made, sha256, size: made.size });
        let beside = [manifest, index];
        let (component, version) = (&self.component, &self.version);
        target.put(&Parcel { component, version, package, beside: &beside, unfinished, checked }, told)
    }

    /// The bytes of what lies beside the package.
    pub fn beside(&self) -> u64 {
        self.manifest.size + self.index.size
    }

    fn placed(&self, target: &dyn Target) -> Placed {
        self.put(target, &|_| {}, None).expect("placed")
    }

    pub fn keys(&self, target: &dyn Target, place: &Place) -> [String; 3] {
        self.files().map(|(file, _, sha256)| {
            assert!(is_file_name(file));
            target.locate(place, Wanted { file, sha256 }).expect("its own place")
        })
    }

    pub fn is_held(&self, target: &dyn Target, place: &Place) {
        for ((file, made, _), key) in self.files().iter().zip(self.keys(target, place)) {
            assert_eq!(target.size(&key).expect("answered"), Some(made.size), "{file}");
            assert!(get(target, &key) == made.bytes(), "{file} has other bytes");
        }
    }
}

fn get(target: &dyn Target, key: &str) -> Vec<u8> {
    let mut reading = target.read(key, None).expect("readable");
    let mut bytes = Vec::new();
    reading.body.read_to_end(&mut bytes).expect("read");
    assert_eq!((reading.start, reading.total.unwrap_or(bytes.len() as u64)), (0, bytes.len() as u64));
    bytes
}

fn get_range(target: &dyn Target, key: &str, range: Range<u64>) -> Vec<u8> {
    let mut reading = target.read(key, Some(range.clone())).expect("readable");
    assert!(reading.start <= range.start, "begins behind what was asked for");
    let mut bytes = Vec::new();
    reading.body.by_ref().take(range.end - reading.start).read_to_end(&mut bytes).expect("read");
    bytes.split_off((range.start - reading.start) as usize)
}

/// Notes of unfinished uploads, in memory.
#[derive(Default)]
pub struct Notes(pub Mutex<BTreeMap<String, Vec<u8>>>);

impl Unfinished for Notes {
    fn load(&self, place: &str) -> Option<Vec<u8>> {
        self.0.lock().expect("not poisoned").get(place).cloned()
    }

    fn save(&self, place: &str, note: &[u8]) {
        self.0.lock().expect("not poisoned").insert(place.to_owned(), note.to_owned());
    }

    fn clear(&self, place: &str) {
        self.0.lock().expect("not poisoned").remove(place);
    }
}

// ---- promises ----

fn put_and_get(target: &dyn Target) {
    let set = Set::new("model", "1.0.0", 1, 300_000);
    let told = AtomicU64::new(0);
    let count = |bytes: u64| _ = told.fetch_add(bytes, Ordering::Relaxed);
    let placed = set.put(target, &count, None).expect("placed");
    assert!(!placed.already_there);
    assert_eq!(told.load(Ordering::Relaxed), 301_000, "every byte is told of once");
    set.is_held(target, &placed.place);
    let again = set.placed(target);
    assert_eq!((again.already_there, &again.place), (true, &placed.place), "putting again is nothing");
    set.is_held(target, &placed.place);
    let unknown = Wanted { file: "nothing.tar", sha256: Sha256::of(b"nothing") };
    let nothing = target.locate(&placed.place, unknown).expect("in its folder");
    assert_eq!(target.size(&nothing).expect("answered"), None);
    let error = target.read(&nothing, None).map(|_| ()).expect_err("nothing is there");
    assert!(error.is_missing(), "{error}");
}

fn ranges(target: &dyn Target) {
    let set = Set::new("ranges", "1.0.0", 2, 100_003);
    let placed = set.placed(target);
    let key = &set.keys(target, &placed.place)[0];
    let whole = set.package.bytes();
    for range in [0..1, 0..100_003, 1..2, 99_999..100_003, 100_002..100_003, 31..65, 4096..8192] {
        let expected = &whole[range.start as usize..range.end as usize];
        assert!(get_range(target, key, range.clone()) == expected, "{range:?}");
    }
}

fn listing(target: &dyn Target) {
    let sets = ["1.0.0", "1.1.0"].map(|version| Set::new("listed", version, 3, 5_000));
    let keys: Vec<String> = sets
        .iter()
        .flat_map(|set| {
            let placed = set.placed(target);
            set.keys(target, &placed.place)
        })
        .collect();
    let all = target.list("").expect("listed");
    assert!(all.is_sorted_by(|a, b| a.key < b.key), "sorted, none twice");
    for key in &keys {
        let listed = all.iter().find(|listed| listed.key == *key).expect("it is listed");
        assert_eq!(Some(listed.size), target.size(key).expect("answered"));
    }
    let prefix = &keys[0][..keys[0].len() - 3];
    let some: Vec<String> = target.list(prefix).expect("listed").into_iter().map(|listed| listed.key).collect();
    let expected: Vec<&String> = all.iter().map(|listed| &listed.key).filter(|key| key.starts_with(prefix)).collect();
    assert_eq!(some.iter().collect::<Vec<_>>(), expected);
    assert!(target.list("no/such/thing").expect("listed").is_empty());
}

fn odd_names(target: &dyn Target, longest: usize) {
    let long = "v".repeat(longest);
    let mut sets = vec![
        Set::new("model", &long, 4, 1_000),
        Set::new("model", "1.0.0+cu121", 5, 1_000),
        Set::new("model", "2024.01.20_rc-1", 6, 1_000),
    ];
    for (n, file) in ["模型-größe-🦀.tar.gz", "a b+c%20&d=e.tar.gz", "(x)'y'!~@$,;.tar"].into_iter().enumerate() {
        let mut set = Set::new("odd", &format!("1.{n}.0"), 7 + n as u64, 1_000);
        set.file = file.to_owned();
        sets.push(set);
    }
    let mut set = Set::new("odd", "2.0.0", 10, 1_000);
    set.file = format!("{}.tar.gz", "n".repeat(longest));
    sets.push(set);
    for set in &sets {
        let placed = set.placed(target);
        set.is_held(target, &placed.place);
        assert!(set.placed(target).already_there, "{}", set.file);
    }
    for file in ["../m.tar", "a/b", "", ".."] {
        let mut set = Set::new("odd", "3.0.0", 11, 10);
        set.file = file.to_owned();
        let error = set.put(target, &|_| {}, None).expect_err("no file name");
        assert!(matches!(error, Error::FileName { .. }), "{file}: {error}");
    }
}

fn empty_package(target: &dyn Target) {
    let set = Set::new("empty", "1.0.0", 20, 0);
    let placed = set.placed(target);
    set.is_held(target, &placed.place);
    assert!(set.placed(target).already_there);
}

/// Sizes around what a target may cut an upload by.
fn several_parts(target: &dyn Target) {
    const MIB: u64 = 1 << 20;
    for (n, size) in [8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 25 * MIB + 17].into_iter().enumerate() {
        let set = Set::new("parts", &format!("1.{n}.0"), 30 + n as u64, size);
        let told = AtomicU64::new(0);
        let count = |bytes: u64| _ = told.fetch_add(bytes, Ordering::Relaxed);
        let placed = set.put(target, &count, None).expect("placed");
        assert_eq!(told.load(Ordering::Relaxed), size + 1_000);
        set.is_held(target, &placed.place);
    }
}

fn not_what_was_announced(target: &dyn Target) {
    for size in [1_000, 20 << 20] {
        let mut set = Set::new("promise", "1.0.0", 40, size);
        set.announced = Sha256::of(format!("something else, {size}").as_bytes());
        let error = set.put(target, &|_| {}, None).expect_err("refused");
        let Error::Source { expected, found, .. } = error else { panic!("{error}") };
        assert_eq!((expected, found), (set.announced, Sha256::of(&set.package.bytes())));
        let left = target.list("").expect("listed");
        assert!(left.iter().all(|listed| !listed.key.contains(&set.file)), "{left:?}");
    }
}

/// Racing publishers of one version never touch each other's bytes, and equal ones do not disturb each other.
fn publishers_at_once(target: &dyn Target) {
    let mut sets: Vec<Set> = (0..4).map(|n| Set::new("race", "1.0.0", 50 + n, 700_000)).collect();
    sets.extend((0..2).map(|_| Set::new("race", "1.0.0", 50, 700_000)));
    let barrier = Barrier::new(sets.len());
    let placed: Vec<Placed> = std::thread::scope(|scope| {
        let put = |set| {
            barrier.wait();
            Set::placed(set, target)
        };
        let running: Vec<_> = sets.iter().map(|set| scope.spawn(move || put(set))).collect();
        running.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    for (set, placed) in sets.iter().zip(&placed) {
        set.is_held(target, &placed.place);
    }
}

/// Other bytes where a file belongs: the publisher is refused or goes elsewhere, and they stay.
fn never_replaced(target: &dyn Target, plant: &Plant<'_>) {
    let set = Set::new("taken", "1.0.0", 60, 5_000);
    let placed = set.placed(target);
    let keys = set.keys(target, &placed.place);
    for (key, size) in [(&keys[0], 5_000), (&keys[1], 300), (&keys[1], 9)] {
        let before = get(target, key);
        let garbage = vec![b'?'; size];
        plant(key, &garbage);
        match set.put(target, &|_| {}, None) {
            Err(Error::Taken { .. }) => {}
            Err(other) => panic!("{other}"),
            Ok(placed) => {
                let package = &set.keys(target, &placed.place)[0];
                assert!(get(target, package) == set.package.bytes(), "its own bytes");
            }
        }
        assert!(get(target, key) == garbage, "what stands there is not replaced");
        plant(key, &before);
    }
    set.is_held(target, &placed.place);
}

fn deleting(target: &dyn Target) {
    let set = Set::new("deleted", "1.0.0", 70, 5_000);
    let placed = set.placed(target);
    let [package, manifest, _] = set.keys(target, &placed.place);
    target.delete(&package).expect("deleted");
    assert_eq!(target.size(&package).expect("answered"), None);
    assert!(target.size(&manifest).expect("answered").is_some(), "only what was named");
    target.delete(&package).expect("nothing to delete");
    let placed = set.placed(target);
    assert!(!placed.already_there);
    set.is_held(target, &placed.place);
}

/// A URL for everybody, where the kind has them: tried with a bare request, without any login.
fn signed_urls(target: &dyn Target) {
    let mut set = Set::new("signed", "1.0.0+x", 80, 5_000);
    set.file = "größe & co.tar".to_owned();
    let placed = set.placed(target);
    let key = &set.keys(target, &placed.place)[0];
    let Some(url) = target.presign(key, Duration::from_secs(600)).expect("signed") else { return };
    assert!(!target.shown(key).contains(&url), "the URL is a secret");
    if let Some(rest) = url.strip_prefix("http://") {
        let (status, body) = super::object_servers::bare_get(rest);
        assert_eq!(status, 200, "{url}");
        assert!(body == set.package.bytes());
    }
}

/// More than one request may carry: 5 GiB and a byte, of zeros.
pub fn boundary(target: &dyn Target) {
    const SIZE: u64 = (5 << 30) + 1;
    let (component, version) = ("model".parse().expect("a type"), "5.0.0".parse().expect("a version"));
    let (sha256, _) = Sha256::of_reader(std::io::repeat(0).take(SIZE)).expect("hashed");
    let package = Upload { file: "model-5.0.0.tar", content: &Zeros, sha256, size: SIZE };
    let parcel = Parcel {
        component: &component,
        version: &version,
        package,
        beside: &[],
        unfinished: None,
        checked: &|| Ok(()),
    };
    let placed = target.put(&parcel, &|_| {}).expect("placed");
    let key = target.locate(&placed.place, Wanted { file: package.file, sha256 }).expect("its own place");
    assert_eq!(target.size(&key).expect("answered"), Some(SIZE));
    assert_eq!(get_range(target, &key, SIZE - 2..SIZE), [0, 0]);
    target.delete(&key).expect("deleted");
}

#[test]
fn a_directory_holds_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let target = Filesystem::new("local", &dir.path().join("größe 1")).expect("absolute");
    let plant = |key: &str, bytes: &[u8]| std::fs::write(key, bytes).expect("planted");
    holds(&target, &Traits { plant: Some(&plant), deletes: true, longest: Traits::LONGEST });
}

//! Mutated inputs for everything that reads bytes of others: no panic, no unbounded memory or time, nothing outside the
//! directory, and nothing wrong called right.
//!
//! Coverage-guided fuzzing wants a nightly toolchain; this is what the stable one allows: seeds, committed under
//! `tests/fixtures/fuzz/` or made by the packer, changed by a fixed sequence of random mutations. Each target runs for
//! `DEPLOY_TOOL_FUZZ_SECONDS` (1), from `DEPLOY_TOOL_FUZZ_SEED` (1) on. A failing input is kept, and its path is in the
//! message; once mended, it becomes a seed.

#![allow(clippy::disallowed_methods)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use deploy_tool::archive::{self, Expected, Mtime, PackOptions, Source, UnpackOptions};
use deploy_tool::codec::{self, Buffer, Settings, Trailing};
use deploy_tool::model::{Blake3, Choice, Compression, Index, Sha256};

/// No input here needs more; what asks for more address space than the second gets none.
const MOST_MEMORY: u64 = 512 << 20;
const MOST_ADDRESSES: u64 = 4 << 30;
/// No input here takes nearly as long, even on a busy machine.
const MOST_TIME: Duration = Duration::from_secs(20);
/// The most bytes that an input may unpack to.
const MOST_CONTENT: u64 = 16 << 20;

// ---- the engine ----

/// A fixed sequence (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 8
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end.max(1)
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Changes a few bytes, or moves them, the way that breaks parsers.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(40)).min(bytes.len());
        match random.below(9) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = *random.one(&[&0u8, &1, &0x7f, &0x80, &0xff, &b'0', &b'7', &b'/', &b'.', &b'\\', &b'"']),
            2 => bytes[at] = random.next() as u8,
            3 => drop(bytes.drain(at..end)),
            4 => {
                let part = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            5 => {
                let words: [&[u8]; 10] = [
                    b"\0",
                    b"/",
                    b"../",
                    b"-1",
                    b"18446744073709551615",
                    b"77777777777",
                    b"9223372036854775808",
                    b"{}",
                    b"null",
                    b"\xff\xff\xff\xff\xff\xff\xff\xff",
                ];
                let word = random.one(&words);
                let over = if random.below(2) == 0 { at } else { (at + word.len()).min(bytes.len()) };
                bytes.splice(at..over, word.iter().copied());
            }
            6 => bytes.truncate(at),
            7 => {
                let digit = bytes.iter().skip(at).position(u8::is_ascii_digit);
                if let Some(found) = digit {
                    bytes[at + found] = b'0' + random.below(10) as u8;
                }
            }
            _ => {
                let to = random.below(bytes.len() - (end - at) + 1);
                bytes.copy_within(at..end, to);
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}

/// Runs every seed as it is, then mutations of them until the time is over. `mend` puts right what would stop every mutation
/// at the door, given the seed and what became of it. `shared` is how many share the time of a target.
fn fuzz(name: &str, shared: u32, seeds: &[Vec<u8>], mend: impl Fn(&[u8], &mut Vec<u8>), run: impl Fn(&[u8])) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let most = Rlimit { current: Some(MOST_ADDRESSES), maximum: Some(MOST_ADDRESSES) };
    setrlimit(Resource::As, most).expect("a lower limit is allowed");
    let time = Duration::from_secs(setting("DEPLOY_TOOL_FUZZ_SECONDS", 1));
    let end = Instant::now() + time / shared;
    let mut random = Random(setting("DEPLOY_TOOL_FUZZ_SEED", 1) | 1 << 40);
    let mut seed_runs = seeds.iter().cloned();
    while let Some(input) = seed_runs.next().or_else(|| {
        let seed = &seeds[random.below(seeds.len())];
        let mut input = seed.clone();
        mutate(&mut input, &mut random);
        mend(seed, &mut input);
        (Instant::now() < end).then_some(input)
    }) {
        let start = Instant::now();
        let ran = catch_unwind(AssertUnwindSafe(|| run(&input)));
        let (time, memory) = (start.elapsed(), peak_memory());
        if ran.is_err() || time > MOST_TIME || memory > MOST_MEMORY {
            let path = std::env::temp_dir().join(format!("deploy-tool-fuzz-{name}"));
            fs::write(&path, &input).expect("written");
            panic!("`{}` makes {name} panic, or take {time:?} or {} MiB", path.display(), memory >> 20);
        }
    }
}

/// The most memory this process ever held.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.map_or(0, |kib| kib << 10)
}

fn fixtures(kind: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz").join(kind);
    let mut paths: Vec<_> = fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no seeds of {kind}");
    paths.iter().map(|path| fs::read(path).expect("read")).collect()
}

fn as_it_is(_: &[u8], _: &mut Vec<u8>) {}

// ---- the targets ----

/// What was understood is written and understood again as the same.
#[test]
fn index_parser() {
    fuzz("the index parser, of lines", 1, &fixtures("index"), as_it_is, |lines| {
        read_index(&zstd::encode_all(lines, 1).expect("into memory"));
    });
}

#[test]
fn index_parser_of_stored_bytes() {
    let lines = fixtures("index");
    let stored: Vec<_> = lines.iter().map(|lines| zstd::encode_all(&lines[..], 3).expect("into memory")).collect();
    fuzz("the index parser", 1, &stored, as_it_is, read_index);
}

fn read_index(bytes: &[u8]) {
    if let Ok(index) = Index::parse(bytes) {
        let again = Index::parse(&index.to_bytes()).expect("what was written");
        assert_eq!(again.tree_digest(), index.tree_digest());
        assert_eq!(
            (again.size, again.tar_size, again.content_size()),
            (index.size, index.tar_size, index.content_size())
        );
    }
}

/// Whatever the bytes, a decoder fails or fills what it was given.
#[test]
fn piece_decoders() {
    let text: Vec<u8> = (0..6000u32).flat_map(|i| format!("line {} of a piece\n", i * i % 977).into_bytes()).collect();
    let noise: Vec<u8> = std::iter::successors(Some(1u32), |n| Some(n.wrapping_mul(69069) + 1))
        .map(|n| (n >> 24) as u8)
        .take(9000)
        .collect();
    for compression in Compression::ALL {
        let settings = Settings::new(compression, None).expect("a default");
        let (Some(mut encoder), Ok(Some(_))) = (settings.encoder().expect("made"), codec::decoder(compression)) else {
            continue;
        };
        let mut seeds = Vec::new();
        for raw in [&text[..], &noise, b"x"] {
            let mut packed = Buffer::default();
            let seal = encoder.encode(raw, &mut packed).expect("encoded");
            settings.container().add(raw, &mut packed, seal);
            // The length that the index would say stands in front, so that it is mutated too.
            seeds.push([&(raw.len() as u32).to_le_bytes()[..], packed.filled()].concat());
        }
        let decoder = std::cell::RefCell::new(codec::decoder(compression).expect("made").expect("it stands alone"));
        fuzz(&format!("the {} decoder", compression.name()), 4, &seeds, as_it_is, |input| {
            let (length, packed) = input.split_at(input.len().min(4));
            let length = length.iter().rev().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
            let (mut buffer, mut raw) = (Buffer::default(), vec![0; length.min(1 << 20)]);
            buffer.push(packed);
            let _ = decoder.borrow_mut().decode(&mut buffer, &mut raw);
        });
    }
}

/// Archives of others, member after member.
#[test]
fn readers_of_whole_archives() {
    fuzz("the archive readers", 1, &fixtures("archive"), as_it_is, |bytes| {
        let compression = Compression::sniff(bytes);
        let mut out = codec::reader(compression, Box::new(bytes), Trailing::PassedOver).take(MOST_CONTENT);
        let _ = std::io::copy(&mut out, &mut std::io::sink());
    });
}

/// What the plain way unpacks, the index made for it describes, and both give the same tree.
#[test]
fn tar_reader() {
    fuzz(
        "the tar reader",
        1,
        &fixtures("tar"),
        |seed, tar| mend_checksums(seed, tar),
        |tar| {
            let file = as_file(tar);
            let Some(tree) = unpacked(&file, Compression::None, None, None) else { return };
            let index = archive::index_foreign(&file, Compression::None).expect("it was unpacked");
            let index = Index::parse(&index.to_bytes()).expect("what was written");
            archive::check(&file, Compression::None, &index).expect("its own index");
            assert_eq!(index.tree_digest(), tree);
            assert_eq!(unpacked(&file, Compression::None, Some(&index), None), Some(tree));
        },
    );
}

/// A package that was tampered with is refused or is, by its digests, still the same tree.
#[test]
fn packages_with_an_index() {
    let tree = tempfile::tempdir().expect("a directory");
    fs::write(tree.path().join("weights"), vec![7; 200_000]).expect("written");
    fs::write(tree.path().join("config"), "{}\n").expect("written");
    std::os::unix::fs::symlink("config", tree.path().join("link")).expect("linked");
    for compression in Compression::ALL {
        let mut package = Vec::new();
        let packed = pack(tree.path(), compression, &mut package);
        let sha256 = Sha256::of(&package);
        fuzz(&format!("a {} package", compression.name()), 12, &[package], as_it_is, |bytes| {
            let found = unpacked(&as_file(bytes), compression, Some(&packed.index), None);
            assert!(found.is_none_or(|found| found == packed.tree));
            let expected = Expected { size: packed.size, sha256 };
            let found = unpacked(&as_file(bytes), compression, Some(&packed.index), Some(expected));
            assert!(found.is_none() || Sha256::of(bytes) == sha256);
        });
        // An index that lies about its package: `pack` and `unpack` agree, or it is refused.
        let mut lines = Vec::new();
        let stored = packed.index.to_bytes();
        zstd::Decoder::new(&stored[..]).and_then(|mut text| text.read_to_end(&mut lines)).expect("lines");
        let mut package = Vec::new();
        let _ = pack(tree.path(), compression, &mut package);
        let package = as_file(&package);
        fuzz(&format!("an index of {}", compression.name()), 12, &[lines], as_it_is, |lines| {
            if let Ok(index) = Index::parse(&zstd::encode_all(lines, 1).expect("into memory")) {
                let found = unpacked(&package, compression, Some(&index), None);
                assert!(found.is_none_or(|found| found == index.tree_digest()));
            }
        });
    }
}

// ---- what the targets use ----

fn pack(source: &Path, compression: Compression, out: &mut Vec<u8>) -> archive::Packed {
    let options = PackOptions {
        source,
        excludes: &[],
        dereference: false,
        mtime: Mtime::Normalize,
        compression: Choice::Fixed(compression),
        level: None,
        threads: 1,
        progress: &|_| {},
    };
    archive::pack(&options, out).expect("packed")
}

/// The tree digest of what it unpacks to; `None` where it is refused. Nothing is made beside the directory it goes to.
fn unpacked(
    package: &File,
    compression: Compression,
    index: Option<&Index>,
    expected: Option<Expected>,
) -> Option<Blake3> {
    let around = scratch();
    let into = around.path().join("into");
    fs::create_dir(&into).expect("made");
    let options = UnpackOptions {
        threads: 2,
        keep_write_bits: false,
        mode_mask: None,
        expected,
        max_bytes: Some(MOST_CONTENT),
        max_holes: MOST_CONTENT,
        whole: false,
        progress: &|_| {},
    };
    let result = archive::unpack(Source::File(package), compression, index, &into, &options);
    assert_eq!(fs::read_dir(around.path()).expect("listed").count(), 1, "something was made beside the directory");
    result.ok().map(|unpacked| unpacked.tree)
}

/// In memory where there is such a place: thousands of small trees are made.
fn memory() -> std::path::PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(memory()).expect("a directory")
}

fn as_file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile_in(memory()).expect("a file");
    file.write_all(bytes).expect("written");
    file
}

/// Gives changed headers the checksum they need to be looked at, where the seed has headers.
fn mend_checksums(seed: &[u8], tar: &mut [u8]) {
    for (block, old) in tar.chunks_exact_mut(512).zip(seed.chunks_exact(512)) {
        let is_header = old[257..262] == *b"ustar" || old[148..156].ends_with(b"\0 ");
        if is_header && block != old {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

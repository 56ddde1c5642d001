//! The parts that packing and unpacking are made of, each alone on one core: `cargo bench --bench micro [-- FILTER]`.
//!
//! Codecs take one piece of 2 MiB, of text and of bf16-like numbers; `pack` and `unpack` are the tar side alone (walk, headers,
//! digests, no compression) of 2000 files of 2 KiB on one thread.

#![allow(clippy::disallowed_methods)]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use deploy_tool::archive::{self, Mtime, PackOptions, Packed, Source, UnpackOptions};
use deploy_tool::codec::{Buffer, Settings, decoder};
use deploy_tool::model::{Choice, Compression, Index, MAX_HOLE_BYTES};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use sha2::Digest as _;

const PIECE: usize = 2 << 20;
const FILES: usize = 2000;

fn main() {
    divan::main();
}

/// What a piece holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Numbers,
}

impl Kind {
    fn piece(self) -> Vec<u8> {
        let mut state = 88_172_645_463_325_252u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut piece = Vec::with_capacity(PIECE + 64);
        while piece.len() < PIECE {
            let n = random();
            match self {
                Self::Text => {
                    let _ = writeln!(piece, "def layer_{}(self, x): return self.block[{}](x)", n % 997, n % 13);
                }
                // Mantissa and low exponent of bf16 differ, sign and high exponent hardly do.
                Self::Numbers => piece.extend([n as u8, 0x3c | (n >> 8) as u8 & 0x83]),
            }
        }
        piece.truncate(PIECE);
        piece
    }
}

/// Name, compression, level and content of each codec's bench.
const CODECS: &[(Compression, i32, Kind)] = &[
    (Compression::Gzip, 1, Kind::Text),
    (Compression::Gzip, 6, Kind::Text),
    (Compression::Gzip, 6, Kind::Numbers),
    (Compression::Zstd, 3, Kind::Text),
    (Compression::Zstd, 3, Kind::Numbers),
    (Compression::Lz4, 0, Kind::Text),
    (Compression::Lz4, 0, Kind::Numbers),
    (Compression::Xz, 6, Kind::Text),
    (Compression::Bzip2, 9, Kind::Text),
];

fn settings((compression, level, _): (Compression, i32, Kind)) -> Settings {
    Settings::new(compression, (level > 0).then_some(level)).expect("a level it has")
}

#[divan::bench(args = CODECS, sample_count = 20)]
fn encode(bencher: Bencher, codec: &(Compression, i32, Kind)) {
    let piece = codec.2.piece();
    let mut encoder = settings(*codec).encoder().expect("made").expect("it compresses");
    let mut packed = Buffer::default();
    bencher
        .counter(BytesCount::new(PIECE))
        .bench_local(|| encoder.encode(black_box(&piece), &mut packed).expect("encoded"));
}

#[divan::bench(args = CODECS.iter().filter(|codec| codec.0 != Compression::Bzip2), sample_count = 20)]
fn decode(bencher: Bencher, codec: &(Compression, i32, Kind)) {
    let piece = codec.2.piece();
    let (mut encoder, mut packed) =
        (settings(*codec).encoder().expect("made").expect("it compresses"), Buffer::default());
    let seal = encoder.encode(&piece, &mut packed).expect("encoded");
    settings(*codec).container().add(&piece, &mut packed, seal);
    let mut decoder = decoder(codec.0).expect("made").expect("pieces stand alone");
    let (mut copy, mut raw) = (Buffer::default(), vec![0; PIECE]);
    bencher.counter(BytesCount::new(PIECE)).bench_local(|| {
        copy.clear();
        copy.push(packed.filled());
        decoder.decode(&mut copy, black_box(&mut raw)).expect("decoded");
    });
}

/// With the bounds of the package format.
#[divan::bench]
fn cut_by_content(bencher: Bencher) {
    let bytes = Kind::Numbers.piece().repeat(8);
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench_local(|| fastcdc::v2020::FastCDC::new(black_box(&bytes), 512 << 10, 2 << 20, 8 << 20).count());
}

#[divan::bench]
fn sha256(bencher: Bencher) {
    let piece = Kind::Numbers.piece();
    bencher.counter(BytesCount::new(PIECE)).bench_local(|| sha2::Sha256::digest(black_box(&piece)));
}

#[divan::bench]
fn blake3(bencher: Bencher) {
    let piece = Kind::Numbers.piece();
    bencher.counter(BytesCount::new(PIECE)).bench_local(|| ::blake3::hash(black_box(&piece)));
}

#[divan::bench]
fn crc32(bencher: Bencher) {
    let piece = Kind::Numbers.piece();
    bencher.counter(BytesCount::new(PIECE)).bench_local(|| crc32fast::hash(black_box(&piece)));
}

/// A directory in memory-backed storage where there is one.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(parent).expect("a directory")
}

fn small_files() -> tempfile::TempDir {
    let dir = directory();
    let content = Kind::Numbers.piece();
    for (i, content) in content.chunks_exact(2048).cycle().take(FILES).enumerate() {
        fs::write(dir.path().join(format!("sample-{i:04}.bin")), content).expect("written");
    }
    dir
}

fn packed(source: &Path, out: impl std::io::Write + Send) -> Packed {
    let options = PackOptions {
        source,
        excludes: &[],
        dereference: false,
        mtime: Mtime::Normalize,
        compression: Choice::Fixed(Compression::None),
        level: None,
        threads: 1,
        progress: &|_| {},
    };
    archive::pack(&options, out).expect("packed")
}

#[divan::bench(sample_count = 20)]
fn pack(bencher: Bencher) {
    let tree = small_files();
    bencher.counter(ItemsCount::new(FILES)).bench_local(|| packed(tree.path(), std::io::sink()));
}

#[divan::bench(sample_count = 20)]
fn unpack(bencher: Bencher) {
    let (tree, place) = (small_files(), directory());
    let path = place.path().join("package");
    let index = packed(tree.path(), File::create(&path).expect("made")).index;
    let package = File::open(&path).expect("there");
    let options = UnpackOptions {
        threads: 1,
        keep_write_bits: false,
        mode_mask: None,
        expected: None,
        max_bytes: None,
        max_holes: MAX_HOLE_BYTES,
        whole: false,
        progress: &|_| {},
    };
    bencher.counter(ItemsCount::new(FILES)).with_inputs(directory).bench_local_values(|into| {
        let source = Source::File(&package);
        let _ = archive::unpack(source, Compression::None, Some(&index), into.path(), &options).expect("unpacked");
        into
    });
}

/// Reading an index back, as every deploy does.
#[divan::bench(sample_count = 20)]
fn parse_index(bencher: Bencher) {
    let bytes = packed(small_files().path(), std::io::sink()).index.to_bytes();
    bencher.counter(ItemsCount::new(FILES)).bench_local(|| Index::parse(black_box(&bytes)).expect("an index"));
}

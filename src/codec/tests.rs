//! Every codec gives back what it took, never larger than stored, and refuses what is damaged.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;

/// The codecs that pack pieces.
const ALL: [Compression; 5] =
    [Compression::Gzip, Compression::Zstd, Compression::Lz4, Compression::Xz, Compression::Bzip2];

/// What they say they are built on.
const LIBRARIES: [&str; 4] = [gzip::LIBRARY, lz4::LIBRARY, xz::LIBRARY, bzip2::LIBRARY];

/// Packs `pieces`, decodes each alone, and returns the archive.
fn archive(settings: Settings, pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut encoder = settings.encoder().expect("an encoder").expect("it packs");
    let mut decoder = decoder(settings.compression()).expect("a decoder");
    let mut container = settings.container();
    let mut archive = container.head();
    let mut packed = Buffer::default();
    for raw in pieces {
        let seal = encoder.encode(raw, &mut packed).expect("encoded");
        // bzip2 cannot store.
        let worse =
            if settings.compression() == Compression::Bzip2 { raw.len() / 50 + 500 } else { raw.len() / 1000 + 64 };
        assert!(packed.len() <= raw.len() + worse, "{} of {}", packed.len(), raw.len());
        container.add(raw, &mut packed, seal);
        archive.extend_from_slice(packed.filled());
        if let Some(decoder) = &mut decoder {
            let mut back = vec![1; raw.len()];
            decoder.decode(&mut packed, &mut back).expect("decoded");
            assert!(back == *raw);
        }
    }
    archive.extend(container.tail());
    archive
}

fn unpacked(compression: Compression, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    read(compression, bytes, Trailing::Refused)
}

/// Read through a buffer so small that no magic number fits into it.
fn read(compression: Compression, bytes: &[u8], trailing: Trailing) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    reader(compression, Box::new(std::io::BufReader::with_capacity(3, bytes)), trailing).read_to_end(&mut out)?;
    Ok(out)
}

fn pieces() -> Vec<Vec<u8>> {
    let noise: Vec<u8> =
        (0..300_000u32).flat_map(|i| i.wrapping_mul(0x9E37_79B1).rotate_left(i % 31).to_le_bytes()).collect();
    let uneven = noise.iter().enumerate().map(|(i, b)| if i % 2 == 0 { *b } else { b & 15 }).collect();
    vec![b"hello ".repeat(50_000), noise, uneven, b"x".to_vec(), vec![0; 2_000_000]]
}

#[test]
fn pieces_join_into_one_archive_for_every_level() {
    for compression in ALL {
        let ends = levels(compression).map_or(vec![None], |(r, _)| vec![Some(*r.start()), Some(*r.end())]);
        for level in ends {
            let settings = Settings::new(compression, level).expect("a level");
            let archive = archive(settings, &pieces());
            assert!(unpacked(compression, &archive).expect("readable") == pieces().concat());
        }
    }
}

#[test]
fn a_member_too_many_or_cut_short_is_never_passed_over() {
    for compression in ALL {
        let settings = Settings::new(compression, None).expect("the default");
        let one = archive(settings, &pieces()[..1]);
        let raw = pieces()[0].clone();
        assert!(unpacked(compression, &[&one[..], &one].concat()).expect("two members") == raw.repeat(2));
        assert!(unpacked(compression, &[&one[..], &[0; 700]].concat()).expect("padding") == raw);
        assert!(unpacked(compression, &[&one[..], b"behind"].concat()).is_err());
        assert!(unpacked(compression, &[&one[..], &[0; 9], b"behind"].concat()).is_err());
        let passed_over = |bytes: &[&[u8]]| read(compression, &bytes.concat(), Trailing::PassedOver);
        for behind in [&b"b"[..], b"behind", &[0; 700], b"\0\0behind", &[0xff; 70_000]] {
            assert!(passed_over(&[&one, behind]).expect("passed over") == raw, "{compression:?}");
        }
        assert!(passed_over(&[&one, &one, b"behind", &one]).expect("two members") == raw.repeat(2));
        assert!(passed_over(&[b"before", &one]).is_err());
        for cut in [0, 1, 5, one.len() / 2, one.len() - 1] {
            for trailing in [Trailing::Refused, Trailing::PassedOver] {
                assert!(read(compression, &one[..cut], trailing).is_err(), "{compression:?} cut at {cut}");
                // What begins as a member is one, be it a single byte.
                let again = [&one[..], &one[..cut.max(1)]].concat();
                assert!(read(compression, &again, trailing).is_err(), "{compression:?} {cut}");
            }
        }
    }
}

#[test]
fn the_plain_readers_that_know_one_member_read_it_all() {
    let archive = archive(Settings::new(Compression::Gzip, None).expect("the default"), &pieces());
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(&archive[..]).read_to_end(&mut out).expect("one member");
    assert!(out == pieces().concat());
}

#[test]
fn a_decoder_fills_exactly_what_it_is_given() {
    for compression in ALL {
        let mut encoder = Settings::new(compression, None).expect("ok").encoder().expect("ok").expect("it packs");
        let Some(mut decoder) = decoder(compression).expect("a decoder") else { continue };
        let mut packed = Buffer::default();
        for wrong in [0, 999, 1001] {
            encoder.encode(&[7; 1000], &mut packed).expect("encoded");
            let mut raw = vec![0; wrong];
            assert!(matches!(decoder.decode(&mut packed, &mut raw), Err(CodecError::Decode { .. })), "{wrong}");
        }
    }
}

#[test]
fn levels_are_checked() {
    for compression in Compression::ALL {
        match (levels(compression), Settings::new(compression, Some(99))) {
            (Some((range, _)), Err(CodecError::Level { highest, level: 99, .. })) => assert_eq!(highest, *range.end()),
            (None, Err(CodecError::NoLevels { level: 99, .. })) => {}
            (levels, result) => panic!("{levels:?} {result:?}"),
        }
    }
}

#[test]
fn the_versions_named_are_those_built_in() {
    let lock = include_str!("../../Cargo.lock");
    for library in LIBRARIES {
        let (name, version) = library.split_once(' ').expect("name and version");
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"")), "{library}");
    }
}

#[test]
fn members_of_other_writers_are_read() {
    let mut bytes = Vec::new();
    for part in ["one ", "", "three"] {
        let mut out = flate2::write::GzEncoder::new(&mut bytes, flate2::Compression::fast());
        out.write_all(part.as_bytes()).expect("into memory");
        out.finish().expect("into memory");
    }
    assert_eq!(unpacked(Compression::Gzip, &bytes).expect("three members"), b"one three");
}

proptest! {
    #[test]
    fn any_pieces_come_back(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..3000), 1..6)) {
        for compression in ALL {
            let settings = Settings::new(compression, None).expect("the default");
            let archive = archive(settings, &pieces);
            prop_assert!(unpacked(compression, &archive).expect("readable") == pieces.concat());
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 0usize..2000) {
        for compression in ALL {
            let mut packed = Buffer::default();
            packed.push(&bytes);
            if let Some(mut decoder) = decoder(compression).expect("a decoder") {
                let _ = decoder.decode(&mut packed, &mut vec![0; size]);
            }
            let _ = unpacked(compression, &bytes);
        }
    }
}

//! Sentences for what cannot be packed and what is refused at unpacking.

use super::{Explain, system};
use crate::archive::{Aspect, End, HeaderPart, OddKind, PackError, TarError, Trap, TrapKind, UnpackError};
use crate::cli::words::{Phrase, say};
use crate::codec::{CodecError, Flaw, FrameError};
use crate::model::{ByteSize, ShapeError};

impl Explain for PackError {
    fn explain(&self) -> Phrase {
        match self {
            PackError::Fs(e) => e.explain(),
            PackError::Codec(e) => e.explain(),
            PackError::Write(e) => Phrase::failed("archive.write").with("reason", system(e)),
            PackError::Index(e) => Phrase::failed("archive.does-not-fit").with("reason", e.explain().text()),
            PackError::Exclude { glob, reason } => {
                Phrase::usage("archive.exclude").with("glob", glob).with("reason", reason)
            }
            PackError::Path { path, reason } => {
                Phrase::failed("archive.path").path("path", path).with("reason", reason.explain().text())
            }
            PackError::Special { path } => Phrase::failed("archive.special").path("path", path),
            PackError::LinkLeaves { path, target } => {
                Phrase::failed("archive.link-leaves").path("path", path).with("target", target.escape_ascii())
            }
            PackError::Loop { path } => Phrase::failed("archive.loop").path("path", path),
            PackError::Changed { path } => Phrase::failed("archive.changed").path("path", path),
            PackError::Stopped => Phrase::failed("archive.stopped"),
        }
    }
}

impl Explain for UnpackError {
    fn explain(&self) -> Phrase {
        match self {
            UnpackError::Fs(e) => e.explain(),
            UnpackError::Tar(e) => e.explain(),
            UnpackError::Shape(e) => e.explain(),
            UnpackError::Index(e) => e.explain(),
            UnpackError::Read(e) => Phrase::failed("archive.read").with("reason", system(e)),
            UnpackError::Size { expected, found } => {
                Phrase::refused("archive.size").with("expected", expected).with("found", found)
            }
            UnpackError::Sha256 { expected, found } => {
                Phrase::refused("archive.sha256").with("expected", expected).with("found", found)
            }
            UnpackError::Ends { end } => Phrase::refused("archive.ends").with("end", self::end(*end)),
            UnpackError::Piece { piece, offset, length, expected, found } => Phrase::refused("archive.piece")
                .with("piece", piece)
                .with("offset", offset)
                .with("length", length)
                .with("expected", expected)
                .with("found", found),
            UnpackError::Codec { piece, source } => {
                Phrase::refused("archive.piece-codec").with("piece", piece).with("reason", source.explain().text())
            }
            UnpackError::Content { path, expected, found } => {
                Phrase::refused("archive.content").with("path", path).with("expected", expected).with("found", found)
            }
            UnpackError::Differs { path, what } => {
                Phrase::refused("archive.differs").with("path", path).with("what", aspect(*what))
            }
            UnpackError::Unlisted { path, in_archive: true } => Phrase::refused("archive.unlisted").with("path", path),
            UnpackError::Unlisted { path, in_archive: false } => Phrase::refused("archive.lacking").with("path", path),
            UnpackError::Compression { index, package } => {
                Phrase::refused("archive.compression").with("index", index.name()).with("package", package.name())
            }
            UnpackError::Whole => Phrase::refused("archive.whole"),
            UnpackError::NoPiece { piece } => Phrase::failed("archive.no-piece").with("piece", piece),
            UnpackError::TooMuch { limit } => Phrase::refused("archive.too-much").with("limit", limit),
            UnpackError::Holes { path, found, limit } => Phrase::refused("archive.holes")
                .with("path", path)
                .with("found", ByteSize(*found))
                .with("limit", ByteSize(*limit)),
        }
    }
}

impl Explain for TarError {
    fn explain(&self) -> Phrase {
        match self {
            TarError::Read(e) => Phrase::refused("archive.decode").with("reason", system(e)),
            TarError::CutShort => Phrase::refused("archive.cut-short"),
            TarError::Checksum { after } => Phrase::refused("archive.header-checksum").with("after", after),
            TarError::Malformed { name, what } => {
                Phrase::refused("archive.header-malformed").with("name", name).with("what", part(*what))
            }
            TarError::Path { name, reason } => {
                Phrase::refused("archive.entry-path").with("name", name).with("reason", reason.explain().text())
            }
            TarError::HardLink { name, to, reason } => {
                let phrase = Phrase::refused("archive.entry-hard-link").with("name", name).with("to", to);
                phrase.with("reason", reason.explain().text())
            }
            TarError::Kind { name, kind } => {
                Phrase::refused("archive.entry-kind").with("name", name).with("kind", odd(*kind))
            }
            TarError::SetId { name, mode } => {
                Phrase::refused("archive.entry-setid").with("name", name).with("mode", format_args!("{mode:04o}"))
            }
            TarError::Behind => Phrase::refused("archive.behind"),
        }
    }
}

impl Explain for ShapeError {
    fn explain(&self) -> Phrase {
        match self {
            ShapeError::Duplicate { path } => Phrase::refused("archive.duplicate").with("path", path),
            ShapeError::BelowFile { path, above } => {
                Phrase::refused("archive.below-file").with("path", path).with("above", above)
            }
            ShapeError::BelowLink { path, above } => {
                Phrase::refused("archive.below-link").with("path", path).with("above", above)
            }
            ShapeError::LinkLeaves { path, target } => {
                Phrase::refused("archive.entry-link-leaves").with("path", path).with("target", target.escape_ascii())
            }
            ShapeError::NoFirstName { path, to } => {
                Phrase::refused("archive.no-first-name").with("path", path).with("to", to)
            }
        }
    }
}

fn end(end: End) -> String {
    let key = match end {
        End::Head => "archive.head",
        End::Tail => "archive.tail",
    };
    say(key, &[])
}

fn aspect(aspect: Aspect) -> String {
    let key = match aspect {
        Aspect::Place => "aspect.place",
        Aspect::Size => "aspect.size",
        Aspect::Target => "aspect.target",
        Aspect::Kind => "aspect.kind",
        Aspect::Mode => "aspect.mode",
        Aspect::Time => "aspect.time",
        Aspect::Offset => "aspect.offset",
        Aspect::Pieces => "aspect.pieces",
    };
    say(key, &[])
}

fn part(part: HeaderPart) -> String {
    let key = match part {
        HeaderPart::Size => "tar.size",
        HeaderPart::ExtendedSize => "tar.extended-size",
        HeaderPart::Pax => "tar.pax",
        HeaderPart::GlobalPax => "tar.global-pax",
        HeaderPart::LinkName => "tar.link-name",
        HeaderPart::Mode => "tar.mode",
        HeaderPart::Time => "tar.time",
        HeaderPart::Sparse => "tar.sparse",
        HeaderPart::Content => "tar.content",
    };
    say(key, &[])
}

fn odd(kind: OddKind) -> String {
    match kind {
        OddKind::Device => say("tar.device", &[]),
        OddKind::Pipe => say("tar.pipe", &[]),
        OddKind::Unknown(letter) => say("tar.unknown", &[("letter", letter.escape_ascii().to_string())]),
    }
}

impl Explain for CodecError {
    fn explain(&self) -> Phrase {
        match self {
            CodecError::Level { compression, level, lowest, highest } => Phrase::usage("codec.level")
                .with("compression", compression.name())
                .with("level", level)
                .with("lowest", lowest)
                .with("highest", highest),
            CodecError::NoLevels { compression, level } => {
                Phrase::usage("codec.no-levels").with("compression", compression.name()).with("level", level)
            }
            CodecError::Encode { compression, reason } => {
                Phrase::failed("codec.encode").with("compression", compression.name()).with("reason", flaw(reason))
            }
            CodecError::Decode { compression, reason } => {
                Phrase::refused("codec.decode").with("compression", compression.name()).with("reason", flaw(reason))
            }
        }
    }
}

fn flaw(flaw: &Flaw) -> String {
    let key = match flaw {
        Flaw::CutShort => "flaw.cut-short",
        Flaw::TooShort => "flaw.too-short",
        Flaw::TooLong => "flaw.too-long",
        Flaw::Unexpected => "flaw.unexpected",
        Flaw::Library(reason) => return reason.clone(),
    };
    say(key, &[])
}

/// Why a frame of a foreign archive is not read.
pub(super) fn frame(error: &FrameError) -> String {
    let key = match error {
        FrameError::Version => "lz4.version",
        FrameError::BlockSize => "lz4.block-size",
        FrameError::HeaderChecksum => "lz4.header-checksum",
        FrameError::Checksum => "lz4.checksum",
        FrameError::Length => "lz4.length",
        FrameError::Block => "lz4.block",
        FrameError::BlockChecksum => "lz4.block-checksum",
        FrameError::Legacy => "lz4.legacy",
        FrameError::NoFrame => "lz4.no-frame",
        FrameError::Library(reason) => return format!("lz4: {reason}"),
    };
    say(key, &[])
}

/// How many paths of a trap a sentence names.
const NAMED: usize = 3;

impl Explain for Trap {
    fn explain(&self) -> Phrase {
        let named = self.paths.iter().take(NAMED).map(|path| format!("`{path}`"));
        let mut paths = named.collect::<Vec<_>>().join(", ");
        let more = self.count.saturating_sub(NAMED as u64);
        if more > 0 {
            paths.push_str(&say("archive.trap-more", &[("count", more.to_string())]));
        }
        let phrase = Phrase::failed(match self.kind {
            TrapKind::Venv => "archive.trap-venv",
            TrapKind::Shebang => "archive.trap-shebang",
            TrapKind::LfsPointer => "archive.trap-lfs",
            TrapKind::DvcPointer => "archive.trap-dvc",
            TrapKind::StaleBytecode => "archive.trap-pyc",
        });
        phrase.with("paths", paths)
    }
}

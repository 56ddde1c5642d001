//! The index as lines of JSON, their schema, and how they are written.
//!
//! ```text
//! {"index":1,"compression":"gzip","size":…,"tar_size":…,"entries":2,"pieces":1,"head":"hex","tail":"hex"}
//! {"path":"bin","kind":"directory","mode":"0755","mtime":315532800,"offset":512}
//! {"path":"bin/x","kind":"file","mode":"0755","mtime":315532800,"size":3,"blake3":"hex","offset":1024}
//! {"offset":10,"length":91,"tar_offset":0,"tar_length":2560,"packed":"hex","raw":"hex"}
//! ```
//!
//! A name that is not UTF-8 stands in hexadecimal under `path_hex` (`target_hex`, `link_hex`) instead.

use std::borrow::Cow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{INDEX_FORMAT, Index, IndexEntry, IndexError, IndexParts, LineFault, Piece};
use crate::model::{Blake3, Compression, Entry, EntryKind, TreePath};

/// Digests do not compress; what else there is repeats from line to line.
const ZSTD_LEVEL: i32 = 1;
/// So many lines share a frame; frames are made on all cores.
const FRAME_LINES: usize = 1 << 12;
/// Most lines have fewer bytes.
const USUAL_LINE: usize = 256;

/// The first line of an index.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HeaderLine<'a> {
    /// The version of the format: 1.
    pub(super) index: u32,
    /// How the archive is compressed.
    pub(super) compression: Compression,
    /// Whether one piece spans the archive because it cannot be taken apart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) whole: bool,
    /// The archive's length in bytes.
    pub(super) size: u64,
    /// The tar stream's length in bytes.
    pub(super) tar_size: u64,
    /// How many entry lines follow.
    pub(super) entries: u64,
    /// How many piece lines follow them.
    pub(super) pieces: u64,
    /// The archive's bytes before the first piece, in hexadecimal.
    #[serde(borrow)]
    pub(super) head: Cow<'a, str>,
    /// The archive's bytes behind the last piece, in hexadecimal.
    #[serde(borrow)]
    pub(super) tail: Cow<'a, str>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// Another name of an earlier file.
    Hardlink,
}

/// The line of one entry.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EntryLine<'a> {
    /// The path below the top.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    /// The path's bytes in hexadecimal, where they are not UTF-8.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    path_hex: Option<Cow<'a, str>>,
    /// What it is.
    kind: Kind,
    /// Permission bits in octal.
    #[serde(borrow)]
    mode: Cow<'a, str>,
    /// Modification time in seconds after 1970.
    mtime: i64,
    /// A file's length in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// BLAKE3 of a file's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blake3: Option<Blake3>,
    /// What a symbolic link holds.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'a, str>>,
    /// What a symbolic link holds, in hexadecimal, where it is not UTF-8.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    target_hex: Option<Cow<'a, str>>,
    /// The first name of a hard link.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    link: Option<Cow<'a, str>>,
    /// The first name of a hard link, in hexadecimal, where it is not UTF-8.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    link_hex: Option<Cow<'a, str>>,
    /// Where its headers end and its bytes begin, in the tar stream.
    offset: u64,
    /// Its bytes in the tar stream, where they are not as many as its size (a sparse file).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored: Option<u64>,
}

/// The line of one piece.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PieceLine {
    /// Where it begins in the archive.
    offset: u64,
    /// Its length in the archive.
    length: u64,
    /// Where its bytes begin in the tar stream.
    tar_offset: u64,
    /// How many bytes it decodes to.
    tar_length: u64,
    /// BLAKE3 of its bytes in the archive.
    packed: Blake3,
    /// BLAKE3 of its bytes in the tar stream.
    raw: Blake3,
}

/// Any line of an index: what the JSON schema describes.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
#[schemars(title = "Line of an index")]
enum Line<'a> {
    Header(HeaderLine<'a>),
    Entry(EntryLine<'a>),
    Piece(PieceLine),
}

impl Index {
    /// The JSON schema of one line.
    pub fn line_schema() -> schemars::Schema {
        schemars::schema_for!(Line<'static>)
    }
}

/// A name as a line spells it: as text, or in hexadecimal.
pub(crate) type Name<'a> = (Option<Cow<'a, str>>, Option<Cow<'a, str>>);

/// The spelling of a name: text where it is UTF-8.
pub(crate) fn spell(bytes: &[u8]) -> Name<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.into()), None),
        Err(_) => (None, Some(to_hex(bytes).into())),
    }
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |b: u8| char::from(b).to_digit(16).filter(|_| !b.is_ascii_uppercase());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::try_from(nibble(pair[0])? << 4 | nibble(pair[1])?).ok();
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

/// The bytes of a name in its one spelling.
pub(crate) fn bytes_of(name: Name<'_>) -> Option<Vec<u8>> {
    match name {
        (Some(text), None) => Some(text.into_owned().into_bytes()),
        (None, Some(hex)) => from_hex(&hex).filter(|bytes| std::str::from_utf8(bytes).is_err()),
        _ => None,
    }
}

impl<'a> From<&'a IndexEntry> for EntryLine<'a> {
    fn from(item: &'a IndexEntry) -> Self {
        let Entry { path, kind, mode, mtime } = &item.entry;
        let (path, path_hex) = spell(path.as_bytes());
        let (mut size, mut blake3, mut stored) = (None, None, None);
        let (mut target, mut target_hex, mut link, mut link_hex) = (None, None, None, None);
        let kind = match kind {
            EntryKind::Directory => Kind::Directory,
            EntryKind::File { size: length, digest } => {
                (size, blake3) = (Some(*length), Some(*digest));
                stored = (item.stored != *length).then_some(item.stored);
                Kind::File
            }
            EntryKind::Symlink { target: bytes } => {
                (target, target_hex) = spell(bytes);
                Kind::Symlink
            }
            EntryKind::HardLink { to } => {
                (link, link_hex) = spell(to.as_bytes());
                Kind::Hardlink
            }
        };
        let mode = match *mode {
            0o644 => "0644".into(),
            0o755 => "0755".into(),
            0o777 => "0777".into(),
            other => format!("{other:04o}").into(),
        };
        let (mtime, offset) = (*mtime, item.offset);
        Self { path, path_hex, kind, mode, mtime, size, blake3, target, target_hex, link, link_hex, offset, stored }
    }
}

impl EntryLine<'_> {
    pub(super) fn into_entry(self, line: usize) -> Result<IndexEntry, IndexError> {
        let wrong = |what| IndexError::Line { line, what };
        let path_of = |name: Name<'_>, what| {
            let bytes = bytes_of(name).ok_or_else(|| wrong(what))?;
            TreePath::parse(&bytes).map_err(|reason| IndexError::Path { line, reason })
        };
        let path = path_of((self.path, self.path_hex), LineFault::Path)?;
        let kind = match self.kind {
            Kind::Directory => EntryKind::Directory,
            Kind::File => match (self.size, self.blake3) {
                (Some(size), Some(digest)) => EntryKind::File { size, digest },
                _ => return Err(wrong(LineFault::File)),
            },
            Kind::Symlink => {
                let target = bytes_of((self.target, self.target_hex));
                EntryKind::Symlink { target: target.ok_or_else(|| wrong(LineFault::Target))? }
            }
            Kind::Hardlink => EntryKind::HardLink { to: path_of((self.link, self.link_hex), LineFault::Link)? },
        };
        let stored = match (&kind, self.stored) {
            (_, Some(stored)) => stored,
            (EntryKind::File { size, .. }, None) => *size,
            _ => 0,
        };
        let mode = u32::from_str_radix(&self.mode, 8).map_err(|_| wrong(LineFault::Mode))?;
        Ok(IndexEntry { entry: Entry { path, kind, mode, mtime: self.mtime }, offset: self.offset, stored })
    }
}

/// The stored bytes of `parts`.
pub(super) fn write(parts: &IndexParts) -> Vec<u8> {
    let header = HeaderLine {
        index: INDEX_FORMAT,
        compression: parts.compression,
        whole: parts.whole,
        size: parts.size,
        tar_size: parts.tar_size,
        entries: parts.entries.len() as u64,
        pieces: parts.pieces.len() as u64,
        head: to_hex(&parts.head).into(),
        tail: to_hex(&parts.tail).into(),
    };
    let mut stored = Framer::new().frame(std::iter::once(Line::Header(header)));
    let entries = parts.entries.par_chunks(FRAME_LINES);
    let entries =
        entries.map_init(Framer::new, |framer, part| framer.frame(part.iter().map(|e| Line::Entry(e.into()))));
    let pieces = parts.pieces.par_chunks(FRAME_LINES);
    let pieces = pieces.map_init(Framer::new, |framer, part| framer.frame(part.iter().map(|p| Line::Piece(p.into()))));
    let frames: Vec<_> = entries.chain(pieces).collect();
    stored.reserve_exact(frames.iter().map(Vec::len).sum());
    frames.iter().for_each(|frame| stored.extend_from_slice(frame));
    stored
}

/// Makes frames of zstd from lines, in memory that serves one after the other.
struct Framer {
    text: Vec<u8>,
    packed: Vec<u8>,
    zstd: zstd::bulk::Compressor<'static>,
}

impl Framer {
    fn new() -> Self {
        let zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL).and_then(|mut zstd| {
            zstd.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
            Ok(zstd)
        });
        Self { text: Vec::new(), packed: Vec::new(), zstd: zstd.expect("the level and the checksum are known to zstd") }
    }

    fn frame<'a>(&mut self, lines: impl Iterator<Item = Line<'a>>) -> Vec<u8> {
        self.text.clear();
        self.text.reserve(lines.size_hint().0 * USUAL_LINE);
        for line in lines {
            serde_json::to_writer(&mut self.text, &line).expect("into memory, and the lines have string keys only");
            self.text.push(b'\n');
        }
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(self.text.len()));
        self.zstd.compress_to_buffer(&self.text, &mut self.packed).expect("zstd into memory takes anything");
        self.packed.clone()
    }
}

impl From<&Piece> for PieceLine {
    fn from(piece: &Piece) -> Self {
        let Piece { offset, length, tar_offset, tar_length, packed, raw } = *piece;
        Self { offset, length, tar_offset, tar_length, packed, raw }
    }
}

impl From<PieceLine> for Piece {
    fn from(line: PieceLine) -> Self {
        let PieceLine { offset, length, tar_offset, tar_length, packed, raw } = line;
        Self { offset, length, tar_offset, tar_length, packed, raw }
    }
}

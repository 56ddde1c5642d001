//! Headers in their canonical spelling: ustar, and pax records only for what ustar cannot say.

use super::BLOCK;
use crate::codec::Buffer;
use crate::model::{Entry, EntryKind};

/// The two zero blocks that end a stream.
pub(in crate::archive) const END_BYTES: usize = 2 * BLOCK;
/// The first number that eleven octal digits cannot say.
const OCTAL_LIMIT: u64 = 1 << 33;
const NAME: usize = 100;
const PREFIX: usize = 155;

/// How many zeros follow `size` bytes of content.
pub(in crate::archive) fn padding(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK as u64) as usize
}

/// How many bytes [`write_header`] will write.
pub(in crate::archive) fn header_bytes(entry: &Entry) -> u64 {
    if is_short(entry) {
        return BLOCK as u64;
    }
    let records = Spelling::of(entry).records.len();
    let extended = if records == 0 { 0 } else { BLOCK + records.next_multiple_of(BLOCK) };
    (extended + BLOCK) as u64
}

/// Whether ustar can say it all, seen at a glance: true for nearly every entry.
fn is_short(entry: &Entry) -> bool {
    let fits = match &entry.kind {
        EntryKind::Directory => true,
        EntryKind::File { size, .. } => *size < OCTAL_LIMIT,
        EntryKind::Symlink { target } => target.len() <= NAME,
        EntryKind::HardLink { to } => to.as_bytes().len() <= NAME,
    };
    fits && entry.path.as_bytes().len() < NAME && u64::try_from(entry.mtime).is_ok_and(|t| t < OCTAL_LIMIT)
}

/// Appends the entry's headers.
pub(in crate::archive) fn write_header(entry: &Entry, out: &mut Buffer) {
    let Spelling { name, split, link, records } = Spelling::of(entry);
    if !records.is_empty() {
        out.push(&header(b"././@PaxHeader", None, b"", b'x', 0o644, records.len() as u64, 0));
        out.push(&records);
        out.push_zeros(padding(records.len() as u64));
    }
    let (kind, size) = match &entry.kind {
        EntryKind::Directory => (b'5', 0),
        EntryKind::File { size, .. } => (b'0', *size),
        EntryKind::Symlink { .. } => (b'2', 0),
        EntryKind::HardLink { .. } => (b'1', 0),
    };
    let mtime = u64::try_from(entry.mtime).unwrap_or(0);
    out.push(&header(&name, split, link, kind, entry.mode, size, mtime));
}

/// What goes where.
struct Spelling<'a> {
    name: Vec<u8>,
    /// Where the slash is that parts prefix from name.
    split: Option<usize>,
    link: &'a [u8],
    /// pax records; empty where ustar is enough.
    records: Vec<u8>,
}

impl<'a> Spelling<'a> {
    fn of(entry: &'a Entry) -> Self {
        let mut name = entry.path.as_bytes().to_vec();
        let (link, size): (&[u8], u64) = match &entry.kind {
            EntryKind::Directory => {
                name.push(b'/');
                (b"", 0)
            }
            EntryKind::File { size, .. } => (b"", *size),
            EntryKind::Symlink { target } => (target, 0),
            EntryKind::HardLink { to } => (to.as_bytes(), 0),
        };
        let split = if name.len() > NAME { split(&name) } else { None };
        let long_name = name.len() > NAME && split.is_none();
        let long_link = link.len() > NAME;
        let mut records = Vec::new();
        let unreadable = |bytes: &[u8]| std::str::from_utf8(bytes).is_err();
        if (long_name && unreadable(&name)) || (long_link && unreadable(link)) {
            // Values are UTF-8 unless this says that they are just bytes.
            record(&mut records, "hdrcharset", b"BINARY");
        }
        if long_name {
            record(&mut records, "path", &name);
        }
        if long_link {
            record(&mut records, "linkpath", link);
        }
        if size >= OCTAL_LIMIT {
            record(&mut records, "size", size.to_string().as_bytes());
        }
        if u64::try_from(entry.mtime).is_ok_and(|t| t < OCTAL_LIMIT) {
            Self { name, split, link, records }
        } else {
            record(&mut records, "mtime", entry.mtime.to_string().as_bytes());
            Self { name, split, link, records }
        }
    }
}

/// The leftmost slash that leaves a name of at most 100 bytes behind it and a prefix of at most 155 before it.
fn split(name: &[u8]) -> Option<usize> {
    let slash = (0..name.len() - 1).find(|at| name[*at] == b'/' && name.len() - at - 1 <= NAME)?;
    (slash <= PREFIX).then_some(slash)
}

/// `<length> <key>=<value>\n`, where the length counts itself.
fn record(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(format!("{length} {key}=").as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn header(name: &[u8], split: Option<usize>, link: &[u8], kind: u8, mode: u32, size: u64, mtime: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let (prefix, name) = match split {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (&b""[..], name),
    };
    put(&mut block, 0, &name[..name.len().min(NAME)]);
    octal(&mut block, 100, 7, u64::from(mode));
    octal(&mut block, 108, 7, 0);
    octal(&mut block, 116, 7, 0);
    // What does not fit stands in a pax record, which goes before this.
    octal(&mut block, 124, 11, size % OCTAL_LIMIT);
    octal(&mut block, 136, 11, if mtime < OCTAL_LIMIT { mtime } else { 0 });
    put(&mut block, 148, b"        ");
    block[156] = kind;
    put(&mut block, 157, &link[..link.len().min(NAME)]);
    put(&mut block, 257, b"ustar\x0000");
    octal(&mut block, 329, 7, 0);
    octal(&mut block, 337, 7, 0);
    put(&mut block, 345, prefix);
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    octal(&mut block, 148, 6, sum);
    block[154] = 0;
    block
}

fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

fn octal(block: &mut [u8; BLOCK], at: usize, digits: usize, mut value: u64) {
    for place in (at..at + digits).rev() {
        block[place] = b'0' + (value & 7) as u8;
        value >>= 3;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::model::{Blake3, TreePath};

    fn entry(path: &[u8], kind: EntryKind, mtime: i64) -> Entry {
        Entry { path: TreePath::parse(path).expect("a path"), kind, mode: 0o755, mtime }
    }

    /// What the `tar` crate, which shares no line with this module, makes of the headers.
    fn read_back(entry: &Entry) -> (Vec<u8>, Option<Vec<u8>>, u64, u32, u64) {
        let mut bytes = Buffer::default();
        write_header(entry, &mut bytes);
        assert_eq!(bytes.len() as u64, header_bytes(entry));
        assert_eq!(bytes.len() % BLOCK, 0);
        let mut stream = tar::Archive::new(bytes.filled().chain(std::io::repeat(0)));
        let found = stream.entries().expect("a stream").next().expect("an entry").expect("a good header");
        let link = found.link_name_bytes().map(|l| l.into_owned());
        let header = found.header();
        (
            found.path_bytes().into_owned(),
            link,
            found.size(),
            header.mode().expect("octal"),
            header.mtime().expect("octal"),
        )
    }

    #[test]
    fn another_reader_understands_every_header() {
        let long = [&b"d/".repeat(60)[..], &[b'n'; 120]].concat();
        let split = [&[b'p'; 150][..], b"/", &[b'n'; 100]].concat();
        let file = |size| EntryKind::File { size, digest: Blake3::of(b"") };
        for path in [&b"a"[..], &[b'x'; 100], &[b'x'; 101], &split, &long, b"not\xffutf8"] {
            assert_eq!(read_back(&entry(path, file(3), 5)), (path.to_vec(), None, 3, 0o755, 5));
            let directory = read_back(&entry(path, EntryKind::Directory, 5));
            assert_eq!(directory.0, [path, b"/"].concat());
            let link = read_back(&entry(b"l", EntryKind::Symlink { target: path.to_vec() }, 5));
            assert_eq!(link.1.as_deref(), Some(path));
        }
        assert_eq!(read_back(&entry(b"big", file(9 << 30), 5)).2, 9 << 30);
        assert_eq!(read_back(&entry(b"old", file(0), -7)).4, 0, "the time is in a pax record");
    }
}

//! Headers of any origin, read strictly: what is not understood is refused by name, nothing is skipped or stripped.

use std::io::{self, Read};

use tar::EntryType;

use super::BLOCK;
use super::error::{HeaderPart, OddKind, TarError};
use super::pax::Overrides;
use super::sparse::{self, Segment};
use crate::model::{MAX_HEADER_BYTES, TreePath};

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::archive) enum Body {
    /// A directory.
    Directory,
    /// A file, with its real size, and its segments if it is sparse.
    File {
        /// Length of the file in bytes.
        size: u64,
        /// The parts the stream holds; `None` means all of it.
        segments: Option<Vec<Segment>>,
    },
    /// A symbolic link.
    Symlink {
        /// What it holds.
        target: Vec<u8>,
    },
    /// Another name of a file.
    HardLink {
        /// The other name.
        to: TreePath,
    },
}

/// One entry as its headers tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::archive) struct Member {
    /// Where it lies.
    pub path: TreePath,
    /// What it is.
    pub body: Body,
    /// 0755 or 0644, 0777 for symbolic links: what a package keeps of the permission bits.
    pub mode: u32,
    /// Seconds after 1970.
    pub mtime: i64,
    /// How many bytes of content follow, without padding.
    pub stored: u64,
    /// How many bytes all its headers took.
    pub headers: u64,
}

/// The next member, or `None` at the first of the blocks that end the archive. `after` is the entry before, for
/// messages.
pub(in crate::archive) fn next_member(
    input: &mut impl Read,
    after: Option<&TreePath>,
) -> Result<Option<Member>, TarError> {
    let (mut long_name, mut long_link) = (None, None);
    let mut overrides = Overrides::default();
    let mut headers = 0;
    // Whether an extended header awaits the one that it extends.
    let mut extended = false;
    loop {
        let mut block = [0; BLOCK];
        fill(input, &mut block)?;
        headers += BLOCK as u64;
        if block == [0; BLOCK] {
            return if extended { Err(TarError::CutShort) } else { Ok(None) };
        }
        let header = tar::Header::from_byte_slice(&block);
        if !checksum_is_right(header) {
            return Err(TarError::Checksum { after: after.map(ToString::to_string).unwrap_or_default() });
        }
        let name = lossy(&header.path_bytes());
        let malformed = |what| TarError::Malformed { name: name.clone(), what };
        let kind = header.entry_type();
        let extends = matches!(
            kind,
            EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink
        );
        if !extends {
            // The tree's own top: nothing to make.
            if kind == EntryType::Directory && is_top(overrides.path.as_deref().unwrap_or(&header.path_bytes())) {
                (long_name, long_link, overrides, extended) = (None, None, Overrides::default(), false);
                continue;
            }
            let parts = Parts { name: long_name.take(), link: long_link.take(), overrides, headers };
            return parts.member(header, input).map(Some);
        }
        let size = header.entry_size().map_err(|_| malformed(HeaderPart::Size))?;
        if size.saturating_add(headers) > MAX_HEADER_BYTES {
            return Err(malformed(HeaderPart::ExtendedSize));
        }
        let mut content = vec![0; (size as usize).next_multiple_of(BLOCK)];
        fill(input, &mut content)?;
        headers += content.len() as u64;
        content.truncate(size as usize);
        extended |= kind != EntryType::XGlobalHeader;
        match kind {
            EntryType::XHeader => overrides.add(&content).ok_or_else(|| malformed(HeaderPart::Pax))?,
            EntryType::XGlobalHeader => {
                let mut global = Overrides::default();
                global.add(&content).ok_or_else(|| malformed(HeaderPart::Pax))?;
                if !global.is_empty() {
                    return Err(malformed(HeaderPart::GlobalPax));
                }
            }
            EntryType::GNULongName => long_name = Some(until_nul(content)),
            _ => long_link = Some(until_nul(content)),
        }
    }
}

/// What was found before the header itself.
struct Parts {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    overrides: Overrides,
    headers: u64,
}

impl Parts {
    fn member(self, header: &tar::Header, input: &mut impl Read) -> Result<Member, TarError> {
        let Parts { name, link, overrides, mut headers } = self;
        let Overrides { path, link: pax_link, size, mtime, sparse } = overrides;
        let raw = path.or(name).unwrap_or_else(|| header.path_bytes().into_owned());
        let raw = sparse.name.clone().unwrap_or(raw);
        let shown = lossy(&raw);
        let malformed = |what| TarError::Malformed { name: shown.clone(), what };
        let link = || {
            let link = pax_link.or(link).or_else(|| header.link_name_bytes().map(|l| l.into_owned()));
            link.ok_or_else(|| malformed(HeaderPart::LinkName))
        };
        let path = TreePath::parse(&raw).map_err(|reason| TarError::Path { name: shown.clone(), reason })?;
        let bits = header.mode().map_err(|_| malformed(HeaderPart::Mode))?;
        if bits & 0o6000 != 0 {
            return Err(TarError::SetId { name: shown, mode: bits & 0o7777 });
        }
        let mtime = match mtime {
            Some(mtime) => mtime,
            // Base-256 numbers are two's complement.
            None => header.mtime().map_err(|_| malformed(HeaderPart::Time))? as i64,
        };
        let mut stored = match size {
            Some(size) => size,
            None => header.entry_size().map_err(|_| malformed(HeaderPart::Size))?,
        };
        let file_mode = if bits & 0o100 != 0 { 0o755 } else { 0o644 };
        let kind = header.entry_type();
        let (body, mode) = match kind {
            // Before ustar, a slash at the end was what made a directory.
            EntryType::Regular if raw.ends_with(b"/") && stored == 0 => (Body::Directory, 0o755),
            EntryType::Regular | EntryType::Continuous if sparse.is_sparse() => {
                let map = sparse::read_pax(sparse, input)?.ok_or_else(|| malformed(HeaderPart::Sparse))?;
                stored = stored.checked_sub(map.taken).ok_or_else(|| malformed(HeaderPart::Sparse))?;
                headers += map.taken;
                (sparse_body(map, stored).ok_or_else(|| malformed(HeaderPart::Sparse))?, file_mode)
            }
            EntryType::Regular | EntryType::Continuous => (Body::File { size: stored, segments: None }, file_mode),
            EntryType::GNUSparse => {
                let gnu = header.as_gnu().ok_or_else(|| malformed(HeaderPart::Sparse))?;
                let map = sparse::read_gnu(gnu, input)?.ok_or_else(|| malformed(HeaderPart::Sparse))?;
                headers += map.taken;
                (sparse_body(map, stored).ok_or_else(|| malformed(HeaderPart::Sparse))?, file_mode)
            }
            EntryType::Directory => (Body::Directory, 0o755),
            EntryType::Symlink => (Body::Symlink { target: link()? }, 0o777),
            EntryType::Link => {
                let to = link()?;
                let refused = |reason| TarError::HardLink { name: shown.clone(), to: lossy(&to), reason };
                (Body::HardLink { to: TreePath::parse(&to).map_err(refused)? }, file_mode)
            }
            EntryType::Char | EntryType::Block => return Err(TarError::Kind { name: shown, kind: OddKind::Device }),
            EntryType::Fifo => return Err(TarError::Kind { name: shown, kind: OddKind::Pipe }),
            other => {
                return Err(TarError::Kind { name: shown, kind: OddKind::Unknown(other.as_byte()) });
            }
        };
        if stored != 0 && !matches!(body, Body::File { .. }) {
            return Err(malformed(HeaderPart::Content));
        }
        Ok(Member { path, body, mode, mtime, stored, headers })
    }
}

fn sparse_body(map: sparse::Map, stored: u64) -> Option<Body> {
    map.fits(stored).then_some(Body::File { size: map.size, segments: Some(map.segments) })
}

/// Reads to the end of the stream, where nothing but zeros may be.
pub(in crate::archive) fn only_zeros(input: &mut impl Read) -> Result<(), TarError> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) if buffer[..count].iter().all(|b| *b == 0) => {}
            Ok(_) => return Err(TarError::Behind),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Reads to the end of the stream of another program's archive, behind the first of the blocks that end it. What follows
/// them is passed over, as every reader of tars does; but the end must be one, two blocks of zeros or one and nothing, and
/// no header may follow it: neither another archive nor the rest of one with a damaged middle is left out in silence.
pub(in crate::archive) fn no_header(input: &mut impl Read) -> Result<(), TarError> {
    let mut buffer = Vec::new();
    let mut ended = false;
    loop {
        buffer.clear();
        input.by_ref().take(1 << 16).read_to_end(&mut buffer)?;
        if buffer.is_empty() {
            return Ok(());
        }
        for block in buffer.chunks(BLOCK) {
            let zeros = block.iter().all(|b| *b == 0);
            let header = || block.len() == BLOCK && checksum_is_right(tar::Header::from_byte_slice(block));
            if !zeros && (!ended || header()) {
                return Err(TarError::Behind);
            }
            ended = true;
        }
    }
}

fn fill(input: &mut impl Read, out: &mut [u8]) -> Result<(), TarError> {
    input.read_exact(out).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => TarError::CutShort,
        _ => e.into(),
    })
}

/// The sum of all bytes, the checksum's own counted as spaces; some old writers summed signed bytes.
fn checksum_is_right(header: &tar::Header) -> bool {
    let mut bytes = *header.as_bytes();
    bytes[148..156].fill(b' ');
    let unsigned = || bytes.iter().map(|b| u32::from(*b)).sum::<u32>();
    let signed = || bytes.iter().map(|b| i32::from(*b as i8)).sum::<i32>();
    header.cksum().is_ok_and(|sum| sum == unsigned() || i64::from(sum) == i64::from(signed()))
}

fn is_top(path: &[u8]) -> bool {
    !path.is_empty() && path.first() != Some(&b'/') && path.split(|b| *b == b'/').all(|name| matches!(name, b"" | b"."))
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

fn lossy(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

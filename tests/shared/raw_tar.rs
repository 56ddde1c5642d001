//! Tar streams that mean harm, for the unit tests of reading archives and for the tests of the whole program.

/// One entry as raw as an attacker likes it.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    pub name: &'a [u8],
    pub kind: u8,
    pub mode: u32,
    pub link: &'a [u8],
    pub content: &'a [u8],
}

pub fn file(name: &[u8]) -> Raw<'_> {
    Raw { name, kind: b'0', mode: 0o644, link: b"", content: b"evil" }
}

pub fn link<'a>(name: &'a [u8], link: &'a [u8]) -> Raw<'a> {
    Raw { kind: b'2', mode: 0o777, link, content: b"", ..file(name) }
}

/// The entries, with the right checksums, and the blocks that end an archive.
pub fn tar(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for raw in entries {
        let mut header = ::tar::Header::new_ustar();
        header.as_old_mut().name[..raw.name.len()].copy_from_slice(raw.name);
        header.as_old_mut().linkname[..raw.link.len()].copy_from_slice(raw.link);
        header.as_old_mut().linkflag = [raw.kind];
        header.set_mode(raw.mode);
        header.set_size(raw.content.len() as u64);
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(raw.content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

//! pax extended headers: records that override a field of the header behind them.

use super::sparse::Segment;

/// The overrides of one entry; `None` where no record speaks of it.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub mtime: Option<i64>,
    pub sparse: SparseRecords,
}

/// What GNU tar says about sparse files in pax records.
#[derive(Debug, Default)]
pub(super) struct SparseRecords {
    pub major: Option<u64>,
    pub minor: Option<u64>,
    pub name: Option<Vec<u8>>,
    pub real_size: Option<u64>,
    pub map: Option<Vec<Segment>>,
    /// A form that is not read: segments as single records.
    pub unsupported: bool,
}

impl Overrides {
    /// Takes the records in; later ones win. `None` where they are malformed.
    pub fn add(&mut self, mut records: &[u8]) -> Option<()> {
        while !records.is_empty() {
            let (key, value);
            (key, value, records) = record(records)?;
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(number(value)?),
                b"mtime" => self.mtime = Some(seconds(value)?),
                b"GNU.sparse.major" => self.sparse.major = Some(number(value)?),
                b"GNU.sparse.minor" => self.sparse.minor = Some(number(value)?),
                b"GNU.sparse.name" => self.sparse.name = Some(value.to_vec()),
                b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.sparse.real_size = Some(number(value)?),
                b"GNU.sparse.map" => self.sparse.map = Some(map(value)?),
                b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => self.sparse.unsupported = true,
                _ => {}
            }
        }
        Some(())
    }

    /// Whether any record spoke of something that matters here.
    pub fn is_empty(&self) -> bool {
        let Self { path, link, size, mtime, sparse } = self;
        path.is_none() && link.is_none() && size.is_none() && mtime.is_none() && !sparse.is_sparse()
    }
}

impl SparseRecords {
    pub fn is_sparse(&self) -> bool {
        self.major.is_some() || self.real_size.is_some() || self.map.is_some() || self.unsupported
    }
}

/// Key, value and what follows the first record. The length rules: values may hold any byte, line feeds too.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|b| *b == b' ')?;
    let length = usize::try_from(number(&bytes[..space])?).ok()?;
    let body = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|b| *b == b'=')?;
    Some((&body[..equals], &body[equals + 1..], &bytes[length..]))
}

pub(super) fn number(text: &[u8]) -> Option<u64> {
    if text.first()? == &b'+' {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whole seconds of a decimal time, rounded down.
fn seconds(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let below = whole.starts_with('-') && fraction.bytes().any(|b| b != b'0');
    seconds.checked_sub(i64::from(below))
}

/// `offset,length,offset,length,…`
fn map(text: &[u8]) -> Option<Vec<Segment>> {
    let numbers: Vec<u64> = text.split(|b| *b == b',').map(number).collect::<Option<_>>()?;
    let (pairs, rest) = numbers.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[offset, length]| Segment { offset: *offset, length: *length }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_rule_and_later_records_win() {
        let mut found = Overrides::default();
        assert!(found.add(b"9 path=a\n11 path=b\n\n19 mtime=-1.500000\n16 comment=x=y\n\n").is_some());
        assert_eq!(found.path.as_deref(), Some(&b"b\n"[..]));
        assert_eq!(found.mtime, Some(-2));
        for bad in
            [&b"x"[..], b"99 path=a\n", b"8 path=a\n", b"9 path a\n", b"11 size=-1\n", b"0 =\n", b"9 path=a", b"3 \n"]
        {
            assert!(Overrides::default().add(bad).is_none(), "{}", bad.escape_ascii());
        }
    }
}

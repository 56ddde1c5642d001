//! With `--fetch`: every delta of a version that the request changes lies at one of the locations at least, holds the bytes
//! that git pins wherever it lies, and leads from where the record says to the package.

use super::fetch::{Tools, bring};
use super::{Fact, Finding};
use crate::delta::{Header, HeaderError};
use crate::fsx;
use crate::model::{Blake3, Index, RecordDelta, Sha256, Version};
use crate::ops::{Error, delta as deltas};
use crate::records::Published;
use crate::store::Store;
use crate::target;

/// Why a delta is not the one that the record tells of.
#[derive(Debug)]
pub enum Elsewhere {
    /// Its header cannot be read, or does not fit the package.
    Header(HeaderError),
    /// Its header is not the one that the record pins.
    OtherHeader {
        /// How many bytes it has.
        bytes: u64,
        /// The digest of those.
        sha256: Sha256,
    },
    /// Its header tells of another length.
    Size(u64),
    /// It leads from another version.
    From(Version, Blake3),
    /// It leads to another version.
    To(Version, Blake3),
}

pub(super) fn check(
    (store, reach, told): Tools<'_>,
    published: &Published,
    file: &str,
    found: &mut Vec<Finding>,
) -> Result<(), Error> {
    for (number, delta) in published.record.deltas.iter().enumerate() {
        let line = published.line_of_delta(number);
        let about = |finding: Finding| finding.with("path", &delta.file);
        let pinned = (delta.checksum.value, delta.size);
        let wanted = target::Wanted { file: &delta.file, sha256: pinned.0 };
        let (tiers, refused) = reach.sources(published, wanted)?;
        let (mut is_there, mut unread) = (false, !refused.is_empty());
        for source in tiers.into_iter().flatten() {
            match bring(store, &source, pinned, told) {
                Ok(came) if came == pinned => is_there = true,
                Ok((other, _)) => {
                    let differs = about(Finding::error("location-differs", file, line)).with("name", &source.name);
                    found.push(differs.with("found", other).with("pinned", pinned.0));
                    unread = true;
                }
                // A location that was added later need not have it.
                Err(Error::Target(error)) if error.is_missing() => {}
                Err(error) => {
                    let unreadable =
                        about(Finding::error("location-unreadable", file, line)).with("name", &source.name);
                    found.push(unreadable.fact("reason", Fact::Error(Box::new(error))));
                    unread = true;
                }
            }
        }
        if is_there {
            let wrong = leads_elsewhere(store, published, delta)?;
            let fact = |why| Fact::Delta(Box::new(why));
            found.extend(wrong.map(|why| about(Finding::error("delta-differs", file, line)).fact("reason", fact(why))));
        } else if !unread {
            found.push(about(Finding::error("delta-unreadable", file, line)));
        }
    }
    Ok(())
}

/// Why the delta in the store is not one from where the record says to this package.
fn leads_elsewhere(store: &Store, published: &Published, delta: &RecordDelta) -> Result<Option<Elsewhere>, Error> {
    let Some(path) = store.path(&delta.checksum.value)? else { return Ok(None) };
    let header = match Header::read(fsx::open(&path)?) {
        Ok(header) => header,
        Err(error) => return Ok(Some(Elsewhere::Header(error))),
    };
    if let Some(pinned) = &delta.header {
        let front = deltas::front_digest(&path, header.front_bytes())?;
        if (pinned.size, pinned.checksum.value) != (header.front_bytes(), front) {
            return Ok(Some(Elsewhere::OtherHeader { bytes: header.front_bytes(), sha256: front }));
        }
    }
    let (base, target) = (header.base(), header.target());
    if header.size() != delta.size {
        return Ok(Some(Elsewhere::Size(header.size())));
    }
    if (&base.version, base.tree) != (&delta.from, delta.tree) {
        return Ok(Some(Elsewhere::From(base.version.clone(), base.tree)));
    }
    let tree = published.manifest.package.tree;
    if target.version != *published.version() || tree.is_some_and(|tree| tree != target.tree) {
        return Ok(Some(Elsewhere::To(target.version.clone(), target.tree)));
    }
    // An index that cannot be read is told of already.
    let index = published.manifest.index.as_ref().map(|index| store.path(&index.checksum.value)).transpose()?.flatten();
    let index = index.map(|path| fsx::read(&path)).transpose()?.and_then(|bytes| Index::parse(&bytes).ok());
    Ok(index.and_then(|index| header.check(&index).err()).map(Elsewhere::Header))
}

//! With `--fetch`: every delta of a version that the request changes lies at one of the locations at least, holds the bytes
//! that git pins wherever it lies, and leads from where the record says to the package.

use super::fetch::bring;
use super::{Fact, Finding};
use crate::delta::Header;
use crate::fsx;
use crate::model::{Index, RecordDelta};
use crate::ops::reach::Reach;
use crate::ops::{Error, delta as deltas};
use crate::records::Published;
use crate::store::Store;
use crate::target;

pub(super) fn check(
    (store, reach): (&Store, &Reach<'_>),
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
            match bring(store, &source, pinned) {
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
            found.extend(wrong.map(|reason| about(Finding::error("delta-differs", file, line)).with("reason", reason)));
        } else if !unread {
            found.push(about(Finding::error("delta-unreadable", file, line)));
        }
    }
    Ok(())
}

/// Why the delta in the store is not one from where the record says to this package.
fn leads_elsewhere(store: &Store, published: &Published, delta: &RecordDelta) -> Result<Option<String>, Error> {
    let Some(path) = store.path(&delta.checksum.value)? else { return Ok(None) };
    let header = match Header::read(fsx::open(&path)?) {
        Ok(header) => header,
        Err(error) => return Ok(Some(error.to_string())),
    };
    if let Some(pinned) = &delta.header {
        let front = deltas::front_digest(&path, header.front_bytes())?;
        if (pinned.size, pinned.checksum.value) != (header.front_bytes(), front) {
            return Ok(Some(format!("its header has {} bytes, sha256 {front}", header.front_bytes())));
        }
    }
    let (base, target) = (header.base(), header.target());
    if header.size() != delta.size {
        return Ok(Some(format!("its header tells of {} bytes", header.size())));
    }
    if (&base.version, base.tree) != (&delta.from, delta.tree) {
        return Ok(Some(format!("it leads from {}, tree {}", base.version, base.tree)));
    }
    let tree = published.manifest.package.tree;
    if target.version != *published.version() || tree.is_some_and(|tree| tree != target.tree) {
        return Ok(Some(format!("it leads to {}, tree {}", target.version, target.tree)));
    }
    // An index that cannot be read is told of already.
    let index = published.manifest.index.as_ref().map(|index| store.path(&index.checksum.value)).transpose()?.flatten();
    let index = index.map(|path| fsx::read(&path)).transpose()?.and_then(|bytes| Index::parse(&bytes).ok());
    Ok(index.and_then(|index| header.check(&index).err()).map(|error| error.to_string()))
}

//! The deltas that a record lists: each leads from another version that is recorded, and has a file of its own.

use std::collections::BTreeSet;

use super::Request;
use super::finding::Finding;
use super::lines::line_of;
use super::versions::is_file_name;
use crate::model::{ComponentType, Manifest, Record, Version};
use crate::records::MANIFEST;
use crate::records::error::Error;

pub(super) fn check(
    request: &Request<'_>,
    (component, version): (&ComponentType, &Version),
    (path, bytes): (&str, &[u8]),
    (manifest, record): (&Manifest, &Record),
    found: &mut Vec<Finding>,
) -> Result<(), Error> {
    let mut files = BTreeSet::from([MANIFEST, manifest.package.file.as_str()]);
    files.extend(manifest.index.as_ref().map(|index| index.file.as_str()));
    let mut bases = BTreeSet::new();
    for (number, delta) in record.deltas.iter().enumerate() {
        let number = number.to_string();
        let finding = |rule, member| Finding::error(rule, path, line_of(bytes, &["deltas", &number, member]));
        if !is_file_name(&delta.file) {
            found.push(finding("file-name", "file").with("name", &delta.file));
        } else if !files.insert(&delta.file) {
            found.push(finding("delta-twice", "file").with("what", &delta.file));
        } else if !bases.insert(&delta.from) {
            found.push(finding("delta-twice", "from").with("what", &delta.from));
        }
        let base = match delta.from == *version {
            true => None,
            false => request.published(component, &delta.from)?,
        };
        let from = format!("{component}@{}", delta.from);
        match base.map(|base| base.manifest.package.tree) {
            None => found.push(finding("delta-from", "from").with("from", from)),
            Some(Some(tree)) if tree != delta.tree => {
                found.push(finding("delta-tree", "tree").with("from", from).with("recorded", tree));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

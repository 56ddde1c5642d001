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
        let line = |member| line_of(bytes, &["deltas", &number, member]);
        if !is_file_name(&delta.file) {
            found.push(Finding::error("file-name", path, line("file")).with("name", &delta.file));
        } else if !files.insert(&delta.file) {
            found.push(Finding::error("delta-twice", path, line("file")).with("what", &delta.file));
        } else if !bases.insert(&delta.from) {
            found.push(Finding::error("delta-twice", path, line("from")).with("what", &delta.from));
        }
        let base = match delta.from == *version {
            true => None,
            false => request.published(component, &delta.from)?,
        };
        let from = format!("{component}@{}", delta.from);
        match base.map(|base| base.manifest.package.tree) {
            None => found.push(Finding::error("delta-from", path, line("from")).with("from", from)),
            Some(Some(tree)) if tree != delta.tree => {
                let finding = Finding::error("delta-tree", path, line("tree"));
                found.push(finding.with("from", from).with("recorded", tree));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

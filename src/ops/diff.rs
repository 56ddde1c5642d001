//! `record diff` and `record show --files`: what lies in a version, and what differs between two.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Error, Site, fetch, record};
use crate::model::{Blake3, ComponentType, Entry, EntryKind, Reference, TreePath, Version};
use crate::records::{Published, Repository};

/// One entry of a version's tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its path; bytes that are not UTF-8 are escaped.
    pub path: String,
    /// `file`, `directory`, `symlink` or `hard-link`.
    pub kind: &'static str,
    /// Its permission bits, as an octal text.
    pub mode: String,
    /// A file's length in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// A file's BLAKE3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Blake3>,
    /// What a link leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl File {
    fn new(entry: &Entry) -> Self {
        let mut file = Self {
            path: entry.path.to_string(),
            kind: "directory",
            mode: format!("{:04o}", entry.mode),
            size: None,
            digest: None,
            target: None,
        };
        match &entry.kind {
            EntryKind::Directory => {}
            EntryKind::File { size, digest } => {
                file.kind = "file";
                file.size = Some(*size);
                file.digest = Some(*digest);
            }
            EntryKind::Symlink { target } => {
                file.kind = "symlink";
                file.target = Some(String::from_utf8_lossy(target).into_owned());
            }
            EntryKind::HardLink { to } => {
                file.kind = "hard-link";
                file.target = Some(to.to_string());
            }
        }
        file
    }
}

/// How a path differs between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// Only the second version has it.
    Added {
        /// What it is there.
        to: File,
    },
    /// Only the first version has it.
    Removed {
        /// What it was.
        from: File,
    },
    /// Both have it, but not the same.
    Changed {
        /// What it was.
        from: File,
        /// What it is.
        to: File,
    },
}

/// What differs between two versions.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The first version.
    pub from: (ComponentType, Version),
    /// The second version.
    pub to: (ComponentType, Version),
    /// Every path that differs, in order of path.
    pub changes: Vec<Change>,
    /// How many paths are the same in both.
    pub same: usize,
}

/// The files of one recorded version, from its index, which is fetched where the store lacks it.
///
/// # Errors
///
/// [`Error::NoIndex`] for a version that was published without one.
pub fn files(site: &Site, reference: &Reference, at: Option<&str>) -> Result<(Published, Vec<File>), Error> {
    let repository = record::existing(site)?;
    let published = repository.snapshot(at)?.resolve(reference)?;
    let files = entries(site, &repository, &published)?.iter().map(File::new).collect();
    Ok((published, files))
}

/// What differs between the trees of two recorded versions.
///
/// # Errors
///
/// As [`files`].
pub fn diff(site: &Site, from: &Reference, to: &Reference, at: Option<&str>) -> Result<Report, Error> {
    let repository = record::existing(site)?;
    let snapshot = repository.snapshot(at)?;
    let (from, to) = (snapshot.resolve(from)?, snapshot.resolve(to)?);
    let (before, after) = (entries(site, &repository, &from)?, entries(site, &repository, &to)?);
    let (changes, same) = compare(&before, &after);
    let name = |published: &Published| (published.component().clone(), published.version().clone());
    Ok(Report { from: name(&from), to: name(&to), changes, same })
}

fn entries(site: &Site, repository: &Repository, published: &Published) -> Result<Vec<Entry>, Error> {
    let index = fetch::bring_index(site, published, Some(repository.root()))?;
    let index = index.ok_or_else(|| Error::NoIndex {
        component: published.component().clone(),
        version: published.version().clone(),
    })?;
    Ok(index.entries.iter().map(|indexed| indexed.entry.clone()).collect())
}

pub(super) fn compare(before: &[Entry], after: &[Entry]) -> (Vec<Change>, usize) {
    let mut paths: BTreeMap<&TreePath, (Option<&Entry>, Option<&Entry>)> = BTreeMap::new();
    before.iter().for_each(|entry| paths.entry(&entry.path).or_default().0 = Some(entry));
    after.iter().for_each(|entry| paths.entry(&entry.path).or_default().1 = Some(entry));
    let total = paths.len();
    let changes: Vec<Change> = paths
        .into_values()
        .filter_map(|pair| match pair {
            (Some(from), Some(to)) if from == to => None,
            (Some(from), Some(to)) => Some(Change::Changed { from: File::new(from), to: File::new(to) }),
            (Some(from), None) => Some(Change::Removed { from: File::new(from) }),
            (None, to) => to.map(|to| Change::Added { to: File::new(to) }),
        })
        .collect();
    let same = total - changes.len();
    (changes, same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &[u8]) -> Entry {
        let kind = EntryKind::File { size: content.len() as u64, digest: Blake3::of(content) };
        Entry { path: TreePath::parse(path.as_bytes()).expect("a path"), kind, mode: 0o644, mtime: 0 }
    }

    #[test]
    fn every_difference_is_told_and_nothing_else() {
        let before = [file("a", b"1"), file("b", b"2"), file("c", b"3")];
        let mut executable = file("c", b"3");
        executable.mode = 0o755;
        let after = [file("b", b"22"), executable, file("d", b"4")];
        let (changes, same) = compare(&before, &after);
        let told: Vec<_> = changes
            .iter()
            .map(|change| match change {
                Change::Added { to } => format!("+{}", to.path),
                Change::Removed { from } => format!("-{}", from.path),
                Change::Changed { from, .. } => format!("~{}", from.path),
            })
            .collect();
        assert_eq!(told, ["-a", "~b", "~c", "+d"]);
        assert_eq!((same, compare(&before, &before)), (0, (Vec::new(), 3)));
    }
}

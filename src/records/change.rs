//! What is to be committed, and what must stand there before.

use std::collections::BTreeMap;

use super::error::{Error, FileAt};
use super::published::{Parts, Published};
use super::{MANIFEST, PACKAGES, RECORD, YANKED};
use crate::model::{ByteSize, ComponentType, PathError, Record, TreePath, Version, Yank, to_canonical_json};

/// Files to be written in one commit.
///
/// Each names the bytes it replaces: where the branch holds other ones by then, the commit is refused and nobody's work
/// is overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a change is nothing until it is committed"]
pub struct Change {
    pub(super) message: String,
    pub(super) files: BTreeMap<TreePath, Edit>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub was: Option<Vec<u8>>,
    pub now: Vec<u8>,
}

impl Change {
    /// A change without files; `body` may be empty.
    pub fn new(subject: &str, body: &str) -> Self {
        // git ends a message at the first NUL.
        let message = format!("{}\n\n{body}", subject.trim()).replace('\0', " ");
        Self { message: format!("{}\n", message.trim()), files: BTreeMap::new() }
    }

    /// One change that does what all of `changes` do, for one commit.
    pub fn all(subject: &str, body: &str, changes: impl IntoIterator<Item = Change>) -> Self {
        let files = changes.into_iter().flat_map(|change| change.files).collect();
        Self { files, ..Self::new(subject, body) }
    }

    /// Adds a trailer to the message.
    pub(super) fn with_trailer(mut self, name: &str, value: &str) -> Self {
        // The trailers are the last paragraph; another one joins them.
        let last = self.message.trim_end().rsplit("\n\n").next().unwrap_or_default();
        let has_trailers = last.lines().all(is_trailer) && self.message.trim_end().contains("\n\n");
        let gap = if has_trailers { "\n" } else { "\n\n" };
        self.message = format!("{}{gap}{name}: {value}\n", self.message.trim_end());
        self
    }

    /// Adds a file, by its path inside the records directory; `was` is what it replaces, `None` for a new file.
    ///
    /// # Errors
    ///
    /// A path that leaves the directory.
    pub fn file(mut self, path: &str, was: Option<Vec<u8>>, now: Vec<u8>) -> Result<Self, PathError> {
        self.files.insert(TreePath::parse(path.as_bytes())?, Edit { was, now });
        Ok(self)
    }

    /// Adds one of the files of a version: a path of this kind is always good.
    fn part(mut self, (kind, version): (&ComponentType, &Version), name: &str, edit: Edit) -> Self {
        let path = TreePath::parse(format!("{PACKAGES}/{kind}/{version}/{name}").as_bytes());
        self.files.insert(path.expect("types and versions are safe names"), edit);
        self
    }
}

/// The change that publishes a version, or adds locations to a published one (`before`). `files` is how many files its package
/// holds, where that is known: the message of the commit says it.
///
/// # Errors
///
/// A record that does not agree with its manifest, or a change of what never changes once published: with `before`, only
/// locations, deltas and unknown fields may be added to the record.
pub fn publish_change(
    manifest_bytes: &[u8],
    record: &Record,
    before: Option<&Published>,
    files: Option<usize>,
) -> Result<Change, Error> {
    let record_bytes = to_canonical_json(record);
    let at = |name: &str| FileAt { commit: None, path: name.to_owned() };
    let parts = Parts {
        record: Some(record_bytes.clone()),
        record_at: at(RECORD),
        manifest: Some(manifest_bytes.to_vec()),
        manifest_at: at(MANIFEST),
        yanked: None,
        yanked_at: at(YANKED),
        signatures: Vec::new(),
        yanked_signatures: Vec::new(),
    };
    let now = parts.check(before.map(|b| (b.component(), b.version())))?;
    if let Some(before) = before {
        let immutable =
            |what| Error::Immutable { what, component: before.component().clone(), version: before.version().clone() };
        if before.manifest_bytes != manifest_bytes {
            return Err(immutable(MANIFEST));
        }
        if !only_adds(&before.record, record) {
            return Err(immutable(RECORD));
        }
    }
    let version = (now.component(), now.version());
    let places: Vec<_> = record.locations.iter().map(|l| l.name.as_str()).collect();
    let verb = if before.is_some() { "add locations of" } else { "publish" };
    let size = now.manifest.package.size;
    let lines = [
        Some(format!("Size: {} ({size} bytes)", ByteSize(size))),
        files.map(|files| format!("Files: {files}")),
        Some(format!("Digest: sha256:{}", now.package_sha256())),
        Some(format!("Targets: {}", places.join(", "))),
    ];
    let body: Vec<_> = lines.into_iter().flatten().collect();
    let change = Change::new(&format!("{verb}: {} {}", version.0, version.1), &body.join("\n"));
    let was = |bytes: fn(&Published) -> &Vec<u8>| before.map(|b| bytes(b).clone());
    Ok(change.part(version, MANIFEST, Edit { was: was(|b| &b.manifest_bytes), now: manifest_bytes.to_vec() }).part(
        version,
        RECORD,
        Edit { was: was(|b| &b.record_bytes), now: record_bytes },
    ))
}

/// Whether git reads a line as a trailer: `Signed-off-by: Mei`.
fn is_trailer(line: &str) -> bool {
    let name = line.split_once(": ").map(|(name, _)| name);
    name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
}

/// Whether `after` holds everything that `before` holds, and adds nothing but locations and unknown fields.
pub(super) fn only_adds(before: &Record, after: &Record) -> bool {
    let mut stripped = after.clone();
    stripped.locations.clone_from(&before.locations);
    stripped.deltas.clone_from(&before.deltas);
    stripped.extra.retain(|key, _| before.extra.contains_key(key));
    let keeps = before.deltas.iter().all(|old| after.deltas.contains(old));
    stripped == *before && keeps && before.locations.iter().all(|old| after.locations.contains(old))
}

/// The change that withdraws a version. Manifest and record stay as they are.
///
/// # Errors
///
/// It was withdrawn before: the first note stands.
pub fn yank_change(published: &Published, yank: &Yank) -> Result<Change, Error> {
    let version = (published.component(), published.version());
    if published.yanked.is_some() {
        return Err(Error::Immutable { what: YANKED, component: version.0.clone(), version: version.1.clone() });
    }
    Ok(Change::new(&format!("yank: {} {}", version.0, version.1), &yank.reason).part(
        version,
        YANKED,
        Edit { was: None, now: to_canonical_json(yank) },
    ))
}

//! The content of a package as a list of entries, and its digest: the identity that outlives any compression.
//!
//! # Tree digest, format 1 (promised for ever)
//!
//! BLAKE3 in key-derivation mode, context `deploy-tool 2026 tree digest v1`, over the entries in the order of the
//! tar stream (depth-first, names sorted bytewise within each directory). All integers are little-endian u64 but
//! `kind` (one byte) and `mtime` (i64); `text` is its length and its bytes:
//!
//! ```text
//! entry = kind · text(path) · mode · mtime · rest
//! kind  = 'd' directory   rest = nothing
//!         'f' file        rest = size · BLAKE3 of the content (32 bytes)
//!         'l' symlink     rest = text(target)
//!         'h' hard link   rest = text(path of the first name)
//! ```

use super::{Blake3, TreePath};

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Length in bytes.
        size: u64,
        /// BLAKE3 of the content.
        digest: Blake3,
    },
    /// A symbolic link; the target is kept as it is.
    Symlink {
        /// The bytes the link holds.
        target: Vec<u8>,
    },
    /// Another name of a file that came earlier.
    HardLink {
        /// The first name.
        to: TreePath,
    },
}

/// One entry of a package's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies.
    pub path: TreePath,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits: 0755 or 0644; 0777 for symbolic links.
    pub mode: u32,
    /// Modification time in seconds after 1970.
    pub mtime: i64,
}

/// Computes the tree digest from entries in stream order.
#[derive(Clone)]
pub struct TreeHasher {
    hasher: blake3::Hasher,
    /// Bytes that wait to be hashed together: BLAKE3 is many times faster on long inputs.
    waiting: Vec<u8>,
}

/// So many bytes are hashed at once.
const TOGETHER: usize = 1 << 16;

impl Default for TreeHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl TreeHasher {
    /// A hasher that has seen no entry.
    pub fn new() -> Self {
        let hasher = blake3::Hasher::new_derive_key("deploy-tool 2026 tree digest v1");
        Self { hasher, waiting: Vec::new() }
    }

    /// Takes the next entry in.
    pub fn add(&mut self, entry: &Entry) {
        let kind = match &entry.kind {
            EntryKind::Directory => b'd',
            EntryKind::File { .. } => b'f',
            EntryKind::Symlink { .. } => b'l',
            EntryKind::HardLink { .. } => b'h',
        };
        self.waiting.push(kind);
        self.text(entry.path.as_bytes());
        self.waiting.extend_from_slice(&u64::from(entry.mode).to_le_bytes());
        self.waiting.extend_from_slice(&entry.mtime.to_le_bytes());
        match &entry.kind {
            EntryKind::Directory => {}
            EntryKind::File { size, digest } => {
                self.waiting.extend_from_slice(&size.to_le_bytes());
                self.waiting.extend_from_slice(digest.as_bytes());
            }
            EntryKind::Symlink { target } => self.text(target),
            EntryKind::HardLink { to } => self.text(to.as_bytes()),
        }
        if self.waiting.len() >= TOGETHER {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
    }

    /// The digest of all entries taken in.
    pub fn finish(mut self) -> Blake3 {
        self.hasher.update(&self.waiting);
        Blake3::from_bytes(*self.hasher.finalize().as_bytes())
    }

    fn text(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.waiting.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &[u8]) -> Entry {
        let path = TreePath::parse(path.as_bytes()).expect("a path");
        let kind = EntryKind::File { size: content.len() as u64, digest: Blake3::of(content) };
        Entry { path, kind, mode: 0o644, mtime: 315_532_800 }
    }

    fn digest(entries: &[Entry]) -> Blake3 {
        let mut hasher = TreeHasher::new();
        entries.iter().for_each(|e| hasher.add(e));
        hasher.finish()
    }

    #[test]
    fn every_field_counts() {
        let base = file("a", b"x");
        let changes: [fn(&mut Entry); 5] = [
            |e| e.mode = 0o755,
            |e| e.mtime += 1,
            |e| e.path = TreePath::parse(b"b").expect("a path"),
            |e| e.kind = EntryKind::Directory,
            |e| e.kind = EntryKind::Symlink { target: b"x".to_vec() },
        ];
        for change in changes {
            let mut other = base.clone();
            change(&mut other);
            assert_ne!(digest(std::slice::from_ref(&base)), digest(&[other]));
        }
    }

    #[test]
    fn the_format_never_changes() {
        assert_eq!(
            digest(&[file("a", b"x")]).to_string(),
            "a4905cc12333344f82c3a585610dfac3a20a322fdb928071051a3fcbc4706819"
        );
    }
}

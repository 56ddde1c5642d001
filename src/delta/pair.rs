//! Which old file a new one comes from.

use std::collections::{HashMap, HashSet};

use crate::model::{Blake3, EntryKind, Index};

/// A new file that the base has not, and what it was there.
pub(super) struct Changed {
    /// Its entry in the target.
    pub entry: u32,
    /// Its length in bytes.
    pub size: u64,
    /// The entry of its counterpart in the base.
    pub old: Option<u32>,
}

/// What there is to do, and what there is to do it with.
pub(super) struct Pairs {
    /// The files that are new, in the order of the target.
    pub changed: Vec<Changed>,
    /// Files of the base that the target has not, by entry: counterparts, and what vanished.
    pub gone: Vec<u32>,
}

struct File<'a> {
    entry: u32,
    path: &'a [u8],
    size: u64,
    digest: Blake3,
}

fn files(index: &Index) -> Vec<File<'_>> {
    let file = |(number, item): (usize, &'_ crate::model::IndexEntry)| match item.entry.kind {
        EntryKind::File { size, digest } => Some((number as u32, size, digest)),
        _ => None,
    };
    let path = |number: u32| index.entries[number as usize].entry.path.as_bytes();
    let found = index.entries.iter().enumerate().filter_map(file);
    found.map(|(entry, size, digest)| File { entry, path: path(entry), size, digest }).collect()
}

/// Pairs each new file with an old one: of the same path, else of the same path but for numbers in it
/// (`X-1.0.dist-info`, `X-1.1.dist-info`), else of the same name and about the same size. The last two only with files
/// that are gone.
pub(super) fn pair(base: &Index, target: &Index) -> Pairs {
    let (olds, news) = (files(base), files(target));
    let old_contents: HashSet<(u64, Blake3)> = olds.iter().map(|file| (file.size, file.digest)).collect();
    let new_contents: HashSet<(u64, Blake3)> = news.iter().map(|file| (file.size, file.digest)).collect();
    let by_path: HashMap<&[u8], &File<'_>> = olds.iter().map(|file| (file.path, file)).collect();
    let new_paths: HashSet<&[u8]> = news.iter().map(|file| file.path).collect();
    let gone: Vec<&File<'_>> = olds.iter().filter(|old| !new_contents.contains(&(old.size, old.digest))).collect();
    let (mut by_shape, mut by_name) = (HashMap::new(), HashMap::<&[u8], Vec<&File<'_>>>::new());
    for old in gone.iter().filter(|old| !new_paths.contains(old.path)) {
        by_shape.entry(without_numbers(old.path)).or_insert(*old);
        by_name.entry(name(old.path)).or_default().push(old);
    }
    let mut changed = Vec::new();
    for new in news.iter().filter(|new| new.size > 0 && !old_contents.contains(&(new.size, new.digest))) {
        let old = by_path.get(new.path).copied();
        let old = old.or_else(|| by_shape.get(&without_numbers(new.path)).copied());
        let old = old.or_else(|| {
            let near =
                by_name.get(name(new.path))?.iter().filter(|old| old.size / 2 <= new.size && new.size <= old.size * 2);
            near.min_by_key(|old| (old.size.abs_diff(new.size), old.entry)).copied()
        });
        changed.push(Changed {
            entry: new.entry,
            size: new.size,
            old: old.filter(|old| old.size > 0).map(|old| old.entry),
        });
    }
    Pairs { changed, gone: gone.iter().filter(|old| old.size > 0).map(|old| old.entry).collect() }
}

/// The path with each number, and numbers joined by dots, as one `#`.
fn without_numbers(path: &[u8]) -> Vec<u8> {
    let mut shape = Vec::with_capacity(path.len());
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        if !byte.is_ascii_digit() {
            shape.push(*byte);
            at += 1;
            continue;
        }
        shape.push(b'#');
        while path.get(at).is_some_and(|b| b.is_ascii_digit())
            || path.get(at) == Some(&b'.') && path.get(at + 1).is_some_and(|b| b.is_ascii_digit())
        {
            at += 1;
        }
    }
    shape
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_paths_do_not_matter() {
        let same = |a: &str, b: &str| without_numbers(a.as_bytes()) == without_numbers(b.as_bytes());
        assert!(same("pandas-2.2.2.dist-info/RECORD", "pandas-2.2.10.dist-info/RECORD"));
        assert!(same("lib/libonnx.so.1.18.1", "lib/libonnx.so.1.19"));
        assert!(!same("a-1.dist-info/RECORD", "b-1.dist-info/RECORD"));
        assert!(!same("a1", "a1b"));
    }
}

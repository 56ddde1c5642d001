//! The rules that make a list of entries a tree: each is checked when an archive or index is read, before anything
//! is written.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::{Entry, EntryKind, TreePath};

/// Why an entry cannot stand in a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The path came before.
    #[error("`{path}` appears twice")]
    Duplicate {
        /// The path.
        path: TreePath,
    },
    /// Something above the path is a file.
    #[error("`{path}` lies below `{above}`, which is a file")]
    BelowFile {
        /// The path.
        path: TreePath,
        /// The file.
        above: TreePath,
    },
    /// Something above the path is a symbolic link.
    #[error("`{path}` lies below `{above}`, which is a symbolic link")]
    BelowLink {
        /// The path.
        path: TreePath,
        /// The link.
        above: TreePath,
    },
    /// A symbolic link leads out of the tree, or might.
    #[error("the symbolic link `{path}` -> `{}` leaves the tree", target.escape_ascii())]
    LinkLeaves {
        /// The link.
        path: TreePath,
        /// What it holds.
        target: Vec<u8>,
    },
    /// A hard link names no file that came before.
    #[error("the hard link `{path}` names `{to}`, which is no file that came before it")]
    NoFirstName {
        /// The hard link.
        path: TreePath,
        /// What it names.
        to: TreePath,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// Only implied by a path below it; its own entry may still come.
    Implied,
    Directory,
    File,
    Link,
}

/// Whether entries in the order of a walk, with every directory named, form a tree. `false` means no more than that
/// [`Shape`] has to look: it finds the same and says why, with a table of all paths.
pub(super) fn is_plain_walk<'a, E: Fn(usize) -> &'a Entry>(count: usize, entry: E) -> bool {
    (0..count).all(|number| {
        let Entry { path, kind, .. } = entry(number);
        let before = number.checked_sub(1).map(&entry);
        // Neighbours in order cannot be equal, so nothing appears twice.
        let placed = match before {
            None => path.components().count() == 1,
            Some(before) => {
                before.path.walk_order(path) == Ordering::Less
                    && (path.shares_directory(&before.path)
                        || before.kind == EntryKind::Directory && path.is_in(&before.path))
            }
        };
        let leads = match kind {
            EntryKind::Directory | EntryKind::File { .. } => true,
            EntryKind::Symlink { target } => path.link_stays_inside(target),
            EntryKind::HardLink { to } => {
                let (mut low, mut high) = (0, number);
                while low < high {
                    let middle = low + (high - low) / 2;
                    match entry(middle).path.walk_order(to) {
                        Ordering::Less => low = middle + 1,
                        _ => high = middle,
                    }
                }
                let first = entry(low);
                low < number && first.path == *to && matches!(first.kind, EntryKind::File { .. })
            }
        };
        placed && leads
    })
}

/// The paths seen so far.
#[derive(Default)]
pub struct Shape {
    seen: HashMap<TreePath, Mark>,
    /// The directory the last entry was in, which is in `seen`: the next one is mostly in it too.
    last: Option<TreePath>,
}

impl Shape {
    /// A shape that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next entry in. Returns the directories above it that no entry named, from the top down: whoever
    /// writes the tree has to make them.
    ///
    /// # Errors
    ///
    /// The rule the entry breaks; the shape is then of no further use.
    pub fn admit(&mut self, path: &TreePath, kind: &EntryKind) -> Result<Vec<TreePath>, ShapeError> {
        let mut implied = Vec::new();
        let mut above = if self.last.as_ref().is_some_and(|last| path.is_in(last)) { None } else { path.parent() };
        if above.is_some() {
            self.last.clone_from(&above);
        }
        while let Some(parent) = above {
            match self.seen.get(&parent) {
                Some(Mark::Directory | Mark::Implied) => break,
                Some(Mark::File) => return Err(ShapeError::BelowFile { path: path.clone(), above: parent }),
                Some(Mark::Link) => return Err(ShapeError::BelowLink { path: path.clone(), above: parent }),
                None => {
                    above = parent.parent();
                    implied.push(parent);
                }
            }
        }
        implied.reverse();
        for parent in &implied {
            self.seen.insert(parent.clone(), Mark::Implied);
        }
        let mark = match kind {
            EntryKind::Directory => Mark::Directory,
            EntryKind::File { .. } => Mark::File,
            EntryKind::Symlink { target } if !path.link_stays_inside(target) => {
                return Err(ShapeError::LinkLeaves { path: path.clone(), target: target.clone() });
            }
            EntryKind::Symlink { .. } => Mark::Link,
            EntryKind::HardLink { to } => match self.seen.get(to) {
                Some(Mark::File) => Mark::File,
                _ => return Err(ShapeError::NoFirstName { path: path.clone(), to: to.clone() }),
            },
        };
        match self.seen.insert(path.clone(), mark) {
            None => Ok(implied),
            Some(Mark::Implied) if mark == Mark::Directory => Ok(implied),
            Some(_) => Err(ShapeError::Duplicate { path: path.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Blake3;
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::parse(text.as_bytes()).expect("a path")
    }

    fn file() -> EntryKind {
        EntryKind::File { size: 0, digest: Blake3::of(b"") }
    }

    fn link(target: &str) -> EntryKind {
        EntryKind::Symlink { target: target.into() }
    }

    #[test]
    fn implied_directories_are_told_once_and_may_be_named_later() {
        let mut shape = Shape::new();
        assert_eq!(shape.admit(&path("a/b/c"), &file()), Ok(vec![path("a"), path("a/b")]));
        assert_eq!(shape.admit(&path("a/b/d"), &file()), Ok(vec![]));
        assert_eq!(shape.admit(&path("a"), &EntryKind::Directory), Ok(vec![]));
        assert_eq!(shape.admit(&path("a"), &EntryKind::Directory), Err(ShapeError::Duplicate { path: path("a") }));
    }

    #[test]
    fn each_rule_is_kept() {
        let admit = |entries: &[(&str, EntryKind)]| {
            let mut shape = Shape::new();
            entries.iter().try_for_each(|(p, kind)| shape.admit(&path(p), kind).map(|_| ()))
        };
        let (p, above) = (path("a/b"), path("a"));
        assert_eq!(
            admit(&[("a", file()), ("a/b", file())]),
            Err(ShapeError::BelowFile { path: p.clone(), above: above.clone() })
        );
        assert_eq!(admit(&[("a", link("x")), ("a/b", file())]), Err(ShapeError::BelowLink { path: p, above }));
        assert!(matches!(admit(&[("a", link("../x"))]), Err(ShapeError::LinkLeaves { .. })));
        assert!(matches!(admit(&[("a", link("/x"))]), Err(ShapeError::LinkLeaves { .. })));
        let hard = |to| EntryKind::HardLink { to: path(to) };
        assert!(matches!(admit(&[("a", hard("b")), ("b", file())]), Err(ShapeError::NoFirstName { .. })));
        assert!(matches!(admit(&[("a", link("x")), ("b", hard("a"))]), Err(ShapeError::NoFirstName { .. })));
        assert_eq!(admit(&[("a", file()), ("b", hard("a")), ("c", hard("b"))]), Ok(()));
        assert!(matches!(admit(&[("a/b", file()), ("a", file())]), Err(ShapeError::Duplicate { .. })));
    }

    /// Entries over few names, so that they meet: by order, by depth, by kind.
    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let name = prop_oneof![Just("a"), Just("a.b"), Just("b")];
        let path = proptest::collection::vec(name, 1..4).prop_map(|names| path(&names.join("/")));
        let kind = (0u8..6, path.clone()).prop_map(|(kind, to)| match kind {
            0..3 => EntryKind::Directory,
            3 => file(),
            4 => link("../b"),
            _ => EntryKind::HardLink { to },
        });
        let entry = (path, kind).prop_map(|(path, kind)| Entry { path, kind, mode: 0o755, mtime: 0 });
        (proptest::collection::vec(entry, 0..6), any::<bool>()).prop_map(|(mut entries, sorted)| {
            if sorted {
                entries.sort_by(|a, b| a.path.walk_order(&b.path));
            }
            entries
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

        #[test]
        fn the_short_way_allows_nothing_that_the_long_way_refuses(entries in entries()) {
            let mut shape = Shape::new();
            let long = entries.iter().try_for_each(|e| shape.admit(&e.path, &e.kind).map(|_| ()));
            prop_assert!(!is_plain_walk(entries.len(), |n| &entries[n]) || long.is_ok());
        }
    }
}

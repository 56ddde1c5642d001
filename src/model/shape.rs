//! The rules that make a list of entries a tree: each is checked when an archive or index is read, before anything
//! is written.

use std::collections::HashMap;

use super::{EntryKind, TreePath};

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

/// The paths seen so far.
#[derive(Default)]
pub struct Shape {
    seen: HashMap<TreePath, Mark>,
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
        let mut above = path.parent();
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
}

//! Paths inside a package's tree: relative, of any bytes but NUL, and unable to leave the tree.

use std::fmt;

/// The longest path of an entry, in bytes; the same limit holds for packing and for reading.
pub const MAX_PATH_BYTES: usize = 4096;
const MAX_NAME_BYTES: usize = 255;

/// Why bytes are not a path of an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No bytes, or only slashes and dots that mean the tree itself.
    #[error("the path is empty")]
    Empty,
    /// Begins with `/`.
    #[error("the path is absolute")]
    Absolute,
    /// Has a `..` component.
    #[error("the path has a `..` component")]
    Parent,
    /// Has a NUL byte.
    #[error("the path has a NUL byte")]
    Nul,
    /// More than [`MAX_PATH_BYTES`] bytes.
    #[error("the path has {0} bytes, more than 4096")]
    TooLong(usize),
    /// A component of more than 255 bytes, which no common file system stores.
    #[error("the path has a component of {0} bytes, more than 255")]
    NameTooLong(usize),
}

/// A path below a tree's top: components of any bytes but NUL and `/`, none of them empty, `.` or `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Vec<u8>);

impl TreePath {
    /// Reads a path as an archive spells it: repeated slashes, `.` components and a trailing slash are folded away.
    ///
    /// # Errors
    ///
    /// Anything that is not a path below the top.
    pub fn parse(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.contains(&0) {
            return Err(PathError::Nul);
        }
        if bytes.first() == Some(&b'/') {
            return Err(PathError::Absolute);
        }
        let mut out = Vec::with_capacity(bytes.len());
        for name in bytes.split(|b| *b == b'/') {
            match name {
                b"" | b"." => continue,
                b".." => return Err(PathError::Parent),
                _ if name.len() > MAX_NAME_BYTES => return Err(PathError::NameTooLong(name.len())),
                _ => {}
            }
            if !out.is_empty() {
                out.push(b'/');
            }
            out.extend_from_slice(name);
        }
        match out.len() {
            0 => Err(PathError::Empty),
            n if n > MAX_PATH_BYTES => Err(PathError::TooLong(n)),
            _ => Ok(Self(out)),
        }
    }

    /// The bytes, components separated by `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The components, from the top down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|b| *b == b'/')
    }

    /// The directory this path is in; `None` for one at the top.
    pub fn parent(&self) -> Option<TreePath> {
        let slash = self.0.iter().rposition(|b| *b == b'/')?;
        Some(Self(self.0[..slash].to_vec()))
    }

    /// Whether this path lies directly in `directory`.
    pub fn is_in(&self, directory: &TreePath) -> bool {
        let rest = self.0.strip_prefix(&directory.0[..]).and_then(|rest| rest.strip_prefix(b"/"));
        rest.is_some_and(|name| !name.contains(&b'/'))
    }

    /// Whether the directory this path is in is one of those `other` is in.
    pub fn shares_directory(&self, other: &TreePath) -> bool {
        match self.0.iter().rposition(|b| *b == b'/') {
            None => true,
            Some(slash) => other.0.get(..=slash) == self.0.get(..=slash),
        }
    }

    /// The order of a walk: depth-first, names bytewise within each directory.
    pub fn walk_order(&self, other: &TreePath) -> std::cmp::Ordering {
        // A slash comes before every other byte, because what is below a directory comes before its neighbours.
        let key = |b: &u8| if *b == b'/' { 0 } else { *b };
        let same = self.0.iter().zip(&other.0).take_while(|(a, b)| a == b).count();
        self.0[same..].iter().map(key).cmp(other.0[same..].iter().map(key))
    }

    /// Whether a symbolic link at this path with this target stays inside the tree.
    ///
    /// The rule needs no look at the tree: relative, and `..` only at the beginning and no more often than this path
    /// is deep. The directories above a link are real ones, so the leading `..` land inside; names after them
    /// pass only through links that themselves obey the rule. (`x/..` is refused: where `x` is a link it would
    /// climb from where `x` leads.)
    pub fn link_stays_inside(&self, target: &[u8]) -> bool {
        if target.first() == Some(&b'/') || target.is_empty() || target.contains(&0) {
            return false;
        }
        let depth = self.components().count() - 1;
        let mut names = target.split(|b| *b == b'/').filter(|n| !matches!(*n, b"" | b".")).peekable();
        let mut climbs = 0;
        while names.next_if(|n| *n == b"..").is_some() {
            climbs += 1;
        }
        climbs <= depth && names.all(|n| n != b"..")
    }
}

impl fmt::Display for TreePath {
    /// The path for people: bytes that are not UTF-8 and control characters are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
            }
            chunk.invalid().iter().try_for_each(|b| write!(f, "\\x{b:02x}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreePath({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_spellings_and_refuses_escapes() {
        let parse = TreePath::parse;
        assert_eq!(parse(b"./a//b/./c/").map(|p| p.as_bytes().to_vec()), Ok(b"a/b/c".to_vec()));
        assert_eq!(parse(b"a/../b"), Err(PathError::Parent));
        assert_eq!(parse(b"/etc/passwd"), Err(PathError::Absolute));
        assert_eq!(parse(b"a\0b"), Err(PathError::Nul));
        assert_eq!(parse(b"./"), Err(PathError::Empty));
        assert_eq!(parse(&[b'a'; 256]), Err(PathError::NameTooLong(256)));
        assert_eq!(parse(b"a\xff\n").expect("any bytes").to_string(), "a\\xff\\n");
    }

    #[test]
    fn knows_what_lies_directly_in_a_directory() {
        let path = |text: &str| TreePath::parse(text.as_bytes()).expect("a path");
        assert!(path("a/b/c").is_in(&path("a/b")));
        assert!(!path("a/b/c").is_in(&path("a")));
        assert!(!path("ab/c").is_in(&path("a")));
        assert!(!path("a").is_in(&path("a")));
        assert!(path("x").shares_directory(&path("a/b/c")) && path("a/x").shares_directory(&path("a/b/c")));
        assert!(!path("a/b/c/x").shares_directory(&path("a/b/c")) && !path("a/x").shares_directory(&path("ab/c")));
    }

    #[test]
    fn a_walk_goes_down_before_it_goes_on() {
        let mut paths: Vec<_> =
            ["b", "a/z", "a.b", "a", "a/b/c", "a/b", "a!"].map(|p| TreePath::parse(p.as_bytes())).into();
        paths.sort_by(|a, b| match (a, b) {
            (Ok(a), Ok(b)) => a.walk_order(b),
            _ => panic!("paths"),
        });
        let walked: Vec<_> = paths.into_iter().map(|p| p.expect("a path").to_string()).collect();
        assert_eq!(walked, ["a", "a/b", "a/b/c", "a/z", "a!", "a.b", "b"]);
    }

    #[test]
    fn links_may_not_climb_out() {
        let link = TreePath::parse(b"a/b/link").expect("a path");
        assert!(link.link_stays_inside(b"../../top"));
        assert!(link.link_stays_inside(b"./c/d"));
        assert!(!link.link_stays_inside(b"x/../y"));
        assert!(!link.link_stays_inside(b"../../../top"));
        assert!(!link.link_stays_inside(b"/etc"));
        assert!(!link.link_stays_inside(b"../../../a/b"));
    }
}

//! Pattern lists of OpenSSH (`match.c`, PATTERNS in ssh_config(5)): `*` and `?` in names with commas between; a name
//! that an entry with `!` matches is out, whatever the others say.

use crate::model::matches_pattern;

/// A list as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PatternList(String);

impl PatternList {
    /// The list of this text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn entries(&self) -> impl Iterator<Item = &str> {
        self.0.split(',')
    }

    /// Whether the list is for `name`.
    pub fn matches(&self, name: &str) -> bool {
        let denied = |entry: &str| entry.strip_prefix('!').is_some_and(|pattern| matches_pattern(pattern, name));
        !self.entries().any(denied)
            && self.entries().any(|entry| !entry.starts_with('!') && matches_pattern(entry, name))
    }

    /// Whether it is a plain list of names.
    pub fn is_plain(&self) -> bool {
        !self.0.contains(['*', '?', '!'])
    }

    /// Whether one name may be meant by both lists; of a list with patterns every name may be meant.
    pub fn may_share_a_name_with(&self, other: &Self) -> bool {
        !self.is_plain() || !other.is_plain() || self.entries().any(|name| other.entries().any(|theirs| theirs == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_openssh_has_them() {
        for (list, name, is) in [
            ("mei@example.org", "mei@example.org", true),
            ("mei@example.org", "Mei@example.org", false),
            ("*@example.org", "mei@example.org", true),
            ("*@example.org,!li@example.org", "li@example.org", false),
            ("!li@example.org,*@example.org", "mei@example.org", true),
            ("!li@example.org", "mei@example.org", false),
            ("a,b", "b", true),
            ("a,b", "a,b", false),
        ] {
            assert_eq!(PatternList::new(list).matches(name), is, "{list} {name}");
        }
    }
}

//! Markdown that says what it is meant to say, whatever the names in it are.
//!
//! The dialect is GitHub's (tables, `<details>`), which GitLab, Gitea and Forgejo read too. A name is always code: there
//! nothing is a mention, a reference to an issue or a link. One that backticks cannot hold safely stands in `<code>` with
//! every sign as a numeric entity, which ends neither a cell nor an element (CommonMark 0.31, 2.5).

use std::fmt::Write as _;

use crate::model::ByteSize;

/// The most characters of a name that are shown.
const LONGEST: usize = 200;

/// What one version has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it is: `file`, `directory`, `symlink`, `hard-link`.
    pub kind: &'static str,
    /// Its permission bits, as an octal text.
    pub mode: String,
    /// A file's length in bytes.
    pub size: Option<u64>,
    /// What a link leads to.
    pub target: Option<String>,
}

/// How a path differs between two versions; it is on one side at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The path.
    pub path: String,
    /// What the first version has there.
    pub was: Option<Seen>,
    /// What the second version has there.
    pub is: Option<Seen>,
}

/// How the trees of two versions differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// Every path that differs, in order of path.
    pub differences: Vec<Difference>,
    /// How many paths are the same.
    pub same: usize,
}

impl Files {
    /// How many there are in words, as a sentence.
    pub(super) fn sentence(&self) -> String {
        let count = |which: fn(&Difference) -> bool| self.differences.iter().filter(|d| which(d)).count();
        let added = count(|d| d.was.is_none());
        let removed = count(|d| d.is.is_none());
        let changed = self.differences.len() - added - removed;
        format!("Files: {added} added, {removed} removed, {changed} changed, {} the same.", self.same)
    }

    /// The differences as a table, at most `limit` of them.
    pub(super) fn table(&self, limit: usize) -> String {
        let mut table = String::from("| change | path | was | is |\n|---|---|---|---|\n");
        for difference in self.differences.iter().take(limit) {
            let change = match (&difference.was, &difference.is) {
                (None, _) => "added",
                (_, None) => "removed",
                _ => "changed",
            };
            let (was, is) = (words(difference.was.as_ref(), difference), words(difference.is.as_ref(), difference));
            let _ = writeln!(table, "| {change} | {} | {was} | {is} |", code(&difference.path));
        }
        if self.differences.len() > limit {
            let _ = writeln!(table, "\n{} more are not shown.", self.differences.len() - limit);
        }
        table
    }
}

/// What differs between two versions, as a document of its own.
pub fn differences(from: &str, to: &str, files: &Files, limit: usize) -> String {
    let head = format!("### {} → {}\n\n{}\n", code(from), code(to), files.sentence());
    match files.differences.is_empty() {
        true => head,
        false => format!("{head}\n{}", files.table(limit)),
    }
}

/// What stands at a path; its bits where nothing else differs.
fn words(seen: Option<&Seen>, difference: &Difference) -> String {
    let Some(seen) = seen else { return String::new() };
    let mut words = match (seen.size, &seen.target) {
        (Some(size), _) => ByteSize(size).to_string(),
        (None, Some(target)) => format!("{} to {}", seen.kind, code(target)),
        (None, None) => seen.kind.to_owned(),
    };
    let modes = difference.was.as_ref().zip(difference.is.as_ref());
    if modes.is_some_and(|(was, is)| was.mode != is.mode) {
        let _ = write!(words, ", mode {}", seen.mode);
    }
    words
}

/// A name as code, which means nothing but itself, in a table too.
pub fn code(name: &str) -> String {
    let mut shown: String = name.chars().take(LONGEST).flat_map(visible).collect();
    if name.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    // In backticks only these are special: a backtick, and what ends or escapes a cell.
    let plain = |c: char| c.is_alphanumeric() || " -_.,:;/+=@~^%#()[]{}<>*!?&'\"$…".contains(c);
    if !shown.trim().is_empty() && shown.chars().all(plain) {
        return format!("`{shown}`");
    }
    let mut out = String::from("<code>");
    for c in shown.chars() {
        match c.is_alphanumeric() {
            true => out.push(c),
            false => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
        }
    }
    out + "</code>"
}

/// A character that can be seen; what cannot, or turns the text around, as its number.
fn visible(c: char) -> Vec<char> {
    let turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    match c.is_control() || turns {
        true => c.escape_unicode().collect(),
        false => vec![c],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_code_and_nothing_else() {
        assert_eq!(code("models/bert_base/v1.0+x.json"), "`models/bert_base/v1.0+x.json`");
        assert_eq!(code("@everyone #1 https://evil.example.org"), "`@everyone #1 https://evil.example.org`");
        assert_eq!(code("a|b"), "<code>a&#124;b</code>");
        assert_eq!(code("a\\|b"), "<code>a&#92;&#124;b</code>");
        assert_eq!(code("` <img src=x> `"), "<code>&#96;&#32;&#60;img&#32;src&#61;x&#62;&#32;&#96;</code>");
        assert_eq!(code("</code>"), "`</code>`");
        assert_eq!(code("</code>`"), "<code>&#60;&#47;code&#62;&#96;</code>");
        assert_eq!(code("a\n\n# b"), "<code>a&#92;u&#123;a&#125;&#92;u&#123;a&#125;&#35;&#32;b</code>");
        assert_eq!(code("abc\u{202e}txt.exe"), "<code>abc&#92;u&#123;202e&#125;txt&#46;exe</code>");
        assert_eq!(code(""), "<code></code>");
        assert_eq!(code(&"x".repeat(300)).chars().count(), 200 + 3);
        assert_eq!(code("模型/词表.txt"), "`模型/词表.txt`");
    }

    #[test]
    fn no_text_leaves_its_code() {
        // Whatever a name holds, a line has the four cells of its row and no element that was not meant.
        let signs = ["|", "`", "\\", "<", ">", "\n", "\r", "&", "*", "_", "]", "[", "(", "!", "$", "~", "\"", "'", "a"];
        let mut state = 1u64;
        for _ in 0..5_000 {
            let mut name = String::new();
            for _ in 0..8 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                name.push_str(signs[(state >> 33) as usize % signs.len()]);
            }
            let inner = code(&name);
            let inner = inner.strip_prefix("<code>").and_then(|rest| rest.strip_suffix("</code>"));
            match inner {
                Some(inner) => assert!(inner.chars().all(|c| c.is_alphanumeric() || "&#;".contains(c)), "{name:?}"),
                None => {
                    assert!(!code(&name)[1..].trim_end_matches('`').contains(['`', '|', '\\', '\n']), "{name:?}")
                }
            }
        }
    }
}

//! Versions: safe literals with one total order.
//!
//! The order is semver's where both parse as semver, and natural order (numbers by value) elsewhere; it is total
//! and transitive over any mixture, because one key serves both:
//!
//! ```text
//! key = release tokens · rank (pre-release 0, plain 1, other suffix 2) · suffix tokens · the literal
//! ```
//!
//! Source of the semver part: semver.org 2.0.0, section 11.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const MAX_BYTES: usize = 128;

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The empty text.
    #[error("a version is not empty")]
    Empty,
    /// More than 128 bytes.
    #[error("a version has at most 128 bytes, not {0}")]
    TooLong(usize),
    /// A character outside `[A-Za-z0-9._+-]`.
    #[error("`{0}` is not allowed in a version")]
    Character(char),
    /// Begins with `.` or `-`.
    #[error("a version does not begin with `{0}`")]
    Start(char),
    /// `current` and `latest` mean something else.
    #[error("`{0}` is a reserved word, not a version")]
    Reserved(String),
}

/// The version of a component: `1.0.0`, `3.10.12`, `2024.01.20`, `v3`.
///
/// A safe directory name: `[A-Za-z0-9._+-]`, at most 128 bytes, not starting with `.` or `-`, and not `current`
/// or `latest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

const PATTERN: &str = r"^[A-Za-z0-9_+][A-Za-z0-9._+-]{0,127}$";

impl Version {
    /// The literal as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The semver reading of this literal for range requirements: a leading `v`, missing minor or patch numbers
    /// and leading zeros are forgiven (`v3` is 3.0.0, `2024.01.20` is 2024.1.20). `None` where no reading exists.
    pub fn to_semver(&self) -> Option<semver::Version> {
        if let Ok(version) = semver::Version::parse(&self.0) {
            return Some(version);
        }
        let text = self.0.strip_prefix('v').unwrap_or(&self.0);
        let end = text.find(['-', '+']).unwrap_or(text.len());
        let (release, rest) = text.split_at(end);
        let mut numbers = release.split('.').map(|n| n.parse::<u64>().ok()).collect::<Option<Vec<_>>>()?;
        if numbers.len() > 3 {
            return None;
        }
        numbers.resize(3, 0);
        semver::Version::parse(&format!("{}.{}.{}{rest}", numbers[0], numbers[1], numbers[2])).ok()
    }

    /// Whether the literal is a semver pre-release (`1.0.0-rc.1`).
    pub fn is_prerelease(&self) -> bool {
        semver::Version::parse(&self.0).is_ok_and(|v| !v.pre.is_empty())
    }

    /// The version after this one when content changed: the last number of the release part plus one, anything
    /// behind it dropped (`1.0.0` → `1.0.1`, `v3` → `v4`, `1.2.0-rc.1` → `1.2.1`). A literal without a number
    /// gets `.1`.
    pub fn next_patch(&self) -> Version {
        let end = self.0.find(['-', '+']).unwrap_or(self.0.len());
        let release = &self.0[..end];
        let next = match release.rfind(|c: char| c.is_ascii_digit()) {
            None => format!("{release}.1"),
            Some(last) => {
                let start = release[..last].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |i| i + 1);
                format!("{}{}", &release[..start], increment(&release[start..=last]))
            }
        };
        next.parse().unwrap_or_else(|_| self.clone())
    }

    fn key(&self) -> (Vec<Token<'_>>, u8, Vec<Token<'_>>, &str) {
        let semver = semver::Version::parse(&self.0).is_ok();
        let plain = if semver { self.0.split('+').next().unwrap_or("") } else { &self.0 };
        let (release, suffix) = match plain.find(['-', '+']) {
            Some(i) => (&plain[..i], Some(&plain[i + 1..])),
            None => (plain, None),
        };
        let release =
            release.strip_prefix('v').filter(|r| r.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(release);
        let rank = match (suffix, semver) {
            (Some(_), true) => 0,
            (None, _) => 1,
            (Some(_), false) => 2,
        };
        let suffix = suffix.map_or(Vec::new(), |s| if semver { identifiers(s) } else { tokens(s) });
        (tokens(release), rank, suffix, &self.0)
    }
}

fn increment(digits: &str) -> String {
    let mut out: Vec<u8> = digits.bytes().collect();
    for d in out.iter_mut().rev() {
        if *d < b'9' {
            *d += 1;
            return String::from_utf8_lossy(&out).into_owned();
        }
        *d = b'0';
    }
    format!("1{}", String::from_utf8_lossy(&out))
}

/// One run of digits (compared by value, any length) or of anything else; numbers sort before text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Token<'a> {
    Number(usize, &'a str),
    Text(&'a str),
}

fn number(digits: &str) -> Token<'_> {
    let digits = digits.trim_start_matches('0');
    Token::Number(digits.len(), digits)
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    for part in text.split('.') {
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let digit = first.is_ascii_digit();
            let end = rest.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(rest.len());
            let (run, tail) = rest.split_at(end);
            out.push(if digit { number(run) } else { Token::Text(run) });
            rest = tail;
        }
    }
    out
}

fn identifiers(text: &str) -> Vec<Token<'_>> {
    let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    text.split('.').map(|part| if numeric(part) { number(part) } else { Token::Text(part) }).collect()
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl schemars::JsonSchema for Version {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": PATTERN})
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let first = text.chars().next().ok_or(VersionError::Empty)?;
        if text.len() > MAX_BYTES {
            return Err(VersionError::TooLong(text.len()));
        }
        if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "._+-".contains(*c))) {
            return Err(VersionError::Character(bad));
        }
        if first == '.' || first == '-' {
            return Err(VersionError::Start(first));
        }
        if text == "current" || text == "latest" {
            return Err(VersionError::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v(text: &str) -> Version {
        text.parse().expect(text)
    }

    #[test]
    fn refuses_what_is_not_a_safe_literal() {
        assert_eq!("../../etc".parse::<Version>(), Err(VersionError::Character('/')));
        assert_eq!(".1".parse::<Version>(), Err(VersionError::Start('.')));
        assert_eq!("current".parse::<Version>(), Err(VersionError::Reserved("current".into())));
        assert_eq!("1".repeat(129).parse::<Version>(), Err(VersionError::TooLong(129)));
    }

    #[test]
    fn orders_semver_dates_and_plain_names() {
        let sorted = [
            "0.9.0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.2",
            "1.0.10",
            "v3",
            "3.10.12",
            "2024.01.20",
            "2024.01.20-1",
            "2024.10.1",
            "2024.11.05",
            "nightly",
        ];
        let mut shuffled: Vec<_> = sorted.iter().rev().map(|s| v(s)).collect();
        shuffled.sort();
        assert_eq!(shuffled.iter().map(Version::as_str).collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn next_patch_counts_on() {
        for (from, to) in [
            ("1.0.0", "1.0.1"),
            ("1.0.9", "1.0.10"),
            ("v3", "v4"),
            ("1.2.0-rc.1", "1.2.1"),
            ("x", "x.1"),
            ("2024.01.09", "2024.01.10"),
        ] {
            assert_eq!(v(from).next_patch(), v(to));
        }
    }

    #[test]
    fn reads_ranges_leniently() {
        let req = semver::VersionReq::parse(">=3.1").expect("a requirement");
        assert!(v("3.10").to_semver().is_some_and(|s| req.matches(&s)));
        assert_eq!(v("2024.01.20").to_semver(), semver::Version::parse("2024.1.20").ok());
        assert_eq!(v("nightly").to_semver(), None);
    }

    proptest! {
        #[test]
        fn order_agrees_with_semver(a in "[0-3]\\.[0-3]\\.[0-9]{1,2}(-[a-b0-2](\\.[0-2])?)?", b in "[0-3]\\.[0-3]\\.[0-9]{1,2}(-[a-b0-2](\\.[0-2])?)?") {
            if let (Ok(x), Ok(y)) = (semver::Version::parse(&a), semver::Version::parse(&b)) {
                prop_assert_eq!(v(&a).cmp(&v(&b)), x.cmp(&y));
            }
        }

        #[test]
        fn order_is_total(mut all in proptest::collection::vec("[a-b0-2.v+-]{1,6}", 3)) {
            all.retain(|s| s.parse::<Version>().is_ok());
            let all: Vec<_> = all.iter().map(|s| v(s)).collect();
            for a in &all { for b in &all { for c in &all {
                prop_assert_eq!(a.cmp(b), b.cmp(a).reverse());
                prop_assert!(!(a < b && b < c) || a < c);
                prop_assert_eq!(a == b, a.cmp(b) == Ordering::Equal);
            }}}
        }
    }
}

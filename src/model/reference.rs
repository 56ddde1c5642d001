//! References: how a user names a package: `model@1.0.1`, `model`, `model@^1.0`, `model@sha256:…`.

use std::fmt;
use std::str::FromStr;

use super::{ComponentType, NameError, Version, VersionError};

/// Why a text is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The part before `@` is not a component type.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The part after `@` is not a version.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The part after `@` looks like a range and is none; the text says what the parser found.
    #[error("`{text}` is not a version range: {reason}")]
    Range {
        /// What was given.
        text: String,
        /// What the range parser said.
        reason: String,
    },
    /// The part after `sha256:` is not 1 to 64 lowercase hexadecimal digits.
    #[error("`{0}` is not the beginning of a sha256 digest")]
    Digest(String),
}

/// Which version of a component is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Exactly this version.
    Exact(Version),
    /// The highest version that is neither yanked nor a pre-release.
    Latest,
    /// The highest version that matches.
    Range(semver::VersionReq),
    /// The version whose package digest begins with these hexadecimal digits.
    Digest(String),
}

/// A component and which version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The component type.
    pub component: ComponentType,
    /// Which version.
    pub selector: Selector,
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (name, selector) = match text.split_once('@') {
            None => (text, Selector::Latest),
            Some((name, which)) => (name, selector(which)?),
        };
        Ok(Self { component: name.parse()?, selector })
    }
}

fn selector(which: &str) -> Result<Selector, ReferenceError> {
    if which == "latest" {
        return Ok(Selector::Latest);
    }
    if let Some(hex) = which.strip_prefix("sha256:") {
        let valid =
            (1..=64).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        return if valid { Ok(Selector::Digest(hex.to_owned())) } else { Err(ReferenceError::Digest(hex.to_owned())) };
    }
    if which.starts_with(['^', '~', '>', '<', '=', '*']) || which.contains([',', '*']) {
        return semver::VersionReq::parse(which)
            .map(Selector::Range)
            .map_err(|e| ReferenceError::Range { text: which.to_owned(), reason: e.to_string() });
    }
    Ok(Selector::Exact(which.parse()?))
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.component)?;
        match &self.selector {
            Selector::Exact(version) => write!(f, "@{version}"),
            Selector::Latest => write!(f, "@latest"),
            Selector::Range(range) => write!(f, "@{range}"),
            Selector::Digest(hex) => write!(f, "@sha256:{hex}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let parse = |t: &str| t.parse::<Reference>().map(|r| r.selector);
        assert_eq!(parse("model"), Ok(Selector::Latest));
        assert_eq!(parse("model@latest"), Ok(Selector::Latest));
        assert!(matches!(parse("model@1.0.1"), Ok(Selector::Exact(v)) if v.as_str() == "1.0.1"));
        assert!(matches!(parse("model@^1.0"), Ok(Selector::Range(_))));
        assert!(matches!(parse("model@1.*"), Ok(Selector::Range(_))));
        assert_eq!(parse("model@sha256:abc"), Ok(Selector::Digest("abc".into())));
        assert!(matches!(parse("model@sha256:"), Err(ReferenceError::Digest(_))));
        assert!(matches!(parse("model@^x.y"), Err(ReferenceError::Range { .. })));
        assert!(matches!(parse("model@../../etc"), Err(ReferenceError::Version(_))));
        assert!(matches!(parse("@1.0"), Err(ReferenceError::Name(NameError::Empty))));
    }
}

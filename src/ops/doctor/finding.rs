//! A finding: what was looked at, how it is, and what of it can be mended here.

use std::path::{Path, PathBuf};

use crate::config;
use crate::model::Timestamp;
use crate::ops::Error;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing has to be done.
    Info,
    /// It works, and something will not work, or is not safe.
    Warning,
    /// It does not work, or gives away control.
    Error,
}

/// One thing a finding tells of, under a name that the words for it use.
#[derive(Debug)]
pub enum Fact {
    /// A name, a version, a list of them.
    Text(String),
    /// There is none.
    None,
    /// A path.
    Path(PathBuf),
    /// A number.
    Number(u64),
    /// An amount of bytes.
    Bytes(u64),
    /// Permission bits.
    Mode(u32),
    /// A time.
    Time(Timestamp),
    /// What the system says, by its number.
    System(i32),
    /// What failed.
    Error(Box<Error>),
    /// What is wrong with the configuration.
    Config(Box<config::Error>),
}

/// What `--fix` can do. None of it deletes a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fix {
    /// Finish or undo what an earlier run left, and sweep up after it: opening the root for a change does so.
    Recover,
    /// Mend links.
    Links,
    /// Remove what killed writers left in the store.
    Store,
}

/// What was found.
#[derive(Debug)]
pub struct Finding {
    /// What kind of finding it is; stays the same from version to version.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it tells of.
    pub facts: Vec<(&'static str, Fact)>,
    /// What `--fix` does about it.
    pub fix: Option<Fix>,
}

impl Finding {
    /// Something that is as it should be.
    pub fn ok(id: &'static str) -> Self {
        Self::new(id, Severity::Ok)
    }

    /// Something worth knowing.
    pub fn info(id: &'static str) -> Self {
        Self::new(id, Severity::Info)
    }

    /// Something that should not stay so.
    pub fn warning(id: &'static str) -> Self {
        Self::new(id, Severity::Warning)
    }

    /// Something that does not work.
    pub fn error(id: &'static str) -> Self {
        Self::new(id, Severity::Error)
    }

    fn new(id: &'static str, severity: Severity) -> Self {
        Self { id, severity, facts: Vec::new(), fix: None }
    }

    /// Adds a name, a version, or anything else that is text.
    #[must_use]
    pub fn with(self, name: &'static str, value: impl ToString) -> Self {
        self.fact(name, Fact::Text(value.to_string()))
    }

    /// Adds a path.
    #[must_use]
    pub fn path(self, name: &'static str, path: &Path) -> Self {
        self.fact(name, Fact::Path(path.to_owned()))
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, name: &'static str, number: impl TryInto<u64>) -> Self {
        self.fact(name, Fact::Number(number.try_into().unwrap_or(u64::MAX)))
    }

    /// Adds an amount of bytes.
    #[must_use]
    pub fn bytes(self, name: &'static str, bytes: u64) -> Self {
        self.fact(name, Fact::Bytes(bytes))
    }

    /// Adds why something failed.
    #[must_use]
    pub fn because(self, error: impl Into<Error>) -> Self {
        self.fact("reason", Fact::Error(Box::new(error.into())))
    }

    /// Adds anything.
    #[must_use]
    pub fn fact(mut self, name: &'static str, fact: Fact) -> Self {
        self.facts.push((name, fact));
        self
    }

    /// Says that `--fix` mends it.
    #[must_use]
    pub fn mended_by(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }

    /// The same, made as bad as this.
    #[must_use]
    pub fn as_bad_as(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }
}

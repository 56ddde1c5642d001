//! What is found: which rule, how bad, in which file and on which line, and what the words for it need to know.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It may be merged, and somebody should look.
    Warning,
    /// It must not be merged.
    Error,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<F = String> {
    /// Which rule it breaks; stays the same from version to version.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The file, inside the records directory.
    pub file: String,
    /// The line in the file as it is at HEAD, from 1; 1 of a file that is not there.
    pub line: usize,
    /// What it tells of, by the names that the words for it use.
    pub facts: Vec<(&'static str, F)>,
}

impl<F> Finding<F> {
    /// Something that must not be merged.
    pub fn error(rule: &'static str, file: &str, line: usize) -> Self {
        Self { rule, severity: Severity::Error, file: file.to_owned(), line, facts: Vec::new() }
    }

    /// Something to look at.
    pub fn warning(rule: &'static str, file: &str, line: usize) -> Self {
        Self { severity: Severity::Warning, ..Self::error(rule, file, line) }
    }

    /// Adds what it tells of.
    #[must_use]
    pub fn fact(mut self, name: &'static str, fact: F) -> Self {
        self.facts.push((name, fact));
        self
    }
}

impl<F: From<String>> Finding<F> {
    /// Adds a name, a version, or anything else that is text.
    #[must_use]
    pub fn with(self, name: &'static str, value: impl ToString) -> Self {
        let value = F::from(value.to_string());
        self.fact(name, value)
    }
}

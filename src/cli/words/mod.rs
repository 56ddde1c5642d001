//! The catalogue: every sentence the program says, one file a language (`en.txt`, `zh.txt`).
//!
//! ```text
//! # a comment
//! store.no-such-package = no package `{digest}` in the store
//! store.no-such-package.hint = run `deploy-tool store list` to see what is there
//! ```
//!
//! `{name}` is replaced by the argument of that name, `{name:file|files}` by the first word where the argument is 1 and by the
//! second where it is not, `\\n` by a line break. A key ending in `.hint` is the hint of the key before it; a
//! hint is optional. A test reads the sources and holds that no key is missing and none is left over, and another that the
//! languages have the same ones.
//!
//! The language is chosen once, by [`choose`]; only its file is ever read, when the first sentence is asked for.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::Path;
use std::sync::{LazyLock, OnceLock};

mod language;

pub use language::Language;

type Catalogue = HashMap<&'static str, &'static str>;

static ENGLISH: LazyLock<Catalogue> = LazyLock::new(|| read(include_str!("en.txt")));
static CHINESE: LazyLock<Catalogue> = LazyLock::new(|| read(include_str!("zh.txt")));
static CHOSEN: OnceLock<Language> = OnceLock::new();

fn read(text: &'static str) -> Catalogue {
    let entries = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
    entries.map(|(key, words)| (key.trim(), words)).collect()
}

/// Sets the language of all words from here on: the one that was asked for, else that of the environment. The first choice
/// stands.
pub fn choose(asked_for: Option<Language>, variable: impl Fn(&str) -> Option<OsString>) {
    CHOSEN.get_or_init(|| asked_for.unwrap_or_else(|| Language::of_environment(variable)));
}

fn catalogue() -> &'static Catalogue {
    match CHOSEN.get() {
        Some(Language::Chinese) => &CHINESE,
        Some(Language::English) | None => &ENGLISH,
    }
}

/// What kind of failure it is; decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Exit 1: failed, state unchanged.
    Failed,
    /// Exit 2: usage or configuration.
    Usage,
    /// Exit 3: no such record, version or target.
    NotFound,
    /// Exit 4: integrity, signature or policy refused.
    Refused,
    /// Exit 5: conflict: locked, or already published with other content.
    Conflict,
    /// Exit 6: made current, and it does not stand.
    Unhealthy,
}

/// A sentence of the catalogue with its arguments.
#[derive(Debug, Clone)]
pub struct Phrase {
    /// What kind of failure it tells.
    pub kind: Kind,
    key: &'static str,
    args: Vec<(&'static str, String)>,
}

impl Phrase {
    /// A sentence for an error of exit status 1.
    pub fn failed(key: &'static str) -> Self {
        Self::new(Kind::Failed, key)
    }

    /// A sentence for an error of exit status 2.
    pub fn usage(key: &'static str) -> Self {
        Self::new(Kind::Usage, key)
    }

    /// A sentence for an error of exit status 3.
    pub fn not_found(key: &'static str) -> Self {
        Self::new(Kind::NotFound, key)
    }

    /// A sentence for an error of exit status 4.
    pub fn refused(key: &'static str) -> Self {
        Self::new(Kind::Refused, key)
    }

    /// A sentence for an error of exit status 5.
    pub fn conflict(key: &'static str) -> Self {
        Self::new(Kind::Conflict, key)
    }

    /// A sentence for an error of exit status 6.
    pub fn unhealthy(key: &'static str) -> Self {
        Self::new(Kind::Unhealthy, key)
    }

    fn new(kind: Kind, key: &'static str) -> Self {
        Self { kind, key, args: Vec::new() }
    }

    /// Adds an argument.
    pub fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.args.push((name, value.to_string()));
        self
    }

    /// Adds an argument that is a path.
    pub fn path(self, name: &'static str, value: &Path) -> Self {
        self.with(name, value.display())
    }

    /// Its key in the catalogue.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// The sentence.
    pub fn text(&self) -> String {
        render(self.key, &self.args).unwrap_or_else(|| format!("{} {:?}", self.key, self.args))
    }

    /// What to do next, where the catalogue knows.
    pub fn hint(&self) -> Option<String> {
        render(&format!("{}.hint", self.key), &self.args)
    }
}

/// The sentence of `key`, for words that are no errors.
pub fn say(key: &'static str, args: &[(&'static str, String)]) -> String {
    render(key, args).unwrap_or_else(|| key.to_owned())
}

/// The sentence of a key that is not known before, where the catalogue has it.
pub fn say_with(key: &str, args: &[(&'static str, String)]) -> Option<String> {
    render(key, args)
}

/// The words of `key` without arguments, where the catalogue has them.
pub fn say_opt(key: &str) -> Option<String> {
    render(key, &[])
}

fn render(key: &str, args: &[(&'static str, String)]) -> Option<String> {
    let mut rest = *catalogue().get(key)?;
    let mut out = String::with_capacity(rest.len() + 32);
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start].replace("\\n", "\n"));
        let (name, tail) = rest[start + 1..].split_once('}')?;
        let (argument, forms) =
            name.split_once(':').map_or((name, None), |(name, forms)| (name, forms.split_once('|')));
        match (args.iter().find(|(known, _)| *known == argument), forms) {
            (Some((_, value)), Some((one, more))) => out.push_str(if value == "1" { one } else { more }),
            (Some((_, value)), None) => out.push_str(value),
            (None, _) => out.extend(["{", name, "}"]),
        }
        rest = tail;
    }
    out.push_str(&rest.replace("\\n", "\n"));
    Some(out)
}

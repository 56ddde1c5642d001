//! Why a configuration is refused, and what it is warned about: always with file, line, column and key.

use std::path::PathBuf;

use crate::model::{Compression, NameError, RepositoryUrlError};

/// Where something stands in the file: both count from 1, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

/// A configuration that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}:{}: `{key}`: {problem}", file.display(), place.line, place.column)]
pub struct Error {
    /// The configuration's path.
    pub file: PathBuf,
    /// Where in it.
    pub place: Place,
    /// The key concerned, as a path such as `publish.targets.local.path`; empty for the file as a whole.
    pub key: String,
    /// What is wrong. A value is named as it is written, so that what a variable holds never gets into a message.
    pub problem: Box<Problem>,
}

/// The shapes of YAML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One text, number or truth value.
    Scalar,
    /// `[…]` or lines with dashes.
    List,
    /// `{…}` or lines of `key: value`.
    Mapping,
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not YAML, or more of it than any configuration needs; the text is the parser's.
    #[error("{reason}")]
    Syntax {
        /// What the parser said.
        reason: String,
    },
    /// A tab where YAML wants spaces.
    #[error("indented with a tab")]
    Tab,
    /// One key twice in a mapping.
    #[error("the key `{name}` stands twice")]
    DuplicateKey {
        /// The key.
        name: String,
    },
    /// A second document after `---`.
    #[error("a second document begins")]
    SecondDocument,
    /// Written for a newer tool.
    #[error("version {found} is newer than 1")]
    NewerVersion {
        /// The number in the file.
        found: u64,
    },
    /// A key that means nothing here.
    #[error("unknown key `{name}`")]
    UnknownKey {
        /// The key.
        name: String,
        /// The known key that is spelled most like it.
        nearest: Option<String>,
        /// Every known key of this mapping.
        known: Vec<&'static str>,
    },
    /// A mapping where a list is wanted, and the like.
    #[error("{found:?} where {wanted:?} is wanted")]
    Shape {
        /// What is wanted.
        wanted: Shape,
        /// What is there.
        found: Shape,
    },
    /// Nothing, where something is wanted.
    #[error("the value is empty")]
    Empty,
    /// A mapping without a key it cannot do without.
    #[error("`{name}` is missing")]
    Missing {
        /// The key.
        name: &'static str,
    },
    /// A variable without a value and without a default.
    #[error("the variable `{variable}` is not set")]
    UnsetVariable {
        /// Its name.
        variable: String,
    },
    /// A `$` that begins neither `${VAR}`, `${VAR:-default}` nor `$$`.
    #[error("`{value}` has a `$` that begins no variable")]
    Dollar {
        /// The value as written.
        value: String,
    },
    /// Not a whole number of the range.
    #[error("`{value}` is not a whole number from {min} to {max}")]
    Number {
        /// The value as written.
        value: String,
        /// The least number allowed.
        min: i64,
        /// The greatest number allowed.
        max: i64,
    },
    /// Neither `true` nor `false`.
    #[error("`{value}` is neither `true` nor `false`")]
    Boolean {
        /// The value as written.
        value: String,
    },
    /// Not one of the words allowed.
    #[error("`{value}` is none of {allowed:?}")]
    Choice {
        /// The value as written.
        value: String,
        /// The word that is spelled most like it.
        nearest: Option<String>,
        /// The words allowed.
        allowed: Vec<&'static str>,
    },
    /// Not an amount of bytes.
    #[error("`{value}` is not a size")]
    Size {
        /// The value as written.
        value: String,
    },
    /// Not a span of time.
    #[error("`{value}` is not a span of time")]
    Span {
        /// The value as written.
        value: String,
    },
    /// Not a component type.
    #[error("`{name}` is not a component type: {reason}")]
    ComponentType {
        /// The key.
        name: String,
        /// Why not.
        reason: NameError,
    },
    /// Not the name of a target: `[A-Za-z0-9._-]`, at most 64 bytes, not starting with `.` or `-`.
    #[error("`{name}` is not a target's name")]
    TargetName {
        /// The key.
        name: String,
    },
    /// Not a semver requirement.
    #[error("`{value}` is not a version requirement: {reason}")]
    Requirement {
        /// The value as written.
        value: String,
        /// What the requirement's parser said.
        reason: String,
    },
    /// A component that needs itself.
    #[error("the component depends on itself")]
    SelfDependency,
    /// Not a pattern of gitignore's syntax.
    #[error("`{value}` is not a pattern: {reason}")]
    Pattern {
        /// The value as written.
        value: String,
        /// What the pattern's parser said.
        reason: String,
    },
    /// Not a name git accepts for a branch.
    #[error("`{value}` is not a branch name")]
    Branch {
        /// The value as written.
        value: String,
    },
    /// Not a name git accepts for a remote.
    #[error("`{value}` is not the name of a remote")]
    Remote {
        /// The value as written.
        value: String,
    },
    /// The URL of a repository that is not used. It is not shown: there may be a password in it.
    #[error("{reason}")]
    RepositoryUrl {
        /// Why.
        reason: RepositoryUrlError,
    },
    /// No path: it has a NUL byte.
    #[error("`{value}` is not a path")]
    NotAPath {
        /// The value as written.
        value: String,
    },
    /// A path that begins with `~` where no home directory is known.
    #[error("`{value}` needs a home directory")]
    NoHome {
        /// The value as written.
        value: String,
    },
    /// A path that must stay inside the records repository: relative and without `..`.
    #[error("`{value}` leads out of the repository")]
    LeadsOut {
        /// The value as written.
        value: String,
    },
    /// A custom link that is not at an absolute path.
    #[error("`{value}` is not an absolute path")]
    NotAbsolute {
        /// The value as written.
        value: String,
    },
    /// Two custom links at one path.
    #[error("a second link at `{path}`")]
    SecondLink {
        /// Their path.
        path: PathBuf,
    },
    /// A level for a compression that has none.
    #[error("`{}` has no levels", compression.name())]
    NoLevels {
        /// The compression.
        compression: Compression,
    },
    /// The name of a target that `publish.targets` does not define.
    #[error("no target `{name}`")]
    NoTarget {
        /// The name, as written.
        name: String,
        /// The target whose name is spelled most like it.
        nearest: Option<String>,
        /// The targets defined.
        known: Vec<String>,
    },
    /// Not the URL of a server: `http` or `https`, and no user, password, query or fragment.
    #[error("`{value}` is not a URL")]
    Url {
        /// The value as written.
        value: String,
    },
    /// Not a web address without user, password and fragment.
    #[error("`{value}` is not a web address")]
    HealthUrl {
        /// The value as written.
        value: String,
    },
    /// Not `host:port`.
    #[error("`{value}` is not a host and a port")]
    Address {
        /// The value as written.
        value: String,
    },
    /// None, or more than one, of keys of which there has to be one.
    #[error("exactly one of {names:?} is wanted")]
    OneOf {
        /// The keys.
        names: &'static [&'static str],
    },
    /// A span of time that must be shorter than another.
    #[error("`{value}` is not shorter than `{than}`")]
    NotShorter {
        /// The value as written.
        value: String,
        /// The key of the other one.
        than: &'static str,
    },
    /// Not permission bits in octal.
    #[error("`{value}` is not a mode")]
    Mode {
        /// The value as written.
        value: String,
    },
    /// A target to publish to that can only be read.
    #[error("`{name}` is only read")]
    ReadOnlyTarget {
        /// The name, as written.
        name: String,
    },
    /// One target named twice in a list.
    #[error("`{name}` stands twice")]
    Repeated {
        /// Its name, as written.
        name: String,
    },
}

/// Something accepted that should not stay so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A secret that stands in the file itself. The secret is not repeated here.
    LiteralSecret {
        /// The configuration's path.
        file: PathBuf,
        /// Where in it.
        place: Place,
        /// The key, as a path.
        key: String,
    },
}

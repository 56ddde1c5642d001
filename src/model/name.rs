//! Component types: `model`, `config`, `runtime` or any other name a project uses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const MAX_BYTES: usize = 64;

/// Why a text is not a component type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The empty text.
    #[error("a component type is not empty")]
    Empty,
    /// More than 64 bytes.
    #[error("a component type has at most 64 bytes, not {0}")]
    TooLong(usize),
    /// A character outside `[A-Za-z0-9._-]`.
    #[error("`{0}` is not allowed in a component type")]
    Character(char),
    /// Begins with `.` or `-`, which would hide the directory or look like an option.
    #[error("a component type does not begin with `{0}`")]
    Start(char),
}

/// The type of a component; a safe directory name: `[A-Za-z0-9._-]`, at most 64 bytes, not starting with `.` or `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComponentType(String);

const PATTERN: &str = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$";

impl ComponentType {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl schemars::JsonSchema for ComponentType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ComponentType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": PATTERN})
    }
}

impl FromStr for ComponentType {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.chars().next().ok_or(NameError::Empty)?;
        if text.len() > MAX_BYTES {
            return Err(NameError::TooLong(text.len()));
        }
        if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "._-".contains(*c))) {
            return Err(NameError::Character(bad));
        }
        if first == '.' || first == '-' {
            return Err(NameError::Start(first));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ComponentType {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ComponentType> for String {
    fn from(name: ComponentType) -> String {
        name.0
    }
}

impl fmt::Display for ComponentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_directory_names() {
        assert!("model".parse::<ComponentType>().is_ok());
        assert!("eval-data_2.x".parse::<ComponentType>().is_ok());
        assert_eq!("".parse::<ComponentType>(), Err(NameError::Empty));
        assert_eq!("..".parse::<ComponentType>(), Err(NameError::Start('.')));
        assert_eq!("-f".parse::<ComponentType>(), Err(NameError::Start('-')));
        assert_eq!("a/b".parse::<ComponentType>(), Err(NameError::Character('/')));
        assert_eq!("a".repeat(65).parse::<ComponentType>(), Err(NameError::TooLong(65)));
    }
}

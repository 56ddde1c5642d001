//! Names: component types (`model`, `config`, `runtime` or any other a project uses) and environments (`prod`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const MAX_BYTES: usize = 64;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The empty text.
    #[error("a name is not empty")]
    Empty,
    /// More than 64 bytes.
    #[error("a name has at most 64 bytes, not {0}")]
    TooLong(usize),
    /// A character outside `[A-Za-z0-9._-]`.
    #[error("`{0}` is not allowed in a name")]
    Character(char),
    /// Begins with `.` or `-`, which would hide the directory or look like an option.
    #[error("a name does not begin with `{0}`")]
    Start(char),
}

const PATTERN: &str = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$";

fn check(text: &str) -> Result<(), NameError> {
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
    Ok(())
}

macro_rules! name {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        ///
        /// A safe name of a directory or file: `[A-Za-z0-9._-]`, at most 64 bytes, not starting with `.` or `-`.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": PATTERN})
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(ComponentType, "The type of a component.");
name!(EnvironmentName, "The name of an environment, such as `prod`.");

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

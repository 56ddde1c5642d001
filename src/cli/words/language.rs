//! The languages of the catalogue, and which one is meant: `--lang`, else the environment.

use std::ffi::{OsStr, OsString};

/// The variables that say which language is wanted: the first one that is set and not empty decides, as POSIX has it for
/// the last three.
const VARIABLES: [&str; 4] = ["DEPLOY_TOOL_LANG", "LC_ALL", "LC_MESSAGES", "LANG"];

/// A language there is a catalogue of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// `en`; of every locale that has no catalogue, too.
    #[default]
    English,
    /// `zh`, in simplified characters.
    Chinese,
}

impl Language {
    /// The names to choose from.
    pub const NAMES: &'static str = "`en`, `zh`";

    /// The language of a name or a locale: `zh`, `zh-CN`, `zh_CN.UTF-8`, `en_US`.
    pub fn named(text: &str) -> Option<Self> {
        let language = text.split(['-', '_', '.', '@']).next().unwrap_or_default();
        [("en", Self::English), ("zh", Self::Chinese)]
            .into_iter()
            .find(|(name, _)| language.eq_ignore_ascii_case(name))
            .map(|(_, language)| language)
    }

    /// The language that the environment asks for: English where it asks for none that there is.
    pub fn of_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let decides = VARIABLES.iter().filter_map(|name| variable(name)).find(|value| !value.is_empty());
        decides.and_then(|value| Self::named(value.to_str()?)).unwrap_or_default()
    }

    /// What `--lang` says in arguments that are not parsed: help and what is wrong with them is to be told in it.
    pub fn asked_for(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter().take_while(|argument| argument != "--");
        while let Some(argument) = arguments.next() {
            let Some(rest) = argument.to_str().and_then(|argument| argument.strip_prefix("--lang")) else { continue };
            let name = match rest.strip_prefix('=') {
                Some(name) => Some(OsString::from(name)),
                None if rest.is_empty() => arguments.next(),
                None => continue,
            };
            return name.as_deref().and_then(OsStr::to_str).and_then(Self::named);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> Language {
        let value = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Language::of_environment(value)
    }

    fn asked(arguments: &[&str]) -> Option<Language> {
        Language::asked_for(arguments.iter().map(OsString::from))
    }

    #[test]
    fn names_and_locales_are_understood() {
        for name in ["zh", "ZH", "zh-CN", "zh_CN", "zh_CN.UTF-8", "zh-Hans", "zh_TW.UTF-8", "zh.UTF-8", "zh_CN@cjk"] {
            assert_eq!(Language::named(name), Some(Language::Chinese), "{name}");
        }
        for name in ["en", "en_US", "en_GB.UTF-8", "EN-us"] {
            assert_eq!(Language::named(name), Some(Language::English), "{name}");
        }
        for name in ["", "C", "de", "zhuang", "english", "_zh", "z"] {
            assert_eq!(Language::named(name), None, "{name}");
        }
    }

    #[test]
    fn the_first_variable_that_is_set_decides() {
        assert_eq!(of(&[]), Language::English);
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8")]), Language::Chinese);
        assert_eq!(of(&[("LC_MESSAGES", "en_US.UTF-8"), ("LANG", "zh_CN.UTF-8")]), Language::English);
        assert_eq!(of(&[("LC_ALL", "C"), ("LC_MESSAGES", "zh_CN"), ("LANG", "zh_CN")]), Language::English);
        assert_eq!(of(&[("LC_ALL", ""), ("LC_MESSAGES", "zh_CN"), ("LANG", "C")]), Language::Chinese);
        assert_eq!(of(&[("DEPLOY_TOOL_LANG", "zh"), ("LC_ALL", "C.UTF-8")]), Language::Chinese);
        assert_eq!(of(&[("DEPLOY_TOOL_LANG", ""), ("LC_ALL", "de_DE"), ("LANG", "zh_CN")]), Language::English);
    }

    #[test]
    fn unparsed_arguments_tell_the_language() {
        assert_eq!(asked(&["deploy-tool", "--lang", "zh", "--help"]), Some(Language::Chinese));
        assert_eq!(asked(&["deploy-tool", "status", "--lang=zh_CN.UTF-8", "--nope"]), Some(Language::Chinese));
        assert_eq!(asked(&["deploy-tool", "--lang", "en"]), Some(Language::English));
        for none in [&["deploy-tool", "--language", "zh"][..], &["x", "--", "--lang", "zh"], &["x", "--lang"], &[]] {
            assert_eq!(asked(none), None, "{none:?}");
        }
        assert_eq!(asked(&["deploy-tool", "--lang", "de"]), None);
    }
}

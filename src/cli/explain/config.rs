//! Sentences for what is wrong with a configuration.

use super::Explain;
use crate::cli::words::{Phrase, say};
use crate::config::{Error, Place, Problem, Shape, Warning};
use crate::model::RepositoryUrlError;

impl Explain for Error {
    fn explain(&self) -> Phrase {
        let phrase = match &*self.problem {
            Problem::Syntax { reason } => Phrase::usage("config.syntax").with("reason", reason),
            Problem::Tab => Phrase::usage("config.tab"),
            Problem::DuplicateKey { name } => Phrase::usage("config.duplicate-key").with("name", name),
            Problem::SecondDocument => Phrase::usage("config.second-document"),
            Problem::NewerVersion { found } => Phrase::usage("config.newer-version").with("found", found),
            Problem::UnknownKey { nearest, known, .. } => {
                nearly("config.unknown-key", "config.unknown-key-near", nearest).with("known", list(known))
            }
            Problem::Shape { wanted, found } => {
                Phrase::usage("config.shape").with("wanted", shape(*wanted)).with("found", shape(*found))
            }
            Problem::Empty => Phrase::usage("config.empty"),
            Problem::Missing { name } => Phrase::usage("config.missing").with("name", name),
            Problem::UnsetVariable { variable } => Phrase::usage("config.unset-variable").with("variable", variable),
            Problem::Dollar { value } => Phrase::usage("config.dollar").with("value", value),
            Problem::Number { value, min, max } => {
                Phrase::usage("config.number").with("value", value).with("min", min).with("max", max)
            }
            Problem::Boolean { value } => Phrase::usage("config.boolean").with("value", value),
            Problem::Choice { value, nearest, allowed } => nearly("config.choice", "config.choice-near", nearest)
                .with("value", value)
                .with("allowed", list(allowed)),
            Problem::Size { value } => Phrase::usage("config.size").with("value", value),
            Problem::Span { value } => Phrase::usage("config.span").with("value", value),
            Problem::ComponentType { name, reason } => {
                Phrase::usage("config.component-type").with("name", name).with("reason", reason.explain().text())
            }
            Problem::TargetName { name } => Phrase::usage("config.target-name").with("name", name),
            Problem::Requirement { value, reason } => {
                Phrase::usage("config.requirement").with("value", value).with("reason", reason)
            }
            Problem::SelfDependency => Phrase::usage("config.self-dependency"),
            Problem::Pattern { value, reason } => {
                Phrase::usage("config.pattern").with("value", value).with("reason", reason)
            }
            Problem::Branch { value } => Phrase::usage("config.branch").with("value", value),
            Problem::Remote { value } => Phrase::usage("config.remote").with("value", value),
            Problem::RepositoryUrl { reason } => match reason {
                RepositoryUrlError::Scheme => Phrase::usage("config.repository-scheme"),
                RepositoryUrlError::Password => Phrase::usage("config.repository-password"),
                RepositoryUrlError::Malformed => Phrase::usage("config.repository-url"),
            },
            Problem::NotAPath { value } => Phrase::usage("config.not-a-path").with("value", value),
            Problem::NoHome { value } => Phrase::usage("config.no-home").with("value", value),
            Problem::LeadsOut { value } => Phrase::usage("config.leads-out").with("value", value),
            Problem::NotAbsolute { value } => Phrase::usage("config.not-absolute").with("value", value),
            Problem::SecondLink { path } => Phrase::usage("config.second-link").path("path", path),
            Problem::NoLevels { compression } => {
                Phrase::usage("config.no-levels").with("compression", compression.name())
            }
            Problem::NoTarget { name, nearest, known } => nearly("config.no-target", "config.no-target-near", nearest)
                .with("name", name)
                .with("known", list(known)),
            Problem::Url { value } => Phrase::usage("config.url").with("value", value),
            Problem::HealthUrl { value } => Phrase::usage("config.health-url").with("value", value),
            Problem::Address { value } => Phrase::usage("config.address").with("value", value),
            Problem::OneOf { names } => Phrase::usage("config.one-of").with("names", list(names)),
            Problem::NotShorter { value, than } => {
                Phrase::usage("config.not-shorter").with("value", value).with("than", than)
            }
            Problem::Mode { value } => Phrase::usage("config.mode").with("value", value),
            Problem::ReadOnlyTarget { name } => Phrase::usage("config.read-only-target").with("name", name),
            Problem::Repeated { name } => Phrase::usage("config.repeated").with("name", name),
        };
        let key = if self.key.is_empty() { say("config.whole", &[]) } else { format!("`{}`", self.key) };
        phrase.with("at", at(&self.file, self.place)).with("key", key)
    }
}

impl Explain for Warning {
    fn explain(&self) -> Phrase {
        match self {
            Warning::LiteralSecret { file, place, key } => {
                Phrase::usage("config.literal-secret").with("at", at(file, *place)).with("key", format!("`{key}`"))
            }
        }
    }
}

fn at(file: &std::path::Path, place: Place) -> String {
    format!("{}:{}:{}", file.display(), place.line, place.column)
}

/// The sentence with a suggestion where there is one, else the one that leaves it to the hint to list what is known.
fn nearly(plain: &'static str, near: &'static str, nearest: &Option<String>) -> Phrase {
    match nearest {
        Some(word) => Phrase::usage(near).with("nearest", word),
        None => Phrase::usage(plain),
    }
}

fn list(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => say("config.none", &[]),
        words => words.iter().map(|word| format!("`{}`", word.as_ref())).collect::<Vec<_>>().join(", "),
    }
}

fn shape(shape: Shape) -> String {
    let key = match shape {
        Shape::Scalar => "config.shape-scalar",
        Shape::List => "config.shape-list",
        Shape::Mapping => "config.shape-mapping",
    };
    say(key, &[])
}

//! What is wrong with the arguments, in the words of the catalogue: clap says it in English only.

use std::error::Error as _;

use clap::builder::{StyledStr, Styles};
use clap::error::{ContextKind, ContextValue, Error, ErrorFormatter, ErrorKind};

use super::explain;
use super::words::say;

/// Tells an error of the arguments with the catalogue's words.
pub(super) struct Told;

impl ErrorFormatter for Told {
    fn format_error(error: &Error<Self>) -> StyledStr {
        let styles = Styles::styled();
        let (wrong, good, literal) = (styles.get_error(), styles.get_valid(), styles.get_literal());
        let mut out = format!("{wrong}{}:{wrong:#} {}", say("error", &[]), sentence(error, &styles));
        for (number, tip) in tips(error, &styles).into_iter().enumerate() {
            let gap = if number == 0 { "\n\n" } else { "\n" };
            out += &format!("{gap}  {good}{}:{good:#} {tip}", say("usage.tip", &[]));
        }
        if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
            out += &format!("\n\n{}", line(&usage.ansi().to_string()));
        }
        let help = format!("{literal}--help{literal:#}");
        out += &format!("\n\n{}\n", say("usage.more", &[("help", help)]));
        out.into()
    }
}

/// The same as plain text, without the word before it.
pub(super) fn plain(error: &Error<Told>) -> String {
    let text = error.render().to_string();
    let before = format!("{}: ", say("error", &[]));
    text.strip_prefix(&before).unwrap_or(&text).trim_end().to_owned()
}

/// The line that says how to use a command, as clap writes it, with the language's words in it.
pub(super) fn line(usage: &str) -> String {
    usage
        .replacen("Usage", &say("usage.usage", &[]), 1)
        .replace("[OPTIONS]", &say("usage.some-options", &[]))
        .replace("<COMMAND>", &say("usage.command", &[]))
}

fn sentence(error: &Error<Told>, styles: &Styles) -> String {
    let bad = styles.get_invalid();
    let one = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let marked = |text: &str| format!("{bad}{text}{bad:#}");
    let arg = one(ContextKind::InvalidArg).or(one(ContextKind::InvalidSubcommand));
    let value = one(ContextKind::InvalidValue).unwrap_or_default();
    let tell = |key: &'static str| {
        say(key, &[("arg", marked(arg.unwrap_or_default())), ("value", marked(value)), ("reason", reason(error))])
    };
    match (error.kind(), arg) {
        (ErrorKind::UnknownArgument, Some(_)) => tell("usage.unknown-argument"),
        (ErrorKind::InvalidSubcommand, Some(_)) => tell("usage.unknown-command"),
        (ErrorKind::MissingSubcommand, Some(_)) => tell("usage.no-command"),
        (ErrorKind::NoEquals, Some(_)) => tell("usage.no-equals"),
        (ErrorKind::TooManyValues, Some(_)) => tell("usage.too-many-values"),
        (ErrorKind::ValueValidation, Some(_)) => tell("usage.value"),
        (ErrorKind::InvalidValue, Some(_)) if value.is_empty() => tell("usage.no-value"),
        (ErrorKind::InvalidValue, Some(_)) => {
            let known = listed(error.get(ContextKind::ValidValue), styles).join(", ");
            format!("{}\n  [{}]", tell("usage.other-value"), say("usage.possible", &[("values", known)]))
        }
        (ErrorKind::MissingRequiredArgument, _) => {
            let missing = listed(error.get(ContextKind::InvalidArg), styles);
            missing.iter().fold(say("usage.missing", &[]), |out, one| format!("{out}\n  {one}"))
        }
        (ErrorKind::ArgumentConflict, Some(arg)) => match error.get(ContextKind::PriorArg) {
            Some(ContextValue::String(prior)) if prior == arg => tell("usage.twice"),
            Some(ContextValue::String(prior)) => {
                say("usage.conflict", &[("arg", marked(arg)), ("other", format!("'{}'", marked(prior)))])
            }
            priors => {
                let others: Vec<_> = strings(priors).iter().map(|prior| format!("'{}'", marked(prior))).collect();
                say("usage.conflict", &[("arg", marked(arg)), ("other", others.join(", "))])
            }
        },
        (ErrorKind::InvalidUtf8, _) => say("usage.not-utf8", &[]),
        _ => say("usage.not-understood", &[]),
    }
}

/// Why a value is none: the words of whoever has read it.
fn reason(error: &Error<Told>) -> String {
    let told = |source| explain::value(source).unwrap_or_else(|| source.to_string());
    error.source().map(told).unwrap_or_default()
}

fn strings(value: Option<&ContextValue>) -> &[String] {
    match value {
        Some(ContextValue::Strings(values)) => values,
        Some(ContextValue::String(value)) => std::slice::from_ref(value),
        _ => &[],
    }
}

fn listed(value: Option<&ContextValue>, styles: &Styles) -> Vec<String> {
    let good = styles.get_valid();
    strings(value).iter().map(|value| format!("{good}{value}{good:#}")).collect()
}

/// What may have been meant.
fn tips(error: &Error<Told>, styles: &Styles) -> Vec<String> {
    let quoted = |kind: ContextKind| {
        let values = listed(error.get(kind), styles);
        (!values.is_empty()).then(|| values.iter().map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", "))
    };
    let similar = [
        ("usage.similar-command", ContextKind::SuggestedSubcommand),
        ("usage.similar-argument", ContextKind::SuggestedArg),
        ("usage.similar-value", ContextKind::SuggestedValue),
    ];
    let mut tips: Vec<_> =
        similar.into_iter().filter_map(|(key, kind)| Some(say(key, &[("values", quoted(kind)?)]))).collect();
    if let Some(ContextValue::StyledStrs(more)) = error.get(ContextKind::Suggested) {
        tips.extend(more.iter().map(|tip| other_tip(&tip.to_string(), error)));
    }
    tips
}

/// One of the tips that clap has only as a sentence: which one it is tells its beginning.
fn other_tip(tip: &str, error: &Error<Told>) -> String {
    let arg = strings(error.get(ContextKind::InvalidArg).or(error.get(ContextKind::InvalidSubcommand))).join(" ");
    if tip.starts_with("to pass ") {
        let written = tip.rsplit_once("use '").map_or(tip, |(_, written)| written.trim_end_matches('\''));
        say("usage.as-value", &[("arg", arg), ("written", written.to_owned())])
    } else if tip.starts_with("subcommand ") {
        say("usage.needless-dashes", &[("arg", arg)])
    } else {
        let there = tip.trim_start_matches('\'').trim_end_matches("' exists");
        say("usage.exists", &[("what", there.to_owned())])
    }
}

//! What may stand where a name is asked for: components, versions, environments, targets and releases.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _};

use crate::cli::args::Global;
use crate::cli::settings;
use crate::model::{Choice, ComponentType};
use crate::ops::Site;
use crate::ops::names::{self, Versions};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// `TYPE@VERSION` of the records.
    Recorded,
    /// `TYPE@VERSION` that is packed and not published, or a file.
    Packed,
    Component,
    /// An installed version of the component that stands before.
    Installed,
    Environment,
    Target,
    Release,
    Compression,
}

/// The command with somebody to ask for the values of its arguments. `words` are those that were typed.
pub(super) fn attach(command: Command, path: &str, words: &Arc<Vec<String>>) -> Command {
    let mut command = command.mut_args(|arg| match kind(path, &arg) {
        Some(kind) => {
            let words = Arc::clone(words);
            arg.add(ArgValueCompleter::new(move |current: &OsStr| values(kind, current, &words)))
        }
        None => arg,
    });
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(&name, |sub| attach(sub, format!("{path} {name}").trim(), words));
    }
    command
}

fn kind(path: &str, arg: &Arg) -> Option<Kind> {
    let value = arg.get_value_names().and_then(<[_]>::first)?;
    match (path, arg.get_id().as_str(), value.as_str()) {
        (_, _, "TYPE@VERSION") => Some(Kind::Recorded),
        (_, _, "TYPE@VERSION|FILE") => Some(Kind::Packed),
        (_, _, "TYPE") => Some(Kind::Component),
        ("version switch" | "version pin" | "version unpin", "version", _) => Some(Kind::Installed),
        ("env promote", "from" | "to", _) | (_, "env" | "name", "NAME") | (_, "other", _) => Some(Kind::Environment),
        ("publish", "to", _) | ("record import", "from", _) | (_, "target", "NAME") => Some(Kind::Target),
        ("rollback", "to", _) => Some(Kind::Release),
        (_, "compression", _) => Some(Kind::Compression),
        _ => None,
    }
}

fn values(kind: Kind, current: &OsStr, words: &[String]) -> Vec<CompletionCandidate> {
    let Some(typed) = current.to_str() else { return Vec::new() };
    let site = || site(words);
    let names: Vec<String> = match kind {
        Kind::Recorded => site().map(|site| references(names::recorded(&site).unwrap_or_default())),
        Kind::Packed => site().map(|site| references(names::packed(&site).unwrap_or_default())),
        Kind::Component => site().map(|site| components(&site)),
        Kind::Installed => site().map(|site| installed(&site, words)),
        Kind::Environment => site().map(|site| texts(names::environments(&site).unwrap_or_default())),
        Kind::Target => {
            site().map(|site| site.config.publish.targets.iter().map(|target| target.name.clone()).collect())
        }
        Kind::Release => site().map(|site| texts(names::releases(&site).unwrap_or_default().into_iter().rev())),
        Kind::Compression => Some(texts(Choice::names())),
    }
    .unwrap_or_default();
    let names = names.into_iter().filter(|name| name.starts_with(typed)).map(CompletionCandidate::new);
    let files = matches!(kind, Kind::Packed).then(|| PathCompleter::file().complete(current));
    names.chain(files.into_iter().flatten()).collect()
}

fn texts(all: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
    all.into_iter().map(|one| one.to_string()).collect()
}

/// Every version, the highest of each component first.
fn references(all: Versions) -> Vec<String> {
    let of = |(component, versions): (ComponentType, BTreeSet<_>)| {
        versions.into_iter().rev().map(move |version| format!("{component}@{version}"))
    };
    all.into_iter().flat_map(of).collect()
}

/// What is configured, installed or recorded.
fn components(site: &Site) -> Vec<String> {
    let named = [names::installed(site), names::recorded(site)].into_iter().flat_map(Result::unwrap_or_default);
    let all: BTreeSet<_> =
        named.map(|(component, _)| component).chain(site.config.components.keys().cloned()).collect();
    texts(all)
}

/// The installed versions of the last component that is named before.
fn installed(site: &Site, words: &[String]) -> Vec<String> {
    let installed = names::installed(site).unwrap_or_default();
    let before = words.split_last().map(|(_, before)| before).unwrap_or_default();
    let versions = before.iter().rev().find_map(|word| installed.get(&word.parse::<ComponentType>().ok()?));
    texts(versions.into_iter().flatten().rev())
}

/// The place that the command would work at, without a word about what is wrong with it.
fn site(words: &[String]) -> Option<Site> {
    let global = Global {
        config: given(words, "--config"),
        root: given(words, "--root"),
        records: given(words, "--records"),
        store: given(words, "--store"),
        ..Global::default()
    };
    let here = settings::working_directory().ok()?;
    Some(settings::survey(&global, &here, "completions").ok()?.0.unfetched())
}

/// The value of an option that is typed already.
fn given(words: &[String], option: &str) -> Option<PathBuf> {
    let (_, before) = words.split_last()?;
    let mut before = before.iter();
    while let Some(word) = before.next() {
        match word.strip_prefix(option) {
            Some("") => return before.next().map(PathBuf::from),
            Some(rest) if rest.starts_with('=') => return Some(PathBuf::from(&rest[1..])),
            _ => {}
        }
    }
    None
}

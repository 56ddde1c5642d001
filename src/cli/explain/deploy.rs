//! Sentences for errors of a root.

use super::{Explain, system};
use crate::cli::words::{Phrase, say};
use crate::deploy::{Break, Damage, Error, PlaceFault};
use crate::model::Version;

pub(super) fn join(versions: &[Version]) -> String {
    if versions.is_empty() {
        return say("config.none", &[]);
    }
    versions.iter().map(Version::as_str).collect::<Vec<_>>().join(", ")
}

impl Explain for Error {
    fn explain(&self) -> Phrase {
        match self {
            Error::Io(error) => error.explain(),
            Error::Locked { root, holder, claim } => match claim {
                Some(claim) => Phrase::conflict("deploy.claimed").path("claim", claim),
                None => Phrase::conflict("deploy.locked"),
            }
            .path("root", root)
            .with("holder", holder),
            Error::NotARoot { root } => Phrase::not_found("deploy.not-a-root").path("root", root),
            Error::NotWritable { root, path, mode, owner, user } => match owner == user {
                true => Phrase::failed("deploy.not-writable-own"),
                false => Phrase::failed("deploy.not-writable").with("owner", owner).with("user", user),
            }
            .path("root", root)
            .path("path", path)
            .with("mode", format!("{mode:04o}")),
            Error::OthersMayWrite { root, path, mode, group } => match group {
                Some(group) => Phrase::refused("deploy.group-may-write").with("group", group),
                None => Phrase::refused("deploy.all-may-write"),
            }
            .path("root", root)
            .path("path", path)
            .with("mode", format!("{mode:04o}")),
            Error::OwnedByOther { root, path, owner } => {
                Phrase::refused("deploy.owned-by-other").path("root", root).path("path", path).with("owner", owner)
            }
            Error::NewerFormat { root, found } => {
                Phrase::failed("deploy.newer-format").path("root", root).with("found", found)
            }
            Error::Damaged { path, damage } => {
                Phrase::failed("deploy.damaged").path("path", path).with("reason", self::damage(damage))
            }
            Error::Trail { path, line, why } => Phrase::refused(match why {
                Break::Prev => "history.broken",
                Break::Unchained => "history.unchained",
                Break::Release => "history.gap",
                Break::Current => "history.cut",
            })
            .path("path", path)
            .with("line", line)
            .with("before", line.saturating_sub(1)),
            Error::NotDeployed { component } => Phrase::not_found("deploy.not-deployed").with("component", component),
            Error::NotInstalled { component, version, installed } => Phrase::not_found("deploy.not-installed")
                .with("component", component)
                .with("version", version)
                .with("installed", join(installed)),
            Error::OtherContent { component, version, installed, wanted } => Phrase::conflict("deploy.other-content")
                .with("component", component)
                .with("version", version)
                .with("installed", installed)
                .with("wanted", wanted),
            Error::UnknownDirectory { path } => Phrase::conflict("deploy.unknown-directory").path("path", path),
            Error::Blocked { path } => Phrase::conflict("deploy.blocked").path("path", path),
            Error::LinkPlace { link, place, why } => Phrase::failed(match why {
                PlaceFault::NoDirectory => "deploy.link-no-directory",
                PlaceFault::NotWritable => "deploy.link-not-writable",
            })
            .path("link", link)
            .path("place", place),
            Error::NoParent { release } => {
                Phrase::not_found("deploy.no-parent").with("release", release.unwrap_or_default())
            }
            Error::NoPrevious { component } => Phrase::not_found("deploy.no-previous").with("component", component),
            Error::NoRelease { number, current } => Phrase::not_found("deploy.no-release")
                .with("number", number)
                .with("current", current.unwrap_or_default()),
            Error::ReadBack { path, wanted } => {
                Phrase::failed("deploy.read-back").path("path", path).path("wanted", wanted)
            }
            Error::DurabilityUnknown { release, source } => Phrase::failed("deploy.durability-unknown")
                .with("release", release)
                .path("path", &source.path)
                .with("reason", system(&source.source)),
        }
    }
}

fn damage(damage: &Damage) -> String {
    match damage {
        Damage::Json(error) => error.to_string(),
        Damage::Line { line, source } => {
            say("damage.line", &[("line", line.to_string()), ("reason", source.to_string())])
        }
        Damage::SomeLine(error) => say("damage.some-line", &[("reason", error.to_string())]),
        Damage::NotALink => say("damage.not-a-link", &[]),
        Damage::Holds(target) => say("damage.holds", &[("target", target.display().to_string())]),
        Damage::NoRelease(release) => say("damage.no-release", &[("release", release.to_string())]),
        Damage::Journal => say("damage.journal", &[]),
    }
}

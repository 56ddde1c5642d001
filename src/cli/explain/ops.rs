//! Sentences for errors that appear where rooms are joined.

use super::checks::{why, with_run};
use super::deploy::join;
use super::records::schema;
use super::{Explain, system};
use crate::cli::words::Phrase;
use crate::cli::words::say;
use crate::deploy::Set;
use crate::model::{ByteSize, Version};
use crate::ops::change::Moved;
use crate::ops::delta::NotMade;
use crate::ops::doctor::Broken;
use crate::ops::import::NoManifest;
use crate::ops::{Differs, Error, NoAccess, Remedy, Unmet};
use crate::transfer::Refused;

/// What a component needs and would not have, and what would do.
pub fn unmet(unmet: &Unmet) -> String {
    let versions = |key: &'static str, versions: &[Version]| match versions.is_empty() {
        true => String::new(),
        false => say(key, &[("versions", join(versions))]),
    };
    let args = [
        ("component", unmet.component.to_string()),
        ("version", unmet.version.to_string()),
        ("need", unmet.needs.kind.to_string()),
        ("range", unmet.needs.version.to_string()),
        ("would", unmet.would_be.as_ref().map(Version::to_string).unwrap_or_default()),
        ("installed", versions("unmet.installed", &unmet.installed)),
        ("recorded", versions("unmet.recorded", &unmet.recorded)),
    ];
    say(if unmet.would_be.is_some() { "unmet.other" } else { "unmet.absent" }, &args)
}

/// How a component changes: `model: 1.0.0 -> 1.0.1`.
pub fn moved(moved: &Moved) -> String {
    let name =
        |version: &Option<Version>| version.as_ref().map_or_else(|| say("release.none", &[]), Version::to_string);
    let args = [("component", moved.component.to_string()), ("from", name(&moved.from)), ("to", name(&moved.to))];
    say("release.moved", &args)
}

/// Why a file is no manifest.
pub fn no_manifest(why: &NoManifest) -> String {
    match why {
        NoManifest::TooLong(bytes) => say("import.too-long", &[("bytes", bytes.to_string())]),
        NoManifest::Unread(error) => system(error),
        NoManifest::Schema(error) => schema(error),
    }
}

/// What of a package is not what its manifest says.
fn differs(what: &Differs) -> String {
    match what {
        Differs::Bytes { size, sha256, pinned_size, pinned } => say(
            "ops.other-bytes",
            &[
                ("size", size.to_string()),
                ("sha256", sha256.to_string()),
                ("pinned-size", pinned_size.to_string()),
                ("pinned", pinned.to_string()),
            ],
        ),
        Differs::Tree { tree, pinned } => {
            say("ops.other-digest", &[("tree", tree.to_string()), ("pinned", pinned.to_string())])
        }
    }
}

/// Versions as arguments of a command.
fn references(versions: &Set) -> String {
    versions.iter().map(|(component, version)| format!("{component}@{version}")).collect::<Vec<_>>().join(" ")
}

impl Explain for Broken {
    fn explain(&self) -> Phrase {
        match self {
            Broken::Unreadable(error) => error.explain(),
            Broken::Invalid(error) => error.explain(),
        }
    }
}

impl Explain for Error {
    fn explain(&self) -> Phrase {
        match self {
            Error::NoAccess { component, version, why } => match why {
                NoAccess::Mode(mode) => Phrase::refused("ops.bad-mode").with("mode", mode),
                NoAccess::Group(group) => Phrase::refused("ops.no-such-group").with("group", group),
                NoAccess::Member(group) => Phrase::refused("ops.not-in-group")
                    .with("group", group)
                    .with("user", crate::fsx::user_name(crate::fsx::user())),
            }
            .with("component", component)
            .with("version", version),
            Error::Io(error) => error.explain(),
            Error::Request(error) => error.explain(),
            Error::Pack(error) => error.explain(),
            Error::Delta(NotMade::Failed { what, source }) => {
                Phrase::failed("ops.delta").with("what", what).with("reason", source.explain().text())
            }
            Error::Delta(NotMade::NotInstalled { component, path }) => {
                Phrase::usage("ops.delta-not-installed").with("component", component).path("path", path)
            }
            Error::Delta(NotMade::NoBase { component, version }) => {
                Phrase::not_found("ops.no-delta-base").with("component", component).with("version", version)
            }
            Error::Store(error) => error.explain(),
            Error::Target(error) => error.explain(),
            Error::Fetch(error) => error.explain(),
            Error::Upload(error) => error.explain(),
            Error::Records(error) => error.explain(),
            Error::Distrust(error) => error.explain(),
            Error::Deploy(error) => error.explain(),
            Error::Unpack { what, package, source } => Phrase::refused("ops.unpack")
                .with("what", what)
                .path("package", package)
                .with("reason", source.explain().text()),
            Error::Index { what, source } => {
                Phrase::refused("ops.index").with("what", what).with("reason", source.explain().text())
            }
            Error::NoAllowedLocation { what, refused } => {
                let reasons: Vec<_> = refused.iter().map(|why| why.explain().text()).collect();
                let broken = |why: &Refused| matches!(why, Refused::Broken { .. });
                let phrase = match reasons.is_empty() {
                    true => Phrase::refused("ops.no-location"),
                    false if refused.iter().any(broken) => Phrase::usage("ops.no-usable-location"),
                    false => Phrase::refused("ops.no-allowed-location"),
                };
                phrase.with("what", what).with("reasons", reasons.join("; "))
            }
            Error::StoreDamaged { what, path } => {
                Phrase::refused("ops.store-damaged").with("what", what).path("path", path)
            }
            Error::NoSource { component, path } => {
                Phrase::usage("ops.no-source").with("component", component).path("path", path)
            }
            Error::NotPacked { component, version, store } => Phrase::not_found("ops.not-packed")
                .with("component", component)
                .with("version", version)
                .path("store", store),
            Error::NotNoted { commit, source } => {
                Phrase::failed("ops.not-noted").with("commit", commit).with("reason", source.explain().text())
            }
            Error::NoPackage { package } => Phrase::not_found("ops.no-package").path("package", package),
            Error::NoManifest { package, manifest } => {
                Phrase::not_found("ops.no-manifest").path("package", package).path("manifest", manifest)
            }
            Error::NoIndex { component, version } => {
                Phrase::not_found("ops.no-index").with("component", component).with("version", version)
            }
            Error::Manifest { path, source } => {
                Phrase::refused("ops.manifest").path("path", path).with("reason", schema(source))
            }
            Error::ManifestDiffers { path, what } => {
                Phrase::refused("ops.manifest-differs").path("path", path).with("what", differs(what))
            }
            Error::OtherContent { component, version, published, wanted } => Phrase::conflict("ops.other-content")
                .with("component", component)
                .with("version", version)
                .with("next", version.next_patch())
                .with("published", published)
                .with("wanted", wanted),
            Error::NoSuchTarget { name, known } => {
                Phrase::not_found("ops.no-such-target").with("name", name).with("known", known.join(", "))
            }
            Error::SamePlace { first, second } => {
                Phrase::usage("ops.same-place").with("first", first).with("second", second)
            }
            Error::NotThere { component, version, name, known } => Phrase::not_found("ops.not-there")
                .with("component", component)
                .with("version", version)
                .with("name", name)
                .with("known", known.join(", ")),
            Error::NoUrl { component, version } => {
                Phrase::not_found("ops.no-url").with("component", component).with("version", version)
            }
            Error::NothingPublished { repository } => {
                Phrase::not_found("ops.nothing-published").path("repository", repository)
            }
            Error::NoSuchComponent { component } => {
                Phrase::not_found("ops.no-such-component").with("component", component)
            }
            Error::Yanked { component, version, reason } => Phrase::refused("ops.yanked")
                .with("component", component)
                .with("version", version)
                .with("reason", reason),
            Error::Platform { component, version, wanted, host } => Phrase::refused("ops.platform")
                .with("component", component)
                .with("version", version)
                .with("wanted", wanted)
                .with("host", host),
            Error::Unmet { unmet: all, remedy } => {
                let what = all.iter().map(unmet).collect::<Vec<_>>().join("; ");
                match remedy {
                    Remedy::Deploy(versions) => Phrase::refused("ops.unmet").with("versions", references(versions)),
                    Remedy::Pin(environment, versions) => Phrase::refused("ops.unmet-pin")
                        .with("versions", references(versions))
                        .with("environment", environment),
                    Remedy::Switch(component, version) => {
                        Phrase::refused("ops.unmet-switch").with("component", component).with("version", version)
                    }
                    Remedy::Publish(needs) => {
                        Phrase::refused("ops.unmet-publish").with("need", &needs.kind).with("range", &needs.version)
                    }
                }
                .with("what", what)
            }
            Error::NoEnvironment { name, known } => {
                let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                match known.is_empty() {
                    true => Phrase::not_found("ops.no-environment-at-all"),
                    false => Phrase::not_found("ops.no-environment").with("known", known.join(", ")),
                }
                .with("name", name)
            }
            Error::NotInEnvironment { environment, component } => Phrase::not_found("ops.not-in-environment")
                .with("environment", environment)
                .with("component", component),
            Error::PinDiffers { environment, component, version, pinned, recorded } => {
                Phrase::refused("ops.pin-differs")
                    .with("environment", environment)
                    .with("component", component)
                    .with("version", version)
                    .with("pinned", pinned)
                    .with("recorded", recorded)
            }
            Error::Held { environment, hold, changes } => {
                let changes: Vec<_> = changes.iter().map(moved).collect();
                let phrase = match changes.is_empty() {
                    true => Phrase::conflict("ops.held-links"),
                    false => Phrase::conflict("ops.held").with("changes", changes.join(", ")),
                };
                phrase
                    .with("environment", environment)
                    .with("since", hold.since)
                    .with("by", &hold.by)
                    .with("release", hold.release)
            }
            Error::StillNeeded { component, needed_by } => {
                let names: Vec<_> = needed_by.iter().map(|(by, version)| format!("{by}@{version}")).collect();
                Phrase::refused("ops.still-needed").with("component", component).with("by", names.join(", "))
            }
            Error::Twice { component } => Phrase::usage("ops.twice").with("component", component),
            Error::OtherTree { component, version, expected, found } => Phrase::refused("ops.other-tree")
                .with("component", component)
                .with("version", version)
                .with("expected", expected)
                .with("found", found),
            Error::NoSpace { path, needed, free } => Phrase::failed("ops.no-space")
                .path("path", path)
                .with("needed", ByteSize(*needed))
                .with("free", ByteSize(*free)),
            Error::NoSpaceUnsaid { what, path, free } => Phrase::failed("ops.no-space-unsaid")
                .with("what", what)
                .path("path", path)
                .with("free", ByteSize(*free)),
            Error::NoInodes { path, needed, free } => {
                Phrase::failed("ops.no-inodes").path("path", path).with("needed", needed).with("free", free)
            }
            Error::NotAllowed { release, run } => {
                with_run(Phrase::failed("ops.not-allowed").with("release", release), run)
            }
            Error::Fallen(fallen) => fallen.explain(),
            Error::RolledBack { release, by, why: reason } => {
                Phrase::unhealthy("ops.rolled-back").with("release", release).with("by", by).with("why", why(*reason))
            }
            Error::NotWrittenDown { release, source } => {
                Phrase::failed("ops.not-written-down").with("release", release).with("reason", source.explain().text())
            }
            Error::MarkedBad { component, version, bad } => Phrase::refused("ops.marked-bad")
                .with("component", component)
                .with("version", version)
                .with("release", bad.release)
                .with("at", bad.at)
                .with("why", why(bad.why)),
            Error::NothingOnTrial => Phrase::not_found("ops.nothing-on-trial"),
            Error::ConfigExists { path } => Phrase::conflict("ops.config-exists").path("path", path),
            Error::NoComponents { dir } => Phrase::usage("ops.no-components").path("dir", dir),
        }
    }
}

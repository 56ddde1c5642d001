//! Sentences for errors that appear where rooms are joined.

use super::Explain;
use super::checks::{why, with_run};
use crate::cli::words::Phrase;
use crate::model::{ByteSize, Version};
use crate::ops::Error;
use crate::ops::doctor::Broken;

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
            Error::Io(error) => error.explain(),
            Error::Pack(error) => error.explain(),
            Error::Store(error) => error.explain(),
            Error::Target(error) => error.explain(),
            Error::Fetch(error) => error.explain(),
            Error::Upload(error) => error.explain(),
            Error::Records(error) => error.explain(),
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
                let phrase = Phrase::refused(match reasons.is_empty() {
                    true => "ops.no-location",
                    false => "ops.no-allowed-location",
                });
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
                Phrase::refused("ops.manifest").path("path", path).with("reason", source)
            }
            Error::ManifestDiffers { path, what } => {
                Phrase::refused("ops.manifest-differs").path("path", path).with("what", what)
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
            Error::Unmet { component, version, needs, would_be } => {
                let phrase = Phrase::refused(match would_be {
                    Some(_) => "ops.unmet",
                    None => "ops.unmet-absent",
                });
                phrase
                    .with("component", component)
                    .with("version", version)
                    .with("need", &needs.kind)
                    .with("range", &needs.version)
                    .with("would", would_be.as_ref().map_or("", Version::as_str))
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

//! The configuration: whether there is one, whether it can be used, and which places are known without it.

use std::path::PathBuf;

use super::finding::{Fact, Finding};
use crate::config::{self, Warning};
use crate::fsx;
use crate::ops::Overrides;

/// The configuration as it was found. Reading it is the caller's, who knows environment and home.
#[derive(Debug, Default)]
pub struct Configured {
    /// The file; `None` where none was found and the embedded defaults hold.
    pub file: Option<PathBuf>,
    /// What was accepted and should not stay so.
    pub warnings: Vec<Warning>,
    /// Why it cannot be used.
    pub broken: Option<Broken>,
    /// The places that were given without it: of a broken one they are all that is known.
    pub given: Overrides,
}

/// Why a configuration cannot be used.
#[derive(Debug)]
pub enum Broken {
    /// It cannot be read.
    Unreadable(fsx::Error),
    /// What it says is not valid.
    Invalid(config::Error),
}

pub(super) fn look(configured: &Configured) -> Vec<Finding> {
    let mut findings: Vec<_> = configured.warnings.iter().map(warned).collect();
    match (&configured.broken, &configured.file) {
        (Some(Broken::Unreadable(error)), Some(file)) => {
            let reason = match error.source.raw_os_error() {
                Some(code) => Fact::System(code),
                None => Fact::Text(error.source.to_string()),
            };
            findings.push(Finding::error("configuration-unreadable").path("path", file).fact("reason", reason));
        }
        (Some(Broken::Invalid(error)), Some(file)) => {
            let reason = Fact::Config(Box::new(error.clone()));
            findings.push(Finding::error("configuration-invalid").path("path", file).fact("reason", reason));
        }
        (_, Some(file)) if findings.is_empty() => findings.push(Finding::ok("configuration-ok").path("path", file)),
        (_, Some(_)) => {}
        (_, None) => findings.push(Finding::ok("configuration-defaults")),
    }
    if configured.broken.is_some() {
        let given = &configured.given;
        let places =
            [("root", given.root.is_some()), ("records", given.records.is_some()), ("store", given.store.is_some())];
        let unknown = places.iter().filter(|(_, given)| !given).map(|(name, _)| *name);
        let unknown: Vec<_> = unknown.chain(["targets"]).collect();
        findings.push(Finding::info("not-looked-at").with("places", unknown.join(", ")));
    }
    findings
}

fn warned(warning: &Warning) -> Finding {
    match warning {
        Warning::LiteralSecret { file, place, key } => {
            Finding::warning("literal-secret").path("path", file).number("line", place.line).with("key", key)
        }
    }
}

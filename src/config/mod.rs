//! The configuration: `.deploy-tool.yaml`, its keys, their defaults and what they must obey.
//!
//! ```text
//! text ── node ──▶ located tree ── reader, sections, places, checks ──▶ Config
//!                      │                 └ interpolate: ${VAR}, in scalars only
//!                      └ secrets ──▶ warnings
//! ```
//!
//! Promises: an empty file is valid; a refusal names file, line, column and key; what a variable holds changes no
//! structure and stands in no message; a configuration that exists is consistent. Must not know: files, environment,
//! home directory: text and look-ups are passed in.

use std::path::{Path, PathBuf};

mod checks;
mod error;
mod forge;
mod interpolate;
mod log;
mod node;
mod places;
mod reader;
mod schema;
mod secrets;
mod sections;
mod settings;
mod suggest;
mod targets;
mod template;
#[cfg(test)]
mod tests;
mod trust;

pub use checks::{Health, Hook, Hooks, Probe, Program};
pub use error::{Error, Place, Problem, Shape, Warning};
pub use forge::{Forge, ForgeKind};
pub use log::{Log, LogStyle, Metrics};
pub use schema::schema;
pub use settings::{
    Component, Config, DEFAULT_EXCLUDES, Deploy, Keep, Link, Mtime, Pack, PolicyTrust, Project, Publish, Records,
    RepositoryPlace, Store, Target, Trust, TrustedKeys, Verify, levels,
};
pub use targets::{Addressing, Azure, Bos, BosAuth, Gcs, Http, KeyPair, Login, Oci, S3, Secret, TargetPlace};
pub use template::{Found, template};

/// The name of the file in a project's directory.
pub const FILE_NAME: &str = ".deploy-tool.yaml";

/// Reads a configuration. `file` is where the text comes from: messages name it and relative paths are below its
/// directory, so make it absolute; `env` looks a variable up; `home` is what `~` stands for.
///
/// # Errors
///
/// The first thing that is wrong, with its place.
pub fn parse(
    text: &str,
    file: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    home: Option<&Path>,
) -> Result<(Config, Vec<Warning>), Error> {
    let context = reader::Context { file, env, home };
    let root = node::parse(text).map_err(|(place, problem)| reader::error(&context, place, "", problem))?;
    let mut warnings = Vec::new();
    secrets::find(&root, "", &mut |key, node| {
        warnings.push(Warning::LiteralSecret { file: file.to_owned(), place: node.place, key: key.to_owned() });
    });
    let config = sections::config(reader::Item::root(&context, root), &context)?;
    Ok((config, warnings))
}

impl Config {
    /// The configuration of a directory without a file; `env` and `home` as for [`parse`].
    pub fn default_for(dir: &Path, env: &dyn Fn(&str) -> Option<String>, home: Option<&Path>) -> Self {
        let (config, _) = parse("", &dir.join(FILE_NAME), env, home).expect("an empty file is valid");
        config
    }
}

/// Where a configuration may be, nearest first: in `start` and in every directory above it. Only names; which of them
/// exist is for the caller to find out.
pub fn find_upward(start: &Path) -> impl Iterator<Item = PathBuf> {
    start.ancestors().map(|directory| directory.join(FILE_NAME))
}

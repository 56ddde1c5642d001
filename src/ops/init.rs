//! `init`: writes a commented `.deploy-tool.yaml` from what it finds in the directory.

use std::path::{Path, PathBuf};

use super::Error;
use crate::config::{Found, template};
use crate::fsx::{self, FileKind};
use crate::model::ComponentType;

/// The name of the configuration file.
pub const FILE: &str = ".deploy-tool.yaml";

/// What `init` wrote, or would write.
#[derive(Debug, Clone)]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// The components it names, and their directories.
    pub components: Vec<(ComponentType, String)>,
    /// Its text.
    pub text: String,
}

/// Directories that are never components.
const NEVER: [&str; 8] = ["deployments", "dist", "records", "target", "build", "node_modules", "venv", "docs"];

/// Writes the configuration of the project in `dir`; never over an existing one.
///
/// # Errors
///
/// [`Error::ConfigExists`].
pub fn init(dir: &Path, dry_run: bool) -> Result<Report, Error> {
    let path = dir.join(FILE);
    if fsx::inspect(&path)?.is_some() {
        return Err(Error::ConfigExists { path });
    }
    let mut components = Vec::new();
    for entry in fsx::list(dir)?.into_iter().filter(|entry| entry.kind == FileKind::Directory) {
        let Some(name) = entry.name.to_str().filter(|name| !NEVER.contains(name)) else { continue };
        if let Some(component) = component_of(name) {
            components.push((component, name.to_owned()));
        }
    }
    let project = dir.file_name().map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned());
    let in_git = fsx::inspect(&dir.join(".git"))?.is_some();
    let text = template(&Found {
        project,
        components: components.clone(),
        records: in_git.then(|| ".".to_owned()),
        target: ".deploy-tool/packages".to_owned(),
        root: "deployments".to_owned(),
    });
    if !dry_run {
        fsx::write_atomic(&path, text.as_bytes())?;
    }
    Ok(Report { path, components, text })
}

/// The component a directory holds: the usual plurals are singular, hidden directories are none.
fn component_of(name: &str) -> Option<ComponentType> {
    match name {
        "models" | "weights" => "model",
        "configs" | "conf" | "configuration" => "config",
        "runtimes" => "runtime",
        other => other,
    }
    .parse()
    .ok()
}

//! `publish`: a package to its targets, its record to git.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Error, Site, fetch, pack};
use crate::config::TargetPlace;
use crate::fsx;
use crate::model::{
    ComponentType, Location, Manifest, Record, RecordComponent, RecordManifest, RecordPackage, Sha256, Version,
};
use crate::records::{Published, Repository, publish_change};
use crate::store::Store;
use crate::target::{self, Filesystem, Parcel, Upload};
use crate::transfer::{self, Uploaded};
use crate::archive;

/// What is to be published.
#[derive(Debug, Clone)]
pub enum What {
    /// What `pack` left in the store.
    Packed(ComponentType, Version),
    /// A package, with its manifest beside it.
    File(PathBuf),
}

/// What became of one target.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Where the package lies there; absent where it failed or was only planned.
    pub path: Option<PathBuf>,
    /// Whether it was there already.
    pub already_there: bool,
    /// Why it failed.
    #[serde(skip)]
    pub failure: Option<target::Error>,
    /// What is doubtful about the place.
    #[serde(skip)]
    pub warnings: Vec<target::Warning>,
}

/// What `publish` did.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// The package's sha256.
    pub package: Sha256,
    /// Its length in bytes.
    pub size: u64,
    /// The targets, in the order they were named.
    pub targets: Vec<Target>,
    /// The commit that holds the record.
    pub commit: Option<String>,
    /// The branch it is on.
    pub branch: Option<String>,
    /// Whether the record was there already and nothing was committed.
    pub unchanged: bool,
    /// Whether it was only planned.
    pub dry_run: bool,
}

/// A version in the store, with the bytes of its manifest.
struct Local {
    manifest: Manifest,
    bytes: Vec<u8>,
    package: PathBuf,
    index: Option<PathBuf>,
}

/// `publish`: copies package, index and manifest to the targets (`to`, or the configured ones), reads each copy back, and
/// commits manifest and record once enough targets hold them.
///
/// The same content again is no error: what is missing is added, and nothing is committed where nothing is.
///
/// # Errors
///
/// [`Error::OtherContent`] where the version is published with other content.
pub fn publish(
    site: &Site,
    what: &What,
    to: &[String],
    dry_run: bool,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report, Error> {
    let targets = targets(site, to)?;
    let store = site.store()?;
    let local = match what {
        What::Packed(component, version) => from_store(&store, component, version)?,
        What::File(path) => from_file(&store, path)?,
    };
    let repository = site.repository()?;
    let (component, version) = (&local.manifest.component.kind, &local.manifest.component.version);
    let before = repository.snapshot(None)?.get(component, version)?;
    let local = match &before {
        None => local,
        Some(published) => committed(site, &repository, &store, published, &local)?,
    };
    check(&local)?;
    let mut report = Report {
        component: component_of(&local),
        version: local.manifest.component.version.clone(),
        package: local.manifest.package.checksum.value,
        size: local.manifest.package.size,
        targets: Vec::new(),
        commit: None,
        branch: None,
        unchanged: false,
        dry_run,
    };
    if dry_run {
        report.unchanged = before.as_ref().is_some_and(|p| targets.iter().all(|t| holds(p, t.name())));
        report.targets = targets.iter().map(|t| planned(t, before.as_ref())).collect();
        return Ok(report);
    }
    let uploaded = upload(site, &local, &targets, progress)?;
    let record = record(site, &repository, &local, before.as_ref(), &targets, &uploaded)?;
    let change = publish_change(&local.bytes, &record, before.as_ref())?;
    let committed = repository.commit(&change, &site.author())?;
    store.mark_published(&report.component, &report.version, site.caller.now)?;
    report.targets = uploaded.into_iter().map(done).collect();
    report.unchanged = !committed.is_new;
    report.commit = Some(committed.commit);
    report.branch = Some(committed.branch);
    Ok(report)
}

//! `pack --index-only`: an archive that somebody else made becomes a version, its bytes as they are.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::manifest::Content;
use super::pack::{index_name, manifest_name};
use super::progress::Counting;
use super::{Error, OnProgress, Phase, Progress, Site};
use crate::archive;
use crate::fsx;
use crate::model::{Blake3, ComponentType, Compression, Sha256, Timestamp, Version};

/// What was made for the archive.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// The archive.
    pub file: PathBuf,
    /// Its sha256.
    pub sha256: Sha256,
    /// How it is compressed, by its first bytes.
    pub compression: Compression,
    /// The tree digest.
    pub tree: Blake3,
    /// Entries in it.
    pub entries: usize,
    /// The index in the output directory; absent for a dry run.
    pub index: Option<PathBuf>,
    /// The manifest in the output directory; absent for a dry run.
    pub manifest: Option<PathBuf>,
    /// Whether it was only planned.
    pub dry_run: bool,
}

/// Reads the archive at `file`, refuses what would be refused at unpacking, and makes its index and manifest; the archive
/// goes into the store, so that `publish` finds it. `label` is the archive as the user named it.
/// Progress is in bytes of the archive, once for each time it is read.
pub fn adopt(
    site: &Site,
    (file, label): (&Path, &str),
    component: &ComponentType,
    version: &Version,
    created_at: Timestamp,
    dry_run: bool,
    progress: OnProgress<'_>,
) -> Result<Report, Error> {
    let input = fsx::open(file)?;
    // It is read for its index, for its digest, and into the store.
    let passes = if dry_run { 2 } else { 3 };
    let total = Some(fsx::inspect_followed(file)?.map_or(0, |stat| stat.size) * passes);
    let done = AtomicU64::new(0);
    let told = |bytes: u64| {
        let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        progress(Progress { component: Some(component), phase: Phase::Pack, done, total });
    };
    let read = |e| fsx::Error::new(fsx::Action::Read, file, e);
    let mut start = Vec::new();
    input.take(6).read_to_end(&mut start).map_err(read)?;
    let compression = Compression::sniff(&start);
    let index =
        archive::index_stream(Box::new(Counting::new(fsx::open(file)?, &told)), compression).map_err(|source| {
            Error::Unpack { what: format!("{component}@{version}"), package: file.to_owned(), source: Box::new(source) }
        })?;
    let (sha256, size) = Sha256::of_reader(Counting::new(fsx::open(file)?, &told)).map_err(read)?;
    let mut report = Report {
        component: component.clone(),
        version: version.clone(),
        file: file.to_owned(),
        sha256,
        compression,
        tree: index.tree_digest(),
        entries: index.entries.len(),
        index: None,
        manifest: None,
        dry_run,
    };
    if dry_run {
        return Ok(report);
    }
    let store = site.store()?;
    let mut incoming = store.incoming()?;
    std::io::copy(&mut Counting::new(fsx::open(file)?, &told), &mut incoming).map_err(read)?;
    incoming.commit_expecting(&sha256, size)?;
    let bytes = index.to_bytes();
    let content = Content {
        kind: component,
        component: &site.config.component(component),
        file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        package: (sha256, size),
        compression,
        tree: report.tree,
        index: (store.put_bytes(&bytes)?, bytes.len() as u64),
        label,
        codec: None,
        source: None,
    };
    let manifest = content.name(site, &store, version, created_at)?;
    let output = site.output();
    fsx::create_dir_all(output)?;
    let (index_path, manifest_path) =
        (output.join(index_name(component, version)), output.join(manifest_name(component, version)));
    fsx::write_atomic(&index_path, &bytes)?;
    if let Some(from) = store.path(&manifest)? {
        fsx::copy_atomic(&from, &manifest_path)?;
    }
    report.index = Some(index_path);
    report.manifest = Some(manifest_path);
    Ok(report)
}

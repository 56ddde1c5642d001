//! `pack`: one archive of one component version, into the store and the output directory.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::manifest::Content;
use super::{Error, OnProgress, Phase, Progress, Site, delta, publish};
use crate::archive::{self, Mtime, PackError, PackOptions, Trap};
use crate::config::{self, Component};
use crate::fsx;
use crate::model::{Blake3, Choice, ComponentType, Compression, Sha256, Sha256Hasher, Timestamp, Version};
use crate::records::source_state;
use crate::store::{Packed, Store};

/// What to pack, and how; what is `None` is as configured.
#[derive(Debug, Clone)]
pub struct Request {
    /// The component.
    pub component: ComponentType,
    /// The directory, absolute, and as the user named it.
    pub source: Option<(PathBuf, String)>,
    /// How to compress.
    pub compression: Option<Choice>,
    /// How hard.
    pub level: Option<i32>,
    /// What to leave out besides what is configured, in gitignore syntax.
    pub exclude: Vec<String>,
    /// Whether links are followed instead of stored.
    pub dereference: bool,
    /// How many threads; `None` means as configured.
    pub threads: Option<usize>,
    /// What a delta is made from besides.
    pub delta_from: Option<DeltaFrom>,
}

/// What `pack` makes a delta from.
#[derive(Debug, Clone)]
pub enum DeltaFrom {
    /// A published version.
    Records(delta::From),
    /// An installed version's directory, absolute.
    Directory(PathBuf),
}

/// What `pack` made.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// The package in the output directory; absent for a dry run.
    pub file: Option<PathBuf>,
    /// Its length in bytes.
    pub size: u64,
    /// Its sha256.
    pub sha256: Sha256,
    /// The tree digest.
    pub tree: Blake3,
    /// How it is compressed.
    pub compression: Compression,
    /// Files in it.
    pub files: u64,
    /// Bytes of content in it.
    pub bytes: u64,
    /// Entries left out by exclude patterns.
    pub excluded: u64,
    /// The manifest in the output directory; absent for a dry run.
    pub manifest: Option<PathBuf>,
    /// What became of the delta, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<delta::Outcome>,
    /// What may not work where it is deployed.
    #[serde(skip)]
    pub warnings: Vec<Trap>,
    /// Whether it was only planned.
    pub dry_run: bool,
}

/// `pack`: makes package, index and manifest. Progress is in bytes of content.
///
/// The package, its index and its manifest are whole in the store before the output directory gets its copies; a crash leaves
/// nothing half made under a final name. The package in the output directory shares its blocks with the store's, or is a second
/// name of it, where the file system can: it takes no space and no time, and nobody may write to it.
pub fn pack(
    site: &Site,
    request: &Request,
    version: &Version,
    created_at: Timestamp,
    dry_run: bool,
    progress: OnProgress<'_>,
) -> Result<Report, Error> {
    let component = &request.component;
    let base = match &request.delta_from {
        Some(DeltaFrom::Directory(path)) => Some(delta::Base::directory(path, component)?),
        Some(DeltaFrom::Records(from)) => Some(delta::base(site, from, component, version)?),
        None => None,
    };
    if dry_run {
        let mut hasher = Sha256Hasher::default();
        let packed = measure(site, request, &mut hasher, progress)?;
        let planned = base.map(|base| delta::planned(base.version(), None, (component, version)));
        return Ok(Report { delta: planned, ..report(component, version, hasher.digest().0, packed, None) });
    }
    let tree = Tree::new(site, request)?;
    let store = site.store()?;
    let output = site.output();
    let stored = pack_tree(site, &store, tree, request, progress)?;
    let manifest = name(site, &store, &stored, version, created_at)?;
    fsx::create_dir_all(output)?;
    let file = output.join(package_name(component, version, stored.packed.compression));
    let place = |digest: &Sha256, to: &Path| -> Result<(), Error> {
        Ok(store.path(digest)?.map_or(Ok(()), |from| fsx::place_atomic(&from, to))?)
    };
    place(&stored.package.0, &file)?;
    place(&stored.index.0, &output.join(index_name(component, version)))?;
    let manifest_file = output.join(manifest_name(component, version));
    if let Some(from) = store.path(&manifest)? {
        fsx::copy_atomic(&from, &manifest_file)?;
    }
    let delta = match base {
        Some(base) => Some(with_delta(site, &store, &base, (component, version), progress)?),
        None => None,
    };
    if let Some((outcome, Some(made))) = &delta {
        place(&made.record.checksum.value, &output.join(&outcome.file))?;
    }
    let outcome = delta.map(|(outcome, _)| outcome);
    let report = report(component, version, stored.package.0, stored.packed, Some((file, manifest_file)));
    Ok(Report { delta: outcome, ..report })
}

/// Makes a delta to what was packed, and notes it, so that `publish` takes it along.
fn with_delta(
    site: &Site,
    store: &Store,
    base: &delta::Base,
    (component, version): (&ComponentType, &Version),
    progress: OnProgress<'_>,
) -> Result<(delta::Outcome, Option<delta::Delta>), Error> {
    let local = publish::packed(store, component, version)?;
    let (outcome, made) = delta::make(site, store, base, &local, progress)?;
    if let (Some(made), Some(note)) = (&made, store.packed(component, version)?) {
        store.record_packed(component, version, &Packed { deltas: vec![made.record.clone()], ..note })?;
    }
    Ok((outcome, made))
}

/// Packs a tree into `out`, which keeps nothing: for what it would become.
pub(super) fn measure(
    site: &Site,
    request: &Request,
    out: impl Write + Send,
    progress: OnProgress<'_>,
) -> Result<archive::Packed, Error> {
    let tree = Tree::new(site, request)?;
    let told = told(&request.component, progress);
    Ok(archive::pack(&tree.options(site, request, &told), out)?)
}

/// Packs a tree into the store, without a version yet.
pub(super) fn pack_tree(
    site: &Site,
    store: &Store,
    tree: Tree,
    request: &Request,
    progress: OnProgress<'_>,
) -> Result<Stored, Error> {
    let mut incoming = store.incoming()?;
    let told = told(&request.component, progress);
    let packed = archive::pack(&tree.options(site, request, &told), &mut incoming);
    let packed = packed.map_err(|error| match error {
        // The archive room knows no paths: where the package was written is known here.
        PackError::Write(source) => fsx::Error::new(fsx::Action::Write, store.directory(), source).into(),
        error => Error::from(error),
    })?;
    let package = incoming.commit()?;
    let group = tree.component.group.as_deref().and_then(fsx::group).filter(|group| fsx::may_give_to(*group));
    store.restrict(&package.0, tree.component.mode, group)?;
    let index = (store.put_bytes(&packed.index_bytes)?, packed.index_bytes.len() as u64);
    Ok(Stored { packed, package, index, tree, kind: request.component.clone() })
}

/// Gives a stored tree its version: writes the manifest into the store and the note that `publish` finds. Returns the
/// manifest's digest.
pub(super) fn name(
    site: &Site,
    store: &Store,
    stored: &Stored,
    version: &Version,
    created_at: Timestamp,
) -> Result<Sha256, Error> {
    let packed = &stored.packed;
    let content = Content {
        kind: &stored.kind,
        component: &stored.tree.component,
        file: package_name(&stored.kind, version, packed.compression),
        package: stored.package,
        compression: packed.compression,
        tree: packed.tree,
        index: stored.index,
        label: &stored.tree.label,
        codec: Some(packed.codec.clone()),
        source: source_state(&stored.tree.source)?,
    };
    content.name(site, store, version, created_at)
}

fn told<'a>(component: &'a ComponentType, progress: OnProgress<'a>) -> impl Fn(u64) + Sync + 'a {
    move |done| progress(Progress { component: Some(component), phase: Phase::Pack, done, total: None })
}

/// A tree in the store, not yet given a version.
#[derive(Debug)]
pub(super) struct Stored {
    /// What packing found.
    pub packed: archive::Packed,
    package: (Sha256, u64),
    index: (Sha256, u64),
    tree: Tree,
    kind: ComponentType,
}

/// What is packed, with configuration and request joined.
#[derive(Debug)]
pub(super) struct Tree {
    component: Component,
    source: PathBuf,
    label: String,
    excludes: Vec<String>,
}

impl Tree {
    /// Finds the directory, which must be there.
    pub fn new(site: &Site, request: &Request) -> Result<Self, Error> {
        let component = site.config.component(&request.component);
        let (source, label) = match &request.source {
            Some((source, label)) => (source.clone(), label.clone()),
            None => (component.source.clone(), component.source_as_written.clone()),
        };
        if fsx::inspect_followed(&source)?.is_none_or(|stat| stat.kind != fsx::FileKind::Directory) {
            return Err(Error::NoSource { component: request.component.clone(), path: source });
        }
        let excludes = component.exclude.iter().chain(&request.exclude).cloned().collect();
        Ok(Self { component, source, label, excludes })
    }

    fn options<'a>(&'a self, site: &Site, request: &Request, progress: &'a (dyn Fn(u64) + Sync)) -> PackOptions<'a> {
        let compression = request.compression.unwrap_or(self.component.compression);
        PackOptions {
            source: &self.source,
            excludes: &self.excludes,
            dereference: request.dereference,
            mtime: match self.component.mtime {
                config::Mtime::Normalize => Mtime::Normalize,
                config::Mtime::Keep => Mtime::Keep,
            },
            compression,
            level: request.level.or_else(|| site.config.pack.level.get(&compression.codec()).copied()),
            threads: request.threads.or(site.config.pack.threads).unwrap_or(0),
            progress,
        }
    }
}

fn report(
    component: &ComponentType,
    version: &Version,
    sha256: Sha256,
    packed: archive::Packed,
    files: Option<(PathBuf, PathBuf)>,
) -> Report {
    let dry_run = files.is_none();
    let (file, manifest) = files.unzip();
    Report {
        component: component.clone(),
        version: version.clone(),
        file,
        size: packed.size,
        sha256,
        tree: packed.tree,
        compression: packed.compression,
        files: packed.files,
        bytes: packed.bytes,
        excluded: packed.excluded,
        manifest,
        delta: None,
        warnings: packed.warnings,
        dry_run,
    }
}

fn package_name(component: &ComponentType, version: &Version, compression: Compression) -> String {
    format!("{component}-{version}{}", compression.extension())
}

pub(super) fn index_name(component: &ComponentType, version: &Version) -> String {
    format!("{component}-{version}.index.zst")
}

/// The name of the manifest beside a package in the output directory.
pub(super) fn manifest_name(component: &ComponentType, version: &Version) -> String {
    format!("{component}-{version}.manifest.json")
}

impl Request {
    /// Everything as configured.
    pub fn configured(component: &ComponentType) -> Self {
        Self {
            component: component.clone(),
            source: None,
            compression: None,
            level: None,
            exclude: Vec::new(),
            dereference: false,
            threads: None,
            delta_from: None,
        }
    }
}

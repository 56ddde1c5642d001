//! `publish`: a package to its targets, its record to git.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::choose::{self, Chosen};
use super::commit::commit;
use super::{Error, OnProgress, Site, fetch, upload};
use crate::archive;
use crate::fsx;
use crate::model::{
    ComponentType, Compression, EntryKind, Index, Location, Manifest, Place, Record, RecordComponent, RecordManifest,
    RecordPackage, Sha256, Version,
};
use crate::records::{Published, publish_change};
use crate::store::{Reader, Store};
use crate::target;
use crate::transfer::Uploaded;

/// What is to be published.
#[derive(Debug, Clone)]
pub enum What {
    /// What `pack` left in the store.
    Packed(ComponentType, Version),
    /// A package, with its manifest beside it.
    File(PathBuf),
}

/// What became of one target.
#[derive(Debug, Serialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Where the package lies there; absent where it failed or was only planned.
    pub place: Option<Place>,
    /// Whether it was there already.
    pub already_there: bool,
    /// Why it failed.
    #[serde(serialize_with = "as_text")]
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
pub(super) struct Local {
    pub manifest: Manifest,
    pub bytes: Vec<u8>,
    pub package: PathBuf,
    pub index: Option<PathBuf>,
}

/// `publish`: copies package, index and manifest to the targets (`to`, or the configured ones) at once, checks each copy, and
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
    progress: OnProgress<'_>,
) -> Result<Report, Error> {
    let Chosen { usable: targets, broken } = choose::targets(site, to)?;
    let (bytes, manifest) = match (manifest(&site.store_reader()?, what), what) {
        // The committed bytes stand: what is published already need not be packed here.
        (Err(not_packed @ Error::NotPacked { .. }), What::Packed(component, version)) => {
            let published = published(site, component, version)?.ok_or(not_packed)?;
            (published.manifest_bytes, published.manifest)
        }
        (found, _) => found?,
    };
    let (component, version) = (manifest.component.kind.clone(), manifest.component.version.clone());
    let before = published(site, &component, &version)?;
    if let Some(published) = &before {
        same_content(published, &manifest)?;
    }
    let package = &before.as_ref().map_or(&manifest, |published| &published.manifest).package;
    let mut report = Report {
        component,
        version,
        package: package.checksum.value,
        size: package.size,
        targets: Vec::new(),
        commit: None,
        branch: None,
        unchanged: before.as_ref().is_some_and(|p| targets.iter().all(|target| holds(p, target.name()))),
        dry_run,
    };
    if !site.own_repository || site.has_repository()? {
        site.repository()?.require_target()?;
    }
    if dry_run {
        let broken = broken.into_iter().map(|(name, error)| done(Uploaded { name, outcome: Err(error) }));
        report.targets = targets.iter().map(|target| planned(target.as_ref(), before.as_ref())).chain(broken).collect();
        return Ok(report);
    }
    let store = site.store()?;
    let local = match (&before, what) {
        (Some(published), _) => committed(site, &store, published, progress)?,
        (None, What::Packed(component, version)) => from_store(&store, component, version, bytes, manifest)?,
        (None, What::File(path)) => from_file(&store, path, bytes, manifest)?,
    };
    let files = check(&store, &local)?;
    let repository = site.repository()?;
    let uploaded = upload::upload(site, &store, &local, &targets, broken, progress)?;
    let record = record(site, &local, before.as_ref(), &targets, &uploaded);
    let change = publish_change(&local.bytes, &record, before.as_ref(), files)?;
    let committed = commit(site, &repository, &change)?;
    store
        .mark_published(&report.component, &report.version, site.caller.now)
        .map_err(|source| Error::NotNoted { commit: committed.commit.clone(), source })?;
    report.targets = uploaded.into_iter().map(done).collect();
    report.unchanged = !committed.is_new;
    report.commit = Some(committed.commit);
    report.branch = Some(committed.branch);
    Ok(report)
}

/// What the records say of the version; nothing where no repository is there yet.
fn published(site: &Site, component: &ComponentType, version: &Version) -> Result<Option<Published>, Error> {
    if site.own_repository && !site.has_repository()? {
        return Ok(None);
    }
    Ok(site.repository()?.snapshot(None)?.get(component, version)?)
}

/// The manifest of what is to be published: from the store's note, or beside the package file
/// (`<type>-<version>.manifest.json`, else `manifest.json`).
fn manifest(store: &Reader, what: &What) -> Result<(Vec<u8>, Manifest), Error> {
    let package = match what {
        What::Packed(component, version) => {
            let note = store.packed(component, version)?.ok_or_else(|| not_packed(store, component, version))?;
            let path = store.path(&note.manifest)?.ok_or_else(|| not_packed(store, component, version))?;
            let (bytes, manifest) = read_manifest(&path)?;
            // Its digest goes into the record: rot must not be signed for.
            if Sha256::of(&bytes) != note.manifest {
                return Err(Error::StoreDamaged { what: format!("{component}@{version}"), path });
            }
            return Ok((bytes, manifest));
        }
        What::File(package) if fsx::inspect_followed(package)?.is_none() => {
            return Err(Error::NoPackage { package: package.clone() });
        }
        What::File(package) => package,
    };
    let dir = package.parent().unwrap_or(Path::new("."));
    let name = package.file_name().unwrap_or_default().to_string_lossy();
    let stem = Compression::ALL.iter().find_map(|c| name.strip_suffix(c.extension())).unwrap_or(&name);
    let (own, plain) = (dir.join(format!("{stem}.manifest.json")), dir.join("manifest.json"));
    for path in [&own, &plain] {
        if fsx::inspect_followed(path)?.is_some() {
            return read_manifest(path);
        }
    }
    Err(Error::NoManifest { package: package.clone(), manifest: own })
}

fn not_packed(store: &Reader, component: &ComponentType, version: &Version) -> Error {
    Error::NotPacked { component: component.clone(), version: version.clone(), store: store.directory().into() }
}

fn from_store(
    store: &Store,
    component: &ComponentType,
    version: &Version,
    bytes: Vec<u8>,
    manifest: Manifest,
) -> Result<Local, Error> {
    let path = |digest: &Sha256| store.path(digest)?.ok_or_else(|| not_packed(store, component, version));
    let package = path(&manifest.package.checksum.value)?;
    let index = manifest.index.as_ref().map(|index| path(&index.checksum.value)).transpose()?;
    Ok(Local { manifest, bytes, package, index })
}

/// Takes a package file and its index into the store.
fn from_file(store: &Store, package: &Path, bytes: Vec<u8>, manifest: Manifest) -> Result<Local, Error> {
    let dir = package.parent().unwrap_or(Path::new("."));
    let take = |path: &Path, sha256: &Sha256, size: u64| -> Result<PathBuf, Error> {
        let mut incoming = store.incoming()?;
        let mut file = fsx::open(path)?;
        std::io::copy(&mut file, &mut incoming).map_err(|e| fsx::Error::new(fsx::Action::Read, path, e))?;
        let (found, length) = incoming.digest();
        if (found, length) != (*sha256, size) {
            let what = format!("{length} bytes with sha256 {found}, not {size} bytes with sha256 {sha256}");
            return Err(Error::ManifestDiffers { path: path.to_owned(), what });
        }
        incoming.commit()?;
        Ok(store.path(sha256)?.unwrap_or_else(|| path.to_owned()))
    };
    let taken = take(package, &manifest.package.checksum.value, manifest.package.size)?;
    let index = manifest.index.as_ref().map(|index| take(&dir.join(&index.file), &index.checksum.value, index.size));
    let index = index.transpose()?;
    Ok(Local { manifest, bytes, package: taken, index })
}

fn read_manifest(path: &Path) -> Result<(Vec<u8>, Manifest), Error> {
    let bytes = fsx::read(path)?;
    let manifest = Manifest::parse(&bytes).map_err(|source| Error::Manifest { path: path.to_owned(), source })?;
    Ok((bytes, manifest))
}

/// Only the same content may be published again.
fn same_content(published: &Published, manifest: &Manifest) -> Result<(), Error> {
    let (committed, wanted) = (&published.manifest.package, &manifest.package);
    let (committed, wanted) = match (committed.tree, wanted.tree) {
        (Some(committed), Some(wanted)) => (committed.to_string(), wanted.to_string()),
        _ => (committed.checksum.value.to_string(), wanted.checksum.value.to_string()),
    };
    if committed == wanted {
        return Ok(());
    }
    Err(Error::OtherContent {
        component: published.component().clone(),
        version: published.version().clone(),
        published: committed,
        wanted,
    })
}

/// The version is published already: the committed manifest and package stand, and are brought into the store.
fn committed(site: &Site, store: &Store, published: &Published, progress: OnProgress<'_>) -> Result<Local, Error> {
    let repository = site.repository()?;
    let rejected = store.directory().join("rejected");
    fetch::bring(site, store, published, Some(repository.root()), &rejected, progress)?;
    let path = |digest: &Sha256| {
        let what = || format!("{}@{}", published.component(), published.version());
        store.path(digest)?.ok_or_else(|| Error::StoreDamaged { what: what(), path: store.directory().into() })
    };
    Ok(Local {
        manifest: published.manifest.clone(),
        bytes: published.manifest_bytes.clone(),
        package: path(&published.package_sha256())?,
        index: published.manifest.index.as_ref().map(|index| path(&index.checksum.value)).transpose()?,
    })
}

/// Reads the finished archive back with a plain tar reader and compares it with the index; how many files it holds.
fn check(store: &Store, local: &Local) -> Result<Option<usize>, Error> {
    let what = || format!("{}@{}", local.manifest.component.kind, local.manifest.component.version);
    let Some(path) = &local.index else { return Ok(None) };
    let bytes = fsx::read(path)?;
    if local.manifest.index.as_ref().is_some_and(|index| index.checksum.value != Sha256::of(&bytes)) {
        return Err(Error::StoreDamaged { what: what(), path: path.clone() });
    }
    let index = Index::parse(&bytes).map_err(|source| Error::Index { what: what(), source })?;
    let sha256 = local.manifest.package.checksum.value;
    let package = fsx::open(&local.package)?;
    if let Err(source) = archive::check(&package, local.manifest.package.algorithm, &index) {
        return Err(match store.digest(&sha256)? {
            Some(found) if found != sha256 => Error::StoreDamaged { what: what(), path: local.package.clone() },
            _ => Error::Unpack { what: what(), package: local.package.clone(), source: Box::new(source) },
        });
    }
    let (found, pinned) = (index.tree_digest(), local.manifest.package.tree);
    match pinned.filter(|pinned| *pinned != found) {
        None => Ok(Some(index.entries.iter().filter(|e| matches!(e.entry.kind, EntryKind::File { .. })).count())),
        Some(pinned) => Err(Error::ManifestDiffers {
            path: local.package.clone(),
            what: format!("tree digest {found}, not {pinned}"),
        }),
    }
}

fn record(
    site: &Site,
    local: &Local,
    before: Option<&Published>,
    targets: &[Arc<dyn target::Target>],
    uploaded: &[Uploaded],
) -> Record {
    let (component, package) = (&local.manifest.component, &local.manifest.package);
    let mut record = before.map(|published| published.record.clone()).unwrap_or_else(|| Record {
        component: RecordComponent { kind: component.kind.clone(), version: component.version.clone() },
        manifest: Some(RecordManifest { sha256: Sha256::of(&local.bytes) }),
        package: Some(RecordPackage {
            file: package.file.clone(),
            size: package.size,
            checksum: package.checksum.clone(),
        }),
        locations: Vec::new(),
        published_at: site.caller.now,
        schema: None,
        extra: Default::default(),
    });
    for (target, uploaded) in targets.iter().zip(uploaded) {
        let Ok(placed) = &uploaded.outcome else { continue };
        let location = Location { name: target.name().to_owned(), place: placed.place.clone() };
        if !record.locations.contains(&location) {
            record.locations.push(location);
        }
    }
    record
}

fn holds(published: &Published, target: &str) -> bool {
    published.record.locations.iter().any(|location| location.name == target)
}

fn as_text<S: serde::Serializer>(failure: &Option<target::Error>, serializer: S) -> Result<S::Ok, S::Error> {
    failure.as_ref().map(ToString::to_string).serialize(serializer)
}

fn planned(target: &dyn target::Target, before: Option<&Published>) -> Target {
    Target {
        name: target.name().to_owned(),
        place: None,
        already_there: before.is_some_and(|published| holds(published, target.name())),
        failure: None,
        warnings: Vec::new(),
    }
}

fn done(uploaded: Uploaded) -> Target {
    let (placed, failure) = match uploaded.outcome {
        Ok(placed) => (Some(placed), None),
        Err(error) => (None, Some(error)),
    };
    Target {
        name: uploaded.name,
        place: placed.as_ref().map(|placed| placed.place.clone()),
        already_there: placed.as_ref().is_some_and(|placed| placed.already_there),
        failure,
        warnings: placed.map(|placed| placed.warnings).unwrap_or_default(),
    }
}

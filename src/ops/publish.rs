//! `publish`: a package to its targets, its record to git.

mod local;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

pub(super) use local::Local;
pub(super) use local::packed;
use local::{from_file, from_store, manifest};

use super::choose::{self, Chosen};
use super::commit::{anew, commit};
use super::request::{About, Desk, Proposed, Scope};
use super::{Differs, Error, OnProgress, Site, delta, fetch, trust, upload};
use crate::archive;
use crate::fsx;
use crate::model::{
    Act, ComponentType, EntryKind, Index, Lack, Location, Manifest, Place, Record, RecordComponent, RecordManifest,
    RecordPackage, Sha256, Version,
};
use crate::records::{Published, SignedFile, publish_change};
use crate::store::Store;
use crate::target;
use crate::transfer::Uploaded;
use crate::trust::{Fingerprint, Namespace};

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
    /// What became of the delta, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<delta::Outcome>,
    /// The commit that holds the record.
    pub commit: Option<String>,
    /// The branch it is on.
    pub branch: Option<String>,
    /// What became of the proposal, where it is one.
    #[serde(flatten)]
    pub proposed: Option<Proposed>,
    /// Whether the record was there already and nothing was committed.
    pub unchanged: bool,
    /// The key that signed the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<Fingerprint>,
    /// What the policy asks for besides, before hosts take the version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Lack>,
    /// Whether it was only planned.
    pub dry_run: bool,
}

/// `publish`: copies package, index and manifest to the targets (`to`, or the configured ones) at once, checks each copy, and
/// commits manifest and record once enough targets hold them.
///
/// The same content again is no error: what is missing is added, and nothing is committed where nothing is. `delta_from`
/// asks for a delta from another version besides, which lies beside the package and stands in the record; one that is too large
/// to be of use is left out.
///
/// # Errors
///
/// [`Error::OtherContent`] where the version is published with other content.
pub fn publish(
    site: &Site,
    what: &What,
    to: &[String],
    delta_from: Option<&delta::From>,
    dry_run: bool,
    progress: OnProgress<'_>,
) -> Result<Report, Error> {
    // Somebody may publish the same content at the same moment.
    anew(|| once(site, what, to, delta_from, dry_run, progress))
}

fn once(
    site: &Site,
    what: &What,
    to: &[String],
    delta_from: Option<&delta::From>,
    dry_run: bool,
    progress: OnProgress<'_>,
) -> Result<Report, Error> {
    let desk = Desk::of(site, dry_run)?;
    let desk = desk.as_ref();
    let site = desk.map_or(site, |desk| &desk.site);
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
    let branch = desk.map(|desk| desk.branch(&Scope::Publish, &[(component.clone(), Some(version.clone()))].into()));
    let branch = branch.transpose()?;
    // What an earlier proposal has of the same content stands as well, so that the same once more changes nothing.
    let proposed = match (desk, &branch, &before) {
        (Some(desk), Some(branch), None) => desk.proposed(branch, &component, &version)?,
        _ => None,
    };
    let stands = before.clone().or(proposed.filter(|proposed| same_content(proposed, &manifest).is_ok()));
    let package = &stands.as_ref().map_or(&manifest, |published| &published.manifest).package;
    let base = delta_from.map(|from| delta::base(site, from, &component, &version)).transpose()?;
    let listed = |from: &Version| stands.as_ref()?.record.deltas.iter().find(|delta| delta.from == *from);
    let outcome =
        base.as_ref().map(|base| delta::planned(base.version(), listed(base.version()), (&component, &version)));
    let has_delta = outcome.as_ref().is_none_or(|outcome| outcome.state == delta::State::WasThere);
    let mut report = Report {
        component,
        version,
        delta: outcome,
        package: package.checksum.value,
        size: package.size,
        targets: Vec::new(),
        commit: None,
        branch,
        proposed: None,
        unchanged: has_delta && before.as_ref().is_some_and(|p| targets.iter().all(|target| holds(p, target.name()))),
        signed_by: None,
        missing: Vec::new(),
        dry_run,
    };
    if desk.is_none() && (!site.own_repository || site.has_repository()?) {
        site.repository()?.require_target()?;
    }
    if dry_run {
        let broken = broken.into_iter().map(|(name, error)| done(Uploaded { name, outcome: Err(error) }));
        report.targets = targets.iter().map(|target| planned(target.as_ref(), stands.as_ref())).chain(broken).collect();
        if let (Some(desk), Some(branch), false) = (desk, &report.branch, report.unchanged) {
            report.proposed = Some(desk.plan(branch)?);
        }
        return Ok(report);
    }
    let store = site.store()?;
    let mut local = match (&stands, what) {
        (Some(published), _) => committed(site, &store, published, progress)?,
        (None, What::Packed(component, version)) => from_store(&store, component, version, bytes, manifest)?,
        (None, What::File(path)) => from_file(&store, path, bytes, manifest)?,
    };
    if let What::Packed(component, version) = what {
        let listed = stands.as_ref().map(|published| published.record.deltas.as_slice()).unwrap_or_default();
        local.deltas = delta::packed(&store, component, version, listed)?;
    }
    if let Some(base) = base.filter(|_| !has_delta) {
        local.deltas.retain(|delta| delta.record.from != *base.version());
        let (outcome, made) = delta::make(site, &store, &base, &local, progress)?;
        report.delta = Some(outcome);
        local.deltas.extend(made);
    }
    let repository = site.repository()?;
    let known = before.as_ref().map(|published| published.signatures.as_slice()).unwrap_or_default();
    // Before a byte is uploaded: the key may be a token that nobody touches, or of somebody who may not publish this.
    let signature = trust::signature(site, &Namespace::manifest(), &local.bytes, known)?;
    let all: Vec<_> = known.iter().chain(signature.as_ref().map(|made| &made.file)).cloned().collect();
    let content = (&Namespace::manifest(), local.bytes.as_slice());
    report.missing = trust::admit(site, &repository.snapshot(None)?, Act::Publish(&report.component), content, &all)?;
    report.signed_by = signature.as_ref().map(|made| made.fingerprint);
    let (uploaded, files) = upload::upload(site, &store, &local, &targets, broken, progress)?;
    let record = record(site, &local, stands.as_ref(), &targets, &uploaded);
    let mut change = publish_change(&local.bytes, &record, before.as_ref(), files)?;
    if let Some(made) = &signature {
        change = change.signature(SignedFile::Manifest(&report.component, &report.version), known, &made.file);
    }
    report.targets = uploaded.into_iter().map(done).collect();
    match (desk, &report.branch) {
        (Some(desk), Some(branch)) => {
            let about = About::Version(&report.component, &report.version);
            let (commit, proposed) = desk.propose(&change, branch, about)?;
            report.unchanged = commit.is_none();
            (report.commit, report.proposed) = (commit, Some(proposed));
        }
        _ => {
            let committed = commit(site, &repository, &change)?;
            report.unchanged = !committed.is_new;
            report.branch = Some(committed.branch);
            report.commit = Some(committed.commit);
        }
    }
    // Until the base has it, it is not published, and may have to be proposed again.
    if desk.is_none() || report.unchanged {
        let commit = || report.commit.clone().or(site.base.clone()).unwrap_or_default();
        store
            .mark_published(&report.component, &report.version, site.caller.now)
            .map_err(|source| Error::NotNoted { commit: commit(), source })?;
    }
    Ok(report)
}

/// What the records say of the version; nothing where no repository is there yet.
fn published(site: &Site, component: &ComponentType, version: &Version) -> Result<Option<Published>, Error> {
    if site.own_repository && !site.has_repository()? {
        return Ok(None);
    }
    Ok(site.repository()?.snapshot(None)?.get(component, version)?)
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
        proved: false,
        deltas: Vec::new(),
    })
}

/// Reads the finished archive back with a plain tar reader and compares it with the index, but for what was proved when it was
/// packed; how many files it holds. Who copies the package makes sure of its sha256.
pub(super) fn check(store: &Store, local: &Local) -> Result<Option<usize>, Error> {
    let what = || format!("{}@{}", local.manifest.component.kind, local.manifest.component.version);
    let Some(path) = &local.index else { return Ok(None) };
    let bytes = fsx::read(path)?;
    if local.manifest.index.as_ref().is_some_and(|index| index.checksum.value != Sha256::of(&bytes)) {
        return Err(Error::StoreDamaged { what: what(), path: path.clone() });
    }
    let index = Index::parse(&bytes).map_err(|source| Error::Index { what: what(), source })?;
    let sha256 = local.manifest.package.checksum.value;
    let package = fsx::open(&local.package)?;
    let read_back = if local.proved { archive::check_packed } else { archive::check };
    if let Err(source) = read_back(&package, local.manifest.package.algorithm, &index) {
        return Err(match store.digest(&sha256)? {
            Some(found) if found != sha256 => Error::StoreDamaged { what: what(), path: local.package.clone() },
            _ => Error::Unpack { what: what(), package: local.package.clone(), source: Box::new(source) },
        });
    }
    let (found, pinned) = (index.tree_digest(), local.manifest.package.tree);
    match pinned.filter(|pinned| *pinned != found) {
        None => Ok(Some(index.entries.iter().filter(|e| matches!(e.entry.kind, EntryKind::File { .. })).count())),
        Some(pinned) => {
            Err(Error::ManifestDiffers { path: local.package.clone(), what: Differs::Tree { tree: found, pinned } })
        }
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
        deltas: Vec::new(),
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
    if uploaded.iter().any(|uploaded| uploaded.outcome.is_ok()) {
        record.deltas.extend(local.deltas.iter().map(|delta| delta.record.clone()));
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

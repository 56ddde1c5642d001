//! `record import`: records made anew from what lies at a target, for versions that git does not know.

use std::collections::BTreeMap;
use std::io::Read as _;

use serde::Serialize;

use super::commit::commit;
use super::{Error, Site, choose, trust};
use crate::model::{
    Act, ComponentType, Location, Manifest, Place, Record, RecordComponent, RecordManifest, RecordPackage, SchemaError,
    Sha256, Version,
};
use crate::records::{Change, Published, Repository, SignatureFile, SignedFile, publish_change};
use crate::target::{Listed, Target, Wanted};
use crate::trust::Namespace;

/// The name of a manifest at a target.
const MANIFEST: &str = "manifest.json";

/// The longest manifest that is read: a thousand times what a real one has.
const MAX_BYTES: u64 = 4 << 20;

/// What was made of one version that the target holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Its record is made, or would be.
    Imported,
    /// Git has a record of the same content.
    Recorded,
    /// Git has a record of other content, which stands.
    Conflict {
        /// The sha256 of the recorded package.
        recorded: Sha256,
    },
    /// The target holds several contents that call themselves this version, and only who published them knows which one
    /// it is.
    Ambiguous {
        /// The sha256 of each package.
        packages: Vec<Sha256>,
    },
    /// The target does not hold all of it.
    Incomplete {
        /// The file that is missing or has another length than its manifest says.
        file: String,
    },
}

/// One version that the target holds.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// Its manifest there.
    pub manifest: String,
    /// What was made of it.
    #[serde(flatten)]
    pub state: State,
}

/// A manifest that cannot be read.
#[derive(Debug, Serialize)]
pub struct Unreadable {
    /// Where it is.
    pub manifest: String,
    /// Why.
    #[serde(serialize_with = "in_words")]
    pub reason: NoManifest,
}

/// Why a file is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum NoManifest {
    /// It is longer than any.
    #[error("{0} bytes are too many")]
    TooLong(u64),
    /// The target does not give its bytes.
    #[error("{0}")]
    Unread(#[source] std::io::Error),
    /// They are no manifest.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

fn in_words<S: serde::Serializer>(reason: &NoManifest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

/// What `record import` did, or would do.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The target.
    pub target: String,
    /// The versions it holds, in order.
    pub versions: Vec<Found>,
    /// Files that are called manifests and are none.
    pub unreadable: Vec<Unreadable>,
    /// The commit that holds the new records; absent where there are none, or it was only planned.
    pub commit: Option<String>,
    /// The branch it is on.
    pub branch: Option<String>,
    /// Whether it was only planned.
    pub dry_run: bool,
}

impl Report {
    /// Whether a version was left out because nobody can say what it is.
    pub fn has_conflict(&self) -> bool {
        self.versions.iter().any(|found| matches!(found.state, State::Conflict { .. } | State::Ambiguous { .. }))
    }
}

/// A manifest at the target, and whether what it names is beside it.
struct Candidate {
    key: String,
    bytes: Vec<u8>,
    manifest: Manifest,
    /// Where its package lies, or the file that is not there.
    package: Result<Place, String>,
}

impl Candidate {
    fn sha256(&self) -> Sha256 {
        self.manifest.package.checksum.value
    }
}

/// `record import`: one commit with the records of all versions that `from` holds whole and git does not know, or only
/// those of one component. A record that is there is never changed. A new one is dated like its manifest, so that
/// whoever imports makes the same.
///
/// With a key (`records.sign`) each manifest is signed.
///
/// Only lengths are compared here: the bytes are checked when they are used, against the digests that the record pins.
///
/// # Errors
///
/// The target cannot be listed or read; the commit fails. Nothing is changed then.
pub fn import(site: &Site, from: &str, only: Option<&ComponentType>, dry_run: bool) -> Result<Report, Error> {
    let target = choose::target(site, from)?;
    let repository = match site.own_repository && dry_run && !site.has_repository()? {
        true => None,
        false => Some(site.repository()?),
    };
    let mut report = Report {
        target: from.to_owned(),
        versions: Vec::new(),
        unreadable: Vec::new(),
        commit: None,
        branch: None,
        dry_run,
    };
    let found = candidates(target.as_ref(), only, &mut report.unreadable)?;
    let mut changes = Vec::new();
    for ((component, version), candidates) in found {
        let recorded = recorded(repository.as_ref(), &component, &version)?;
        let (candidate, state) = judge(&candidates, recorded.as_ref());
        if let (State::Imported, Ok(place)) = (&state, &candidate.package) {
            let location = Location { name: from.to_owned(), place: place.clone() };
            let change = publish_change(&candidate.bytes, &record(candidate, location), None, None)?;
            let signed = if dry_run { None } else { sign(site, repository.as_ref(), candidate)? };
            changes.push(match signed {
                Some(made) => change.signature(SignedFile::Manifest(&component, &version), &[], &made),
                None => change,
            });
        }
        report.versions.push(Found { component, version, manifest: target.shown(&candidate.key), state });
    }
    let Some(repository) = repository.filter(|_| !dry_run && !changes.is_empty()) else { return Ok(report) };
    let imported = report.versions.iter().filter(|found| found.state == State::Imported);
    let names: Vec<_> = imported.map(|found| format!("{}@{}", found.component, found.version)).collect();
    let change = Change::all(&format!("import records from {from}"), &names.join("\n"), changes);
    let committed = commit(site, &repository, &change)?;
    report.commit = Some(committed.commit);
    report.branch = Some(committed.branch);
    Ok(report)
}

/// The signature of the configured key over a manifest, where there is one; then the policy is asked as it is by `publish`.
fn sign(site: &Site, repository: Option<&Repository>, candidate: &Candidate) -> Result<Option<SignatureFile>, Error> {
    let Some(repository) = repository else { return Ok(None) };
    let content = (&Namespace::manifest(), candidate.bytes.as_slice());
    let Some(made) = trust::signature(site, content.0, content.1, &[])? else { return Ok(None) };
    let act = Act::Publish(&candidate.manifest.component.kind);
    trust::admit(site, &repository.snapshot(None)?, act, content, std::slice::from_ref(&made.file))?;
    Ok(Some(made.file))
}

fn recorded(
    repository: Option<&Repository>,
    component: &ComponentType,
    version: &Version,
) -> Result<Option<Published>, Error> {
    let Some(repository) = repository else { return Ok(None) };
    Ok(repository.snapshot(None)?.get(component, version)?)
}

/// Manifests by component and version.
type ByVersion = BTreeMap<(ComponentType, Version), Vec<Candidate>>;

/// Every manifest at the target, by what it is the manifest of.
fn candidates(
    target: &dyn Target,
    only: Option<&ComponentType>,
    unreadable: &mut Vec<Unreadable>,
) -> Result<ByVersion, Error> {
    let listed = target.list("")?;
    let sizes: BTreeMap<&str, u64> = listed.iter().map(|file| (file.key.as_str(), file.size)).collect();
    let mut found = ByVersion::new();
    for file in listed.iter().filter(|file| file.key.rsplit('/').next() == Some(MANIFEST)) {
        let (bytes, manifest) = match read(target, file)? {
            Ok(read) => read,
            Err(reason) => {
                unreadable.push(Unreadable { manifest: target.shown(&file.key), reason });
                continue;
            }
        };
        let (component, version) = (manifest.component.kind.clone(), manifest.component.version.clone());
        if only.is_some_and(|only| *only != component) {
            continue;
        }
        let package = beside(target, &file.key, &manifest, &sizes)?;
        let candidate = Candidate { key: file.key.clone(), bytes, manifest, package };
        found.entry((component, version)).or_default().push(candidate);
    }
    Ok(found)
}

/// The bytes of a manifest and what they say, or why they are none.
fn read(target: &dyn Target, file: &Listed) -> Result<Result<(Vec<u8>, Manifest), NoManifest>, Error> {
    if file.size > MAX_BYTES {
        return Ok(Err(NoManifest::TooLong(file.size)));
    }
    let mut bytes = Vec::new();
    let reading = target.read(&file.key, None)?;
    if let Err(e) = reading.body.take(MAX_BYTES).read_to_end(&mut bytes) {
        return Ok(Err(NoManifest::Unread(e)));
    }
    Ok(Manifest::parse(&bytes).map_err(NoManifest::Schema).map(|manifest| (bytes, manifest)))
}

/// Where the package of the manifest under `key` lies, if it and the index are there with the right lengths; else the file
/// that is not.
fn beside(
    target: &dyn Target,
    key: &str,
    manifest: &Manifest,
    sizes: &BTreeMap<&str, u64>,
) -> Result<Result<Place, String>, Error> {
    let package = &manifest.package;
    let Some(place) = target.place_beside(key, &package.file) else { return Ok(Err(package.file.clone())) };
    let files = [Some((&package.file, &package.checksum, package.size))].into_iter();
    let files = files.chain([manifest.index.as_ref().map(|index| (&index.file, &index.checksum, index.size))]);
    for (file, checksum, size) in files.flatten() {
        let key = target.locate(&place, Wanted { file, sha256: checksum.value });
        let found = match key {
            None => None,
            Some(key) => sizes.get(key.as_str()).copied().map_or_else(|| target.size(&key), |size| Ok(Some(size)))?,
        };
        if found != Some(size) {
            return Ok(Err(file.clone()));
        }
    }
    Ok(Ok(place))
}

/// Which of the manifests of one version counts, and what is made of it.
fn judge<'c>(candidates: &'c [Candidate], recorded: Option<&Published>) -> (&'c Candidate, State) {
    let identity = |manifest: &Manifest| match manifest.package.tree {
        Some(tree) => tree.to_string(),
        None => manifest.package.checksum.value.to_string(),
    };
    // The oldest first; what else could be told apart is told apart the same way by everybody.
    let mut whole: Vec<_> = candidates.iter().filter(|candidate| candidate.package.is_ok()).collect();
    whole.sort_by_key(|candidate| (candidate.manifest.component.created_at, Sha256::of(&candidate.bytes)));
    let Some(first) = whole.first().copied() else {
        let first = &candidates[0];
        let file = first.package.clone().err().unwrap_or_default();
        return (first, State::Incomplete { file });
    };
    if let Some(recorded) = recorded {
        let same = whole.iter().find(|candidate| identity(&candidate.manifest) == identity(&recorded.manifest));
        return match same {
            Some(same) => (same, State::Recorded),
            None => (first, State::Conflict { recorded: recorded.package_sha256() }),
        };
    }
    if whole.iter().all(|candidate| identity(&candidate.manifest) == identity(&first.manifest)) {
        return (first, State::Imported);
    }
    let mut packages: Vec<_> = whole.iter().map(|candidate| candidate.sha256()).collect();
    packages.sort();
    packages.dedup();
    (first, State::Ambiguous { packages })
}

fn record(candidate: &Candidate, location: Location) -> Record {
    let (component, package) = (&candidate.manifest.component, &candidate.manifest.package);
    Record {
        component: RecordComponent { kind: component.kind.clone(), version: component.version.clone() },
        manifest: Some(RecordManifest { sha256: Sha256::of(&candidate.bytes) }),
        package: Some(RecordPackage {
            file: package.file.clone(),
            size: package.size,
            checksum: package.checksum.clone(),
        }),
        locations: vec![location],
        deltas: Vec::new(),
        published_at: component.created_at,
        schema: None,
        extra: Default::default(),
    }
}

//! Deltas between published versions: what `publish --delta-from` makes besides.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use super::publish::Local;
use super::{Error, OnProgress, Phase, Progress, Site, fetch};
use crate::archive::{self, Mtime, PackOptions, Source, UnpackOptions};
use crate::delta::{self, Made, MakeOptions};
use crate::fsx;
use crate::model::{
    Checksum, Choice, ComponentType, Compression, DeltaHeader, EnvironmentName, Index, MAX_HOLE_BYTES, Manifest,
    RecordDelta, Reference, Selector, Sha256, Version,
};
use crate::records::Published;
use crate::store::Store;

/// A delta of a larger share of the full package, in percent, is not kept: who lacks more than that fetches all of it.
const MOST_PERCENT: u64 = 60;

/// Which version a delta leads from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// The highest that is lower, not withdrawn and published.
    Previous,
    /// This one.
    Version(Version),
    /// What this environment has.
    CurrentOf(EnvironmentName),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("current-of-")) {
            ("previous", _) => Ok(Self::Previous),
            (_, Some(name)) => name.parse().map(Self::CurrentOf).map_err(|e| format!("{e}")),
            _ => text.parse().map(Self::Version).map_err(|e| format!("{e}")),
        }
    }
}

/// What a delta leads from.
#[derive(Debug)]
pub(super) enum Base {
    /// A published version.
    Published(Box<Published>),
    /// A directory that holds this version: an installed one.
    Directory(PathBuf, Version),
}

impl Base {
    /// The version.
    pub fn version(&self) -> &Version {
        match self {
            Self::Published(published) => published.version(),
            Self::Directory(_, version) => version,
        }
    }

    /// The directory of an installed version of `component`, or a link to it: `…/<type>/<version>`.
    pub fn directory(path: &Path, component: &ComponentType) -> Result<Self, Error> {
        let real = fsx::canonical(path)?;
        let mut names = real.iter().rev().filter_map(|name| name.to_str());
        let (name, above) = (names.next(), names.next());
        let version = name.filter(|_| above == Some(component.as_str())).and_then(|name| name.parse().ok());
        let not = || NotMade::NotInstalled { component: component.clone(), path: path.to_owned() };
        let version = version.ok_or_else(not)?;
        Ok(Self::Directory(real, version))
    }
}

/// A delta in the store.
#[derive(Debug, Clone)]
pub(super) struct Delta {
    /// What the record says of it.
    pub record: RecordDelta,
    /// Where it is.
    pub path: PathBuf,
}

/// What became of a delta.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The version it leads from.
    pub from: Version,
    /// Its file name.
    pub file: String,
    /// Its length in bytes; absent where it was only planned. Of one that was not kept, what there was of it.
    pub size: Option<u64>,
    /// Why it is or is not there.
    pub state: State,
}

/// Why a delta is or is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It was made.
    Made,
    /// It would be made.
    Planned,
    /// The record lists it already.
    WasThere,
    /// It would be more than 60 % of the full package.
    TooLarge,
}

/// Why a delta was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// Something failed.
    #[error("delta to {what}: {source}")]
    Failed {
        /// The component and version it leads to.
        what: String,
        /// Why.
        source: delta::MakeError,
    },
    /// A directory that is none of an installed version.
    #[error("`{}` is no installed version of {component}", path.display())]
    NotInstalled {
        /// The component.
        component: ComponentType,
        /// The directory.
        path: PathBuf,
    },
    /// There is no version that it could lead from.
    #[error("no other version of {component} to make a delta to {version} from")]
    NoBase {
        /// The component.
        component: ComponentType,
        /// The version it would lead to.
        version: Version,
    },
}

/// The name of the delta file.
pub(super) fn file_name(component: &ComponentType, version: &Version, from: &Version) -> String {
    format!("{component}-{version}.from-{from}.delta.zst")
}

/// What is known of a delta before it is made.
pub(super) fn planned(
    from: &Version,
    listed: Option<&RecordDelta>,
    (component, version): (&ComponentType, &Version),
) -> Outcome {
    let state = if listed.is_some() { State::WasThere } else { State::Planned };
    let file = file_name(component, version, from);
    Outcome { from: from.clone(), file, size: listed.map(|delta| delta.size), state }
}

/// The version that a delta to `version` leads from; its content must differ.
///
/// # Errors
///
/// There is none.
pub(super) fn base(site: &Site, from: &From, component: &ComponentType, version: &Version) -> Result<Base, Error> {
    let none = || NotMade::NoBase { component: component.clone(), version: version.clone() };
    if site.own_repository && !site.has_repository()? {
        return Err(none().into());
    }
    let repository = site.repository()?;
    let snapshot = repository.snapshot(None)?;
    let wanted = match from {
        From::Version(wanted) => wanted.clone(),
        From::Previous => {
            let mut found = None;
            for lower in snapshot.versions(component)?.into_iter().rev().filter(|other| other < version) {
                if !snapshot.is_yanked(component, &lower)? {
                    found = Some(lower);
                    break;
                }
            }
            found.ok_or_else(none)?
        }
        From::CurrentOf(name) => {
            let environment = snapshot.environment(name)?.ok_or_else(none)?.environment;
            environment.components.get(component).map(|pin| pin.version.clone()).ok_or_else(none)?
        }
    };
    if wanted == *version {
        return Err(none().into());
    }
    let reference = Reference { component: component.clone(), selector: Selector::Exact(wanted) };
    Ok(Base::Published(Box::new(snapshot.resolve(&reference)?)))
}

/// Makes the delta from `base` to the version in `local`, into the store.
pub(super) fn make(
    site: &Site,
    store: &Store,
    base: &Base,
    local: &Local,
    progress: OnProgress<'_>,
) -> Result<(Outcome, Option<Delta>), Error> {
    let (component, version) = (&local.manifest.component.kind, &local.manifest.component.version);
    let scratch = store.scratch()?;
    let in_store = |digest: Sha256| {
        let damaged = || Error::StoreDamaged { what: format!("{component}@{version}"), path: store.directory().into() };
        store.path(&digest)?.ok_or_else(damaged)
    };
    let old = match base {
        Base::Directory(path, _) => Unpacked::installed(path)?,
        Base::Published(base) => {
            let repository = site.repository()?;
            let rejected = store.directory().join("rejected");
            fetch::bring(site, store, base, Some(repository.root()), &rejected, progress)?;
            let index = base.manifest.index.as_ref().map(|index| in_store(index.checksum.value)).transpose()?;
            let package = in_store(base.package_sha256())?;
            Unpacked::new(&base.manifest, &package, index.as_deref(), scratch.path().join("base"))?
        }
    };
    let new = Unpacked::new(&local.manifest, &local.package, local.index.as_deref(), scratch.path().join("target"))?;
    let package = local.manifest.package.size;
    let told =
        |done, total| progress(Progress { component: Some(component), phase: Phase::Pack, done, total: Some(total) });
    let options = MakeOptions {
        base: base.version(),
        target: version,
        level: None,
        limit: package / 100 * MOST_PERCENT + package % 100 * MOST_PERCENT / 100,
        threads: site.config.pack.threads.unwrap_or(0),
        progress: &told,
    };
    let place = scratch.path().join("spool");
    let spool = fsx::create_new(&place)?;
    let mut incoming = store.incoming()?;
    let made = delta::make(old.tree(), new.tree(), &options, (&spool, &place), &mut incoming);
    let made = made.map_err(|source| NotMade::Failed { what: format!("{component}@{version}"), source })?;
    let file = file_name(component, version, base.version());
    let outcome = |size, state| Outcome { from: base.version().clone(), file: file.clone(), size: Some(size), state };
    match made {
        Made::TooLarge { size } => Ok((outcome(size, State::TooLarge), None)),
        Made::Delta { header, .. } => {
            let (sha256, size) = incoming.commit()?;
            let checksum = |value| Checksum { value, ..local.manifest.package.checksum.clone() };
            let front = front_digest(&in_store(sha256)?, header.front_bytes())?;
            let record = RecordDelta {
                from: base.version().clone(),
                tree: header.base().tree,
                file: file.clone(),
                size,
                checksum: checksum(sha256),
                header: Some(DeltaHeader { size: header.front_bytes(), checksum: checksum(front) }),
                extra: Default::default(),
            };
            Ok((outcome(size, State::Made), Some(Delta { record, path: in_store(sha256)? })))
        }
    }
}

/// The sha256 of the first bytes of a file.
pub(super) fn front_digest(path: &Path, bytes: u64) -> Result<Sha256, Error> {
    let mut front = Vec::new();
    let read = fsx::open(path)?.take(bytes).read_to_end(&mut front);
    read.map_err(|e| fsx::Error::new(fsx::Action::Read, path, e))?;
    Ok(Sha256::of(&front))
}

/// Those deltas of a packed version that `pack` made and no record lists yet.
pub(super) fn packed(
    store: &Store,
    component: &ComponentType,
    version: &Version,
    listed: &[RecordDelta],
) -> Result<Vec<Delta>, Error> {
    let mut found = Vec::new();
    for record in store.packed(component, version)?.map(|note| note.deltas).unwrap_or_default() {
        if let Some(path) = store.path(&record.checksum.value)?
            && !listed.iter().any(|listed| listed.from == record.from)
        {
            found.push(Delta { record, path });
        }
    }
    Ok(found)
}

/// A package taken apart.
struct Unpacked {
    dir: fsx::Dir,
    index: Index,
}

impl Unpacked {
    fn new(manifest: &Manifest, package: &Path, index: Option<&Path>, into: PathBuf) -> Result<Self, Error> {
        let what = || format!("{}@{}", manifest.component.kind, manifest.component.version);
        let failed = |source| Error::Unpack { what: what(), package: package.to_owned(), source: Box::new(source) };
        let file = fsx::open(package)?;
        let compression = manifest.package.algorithm;
        let index = match index {
            Some(path) => Index::parse(&fsx::read(path)?).map_err(|source| Error::Index { what: what(), source })?,
            None => archive::index_foreign(&file, compression).map_err(failed)?,
        };
        fsx::create_dir(&into)?;
        let options = UnpackOptions {
            threads: 0,
            keep_write_bits: true,
            mode_mask: None,
            expected: None,
            max_bytes: None,
            max_holes: MAX_HOLE_BYTES,
            whole: false,
            progress: &|_| {},
        };
        archive::unpack(Source::File(&file), compression, Some(&index), &into, &options).map_err(failed).map(drop)?;
        Ok(Self { dir: fsx::Dir::open(&into)?, index })
    }

    /// A directory as it is; reading it through says what is in it.
    fn installed(path: &Path) -> Result<Self, Error> {
        let options = PackOptions {
            source: path,
            excludes: &[],
            dereference: false,
            mtime: Mtime::Normalize,
            compression: Choice::Fixed(Compression::None),
            level: None,
            threads: 0,
            progress: &|_| {},
        };
        let index = archive::pack(&options, std::io::sink())?.index;
        Ok(Self { dir: fsx::Dir::open(path)?, index })
    }

    fn tree(&self) -> delta::Tree<'_> {
        delta::Tree { dir: &self.dir, index: &self.index, follow: false }
    }
}

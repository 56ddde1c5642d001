//! What an operation can fail with: the errors of the rooms below, and those that only appear where rooms are joined.

use std::path::PathBuf;

use super::access::NoAccess;
use super::change::Moved;
use super::dependencies::{Remedy, Unmet};
use super::manifest::Differs;
use super::release::Fallen;
use super::status::Hold;
use crate::model::{ComponentType, EnvironmentName, IndexError, SchemaError, Version};
use crate::{archive, deploy, fsx, records, store, target, transfer};

/// A failed operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Files of a version cannot get the permission bits or the group that its manifest asks for.
    #[error("{component}@{version}: {why}")]
    NoAccess {
        /// The component.
        component: ComponentType,
        /// Its version.
        version: Version,
        /// What cannot be given.
        why: NoAccess,
    },
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] fsx::Error),
    /// Packing failed.
    #[error(transparent)]
    Pack(#[from] archive::PackError),
    /// A delta was not made.
    #[error(transparent)]
    Delta(#[from] super::delta::NotMade),
    /// Unpacking or checking a package failed.
    #[error("package `{}` of {what}: {source}", package.display())]
    Unpack {
        /// The component and version, or the package's file name.
        what: String,
        /// The package.
        package: PathBuf,
        /// Why.
        source: Box<archive::UnpackError>,
    },
    /// An index cannot be read.
    #[error("index of {what}: {source}")]
    Index {
        /// The component and version.
        what: String,
        /// Why.
        source: IndexError,
    },
    /// The store said no.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A target said no.
    #[error(transparent)]
    Target(#[from] target::Error),
    /// Fetching failed.
    #[error(transparent)]
    Fetch(#[from] transfer::FetchError),
    /// Publishing to too few targets succeeded.
    #[error(transparent)]
    Upload(#[from] transfer::UploadError),
    /// No location of the record is one this host may read.
    #[error("no location of {what} may be read")]
    NoAllowedLocation {
        /// The component and version.
        what: String,
        /// Why each was refused.
        refused: Vec<transfer::Refused>,
    },
    /// Content of the store is not what its name says, or vanished.
    #[error("`{}` in the store is damaged", path.display())]
    StoreDamaged {
        /// The component and version.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// The records repository said no.
    #[error(transparent)]
    Records(#[from] records::Error),
    /// Signatures or the policy said no, or what the root has seen.
    #[error(transparent)]
    Distrust(#[from] super::trust::Distrust),
    /// The root said no.
    #[error(transparent)]
    Deploy(#[from] deploy::Error),
    /// The directory to pack is not there.
    #[error("source `{}` of `{component}` is no directory", path.display())]
    NoSource {
        /// The component.
        component: ComponentType,
        /// The directory.
        path: PathBuf,
    },
    /// `pack` has not made this version, or gc has collected it after it was published.
    #[error("{component}@{version} is not in the store")]
    NotPacked {
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
        /// The store.
        store: PathBuf,
    },
    /// The record is committed, and the store could not note that the package is published.
    #[error("committed {commit}, but the store could not note it: {source}")]
    NotNoted {
        /// The commit that holds the record.
        commit: String,
        /// Why not.
        source: store::Error,
    },
    /// A package file that is not there.
    #[error("no file `{}`", package.display())]
    NoPackage {
        /// The package.
        package: PathBuf,
    },
    /// A package file without its manifest.
    #[error("no manifest beside `{}`", package.display())]
    NoManifest {
        /// The package.
        package: PathBuf,
        /// The manifest that was looked for.
        manifest: PathBuf,
    },
    /// The version was published without an index, so its files are not known without its package.
    #[error("{component}@{version} has no index")]
    NoIndex {
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
    },
    /// A manifest that cannot be read.
    #[error("manifest `{}`: {source}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: SchemaError,
    },
    /// The package is not what its manifest says.
    #[error("`{}` is not what its manifest says: {what}", path.display())]
    ManifestDiffers {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: Differs,
    },
    /// The version is published with other content.
    #[error("{component}@{version} is published with other content")]
    OtherContent {
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
        /// The identity of what is published.
        published: String,
        /// The identity of what was to be published.
        wanted: String,
    },
    /// There is no target of this name.
    #[error("no target `{name}`")]
    NoSuchTarget {
        /// The name.
        name: String,
        /// The configured ones.
        known: Vec<String>,
    },
    /// Two targets that are one place, so that two copies would be one.
    #[error("targets `{first}` and `{second}` are the same place")]
    SamePlace {
        /// One of them.
        first: String,
        /// The other one.
        second: String,
    },
    /// The version does not lie at a place of this name.
    #[error("{component}@{version} is not at `{name}`")]
    NotThere {
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
        /// The name.
        name: String,
        /// The names of the places where it is.
        known: Vec<String>,
    },
    /// None of the places of a version gives out URLs.
    #[error("no URL leads to {component}@{version}")]
    NoUrl {
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
    },
    /// Nothing was published yet.
    #[error("nothing is published in `{}`", repository.display())]
    NothingPublished {
        /// Where the records repository would be.
        repository: PathBuf,
    },
    /// No version of this component is installed or recorded.
    #[error("no component `{component}`")]
    NoSuchComponent {
        /// The component.
        component: ComponentType,
    },
    /// The version is withdrawn.
    #[error("{component}@{version} is yanked: {reason}")]
    Yanked {
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
        /// Why.
        reason: String,
    },
    /// The package is for another platform.
    #[error("{component}@{version} is for {wanted}, this host is {host}")]
    Platform {
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
        /// What the manifest names.
        wanted: String,
        /// What this host is.
        host: String,
    },
    /// Components need others that would not be current.
    #[error("{} requirements are not met", unmet.len())]
    Unmet {
        /// What is not met; at least one.
        unmet: Vec<Unmet>,
        /// What would help.
        remedy: Remedy,
    },
    /// There is no environment of this name.
    #[error("no environment `{name}`")]
    NoEnvironment {
        /// The name.
        name: EnvironmentName,
        /// Those that there are.
        known: Vec<EnvironmentName>,
    },
    /// An environment does not name this component.
    #[error("`{environment}` names no `{component}`")]
    NotInEnvironment {
        /// The environment.
        environment: EnvironmentName,
        /// The component.
        component: ComponentType,
    },
    /// An environment pins another package than the record of the version names.
    #[error("`{environment}` pins {pinned} for {component}@{version}, the record says {recorded}")]
    PinDiffers {
        /// The environment.
        environment: EnvironmentName,
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
        /// The sha256 that the environment pins.
        pinned: String,
        /// The one that the record names.
        recorded: String,
    },
    /// The root is on hold, so no environment is deployed.
    #[error("on hold since {} by {}", hold.since, hold.by)]
    Held {
        /// The environment that would have been deployed.
        environment: EnvironmentName,
        /// What holds it.
        hold: Hold,
        /// What would have changed.
        changes: Vec<Moved>,
    },
    /// Other current components need the one that is to leave.
    #[error("`{component}` is needed by {} current components", needed_by.len())]
    StillNeeded {
        /// The component.
        component: ComponentType,
        /// What needs it.
        needed_by: Vec<(ComponentType, Version)>,
    },
    /// One command names two versions of one component.
    #[error("two versions of `{component}`")]
    Twice {
        /// The component.
        component: ComponentType,
    },
    /// The unpacked tree is not the one the manifest pins.
    #[error("{component}@{version} unpacks to another tree")]
    OtherTree {
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
        /// The tree digest in the manifest.
        expected: String,
        /// The tree digest of what came out.
        found: String,
    },
    /// The root's file system is too full.
    #[error("`{}` has {free} bytes free, {needed} are needed", path.display())]
    NoSpace {
        /// The root.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// The root's file system is too full for a package without an index, which does not say how much it needs.
    #[error("`{}` has {free} bytes free, {what} needs more", path.display())]
    NoSpaceUnsaid {
        /// The component and version.
        what: String,
        /// The root.
        path: PathBuf,
        /// Bytes free before it was unpacked.
        free: u64,
    },
    /// The root's file system has too few inodes.
    #[error("`{}` has {free} inodes free, {needed} are needed", path.display())]
    NoInodes {
        /// The root.
        path: PathBuf,
        /// Inodes needed.
        needed: u64,
        /// Inodes free.
        free: u64,
    },
    /// A hook said no before the links moved.
    #[error("`{}` stopped release {release}", run.what)]
    NotAllowed {
        /// The release that was to be made.
        release: u64,
        /// The hook.
        run: Box<deploy::Run>,
    },
    /// The release was made and does not stand.
    #[error("release {} does not stand", .0.release)]
    Fallen(Box<Fallen>),
    /// The release that was current did not stand any more and was undone.
    #[error("release {release} was undone by release {by}")]
    RolledBack {
        /// Its number.
        release: u64,
        /// The one that undid it.
        by: u64,
        /// Why.
        why: deploy::Why,
    },
    /// The release stands, and that could not be written down.
    #[error("release {release} stands, but this could not be written down: {source}")]
    NotWrittenDown {
        /// Its number.
        release: u64,
        /// Why not.
        source: deploy::Error,
    },
    /// The version did not stand on this root before.
    #[error("{component}@{version} is marked bad")]
    MarkedBad {
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
        /// Why it is.
        bad: deploy::Bad,
    },
    /// There is no trial to end.
    #[error("nothing is on trial")]
    NothingOnTrial,
    /// The change could not be proposed.
    #[error(transparent)]
    Request(#[from] super::request::RequestError),
    /// A configuration file is there already.
    #[error("`{}` exists", path.display())]
    ConfigExists {
        /// The file.
        path: PathBuf,
    },
    /// A project without components.
    #[error("no components in `{}`", dir.display())]
    NoComponents {
        /// The project's directory.
        dir: PathBuf,
    },
}

//! What can go wrong on a root.

use std::path::PathBuf;

use super::Break;
use crate::fsx;
use crate::model::{ComponentType, Version};

/// Why a link cannot be changed where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceFault {
    /// There is no such directory.
    NoDirectory,
    /// This user may not write there, or the file system is read-only, or the link is another user's in a sticky directory.
    NotWritable,
}

/// What is wrong with a state file.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It is not JSON of the right form.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// One of its lines is not JSON of the right form.
    #[error("line {line}: {source}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line, nobody counted which, is not JSON of the right form.
    #[error("one of its lines: {0}")]
    SomeLine(#[source] serde_json::Error),
    /// It should be a link.
    #[error("it is not a link")]
    NotALink,
    /// It is a link that leads where none of ours does.
    #[error("it holds `{}`", .0.display())]
    Holds(PathBuf),
    /// It names a release that is not there.
    #[error("it names release {0}, which is not there")]
    NoRelease(u64),
    /// It is the journal of the current release and cannot be read.
    #[error("its release is current, but the journal cannot be read")]
    Journal,
}

/// A failed look at, or change of, a root.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] fsx::Error),
    /// Somebody else is changing the root.
    #[error("root `{}` is locked by {holder}", root.display())]
    Locked {
        /// The root.
        root: PathBuf,
        /// What the holder wrote about itself.
        holder: String,
        /// The link that says so, on a file system whose locks are of no use: it outlives a holder on another machine.
        claim: Option<PathBuf>,
    },
    /// The path is no deployment root.
    #[error("`{}` is not a deployment root", root.display())]
    NotARoot {
        /// The path.
        root: PathBuf,
    },
    /// The root cannot be written by this user.
    #[error("no permission to write `{}`", path.display())]
    NotWritable {
        /// The root.
        root: PathBuf,
        /// The existing directory that refuses.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner's number.
        owner: u32,
        /// The user's own number.
        user: u32,
    },
    /// Others may write in the root.
    #[error("others may write in `{}`", path.display())]
    OthersMayWrite {
        /// The root.
        root: PathBuf,
        /// The directory they may write in.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The group that may; `None` where everybody may.
        group: Option<String>,
    },
    /// The root is somebody else's.
    #[error("`{}` belongs to {owner}", path.display())]
    OwnedByOther {
        /// The root.
        root: PathBuf,
        /// The directory that is somebody else's.
        path: PathBuf,
        /// Whose it is.
        owner: String,
    },
    /// The root was made by a newer tool.
    #[error("root `{}` has format {found}", root.display())]
    NewerFormat {
        /// The root.
        root: PathBuf,
        /// The format found there.
        found: String,
    },
    /// A state file holds something unexpected.
    #[error("`{}` is damaged: {damage}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// A line of the audit trail does not fit the ones before it.
    #[error("line {line} of `{}` does not fit the lines before it", path.display())]
    Trail {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What does not fit.
        why: Break,
    },
    /// The component is not part of the current release.
    #[error("`{component}` is not deployed")]
    NotDeployed {
        /// The component.
        component: ComponentType,
    },
    /// The version is not installed on this root.
    #[error("{component}@{version} is not installed")]
    NotInstalled {
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
        /// The versions that are.
        installed: Vec<Version>,
    },
    /// The version directory was made from other content.
    #[error("{component}@{version} is installed with other content")]
    OtherContent {
        /// The component.
        component: ComponentType,
        /// The version.
        version: Version,
        /// The digest of what is installed.
        installed: String,
        /// The digest of what was asked for.
        wanted: String,
    },
    /// A directory stands where a version is to be installed, and no receipt tells what it is.
    #[error("`{}` is in the way", path.display())]
    UnknownDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// Something that is not a link of ours stands where a link is to be made.
    #[error("`{}` is in the way of a link", path.display())]
    Blocked {
        /// What is in the way.
        path: PathBuf,
    },
    /// A link outside the root cannot be changed.
    #[error("cannot change the link `{}`: {why:?} `{}`", link.display(), place.display())]
    LinkPlace {
        /// The link.
        link: PathBuf,
        /// The directory it is in, or would be.
        place: PathBuf,
        /// What is wrong with that.
        why: PlaceFault,
    },
    /// There is no release to go back to.
    #[error("there is no earlier release")]
    NoParent {
        /// The current release, where there is one.
        release: Option<u64>,
    },
    /// The component had no other version before.
    #[error("`{component}` had no other version before")]
    NoPrevious {
        /// The component.
        component: ComponentType,
    },
    /// There is no such release.
    #[error("there is no release {number}")]
    NoRelease {
        /// The number asked for.
        number: u64,
        /// The current release.
        current: Option<u64>,
    },
    /// After the switch a link does not hold what was planned.
    #[error("after the switch `{}` does not hold `{}`", path.display(), wanted.display())]
    ReadBack {
        /// The link.
        path: PathBuf,
        /// What it should hold.
        wanted: PathBuf,
    },
    /// The switch happened, but a flush after the commit point failed.
    #[error("release {release} is committed, durability unknown: {source}")]
    DurabilityUnknown {
        /// The release.
        release: u64,
        /// Why the flush failed.
        source: fsx::Error,
    },
}

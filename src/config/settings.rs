//! The configuration as plain values: what every other room is given.
//!
//! Every path is joined to the directory of the file (absolute where the file's path is), every variable replaced,
//! every default filled in.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::checks::{Health, Hooks};
use super::forge::Forge;
use super::log::{Log, Metrics};
use super::targets::{Bos, S3, Secret, TargetPlace};
use crate::model::{ByteSize, Choice, ComponentType, Compression, Dependency, Platform, RepositoryUrl, Span};

/// What is left out of every package, in gitignore syntax. Later patterns win: `!__pycache__/` in `pack.exclude` or in
/// a component's takes it in again.
pub const DEFAULT_EXCLUDES: [&str; 10] = [
    ".git",
    ".hg",
    ".svn",
    "__pycache__/",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".ipynb_checkpoints/",
    ".DS_Store",
    ".deploy-tool/",
];

/// A project's or host's whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The directory of the file; relative paths were joined to it.
    pub base: PathBuf,
    /// What the project is.
    pub project: Project,
    /// The components the file names.
    pub components: BTreeMap<ComponentType, Component>,
    /// How packages are made.
    pub pack: Pack,
    /// Where records are kept.
    pub records: Records,
    /// Where packages go.
    pub publish: Publish,
    /// The root on this host.
    pub deploy: Deploy,
    /// The store on this machine.
    pub store: Store,
    /// Where runs are logged.
    pub log: Log,
    /// Where metrics are written.
    pub metrics: Metrics,
}

/// `project`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The name; the name of the file's directory where none is given.
    pub name: String,
    /// What kind of project, for people.
    pub kind: Option<String>,
    /// What it does, for people.
    pub description: Option<String>,
    /// The directory that sources are relative to; the file's directory where none is given.
    pub root: PathBuf,
}

/// `components.<type>`, with what it takes over from `pack` filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The directory to pack; `<project root>/<type>` where none is given.
    pub source: PathBuf,
    /// The same as the file spells it, for the manifest's `source_path`.
    pub source_as_written: String,
    /// What it is, for people.
    pub description: Option<String>,
    /// How it is compressed; as `pack.compression` says where it does not say.
    pub compression: Choice,
    /// Whether deployed files keep their write bits.
    pub mutable: bool,
    /// What other components it needs, sorted by type.
    pub depends: Vec<Dependency>,
    /// What becomes of the times of files.
    pub mtime: Mtime,
    /// What is left out, in gitignore syntax, later patterns win: the defaults, `pack.exclude`, the component's own.
    pub exclude: Vec<String>,
    /// The platform it runs on; `None` means any.
    pub platform: Option<Platform>,
    /// The permission bits that deployed files and directories have at most; the owner's are among them.
    pub mode: Option<u32>,
    /// The group of deployed files and directories, by name or number.
    pub group: Option<String>,
}

/// What becomes of the times of files in a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mtime {
    /// All the same, so that equal content has an equal digest.
    #[default]
    Normalize,
    /// Kept.
    Keep,
}

/// `pack`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// The directory packages are written to; `dist` where none is given.
    pub output: PathBuf,
    /// How components are compressed that do not say; gzip where none is given.
    pub compression: Choice,
    /// The levels given, each within [`levels`]; a codec that is not here takes its own default.
    pub level: HashMap<Compression, i32>,
    /// What is left out of every component: [`DEFAULT_EXCLUDES`], then those given.
    pub exclude: Vec<String>,
    /// How many threads; `None` means one for each processor.
    pub threads: Option<usize>,
}

/// `records`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// The git repository; `None` where none is given.
    pub repository: Option<RepositoryPlace>,
    /// The branch; `None` means the one HEAD names.
    pub branch: Option<String>,
    /// The directory in the repository, relative and without `..`; empty for its top. `records` where none is given.
    pub directory: PathBuf,
    /// The key that what is committed is signed with: a private key, or the public one of a key that the agent has.
    pub sign: Option<PathBuf>,
    /// The remote that requests are made at; `None` means the one the branch has, else `origin`.
    pub remote: Option<String>,
    /// Where requests are opened; `None` means what the remote's URL says.
    pub forge: Option<Forge>,
}

/// Where a git repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositoryPlace {
    /// On this machine.
    Path(PathBuf),
    /// At a URL.
    Url(RepositoryUrl),
}

/// `publish`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The targets a package goes to when none are named, by name; all of them where none are given.
    pub default: Vec<String>,
    /// How many of them must hold a package before its record is written; 1 where none is given.
    pub require: usize,
    /// The targets, in the order of the file; no two have one name.
    pub targets: Vec<Target>,
}

/// `publish.targets.<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name: `[A-Za-z0-9._-]`, at most 64 bytes, not starting with `.` or `-`.
    pub name: String,
    /// Where it is.
    pub place: TargetPlace,
    /// Whether it is published to, but read last (`role: backup`).
    pub backup: bool,
}

/// `deploy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// The deployment root; `None` where none is given.
    pub root: Option<PathBuf>,
    /// Names of the targets to read from, in tiers. Where none are given: all targets, and in a tier behind them the
    /// backups.
    pub sources: Vec<Vec<String>>,
    /// Connections to each source at once; 4 where none is given.
    pub connections: usize,
    /// The most bytes fetched in a second, over all connections.
    pub bandwidth: Option<ByteSize>,
    /// A connection over which nothing comes for so long is given up; 30 seconds where none is given.
    pub stall_timeout: Duration,
    /// The most bytes that are held in memory because they came before their turn; 64 MiB where none is given.
    pub memory: ByteSize,
    /// Links outside the root: absolute path of the link → what it leads to.
    pub custom_links: BTreeMap<PathBuf, PathBuf>,
    /// What is run before and after a switch.
    pub hooks: Hooks,
    /// What has to answer after a switch; nothing where none is given.
    pub health: Option<Health>,
    /// For how long a deploy is on trial: it is undone where nobody confirms it in that time.
    pub confirm: Option<Span>,
    /// How files that are on this machine already get into a new version.
    pub link: Link,
    /// Other roots whose versions may give files too; they are only read.
    pub share_with: Vec<PathBuf>,
    /// How much is looked at again at a deploy.
    pub verify: Verify,
    /// Whether to work in a root that others may write to, or that is somebody else's.
    pub allow_shared_root: bool,
    /// Which versions are kept.
    pub keep: Keep,
    /// Whose signatures what is deployed needs; `None` for nobody's.
    pub trust: Option<Trust>,
}

/// `deploy.trust`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Which key is whose.
    pub keys: TrustedKeys,
    /// How many people have to sign a manifest; 1 where nothing is given.
    pub require: usize,
    /// How many people have to sign an environment; 0 where nothing is given.
    pub environments: usize,
    /// Who may sign the policy; `None` where the records need none.
    pub policy: Option<PolicyTrust>,
    /// How old the newest heartbeat of a branch may be; `None` where none is asked for.
    pub max_age: Option<Span>,
}

/// Files of public keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKeys {
    /// Which key is whose, as in ssh-keygen(1).
    pub allowed_signers: PathBuf,
    /// Keys that count no more.
    pub revoked: Option<PathBuf>,
}

/// `deploy.trust.policy`: the keys that the records' policy has to be signed with. They come from the host alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyTrust {
    /// Which key is whose.
    pub keys: TrustedKeys,
    /// How many people have to sign it; 1 where nothing is given.
    pub require: usize,
}

/// `deploy.link`: what is tried for a file that another version has. What the file system refuses falls to the next way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Link {
    /// A reflink, else a hard link unless the component is mutable, else a copy.
    #[default]
    Auto,
    /// A reflink, else a copy.
    Reflink,
    /// A hard link unless the component is mutable, else a copy.
    Hardlink,
    /// A copy.
    Copy,
}

/// `deploy.verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// A file that is shared has its digest if length, inode and time are as they were written.
    #[default]
    Receipt,
    /// A file that is shared is hashed first.
    Always,
    /// The same, and the whole package is read and compared with its index, even where no file of it is needed.
    Whole,
}

/// `deploy.keep`: a version is kept where either says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// So many versions of each component; 5 where none is given.
    pub last: u32,
    /// Those that were current within so many days.
    pub days: Option<u32>,
}

/// `store`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The directory. Where none is given: `deploy-tool` in `$XDG_CACHE_HOME` or in `~/.cache`, or, without a
    /// home, `.deploy-tool/store` beside the file.
    pub path: PathBuf,
    /// The size `store gc` shrinks it to; 50 GiB where none is given.
    pub max_size: ByteSize,
}

impl Config {
    /// The component of this type: the file's, or else what an entry without keys would give.
    pub fn component(&self, kind: &ComponentType) -> Component {
        self.components.get(kind).cloned().unwrap_or_else(|| Component::plain(kind, &self.project.root, &self.pack))
    }

    /// The secrets of all targets, and of the forge.
    pub fn secrets(&self) -> Vec<&Secret> {
        let forge = self.records.forge.iter().flat_map(|forge| &forge.token);
        self.publish.targets.iter().flat_map(|target| target.place.secrets()).flatten().chain(forge).collect()
    }

    /// The target of this name.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.publish.targets.iter().find(|target| target.name == name)
    }
}

impl TargetPlace {
    fn secrets(&self) -> [Option<&Secret>; 2] {
        match self {
            TargetPlace::S3(S3 { credentials, .. }) | TargetPlace::Bos(Bos { credentials, .. }) => match credentials {
                Some(keys) => [Some(&keys.secret_key), keys.session_token.as_ref()],
                None => [None, None],
            },
            TargetPlace::Azure(azure) => [azure.access_key.as_ref(), azure.sas_token.as_ref()],
            TargetPlace::Http(http) => [http.token.as_ref(), http.login.as_ref().map(|login| &login.password)],
            TargetPlace::Oci(oci) => [oci.login.as_ref().map(|login| &login.password), None],
            TargetPlace::Filesystem { .. } | TargetPlace::Gcs(_) | TargetPlace::Unset(_) => [None, None],
        }
    }
}

impl Component {
    /// A component of which only the type is known.
    pub(super) fn plain(kind: &ComponentType, project_root: &Path, pack: &Pack) -> Self {
        Self {
            source: project_root.join(kind.as_str()),
            source_as_written: kind.to_string(),
            description: None,
            compression: pack.compression,
            mutable: false,
            depends: Vec::new(),
            mtime: Mtime::default(),
            exclude: pack.exclude.clone(),
            platform: None,
            mode: None,
            group: None,
        }
    }
}

/// The levels a compression has, from fast to small; `None` where it has none.
pub fn levels(compression: Compression) -> Option<RangeInclusive<i32>> {
    match compression {
        Compression::Gzip => Some(1..=12),
        Compression::Xz => Some(0..=9),
        Compression::Zstd => Some(1..=22),
        Compression::Bzip2 => Some(1..=9),
        Compression::Lz4 | Compression::None => None,
    }
}

//! Where an operation works and for whom: the configuration with its embedded defaults, as the caller gave it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::request::Proposal;
use super::trust::Rewrite;
use super::{Error, Events, settle};
use crate::config::{Config, RepositoryPlace, Secret, Target, TargetPlace};
use crate::deploy::{CustomLink, Others, Recovery, Root, View, Who};
use crate::fsx::{self, Weakness};
use crate::model::{ComponentType, Timestamp};
use crate::records::{Author, Origin, Repository};
use crate::store::{Reader, Store};
use crate::target::Ambient;

/// Who asks, and when.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user, as `user@host`.
    pub by: String,
    /// The name for commits, where git's own configuration has none.
    pub name: String,
    /// The address for commits, where git's own configuration has none.
    pub email: String,
    /// What others read who find something locked, such as `pid 17, deploy, since …`.
    pub process: String,
    /// When the operation began.
    pub now: Timestamp,
    /// The same, by the clock that runs on.
    pub began: Instant,
}

impl Caller {
    /// What time it is by now, fractions of a second rounded up.
    pub fn time(&self) -> Timestamp {
        self.now.after(self.began.elapsed())
    }
}

/// Where an operation works.
#[derive(Debug, Clone)]
pub struct Site {
    /// The configuration.
    pub config: Config,
    /// The deployment root.
    pub root: PathBuf,
    /// The records repository; of a remote one, its mirror.
    pub repository: PathBuf,
    /// The remote records repository, where it is one.
    pub origin: Option<Arc<Origin>>,
    /// The branch that commits go to, where it is not the one that is read.
    pub branch: Option<String>,
    /// Whether what is committed on this machine is pushed to the repository's remote.
    pub push: bool,
    /// Whether the repository is the embedded default, which is made when it is missing.
    pub own_repository: bool,
    /// The store.
    pub store: PathBuf,
    /// A URL that leads to the package of the one version that is asked for, and is asked first. It may be signed, and is
    /// shown without its query.
    pub url: Option<Secret>,
    /// Where a change of the records goes instead of their branch.
    pub proposal: Option<Proposal>,
    /// The commit that the records are read as of instead of their branch.
    pub base: Option<String>,
    /// Whether versions are taken that are marked bad on this root.
    pub force: bool,
    /// A rewrite of the branch of the records that is known and accepted.
    pub accept_rewrite: Option<Rewrite>,
    /// What targets look up outside the configuration.
    pub ambient: Ambient,
    /// Who asks.
    pub caller: Caller,
    /// How long to wait for whoever holds the root's lock.
    pub wait: Duration,
    /// What was noticed on the way.
    pub notices: Notices,
    /// Who is told what is done, as it is done.
    pub events: Events,
}

/// Something worth a warning that no report has a place for, since any operation may meet it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The locks of the root's file system keep nobody out.
    WeakLock {
        /// The root.
        root: PathBuf,
        /// How they fail.
        weakness: Weakness,
    },
    /// The remote records repository cannot be reached: the records are as they were fetched last.
    Offline {
        /// Its URL.
        url: String,
        /// Why.
        reason: String,
    },
    /// The remote records repository knows no filters and sends everything.
    Unfiltered {
        /// Its URL.
        url: String,
    },
    /// A commit is on this machine only.
    Unpushed(Unpushed),
}

/// A branch that was committed to and not pushed, though it could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpushed {
    /// The repository.
    pub path: PathBuf,
    /// Its branch.
    pub branch: String,
    /// Its remote.
    pub remote: String,
}

/// The notices of an operation, in order; who shows its report takes them out. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Notices {
    /// Adds one; what was noticed already is not said twice.
    pub(super) fn add(&self, notice: Notice) {
        let mut notices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !notices.contains(&notice) {
            notices.push(notice);
        }
    }

    /// Takes out what was noticed until now.
    pub fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is given on the command line and wins over the configuration.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--root`
    pub root: Option<PathBuf>,
    /// `--records`
    pub records: Option<RepositoryPlace>,
    /// `--store`
    pub store: Option<PathBuf>,
    /// `--wait`
    pub wait: Duration,
}

impl Site {
    /// Joins configuration, overrides and embedded defaults: without configured places a project has a target, a records
    /// repository and a root of its own under `.deploy-tool/` and `deployments/` of its directory.
    pub fn new(mut config: Config, overrides: Overrides, ambient: Ambient, caller: Caller) -> Self {
        let own = config.base.join(".deploy-tool");
        if config.publish.targets.is_empty() {
            let place =
                TargetPlace::Filesystem { path: own.join("packages"), relative: false, mode: None, group: None };
            config.publish.targets.push(Target { name: "local".to_owned(), place, backup: false });
            config.publish.default = vec!["local".to_owned()];
            config.deploy.sources = vec![vec!["local".to_owned()]];
        }
        let place = overrides.records.or_else(|| config.records.repository.clone());
        let store = plain(&overrides.store.unwrap_or_else(|| config.store.path.clone()));
        let own_repository = place.is_none();
        let (repository, origin) = match place {
            None => (plain(&own.join("records")), None),
            Some(RepositoryPlace::Path(path)) => (plain(&path), None),
            Some(RepositoryPlace::Url(url)) => {
                let environment = ambient.variables.clone();
                let origin = Origin::new(url, &beside(&store), environment, caller.process.clone());
                (origin.mirror().to_owned(), Some(Arc::new(origin)))
            }
        };
        let root = overrides.root.or_else(|| config.deploy.root.clone());
        Self {
            root: plain(&root.unwrap_or_else(|| config.base.join("deployments"))),
            own_repository,
            repository,
            origin,
            branch: None,
            push: false,
            store,
            url: None,
            proposal: None,
            base: None,
            force: false,
            accept_rewrite: None,
            config,
            ambient,
            caller,
            wait: overrides.wait,
            notices: Notices::default(),
            events: Events::default(),
        }
    }

    /// The root, for reading.
    pub fn view(&self) -> Result<View, Error> {
        Ok(View::open(&self.root)?)
    }

    /// The root, for changing: locked, recovered, and with nothing due: a release that was stopped before it was found
    /// healthy is looked at again, and one that does not stand is undone.
    pub fn change(&self) -> Result<(Root, Recovery), Error> {
        let (root, recovery) = self.change_at_once()?;
        let recovery = settle::settle(self, &root, recovery)?;
        Ok((root, recovery))
    }

    /// The root, for changing, whatever is due: for who puts another release in the place of the current one.
    pub fn change_at_once(&self) -> Result<(Root, Recovery), Error> {
        let (root, recovery) = Root::open(&self.root, &self.caller.process, self.wait, self.others())?;
        if let Some(weakness) = root.weak_lock() {
            self.notices.add(Notice::WeakLock { root: self.root.clone(), weakness });
        }
        Ok((root, recovery))
    }

    /// Whether others may write in the root. What a file in the root itself says of that, they might have written.
    fn others(&self) -> Others {
        match self.config.deploy.allow_shared_root && !self.config.base.starts_with(&self.root) {
            true => Others::Allowed,
            false => Others::Refused,
        }
    }

    /// The store, for writing.
    pub fn store(&self) -> Result<Store, Error> {
        Ok(Store::open(&self.store, Duration::from_secs(10))?)
    }

    /// The store, for reading.
    pub fn store_reader(&self) -> Result<Reader, Error> {
        Ok(Reader::open(&self.store)?)
    }

    /// The records repository; the embedded one is made when it is missing. A remote one is looked at once an operation.
    pub fn repository(&self) -> Result<Repository, Error> {
        if self.own_repository && !self.has_repository()? {
            Repository::init(&self.repository)?;
        }
        if let Some(base) = &self.base {
            return Ok(self.repository_of(None)?.at(base)?);
        }
        let repository = self.repository_of(self.config.records.branch.as_deref())?;
        if self.push && self.origin.is_none() {
            repository.require_remote()?;
        }
        match &self.branch {
            Some(branch) => Ok(repository.with_branch(branch)?),
            None => Ok(repository),
        }
    }

    /// The records repository, which is there, for this branch or the one that HEAD names.
    pub(super) fn repository_of(&self, branch: Option<&str>) -> Result<Repository, Error> {
        let directory = self.directory();
        let repository = match &self.origin {
            Some(origin) => {
                let repository = Repository::mirrored(origin, &directory, branch, self.caller.began)?;
                self.tell_seen(origin);
                repository
            }
            None => Repository::open(&self.repository, &directory, branch)?,
        };
        Ok(repository.with_environment(&self.ambient.variables))
    }

    fn tell_seen(&self, origin: &Origin) {
        let (seen, url) = (origin.seen(), origin.url().to_string());
        if let Some(reason) = seen.offline {
            self.notices.add(Notice::Offline { url: url.clone(), reason });
        }
        if seen.unfiltered {
            self.notices.add(Notice::Unfiltered { url });
        }
    }

    /// The same site, for commits to `branch`, where one is given, and with a push after them if `push`.
    #[must_use]
    pub fn publishing(self, branch: Option<&str>, push: bool) -> Self {
        Self { branch: branch.map(str::to_owned), push, ..self }
    }

    /// The same site, where nothing is fetched: a remote repository is as it was fetched last.
    #[must_use]
    pub fn unfetched(mut self) -> Self {
        self.origin = self.origin.map(|origin| Arc::new(origin.as_it_is()));
        self
    }

    /// Whether anything is at the place of the records repository; the embedded one counts once it is a repository, a remote
    /// one always.
    pub fn has_repository(&self) -> Result<bool, Error> {
        if self.origin.is_some() {
            return Ok(true);
        }
        let place = if self.own_repository { self.repository.join(".git") } else { self.repository.clone() };
        Ok(fsx::inspect_followed(&place)?.is_some())
    }

    fn directory(&self) -> String {
        match self.config.records.directory.to_str() {
            None | Some("") => ".".to_owned(),
            Some(directory) => directory.to_owned(),
        }
    }

    /// Who changes the root, as its trail names them.
    pub fn who(&self) -> Who {
        Who { by: self.caller.by.clone(), at: self.caller.now }
    }

    /// The author of commits.
    pub fn author(&self) -> Author {
        let caller = &self.caller;
        Author { name: caller.name.clone(), email: caller.email.clone(), time: caller.now }
    }

    /// The configured links outside the root.
    pub fn custom_links(&self) -> Vec<CustomLink> {
        let links = self.config.deploy.custom_links.iter();
        links.map(|(path, target)| CustomLink { path: path.clone(), target: plain(target) }).collect()
    }

    /// Where a component's source lies.
    pub fn source(&self, component: &ComponentType) -> PathBuf {
        self.config.component(component).source
    }

    /// The directory `pack` writes to.
    pub fn output(&self) -> &Path {
        &self.config.pack.output
    }
}

/// The directory of mirrors that belongs to a store: it lies beside the store, which holds nothing but its own.
fn beside(store: &Path) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push(".records");
    store.with_file_name(name)
}

/// A path without `..`, so that it can be compared with others; as it is where it leads through nothing.
fn plain(path: &Path) -> PathBuf {
    fsx::without_parents(path).unwrap_or_else(|_| path.to_owned())
}

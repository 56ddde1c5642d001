//! From what a user asks to deploy to published versions, and whether those may be deployed.

use std::path::PathBuf;

use super::access::Access;
use super::trust::{self, Tip};
use super::{Error, Site, record};
use crate::deploy::EntryEnvironment;
use crate::model::{ComponentType, EnvironmentName, Pin, Reference, Selector};
use crate::records::{EnvironmentFile, Published, Repository, Snapshot, read_file};

/// What is to be deployed.
#[derive(Debug, Clone)]
pub enum What {
    /// What these references name, as of a commit or of the branch.
    References(Vec<Reference>, Option<String>),
    /// What these record files say; needs no git.
    Records(Vec<PathBuf>),
    /// What an environment pins.
    Environment(Follow),
}

/// An environment that a root shall follow.
#[derive(Debug, Clone)]
pub struct Follow {
    /// Its name.
    pub name: EnvironmentName,
    /// The commit; `None` for the tip of the branch.
    pub at: Option<String>,
    /// Whether components that it does not name leave the release.
    pub prune: bool,
    /// Whether a hold ends.
    pub resume: bool,
}

/// Published versions.
#[derive(Debug)]
pub(super) struct Resolved {
    /// The versions, one a component.
    pub wanted: Vec<Published>,
    /// The work tree that relative locations start from.
    pub top: Option<PathBuf>,
    /// The commit the records were read at.
    pub commit: Option<String>,
    /// The environment that names the versions.
    pub environment: Option<EntryEnvironment>,
    /// The tip of the branch they were read at, which the root has to remember; `None` for a commit that was named.
    pub tip: Option<Tip>,
}

/// What is asked for, from git objects or from record files.
///
/// # Errors
///
/// Nothing answers to it, it is not what an environment pins, it is not signed as this host asks, or the branch went back.
pub(super) fn resolve(site: &Site, what: &What) -> Result<Resolved, Error> {
    let resolved = match what {
        What::References(references, at) => {
            let repository = record::existing(site)?;
            let snapshot = repository.snapshot(at.as_deref())?;
            let exact = references.iter().filter_map(|reference| match &reference.selector {
                Selector::Exact(version) => Some((&reference.component, Some(version))),
                _ => None,
            });
            snapshot.bring(exact)?;
            let found = references.iter().map(|reference| snapshot.resolve(reference));
            let found: Vec<_> = found.collect::<Result<_, _>>()?;
            trust::require(site, Some(&snapshot), &found, None)?;
            if at.is_none() {
                trust::require_fresh(site, &snapshot)?;
            }
            from_git(site, &repository, &snapshot, found, None, at.is_none())?
        }
        What::Environment(follow) => {
            let repository = record::existing(site)?;
            let snapshot = repository.snapshot(follow.at.as_deref())?;
            let file = match snapshot.environment(&follow.name)? {
                Some(file) => file,
                None => {
                    let known = snapshot.environments()?;
                    return Err(Error::NoEnvironment { name: follow.name.clone(), known });
                }
            };
            let (wanted, environment) = pinned(&snapshot, &follow.name, &file)?;
            trust::require(site, Some(&snapshot), &wanted, Some((&follow.name, &file)))?;
            if follow.at.is_none() {
                trust::require_fresh(site, &snapshot)?;
            }
            from_git(site, &repository, &snapshot, wanted, Some(environment), follow.at.is_none())?
        }
        What::Records(paths) => {
            let wanted: Vec<_> = paths.iter().map(|path| read_file(path)).collect::<Result<_, _>>()?;
            trust::require(site, None, &wanted, None)?;
            Resolved { wanted, top: None, commit: None, environment: None, tip: None }
        }
    };
    for (i, published) in resolved.wanted.iter().enumerate() {
        if resolved.wanted.iter().take(i).any(|other| other.component() == published.component()) {
            return Err(Error::Twice { component: published.component().clone() });
        }
    }
    Ok(resolved)
}

fn from_git(
    site: &Site,
    repository: &Repository,
    snapshot: &Snapshot<'_>,
    wanted: Vec<Published>,
    environment: Option<EntryEnvironment>,
    is_tip: bool,
) -> Result<Resolved, Error> {
    let commit = snapshot.commit_id().map(str::to_owned);
    let tip = match commit.clone().filter(|_| is_tip) {
        Some(commit) => {
            let environment = environment.as_ref().map(|environment| (environment.name.clone(), environment.serial));
            let tip = Tip { branch: repository.identity()?, commit, environment };
            trust::check_tip(site, repository, &tip)?;
            Some(tip)
        }
        None => None,
    };
    Ok(Resolved { wanted, top: Some(repository.root().to_owned()), commit, environment, tip })
}

/// The version that an environment pins, withdrawn or not.
///
/// # Errors
///
/// It is not recorded; its record names another package.
pub(super) fn published(
    snapshot: &Snapshot<'_>,
    environment: &EnvironmentName,
    component: &ComponentType,
    pin: &Pin,
) -> Result<Published, Error> {
    let selector = Selector::Exact(pin.version.clone());
    let published = snapshot.resolve(&Reference { component: component.clone(), selector })?;
    if published.package_sha256() == pin.sha256 {
        return Ok(published);
    }
    Err(Error::PinDiffers {
        environment: environment.clone(),
        component: component.clone(),
        version: pin.version.clone(),
        pinned: pin.sha256.to_string(),
        recorded: published.package_sha256().to_string(),
    })
}

/// Refuses what is withdrawn.
pub(super) fn require_not_yanked(published: &Published) -> Result<(), Error> {
    let Some(yank) = &published.yanked else { return Ok(()) };
    Err(Error::Yanked {
        component: published.component().clone(),
        version: published.version().clone(),
        reason: yank.reason.clone(),
    })
}

/// The versions that an environment pins; each record has to name the package that the pin does.
fn pinned(
    snapshot: &Snapshot<'_>,
    name: &EnvironmentName,
    file: &EnvironmentFile,
) -> Result<(Vec<Published>, EntryEnvironment), Error> {
    let environment = &file.environment;
    let mut wanted = Vec::new();
    snapshot.bring(environment.components.iter().map(|(component, pin)| (component, Some(&pin.version))))?;
    for (component, pin) in &environment.components {
        wanted.push(published(snapshot, name, component, pin)?);
    }
    let commit = snapshot.commit_id().unwrap_or_default().to_owned();
    Ok((wanted, EntryEnvironment { name: name.clone(), serial: environment.serial, commit, resumed: false }))
}

/// Refuses what is withdrawn or made for another platform.
pub(super) fn deployable(published: &Published) -> Result<(), Error> {
    require_not_yanked(published)?;
    Access::of(published)?;
    if let Some(platform) = &published.manifest.platform {
        let is = |wanted: &Option<String>, host: &str| wanted.as_deref().is_none_or(|wanted| wanted == host);
        if !is(&platform.os, std::env::consts::OS) || !is(&platform.arch, std::env::consts::ARCH) {
            let any = |part: &Option<String>| part.clone().unwrap_or_else(|| "any".to_owned());
            return Err(Error::Platform {
                component: published.component().clone(),
                version: published.version().clone(),
                wanted: format!("{}/{}", any(&platform.os), any(&platform.arch)),
                host: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
            });
        }
    }
    Ok(())
}

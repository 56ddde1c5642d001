//! `deploy`: records to version directories, links and a release, all or nothing.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use super::change::{self, details};
use super::fetch::{self, Supply};
use super::release::{self, Checks};
use super::stage::{self, Asked, Staging};
use super::{Error, OnProgress, Site, record};
use crate::deploy::{
    Action, EntryComponent, Error as DeployError, Install, Plan, Recovery, Request as Wanted, Staged, State, View,
    Ways, begin, plan,
};
use crate::fsx;
use crate::model::{ComponentType, Reference, Version};
use crate::records::{Published, read_file};
use crate::target;
use crate::transfer::{Attempt, Given};

/// What is to be deployed.
#[derive(Debug, Clone)]
pub enum What {
    /// What these references name, as of a commit or of the branch.
    References(Vec<Reference>, Option<String>),
    /// What these record files say; needs no git.
    Records(Vec<PathBuf>),
}

/// How one component came to be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It was unpacked.
    Unpacked,
    /// All its files were on this machine.
    Shared,
    /// Its version directory was there.
    Present,
}

/// One deployed component.
#[derive(Debug, Serialize)]
pub struct Component {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// Its version.
    pub version: Version,
    /// How it came to be installed.
    pub how: How,
    /// The source that most of it came from; absent where the store had it, or it was present.
    pub source: Option<String>,
    /// Bytes that were fetched, or would be.
    pub fetched: u64,
    /// The same by source, the most first; of a dry run what is to be expected.
    pub sources: Vec<Given>,
    /// Bytes that an earlier fetch had left.
    pub resumed: u64,
    /// Files in it.
    pub files: u64,
    /// Bytes of content in it.
    pub bytes: u64,
    /// How its files came to be; of a dry run what is to be expected.
    pub ways: Ways,
    /// Milliseconds from fetching to unpacked.
    pub milliseconds: u64,
    /// Sources that failed before one did not.
    #[serde(skip)]
    pub failed: Vec<Attempt>,
}

impl Component {
    /// Notes how its files came to be, or would.
    pub(super) fn made(&mut self, ways: Ways) {
        self.ways = ways;
        if ways.is_shared() && ways.unpacked.files == 0 {
            self.how = How::Shared;
        }
    }

    /// Adds what sources gave, or would.
    pub(super) fn came_from(&mut self, given: Vec<Given>) {
        for Given { name, bytes } in given {
            self.fetched += bytes;
            match self.sources.iter_mut().find(|known| known.name == name) {
                Some(known) => known.bytes += bytes,
                None => self.sources.push(Given { name, bytes }),
            }
        }
        self.sources.sort_by_key(|given| std::cmp::Reverse(given.bytes));
        self.source = self.sources.first().map(|given| given.name.clone());
    }
}

/// What `deploy` did, or would do.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The release.
    #[serde(flatten)]
    pub change: change::Report,
    /// The components that were asked for.
    pub components: Vec<Component>,
    /// The commit the records were read at.
    pub commit: Option<String>,
}

impl AsMut<change::Report> for Report {
    fn as_mut(&mut self) -> &mut change::Report {
        &mut self.change
    }
}

/// `deploy`: one transaction for all that is asked for.
///
/// # Errors
///
/// Nothing is changed then, except where a deploy error says that the release is committed.
pub fn deploy(site: &Site, what: &What, dry_run: bool, progress: OnProgress<'_>) -> Result<Report, Error> {
    if let Some(url) = &site.url {
        // One that cannot be used is refused before anything is changed.
        target::from_url(fetch::GIVEN, url.expose(), &site.ambient)?;
    }
    let (wanted, top) = resolve(site, what)?;
    let commit = wanted.first().and_then(|published| published.commit.clone());
    for published in &wanted {
        deployable(published)?;
    }
    let fresh = fsx::inspect_followed(&site.root)?.is_none();
    if dry_run {
        let (state, view) = match fresh {
            false => (site.view()?.state()?, Some(site.view()?)),
            true => (State::default(), None),
        };
        let plan = plan_for(site, view.as_ref(), &state, &wanted)?;
        let mut components = Vec::new();
        for published in &wanted {
            let mut component = present(published, &plan);
            if component.how == How::Unpacked {
                let (given, ways) = stage::expected(site, view.as_ref(), published, top.as_deref())?;
                component.came_from(given);
                component.made(ways);
            }
            components.push(component);
        }
        let checks = release::would(site, &plan);
        let change = change::Report { checks, ..change::report(&plan, true, Recovery::Clean) };
        return Ok(Report { change, components, commit });
    }
    if fresh {
        // What cannot be deployed makes no root.
        plan_for(site, None, &State::default(), &wanted)?;
    }
    let (root, recovery) = site.change()?;
    let plan = plan_for(site, Some(root.view()), &root.view().state()?, &wanted)?;
    let mut components: Vec<Component> = wanted.iter().map(|published| present(published, &plan)).collect();
    let mut checks = Checks::default();
    if !plan.is_empty() {
        let store = site.store()?;
        let supply = Supply::new(site, &store, top.as_deref(), &root.layout().rejected());
        let failed = |error: &Error| root.note_failure(&plan.entry, &error.to_string());
        let made = wanted.iter().zip(&components).filter(|(_, component)| component.how == How::Unpacked);
        let asked = made.map(|(published, _)| Asked { published, only: None, own: None }).collect();
        let staging = Staging::prepare(site, &store, supply, root.view(), asked, progress).inspect_err(failed)?;
        let slots: Vec<Mutex<&mut Component>> = components.iter_mut().map(Mutex::new).collect();
        let stage = |install: &Install, dir: &Path, stop: &AtomicBool| -> Result<Staged, Error> {
            let found = wanted.iter().zip(&slots).find(|(p, _)| *p.component() == install.component);
            let Some((published, slot)) = found else {
                return Err(Error::NoSuchComponent { component: install.component.clone() });
            };
            let mut component = slot.lock().unwrap_or_else(PoisonError::into_inner);
            let started = Instant::now();
            let staged = staging.stage(published, dir, stop, &mut component)?;
            component.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            Ok(staged)
        };
        let prepared = begin(&root, &plan, stage);
        let done = prepared.and_then(|prepared| release::carry_through(site, &root, &plan, prepared));
        checks = done.inspect_err(failed)?;
    }
    let change = change::Report { checks, ..change::report(&plan, false, recovery) };
    Ok(Report { change, components, commit })
}

/// What is asked for, from git objects or from record files, and the work tree that relative locations start from.
pub(super) fn resolve(site: &Site, what: &What) -> Result<(Vec<Published>, Option<PathBuf>), Error> {
    let (wanted, top): (Vec<Published>, _) = match what {
        What::References(references, at) => {
            let repository = record::existing(site)?;
            let snapshot = repository.snapshot(at.as_deref())?;
            let found = references.iter().map(|reference| snapshot.resolve(reference));
            (found.collect::<Result<_, _>>()?, Some(repository.root().to_owned()))
        }
        What::Records(paths) => (paths.iter().map(|path| read_file(path)).collect::<Result<_, _>>()?, None),
    };
    for (i, published) in wanted.iter().enumerate() {
        if wanted.iter().take(i).any(|other| other.component() == published.component()) {
            return Err(Error::Twice { component: published.component().clone() });
        }
    }
    Ok((wanted, top))
}

/// Refuses what is withdrawn or made for another platform.
fn deployable(published: &Published) -> Result<(), Error> {
    let (component, version) = (published.component().clone(), published.version().clone());
    if let Some(yank) = &published.yanked {
        return Err(Error::Yanked { component, version, reason: yank.reason.clone() });
    }
    if let Some(platform) = &published.manifest.platform {
        let is = |wanted: &Option<String>, host: &str| wanted.as_deref().is_none_or(|wanted| wanted == host);
        if !is(&platform.os, std::env::consts::OS) || !is(&platform.arch, std::env::consts::ARCH) {
            let any = |part: &Option<String>| part.clone().unwrap_or_else(|| "any".to_owned());
            return Err(Error::Platform {
                component,
                version,
                wanted: format!("{}/{}", any(&platform.os), any(&platform.arch)),
                host: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
            });
        }
    }
    Ok(())
}

fn plan_for(site: &Site, view: Option<&View>, state: &State, wanted: &[Published]) -> Result<Plan, Error> {
    let mut after = state.set();
    let mut installs = Vec::new();
    for published in wanted {
        let (component, version) = (published.component(), published.version());
        after.insert(component.clone(), version.clone());
        if !installed(view, published)? {
            installs.push(Install { component: component.clone(), version: version.clone() });
        }
    }
    let mut details = match view {
        Some(view) => details(view, &after)?,
        None => Default::default(),
    };
    for published in wanted {
        let detail = EntryComponent {
            version: published.version().clone(),
            package: Some(published.package_sha256()),
            commit: published.commit.clone(),
        };
        details.insert(published.component().clone(), detail);
    }
    dependencies(view, &after, wanted)?;
    let request = Wanted {
        action: Action::Deploy,
        after,
        installs,
        details,
        parent: state.number(),
        restores: None,
        origins: Default::default(),
        custom_links: site.custom_links(),
        at: site.caller.now,
        by: site.caller.by.clone(),
    };
    let layout = crate::deploy::Layout::new(&site.root);
    let mut plan = plan(&layout, state, request)?;
    release::put_on_trial(site, &mut plan);
    if let Some(view) = view {
        release::refuse_bad(site, view, &plan)?;
    }
    Ok(plan)
}

/// Whether the version is installed with the content the record says.
fn installed(view: Option<&View>, published: &Published) -> Result<bool, Error> {
    let Some(view) = view else { return Ok(false) };
    let (component, version) = (published.component(), published.version());
    let Some(receipt) = view.receipt(component, version)? else {
        let path = view.layout().version(component, version);
        return match fsx::inspect(&path)? {
            Some(_) => Err(DeployError::UnknownDirectory { path }.into()),
            None => Ok(false),
        };
    };
    let same_tree = published.manifest.package.tree == Some(receipt.tree);
    if same_tree || receipt.package == published.package_sha256() {
        return Ok(true);
    }
    Err(DeployError::OtherContent {
        component: component.clone(),
        version: version.clone(),
        installed: receipt.package.to_string(),
        wanted: published.package_sha256().to_string(),
    }
    .into())
}

/// Every requirement of the set that would be current must be met within it.
fn dependencies(view: Option<&View>, after: &crate::deploy::Set, wanted: &[Published]) -> Result<(), Error> {
    for (component, version) in after {
        let published = wanted.iter().find(|p| p.component() == component);
        let needs = match (published, view) {
            (Some(published), _) => published.manifest.dependencies.clone(),
            (None, Some(view)) => view.receipt(component, version)?.map(|r| r.dependencies).unwrap_or_default(),
            (None, None) => Vec::new(),
        };
        for need in needs {
            let would_be = after.get(&need.kind);
            let met = would_be.and_then(Version::to_semver).is_some_and(|v| need.version.matches(&v));
            if !met {
                return Err(Error::Unmet {
                    component: component.clone(),
                    version: version.clone(),
                    would_be: would_be.cloned(),
                    needs: need,
                });
            }
        }
    }
    Ok(())
}

fn present(published: &Published, plan: &Plan) -> Component {
    let unpacks = plan.installs.iter().any(|install| install.component == *published.component());
    component(published, if unpacks { How::Unpacked } else { How::Present })
}

/// A component of which nothing was done yet.
pub(super) fn component(published: &Published, how: How) -> Component {
    Component {
        component: published.component().clone(),
        version: published.version().clone(),
        how,
        source: None,
        fetched: 0,
        sources: Vec::new(),
        resumed: 0,
        files: 0,
        bytes: 0,
        ways: Ways::default(),
        milliseconds: 0,
        failed: Vec::new(),
    }
}

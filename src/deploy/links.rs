//! Links as they are and as they should be: what planning must see of them, and `links list|verify|repair`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::audit::{Event, What, Who};
use super::error::PlaceFault;
use super::plan::{CustomLink, LinkChange, Observed, Request, component_links, leads_somewhere};
use super::state::{Found, look};
use super::transaction::{own, owned};
use super::{Error, Layout, Root, Set, State, View};
use crate::fsx::{self, FileKind};

/// Looks at every place a plan for `request` may touch.
pub(super) fn observe(layout: &Layout, state: &State, request: &Request) -> Result<Observed, Error> {
    let owned = owned(layout)?;
    let before = state.set();
    let components = before.keys().chain(request.after.keys()).flat_map(component_links);
    let custom = request.custom_links.iter().map(|link| link.path.clone()).chain(owned.keys().cloned());
    let mut found = BTreeMap::new();
    for path in components.chain(custom) {
        found.insert(path.clone(), look(&layout.root().join(&path))?);
    }
    Ok(Observed { found, owned })
}

/// The state of one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// It holds what it should, and that is there.
    Ok,
    /// Nothing is there.
    Missing,
    /// It holds something else.
    WrongTarget {
        /// What it holds.
        found: PathBuf,
    },
    /// It holds what it should, but that is not there.
    Dangling,
    /// It leads out of the root: it holds something else, or a directory on its way is a link.
    Escaped {
        /// What it holds.
        found: PathBuf,
        /// Where that leads.
        leads_to: PathBuf,
    },
    /// A real file or directory stands in its place.
    Replaced,
    /// A custom link that this root did not make stands in its place.
    Foreign {
        /// What it holds.
        found: PathBuf,
    },
    /// It is there, but nothing should be.
    Stray {
        /// What it holds.
        found: PathBuf,
    },
}

/// One link: what it should hold, and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkCheck {
    /// The link, absolute or as the root was named.
    pub path: PathBuf,
    /// What it should hold; `None` for a stray one.
    pub target: Option<PathBuf>,
    /// How it is.
    pub state: LinkState,
}

impl LinkCheck {
    /// Whether the link is as it should be.
    pub fn is_ok(&self) -> bool {
        self.state == LinkState::Ok
    }

    /// Whether it can be mended without touching a real file or directory.
    pub fn is_mendable(&self) -> bool {
        match &self.state {
            LinkState::Missing | LinkState::WrongTarget { .. } | LinkState::Stray { .. } => true,
            // Where it holds what it should, the way there is to be mended, and that is no link of ours.
            LinkState::Escaped { found, .. } => self.target.as_ref() != Some(found),
            LinkState::Ok | LinkState::Dangling | LinkState::Replaced | LinkState::Foreign { .. } => false,
        }
    }
}

/// Compares every link of the root, and the configured custom links, with what the current release says.
pub fn check(view: &View, custom_links: &[CustomLink]) -> Result<Vec<LinkCheck>, Error> {
    let layout = view.layout();
    let state = view.state()?;
    let mut checks = Vec::new();
    if let Some(release) = &state.release {
        checks.push(check_inner(layout, layout.current_release(), release.number.to_string().into())?);
        for (component, version) in &release.components {
            let in_release = layout.release(release.number).join(component.as_str());
            checks.push(check_inner(layout, in_release, Layout::release_target(component, version))?);
        }
        for (component, version) in &release.components {
            checks.push(check_inner(layout, layout.current(component), version.as_str().into())?);
            checks.push(check_inner(layout, layout.link(component), Layout::link_target(component))?);
        }
    }
    let set = state.set();
    for component in view.types()?.iter().filter(|c| !set.contains_key(*c)) {
        for path in [layout.current(component), layout.link(component)] {
            if let Found::Link(found) = look(&path)? {
                checks.push(LinkCheck { path, target: None, state: LinkState::Stray { found } });
            }
        }
    }
    checks.extend(check_custom(layout, &set, custom_links)?);
    Ok(checks)
}

/// The configured links that lead somewhere, and those of ours that are not wanted any more.
fn check_custom(layout: &Layout, set: &Set, custom_links: &[CustomLink]) -> Result<Vec<LinkCheck>, Error> {
    let mut owned = owned(layout)?;
    let mut checks = Vec::new();
    for link in custom_links.iter().filter(|link| leads_somewhere(layout, set, &link.target)) {
        let mut check = check_one(link.path.clone(), link.target.clone())?;
        let ours = owned.remove(&link.path);
        check.state = match check.state {
            LinkState::WrongTarget { found } if ours.as_ref() != Some(&found) => LinkState::Foreign { found },
            LinkState::Ok if link.target.starts_with(layout.links()) => escaped(layout, &link.path, &link.target),
            state => state,
        };
        checks.push(check);
    }
    for (path, target) in owned {
        if look(&path)? == Found::Link(target.clone()) {
            checks.push(LinkCheck { path, target: None, state: LinkState::Stray { found: target } });
        }
    }
    Ok(checks)
}

fn check_one(path: PathBuf, target: PathBuf) -> Result<LinkCheck, Error> {
    let state = match look(&path)? {
        Found::Nothing => LinkState::Missing,
        Found::Other => LinkState::Replaced,
        Found::Link(found) if found != target => LinkState::WrongTarget { found },
        Found::Link(_) if fsx::inspect_followed(&path)?.is_none() => LinkState::Dangling,
        Found::Link(_) => LinkState::Ok,
    };
    Ok(LinkCheck { path, target: Some(target), state })
}

/// As [`check_one`], of a link of the root, which leads nowhere else.
fn check_inner(layout: &Layout, path: PathBuf, target: PathBuf) -> Result<LinkCheck, Error> {
    let mut check = check_one(path, target)?;
    check.state = match check.state {
        LinkState::WrongTarget { found } => match escaped(layout, &check.path, &found) {
            LinkState::Ok => LinkState::WrongTarget { found },
            escaped => escaped,
        },
        LinkState::Ok => escaped(layout, &check.path, check.target.as_deref().unwrap_or(Path::new(""))),
        state => state,
    };
    Ok(check)
}

/// [`LinkState::Escaped`] where the link at `path`, which holds `found`, leads out of the root; else [`LinkState::Ok`].
fn escaped(layout: &Layout, path: &Path, found: &Path) -> LinkState {
    let root = fsx::canonical(layout.root()).unwrap_or_else(|_| layout.root().to_owned());
    // What is not there yet may come to be.
    let nowhere = || found.is_absolute() && !found.starts_with(layout.root()) && !found.starts_with(&root);
    let leads_to = match fsx::canonical(path) {
        Ok(real) => (!real.starts_with(&root)).then_some(real),
        Err(_) => nowhere().then(|| found.to_owned()),
    };
    match leads_to {
        Some(leads_to) => LinkState::Escaped { found: found.to_owned(), leads_to },
        None => LinkState::Ok,
    }
}

/// Says which links outside the root cannot be changed, before anything is: whose directory is not there, cannot be written,
/// or keeps a link of another user.
pub(super) fn may_change(links: &[LinkChange]) -> Result<(), Error> {
    const STICKY: u32 = 0o1000;
    for change in links.iter().filter(|change| change.path.is_absolute()) {
        let place = change.path.parent().unwrap_or(Path::new("/"));
        let refused = |why| Err(Error::LinkPlace { link: change.path.clone(), place: place.to_owned(), why });
        match fsx::inspect_followed(place)? {
            Some(stat) if stat.kind == FileKind::Directory => {
                let own = |uid| uid == fsx::user() || fsx::user() == 0;
                let link = fsx::inspect(&change.path)?;
                if !fsx::may_write(place)
                    || stat.mode & STICKY != 0 && !own(stat.uid) && link.is_some_and(|link| !own(link.uid))
                {
                    return refused(PlaceFault::NotWritable);
                }
            }
            _ => return refused(PlaceFault::NoDirectory),
        }
    }
    Ok(())
}

impl Root {
    /// Mends the links that a check found wrong, each by one rename; those that only lead nowhere, or whose place something
    /// that is not ours has taken, are left. Returns how many were mended. Durable when it returns.
    pub fn repair_links(&self, checks: &[LinkCheck], who: &Who) -> Result<usize, Error> {
        let mendable: Vec<_> = checks.iter().filter(|check| check.is_mendable()).collect();
        if mendable.is_empty() {
            return Ok(0);
        }
        let outside = mendable.iter().filter(|check| !check.path.starts_with(self.layout().root()));
        let change = |check: &&LinkCheck| LinkChange { path: check.path.clone(), target: check.target.clone() };
        may_change(&outside.map(change).collect::<Vec<_>>())?;
        let links = mendable.iter().map(|check| check.path.clone()).collect();
        let event = Event { links, ..Event::new(What::RepairLinks, who) };
        self.audited(event, || self.mend(&mendable))?;
        Ok(mendable.len())
    }

    fn mend(&self, mendable: &[&LinkCheck]) -> Result<(), Error> {
        let outside = |check: &LinkCheck| !check.path.starts_with(self.layout().root());
        let custom = mendable.iter().filter(|check| outside(check));
        let wanted = custom.filter_map(|check| Some((check.path.clone(), check.target.clone()?)));
        own(self.layout(), &wanted.collect())?;
        for check in mendable {
            let parent = check.path.parent().unwrap_or(Path::new("/"));
            match &check.target {
                Some(target) => {
                    // The directory of a release, or `links/`, may be gone with the link.
                    if !outside(check) {
                        fsx::create_dir_all(parent)?;
                    }
                    fsx::replace_link(target, &check.path, &Layout::temporary(&check.path))?;
                }
                None => fsx::remove_file(&check.path)?,
            }
            if outside(check) {
                fsx::flush_dir(parent)?;
            }
        }
        Ok(self.filesystem().flush()?)
    }
}

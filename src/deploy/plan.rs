//! Planning a release: from the state of the root and what is wanted to a plain value that says everything that will be
//! done. Pure: executing the plan decides nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::history::{Entry, EntryComponent, EntryEnvironment};
use super::state::Found;
use super::{Action, Error, Layout, Set, State};
use crate::model::{ComponentType, Timestamp, Version};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Request {
    /// What makes the release.
    pub action: Action,
    /// The versions that shall be current, of every component.
    pub after: Set,
    /// Those of them that must be installed first.
    pub installs: Vec<Install>,
    /// What the history says of each component.
    pub details: BTreeMap<ComponentType, EntryComponent>,
    /// The release a later rollback goes to.
    pub parent: Option<u64>,
    /// The release whose set this one repeats.
    pub restores: Option<u64>,
    /// For components rolled back alone: the release whose version they have again.
    pub origins: BTreeMap<ComponentType, u64>,
    /// The environment that names the versions.
    pub environment: Option<EntryEnvironment>,
    /// The configured links outside the root.
    pub custom_links: Vec<CustomLink>,
    /// When.
    pub at: Timestamp,
    /// Who, as `user@host`.
    pub by: String,
}

/// A version directory to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Install {
    /// The component.
    pub component: ComponentType,
    /// The version.
    pub version: Version,
}

/// A configured link: the path an application expects, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomLink {
    /// The path of the link, absolute.
    pub path: PathBuf,
    /// What it holds.
    pub target: PathBuf,
}

/// One link to be made or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkChange {
    /// The link: relative to the root, or absolute for a custom link.
    pub path: PathBuf,
    /// What it shall hold; `None` to remove it.
    pub target: Option<PathBuf>,
}

/// Everything a transaction will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What the history will say; names the release.
    pub entry: Entry,
    /// What is current before.
    pub before: Set,
    /// What is current after.
    pub after: Set,
    /// Version directories to be made.
    pub installs: Vec<Install>,
    /// Links to be renamed or removed after the commit point, in this order.
    pub links: Vec<LinkChange>,
    /// The custom links that are ours once this is done, and what they hold.
    pub owned: BTreeMap<PathBuf, PathBuf>,
}

/// What was seen where links belong; what planning needs to know of the disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed {
    pub found: BTreeMap<PathBuf, Found>,
    pub owned: BTreeMap<PathBuf, PathBuf>,
}

impl Plan {
    /// Whether there is nothing to do: the same set, nothing to install, no link to change, and no hold to end.
    pub fn is_empty(&self) -> bool {
        let resumes = self.entry.environment.as_ref().is_some_and(|environment| environment.resumed);
        self.before == self.after && self.installs.is_empty() && self.links.is_empty() && !resumes
    }
}

/// The links of one component, root-relative: `current` and the entry in `links/`.
pub(super) fn component_links(component: &ComponentType) -> [PathBuf; 2] {
    let relative = Layout::new(Path::new(""));
    [relative.current(component), relative.link(component)]
}

/// Plans the release that `request` asks for.
///
/// # Errors
///
/// [`Error::Blocked`] where something that is not ours stands in the way of a link; [`Error::LinkPlace`] where a link outside
/// the root cannot be made or removed.
pub fn plan(layout: &Layout, state: &State, request: Request) -> Result<Plan, Error> {
    let observed = super::links::observe(layout, state, &request)?;
    let mut plan = plan_from(layout, state, request, &observed)?;
    super::links::may_change(&plan.links)?;
    plan.entry.uid = Some(crate::fsx::user());
    Ok(plan)
}

fn plan_from(layout: &Layout, state: &State, request: Request, observed: &Observed) -> Result<Plan, Error> {
    let before = state.set();
    let changed: Vec<ComponentType> =
        before.keys().chain(request.after.keys().filter(|c| !before.contains_key(*c))).cloned().collect();
    let mut changed: Vec<_> = changed.into_iter().filter(|c| before.get(c) != request.after.get(c)).collect();
    changed.sort();
    let mut links = Vec::new();
    for component in &changed {
        let [current, entry] = component_links(component);
        match request.after.get(component) {
            Some(version) => {
                links.extend(set(layout, observed, current, Path::new(version.as_str()))?);
                links.extend(set(layout, observed, entry, &Layout::link_target(component))?);
            }
            None => {
                links.extend(unset(observed, entry));
                links.extend(unset(observed, current));
            }
        }
    }
    let owned = custom_links(layout, &request, observed, &mut links)?;
    let entry = Entry {
        release: state.number().unwrap_or(0) + 1,
        parent: request.parent,
        action: request.action,
        at: request.at,
        by: request.by,
        components: request.details,
        changed,
        restores: request.restores,
        origins: request.origins,
        trial: None,
        because: None,
        uid: None,
        work: None,
        prev: None,
        environment: request.environment,
    };
    Ok(Plan { entry, before, after: request.after, installs: request.installs, links, owned })
}

fn set(layout: &Layout, observed: &Observed, path: PathBuf, target: &Path) -> Result<Option<LinkChange>, Error> {
    match observed.found.get(&path) {
        Some(Found::Other) => Err(Error::Blocked { path: layout.root().join(path) }),
        Some(Found::Link(held)) if held == target => Ok(None),
        _ => Ok(Some(LinkChange { path, target: Some(target.to_owned()) })),
    }
}

fn unset(observed: &Observed, path: PathBuf) -> Option<LinkChange> {
    let there = matches!(observed.found.get(&path), Some(Found::Link(_)));
    there.then_some(LinkChange { path, target: None })
}

/// Whether a custom link that holds `target` leads somewhere: into a component of `set`, or past `links/`.
pub(super) fn leads_somewhere(layout: &Layout, set: &Set, target: &Path) -> bool {
    match target.strip_prefix(layout.links()).ok().and_then(|rest| rest.iter().next()) {
        Some(name) => set.keys().any(|component| name == component.as_str()),
        None => true,
    }
}

/// Adds the changes of links outside the root: those that are configured and lead somewhere are made, those of ours that
/// are not wanted any more are removed. Returns the links that are ours afterwards.
fn custom_links(
    layout: &Layout,
    request: &Request,
    observed: &Observed,
    links: &mut Vec<LinkChange>,
) -> Result<BTreeMap<PathBuf, PathBuf>, Error> {
    let wanted = request.custom_links.iter().filter(|link| leads_somewhere(layout, &request.after, &link.target));
    let owned: BTreeMap<PathBuf, PathBuf> = wanted.map(|link| (link.path.clone(), link.target.clone())).collect();
    for (path, target) in &owned {
        match observed.found.get(path) {
            Some(Found::Link(held)) if held == target => {}
            Some(Found::Link(held)) if observed.owned.get(path) != Some(held) => {
                return Err(Error::Blocked { path: path.clone() });
            }
            _ => links.extend(set(layout, observed, path.clone(), target)?),
        }
    }
    for (path, target) in &observed.owned {
        let ours = matches!(observed.found.get(path), Some(Found::Link(held)) if held == target);
        if ours && !owned.contains_key(path) {
            // Before the component link it leads through, so that it never leads nowhere.
            links.insert(0, LinkChange { path: path.clone(), target: None });
        }
    }
    Ok(owned)
}

#[cfg(test)]
mod tests {
    use super::super::Release;
    use super::*;

    fn set_of(pairs: &[(&str, &str)]) -> Set {
        let parse = |(c, v): &(&str, &str)| (c.parse().expect("a type"), v.parse().expect("a version"));
        pairs.iter().map(parse).collect()
    }

    fn request(after: Set) -> Request {
        Request {
            action: Action::Switch,
            after,
            installs: Vec::new(),
            details: BTreeMap::new(),
            parent: Some(4),
            restores: None,
            origins: BTreeMap::new(),
            environment: None,
            custom_links: Vec::new(),
            at: Timestamp::from_unix(0).expect("a time"),
            by: "mei@host".into(),
        }
    }

    fn run(before: &[(&str, &str)], request: Request, observed: &Observed) -> Result<Plan, Error> {
        let release = Release { number: 4, components: set_of(before) };
        plan_from(&Layout::new(Path::new("/r")), &State { release: Some(release) }, request, observed)
    }

    fn link(target: &str) -> Found {
        Found::Link(target.into())
    }

    #[test]
    fn a_switch_renames_one_link_and_a_first_deploy_current_before_links() {
        let found = [("components/model/current", link("1")), ("links/model", link("../components/model/current"))];
        let observed = Observed { found: found.map(|(p, f)| (p.into(), f)).into(), ..Observed::default() };
        let plan =
            run(&[("model", "1")], request(set_of(&[("model", "2"), ("config", "1")])), &observed).expect("a plan");
        let paths: Vec<_> = plan.links.iter().map(|l| l.path.to_str().expect("UTF-8")).collect();
        assert_eq!(paths, ["components/config/current", "links/config", "components/model/current"]);
        assert_eq!(plan.entry.release, 5);
        assert_eq!(plan.entry.changed.iter().map(ComponentType::as_str).collect::<Vec<_>>(), ["config", "model"]);
    }

    #[test]
    fn a_component_that_leaves_loses_its_entry_before_its_current() {
        let found = [("components/model/current", link("1")), ("links/model", link("../components/model/current"))];
        let observed = Observed { found: found.map(|(p, f)| (p.into(), f)).into(), ..Observed::default() };
        let plan = run(&[("model", "1")], request(Set::new()), &observed).expect("a plan");
        let paths: Vec<_> = plan.links.iter().map(|l| (l.path.to_str().expect("UTF-8"), l.target.is_none())).collect();
        assert_eq!(paths, [("links/model", true), ("components/model/current", true)]);
    }

    #[test]
    fn custom_links_never_take_what_is_not_ours() {
        let custom = |target: &str| CustomLink { path: "/app/models".into(), target: target.into() };
        let ask = |found: Option<Found>, owned: Option<&str>, wanted: &[CustomLink]| {
            let observed = Observed {
                found: found.map(|f| (PathBuf::from("/app/models"), f)).into_iter().collect(),
                owned: owned.map(|o| (PathBuf::from("/app/models"), PathBuf::from(o))).into_iter().collect(),
            };
            let mut request = request(set_of(&[("model", "1")]));
            request.custom_links = wanted.to_vec();
            run(&[("model", "1")], request, &observed)
        };
        let to_model = custom("/r/links/model");
        assert!(matches!(ask(Some(Found::Other), None, std::slice::from_ref(&to_model)), Err(Error::Blocked { .. })));
        assert!(matches!(ask(Some(link("/else")), None, std::slice::from_ref(&to_model)), Err(Error::Blocked { .. })));
        let made = ask(None, None, std::slice::from_ref(&to_model)).expect("a plan");
        assert_eq!(made.links.len(), 1);
        assert!(!made.is_empty());
        let moved = ask(Some(link("/old")), Some("/old"), std::slice::from_ref(&to_model)).expect("a plan");
        assert_eq!(moved.links[0].target.as_deref(), Some(Path::new("/r/links/model")));
        let removed = ask(Some(link("/old")), Some("/old"), &[]).expect("a plan");
        assert_eq!(removed.links, [LinkChange { path: "/app/models".into(), target: None }]);
        let observed = Observed {
            found: [("/app/models", "/r/links/model"), ("links/model", "../components/model/current")]
                .map(|(path, held)| (path.into(), link(held)))
                .into(),
            owned: [("/app/models".into(), "/r/links/model".into())].into(),
        };
        let gone = run(&[("model", "1")], request(Set::new()), &observed).expect("a plan");
        let paths: Vec<_> = gone.links.iter().map(|l| l.path.to_str().expect("UTF-8")).collect();
        assert_eq!(paths, ["/app/models", "links/model"], "what leads through a link goes before it");
        let waiting = ask(None, None, &[custom("/r/links/config")]).expect("a plan");
        assert!(waiting.is_empty() && waiting.owned.is_empty());
    }
}

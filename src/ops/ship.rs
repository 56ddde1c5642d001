//! `ship`: pack, publish and deploy every component of a project.

use serde::Serialize;

use super::{Error, OnProgress, Site, deploy, pack, publish};
use crate::model::{ComponentType, Reference, Selector, Timestamp, Version};
use crate::records::Published;

/// What became of one component.
#[derive(Debug, Serialize)]
pub struct Component {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// Its version now.
    pub version: Version,
    /// The version before; absent for the first.
    pub from: Option<Version>,
    /// Whether its tree is the one that was published last.
    pub unchanged: bool,
    /// What packing reported that may not work where it is deployed.
    #[serde(skip)]
    pub warnings: Vec<crate::archive::Trap>,
}

/// What `ship` did, or would do.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The components of the project.
    pub components: Vec<Component>,
    /// What was published.
    pub published: Vec<publish::Report>,
    /// The deploy; absent for a dry run of something that is not published.
    pub deployed: Option<deploy::Report>,
    /// Whether it was only planned.
    pub dry_run: bool,
}

/// `ship`: an unchanged tree keeps its version, a changed one takes the next patch, the first is 1.0.0.
///
/// # Errors
///
/// What is published stays published if a later step fails; running it again goes on from there.
pub fn ship(site: &Site, created_at: Timestamp, dry_run: bool, progress: OnProgress<'_>) -> Result<Report, Error> {
    if site.config.components.is_empty() {
        return Err(Error::NoComponents { dir: site.config.base.clone() });
    }
    let mut report = Report { components: Vec::new(), published: Vec::new(), deployed: None, dry_run };
    for kind in site.config.components.keys() {
        let component = one(site, kind, created_at, dry_run, progress, &mut report.published)?;
        report.components.push(component);
    }
    let all_published = report.components.iter().all(|c| c.unchanged) || !dry_run;
    if all_published {
        let exact =
            |c: &Component| Reference { component: c.component.clone(), selector: Selector::Exact(c.version.clone()) };
        let what = deploy::What::References(report.components.iter().map(exact).collect(), None);
        report.deployed = Some(deploy::deploy(site, &what, dry_run, progress)?);
    }
    Ok(report)
}

fn one(
    site: &Site,
    kind: &ComponentType,
    created_at: Timestamp,
    dry_run: bool,
    progress: OnProgress<'_>,
    published: &mut Vec<publish::Report>,
) -> Result<Component, Error> {
    let request = pack::Request::configured(kind);
    let last = last_published(site, kind)?;
    let is_last = |tree| last.as_ref().is_some_and(|p| p.manifest.package.tree == Some(tree));
    let (version, unchanged, warnings) = if dry_run {
        let packed = pack::measure(site, &request, std::io::sink(), progress)?;
        (next(&last, is_last(packed.tree)), is_last(packed.tree), packed.warnings)
    } else {
        let tree = pack::Tree::new(site, &request)?;
        let store = site.store()?;
        let stored = pack::pack_tree(site, &store, tree, &request, progress)?;
        let unchanged = is_last(stored.packed.tree);
        let version = next(&last, unchanged);
        if !unchanged {
            pack::name(site, &store, &stored, &version, created_at)?;
            let what = publish::What::Packed(kind.clone(), version.clone());
            published.push(publish::publish(site, &what, &[], None, false, progress)?);
        }
        (version, unchanged, stored.packed.warnings)
    };
    let from = last.map(|published| published.version().clone());
    Ok(Component { component: kind.clone(), version, from, unchanged, warnings })
}

fn next(last: &Option<Published>, unchanged: bool) -> Version {
    match last {
        None => "1.0.0".parse().expect("a version"),
        Some(published) if unchanged => published.version().clone(),
        Some(published) => published.version().next_patch(),
    }
}

/// The highest published version of a component, withdrawn ones included: their numbers are taken.
fn last_published(site: &Site, kind: &ComponentType) -> Result<Option<Published>, Error> {
    if site.own_repository && !site.has_repository()? {
        return Ok(None);
    }
    let repository = site.repository()?;
    let snapshot = repository.snapshot(None)?;
    match snapshot.versions(kind)?.last() {
        Some(version) => Ok(snapshot.get(kind, version)?),
        None => Ok(None),
    }
}

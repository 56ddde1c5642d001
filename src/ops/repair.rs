//! `deploy --repair`: puts back what differs in installed versions, from files of other versions and from the package.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::deploy::{self, How, What};
use super::fetch::{self, Supply};
use super::make::modes;
use super::resolve::{Resolved, resolve};
use super::stage::{Asked, Staging, options};
use super::verify::{Found, Summing, is_edit};
use super::{Error, OnProgress, Site};
use crate::deploy::{
    Difference, Error as DeployError, Finding, Inventory, Receipt, Recovery, Repair, Root, View, Ways,
};
use crate::model::{ComponentType, Entry, Reference, Selector, Version};
use crate::records::Published;

/// What was done to one version, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct Repaired {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// Its version.
    pub version: Version,
    /// Entries that were compared, every file by its digest; absent where nothing on this machine tells what they are.
    pub entries: Option<u64>,
    /// What was put back, or would be.
    pub repaired: Vec<Found>,
    /// What differs and stays: what does not belong there, and files of a mutable version that were edited.
    pub kept: Vec<Found>,
    /// How the files that were put back came to be.
    pub ways: Ways,
}

/// What `deploy --repair` did, or would do.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The root.
    pub root: std::path::PathBuf,
    /// The versions that were looked at.
    pub versions: Vec<Repaired>,
    /// Whether it was only planned.
    pub dry_run: bool,
    /// What an earlier run had left unfinished.
    #[serde(skip)]
    pub recovery: Recovery,
}

/// One version to look at, and whether it was named.
struct Chosen {
    receipt: Receipt,
    named: bool,
}

/// Compares versions with what was installed, every file by its digest, and puts back what differs: of the current versions,
/// or of those that `references` name. Files of a mutable version that were edited are put back where it is named.
///
/// # Errors
///
/// Each name is as it was or as it should be; the same again does the rest.
pub fn repair(site: &Site, references: &[Reference], dry_run: bool, progress: OnProgress<'_>) -> Result<Report, Error> {
    let report = |versions, recovery| Report { root: site.root.clone(), versions, dry_run, recovery };
    if dry_run {
        let view = site.view()?;
        let chosen = choose(&view, references)?;
        let look = |chosen: Chosen| Ok(planned(&chosen, look(&view, &chosen.receipt, progress)?));
        return Ok(report(chosen.into_iter().map(look).collect::<Result<_, Error>>()?, Recovery::Clean));
    }
    site.view()?;
    let (root, recovery) = site.change()?;
    let mut versions = Vec::new();
    for chosen in choose(root.view(), references)? {
        versions.push(one(site, &root, &chosen, progress)?);
    }
    Ok(report(versions, recovery))
}

fn choose(view: &View, references: &[Reference]) -> Result<Vec<Chosen>, Error> {
    let current = view.state()?.set();
    if references.is_empty() {
        let all = current.iter().map(|(c, v)| Ok(Chosen { receipt: view.installed(c, v)?, named: false }));
        return all.collect();
    }
    let find = |Reference { component, selector }: &Reference| -> Result<Chosen, Error> {
        let installed = view.versions(component)?;
        let mut found = None;
        for version in installed.iter().rev() {
            let receipt = view.installed(component, version)?;
            let is_it = match selector {
                Selector::Exact(exact) => exact == version,
                Selector::Latest => current.get(component) == Some(version),
                Selector::Range(range) => version.to_semver().is_some_and(|version| range.matches(&version)),
                Selector::Digest(start) => receipt.package.to_string().starts_with(start.as_str()),
            };
            if is_it {
                found = Some(Chosen { receipt, named: true });
                break;
            }
        }
        match (found, selector) {
            (Some(chosen), _) => Ok(chosen),
            (None, Selector::Exact(version)) => {
                let (component, version) = (component.clone(), version.clone());
                Err(DeployError::NotInstalled { component, version, installed }.into())
            }
            (None, _) => Err(DeployError::NotDeployed { component: component.clone() }.into()),
        }
    };
    references.iter().map(find).collect()
}

/// What a version shall hold and what differs, as far as its inventory tells.
fn look(view: &View, receipt: &Receipt, progress: OnProgress<'_>) -> Result<Option<(Inventory, Vec<Finding>)>, Error> {
    let Some(expected) = view.inventory(receipt)? else { return Ok(None) };
    let findings = compare(view, receipt, &expected, progress)?;
    Ok(Some((expected, findings)))
}

fn compare(
    view: &View,
    receipt: &Receipt,
    expected: &Inventory,
    progress: OnProgress<'_>,
) -> Result<Vec<Finding>, Error> {
    let told = Summing::new(receipt, receipt.bytes, progress);
    Ok(view.verify(receipt, expected, true, &|bytes| told.tell(bytes))?.findings)
}

/// What is put back of what was found, and what stays.
fn split(chosen: &Chosen, findings: Vec<Finding>) -> (Vec<Finding>, Vec<Finding>) {
    let stays = |finding: &Finding| {
        let edit = chosen.receipt.mutable && !chosen.named && is_edit(finding.what);
        finding.what == Difference::Extra || edit
    };
    findings.into_iter().partition(|finding| !stays(finding))
}

fn planned(chosen: &Chosen, looked: Option<(Inventory, Vec<Finding>)>) -> Repaired {
    let entries = looked.as_ref().map(|(expected, _)| expected.items.len() as u64);
    let (back, kept) = split(chosen, looked.map(|(_, findings)| findings).unwrap_or_default());
    Repaired {
        component: chosen.receipt.component.clone(),
        version: chosen.receipt.version.clone(),
        entries,
        repaired: back.iter().map(Found::from).collect(),
        kept: kept.iter().map(Found::from).collect(),
        ways: Ways::default(),
    }
}

fn one(site: &Site, root: &Root, chosen: &Chosen, progress: OnProgress<'_>) -> Result<Repaired, Error> {
    let receipt = &chosen.receipt;
    let looked = look(root.view(), receipt, progress)?;
    if let Some((expected, findings)) = &looked
        && split(chosen, findings.clone()).0.is_empty()
    {
        // As it is, the inventory says so too: of a root that was copied the inodes are others.
        root.vouch(receipt, expected)?;
        return Ok(planned(chosen, looked));
    }
    let exact = Selector::Exact(receipt.version.clone());
    let reference = Reference { component: receipt.component.clone(), selector: exact };
    let Resolved { wanted, top, .. } = resolve(site, &What::References(vec![reference], None))?;
    let [published] = wanted.as_slice() else {
        return Err(Error::NoSuchComponent { component: receipt.component.clone() });
    };
    let looked = match looked {
        Some(looked) => Some(looked),
        None => match fetch::bring_index(site, published, top.as_deref())? {
            Some(index) => {
                let options = options(site, published, &|_| {});
                let entries = index.entries.iter().map(|item| &item.entry);
                let expected = Inventory::of(index.tree_digest(), entries, &modes(&options));
                same_tree(receipt, published, &expected)?;
                let findings = compare(root.view(), receipt, &expected, progress)?;
                Some((expected, findings))
            }
            None => None,
        },
    };
    put_back(site, root, chosen, published, top.as_deref(), looked, progress)
}

/// Makes what differs and puts it in its place. Where nothing tells what differs, all of the version is made.
fn put_back(
    site: &Site,
    root: &Root,
    chosen: &Chosen,
    published: &Published,
    top: Option<&Path>,
    looked: Option<(Inventory, Vec<Finding>)>,
    progress: OnProgress<'_>,
) -> Result<Repaired, Error> {
    let receipt = &chosen.receipt;
    let differs: Option<BTreeSet<_>> = looked
        .as_ref()
        .map(|(_, findings)| split(chosen, findings.clone()).0.into_iter().map(|finding| finding.path).collect());
    let only = |entry: &Entry| differs.as_ref().is_none_or(|differs| differs.contains(&entry.path));
    let own = looked.as_ref().map(|(expected, _)| expected.clone());
    let store = site.store()?;
    let supply = Supply::new(site, &store, top, &root.layout().rejected());
    let asked = Asked { published, only: Some(&only), own };
    let staging = Staging::prepare(site, &store, supply, root.view(), vec![asked], progress)?;
    let staged = root.repair_staging(receipt)?;
    let mut component = deploy::component(published, How::Unpacked);
    let made = staging.make(published, &staged, &AtomicBool::new(false), &mut component)?;
    let (expected, findings) = match looked {
        Some(looked) => looked,
        None => {
            same_tree(receipt, published, &made.inventory)?;
            let findings = compare(root.view(), receipt, &made.inventory, progress)?;
            (made.inventory, findings)
        }
    };
    let (back, _) = split(chosen, findings.clone());
    root.repair(&Repair { receipt, expected: &expected, findings: &back }, &staged, &site.who())?;
    Ok(Repaired { ways: made.ways, ..planned(chosen, Some((expected, findings))) })
}

/// What would be put back must be what was installed.
fn same_tree(receipt: &Receipt, published: &Published, expected: &Inventory) -> Result<(), Error> {
    if expected.tree == receipt.tree {
        return Ok(());
    }
    Err(Error::OtherTree {
        component: published.component().clone(),
        version: published.version().clone(),
        expected: receipt.tree.to_string(),
        found: expected.tree.to_string(),
    })
}

//! `links list|verify|repair`.

use super::{Error, Site};
use crate::deploy::{LinkCheck, LinkState, Recovery, check_links};
use crate::fsx;

/// Every link of the root, with its state.
pub fn check(site: &Site) -> Result<Vec<LinkCheck>, Error> {
    Ok(check_links(&site.view()?, &site.custom_links())?)
}

/// What a repair did, or would do.
#[derive(Debug, Clone)]
pub struct Repaired {
    /// The links that were wrong, as they were found.
    pub wrong: Vec<LinkCheck>,
    /// Those that still are.
    pub left: Vec<LinkCheck>,
    /// Whether it was only planned.
    pub dry_run: bool,
    /// What an earlier run had left unfinished.
    pub recovery: Recovery,
}

/// Mends every link that can be mended without touching a real file or directory. A check of a release that is due waits:
/// this is what runs before the application starts, when nothing can be healthy yet.
pub fn repair(site: &Site, dry_run: bool) -> Result<Repaired, Error> {
    let wrong = |checks: Vec<LinkCheck>| checks.into_iter().filter(|check| !check.is_ok()).collect::<Vec<_>>();
    if dry_run {
        let found = wrong(check(site)?);
        let left =
            found.iter().filter(|check| !check.is_mendable() && !leads_to_mended(check, &found)).cloned().collect();
        return Ok(Repaired { wrong: found, left, dry_run, recovery: Recovery::Clean });
    }
    site.view()?;
    let (root, recovery) = site.change_at_once()?;
    let found = wrong(check_links(root.view(), &site.custom_links())?);
    root.repair_links(&found, &site.who())?;
    let left = wrong(check_links(root.view(), &site.custom_links())?);
    Ok(Repaired { wrong: found, left, dry_run, recovery })
}

/// Whether a link leads nowhere, or out of the root, only because what it leads to, or something in it, is a link that will
/// be mended.
fn leads_to_mended(check: &LinkCheck, found: &[LinkCheck]) -> bool {
    let (LinkState::Dangling | LinkState::Escaped { .. }, Some(target), Some(parent)) =
        (&check.state, &check.target, check.path.parent())
    else {
        return false;
    };
    let leads_to = parent.join(target);
    let leads_to = fsx::without_parents(&leads_to).unwrap_or(leads_to);
    found.iter().any(|other| other.is_mendable() && other.target.is_some() && other.path.starts_with(&leads_to))
}

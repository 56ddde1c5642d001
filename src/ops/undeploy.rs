//! `undeploy`: a component leaves the current release. Only links move: its version directories stay until a cleanup,
//! so that `rollback` brings it back without network or unpacking.

use super::change::{Report, Wanted, change};
use super::{Error, Site};
use crate::deploy::{Action, Error as DeployError, Set, View};
use crate::model::{ComponentType, Version};

/// Makes a release without `component`. `force` takes it out even where another current component needs it.
///
/// # Errors
///
/// [`Error::StillNeeded`]; the component is not part of the current release.
pub fn undeploy(site: &Site, component: &ComponentType, force: bool, dry_run: bool) -> Result<Report, Error> {
    change(site, dry_run, |view, state| {
        let mut after = state.set();
        if after.remove(component).is_none() {
            return Err(DeployError::NotDeployed { component: component.clone() }.into());
        }
        let needed_by = if force { Vec::new() } else { in_need_of(view, &after, component)? };
        if !needed_by.is_empty() {
            return Err(Error::StillNeeded { component: component.clone(), needed_by });
        }
        Ok(Wanted { after, parent: state.number(), ..Wanted::of(Action::Undeploy) })
    })
}

/// The versions of `set` that need some version of `component`.
fn in_need_of(view: &View, set: &Set, component: &ComponentType) -> Result<Vec<(ComponentType, Version)>, Error> {
    let mut found = Vec::new();
    for (other, version) in set {
        let receipt = view.receipt(other, version)?;
        if receipt.is_some_and(|receipt| receipt.dependencies.iter().any(|need| need.kind == *component)) {
            found.push((other.clone(), version.clone()));
        }
    }
    Ok(found)
}

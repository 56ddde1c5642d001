//! Who still uses what a release has just replaced: a link that moves changes nothing for a file that is open.

use serde::Serialize;

use super::change::Report;
use super::{Error, Site};
use crate::fsx::{Look, Process};
use crate::model::{ComponentType, Version};

/// Running processes that use versions that are no longer current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StillUsed {
    /// The versions, with who uses them.
    pub versions: Vec<UsedVersion>,
    /// How many processes could not be looked into; `null` where it is not known.
    pub unseen: Option<u64>,
}

/// A version and the processes that use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsedVersion {
    /// The component.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// Its version.
    pub version: Version,
    /// The processes.
    pub processes: Vec<Process>,
}

/// Looks for the processes that use a version that `report` has replaced; `None` where it has replaced none. A look at a
/// hundred processes takes longer than the switch itself: whoever waits for that should have its result first.
pub fn of_replaced(site: &Site, report: &Report) -> Result<Option<StillUsed>, Error> {
    let replaced = report.changed.iter().filter_map(|moved| Some((moved.component.clone(), moved.from.clone()?)));
    let replaced: Vec<_> = replaced.collect();
    if report.dry_run || report.release.is_none() || replaced.is_empty() {
        return Ok(None);
    }
    let Look { mut using, unseen } = site.view()?.users();
    let versions = replaced.into_iter().filter_map(|(component, version)| {
        let processes = using.remove(&(component.clone(), version.clone()))?;
        Some(UsedVersion { component, version, processes })
    });
    Ok(Some(StillUsed { versions: versions.collect(), unseen }))
}

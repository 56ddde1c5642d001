//! Versions that did not stand on this root (`.deploy-tool/bad/<type>/<version>`): they are not made current again unless
//! that is forced. One file each, `{"release":7,"at":"…","why":"unhealthy"}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::checks::{Why, put};
use super::{Error, Root, View};
use crate::fsx;
use crate::model::{ComponentType, Timestamp, Version, to_canonical_json};

/// Why a version is marked bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// The release that did not stand with it.
    pub release: u64,
    /// When.
    pub at: Timestamp,
    /// Why not.
    pub why: Why,
}

impl View {
    /// Why this version is marked bad; `None` where it is not.
    pub fn bad(&self, component: &ComponentType, version: &Version) -> Result<Option<Bad>, Error> {
        let path = self.layout().bad(component).join(version.as_str());
        let Some(bytes) = fsx::read_opt(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::Damaged { path, damage: e.into() })
    }

    /// Every version of `component` that is marked bad.
    pub fn bad_versions(&self, component: &ComponentType) -> Result<BTreeMap<Version, Bad>, Error> {
        let mut all = BTreeMap::new();
        for entry in fsx::list(&self.layout().bad(component))? {
            let version = entry.name.to_str().and_then(|name| name.parse::<Version>().ok());
            if let Some(version) = version
                && let Some(bad) = self.bad(component, &version)?
            {
                all.insert(version, bad);
            }
        }
        Ok(all)
    }
}

impl Root {
    /// Marks a version bad. Durable when it returns.
    pub fn mark_bad(&self, component: &ComponentType, version: &Version, bad: Bad) -> Result<(), Error> {
        let path = self.layout().bad(component).join(version.as_str());
        put(self.layout(), &path, &to_canonical_json(&bad))
    }

    /// Takes the mark away where there is one. Durable when it returns.
    pub fn clear_bad(&self, component: &ComponentType, version: &Version) -> Result<(), Error> {
        let dir = self.layout().bad(component);
        if fsx::remove_file_opt(&dir.join(version.as_str()))? {
            fsx::flush_dir(&dir)?;
        }
        Ok(())
    }
}

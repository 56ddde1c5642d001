//! Pins: versions a root keeps for ever. One empty file each, so that two pins never conflict.

use std::collections::BTreeSet;

use super::audit::{Event, What, Who};
use super::{Error, Layout, Root};
use crate::fsx;
use crate::model::{ComponentType, Version};

/// The pinned versions of one component.
pub fn read(layout: &Layout, component: &ComponentType) -> Result<BTreeSet<Version>, Error> {
    let names = fsx::list(&layout.pins(component))?;
    Ok(names.iter().filter_map(|entry| entry.name.to_str()?.parse().ok()).collect())
}

impl Root {
    /// Pins a version that is installed; says whether it was not pinned before. Durable when it returns.
    pub fn pin(&self, component: &ComponentType, version: &Version, who: &Who) -> Result<bool, Error> {
        self.view().installed(component, version)?;
        let path = self.layout().pin(component, version);
        if fsx::inspect(&path)?.is_some() {
            return Ok(false);
        }
        self.audited(Event::new(What::Pin, who).of([(component, version)]), || {
            let pins = self.layout().pins(component);
            fsx::create_dir_all(&pins)?;
            // An empty file is whole as soon as it has its name, so it needs no other name first.
            fsx::write_new(&path, b"")?;
            Ok(fsx::flush_dir(&pins)?)
        })?;
        Ok(true)
    }

    /// Removes a pin; says whether there was one. Durable when it returns.
    pub fn unpin(&self, component: &ComponentType, version: &Version, who: &Who) -> Result<bool, Error> {
        let path = self.layout().pin(component, version);
        if fsx::inspect(&path)?.is_none() {
            return Ok(false);
        }
        self.audited(Event::new(What::Unpin, who).of([(component, version)]), || {
            fsx::remove_file_opt(&path)?;
            Ok(fsx::flush_dir(&self.layout().pins(component))?)
        })?;
        Ok(true)
    }
}

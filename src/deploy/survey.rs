//! What a look over the whole root asks: everything that lies there, whether it belongs together or not. Reads names,
//! links and small files, each once, however many versions and releases there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::journal::{self, Open};
use super::state::{current_number, release_numbers};
use super::{Error, Layout, View, pins, recover, root, state};
use crate::fsx::{self, FileKind};
use crate::model::{ComponentType, Version};

/// What lies below `components/` and `receipts/` for one component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lying {
    /// The version directories.
    pub directories: BTreeSet<Version>,
    /// The versions that have a receipt.
    pub receipts: BTreeSet<Version>,
    /// The versions that are pinned.
    pub pins: BTreeSet<Version>,
}

impl View {
    /// What lies there of every component that has a directory, a receipt or a pin.
    pub fn lying(&self) -> Result<BTreeMap<ComponentType, Lying>, Error> {
        let layout = self.layout();
        let state = layout.state();
        let mut types: BTreeSet<ComponentType> = state::types(layout)?.into_iter().collect();
        for part in ["receipts", "pins"] {
            let names = fsx::list(&state.join(part))?;
            types.extend(names.iter().filter_map(|entry| entry.name.to_str()?.parse::<ComponentType>().ok()));
        }
        types.into_iter().map(|component| lying(layout, &component).map(|lying| (component, lying))).collect()
    }

    /// The numbers of the releases that are there, ascending.
    pub fn releases(&self) -> Result<Vec<u64>, Error> {
        release_numbers(self.layout())
    }

    /// What only an unfinished run leaves, or one that is under way: staging, half-written files, temporary links. The next
    /// changing command removes it.
    pub fn leftovers(&self) -> Result<Vec<PathBuf>, Error> {
        recover::leftovers(self.layout())
    }

    /// The journal of a release that is current and cannot be read: nothing can finish that release nor undo it.
    pub fn torn_journal(&self) -> Result<Option<PathBuf>, Error> {
        let current = current_number(self.layout()).ok().flatten();
        let torn = journal::all(self.layout())?.into_iter().find_map(|open| match open {
            Open::Release(number, None) if current == Some(number) => Some(number),
            _ => None,
        });
        Ok(torn.map(|number| self.layout().journals().join(format!("{number}.json"))))
    }

    /// The directories in which changing commands make entries, as far as they are there.
    pub fn directories(&self) -> Result<Vec<PathBuf>, Error> {
        let mut there = Vec::new();
        for dir in root::directories(self.layout())? {
            if fsx::inspect_followed(&dir)?.is_some() {
                there.push(dir);
            }
        }
        Ok(there)
    }
}

fn lying(layout: &Layout, component: &ComponentType) -> Result<Lying, Error> {
    let mut lying = Lying { pins: pins::read(layout, component)?, ..Lying::default() };
    for entry in fsx::list(&layout.component(component))?.into_iter().filter(|e| e.kind == FileKind::Directory) {
        lying.directories.extend(entry.name.to_str().and_then(|name| name.parse::<Version>().ok()));
    }
    for entry in fsx::list(&layout.receipts(component))? {
        let version = entry.name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<Version>().ok());
        lying.receipts.extend(version);
    }
    Ok(lying)
}

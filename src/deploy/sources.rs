//! Which files of a version that is to be made lie on this machine already: in version directories of this root, and of
//! other roots where the configuration names any.
//!
//! Asked in this order, and no further than something is missing: the version of the component that is current, its others
//! from the nearest on, then the current versions of other components; then the same of other roots. Of one root at most
//! [`MOST`] inventories are read, however many versions it has. A version without a usable inventory is no source.

use std::collections::HashMap;
use std::path::PathBuf;

use super::inventory::Item;
use super::{Error, Inventory, View};
use crate::fsx;
use crate::model::{Blake3, ComponentType, EntryKind, IndexEntry, Version};

/// So many inventories of one root are read at most.
const MOST: usize = 16;

/// A version directory that has files in common with the wanted version.
#[derive(Debug)]
pub(super) struct Stock {
    pub dir: PathBuf,
    /// Whether its files may have been changed since, as they are meant to.
    pub mutable: bool,
    pub inventory: Inventory,
}

/// A file of the wanted version, found in a stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub stock: usize,
    pub item: usize,
}

/// What of one version lies on this machine, as far as inventories say.
#[derive(Debug, Default)]
pub struct Sources {
    pub(super) stocks: Vec<Stock>,
    /// Of each entry of the wanted version, where its file was found.
    pub(super) places: Vec<Option<Place>>,
}

impl Sources {
    /// Looks in `root` and in `others` for the files of these entries, which `component@version` has.
    ///
    /// # Errors
    ///
    /// It cannot be told what `root` has. Another root of which that is so is passed over, and so is one that others than this
    /// user and root may change: what its inventories say is believed. A version that cannot be read is no source.
    pub fn find(
        root: &View,
        others: &[View],
        component: &ComponentType,
        version: &Version,
        entries: &[IndexEntry],
    ) -> Result<Self, Error> {
        let mut sources = Self { stocks: Vec::new(), places: vec![None; entries.len()] };
        let mut missing = entries.iter().filter(|item| needs_source(item)).count();
        let own = Some((component, version));
        sources.look_in(root, (component, version), own, entries, &mut missing)?;
        for other in others.iter().filter(|other| is_ours(other)) {
            let _ = sources.look_in(other, (component, version), None, entries, &mut missing);
        }
        Ok(sources)
    }

    /// Adds the files that an installed version which is to be put right should have, so that those that still have their
    /// content are copied: as those of a mutable version, whatever they are like.
    #[must_use]
    pub fn with_own(mut self, dir: PathBuf, inventory: Inventory, entries: &[IndexEntry]) -> Self {
        let mut missing = usize::MAX;
        self.add(Stock { dir, mutable: true, inventory }, entries, &mut missing);
        self
    }

    fn look_in(
        &mut self,
        root: &View,
        wanted: (&ComponentType, &Version),
        but: Option<(&ComponentType, &Version)>,
        entries: &[IndexEntry],
        missing: &mut usize,
    ) -> Result<(), Error> {
        if *missing == 0 {
            return Ok(());
        }
        for (component, version) in candidates(root, wanted.0, wanted.1)? {
            // What is being made, or put right, is no source.
            if but == Some((&component, &version)) {
                continue;
            }
            let Ok(Some(receipt)) = root.receipt(&component, &version) else { continue };
            let Ok(Some(inventory)) = root.inventory(&receipt) else { continue };
            let dir = root.layout().version(&component, &version);
            self.add(Stock { dir, mutable: receipt.mutable, inventory }, entries, missing);
            if *missing == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Takes from a stock what is still missing: the file of the same path where it is the same, else any that is.
    fn add(&mut self, stock: Stock, entries: &[IndexEntry], missing: &mut usize) {
        let number = self.stocks.len();
        let items = &stock.inventory.items;
        let files = || items.iter().enumerate().filter_map(|(at, item)| Some((at, item, item.content()?.1)));
        let by_path: HashMap<&[u8], (usize, Blake3)> =
            files().map(|(at, item, digest)| (item.entry.path.as_bytes(), (at, digest))).collect();
        let mut by_digest: Option<HashMap<Blake3, usize>> = None;
        let mut found = false;
        for (place, entry) in self.places.iter_mut().zip(entries) {
            let EntryKind::File { digest, .. } = entry.entry.kind else { continue };
            if place.is_some() || !needs_source(entry) {
                continue;
            }
            let same = by_path.get(entry.entry.path.as_bytes()).filter(|(_, held)| *held == digest).map(|(at, _)| *at);
            let any = || {
                let by_digest = by_digest.get_or_insert_with(|| files().map(|(at, _, digest)| (digest, at)).collect());
                by_digest.get(&digest).copied()
            };
            if let Some(item) = same.or_else(any) {
                *place = Some(Place { stock: number, item });
                *missing = missing.saturating_sub(1);
                found = true;
            }
        }
        if found {
            self.stocks.push(stock);
        }
    }

    /// Where the file of entry `number` lies.
    pub(super) fn place(&self, number: usize) -> Option<(usize, &Stock, &Item)> {
        let place = self.places.get(number).copied().flatten()?;
        let stock = self.stocks.get(place.stock)?;
        Some((place.stock, stock, stock.inventory.items.get(place.item)?))
    }
}

/// An empty file is made, not looked for: it takes no longer, and many other names of one file would come to a limit.
fn needs_source(item: &IndexEntry) -> bool {
    matches!(item.entry.kind, EntryKind::File { size, .. } if size > 0)
}

/// Whether nobody but this user and root can have changed what lies in a root.
fn is_ours(root: &View) -> bool {
    let owner = |uid: u32| uid == 0 || uid == fsx::user();
    let stat = fsx::inspect_followed(&root.layout().state());
    matches!(stat, Ok(Some(stat)) if owner(stat.uid) && stat.mode & 0o022 == 0)
}

/// Versions of a root in the order in which they are asked.
pub(super) fn candidates(
    root: &View,
    component: &ComponentType,
    version: &Version,
) -> Result<Vec<(ComponentType, Version)>, Error> {
    let current = root.state()?.set();
    let versions = root.versions(component)?;
    let at = versions.partition_point(|other| other < version);
    let distance = |number: usize| if number < at { 2 * (at - number - 1) } else { 2 * (number - at) + 1 };
    let ranked = versions.into_iter().enumerate().map(|(number, other)| {
        let is_current = current.get(component) == Some(&other);
        (!is_current, distance(number), other)
    });
    let mut order: Vec<(bool, usize, Version)> = ranked.collect();
    order.sort();
    let own = order.into_iter().map(|(.., other)| (component.clone(), other));
    let others = current.into_iter().filter(|(other, _)| other != component);
    let own: Vec<_> = own.take(MOST - 1).collect();
    Ok(own.into_iter().chain(others).take(MOST).collect())
}

//! What a root holds now, read without changing anything.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::journal::{self, Open};
use super::{Damage, Error, History, Layout};
use crate::fsx::{self, FileKind};
use crate::model::{ComponentType, Version};

/// Which version of each component.
pub type Set = BTreeMap<ComponentType, Version>;

/// A numbered set of versions that are current together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its number.
    pub number: u64,
    /// Its versions.
    pub components: Set,
}

/// The committed state of a root: what planning a change starts from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The current release; `None` before the first deploy.
    pub release: Option<Release>,
}

impl State {
    /// Reads the current release of a root. Without an open journal the history says what it is, since its line is
    /// written before the journal is closed: where `releases/` disagrees, somebody else changed it. While a release is
    /// being made, `releases/current` does: it is the commit point.
    pub fn read(layout: &Layout) -> Result<Self, Error> {
        let is_being_made = journal::all(layout)?.iter().any(|open| matches!(open, Open::Release(..)));
        if !is_being_made && let Some(last) = History::last(layout)? {
            return Ok(Self { release: Some(Release { number: last.release, components: last.set() }) });
        }
        let Some(number) = current_number(layout)? else { return Ok(Self::default()) };
        let components = components_of(layout, number)?
            .ok_or_else(|| Error::Damaged { path: layout.current_release(), damage: Damage::NoRelease(number) })?;
        Ok(Self { release: Some(Release { number, components }) })
    }

    /// The set of the current release.
    pub fn set(&self) -> Set {
        self.release.as_ref().map(|r| r.components.clone()).unwrap_or_default()
    }

    /// The number of the current release.
    pub fn number(&self) -> Option<u64> {
        self.release.as_ref().map(|r| r.number)
    }
}

/// The number `releases/current` holds.
pub(super) fn current_number(layout: &Layout) -> Result<Option<u64>, Error> {
    let path = layout.current_release();
    let Some(target) = fsx::read_link_opt(&path)? else { return Ok(None) };
    let number = target.to_str().and_then(|text| text.parse().ok());
    number.map(Some).ok_or(Error::Damaged { path, damage: Damage::Holds(target) })
}

/// The set that release `number` names; `None` where there is no such release.
pub(super) fn components_of(layout: &Layout, number: u64) -> Result<Option<Set>, Error> {
    let dir = layout.release(number);
    if fsx::inspect(&dir)?.is_none() {
        return Ok(None);
    }
    let mut set = Set::new();
    for entry in fsx::list(&dir)? {
        let path = dir.join(&entry.name);
        let damaged = |damage| Error::Damaged { path: path.clone(), damage };
        if entry.kind != FileKind::Symlink {
            return Err(damaged(Damage::NotALink));
        }
        let target = fsx::read_link(&path)?;
        let component: Option<ComponentType> = entry.name.to_str().and_then(|name| name.parse().ok());
        let version = target.file_name().and_then(|v| v.to_str()).and_then(|v| v.parse::<Version>().ok());
        match (component, version) {
            (Some(c), Some(v)) if Layout::release_target(&c, &v) == target => set.insert(c, v),
            _ => return Err(damaged(Damage::Holds(target))),
        };
    }
    Ok(Some(set))
}

/// The numbers of all releases that are there, ascending.
pub(super) fn release_numbers(layout: &Layout) -> Result<Vec<u64>, Error> {
    let names = fsx::list(&layout.releases())?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|entry| entry.name.to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The component types that have a directory.
pub(super) fn types(layout: &Layout) -> Result<Vec<ComponentType>, Error> {
    let names = fsx::list(&layout.components())?;
    Ok(names.iter().filter_map(|entry| entry.name.to_str()?.parse().ok()).collect())
}

/// The version directories of one component that have a receipt, in version order.
pub(super) fn installed(layout: &Layout, component: &ComponentType) -> Result<Vec<Version>, Error> {
    let mut versions = Vec::new();
    for entry in fsx::list(&layout.component(component))? {
        let version = entry.name.to_str().and_then(|name| name.parse::<Version>().ok());
        if let Some(version) = version.filter(|_| entry.kind == FileKind::Directory)
            && fsx::inspect(&layout.receipt(component, &version))?.is_some()
        {
            versions.push(version);
        }
    }
    versions.sort();
    Ok(versions)
}

/// What stands where a link belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A link that holds this.
    Link(PathBuf),
    /// Something that is no link.
    Other,
}

/// Looks at the place of a link.
pub(super) fn look(path: &std::path::Path) -> Result<Found, Error> {
    Ok(match fsx::inspect(path)? {
        None => Found::Nothing,
        Some(stat) if stat.kind == FileKind::Symlink => Found::Link(fsx::read_link(path)?),
        Some(_) => Found::Other,
    })
}

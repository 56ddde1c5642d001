//! Who may read what is deployed: the permission bits and the group that a manifest asks for.

use std::path::Path;

use super::Error;
use crate::fsx;
use crate::records::Published;
use crate::store::Store;

/// What files and directories of a version get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Access {
    /// The permission bits they have at most.
    pub mask: Option<u32>,
    /// The number of their group.
    pub group: Option<u32>,
}

/// What a manifest asks for and cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAccess {
    /// The mode is none.
    #[error("`{0}` is no mode")]
    Mode(String),
    /// This machine does not have the group.
    #[error("there is no group `{0}`")]
    Group(String),
    /// This user may not give files to the group.
    #[error("not in the group `{0}`")]
    Member(String),
}

impl Access {
    /// What the manifest of `published` asks for.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccess`]
    pub fn of(published: &Published) -> Result<Self, Error> {
        let refused = |why| {
            let (component, version) = (published.component().clone(), published.version().clone());
            Error::NoAccess { component, version, why }
        };
        let mask = match &published.manifest.mode {
            None => None,
            Some(text) => Some(parse(text).ok_or_else(|| refused(NoAccess::Mode(text.clone())))?),
        };
        let group = match &published.manifest.group {
            None => None,
            Some(name) => match fsx::group(name) {
                None => return Err(refused(NoAccess::Group(name.clone()))),
                Some(group) if !fsx::may_give_to(group) => return Err(refused(NoAccess::Member(name.clone()))),
                Some(group) => Some(group),
            },
        };
        Ok(Self { mask, group })
    }

    /// Gives the empty directory that a version is made in its group: what is shared from other versions must have it too.
    pub fn begin(self, dir: &Path) -> Result<(), Error> {
        match self.group {
            Some(group) => Ok(fsx::set_group(dir, group)?),
            None => Ok(()),
        }
    }

    /// Gives the tree that was made in `dir`, the entries of which have their bits already, the rest. What has another name
    /// elsewhere has its group already, and is left alone.
    pub fn apply(self, dir: &Path) -> Result<(), Error> {
        if let Some(mask) = self.mask {
            fsx::set_mode(dir, 0o755 & mask)?;
        }
        match self.group {
            Some(group) => Ok(fsx::set_group_below(dir, group)?),
            None => Ok(()),
        }
    }

    /// Makes the store's copy of a package as restricted as what is made of it; nothing where the store has none.
    pub fn restrict(self, store: &Store, published: &Published) -> Result<(), Error> {
        if self == Self::default() {
            return Ok(());
        }
        Ok(store.restrict(&published.package_sha256(), self.mask, self.group)?)
    }
}

/// The permission bits that files of a version have at most. A mode that is none leaves the owner's: [`Access::of`] has
/// refused it before anything is made.
pub(super) fn mask(published: &Published) -> Option<u32> {
    published.manifest.mode.as_deref().map(|text| parse(text).unwrap_or(0o700))
}

/// Without its own bits the owner could neither replace nor remove what is deployed.
fn parse(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777).map(|mode| mode | 0o700)
}

//! Running processes that use versions of this root: they keep what they have opened whatever a link says.

use std::path::Path;

use super::View;
use crate::fsx::{self, Look};
use crate::model::{ComponentType, Version};

impl View {
    /// Looks for the running processes, other than this one, that use files of installed versions. See [`fsx::using`] for
    /// what that costs and what it cannot see.
    pub fn users(&self) -> Look<(ComponentType, Version)> {
        fsx::using(&self.layout().components(), version_of)
    }
}

/// The version that a path below `components/` belongs to.
fn version_of(path: &Path) -> Option<(ComponentType, Version)> {
    let mut names = path.iter().map(|name| name.to_str());
    Some((names.next()??.parse().ok()?, names.next()??.parse().ok()?))
}

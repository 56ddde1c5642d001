//! What a root has seen of the branches that it was deployed from, so that it notices one that goes back.
//!
//! ```text
//! .deploy-tool/seen.json
//! {"branches": {"<repository>#<reference>": {"tip": "<commit>", "serials": {"prod": 7}}}}
//! ```
//!
//! It is no part of what is deployed: it is written before a release is made, and stays where none is.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, Layout, Root, View};
use crate::fsx;
use crate::model::{EnvironmentName, to_canonical_json};

/// The branches that a root has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// By repository and reference.
    pub branches: BTreeMap<String, SeenBranch>,
}

/// What was seen of one branch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenBranch {
    /// The commit at its tip.
    pub tip: String,
    /// The serial number of each environment there.
    #[serde(default)]
    pub serials: BTreeMap<EnvironmentName, u64>,
}

/// What the root at `path` has seen; nothing where there is no root.
///
/// # Errors
///
/// A file that is not what was written: to take it for none would be to forget.
pub fn seen(path: &Path) -> Result<Seen, Error> {
    read(&Layout::new(path))
}

fn read(layout: &Layout) -> Result<Seen, Error> {
    let path = layout.seen();
    match fsx::read_opt(&path)? {
        None => Ok(Seen::default()),
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| Error::Damaged { path, damage: e.into() }),
    }
}

impl View {
    /// What the root has seen.
    ///
    /// # Errors
    ///
    /// As [`seen`].
    pub fn seen(&self) -> Result<Seen, Error> {
        read(self.layout())
    }
}

impl Root {
    /// Remembers what was seen, where that is something new. Durable when it returns.
    pub fn remember(&self, seen: &Seen) -> Result<(), Error> {
        if *seen == self.view().seen()? {
            return Ok(());
        }
        Ok(fsx::write_atomic(&self.layout().seen(), &to_canonical_json(seen))?)
    }
}

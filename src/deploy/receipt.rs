//! Receipts: what a version directory was made from. A version directory without one is not ours.

use serde::{Deserialize, Serialize};

use super::{Error, Inventory, Layout};
use crate::fsx;
use crate::model::{Blake3, ComponentType, Dependency, Sha256, Timestamp, Version, to_canonical_json};

/// What was installed, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The component type.
    #[serde(rename = "type")]
    pub component: ComponentType,
    /// The version.
    pub version: Version,
    /// The package's sha256.
    pub package: Sha256,
    /// The tree digest of what was unpacked.
    pub tree: Blake3,
    /// Files in it.
    pub files: u64,
    /// Bytes of content in it.
    pub bytes: u64,
    /// When it was installed.
    pub installed_at: Timestamp,
    /// The record it came from.
    pub record: ReceiptRecord,
    /// Whether its files keep their write bits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mutable: bool,
    /// What other components it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
}

/// The record a version was deployed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptRecord {
    /// The sha256 of the manifest it pins.
    pub manifest: Sha256,
    /// The commit it was read at; absent for `--record FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl Receipt {
    /// The receipt of one version; `None` where there is none.
    pub fn read(layout: &Layout, component: &ComponentType, version: &Version) -> Result<Option<Self>, Error> {
        let path = layout.receipt(component, version);
        let Some(bytes) = fsx::read_opt(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::Damaged { path, damage: e.into() })
    }

    /// Writes the receipt; durable with the next flush of the root's file system.
    pub(super) fn write(&self, layout: &Layout) -> Result<(), Error> {
        fsx::create_dir_all(&layout.receipts(&self.component))?;
        let path = layout.receipt(&self.component, &self.version);
        fsx::remove_file_opt(&path)?;
        Ok(fsx::write_unflushed(&path, &to_canonical_json(self))?)
    }

    /// Removes the receipt of one version, and its inventory, as far as they are there.
    pub(super) fn remove(layout: &Layout, component: &ComponentType, version: &Version) -> Result<(), Error> {
        Inventory::remove(layout, component, version)?;
        fsx::remove_file_opt(&layout.receipt(component, version))?;
        Ok(())
    }
}

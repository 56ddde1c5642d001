//! The manifest of content that is in the store, and the note by which `publish` finds it.

use super::pack::index_name;
use super::{Error, Site};
use crate::config::Component;
use crate::model::{
    Blake3, ComponentType, Compression, IndexRef, Manifest, ManifestComponent, ManifestPackage, Metadata, Sha256,
    SourceState, Timestamp, Version, to_canonical_json,
};
use crate::store::{Packed as Note, Store};

/// The version of the package format that `metadata.pack_version` names.
const PACK_VERSION: &str = "1.0";

/// A package and its index in the store, and what is known of where they come from.
pub(super) struct Content<'a> {
    /// The component.
    pub kind: &'a ComponentType,
    /// What is configured for it.
    pub component: &'a Component,
    /// The package's file name.
    pub file: String,
    /// The package's digest and length in bytes.
    pub package: (Sha256, u64),
    /// How it is compressed.
    pub compression: Compression,
    /// Its tree digest.
    pub tree: Blake3,
    /// The index's digest and length in bytes.
    pub index: (Sha256, u64),
    /// The source as the user named it.
    pub label: &'a str,
    /// The codec and its version, where this tool compressed it.
    pub codec: Option<String>,
    /// The state of the git work tree it came from.
    pub source: Option<SourceState>,
}

impl Content<'_> {
    /// Gives the content its version: writes the manifest into the store and the note that `publish` finds. Returns the
    /// manifest's digest.
    pub fn name(self, site: &Site, store: &Store, version: &Version, created_at: Timestamp) -> Result<Sha256, Error> {
        let (package, index) = (self.package.0, self.index.0);
        let (kind, proved) = (self.kind, self.codec.is_some());
        let manifest = store.put_bytes(&to_canonical_json(&self.manifest(site, version, created_at)))?;
        let note = Note {
            manifest,
            package,
            index: Some(index),
            proved,
            deltas: Vec::new(),
            at: site.caller.now,
            published: None,
        };
        store.record_packed(kind, version, &note)?;
        Ok(manifest)
    }

    fn manifest(self, site: &Site, version: &Version, created_at: Timestamp) -> Manifest {
        let component = self.component;
        Manifest {
            component: ManifestComponent {
                kind: self.kind.clone(),
                version: version.clone(),
                created_at,
                extra: Default::default(),
            },
            package: ManifestPackage {
                file: self.file,
                size: self.package.1,
                algorithm: self.compression,
                checksum: self.package.0.into(),
                tree: Some(self.tree),
                extra: Default::default(),
            },
            index: Some(IndexRef {
                file: index_name(self.kind, version),
                size: self.index.1,
                checksum: self.index.0.into(),
            }),
            dependencies: component.depends.clone(),
            platform: component.platform.clone(),
            mutable: component.mutable,
            mode: component.mode.map(|mode| format!("{mode:04o}")),
            group: component.group.clone(),
            project: Some(site.config.project.name.clone()),
            metadata: Metadata {
                source_path: self.label.to_owned(),
                pack_version: PACK_VERSION.to_owned(),
                tool: Some(concat!("deploy-tool ", env!("CARGO_PKG_VERSION")).to_owned()),
                codec: self.codec,
                source: self.source,
                extra: Default::default(),
            },
            schema: None,
            extra: Default::default(),
        }
    }
}

/// What of a package is not what its manifest says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Differs {
    /// Its bytes.
    #[error("{size} bytes with sha256 {sha256}, not {pinned_size} bytes with sha256 {pinned}")]
    Bytes {
        /// How many there are.
        size: u64,
        /// Their digest.
        sha256: Sha256,
        /// How many there should be.
        pinned_size: u64,
        /// What they should hash to.
        pinned: Sha256,
    },
    /// The tree in it.
    #[error("tree digest {tree}, not {pinned}")]
    Tree {
        /// Its digest.
        tree: Blake3,
        /// What it should be.
        pinned: Blake3,
    },
}

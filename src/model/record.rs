//! The record: the git-committed statement where a package lies (`record.json`), and the note that withdraws a
//! version (`yanked.json`).
//!
//! ```text
//! {
//!   "component": {"type", "version"},
//!   "manifest": {"sha256"},                      pins the committed manifest.json; absent in the seed's own form
//!   "package": {"file", "size", "checksum"},     absent in the seed's own form
//!   "locations": [{"name", "type", …what access needs, never a secret}],
//!   "published_at": …,
//!   "schema": 1                                  optional; absent means 1
//! }
//! ```
//!
//! Locations are unsigned hints: nothing is trusted because a record names a place. Unknown fields are kept.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::manifest::parse;
use super::{Checksum, ComponentType, SchemaError, Sha256, Timestamp, Version};

/// Where the package of one version lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Record {
    /// Which component and version.
    pub component: RecordComponent,
    /// The manifest this record belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<RecordManifest>,
    /// The archive, so that a reader of the record alone knows what to fetch and check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<RecordPackage>,
    /// The places it lies at.
    pub locations: Vec<Location>,
    /// When it was first published.
    pub published_at: Timestamp,
    /// The major number of the format; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    ///
    /// A newer major schema, or JSON of another form.
    pub fn parse(bytes: &[u8]) -> Result<Self, SchemaError> {
        parse(bytes)
    }
}

/// `component` of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordComponent {
    /// The component type.
    #[serde(rename = "type")]
    pub kind: ComponentType,
    /// The version.
    pub version: Version,
}

/// `manifest` of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordManifest {
    /// The sha256 of the committed bytes of `manifest.json`.
    pub sha256: Sha256,
}

/// `package` of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordPackage {
    /// The archive's file name.
    pub file: String,
    /// The archive's length in bytes.
    pub size: u64,
    /// The archive's sha256.
    pub checksum: Checksum,
}

/// One place a package lies at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Location {
    /// The name of the target it was published to.
    pub name: String,
    /// What kind of place, and how to find the package there.
    #[serde(flatten)]
    pub place: Place,
}

/// What kind of place, and how to find a package there. Kinds this build does not know are kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Place {
    /// A directory.
    Filesystem(FilesystemPlace),
    /// Any other kind, with its `type` and fields.
    Other(Map<String, Value>),
}

/// A directory of a file system that the host reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FilesystemPlace {
    /// Always `filesystem`.
    #[serde(rename = "type")]
    pub kind: FilesystemKind,
    /// The directory, with a final slash; relative paths start at the top of the records repository.
    pub path: String,
    /// The package itself: `file://` and its absolute path; absent where `path` is relative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The tag of a filesystem place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FilesystemKind {
    /// `filesystem`
    Filesystem,
}

impl Place {
    /// The name in the `type` field.
    pub fn kind(&self) -> &str {
        match self {
            Place::Filesystem(_) => "filesystem",
            Place::Other(fields) => fields.get("type").and_then(Value::as_str).unwrap_or("unknown"),
        }
    }
}

/// `yanked.json`: why a version must not be deployed any more. The record and manifest stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Yank {
    /// When it was withdrawn.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// Who did it.
    pub by: String,
}

#[cfg(test)]
mod tests {
    use super::super::to_canonical_json;
    use super::*;

    /// Seed 4.2, word for word.
    const SEED: &str = r#"{
  "component": {
    "type": "model",
    "version": "1.0.0"
  },
  "locations": [
    {
      "name": "local",
      "type": "filesystem",
      "path": "/data/packages/model/1.0.0/",
      "url": "file:///data/packages/model/1.0.0/model-1.0.0.tar.gz"
    },
    {
      "name": "production-bos",
      "type": "bos",
      "endpoint": "bj.bcebos.com",
      "bucket": "ml-artifacts",
      "object_key": "model/1.0.0/model-1.0.0.tar.gz"
    }
  ],
  "published_at": "2024-01-20T10:30:00Z"
}
"#;

    #[test]
    fn the_seed_example_keeps_every_field() {
        let record = Record::parse(SEED.as_bytes()).expect("the seed's example");
        assert_eq!(record.locations[0].place.kind(), "filesystem");
        assert_eq!(record.locations[1].place.kind(), "bos");
        let again: Value = serde_json::from_slice(&to_canonical_json(&record)).expect("JSON");
        assert_eq!(again, serde_json::from_str::<Value>(SEED).expect("JSON"));
        assert_eq!(Record::parse(&to_canonical_json(&record)).expect("what was written"), record);
    }
}

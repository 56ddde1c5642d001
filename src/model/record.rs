//! The record: the git-committed statement where a package lies (`record.json`), and the note that withdraws a
//! version (`yanked.json`).
//!
//! ```text
//! {
//!   "component": {"type", "version"},
//!   "manifest": {"sha256"},                      pins the committed manifest.json; absent in the seed's own form
//!   "package": {"file", "size", "checksum"},     absent in the seed's own form
//!   "locations": [{"name", "type", …what access needs, never a secret}],
//!   "deltas": [{"from", "tree", "file", "size", "checksum"}],   ways from other versions; absent where there is none
//!   "published_at": …,
//!   "schema": 1                                  optional; absent means 1
//! }
//! ```
//!
//! Locations are unsigned hints: nothing is trusted because a record names a place. Unknown fields are kept.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::manifest::parse;
use super::{Blake3, Checksum, ComponentType, SchemaError, Sha256, Timestamp, Version};

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
    /// Ways to it from other versions; each lies beside the package at some of these places. Nobody needs them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deltas: Vec<RecordDelta>,
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

/// One of `deltas` of a record: what makes the version of another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordDelta {
    /// The version it leads from.
    pub from: Version,
    /// That version's tree digest.
    pub tree: Blake3,
    /// The delta's file name.
    pub file: String,
    /// The delta's length in bytes.
    pub size: u64,
    /// The delta's sha256.
    pub checksum: Checksum,
    /// What it begins with: start and header, which say what follows. Without this a delta is used once all of it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<DeltaHeader>,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `header` of one of `deltas`: the first bytes of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DeltaHeader {
    /// How many bytes.
    pub size: u64,
    /// Their sha256.
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

/// What kind of place, and how to find a package there. Kinds this build does not know, and known ones that lack a field,
/// are kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Place {
    /// A directory.
    Filesystem(FilesystemPlace),
    /// An object of a store that speaks S3.
    S3(S3Place),
    /// An object of Baidu's object store.
    Bos(BosPlace),
    /// An object of Google's object store.
    Gcs(GcsPlace),
    /// A blob of Azure's object store.
    Azure(AzurePlace),
    /// A file of a web server.
    Http(HttpPlace),
    /// An artifact of an OCI registry.
    Oci(OciPlace),
    /// Any other kind, with its `type` and fields.
    #[serde(untagged)]
    Other(Map<String, Value>),
}

/// A directory of a file system that the host reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FilesystemPlace {
    /// The directory, with a final slash; relative paths start at the top of the records repository.
    pub path: String,
    /// The package itself: `file://` and its absolute path; absent where `path` is relative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An object of a store that speaks S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct S3Place {
    /// Where the store answers, as a URL; absent for AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The region; absent where the store has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// The package's key.
    pub object_key: String,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An object of Baidu's object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BosPlace {
    /// The host of BOS's own interface, such as `bj.bcebos.com`.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// The package's key.
    pub object_key: String,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An object of Google's object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GcsPlace {
    /// The bucket.
    pub bucket: String,
    /// The package's name in it.
    pub object_key: String,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A blob of Azure's object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AzurePlace {
    /// The storage account.
    pub account: String,
    /// Where the store answers, as a URL; absent for Azure's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The container.
    pub container: String,
    /// The package's name in it.
    pub object_key: String,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A file of a web server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HttpPlace {
    /// The package; its index and manifest lie beside it.
    pub url: String,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An artifact of an OCI registry: package and index are blobs of it, named by their sha256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OciPlace {
    /// The registry's host, with its port where it is not the usual one; with `http://` where it has no TLS.
    pub registry: String,
    /// The repository.
    pub repository: String,
    /// The tag, for people and other tools.
    pub tag: String,
    /// The digest of the OCI manifest.
    pub digest: String,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Place {
    /// The name in the `type` field.
    pub fn kind(&self) -> &str {
        match self {
            Place::Filesystem(_) => "filesystem",
            Place::S3(_) => "s3",
            Place::Bos(_) => "bos",
            Place::Gcs(_) => "gcs",
            Place::Azure(_) => "azure",
            Place::Http(_) => "http",
            Place::Oci(_) => "oci",
            Place::Other(fields) => fields.get("type").and_then(Value::as_str).unwrap_or("unknown"),
        }
    }

    /// The place as people write it, on one line.
    pub fn shown(&self) -> String {
        match self {
            Place::Filesystem(place) => place.url.clone().unwrap_or_else(|| place.path.clone()),
            Place::S3(S3Place { endpoint: Some(endpoint), bucket, object_key, .. }) => {
                format!("{}/{bucket}/{object_key}", endpoint.trim_end_matches('/'))
            }
            Place::S3(place) => format!("s3://{}/{}", place.bucket, place.object_key),
            Place::Bos(place) => format!("bos://{}/{}/{}", place.endpoint, place.bucket, place.object_key),
            Place::Gcs(place) => format!("gs://{}/{}", place.bucket, place.object_key),
            Place::Azure(place) => format!("az://{}/{}/{}", place.account, place.container, place.object_key),
            Place::Http(place) => place.url.clone(),
            Place::Oci(place) => format!("{}/{}:{}@{}", place.registry, place.repository, place.tag, place.digest),
            Place::Other(_) => self.kind().to_owned(),
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
        assert_eq!(String::from_utf8(to_canonical_json(&record)).expect("UTF-8"), SEED);
        assert_eq!(Record::parse(&to_canonical_json(&record)).expect("what was written"), record);
    }
    #[test]
    fn unknown_kinds_and_fields_are_kept() {
        let location = r#"{"name":"x","type":"gopher","hole":7}"#;
        let kept: Location = serde_json::from_str(location).expect("a location");
        assert_eq!((kept.place.kind(), serde_json::to_string(&kept).expect("JSON").as_str()), ("gopher", location));
        let location = r#"{"name":"x","type":"s3","bucket":"b","object_key":"k","storage_class":"cold"}"#;
        let kept: Location = serde_json::from_str(location).expect("a location");
        assert!(matches!(&kept.place, Place::S3(place) if place.extra["storage_class"] == "cold"));
        assert_eq!(serde_json::to_string(&kept).expect("JSON"), location);
        let lacking: Location = serde_json::from_str(r#"{"name":"x","type":"s3","bucket":"b"}"#).expect("a location");
        assert!(matches!(&lacking.place, Place::Other(_)));
        assert_eq!(lacking.place.kind(), "s3");
    }
}

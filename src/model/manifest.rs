//! The manifest: the small immutable JSON beside a package (`manifest.json`).
//!
//! ```text
//! {
//!   "component": {"type", "version", "created_at"},
//!   "package": {"file", "size", "algorithm", "checksum": {"algorithm": "sha256", "value"}, "tree"},
//!   "index": {"file", "size", "checksum"},                  optional
//!   "dependencies": [{"type", "version"}],                  optional
//!   "platform": {"os", "arch"}, "mutable", "mode", "group"  optional
//!   "project": …,                                           optional
//!   "metadata": {"source_path", "pack_version", …},
//!   "schema": 1                                             optional; absent means 1
//! }
//! ```
//!
//! Unknown fields are kept at every level. A record pins the manifest by the sha256 of its bytes, so a committed
//! manifest is never written again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Blake3, ComponentType, Sha256, Timestamp, Version};

/// The major schema number this build reads and writes.
pub const SCHEMA: u32 = 1;

/// Why a manifest or record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Written by a newer tool.
    #[error("schema {found} is newer than {SCHEMA}, the newest this build reads")]
    Newer {
        /// The number in the file.
        found: u32,
    },
    /// Not JSON of the right form; the text names line and column.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct SchemaOnly {
    schema: Option<u32>,
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, SchemaError> {
    let found = serde_json::from_slice::<SchemaOnly>(bytes)?.schema.unwrap_or(SCHEMA);
    if found > SCHEMA {
        return Err(SchemaError::Newer { found });
    }
    Ok(serde_json::from_slice(bytes)?)
}

/// How a package is compressed; the seed's `package.algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// `.tar.gz`
    Gzip,
    /// `.tar.zst`
    Zstd,
    /// `.tar.lz4`
    Lz4,
    /// `.tar.xz`
    Xz,
    /// `.tar.bz2`
    Bzip2,
    /// `.tar`
    None,
}

impl Compression {
    /// Every way, in the order of help and documents.
    pub const ALL: [Compression; 6] = [
        Compression::Gzip,
        Compression::Zstd,
        Compression::Lz4,
        Compression::Xz,
        Compression::Bzip2,
        Compression::None,
    ];

    /// The name in manifests and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Lz4 => "lz4",
            Compression::Xz => "xz",
            Compression::Bzip2 => "bzip2",
            Compression::None => "none",
        }
    }

    /// What an archive that begins with these bytes (at least 6) is compressed with; `None` (plain tar) for all else.
    pub fn sniff(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Compression::Lz4,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            [b'B', b'Z', b'h', ..] => Compression::Bzip2,
            _ => Compression::None,
        }
    }

    /// The end of a package's file name, with the leading dot.
    pub fn extension(self) -> &'static str {
        match self {
            Compression::Gzip => ".tar.gz",
            Compression::Zstd => ".tar.zst",
            Compression::Lz4 => ".tar.lz4",
            Compression::Xz => ".tar.xz",
            Compression::Bzip2 => ".tar.bz2",
            Compression::None => ".tar",
        }
    }
}

/// Which compression a package gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// zstd, or none where a sample of the tree does not get smaller by a fiftieth.
    Auto,
    /// This one.
    Fixed(Compression),
}

impl Choice {
    /// The names, in the order of help and documents.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Compression::ALL.into_iter().map(Compression::name).chain(["auto"])
    }

    /// The compression whose levels apply: zstd for [`Choice::Auto`], which takes it or none.
    pub fn codec(self) -> Compression {
        match self {
            Choice::Auto => Compression::Zstd,
            Choice::Fixed(compression) => compression,
        }
    }

    /// The choice of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Choice::Auto),
            other => Compression::ALL.into_iter().find(|c| c.name() == other).map(Choice::Fixed),
        }
    }
}

/// A digest with its algorithm's name, as the seed writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Checksum {
    /// Always `sha256`.
    pub algorithm: ChecksumAlgorithm,
    /// The digest.
    pub value: Sha256,
}

/// The algorithms a checksum may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumAlgorithm {
    /// SHA-256.
    Sha256,
}

impl From<Sha256> for Checksum {
    fn from(value: Sha256) -> Self {
        Self { algorithm: ChecksumAlgorithm::Sha256, value }
    }
}

/// The manifest of one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Manifest {
    /// Which component and version.
    pub component: ManifestComponent,
    /// The archive.
    pub package: ManifestPackage,
    /// The sidecar that lists files and pieces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexRef>,
    /// What other components it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// The platform it runs on; absent means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Whether deployed files keep their write bits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mutable: bool,
    /// Permission bits to mask deployed files with, as an octal text such as `0750`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The group deployed files get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The project's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Where it came from.
    pub metadata: Metadata,
    /// The major number of the format; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// A newer major schema, or JSON of another form.
    pub fn parse(bytes: &[u8]) -> Result<Self, SchemaError> {
        parse(bytes)
    }
}

/// `component` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ManifestComponent {
    /// The component type.
    #[serde(rename = "type")]
    pub kind: ComponentType,
    /// The version.
    pub version: Version,
    /// When it was packed (`SOURCE_DATE_EPOCH` where set).
    pub created_at: Timestamp,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `package` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ManifestPackage {
    /// The archive's file name.
    pub file: String,
    /// The archive's length in bytes.
    pub size: u64,
    /// How it is compressed.
    pub algorithm: Compression,
    /// The archive's sha256.
    pub checksum: Checksum,
    /// The tree digest; absent in manifests of the seed's own form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Blake3>,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `index` of a manifest: the sidecar, pinned by its sha256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IndexRef {
    /// The sidecar's file name.
    pub file: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its sha256.
    pub checksum: Checksum,
}

/// One requirement: a component and the versions of it that will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Dependency {
    /// The component needed.
    #[serde(rename = "type")]
    pub kind: ComponentType,
    /// The versions that will do, as a semver requirement such as `>=1.0, <2`.
    #[schemars(with = "String")]
    pub version: semver::VersionReq,
}

/// An operating system and processor, in Rust's names (`linux`, `x86_64`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Platform {
    /// The operating system; absent means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The processor; absent means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
}

/// `metadata` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Metadata {
    /// The source directory as the user named it.
    pub source_path: String,
    /// The version of the package format.
    pub pack_version: String,
    /// The tool and its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The codec and its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// The commit the source came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceState>,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The state of the git work tree a package was made in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SourceState {
    /// The commit of HEAD.
    pub commit: String,
    /// Whether tracked files differed from it.
    pub dirty: bool,
}

#[cfg(test)]
mod tests {
    use super::super::to_canonical_json;
    use super::*;

    /// Seed 3.4, word for word.
    const SEED: &str = r#"{
  "component": {
    "type": "model",
    "version": "1.0.0",
    "created_at": "2024-01-20T10:00:00Z"
  },
  "package": {
    "file": "model-1.0.0.tar.gz",
    "size": 524288000,
    "algorithm": "gzip",
    "checksum": {
      "algorithm": "sha256",
      "value": "a665a45920422f9d417e4867efdc4fb8a04a1f3fff1fa07e998e86f7f7a27ae3"
    }
  },
  "metadata": {
    "source_path": "./models",
    "pack_version": "1.0"
  }
}
"#;

    #[test]
    fn the_seed_example_round_trips_byte_for_byte() {
        let manifest = Manifest::parse(SEED.as_bytes()).expect("the seed's example");
        assert_eq!(String::from_utf8_lossy(&to_canonical_json(&manifest)), SEED);
    }

    #[test]
    fn unknown_fields_are_kept_and_newer_majors_refused() {
        let text = SEED.replacen("\"component\"", "\"x-review\": {\"by\": \"mei\"},\n\"component\"", 1);
        let manifest = Manifest::parse(text.as_bytes()).expect("an unknown field");
        let written = to_canonical_json(&manifest);
        assert_eq!(Manifest::parse(&written).expect("what was written").extra["x-review"]["by"], "mei");
        let newer = SEED.replacen('{', "{\"schema\": 2,", 1);
        assert!(matches!(Manifest::parse(newer.as_bytes()), Err(SchemaError::Newer { found: 2 })));
    }
}

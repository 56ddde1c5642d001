//! How one version looks in a registry: an OCI image manifest (image-spec v1.1, "artifact usage") whose layers are the
//! package, its index and its manifest, each with its file name as title, so that any OCI client can list and pull them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::{Parcel, Upload};
use crate::model::{Compression, Manifest, Sha256};

/// The media type of an image manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// What an artifact has instead of a configuration: these two bytes.
pub(super) const EMPTY: &[u8] = b"{}";

const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const ARTIFACT: &str = "application/vnd.deploy-tool.package.v1";
const TITLE: &str = "org.opencontainers.image.title";

/// An image manifest, as far as it is ours.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Artifact {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    artifact_type: String,
    config: Descriptor,
    /// The files.
    pub layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// One blob.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    media_type: String,
    digest: String,
    /// Its length in bytes.
    pub size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Descriptor {
    fn of(upload: &Upload<'_>, media_type: String) -> Self {
        let title = (TITLE.to_owned(), upload.file.to_owned());
        let digest = format!("sha256:{}", upload.sha256);
        Self { media_type, digest, size: upload.size, annotations: BTreeMap::from([title]) }
    }

    /// Its file name, where it has one.
    pub fn title(&self) -> Option<&str> {
        self.annotations.get(TITLE).map(String::as_str)
    }

    /// Its digest, where it is a sha256.
    pub fn sha256(&self) -> Option<Sha256> {
        self.digest.strip_prefix("sha256:")?.parse().ok()
    }
}

impl Artifact {
    /// What `parcel` looks like; the same bytes for the same parcel. `manifest` is the content of its `manifest.json`.
    pub fn of(parcel: &Parcel<'_>, manifest: Option<&Manifest>) -> Self {
        let annotation = |name: &str, value: String| (name.to_owned(), value);
        let mut annotations = BTreeMap::from([
            annotation(TITLE, parcel.package.file.to_owned()),
            annotation("org.opencontainers.image.version", parcel.version.to_string()),
            annotation("org.deploy-tool.component", parcel.component.to_string()),
        ]);
        if let Some(manifest) = manifest {
            annotations
                .extend([annotation("org.opencontainers.image.created", manifest.component.created_at.to_string())]);
            let tree = manifest.package.tree.map(|tree| annotation("org.deploy-tool.tree", tree.to_string()));
            annotations.extend(tree);
        }
        let beside = parcel.beside.iter().map(|upload| Descriptor::of(upload, media_type_beside(upload.file)));
        let package = Descriptor::of(&parcel.package, media_type_of_package(parcel.package.file));
        Self {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            artifact_type: ARTIFACT.to_owned(),
            config: Descriptor {
                media_type: EMPTY_TYPE.to_owned(),
                digest: format!("sha256:{}", Sha256::of(EMPTY)),
                size: EMPTY.len() as u64,
                annotations: BTreeMap::new(),
            },
            layers: [package].into_iter().chain(beside).collect(),
            annotations,
        }
    }

    /// Whether it is a package of ours.
    pub fn is_package(&self) -> bool {
        self.artifact_type == ARTIFACT
    }
}

fn media_type_of_package(file: &str) -> String {
    let compression = Compression::ALL.into_iter().find(|c| file.ends_with(c.extension()));
    match compression {
        None | Some(Compression::None) => "application/vnd.deploy-tool.package.v1.tar".to_owned(),
        Some(compression) => format!("application/vnd.deploy-tool.package.v1.tar+{}", compression.name()),
    }
}

fn media_type_beside(file: &str) -> String {
    let kind = match file {
        file if file.ends_with(".json") => "manifest.v1+json",
        file if file.ends_with(".delta.zst") => "delta.v1+zstd",
        _ => "index.v1+zstd",
    };
    format!("application/vnd.deploy-tool.{kind}")
}

/// The tag of a version: `+`, which no tag may have, as `_`.
pub(super) fn tag(version: &str) -> String {
    version.replace('+', "_")
}

/// The tag of a version whose own tag names other content: `<version>-<first 16 of the digest>`, at most 128 bytes.
pub(super) fn tag_aside(version: &str, digest: &Sha256) -> String {
    let tag = tag(version);
    // Versions are ASCII.
    format!("{}-{}", tag.get(..111).unwrap_or(&tag), digest.short())
}

/// Whether `tag` can be one (distribution-spec v1.1).
pub(super) fn is_tag(tag: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    tag.len() <= 128 && tag.bytes().all(inner) && !tag.starts_with(['.', '-']) && !tag.is_empty()
}

/// Whether `name` is a repository's name (distribution-spec v1.1), and so can stand in a path.
pub(super) fn is_repository(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| {
        let separators = part.split(word).filter(|between| !between.is_empty());
        part.starts_with(word)
            && part.ends_with(word)
            && separators.into_iter().all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
    };
    name.len() <= 255 && name.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_repositories_and_tags() {
        for good in ["model", "ml/sentiment/model", "a.b_c__d---e/1"] {
            assert!(is_repository(good), "{good}");
        }
        for bad in ["", "Model", "a/", "/a", "a//b", "a/../b", "a..b", "a___b", "-a", "a-", "a b", "a?b", "a%2fb"] {
            assert!(!is_repository(bad), "{bad}");
        }
        assert_eq!(tag("1.0.0+cu121"), "1.0.0_cu121");
        assert!(is_tag("1.0.0_cu121") && is_tag(&"v".repeat(128)));
        for bad in ["", ".a", "-a", "a/b", "a@b", "a:b", "é", &"v".repeat(129)] {
            assert!(!is_tag(bad), "{bad}");
        }
        let aside = tag_aside(&"1".repeat(128), &Sha256::of(b""));
        assert_eq!(aside.len(), 128);
        assert!(aside.ends_with("-e3b0c44298fc1c14"));
    }

    #[test]
    fn media_types_say_the_codec() {
        assert_eq!(media_type_of_package("m-1.tar.gz"), "application/vnd.deploy-tool.package.v1.tar+gzip");
        assert_eq!(media_type_of_package("m-1.tar.zst"), "application/vnd.deploy-tool.package.v1.tar+zstd");
        assert_eq!(media_type_of_package("m-1.tar"), "application/vnd.deploy-tool.package.v1.tar");
        assert_eq!(media_type_beside("manifest.json"), "application/vnd.deploy-tool.manifest.v1+json");
        assert_eq!(media_type_beside("m-1.index.zst"), "application/vnd.deploy-tool.index.v1+zstd");
    }
}

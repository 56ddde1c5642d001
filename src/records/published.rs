//! One published version, and the checks that every reader makes before it believes a file.

use std::path::Path;

use super::check::line_of;
use super::error::{Error, FileAt};
use super::signatures::{SignatureFile, Signed, read_beside};
use super::{MANIFEST, YANKED};
use crate::fsx;
use crate::model::{ComponentType, Manifest, Record, SchemaError, Sha256, Version, Yank};

/// The longest manifest, record or note that is read: a thousand times what a real one has.
pub(super) const MAX_BYTES: u64 = 4 << 20;

/// What the records say of one version: manifest and record agree with each other, and the record pins the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The manifest.
    pub manifest: Manifest,
    /// The sha256 of its committed bytes.
    pub manifest_sha256: Sha256,
    /// Its committed bytes.
    pub manifest_bytes: Vec<u8>,
    /// The record.
    pub record: Record,
    /// Its committed bytes.
    pub record_bytes: Vec<u8>,
    /// The signatures of the manifest.
    pub signatures: Vec<SignatureFile>,
    /// Why it was withdrawn, where it was.
    pub yanked: Option<Yank>,
    /// The committed bytes of that note and their signatures; empty where it was not withdrawn.
    pub yanked_signed: Signed,
    /// The commit it was read from; `None` for a file on the disk.
    pub commit: Option<String>,
}

impl Published {
    /// The component type.
    pub fn component(&self) -> &ComponentType {
        &self.manifest.component.kind
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.manifest.component.version
    }

    /// The sha256 of the package.
    pub fn package_sha256(&self) -> Sha256 {
        self.manifest.package.checksum.value
    }

    /// The line of the record, from 1, on which a location begins that has this number, from 0.
    pub fn line_of_location(&self, number: usize) -> usize {
        line_of(&self.record_bytes, &["locations", &number.to_string()])
    }

    /// The line of the record, from 1, on which a delta begins that has this number, from 0.
    pub fn line_of_delta(&self, number: usize) -> usize {
        line_of(&self.record_bytes, &["deltas", &number.to_string()])
    }

    /// The line of the manifest, from 1, on which it speaks of its index.
    pub fn line_of_index(&self) -> usize {
        line_of(&self.manifest_bytes, &["index"])
    }
}

/// The bytes of one version's files, each with its place.
pub(super) struct Parts {
    pub record: Option<Vec<u8>>,
    pub record_at: FileAt,
    pub manifest: Option<Vec<u8>>,
    pub manifest_at: FileAt,
    pub yanked: Option<Vec<u8>>,
    pub yanked_at: FileAt,
    pub signatures: Vec<SignatureFile>,
    pub yanked_signatures: Vec<SignatureFile>,
}

impl Parts {
    /// Checks the parts against each other and, where given, against the component and version their place stands for.
    pub fn check(self, belongs: Option<(&ComponentType, &Version)>) -> Result<Published, Error> {
        let record_bytes = self.record.ok_or_else(|| Error::RecordMissing { file: self.record_at.clone() })?;
        let manifest_bytes = self.manifest.ok_or_else(|| Error::ManifestMissing { file: self.manifest_at.clone() })?;
        let at = |file: &FileAt| {
            let file = file.clone();
            move |source| Error::Schema { file, source }
        };
        let record = Record::parse(&record_bytes).map_err(at(&self.record_at))?;
        let manifest = Manifest::parse(&manifest_bytes).map_err(at(&self.manifest_at))?;
        let yanked_signed =
            Signed { bytes: self.yanked.clone().unwrap_or_default(), signatures: self.yanked_signatures };
        let yanked = self.yanked.map(|bytes| serde_json::from_slice::<Yank>(&bytes));
        let yanked = yanked.transpose().map_err(|e| at(&self.yanked_at)(SchemaError::Json(e)))?;

        let manifest_sha256 = Sha256::of(&manifest_bytes);
        if let Some(pinned) = record.manifest.as_ref().map(|m| m.sha256).filter(|pinned| *pinned != manifest_sha256) {
            return Err(Error::ManifestDigest { file: self.manifest_at, pinned, found: manifest_sha256 });
        }
        let says = (&manifest.component.kind, &manifest.component.version);
        placed(self.manifest_at, says, belongs.unwrap_or(says))?;
        placed(self.record_at.clone(), (&record.component.kind, &record.component.version), says)?;
        let named = &manifest.package;
        let same = |p: &crate::model::RecordPackage| {
            (&p.file, p.size, &p.checksum) == (&named.file, named.size, &named.checksum)
        };
        if !record.package.as_ref().is_none_or(same) {
            return Err(Error::PackageDiffers { file: self.record_at });
        }
        let commit = self.record_at.commit;
        Ok(Published {
            manifest,
            manifest_sha256,
            manifest_bytes,
            record,
            record_bytes,
            signatures: self.signatures,
            yanked,
            yanked_signed,
            commit,
        })
    }
}

fn placed(
    file: FileAt,
    (kind, version): (&ComponentType, &Version),
    belongs: (&ComponentType, &Version),
) -> Result<(), Error> {
    if (kind, version) == belongs {
        return Ok(());
    }
    let belongs = format!("{}@{}", belongs.0, belongs.1);
    Err(Error::Misplaced { file, says: format!("{kind}@{version}"), belongs })
}

/// Reads a record from the disk, without git: `path` is `record.json`, `manifest.json` lies beside it, and so may
/// `yanked.json` and the signatures of both.
///
/// # Errors
///
/// A file that is not there or cannot be read; every check that a record in a commit has to pass as well.
pub fn read_file(path: &Path) -> Result<Published, Error> {
    let at = |path: &Path| FileAt { commit: None, path: path.display().to_string() };
    let (manifest, yanked) = (path.with_file_name(MANIFEST), path.with_file_name(YANKED));
    let record = read_small(path)?.ok_or_else(|| Error::NoFile { path: path.to_owned() })?;
    let parts = Parts {
        record: Some(record),
        record_at: at(path),
        manifest: read_small(&manifest)?,
        manifest_at: at(&manifest),
        yanked: read_small(&yanked)?,
        yanked_at: at(&yanked),
        signatures: read_beside(&manifest)?,
        yanked_signatures: read_beside(&yanked)?,
    };
    parts.check(None)
}

fn read_small(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fsx::inspect_followed(path)? {
        None => Ok(None),
        Some(stat) if stat.size > MAX_BYTES => {
            let file = FileAt { commit: None, path: path.display().to_string() };
            Err(Error::TooBig { file, size: stat.size, limit: MAX_BYTES })
        }
        Some(_) => Ok(Some(fsx::read(path)?)),
    }
}

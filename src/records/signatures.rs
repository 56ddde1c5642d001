//! Signatures beside a file, and the change that adds one.
//!
//! ```text
//! <file>.sigs/<fingerprint>.sig      one SSHSIG a signer, over the committed bytes of <file>
//! ```
//!
//! The file itself never changes for a signature, so that any number of people can sign it, each in a commit of their own.
//! Whether a signature counts is not asked here.

use std::path::Path;

use git2::{ObjectType, Tree};

use super::change::Change;
use super::error::Error;
use super::remote::Depth;
use super::snapshot::Snapshot;
use super::{ENVIRONMENTS, HEARTBEAT, MANIFEST, PACKAGES, POLICY, YANKED};
use crate::fsx;
use crate::model::{ComponentType, EnvironmentName, Version};

pub(super) const END: &str = ".sig";

/// More files of signatures are not read: nobody has so many signers, and each costs a look.
const MOST: usize = 64;

/// The longest file of a signature.
pub(super) const MAX_BYTES: u64 = 64 << 10;

/// A file that holds a signature, or should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureFile {
    /// Its name in the directory.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// The committed bytes of a file, and the signatures beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signed {
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// The signatures, by name.
    pub signatures: Vec<SignatureFile>,
}

/// The name of the directory with the signatures of the file `name`.
pub(super) fn directory_of(name: &str) -> String {
    format!("{name}.sigs")
}

impl Snapshot<'_> {
    /// The signatures of the file `name` in `tree`, whose own path inside the records directory is `above`.
    pub(super) fn signatures(&self, tree: &Tree<'_>, above: &str, name: &str) -> Result<Vec<SignatureFile>, Error> {
        let directory = directory_of(name);
        // Most files have none, and then no object is read.
        let Some(entry) = tree.get_name(&directory) else { return Ok(Vec::new()) };
        let shown = format!("{above}/{directory}");
        if entry.kind() != Some(ObjectType::Tree) {
            return Err(Error::WrongKind { file: self.at(&shown) });
        }
        let tree = self.repository.tree(entry.id(), Depth::Version)?;
        let names = tree.iter().filter_map(|entry| entry.name().ok().map(str::to_owned));
        let mut names: Vec<String> = names.filter(|name| name.ends_with(END)).collect();
        if names.len() > MOST {
            return Err(Error::TooManySignatures { file: self.at(&shown), count: names.len(), limit: MOST });
        }
        names.sort();
        let mut found = Vec::new();
        for name in names {
            let at = self.at(&format!("{shown}/{name}"));
            if let Some(bytes) = self.blob(&tree, &name, &at)? {
                found.push(SignatureFile { name, bytes });
            }
        }
        Ok(found)
    }
}

/// The signatures of a file on the disk.
pub(super) fn read_beside(file: &Path) -> Result<Vec<SignatureFile>, Error> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let directory = file.with_file_name(directory_of(&name));
    if fsx::inspect_followed(&directory)?.is_none() {
        return Ok(Vec::new());
    }
    let at = |path: &Path| super::FileAt { commit: None, path: path.display().to_string() };
    let entries = fsx::list(&directory)?;
    let mut names: Vec<String> = entries.iter().filter_map(|entry| entry.name.to_str().map(str::to_owned)).collect();
    names.retain(|name| name.ends_with(END));
    if names.len() > MOST {
        return Err(Error::TooManySignatures { file: at(&directory), count: names.len(), limit: MOST });
    }
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let path = directory.join(&name);
        match fsx::inspect_followed(&path)? {
            Some(stat) if stat.size > MAX_BYTES => {
                return Err(Error::TooBig { file: at(&path), size: stat.size, limit: MAX_BYTES });
            }
            Some(_) => found.push(SignatureFile { bytes: fsx::read(&path)?, name }),
            None => {}
        }
    }
    Ok(found)
}

/// A file of the records that is signed, named by what it is about.
#[derive(Debug, Clone, Copy)]
pub enum SignedFile<'a> {
    /// The manifest of a version.
    Manifest(&'a ComponentType, &'a Version),
    /// The note that withdraws a version.
    Yank(&'a ComponentType, &'a Version),
    /// An environment.
    Environment(&'a EnvironmentName),
    /// The policy.
    Policy,
    /// The heartbeat.
    Heartbeat,
}

impl SignedFile<'_> {
    /// Its path inside the records directory.
    pub fn path(&self) -> String {
        match self {
            Self::Manifest(component, version) => format!("{PACKAGES}/{component}/{version}/{MANIFEST}"),
            Self::Yank(component, version) => format!("{PACKAGES}/{component}/{version}/{YANKED}"),
            Self::Environment(name) => format!("{ENVIRONMENTS}/{name}.json"),
            Self::Policy => POLICY.to_owned(),
            Self::Heartbeat => HEARTBEAT.to_owned(),
        }
    }
}

impl Change {
    /// Adds a signature of `file`; `known` are those that are there, one of which it may replace.
    pub fn signature(self, file: SignedFile<'_>, known: &[SignatureFile], signature: &SignatureFile) -> Self {
        let was = known.iter().find(|known| known.name == signature.name).map(|known| known.bytes.clone());
        let path = format!("{}/{}", directory_of(&file.path()), signature.name);
        self.file(&path, was, signature.bytes.clone()).expect("fingerprints and names of files are safe names")
    }
}

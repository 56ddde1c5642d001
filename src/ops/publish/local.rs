//! What is to be published as it lies on this machine: what `pack` left in the store, or a package file.

use std::path::{Path, PathBuf};

use super::What;
use crate::fsx;
use crate::model::{ComponentType, Compression, Manifest, Sha256, Version};
use crate::ops::delta::Delta;
use crate::ops::{Differs, Error};
use crate::store::{Reader, Store};

/// A version in the store, with the bytes of its manifest.
pub(in crate::ops) struct Local {
    pub manifest: Manifest,
    pub bytes: Vec<u8>,
    pub package: PathBuf,
    pub index: Option<PathBuf>,
    /// Whether the pieces of its big files were proved when it was packed here.
    pub proved: bool,
    /// Ways to it from other versions.
    pub deltas: Vec<Delta>,
}

/// The manifest of what is to be published: from the store's note, or beside the package file
/// (`<type>-<version>.manifest.json`, else `manifest.json`).
pub(super) fn manifest(store: &Reader, what: &What) -> Result<(Vec<u8>, Manifest), Error> {
    let package = match what {
        What::Packed(component, version) => {
            let note = store.packed(component, version)?.ok_or_else(|| not_packed(store, component, version))?;
            let path = store.path(&note.manifest)?.ok_or_else(|| not_packed(store, component, version))?;
            let (bytes, manifest) = read_manifest(&path)?;
            // Its digest goes into the record: rot must not be signed for.
            if Sha256::of(&bytes) != note.manifest {
                return Err(Error::StoreDamaged { what: format!("{component}@{version}"), path });
            }
            return Ok((bytes, manifest));
        }
        What::File(package) if fsx::inspect_followed(package)?.is_none() => {
            return Err(Error::NoPackage { package: package.clone() });
        }
        What::File(package) => package,
    };
    let dir = package.parent().unwrap_or(Path::new("."));
    let name = package.file_name().unwrap_or_default().to_string_lossy();
    let stem = Compression::ALL.iter().find_map(|c| name.strip_suffix(c.extension())).unwrap_or(&name);
    let (own, plain) = (dir.join(format!("{stem}.manifest.json")), dir.join("manifest.json"));
    for path in [&own, &plain] {
        if fsx::inspect_followed(path)?.is_some() {
            return read_manifest(path);
        }
    }
    Err(Error::NoManifest { package: package.clone(), manifest: own })
}

fn not_packed(store: &Reader, component: &ComponentType, version: &Version) -> Error {
    Error::NotPacked { component: component.clone(), version: version.clone(), store: store.directory().into() }
}

/// What `pack` just left in the store.
pub(in crate::ops) fn packed(store: &Store, component: &ComponentType, version: &Version) -> Result<Local, Error> {
    let (bytes, manifest) = manifest(store, &What::Packed(component.clone(), version.clone()))?;
    from_store(store, component, version, bytes, manifest)
}

pub(super) fn from_store(
    store: &Store,
    component: &ComponentType,
    version: &Version,
    bytes: Vec<u8>,
    manifest: Manifest,
) -> Result<Local, Error> {
    let path = |digest: &Sha256| store.path(digest)?.ok_or_else(|| not_packed(store, component, version));
    let package = path(&manifest.package.checksum.value)?;
    let index = manifest.index.as_ref().map(|index| path(&index.checksum.value)).transpose()?;
    let note = store.packed(component, version)?;
    let proved = note.is_some_and(|note| note.proved && note.package == manifest.package.checksum.value);
    Ok(Local { manifest, bytes, package, index, proved, deltas: Vec::new() })
}

/// Takes a package file and its index into the store.
pub(super) fn from_file(store: &Store, package: &Path, bytes: Vec<u8>, manifest: Manifest) -> Result<Local, Error> {
    let dir = package.parent().unwrap_or(Path::new("."));
    let take = |path: &Path, sha256: &Sha256, size: u64| -> Result<PathBuf, Error> {
        let mut incoming = store.incoming()?;
        let mut file = fsx::open(path)?;
        std::io::copy(&mut file, &mut incoming).map_err(|e| fsx::Error::new(fsx::Action::Read, path, e))?;
        let (found, length) = incoming.digest();
        if (found, length) != (*sha256, size) {
            let what = Differs::Bytes { size: length, sha256: found, pinned_size: size, pinned: *sha256 };
            return Err(Error::ManifestDiffers { path: path.to_owned(), what });
        }
        incoming.commit()?;
        Ok(store.path(sha256)?.unwrap_or_else(|| path.to_owned()))
    };
    let taken = take(package, &manifest.package.checksum.value, manifest.package.size)?;
    let index = manifest.index.as_ref().map(|index| take(&dir.join(&index.file), &index.checksum.value, index.size));
    let index = index.transpose()?;
    Ok(Local { manifest, bytes, package: taken, index, proved: false, deltas: Vec::new() })
}

fn read_manifest(path: &Path) -> Result<(Vec<u8>, Manifest), Error> {
    let bytes = fsx::read(path)?;
    let manifest = Manifest::parse(&bytes).map_err(|source| Error::Manifest { path: path.to_owned(), source })?;
    Ok((bytes, manifest))
}

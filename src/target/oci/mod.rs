//! An OCI registry as a target.
//!
//! ```text
//! <registry>/<repository>/<type>                     one repository a component
//!   sha256:…                                         package, index and manifest, each a blob
//!   <version with + as _>                            the tag of their image manifest (`artifact.rs`)
//!   <version>-<first 16 of the manifest's sha256>    where that tag names other content
//! ```
//!
//! The record pins the image manifest by digest, and what is in it is read by digest, so that no tag is ever trusted. A
//! key is `<repository>:<tag>@sha256:<image manifest>/sha256:<blob>/<file>`; only repository and blob are needed to read.
//!
//! What is proved: a registry takes a blob only if its bytes have the digest they are announced with; after that its
//! length is asked for. A tag that names other content is not moved. (Registries cannot do that at once with putting
//! one, so of two that publish the same version in the same instant the later gets the tag; each record holds its own
//! digest.)

mod account;
mod artifact;
mod docker;
mod registry;
mod upload;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use self::account::{Origin, host};
use self::artifact::{Artifact, EMPTY, is_repository, is_tag, tag, tag_aside};
use self::registry::{Registry, address};
use super::web::protocol;
use super::{
    Ambient, Doing, Error, Fault, Listed, Nonsense, Parcel, Placed, Reading, Result, Setting, Target, Wanted,
    is_file_name,
};
use crate::config;
use crate::model::{Manifest, OciPlace, Place, Sha256};

/// A manifest that is longer is not looked into for what it says of its time and tree.
const LARGEST_MANIFEST: u64 = 4 << 20;

/// A registry that keeps its files in a directory fails with 500 where two publishers write the same one in the same
/// moment, or one reads what another is writing; or with 400, as if the bytes were wrong. Bytes that are wrong are another
/// error here, and this is over at once: milliseconds between tries.
const PAUSES: [u64; 7] = [50, 100, 200, 400, 800, 1600, 3200];

/// An OCI registry.
pub(super) struct Oci {
    name: String,
    /// As records name it.
    shown: String,
    /// Below it are those of the components.
    repository: String,
    registry: Registry,
}

/// What a key names.
struct Key<'a> {
    repository: &'a str,
    tag: &'a str,
    artifact: &'a str,
    blob: Sha256,
    file: &'a str,
}

impl<'a> Key<'a> {
    fn parse(key: &'a str) -> Option<Self> {
        let (repository, rest) = key.split_once(':')?;
        let (tag, rest) = rest.split_once('@')?;
        let (artifact, rest) = rest.split_once("/sha256:")?;
        let (blob, file) = rest.split_once('/')?;
        Some(Self { repository, tag, artifact, blob: blob.parse().ok()?, file })
    }
}

/// The key of a file of an artifact.
fn key(repository: &str, tag: &str, artifact: &Sha256, blob: &Sha256, file: &str) -> String {
    format!("{repository}:{tag}@sha256:{artifact}/sha256:{blob}/{file}")
}

impl fmt::Debug for Oci {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Oci");
        shown.field("name", &self.name).field("registry", &self.shown).field("repository", &self.repository);
        shown.finish_non_exhaustive()
    }
}

impl Oci {
    /// The configured target `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`].
    pub fn new(name: &str, settings: &config::Oci, ambient: &Ambient) -> Result<Self> {
        let origin = match &settings.login {
            Some(login) => Origin::Configured(login.clone()),
            None => Origin::Docker(ambient.clone()),
        };
        Self::open(name, &settings.registry, &settings.repository, origin, ambient)
    }

    /// A place that no configured target has, read without a login.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] where it names no repository.
    pub fn anonymous(name: &str, place: &OciPlace, ambient: &Ambient) -> Result<Self> {
        Self::open(name, &place.registry, &place.repository, Origin::Anonymous, ambient)
    }

    fn open(name: &str, registry: &str, repository: &str, origin: Origin, ambient: &Ambient) -> Result<Self> {
        let settings = |reason| Error::Settings { target: name.to_owned(), reason };
        let base = address(registry).ok_or_else(|| settings(Setting::Registry(registry.to_owned())))?;
        if !is_repository(repository) {
            return Err(settings(Setting::Repository(repository.to_owned())));
        }
        let scheme = if base.scheme() == "http" { "http://" } else { "" };
        Ok(Self {
            name: name.to_owned(),
            shown: format!("{scheme}{}", host(&base)),
            repository: repository.to_owned(),
            registry: Registry::new(name, base, origin, ambient)?,
        })
    }

    fn has(&self, repository: &str) -> bool {
        let below = repository.strip_prefix(&self.repository).map(|rest| rest.is_empty() || rest.starts_with('/'));
        below == Some(true) && is_repository(repository)
    }

    fn key<'a>(&self, key: &'a str) -> std::result::Result<Key<'a>, Fault> {
        let key = Key::parse(key).filter(|key| self.has(key.repository));
        key.ok_or_else(|| protocol(Nonsense::Key))
    }

    fn begin_to_read(&self, key: &str, range: Option<Range<u64>>, fresh: bool) -> Result<Reading> {
        let read = self.registry.run(async {
            let Key { repository, blob, .. } = self.key(key)?;
            self.registry.blob(repository, &blob, range.as_ref(), fresh).await
        });
        read.map_err(|fault| self.remote(Doing::Read, key, fault))
    }

    fn remote(&self, doing: Doing, key: &str, fault: Fault) -> Error {
        Error::Remote { target: self.name.clone(), doing, place: self.shown(key), fault }
    }

    /// Puts the image manifest under the version's tag, or, where that names another, under one of its own. Gives the tag
    /// and whether it was there.
    async fn tagged(
        &self,
        repository: &str,
        version: &str,
        digest: &Sha256,
        bytes: &[u8],
    ) -> std::result::Result<(String, bool), Fault> {
        for tag in [tag(version), tag_aside(version, digest)] {
            match self.registry.manifest(repository, &tag).await? {
                Some((found, _)) if found == *digest => return Ok((tag, true)),
                Some(_) => {}
                None => {
                    let put = self.registry.put_manifest(repository, &tag, bytes).await;
                    // Another publisher may have come between, and a registry may stumble over that.
                    match self.registry.manifest(repository, &tag).await? {
                        Some((found, _)) if found == *digest => return Ok((tag, false)),
                        Some(_) => {}
                        None => put.and(Err(protocol(Nonsense::Lost)))?,
                    }
                }
            }
        }
        Err(protocol(Nonsense::Tag))
    }

    /// One try of a put.
    fn place(&self, parcel: &Parcel<'_>, told: &(dyn Fn(u64) + Sync)) -> Result<Placed> {
        let names = parcel.beside.iter().chain([&parcel.package]);
        if let Some(bad) = names.map(|upload| upload.file).find(|name| !is_file_name(name)) {
            return Err(Error::FileName { file: bad.to_owned() });
        }
        let repository = format!("{}/{}", self.repository, parcel.component.as_str().to_ascii_lowercase());
        if !is_repository(&repository) {
            return Err(Error::Settings { target: self.name.clone(), reason: Setting::Repository(repository) });
        }
        let failed = |fault| self.remote(Doing::Write, &repository, fault);
        (parcel.checked)()?;
        // The package comes last, so that whoever sees it finds the rest.
        let mut all_there = true;
        for upload in parcel.beside.iter().chain([&parcel.package]) {
            let place = format!("{}/{repository}@sha256:{}", self.shown, upload.sha256);
            let unfinished = (parcel.unfinished, place.as_str());
            all_there &= upload::blob(&self.registry, &repository, upload, unfinished, told, &|digest, fault| {
                self.remote(Doing::Write, &format!("{repository}@sha256:{digest}"), fault)
            })?;
        }
        self.registry.run(upload::small(&self.registry, &repository, EMPTY)).map_err(failed)?;
        let artifact = Artifact::of(parcel, manifest(parcel)?.as_ref());
        let bytes = serde_json::to_vec(&artifact).map_err(|_| failed(protocol(Nonsense::Manifest)))?;
        let digest = Sha256::of(&bytes);
        let tagged = self.registry.run(self.tagged(&repository, parcel.version.as_str(), &digest, &bytes));
        let (tag, tag_there) = tagged.map_err(failed)?;
        let place = OciPlace {
            registry: self.shown.clone(),
            repository,
            tag,
            digest: format!("sha256:{digest}"),
            extra: Default::default(),
        };
        Ok(Placed { place: Place::Oci(place), already_there: all_there && tag_there, warnings: Vec::new() })
    }

    /// The files of one tag.
    async fn files(&self, repository: &str, tag: &str) -> std::result::Result<Vec<Listed>, Fault> {
        let Some((digest, artifact)) = self.registry.artifact(repository, tag).await? else { return Ok(Vec::new()) };
        let listed = artifact.layers.iter().filter_map(|layer| {
            let (title, blob) = (layer.title().filter(|title| is_file_name(title))?, layer.sha256()?);
            Some(Listed { key: key(repository, tag, &digest, &blob, title), size: layer.size })
        });
        Ok(listed.collect())
    }
}

impl Target for Oci {
    fn name(&self) -> &str {
        &self.name
    }

    fn shown(&self, key: &str) -> String {
        match Key::parse(key) {
            Some(Key { repository, tag, file, .. }) => format!("{}/{repository}:{tag}/{file}", self.shown),
            None => format!("{}/{key}", self.shown),
        }
    }

    /// In the same registry, over the same scheme, and below the target's repository.
    fn locate(&self, place: &Place, wanted: Wanted<'_>) -> Option<String> {
        let Place::Oci(place) = place else { return None };
        let ours = address(&place.registry).is_some_and(|url| url == *self.registry.base());
        let artifact = place.digest.strip_prefix("sha256:")?.parse().ok()?;
        let sound = ours && self.has(&place.repository) && is_tag(&place.tag) && is_file_name(wanted.file);
        sound.then(|| key(&place.repository, &place.tag, &artifact, &wanted.sha256, wanted.file))
    }

    fn size(&self, key: &str) -> Result<Option<u64>> {
        let size = self.registry.run(async {
            let Key { repository, blob, .. } = self.key(key)?;
            self.registry.blob_size(repository, &blob).await
        });
        size.map_err(|fault| self.remote(Doing::Size, key, fault))
    }

    fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Reading> {
        self.begin_to_read(key, range, false)
    }

    fn read_fresh(&self, key: &str, range: Option<Range<u64>>) -> Result<Reading> {
        self.begin_to_read(key, range, true)
    }

    fn put(&self, parcel: &Parcel<'_>, told: &(dyn Fn(u64) + Sync)) -> Result<Placed> {
        for pause in PAUSES {
            match self.place(parcel, told) {
                Err(Error::Remote { fault: Fault::Server { status: 500 } | Fault::Status { status: 400 }, .. }) => {
                    std::thread::sleep(Duration::from_millis(pause))
                }
                placed => return placed,
            }
        }
        self.place(parcel, told)
    }

    /// The files that tagged image manifests name. Asks for the registry's catalogue, which some keep to themselves.
    fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let listed = self.registry.run(async {
            let mut found = Vec::new();
            for repository in self.registry.repositories().await?.into_iter().filter(|name| self.has(name)) {
                for tag in self.registry.tags(&repository).await? {
                    found.extend(self.files(&repository, &tag).await?);
                }
            }
            Ok(found)
        });
        let mut found = listed.map_err(|fault| self.remote(Doing::List, &self.repository, fault))?;
        found.retain(|listed| listed.key.starts_with(prefix));
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found.dedup();
        Ok(found)
    }

    fn delete(&self, key: &str) -> Result<()> {
        let deleted = self.registry.run(async {
            let Key { repository, blob, .. } = self.key(key)?;
            self.registry.delete_blob(repository, &blob).await
        });
        deleted.map_err(|fault| self.remote(Doing::Delete, key, fault))
    }

    fn presign(&self, _: &str, _: Duration) -> Result<Option<String>> {
        Ok(None)
    }

    /// All files of an artifact lie beside each other, so the artifact is the place.
    fn place_beside(&self, key: &str, _: &str) -> Option<Place> {
        let Key { repository, tag, artifact, .. } = Key::parse(key)?;
        Some(Place::Oci(OciPlace {
            registry: self.shown.clone(),
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            digest: artifact.to_owned(),
            extra: Default::default(),
        }))
    }
}

/// The manifest among what lies beside a package, where there is one that can be read.
fn manifest(parcel: &Parcel<'_>) -> Result<Option<Manifest>> {
    let Some(upload) = parcel.beside.iter().find(|upload| upload.file.ends_with(".json")) else { return Ok(None) };
    let size = usize::try_from(upload.size.min(LARGEST_MANIFEST)).unwrap_or_default();
    let mut bytes = vec![0; size];
    upload.content.read_at(0, &mut bytes)?;
    Ok(Manifest::parse(&bytes).ok())
}

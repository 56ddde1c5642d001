//! Object stores as targets: S3 and what speaks it, BOS, Google, Azure.
//!
//! ```text
//! <prefix>/<type>/<version>/<first 16 of the package's sha256>/<file>                       package, manifest, index
//! <prefix>/<type>/<version>/<first 16 of the package's sha256>/<first 16 of its own>/<file>
//!                                     a manifest or index, where another one stands beside an equal package
//! ```
//!
//! The key carries the digest, so that publishers of other bytes write other keys; nothing is asked of conditional
//! writes, which some stores take and ignore. Manifest and index go first and the package last: where the package is,
//! all of it is. An object appears whole or not at all.
//!
//! What is proved: where a store is sent the sha256 of each request's body and refuses a body that differs (S3 and BOS
//! with a login), every part was checked on arrival, the digest of what was read here is the announced one, and the
//! object has the right length at the end. Elsewhere (Google, Azure, S3 without a login) the object is read back and
//! hashed. What is found under a key already is always read back.
//!
//! ```text
//! Objects ─▶ Bucket ─┬─ Library (object_store) ─▶ Web ─▶ the network
//!                    └─ Native (BOS's own way) ─▶ Web
//! ```

mod azure;
mod bce;
mod bos;
mod bucket;
mod gcs;
mod library;
mod native;
mod place;
mod profile;
mod s3;
mod upload;
mod web;

use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use crate::config::{KeyPair, Secret, TargetPlace};
use crate::model::Place;

use self::bucket::Bucket;
use self::upload::Outcome;
use super::{
    Ambient, Doing, Error, Fault, Listed, Parcel, Placed, Reading, Result, Setting, Target, Upload, Wanted,
    is_file_name,
};

/// The longest time a signed URL lasts, as S3 and Google have it.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// A bucket as a target.
#[derive(Debug)]
pub struct Objects {
    name: String,
    /// The store, as a place without a key.
    home: Place,
    prefix: String,
    bucket: Box<dyn Bucket>,
}

/// The target of a configuration; `None` for kinds that are no object stores.
///
/// # Errors
///
/// [`Error::Settings`], or a file with a login that cannot be read.
pub(super) fn open(name: &str, place: &TargetPlace, ambient: &Ambient) -> Result<Option<Objects>> {
    match place {
        TargetPlace::S3(config) => s3::open(name, config, ambient).map(Some),
        TargetPlace::Bos(config) => bos::open(name, config, ambient).map(Some),
        TargetPlace::Gcs(config) => gcs::open(name, config, ambient).map(Some),
        TargetPlace::Azure(config) => azure::open(name, config, ambient).map(Some),
        TargetPlace::Filesystem { .. } | TargetPlace::Http(_) | TargetPlace::Oci(_) | TargetPlace::Unset(_) => Ok(None),
    }
}

/// The store a place is in, read without any login; `None` for kinds that are no object stores.
///
/// # Errors
///
/// [`Error::Settings`].
pub(super) fn anonymous(name: &str, place: &Place, ambient: &Ambient) -> Result<Option<Objects>> {
    match place {
        Place::S3(place) => s3::anonymous(name, place, ambient).map(Some),
        Place::Bos(place) => bos::anonymous(name, place, ambient).map(Some),
        Place::Gcs(place) => gcs::anonymous(name, place, ambient).map(Some),
        Place::Azure(place) => azure::anonymous(name, place, ambient).map(Some),
        Place::Filesystem(_) | Place::Http(_) | Place::Oci(_) | Place::Other(_) => Ok(None),
    }
}

/// [`Error::Settings`] for the target `name`.
fn settings(name: &str, reason: Setting) -> Error {
    Error::Settings { target: name.to_owned(), reason }
}

/// The same in the words of a library.
fn unusable(name: &str, error: impl ToString) -> Error {
    settings(name, Setting::Library(error.to_string()))
}

/// A key of the environment: `<prefix>_ACCESS_KEY_ID`, `<prefix>_SECRET_ACCESS_KEY`, `<prefix>_SESSION_TOKEN`.
fn keys(ambient: &Ambient, prefix: &str) -> Option<KeyPair> {
    let get = |name: &str| ambient.get(&format!("{prefix}_{name}")).map(str::to_owned);
    Some(KeyPair {
        access_key: get("ACCESS_KEY_ID")?,
        secret_key: Secret::new(get("SECRET_ACCESS_KEY")?),
        session_token: get("SESSION_TOKEN").map(Secret::new),
    })
}

impl Objects {
    fn new(name: &str, home: Place, prefix: &str, bucket: impl Bucket + 'static) -> Result<Self> {
        if !prefix.is_empty() && !library::is_key(prefix) {
            return Err(settings(name, Setting::Prefix(prefix.to_owned())));
        }
        let (name, prefix) = (name.to_owned(), prefix.to_owned());
        Ok(Self { name, home, prefix, bucket: Box::new(bucket) })
    }

    fn remote(&self, doing: Doing, key: &str, fault: Fault) -> Error {
        Error::Remote { target: self.name.clone(), doing, place: self.shown(key), fault }
    }

    /// Places a file; where other bytes stand, in the folder named by its own digest.
    fn place_or_aside(
        &self,
        folder: &str,
        upload: &Upload<'_>,
        parcel: &Parcel<'_>,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Outcome> {
        match self.place(&format!("{folder}/{}", upload.file), upload, parcel.unfinished, &|| Ok(()), told)? {
            Outcome::Taken => {
                let aside = format!("{folder}/{}/{}", upload.sha256.short(), upload.file);
                match self.place(&aside, upload, parcel.unfinished, &|| Ok(()), told)? {
                    Outcome::Taken => Err(Error::Taken { place: self.shown(&aside) }),
                    outcome => Ok(outcome),
                }
            }
            outcome => Ok(outcome),
        }
    }
}

impl Target for Objects {
    fn name(&self) -> &str {
        &self.name
    }

    fn shown(&self, key: &str) -> String {
        place::at(&self.home, key).shown()
    }

    fn locate(&self, place: &Place, wanted: Wanted<'_>) -> Option<String> {
        let package = place::key(place).filter(|_| place::same(&self.home, place))?;
        let key = match package.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{}", wanted.file),
            None => wanted.file.to_owned(),
        };
        (is_file_name(wanted.file) && library::is_key(&key)).then_some(key)
    }

    fn size(&self, key: &str) -> Result<Option<u64>> {
        self.bucket.size(key).map_err(|fault| self.remote(Doing::Size, key, fault))
    }

    fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Reading> {
        self.bucket.read(key, range).map_err(|fault| self.remote(Doing::Read, key, fault))
    }

    fn put(&self, parcel: &Parcel<'_>, told: &(dyn Fn(u64) + Sync)) -> Result<Placed> {
        let version = format!("{}/{}", parcel.component.as_str(), parcel.version.as_str());
        let mut folder = format!("{version}/{}", parcel.package.sha256.short());
        if !self.prefix.is_empty() {
            folder = format!("{}/{folder}", self.prefix);
        }
        let mut names = parcel.beside.iter().chain([&parcel.package]).map(|upload| upload.file);
        if let Some(bad) = names.find(|name| !is_file_name(name) || !library::is_key(name)) {
            return Err(Error::FileName { file: bad.to_owned() });
        }
        // Who sees the package finds the rest; and the parts of a package are sent while it is being checked.
        let beside = OnceLock::new();
        let before = || {
            if beside.get().is_none() {
                (parcel.checked)()?;
                let mut there = true;
                for upload in parcel.beside {
                    there &= self.place_or_aside(&folder, upload, parcel, told)? == Outcome::WasThere;
                }
                beside.get_or_init(|| there);
            }
            Ok(())
        };
        let key = format!("{folder}/{}", parcel.package.file);
        let outcome = self.place(&key, &parcel.package, parcel.unfinished, &before, told)?;
        if outcome == Outcome::Taken {
            return Err(Error::Taken { place: self.shown(&key) });
        }
        before()?;
        let already_there = outcome == Outcome::WasThere && beside.get() == Some(&true);
        Ok(Placed { place: place::at(&self.home, &key), already_there, warnings: Vec::new() })
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let own = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        let asked = match prefix {
            within if within.starts_with(&own) => within,
            around if own.starts_with(around) => &own,
            _ => return Ok(Vec::new()),
        };
        let mut found = self.bucket.list(asked).map_err(|fault| self.remote(Doing::List, asked, fault))?;
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.bucket.delete(key).map_err(|fault| self.remote(Doing::Delete, key, fault))
    }

    fn presign(&self, key: &str, expires: Duration) -> Result<Option<String>> {
        if expires > LONGEST {
            return Err(Error::Expiry { target: self.name.clone(), longest: LONGEST });
        }
        self.bucket.sign(key, expires).map_err(|fault| self.remote(Doing::Sign, key, fault))
    }

    fn place_beside(&self, key: &str, file: &str) -> Option<Place> {
        let key = match key.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{file}"),
            None => file.to_owned(),
        };
        (is_file_name(file) && library::is_key(&key)).then(|| place::at(&self.home, &key))
    }
}

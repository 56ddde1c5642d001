//! From records to filled staging directories: what has to be there is asked for first, then each package is fetched,
//! checked and unpacked, all at once.

use std::collections::BTreeMap;
use std::path::Path;

use super::deploy::Component;
use super::fetch::{ONE_STREAM, Supply, Told, what};
use super::relay::Relay;
use super::room::{self, Need};
use super::{Error, OnProgress, Phase, Progress, Site};
use crate::archive::{self, Expected, Source, UnpackError, UnpackOptions, Unpacked};
use crate::deploy::{Receipt, ReceiptRecord};
use crate::fsx;
use crate::model::{ComponentType, Index, MAX_HOLE_BYTES};
use crate::records::Published;
use crate::store::Store;
use crate::transfer::{self, FetchError, Fetched};

/// Versions that are about to be unpacked.
pub(super) struct Staging<'a> {
    site: &'a Site,
    store: &'a Store,
    supply: Supply<'a>,
    progress: OnProgress<'a>,
    prepared: BTreeMap<ComponentType, Prepared<'a>>,
}

/// A version whose index is there.
struct Prepared<'a> {
    index: Option<Index>,
    fetched: Fetched,
    told: Told<'a>,
}

impl<'a> Staging<'a> {
    /// Brings the indexes of `wanted`, and asks whether packages and trees fit on their file systems.
    ///
    /// # Errors
    ///
    /// They do not; no byte of a package was fetched.
    pub fn prepare(
        site: &'a Site,
        store: &'a Store,
        supply: Supply<'a>,
        wanted: &[&'a Published],
        progress: OnProgress<'a>,
    ) -> Result<Self, Error> {
        let mut staging = Self { site, store, supply, progress, prepared: BTreeMap::new() };
        let (mut needs, mut packages) = (Vec::new(), 0u64);
        for published in wanted {
            let told = Told::new(published, progress);
            let (index, fetched) = staging.supply.index(published, &|bytes| told.tell(bytes))?;
            if let Some(index) = &index {
                needs.push(Need::of_tree(&site.root, index));
            }
            let package = &published.manifest.package;
            if !staging.supply.has(published)? {
                // All lines are there before the first byte of a package, so that their sum is right from the start.
                told.index_is_there();
                if !staging.streams_only(published, index.as_ref()) {
                    packages = packages.saturating_add(store.unreserved(&package.checksum.value, package.size)?);
                }
            }
            staging.prepared.insert(published.component().clone(), Prepared { index, fetched, told });
        }
        transfer::require_space(store, packages)?;
        needs.push(Need { path: store.directory().to_owned(), bytes: packages, inodes: wanted.len() as u64 });
        room::require(&needs)?;
        Ok(staging)
    }

    /// Whether packages stay in the store.
    fn keeps(&self) -> bool {
        self.site.config.store.max_size.0 > 0
    }

    /// Whether the package is never whole on this machine.
    fn streams_only(&self, published: &Published, index: Option<&Index>) -> bool {
        !self.keeps() && self.streams(published, index).is_some()
    }

    /// The index, where the package is unpacked while it is fetched. What is small comes in one request, and is kept.
    fn streams<'i>(&self, published: &Published, index: Option<&'i Index>) -> Option<&'i Index> {
        let large = published.manifest.package.size > ONE_STREAM || !self.keeps();
        index.filter(|index| large && !index.whole)
    }

    /// Fetches, checks and unpacks one version into its staging directory.
    pub fn stage(&mut self, published: &Published, dir: &Path, component: &mut Component) -> Result<Receipt, Error> {
        let sha256 = published.package_sha256();
        let Some(Prepared { index, fetched, told }) = self.prepared.remove(published.component()) else {
            return Err(Error::NoSuchComponent { component: published.component().clone() });
        };
        note(component, fetched);
        let index = index.as_ref();
        let unpacked = match self.supply.has(published)? {
            true => match self.unpack_stored(published, index, dir) {
                // The store's copy may have rotted since it was checked: then it is thrown away and fetched again, once.
                Err(error) if self.store.digest(&sha256)? != Some(sha256) => {
                    self.store.discard(&sha256)?;
                    fsx::remove_tree(dir)?;
                    fsx::create_dir(dir)?;
                    match self.fetch_and_unpack(published, index, &told, dir, component) {
                        Err(Error::Fetch(_) | Error::NoAllowedLocation { .. }) => return Err(error),
                        other => other?,
                    }
                }
                other => other?,
            },
            false => self.fetch_and_unpack(published, index, &told, dir, component)?,
        };
        let manifest = &published.manifest;
        if let Some(expected) = manifest.package.tree.filter(|tree| *tree != unpacked.tree) {
            return Err(Error::OtherTree {
                component: published.component().clone(),
                version: published.version().clone(),
                expected: expected.to_string(),
                found: unpacked.tree.to_string(),
            });
        }
        component.files = unpacked.files;
        component.bytes = unpacked.bytes;
        Ok(Receipt {
            component: published.component().clone(),
            version: published.version().clone(),
            package: sha256,
            tree: unpacked.tree,
            files: unpacked.files,
            bytes: unpacked.bytes,
            installed_at: self.site.caller.now,
            record: ReceiptRecord { manifest: published.manifest_sha256, commit: published.commit.clone() },
            mutable: manifest.mutable,
            dependencies: manifest.dependencies.clone(),
        })
    }

    fn fetch_and_unpack(
        &self,
        published: &Published,
        index: Option<&Index>,
        told: &Told<'_>,
        dir: &Path,
        component: &mut Component,
    ) -> Result<Unpacked, Error> {
        if let Some(index) = self.streams(published, index) {
            return self.stream(published, index, told, dir, component);
        }
        let fetched = self.supply.package(published, index, &|bytes| told.tell(bytes))?;
        note(component, fetched);
        let unpacked = self.unpack_stored(published, index, dir);
        if !self.keeps() {
            self.store.discard(&published.package_sha256())?;
        }
        unpacked
    }

    /// Unpacks pieces while others are still on their way.
    fn stream(
        &self,
        published: &Published,
        index: &Index,
        told: &Told<'_>,
        dir: &Path,
        component: &mut Component,
    ) -> Result<Unpacked, Error> {
        let relay = Relay::default();
        let (fetched, unpacked) = std::thread::scope(|scope| {
            let fetching = scope.spawn(|| {
                let push = &mut |bytes: &mut crate::codec::Buffer| relay.push(bytes);
                let fetched = self.supply.pieces(published, index, self.keeps(), push, &|bytes| told.tell(bytes));
                relay.end();
                fetched
            });
            let unpacked = self.unpack(published, Some(index), None, |options| {
                archive::unpack_pieces(&relay, published.manifest.package.algorithm, index, dir, options)
            });
            relay.stop();
            (fetching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), unpacked)
        });
        match fetched {
            // Unpacking failed first, or took no more for another reason of its own.
            Err(Error::Fetch(FetchError::Stopped)) => unpacked,
            fetched => {
                note(component, fetched?);
                unpacked
            }
        }
    }

    fn unpack_stored(&self, published: &Published, index: Option<&Index>, dir: &Path) -> Result<Unpacked, Error> {
        let package = &published.manifest.package;
        let sha256 = package.checksum.value;
        let damaged = || Error::StoreDamaged { what: what(published), path: self.store.directory().into() };
        let path = self.store.path(&sha256)?.ok_or_else(damaged)?;
        let file = fsx::open(&path)?;
        // An index, pinned by the manifest, pins every byte of the package: they are not hashed once more.
        let expected = index.is_none().then_some(Expected { size: package.size, sha256 });
        self.unpack(published, index, expected, |options| {
            archive::unpack(Source::File(&file), package.algorithm, index, dir, options)
        })
    }

    fn unpack(
        &self,
        published: &Published,
        index: Option<&Index>,
        expected: Option<Expected>,
        run: impl FnOnce(&UnpackOptions<'_>) -> Result<Unpacked, UnpackError>,
    ) -> Result<Unpacked, Error> {
        let total = index.map(Index::content_size);
        let told = |done: u64| {
            (self.progress)(Progress { component: published.component(), phase: Phase::Unpack, done, total });
        };
        let options = UnpackOptions {
            threads: self.site.config.pack.threads.unwrap_or(0),
            keep_write_bits: published.manifest.mutable,
            mode_mask: None,
            expected,
            // With an index it is known that there is room.
            max_bytes: match index {
                Some(_) => None,
                None => Some(fsx::space(&self.site.root)?.bytes),
            },
            max_holes: MAX_HOLE_BYTES,
            progress: &told,
        };
        let package = || match self.store.path(&published.package_sha256()) {
            Ok(Some(path)) => path,
            _ => published.manifest.package.file.clone().into(),
        };
        run(&options).map_err(|error| match error {
            UnpackError::TooMuch { limit: free } => {
                Error::NoSpaceUnsaid { what: what(published), path: self.site.root.clone(), free }
            }
            source => Error::Unpack { what: what(published), package: package(), source: Box::new(source) },
        })
    }
}

fn note(component: &mut Component, fetched: Fetched) {
    component.came_from(fetched.given);
    component.resumed += fetched.reused;
    component.failed.extend(fetched.failed);
}

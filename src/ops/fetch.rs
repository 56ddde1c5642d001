//! Where the bytes of a published version may come from, in which order, and bringing them into the store.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::cost::{self, Missing};
use super::reach::Reach;
use super::{Error, Event, OnProgress, Phase, Progress, Site};
use crate::codec::{Buffer, Form};
use crate::model::{Index, RecordDelta, Sha256};
use crate::records::Published;
use crate::store::Store;
use crate::target;
use crate::transfer::{
    self, Attempt, Choice, Cost, FetchError, Fetched, Fetcher, Given, Options, Pieces, Refused, Sink, Source, Stopped,
    Wanted,
};

/// Below this, one request for the whole costs less than several for its pieces.
pub(super) const ONE_STREAM: u64 = 4 << 20;

/// What would be fetched of a package that the store lacks, and from which sources. `known` tells of an index which pieces
/// are needed, and which of them lie on this machine; without an index it is the whole.
pub(super) fn expected(
    site: &Site,
    published: &Published,
    top: Option<&Path>,
    missing: Option<(&Index, Missing)>,
) -> Result<(Cost, Vec<Given>), Error> {
    let (store, package) = (site.store_reader()?, &published.manifest.package);
    let sha256 = package.checksum.value;
    if store.size(&sha256)? == Some(package.size) {
        return Ok((Cost::nothing(), Vec::new()));
    }
    let named = target::Wanted { file: &package.file, sha256 };
    let (tiers, refused) = Reach::of(site, top)?.sources(published, named)?;
    if tiers.is_empty() {
        return Err(Error::NoAllowedLocation { what: what(published), refused });
    }
    let left = store.left_behind(&sha256, package.size)?;
    let link = transfer::link(&store, &tiers, site.config.deploy.connections);
    let cost = match missing {
        Some((index, missing)) => cost::weigh(index, &missing, &left, link).cost,
        None => {
            let had = left.iter().map(|part| part.end - part.start).sum();
            Cost::whole(package.size.saturating_sub(had), &link)
        }
    };
    let given = transfer::expected(&store, cost.bytes(), &tiers);
    Ok((cost, given))
}

/// The index of a published version: from the store, else read from where it is published and not kept. A dry run is no worse
/// for one that cannot be had: it says less.
pub(super) fn peek_index(site: &Site, published: &Published, top: Option<&Path>) -> Result<Option<Index>, Error> {
    let Some(reference) = &published.manifest.index else { return Ok(None) };
    if let Some(index) = stored_index(site, published)? {
        return Ok(Some(index));
    }
    let sha256 = reference.checksum.value;
    let wanted = target::Wanted { file: &reference.file, sha256 };
    let (tiers, _) = Reach::of(site, top)?.sources(published, wanted)?;
    let bytes = transfer::peek(&Wanted { sha256, size: reference.size }, &tiers);
    Ok(bytes.and_then(|bytes| Index::parse(&bytes).ok()))
}

/// Brings files of published versions to this machine, in one run.
pub(super) struct Supply<'a> {
    site: &'a Site,
    store: &'a Store,
    top: Option<&'a Path>,
    pub(super) fetcher: Fetcher<'a>,
    /// Opened where something has to be fetched, and once: connections serve for all files.
    reach: OnceLock<Reach<'a>>,
}

/// Brings package and index of a published version into the store. `top` is the work tree that relative locations start
/// from; `rejected` is where wrong bytes are kept.
pub(super) fn bring(
    site: &Site,
    store: &Store,
    published: &Published,
    top: Option<&Path>,
    rejected: &Path,
    progress: OnProgress<'_>,
) -> Result<(), Error> {
    let supply = Supply::new(site, store, top, rejected);
    let told = Told::new(published, progress);
    let (index, _) = supply.index(published, &|bytes| told.tell(bytes))?;
    supply.package(published, index.as_ref(), &AtomicBool::new(false), &|bytes| told.tell(bytes))?;
    Ok(())
}

/// The index of a published version that the store has, unless it has rotted there. Writes nothing.
pub(super) fn stored_index(site: &Site, published: &Published) -> Result<Option<Index>, Error> {
    let Some(reference) = &published.manifest.index else { return Ok(None) };
    let Some(path) = site.store_reader()?.path(&reference.checksum.value)? else { return Ok(None) };
    let bytes = crate::fsx::read(&path)?;
    if Sha256::of(&bytes) != reference.checksum.value {
        return Ok(None);
    }
    Index::parse(&bytes).map(Some).map_err(|source| Error::Index { what: what(published), source })
}

/// The index of a published version: from the store as it is, else brought into it; `None` where the version has none.
pub(super) fn bring_index(site: &Site, published: &Published, top: Option<&Path>) -> Result<Option<Index>, Error> {
    if published.manifest.index.is_none() {
        return Ok(None);
    }
    if let Some(index) = stored_index(site, published)? {
        return Ok(Some(index));
    }
    let store = site.store()?;
    let supply = Supply::new(site, &store, top, &store.directory().join("rejected"));
    Ok(supply.index(published, &|_| {})?.0)
}

/// Adds up the bytes that come of one version.
pub(super) struct Told<'a> {
    published: &'a Published,
    progress: OnProgress<'a>,
    total: AtomicU64,
    done: AtomicU64,
}

impl<'a> Told<'a> {
    pub fn new(published: &'a Published, progress: OnProgress<'a>) -> Self {
        let manifest = &published.manifest;
        let total = manifest.package.size + manifest.index.as_ref().map_or(0, |index| index.size);
        Self { published, progress, total: AtomicU64::new(total), done: AtomicU64::new(0) }
    }

    /// Of the package so many bytes will come, as far as one can tell.
    pub fn expect(&self, bytes: u64) {
        let index = self.published.manifest.index.as_ref().map_or(0, |index| index.size);
        self.total.store(bytes.saturating_add(index), Ordering::Relaxed);
    }

    /// The index counts as fetched, wherever it was.
    pub fn index_is_there(&self) {
        let index = self.published.manifest.index.as_ref().map_or(0, |index| index.size);
        self.tell(index.saturating_sub(self.done.load(Ordering::Relaxed)));
    }

    pub fn tell(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // What was to be made here and turns out to be damaged is fetched, too.
        let (component, total) = (self.published.component(), Some(self.total.load(Ordering::Relaxed).max(done)));
        (self.progress)(Progress { component: Some(component), phase: Phase::Fetch, done, total });
    }
}

impl<'a> Supply<'a> {
    /// A run that fetches into `store`; see [`bring`].
    pub fn new(site: &'a Site, store: &'a Store, top: Option<&'a Path>, rejected: &Path) -> Self {
        let deploy = &site.config.deploy;
        let options = Options {
            connections: deploy.connections,
            stall: deploy.stall_timeout,
            bandwidth: deploy.bandwidth,
            memory: deploy.memory,
            ..Options::default()
        };
        Self { site, store, top, fetcher: Fetcher::new(store, rejected, options), reach: OnceLock::new() }
    }

    /// The index of a version, brought into the store if need be. A copy there that has rotted is thrown away and
    /// fetched again, once.
    pub fn index(&self, published: &Published, told: &(dyn Fn(u64) + Sync)) -> Result<(Option<Index>, Fetched), Error> {
        let Some(reference) = &published.manifest.index else { return Ok((None, Fetched::default())) };
        let wanted = Wanted { sha256: reference.checksum.value, size: reference.size };
        let fetched = match self.get(published, &reference.file, wanted, told) {
            // Who was given a URL of the package may reach nothing else: it is taken as a whole then.
            Err(Error::NoAllowedLocation { .. } | Error::Fetch(_)) if self.site.url.is_some() => {
                return Ok((None, Fetched::default()));
            }
            other => other?,
        };
        match self.read(published, &wanted.sha256) {
            Err(Error::StoreDamaged { .. }) => {
                let fetched = self.get(published, &reference.file, wanted, told)?;
                Ok((self.read(published, &wanted.sha256)?, fetched))
            }
            other => Ok((other?, fetched)),
        }
    }

    /// Whether the store has the package.
    pub fn has(&self, published: &Published) -> Result<bool, Error> {
        let package = &published.manifest.package;
        Ok(self.fetcher.has(&Wanted { sha256: package.checksum.value, size: package.size })?)
    }

    /// Brings the package into the store, in pieces where its index has them: then it ends once `stop` is set.
    pub fn package(
        &self,
        published: &Published,
        index: Option<&Index>,
        stop: &AtomicBool,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, Error> {
        let package = &published.manifest.package;
        match index.filter(|_| package.size > ONE_STREAM) {
            Some(index) if !index.whole => match self.has(published)? {
                true => Ok(Fetched::default()),
                false => self.pieces(published, &Pieces::all(index), true, &mut |_, _| Ok(()), stop, told),
            },
            _ => {
                let wanted = Wanted { sha256: package.checksum.value, size: package.size };
                self.get(published, &package.file, wanted, told)
            }
        }
    }

    /// Weighs the ways in which what is missing of the package can come.
    pub fn choose(&self, published: &Published, index: &Index, missing: &Missing) -> Result<Choice, Error> {
        let package = &published.manifest.package;
        let wanted = Wanted { sha256: package.checksum.value, size: package.size };
        let (tiers, _) = self.tiers(published, &package.file, wanted)?;
        let link = transfer::link(self.store, &tiers, self.site.config.deploy.connections);
        let left = self.store.left_behind(&wanted.sha256, wanted.size)?;
        Ok(cost::weigh(index, missing, &left, link))
    }

    /// Brings pieces of the package for `sink`, until `stop` is set; with `keep` it is in the store afterwards, if these are all.
    pub fn pieces(
        &self,
        published: &Published,
        pieces: &Pieces<'_>,
        keep: bool,
        sink: &mut Sink<'_>,
        stop: &AtomicBool,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, Error> {
        let mut sink = |form: Form, bytes: &mut Buffer| match stop.load(Ordering::Relaxed) {
            true => Err(Stopped),
            false => sink(form, bytes),
        };
        let package = &published.manifest.package;
        let wanted = Wanted { sha256: package.checksum.value, size: package.size };
        let (tiers, refused) = self.tiers(published, &package.file, wanted)?;
        let each = pieces.index.pieces.iter().zip(&pieces.fetched);
        let bytes = each.filter(|(_, fetched)| **fetched).map(|(piece, _)| piece.length).sum();
        self.told_of(published, &tiers, bytes, || {
            with(self.fetcher.fetch_pieces(&wanted, pieces, &tiers, keep, &mut sink, told), refused)
        })
    }

    /// Brings a delta of the version into the store.
    pub fn delta(
        &self,
        published: &Published,
        delta: &RecordDelta,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, Error> {
        self.get(published, &delta.file, Wanted { sha256: delta.checksum.value, size: delta.size }, told)
    }

    /// Brings one file of the version into the store.
    fn get(
        &self,
        published: &Published,
        file: &str,
        wanted: Wanted,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, Error> {
        if self.fetcher.has(&wanted)? {
            return Ok(Fetched::default());
        }
        let (tiers, refused) = self.tiers(published, file, wanted)?;
        let fetch = || with(self.fetcher.fetch(&wanted, &tiers, told), refused);
        match published.manifest.index.as_ref().is_some_and(|index| index.file == file) {
            // So little that it is not told of.
            true => fetch(),
            false => self.told_of(published, &tiers, wanted.size, fetch),
        }
    }

    /// Tells of a fetch as it begins and once it is done.
    fn told_of(
        &self,
        published: &Published,
        tiers: &[Vec<Source>],
        bytes: u64,
        fetch: impl FnOnce() -> Result<Fetched, Error>,
    ) -> Result<Fetched, Error> {
        let (of, started) = ((published.component(), published.version()), Instant::now());
        let from: Vec<String> = tiers.iter().take(1).flatten().map(|source| source.name.clone()).collect();
        self.site.events.tell(Event::Fetching { of, from: &from, bytes });
        let fetched = fetch()?;
        let (from, resumed) = (&fetched.given, fetched.reused);
        self.site.events.tell(Event::Fetched { of, from, resumed, took: started.elapsed() });
        Ok(fetched)
    }

    /// What this host can reach, opened once.
    pub(super) fn reach(&self) -> Result<&Reach<'a>, Error> {
        if let Some(reach) = self.reach.get() {
            return Ok(reach);
        }
        let reach = Reach::of(self.site, self.top)?;
        Ok(self.reach.get_or_init(|| reach))
    }

    /// The sources of one file, at least one, and the locations that are none.
    pub(super) fn tiers(
        &self,
        published: &Published,
        file: &str,
        wanted: Wanted,
    ) -> Result<(Vec<Vec<Source>>, Vec<Refused>), Error> {
        let named = target::Wanted { file, sha256: wanted.sha256 };
        let (tiers, refused) = self.reach()?.sources(published, named)?;
        match tiers.is_empty() {
            true => Err(Error::NoAllowedLocation { what: what(published), refused }),
            false => Ok((tiers, refused)),
        }
    }

    fn read(&self, published: &Published, sha256: &Sha256) -> Result<Option<Index>, Error> {
        let Some(path) = self.store.path(sha256)? else { return Ok(None) };
        let bytes = crate::fsx::read(&path)?;
        if Sha256::of(&bytes) != *sha256 {
            self.store.discard(sha256)?;
            return Err(Error::StoreDamaged { what: what(published), path });
        }
        Index::parse(&bytes).map(Some).map_err(|source| Error::Index { what: what(published), source })
    }
}

/// Tells of the locations that were not read, too: where the fetch went well, of those that should have been.
pub(super) fn with(outcome: Result<Fetched, FetchError>, refused: Vec<Refused>) -> Result<Fetched, Error> {
    match outcome {
        Ok(mut fetched) => {
            let broken = refused.into_iter().filter(|refused| matches!(refused, Refused::Broken { .. }));
            fetched.failed.extend(broken.map(Attempt::from));
            Ok(fetched)
        }
        Err(FetchError::AllFailed { sha256, mut attempts }) => {
            attempts.extend(refused.into_iter().map(Attempt::from));
            Err(FetchError::AllFailed { sha256, attempts }.into())
        }
        Err(other) => Err(other.into()),
    }
}

/// What a version is called in messages.
pub(super) fn what(published: &Published) -> String {
    format!("{}@{}", published.component(), published.version())
}

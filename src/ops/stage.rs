//! From records to filled staging directories: what has to be there is asked for first, then each tree is made of files that
//! lie on this machine and, for what is missing, of its package, fetched, checked and unpacked all at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::access;
use super::ahead::Begun;
use super::cost::{self, Missing};
use super::deploy::Component;
use super::fetch::{self, Supply, Told};
use super::make::Made;
use super::room::{self, Need};
use super::{Error, Event, OnProgress, Site, patch};
use crate::archive::UnpackOptions;
use crate::config::Verify;
use crate::deploy::{
    HeldPieces, Inventory, Layout, Receipt, ReceiptRecord, Rules, Sources, Staged, View, Way, Ways, foresee,
};
use crate::model::{ComponentType, Entry, EntryKind, Index, MAX_HOLE_BYTES, RecordDelta, Version};
use crate::records::Published;
use crate::store::Store;
use crate::transfer::{self, Candidate, Cost, Fetched, Given, Means, Offer};

/// Versions that are about to be made.
pub(super) struct Staging<'a> {
    pub(super) site: &'a Site,
    pub(super) store: &'a Store,
    pub(super) supply: Supply<'a>,
    pub(super) progress: OnProgress<'a>,
    pub(super) prepared: BTreeMap<ComponentType, Prepared<'a>>,
    /// Held while a package is fetched: what the configuration allows is for all connections together.
    pub(super) fetching: Mutex<()>,
}

/// A version whose index is there.
pub(super) struct Prepared<'a> {
    pub index: Option<Index>,
    pub fetched: Mutex<Fetched>,
    pub told: Told<'a>,
    pub sources: Sources,
    /// Of each entry of the index, whether its file is to be made.
    pub wanted: Vec<bool>,
    /// The pieces of big files that lie in installed versions.
    pub held: Arc<HeldPieces>,
    /// The deltas from installed versions.
    pub deltas: Vec<&'a RecordDelta>,
    /// What they cost before any of them began to come.
    pub offers: Vec<Offer>,
    /// The front of one of them.
    pub begun: Option<Begun>,
    /// The one that is the cheapest way, as far as is known before anything was linked: it is fetched meanwhile.
    pub ahead: Option<&'a RecordDelta>,
    /// Whether an installed version is put right: nothing on this machine is believed then.
    pub repair: bool,
}

/// A version to be made, and which of its files: those of a repair differ.
pub(super) struct Asked<'a> {
    pub published: &'a Published,
    /// Says which, where not all.
    pub only: Option<&'a dyn Fn(&Entry) -> bool>,
    /// What is installed of it already and is to be put right.
    pub own: Option<Inventory>,
}

/// What there is before it is known what to fetch.
struct First {
    index: Option<Index>,
    fetched: Fetched,
    begun: Option<Begun>,
    /// The index of an installed version.
    base: Option<(Version, Index)>,
}

impl<'a> Staging<'a> {
    /// Brings the indexes of what is asked for, looks what of it `view` has already, and asks whether what is missing of packages
    /// and trees fits on their file systems.
    ///
    /// # Errors
    ///
    /// It does not; no byte of a package was fetched.
    pub fn prepare(
        site: &'a Site,
        store: &'a Store,
        supply: Supply<'a>,
        view: &View,
        asked: Vec<Asked<'a>>,
        progress: OnProgress<'a>,
    ) -> Result<Self, Error> {
        let mut staging = Self { site, store, supply, progress, prepared: BTreeMap::new(), fetching: Mutex::default() };
        let (mut needs, mut packages) = (Vec::new(), 0u64);
        let (others, count) = (others(site), asked.len());
        for Asked { published, only, own } in asked {
            let told = Told::new(published, progress);
            let repair = only.is_some() || own.is_some();
            let is_here = staging.supply.has(published)?;
            let mut deltas = match repair || is_here {
                true => Vec::new(),
                false => patch::deltas(site, view, published),
            };
            let First { index, fetched, begun, base } = staging.begin(view, published, is_here, &deltas, &told)?;
            let (mut sources, mut wanted, mut ways) = (Sources::default(), Vec::new(), None);
            let (mut held, mut ahead, mut offers) = (HeldPieces::default(), None, Vec::new());
            if let Some(index) = &index {
                let (component, version) = (published.component(), published.version());
                wanted = index.entries.iter().map(|item| only.is_none_or(|only| only(&item.entry))).collect();
                sources = Sources::find(view, &others, component, version, &index.entries)?;
                if let Some(own) = own {
                    sources = sources.with_own(view.layout().version(component, version), own, &index.entries);
                }
                let foreseen = foreseen(site, view, published, index, &sources, &wanted);
                needs.push(Need::of_tree(&site.root, index, &foreseen));
                ways = Some(foreseen);
            }
            let needed = ways.as_ref().is_none_or(|ways| needs_package(site, ways));
            if needed && !is_here {
                let mut cost = None;
                if let (Some(index), Some(ways)) = (index.as_ref().filter(|index| !index.whole), &ways) {
                    let needed = cost::needed(site, index, ways);
                    let bring = |other: &Published| staging.supply.index(other, &|_| {}).ok()?.0;
                    held = cost::held(site, view, published, index, &needed, base, &bring)?;
                    offers = patch::offers(&deltas, patch::stored(store));
                    let missing = Missing { needed, here: held.has(), deltas: offers.clone() };
                    cost = Some(staging.supply.choose(published, index, &missing)?.cost);
                } else {
                    deltas.clear();
                }
                ahead = cost.as_ref().and_then(|cost| patch::taken(cost, &deltas));
                packages = packages.saturating_add(staging.room(published, index.as_ref(), cost.as_ref())?);
                if let Some(cost) = &cost {
                    told.expect(cost.bytes());
                }
                // All lines are there before the first byte of a package, so that their sum is right from the start.
                told.index_is_there();
            }
            let (fetched, held) = (Mutex::new(fetched), Arc::new(held));
            let prepared =
                Prepared { index, fetched, told, sources, wanted, held, deltas, offers, begun, ahead, repair };
            staging.prepared.insert(published.component().clone(), prepared);
        }
        transfer::require_space(store, packages)?;
        needs.push(Need { path: store.directory().to_owned(), bytes: packages, inodes: count as u64 });
        room::require(&needs)?;
        Ok(staging)
    }

    /// Brings the index, and beside it the front of a delta that may be taken. Where the package is not here, the index of an
    /// installed version is read meanwhile.
    fn begin(
        &self,
        view: &View,
        published: &Published,
        is_here: bool,
        deltas: &[&RecordDelta],
        told: &Told<'_>,
    ) -> Result<First, Error> {
        let told = |bytes| told.tell(bytes);
        // What the configuration allows is for all connections together: they come one after the other then.
        let deltas = if self.site.config.deploy.bandwidth.is_none() { deltas } else { &[] };
        if !deltas.is_empty() {
            self.supply.reach()?;
        }
        std::thread::scope(|scope| {
            let front = (!deltas.is_empty()).then(|| scope.spawn(|| self.supply.begin(published, deltas, &told)));
            let base = (!is_here).then(|| scope.spawn(|| cost::base(self.site, view, published)));
            let index = self.supply.index(published, &told);
            let (begun, base) = (front.and_then(joined), base.and_then(joined));
            let (index, mut fetched) = index?;
            let begun = begun.map(|(begun, came)| {
                fetched.add(came);
                begun
            });
            Ok(First { index, fetched, begun, base })
        })
    }

    /// Whether packages stay in the store.
    pub(super) fn keeps(&self) -> bool {
        self.site.config.store.max_size.0 > 0
    }

    /// Whether the package is never whole on this machine.
    fn streams_only(&self, published: &Published, index: Option<&Index>) -> bool {
        !self.keeps() && self.streams(published, index).is_some()
    }

    /// How many more bytes the store has to have room for.
    fn room(&self, published: &Published, index: Option<&Index>, cost: Option<&Cost>) -> Result<u64, Error> {
        let package = &published.manifest.package;
        match cost.and_then(Cost::taken) {
            Some(Candidate { means: Means::Ranges, bytes, .. }) => Ok(if self.keeps() { *bytes } else { 0 }),
            // It is in the store until it was applied, at the least.
            Some(Candidate { means: Means::Delta { .. }, bytes, .. }) => Ok(*bytes),
            _ if self.streams_only(published, index) => Ok(0),
            _ => Ok(self.store.unreserved(&package.checksum.value, package.size)?),
        }
    }

    /// Makes one version in its staging directory. May be called for several at once; where `stop` says that another one
    /// failed, it ends as soon as it can.
    pub fn stage(
        &self,
        published: &Published,
        dir: &Path,
        stop: &AtomicBool,
        component: &mut Component,
    ) -> Result<Staged, Error> {
        let (of, began) = ((published.component(), published.version()), Instant::now());
        let Made { unpacked, inventory, ways } = self.make(published, dir, stop, component)?;
        let (files, bytes) = (unpacked.files, unpacked.bytes);
        let version = Layout::new(&self.site.root).version(of.0, of.1);
        self.site.events.tell(Event::Unpacked { of, dir: &version, files, bytes, took: began.elapsed() });
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
        component.made(ways);
        let receipt = Receipt {
            component: published.component().clone(),
            version: published.version().clone(),
            package: published.package_sha256(),
            tree: unpacked.tree,
            files: unpacked.files,
            bytes: unpacked.bytes,
            installed_at: self.site.caller.now,
            record: ReceiptRecord { manifest: published.manifest_sha256, commit: published.commit.clone() },
            mutable: manifest.mutable,
            dependencies: manifest.dependencies.clone(),
        };
        component.milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Staged { receipt, inventory, work: component.work() })
    }
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What a deploy would do to have a version.
pub(super) struct Expected {
    /// What it would fetch, and the other ways to have it.
    pub cost: Cost,
    /// The bytes of it, by source.
    pub given: Vec<Given>,
    /// How the files would come to be.
    pub ways: Ways,
}

/// What a deploy of a version would do, as far as one can tell without writing: where its index cannot be read, it would fetch
/// all of it.
pub(super) fn expected(
    site: &Site,
    view: Option<&View>,
    published: &Published,
    top: Option<&Path>,
) -> Result<Expected, Error> {
    let mut sum = Ways::default();
    let mut known = None;
    let index = fetch::peek_index(site, published, top)?.filter(|index| !index.whole);
    if let (Some(view), Some(index)) = (view, &index) {
        let (component, version) = (published.component(), published.version());
        let sources = Sources::find(view, &others(site), component, version, &index.entries)?;
        let ways = foreseen(site, view, published, index, &sources, &[]);
        for (item, way) in index.entries.iter().zip(&ways) {
            if let (EntryKind::File { size, .. }, Some(way)) = (&item.entry.kind, way) {
                sum.add(*way, *size);
            }
        }
        if !needs_package(site, &ways) {
            return Ok(Expected { cost: Cost::nothing(), given: Vec::new(), ways: sum });
        }
        let needed = cost::needed(site, index, &ways);
        let peek = |other: &Published| fetch::peek_index(site, other, top).ok().flatten();
        let here = cost::held(site, view, published, index, &needed, None, &peek)?.has();
        let store = site.store_reader()?;
        let deltas = patch::offers(&patch::deltas(site, view, published), patch::stored(&store));
        known = Some((index, Missing { needed, here, deltas }));
    }
    let (cost, given) = fetch::expected(site, published, top, known)?;
    Ok(Expected { cost, given, ways: sum })
}

/// Other roots whose files may be shared; what is no root is passed over.
fn others(site: &Site) -> Vec<View> {
    site.config
        .deploy
        .share_with
        .iter()
        .filter(|root| **root != site.root)
        .filter_map(|root| View::open(root).ok())
        .collect()
}

/// How the wanted files will come to be.
fn foreseen(
    site: &Site,
    view: &View,
    published: &Published,
    index: &Index,
    sources: &Sources,
    wanted: &[bool],
) -> Vec<Option<Way>> {
    let options = options(site, published, &|_| {});
    let mode = |mode| options.file_mode(mode);
    let wanted = |number: usize| wanted.get(number).copied().unwrap_or(true);
    foresee(sources, &index.entries, &wanted, &view.layout().staging(), &rules(site, published, &mode))
}

fn needs_package(site: &Site, ways: &[Option<Way>]) -> bool {
    site.config.deploy.verify == Verify::Whole || ways.contains(&Some(Way::Unpack))
}

/// How a version is unpacked.
pub(super) fn options<'t>(site: &Site, published: &Published, told: &'t (dyn Fn(u64) + Sync)) -> UnpackOptions<'t> {
    UnpackOptions {
        threads: site.config.pack.threads.unwrap_or(0),
        keep_write_bits: published.manifest.mutable,
        mode_mask: access::mask(published),
        expected: None,
        max_bytes: None,
        max_holes: MAX_HOLE_BYTES,
        whole: site.config.deploy.verify == Verify::Whole,
        progress: told,
    }
}

/// How files of a version may be shared.
pub(super) fn rules<'m>(site: &Site, published: &Published, mode: &'m (dyn Fn(u32) -> u32 + Sync)) -> Rules<'m> {
    let deploy = &site.config.deploy;
    Rules { link: deploy.link, hash: deploy.verify != Verify::Receipt, mutable: published.manifest.mutable, mode }
}

//! Making the tree of one version: directories, then files that lie on this machine, then what is missing from the package,
//! which is in the store or fetched, then links.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::access::Access;
use super::ahead::Ahead;
use super::cost::Missing;
use super::deploy::Component;
use super::fetch::{ONE_STREAM, what};
use super::patch::{self, PassedOver};
use super::relay::Relay;
use super::stage::{Prepared, Staging, options, rules};
use super::{Error, Phase, Progress};
use crate::archive::{self, Expected, Source, Tree, UnpackError, UnpackOptions, Unpacked};
use crate::codec::{Buffer, Form};
use crate::config::Verify;
use crate::deploy::{Inventory, Way, Ways, share};
use crate::fsx;
use crate::model::{Entry, EntryKind, Index, RecordDelta};
use crate::records::Published;
use crate::transfer::{Choice, FetchError, Fetched, Material, Means, Offer, Pieces};

/// One version that is being staged.
pub(super) struct Work<'w> {
    pub published: &'w Published,
    pub prepared: &'w Prepared<'w>,
    pub dir: &'w Path,
    pub stop: &'w AtomicBool,
}

/// How the missing files come.
enum Taken<'t> {
    /// With a delta.
    Delta(&'t RecordDelta),
    /// By these pieces of the package and no others.
    Some(Pieces<'t>),
    /// By all of it.
    Whole,
}

/// A tree that was made.
pub(super) struct Made {
    pub unpacked: Unpacked,
    pub inventory: Inventory,
    pub ways: Ways,
}

impl<'a> Staging<'a> {
    /// The index, where the package is unpacked while it is fetched. What is small comes in one request, and is kept.
    pub(super) fn streams<'i>(&self, published: &Published, index: Option<&'i Index>) -> Option<&'i Index> {
        let large = published.manifest.package.size > ONE_STREAM || !self.keeps();
        index.filter(|index| large && !index.whole)
    }

    /// Makes the tree of a version, or what is wanted of it, in `dir`.
    pub fn make(
        &self,
        published: &Published,
        dir: &Path,
        stop: &AtomicBool,
        component: &mut Component,
    ) -> Result<Made, Error> {
        let Some(prepared) = self.prepared.get(published.component()) else {
            return Err(Error::NoSuchComponent { component: published.component().clone() });
        };
        note(component, std::mem::take(&mut *lock(&prepared.fetched)));
        let work = Work { published, prepared, dir, stop };
        let access = Access::of(published)?;
        let made = self.made(&work, access, component)?;
        access.apply(dir)?;
        access.restrict(self.store, published)?;
        Ok(made)
    }

    fn made(&self, work: &Work<'_>, access: Access, component: &mut Component) -> Result<Made, Error> {
        let (published, dir) = (work.published, work.dir);
        let sha256 = published.package_sha256();
        access.begin(dir)?;
        match self.supply.has(published)? {
            true => match self.tree(work, component, true) {
                // The store's copy may have rotted since it was checked: then it is thrown away and fetched again, once.
                Err(error) if self.store.digest(&sha256)? != Some(sha256) => {
                    self.store.discard(&sha256)?;
                    fsx::remove_tree(dir)?;
                    fsx::create_dir(dir)?;
                    access.begin(dir)?;
                    match self.tree(work, component, false) {
                        Err(Error::Fetch(_) | Error::NoAllowedLocation { .. }) => Err(error),
                        other => other,
                    }
                }
                other => other,
            },
            false => self.tree(work, component, false),
        }
    }

    /// Makes the tree: directories, files that are on this machine, files from the package, links. What is fetched is on its
    /// way meanwhile, where that is a delta.
    fn tree(&self, work: &Work<'_>, component: &mut Component, stored: bool) -> Result<Made, Error> {
        let Some(index) = &work.prepared.index else { return self.without_index(work, component, stored) };
        match work.prepared.ahead.filter(|_| !stored) {
            None => self.with_index(work, index, None, component, stored),
            Some(delta) => self.ahead(work, delta, |ahead| self.with_index(work, index, Some(ahead), component, false)),
        }
    }

    fn with_index(
        &self,
        work: &Work<'_>,
        index: &Index,
        ahead: Option<&Ahead<'_>>,
        component: &mut Component,
        stored: bool,
    ) -> Result<Made, Error> {
        let (published, dir) = (work.published, work.dir);
        let told = self.told(published, Some(index));
        let options = options(self.site, published, &told);
        let failed = |source| self.unpack_error(published, source);
        let wanted = |number: usize| work.prepared.wanted.get(number).copied().unwrap_or(true);
        let tree = Tree::begin(index, dir, &options).map_err(failed)?;
        let mode = |mode| options.file_mode(mode);
        let mut rules = rules(self.site, published, &mode);
        rules.hash |= work.prepared.repair;
        let shared = share(&work.prepared.sources, &index.entries, &wanted, dir, &rules)?;
        let mut ways = shared.ways;
        let mut have = vec![true; index.entries.len()];
        for (number, item) in index.entries.iter().enumerate() {
            let made = shared.inodes.get(number).is_some_and(|inode| *inode != 0);
            if let (EntryKind::File { size, .. }, true, false) = (&item.entry.kind, wanted(number), made) {
                ways.add(Way::Unpack, *size);
                have[number] = false;
            }
        }
        let mut patched = Vec::new();
        if ways.unpacked.files > 0 || options.whole {
            match stored {
                true => self.with_stored(published, |file| {
                    tree.fill(Source::File(file), published.manifest.package.algorithm, &have)
                })?,
                false => patched = self.fill(work, index, &tree, &have, ahead, component)?,
            }
        }
        let entries = index.entries.iter().map(|item| &item.entry);
        if work.prepared.wanted.iter().all(|wanted| *wanted) {
            let unpacked = tree.finish().map_err(failed)?;
            let inodes = [shared.inodes.as_slice(), &unpacked.inodes, &patched];
            let inventory = Inventory::of(unpacked.tree, entries, &modes(&options)).seen_in(dir, &inodes)?;
            return Ok(Made { unpacked, inventory, ways });
        }
        let unpacked = tree.unfinished();
        let inventory = Inventory::of(unpacked.tree, entries, &modes(&options));
        Ok(Made { unpacked, inventory, ways })
    }

    /// A package that nothing is known of but its digest: all of it is unpacked.
    fn without_index(&self, work: &Work<'_>, component: &mut Component, stored: bool) -> Result<Made, Error> {
        let published = work.published;
        if !stored {
            let _turn = self.turn(published);
            let fetched = self.supply.package(published, None, work.stop, &|bytes| work.prepared.told.tell(bytes))?;
            note(component, fetched);
        }
        let package = &published.manifest.package;
        let told = self.told(published, None);
        let options = UnpackOptions {
            // An index, pinned by the manifest, pins every byte of the package; without one its digest does.
            expected: Some(Expected { size: package.size, sha256: package.checksum.value }),
            // With an index it is known that there is room.
            max_bytes: Some(fsx::space(&self.site.root)?.bytes),
            ..options(self.site, published, &told)
        };
        let unpacked = self.with_stored(published, |file| {
            archive::unpack(Source::File(file), package.algorithm, None, work.dir, &options)
        });
        if !stored && !self.keeps() {
            self.store.discard(&published.package_sha256())?;
        }
        let unpacked = unpacked?;
        let inventory =
            Inventory::of(unpacked.tree, unpacked.listed.iter(), &modes(&options)).seen_in(work.dir, &[])?;
        let mut ways = Ways::default();
        inventory.items.iter().filter_map(|item| item.content()).for_each(|(size, _)| ways.add(Way::Unpack, size));
        Ok(Made { unpacked, inventory, ways })
    }

    /// Fetches what is missing. Tells the inodes of what was made with a delta, by entry; the tree knows those of the rest.
    fn fill(
        &self,
        work: &Work<'_>,
        index: &Index,
        tree: &Tree<'_>,
        have: &[bool],
        mut ahead: Option<&Ahead<'_>>,
        component: &mut Component,
    ) -> Result<Vec<u64>, Error> {
        let published = work.published;
        loop {
            let taken = self.choose(work, index, have, component)?;
            let on_its_way = ahead.take();
            let on_its_way = on_its_way.filter(|ahead| {
                let is_taken = matches!(&taken, Taken::Delta(delta) if delta.from == ahead.delta.from);
                if !is_taken {
                    ahead.stop();
                }
                is_taken
            });
            match taken {
                Taken::Whole => break,
                Taken::Some(pieces) => {
                    let _turn = self.turn(published);
                    return self.stream(work, &pieces, tree, have, component).map(|()| Vec::new());
                }
                Taken::Delta(delta) => {
                    let patched = match on_its_way {
                        Some(ahead) => self.patch(work, index, have, ahead, component)?,
                        None => self.ahead(work, delta, |ahead| self.patch(work, index, have, ahead, component))?,
                    };
                    match patched {
                        Ok(inodes) => return Ok(inodes),
                        Err(why) => component.passed_over.push(PassedOver { from: delta.from.clone(), why }),
                    }
                }
            }
        }
        let _turn = self.turn(published);
        if let Some(index) = self.streams(published, Some(index)) {
            return self.stream(work, &Pieces::all(index), tree, have, component).map(|()| Vec::new());
        }
        let told = |bytes| work.prepared.told.tell(bytes);
        note(component, self.supply.package(published, Some(index), work.stop, &told)?);
        let filled = self
            .with_stored(published, |file| tree.fill(Source::File(file), published.manifest.package.algorithm, have));
        if !self.keeps() {
            self.store.discard(&published.package_sha256())?;
        }
        filled.map(|()| Vec::new())
    }

    /// Weighs the ways again, now that it is known which files are missing and which deltas are of no use.
    fn choose<'t>(
        &self,
        work: &Work<'t>,
        index: &'t Index,
        have: &[bool],
        component: &mut Component,
    ) -> Result<Taken<'t>, Error> {
        if index.whole {
            return Ok(Taken::Whole);
        }
        let held = &work.prepared.held;
        let needed = archive::needed(index, have, self.site.config.deploy.verify == Verify::Whole);
        let left = |offer: &&Offer| component.passed_over.iter().all(|passed| passed.from != offer.from);
        let deltas = work.prepared.offers.iter().filter(left).cloned().collect();
        let choice = self.supply.choose(work.published, index, &Missing { needed, here: held.has(), deltas })?;
        let Choice { cost, fetched, made } = choice;
        work.prepared.told.expect(cost.bytes());
        let taken = match cost.taken().map(|taken| &taken.means) {
            Some(Means::Ranges) => {
                let material: Arc<dyn Material> = held.clone();
                Taken::Some(Pieces { index, fetched, made, material: Some(material) })
            }
            _ => patch::taken(&cost, &work.prepared.deltas).map_or(Taken::Whole, Taken::Delta),
        };
        component.cost = Some(cost);
        Ok(taken)
    }

    /// Fetches a delta while `run` goes on, and no longer.
    fn ahead<T>(&self, work: &Work<'_>, delta: &RecordDelta, run: impl FnOnce(&Ahead<'_>) -> T) -> T {
        let ahead = Ahead::new(delta, work.prepared.begun.as_ref());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _turn = self.turn(work.published);
                let told = |bytes| work.prepared.told.tell(bytes);
                ahead.fetch(&self.supply, self.store, work.published, work.stop, &told);
            });
            let done = run(&ahead);
            ahead.stop();
            done
        })
    }

    /// Waits until no other package is being fetched. What comes in one request is so little that it need not wait, unless
    /// there is a limit that it would pass.
    fn turn(&self, published: &Published) -> Option<MutexGuard<'_, ()>> {
        let small = published.manifest.package.size <= ONE_STREAM && self.site.config.deploy.bandwidth.is_none();
        (!small).then(|| lock(&self.fetching))
    }

    /// Unpacks pieces while others are still on their way.
    fn stream(
        &self,
        work: &Work<'_>,
        pieces: &Pieces<'_>,
        tree: &Tree<'_>,
        have: &[bool],
        component: &mut Component,
    ) -> Result<(), Error> {
        let published = work.published;
        let relay = Relay::of(pieces);
        let (fetched, filled) = std::thread::scope(|scope| {
            let fetching = scope.spawn(|| {
                let push = &mut |form: Form, bytes: &mut Buffer| relay.push(form, bytes);
                let told = |bytes| work.prepared.told.tell(bytes);
                let fetched = self.supply.pieces(published, pieces, self.keeps(), push, work.stop, &told);
                relay.end();
                fetched
            });
            let filled = tree.fill_pieces(&relay, published.manifest.package.algorithm, have);
            relay.stop();
            (fetching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), filled)
        });
        let filled = filled.map_err(|source| self.unpack_error(published, source));
        match fetched {
            // Unpacking failed first, or took no more for another reason of its own.
            Err(Error::Fetch(FetchError::Stopped)) if filled.is_err() => filled,
            fetched => {
                note(component, fetched?);
                filled
            }
        }
    }

    /// Runs with the package in the store.
    fn with_stored<T>(
        &self,
        published: &Published,
        run: impl FnOnce(&std::fs::File) -> Result<T, UnpackError>,
    ) -> Result<T, Error> {
        let sha256 = published.package_sha256();
        let damaged = || Error::StoreDamaged { what: what(published), path: self.store.directory().into() };
        let path = self.store.path(&sha256)?.ok_or_else(damaged)?;
        let file = fsx::open(&path)?;
        run(&file).map_err(|source| self.unpack_error(published, source))
    }

    pub(super) fn told<'t>(
        &'t self,
        published: &'t Published,
        index: Option<&Index>,
    ) -> impl Fn(u64) + Sync + use<'t, 'a> {
        let total = index.map(Index::content_size);
        move |done| {
            (self.progress)(Progress { component: Some(published.component()), phase: Phase::Unpack, done, total })
        }
    }

    fn unpack_error(&self, published: &Published, source: UnpackError) -> Error {
        match source {
            UnpackError::TooMuch { limit: free } => {
                Error::NoSpaceUnsaid { what: what(published), path: self.site.root.clone(), free }
            }
            source => {
                let package = match self.store.path(&published.package_sha256()) {
                    Ok(Some(path)) => path,
                    _ => published.manifest.package.file.clone().into(),
                };
                Error::Unpack { what: what(published), package, source: Box::new(source) }
            }
        }
    }
}

/// The permission bits that entries get.
pub(super) fn modes<'o>(options: &'o UnpackOptions<'o>) -> impl Fn(&Entry) -> u32 + use<'o> {
    |entry| match entry.kind {
        EntryKind::Directory => options.directory_mode(),
        EntryKind::Symlink { .. } => entry.mode,
        EntryKind::File { .. } | EntryKind::HardLink { .. } => options.file_mode(entry.mode),
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn note(component: &mut Component, fetched: Fetched) {
    component.came_from(fetched.given);
    component.resumed += fetched.reused;
    component.failed.extend(fetched.failed);
}

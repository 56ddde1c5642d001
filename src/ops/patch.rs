//! Making what is missing of a version from one that is installed, with a delta that its record lists.

use std::path::Path;

use super::ahead::Ahead;
use super::deploy::Component;
use super::make::{Work, note};
use super::stage::{Staging, options};
use super::{Error, Site};
use crate::archive::UnpackOptions;
use crate::config::Verify;
use crate::delta::{self, ApplyError, ApplyOptions, Out};
use crate::deploy::{Layout, View};
use crate::fsx::Dir;
use crate::model::{Index, RecordDelta, Version};
use crate::records::Published;
use crate::store::Reader;
use crate::transfer::{Cost, FetchError, Means, Offer};

/// A delta that was not used in the end.
#[derive(Debug)]
pub struct PassedOver {
    /// The version it leads from.
    pub from: Version,
    /// Why not.
    pub why: NotApplied,
}

/// Why a delta was not used.
#[derive(Debug)]
pub enum NotApplied {
    /// It could not be fetched.
    Fetch(Box<Error>),
    /// It is not what the record says, or the version it leads from is not what it was.
    Apply(ApplyError),
}

/// The deltas to a version that start from an installed one. None where the package itself has to come: where it is to be
/// checked whole, or is all that the caller gave a URL of.
pub(super) fn deltas<'p>(site: &Site, view: &View, published: &'p Published) -> Vec<&'p RecordDelta> {
    if site.config.deploy.verify == Verify::Whole || site.url.is_some() {
        return Vec::new();
    }
    let installed = |delta: &&RecordDelta| {
        let receipt = view.receipt(published.component(), &delta.from);
        receipt.is_ok_and(|receipt| receipt.is_some_and(|receipt| receipt.tree == delta.tree))
    };
    published.record.deltas.iter().filter(installed).collect()
}

/// The one of them that is the cheapest way, if one is.
pub(super) fn taken<'p>(cost: &Cost, deltas: &[&'p RecordDelta]) -> Option<&'p RecordDelta> {
    match &cost.taken()?.means {
        Means::Delta { from } => deltas.iter().find(|delta| delta.from == *from).copied(),
        _ => None,
    }
}

/// Whether a delta is in the store, whole.
pub(super) fn stored(store: &Reader) -> impl Fn(&RecordDelta) -> bool {
    |delta| store.size(&delta.checksum.value).is_ok_and(|size| size == Some(delta.size))
}

/// What they cost; `stored` says whether one need not be fetched.
pub(super) fn offers(deltas: &[&RecordDelta], stored: impl Fn(&RecordDelta) -> bool) -> Vec<Offer> {
    let bytes = |delta: &RecordDelta| if stored(delta) { 0 } else { delta.size };
    deltas.iter().map(|delta| Offer { from: delta.from.clone(), bytes: bytes(delta) }).collect()
}

impl Staging<'_> {
    /// Makes the missing files with a delta that is on its way, and tells their inodes, by entry. Says why it did not where another
    /// way may do, and leaves nothing of it in the tree then.
    pub(super) fn patch(
        &self,
        work: &Work<'_>,
        index: &Index,
        have: &[bool],
        ahead: &Ahead<'_>,
        component: &mut Component,
    ) -> Result<Result<Vec<u64>, NotApplied>, Error> {
        let published = work.published;
        let told = self.told(published, Some(index));
        let options = options(self.site, published, &told);
        let wanted: Vec<bool> = have.iter().map(|have| !have).collect();
        let base = Layout::new(&self.site.root).version(published.component(), &ahead.delta.from);
        let applied = apply(ahead, &base, work, index, &wanted, &options);
        if applied.is_err() {
            ahead.stop();
        }
        let sha256 = ahead.delta.checksum.value;
        let discard = || Out::discard(&Dir::open(work.dir)?, index, &wanted);
        let fetched = ahead.outcome();
        if !self.keeps() {
            self.store.discard(&sha256)?;
            self.store.forget_partial(&sha256)?;
        }
        match (applied, fetched) {
            (Ok(inodes), fetched) => {
                // The last bytes of it may be of no use here.
                fetched.into_iter().for_each(|fetched| note(component, fetched));
                Ok(Ok(inodes))
            }
            (Err(ApplyError::Stopped), _) => Err(FetchError::Stopped.into()),
            (Err(ApplyError::Fs(error)), _) => Err(error.into()),
            (
                Err(_),
                Err(
                    error @ (Error::Fetch(FetchError::AllFailed { .. } | FetchError::Disagree { .. })
                    | Error::NoAllowedLocation { .. }),
                ),
            ) => {
                discard()?;
                Ok(Err(NotApplied::Fetch(Box::new(error))))
            }
            (Err(error), fetched) => {
                match fetched {
                    Ok(fetched) => note(component, fetched),
                    Err(Error::Fetch(FetchError::Stopped)) => {}
                    Err(error) => return Err(error),
                }
                // The store's copy may have rotted: then it is fetched again, another time.
                if self.store.digest(&sha256)? != Some(sha256) {
                    self.store.discard(&sha256)?;
                }
                discard()?;
                Ok(Err(NotApplied::Apply(error)))
            }
        }
    }
}

fn apply(
    ahead: &Ahead<'_>,
    base: &Path,
    work: &Work<'_>,
    index: &Index,
    wanted: &[bool],
    options: &UnpackOptions<'_>,
) -> Result<Vec<u64>, ApplyError> {
    let header = ahead.header()?;
    let (base, dir) = (Dir::open(base)?, Dir::open(work.dir)?);
    let mode = |mode| options.file_mode(mode);
    let out = Out::new(&dir, index, wanted, &mode);
    let how = ApplyOptions { threads: options.threads, stop: work.stop, progress: options.progress };
    let _ = delta::apply(&header, ahead, &base, &out, &how)?;
    Ok(out.inodes())
}

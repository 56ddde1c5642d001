//! `store list|verify|gc`.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Error, OnProgress, Phase, Progress, Site};
use crate::model::{ByteSize, Sha256};
use crate::store::{self, Collected, Entry, Exclusive, Plan, Reader, Rules, Verified};

/// `store list`: everything in the store, what is unfinished too.
pub fn list(site: &Site) -> Result<Vec<Entry>, Error> {
    let store = site.store_reader()?;
    let mut entries = store.list()?;
    entries.extend(store.unfinished()?);
    Ok(entries)
}

/// `store verify`: hashes everything; with `set_aside`, what is corrupt is moved out of the way, so that it is fetched
/// again when it is needed. Returns where it went.
pub fn verify(site: &Site, set_aside: bool, progress: OnProgress<'_>) -> Result<(Verified, Vec<PathBuf>), Error> {
    let verified = hash(&site.store_reader()?, progress)?;
    let mut moved = Vec::new();
    if set_aside && !verified.corrupt.is_empty() {
        let store = site.store()?;
        for corrupt in &verified.corrupt {
            moved.push(store.set_aside(&corrupt.sha256)?);
        }
    }
    Ok((verified, moved))
}

/// `store gc`: shrinks the store to `max_size` (or the configured one) and removes leftovers of killed writers; what is
/// packed and not published stays. Returns the plan that was, or would be, carried out.
pub fn gc(site: &Site, max_size: Option<ByteSize>, dry_run: bool, progress: OnProgress<'_>) -> Result<Plan, Error> {
    let max_size = Some(max_size.unwrap_or(site.config.store.max_size));
    let keep: HashSet<Sha256> = HashSet::new();
    let rules = Rules { max_size, keep: &keep, now: site.caller.now };
    if dry_run {
        return Ok(site.store_reader()?.plan_gc(rules)?);
    }
    let store = Exclusive::open(&site.store, &site.caller.process, Duration::from_secs(10))?;
    let plan = store.plan_gc(rules)?;
    collect(&store, &plan, progress)?;
    Ok(plan)
}

/// Hashes everything, and tells how far it is.
pub(super) fn hash(store: &Reader, progress: OnProgress<'_>) -> Result<Verified, store::Error> {
    let told = told(Phase::Verify, progress);
    store.verify(&|bytes, all| told(bytes, all))
}

/// Carries a plan out, and tells how far it is.
pub(super) fn collect(store: &Exclusive, plan: &Plan, progress: OnProgress<'_>) -> Result<Collected, store::Error> {
    let told = told(Phase::Collect, progress);
    store.collect(plan, &|bytes| told(bytes, plan.frees()))
}

/// Adds up bytes, which several threads may tell of.
fn told<'a>(phase: Phase, progress: OnProgress<'a>) -> impl Fn(u64, u64) + Sync + 'a {
    let sum = AtomicU64::new(0);
    move |bytes, all| {
        let done = sum.fetch_add(bytes, Ordering::Relaxed) + bytes;
        progress(Progress { component: None, phase, done, total: Some(all) });
    }
}

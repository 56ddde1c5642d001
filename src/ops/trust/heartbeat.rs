//! That a branch is not held back: whoever is trusted says from time to time that it is the newest, and signs it.
//!
//! A host that asks for it (`deploy.trust.max_age`) deploys from a branch only as long as the newest heartbeat there is no
//! older than that by the host's own clock. What somebody names (`--at`, a record file, a rollback) is their own decision.

use serde::Serialize;

use super::{Distrust, Trust, enough, signature};
use crate::model::{Heartbeat, Timestamp, to_canonical_json};
use crate::ops::commit::commit;
use crate::ops::{Error, Site, record};
use crate::records::{SignedFile, Snapshot, heartbeat_change};
use crate::trust::{Fingerprint, Namespace};

/// Refuses a branch that nobody has vouched for lately, where the host asks for that.
///
/// # Errors
///
/// [`Distrust::NoHeartbeat`], [`Distrust::Stale`]; a heartbeat that is not signed.
pub(in crate::ops) fn require_fresh(site: &Site, snapshot: &Snapshot<'_>) -> Result<(), Error> {
    let Some(max_age) = site.config.deploy.trust.as_ref().and_then(|trust| trust.max_age) else { return Ok(()) };
    let Some(trust) = Trust::of(site)? else { return Ok(()) };
    let Some(file) = snapshot.heartbeat()? else {
        return Err(Distrust::NoHeartbeat { repository: site.repository.clone() }.into());
    };
    let found = trust.check(&Namespace::heartbeat(), &file.signed.bytes, &file.signed.signatures);
    enough(SignedFile::Heartbeat.path(), 1, found)?;
    let (at, now) = (file.heartbeat.at, trust.at);
    // One of a clock that runs ahead is good for as long: else it would be good for ever.
    if now.since(at) > max_age.0 || at.since(now) > max_age.0 {
        return Err(Distrust::Stale { at, now, max_age }.into());
    }
    Ok(())
}

/// What `record heartbeat` did.
#[derive(Debug, Clone, Serialize)]
pub struct Beaten {
    /// When the branch was the newest.
    pub at: Timestamp,
    /// The serial number of the heartbeat.
    pub serial: u64,
    /// The key that signed it; absent where it was only planned.
    pub fingerprint: Option<Fingerprint>,
    /// The commit that holds it.
    pub commit: Option<String>,
    /// The branch it is on.
    pub branch: Option<String>,
    /// Whether it was only planned.
    pub dry_run: bool,
}

/// `record heartbeat`: says that the branch is the newest, now, in one commit.
///
/// # Errors
///
/// [`Distrust::NoKey`]; the commit fails.
pub fn renew(site: &Site, dry_run: bool) -> Result<Beaten, Error> {
    if site.config.records.sign.is_none() {
        return Err(Distrust::NoKey.into());
    }
    let repository = record::existing(site)?;
    repository.require_target()?;
    let before = repository.snapshot(None)?.heartbeat()?;
    let was = before.as_ref().map(|file| &file.heartbeat);
    let now = Heartbeat {
        at: site.caller.now,
        serial: was.map_or(0, |was| was.serial).saturating_add(1),
        schema: was.and_then(|was| was.schema),
        extra: was.map(|was| was.extra.clone()).unwrap_or_default(),
    };
    let mut beaten = Beaten { at: now.at, serial: now.serial, fingerprint: None, commit: None, branch: None, dry_run };
    if dry_run {
        return Ok(beaten);
    }
    let known = before.as_ref().map(|file| file.signed.signatures.as_slice()).unwrap_or_default();
    let made = signature(site, &Namespace::heartbeat(), &to_canonical_json(&now), known)?.ok_or(Distrust::NoKey)?;
    let change = heartbeat_change(before.as_ref(), &now).signature(SignedFile::Heartbeat, known, &made.file);
    let committed = commit(site, &repository, &change)?;
    beaten.fingerprint = Some(made.fingerprint);
    (beaten.commit, beaten.branch) = (Some(committed.commit), Some(committed.branch));
    Ok(beaten)
}

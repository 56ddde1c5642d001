//! The store: whether it can be used, what does not belong there, and whether contents are what their names say: by their
//! lengths, and with `deep` by their bytes.

use std::collections::HashSet;
use std::path::Path;

use super::finding::{Finding, Fix};
use crate::fsx;
use crate::ops::{OnProgress, Site, store};
use crate::records::Published;
use crate::store::{Damage, Error, Reader, Removed, Rules};

/// `published` is what the records say of versions, by which lengths are known.
pub(super) fn look(site: &Site, published: &[Published], deep: bool, progress: OnProgress<'_>) -> Vec<Finding> {
    let path = &site.store;
    let mut findings = Vec::new();
    let found = match Reader::open(path) {
        Ok(reader) => used(site, &reader, &mut findings).and_then(|()| match deep {
            true => hash(&reader, &mut findings, progress),
            false => lengths(&reader, published, &mut findings),
        }),
        Err(error) => Err(error),
    };
    match found {
        Ok(()) => {}
        Err(Error::NotAStore { .. }) => findings.push(Finding::error("not-a-store").path("path", path)),
        Err(error) => findings.push(Finding::error("store-unreadable").path("path", path).because(error)),
    }
    if findings.is_empty() {
        findings.push(Finding::ok(if deep { "store-hashed" } else { "store-ok" }).path("path", path));
    }
    findings
}

fn used(site: &Site, store: &Reader, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let path = store.directory();
    if fsx::inspect_followed(path)?.is_some() && !fsx::may_write(path) {
        findings.push(Finding::warning("store-not-writable").path("path", path).number("user", fsx::user()));
    }
    let look = store.look()?;
    for path in look.writable {
        findings.push(Finding::warning("store-content-writable").path("path", &path));
    }
    for path in look.foreign {
        let mut aside = site.store.clone().into_os_string();
        aside.push(format!("-{}.moved-away", path.file_name().unwrap_or_default().display()));
        findings.push(Finding::warning("store-foreign").path("path", &path).path("aside", Path::new(&aside)));
    }
    for held in look.lacking {
        findings.push(Finding::warning("store-lacks").with("component", held.component).with("version", held.version));
    }
    if look.set_aside > 0 {
        let corrupt = path.join("corrupt");
        findings.push(Finding::info("store-set-aside").path("path", &corrupt).number("count", look.set_aside));
    }
    let keep = HashSet::new();
    let plan = |max_size| store.plan_gc(Rules { max_size, keep: &keep, now: site.caller.now });
    let left = plan(None)?;
    let given_up = left.removed.iter().filter(|(_, why)| *why == Removed::GivenUp).count() + left.leftovers.len();
    if given_up > 0 {
        let finding = Finding::info("store-leftovers").number("count", given_up).bytes("bytes", left.frees());
        findings.push(finding.mended_by(Fix::Store));
    }
    let max_size = site.config.store.max_size;
    let size: u64 = left.kept.iter().map(|(entry, _)| entry.size).sum();
    if size > max_size.0 {
        findings.push(Finding::info("store-over-size").bytes("bytes", size).bytes("max", max_size.0));
    }
    Ok(())
}

/// A content of another length than the records say is damaged, whatever is in it.
fn lengths(store: &Reader, published: &[Published], findings: &mut Vec<Finding>) -> Result<(), Error> {
    for version in published {
        let manifest = &version.manifest;
        let index = manifest.index.as_ref().map(|index| (index.checksum.value, index.size));
        for (sha256, size) in std::iter::once((version.package_sha256(), manifest.package.size)).chain(index) {
            if store.size(&sha256)?.is_some_and(|found| found != size) {
                findings.push(Finding::error("store-corrupt").with("sha256", sha256));
            }
        }
    }
    Ok(())
}

fn hash(reader: &Reader, findings: &mut Vec<Finding>, progress: OnProgress<'_>) -> Result<(), Error> {
    findings.extend(store::hash(reader, progress)?.corrupt.into_iter().map(|bad| match bad.damage {
        Damage::Digest { .. } => Finding::error("store-corrupt").with("sha256", bad.sha256),
        Damage::Unreadable(error) => {
            let finding = Finding::error("store-content-unreadable").with("sha256", bad.sha256);
            finding.because(Error::Io(error))
        }
    }));
    Ok(())
}

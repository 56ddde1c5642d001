//! The root itself: whether it is there, of a format that is known, and who may read and write it.

use super::finding::{Fact, Finding};
use crate::deploy::{Error as DeployError, View};
use crate::fsx::{self, Stat};
use crate::ops::{Error, Site};

/// The root for the other checks; `None` where there is none that can be read.
pub(super) fn look(site: &Site, findings: &mut Vec<Finding>) -> Option<View> {
    let root = &site.root;
    let view = match View::open(root) {
        Ok(view) => view,
        Err(DeployError::NotARoot { .. }) => {
            let empty = fsx::list(root).is_ok_and(|names| names.is_empty());
            findings.push(match empty {
                true => Finding::info("no-root").path("path", root),
                false => Finding::error("not-a-root").path("path", root),
            });
            return None;
        }
        Err(DeployError::NewerFormat { found, .. }) => {
            findings.push(Finding::error("root-newer").path("path", root).with("found", found));
            return None;
        }
        Err(error) => {
            findings.push(Finding::error("root-unreadable").path("path", root).because(error));
            return None;
        }
    };
    let before = findings.len();
    match access(&view) {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(Finding::error("root-unreadable").path("path", root).because(error)),
    }
    match fsx::list(&view.layout().rejected()) {
        Ok(kept) if !kept.is_empty() => findings
            .push(Finding::info("rejected-kept").path("path", &view.layout().rejected()).number("count", kept.len())),
        _ => {}
    }
    if findings.len() == before {
        findings.push(Finding::ok("root-ok").path("path", root));
    }
    Some(view)
}

/// Who may make entries where changing commands do.
fn access(view: &View) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    let root = view.layout().root();
    let owner = fsx::inspect_followed(root)?.map(|stat| stat.uid);
    for path in std::iter::once(root.to_owned()).chain(view.directories()?) {
        let Some(stat) = fsx::inspect_followed(&path)? else { continue };
        fsx::list(&path)?;
        let about = |finding: Finding| {
            finding.path("path", &path).fact("mode", Fact::Mode(stat.mode)).number("owner", stat.uid)
        };
        if !fsx::may_write(&path) && path != root {
            findings.push(about(not_writable(&stat)).number("user", fsx::user()));
        }
        if stat.mode & 0o002 != 0 {
            findings.push(about(Finding::error("root-open-to-all")));
        }
        if owner.is_some_and(|owner| owner != stat.uid) {
            findings.push(about(Finding::warning("root-other-owner")).number("root", owner.unwrap_or_default()));
        }
    }
    Ok(findings)
}

/// Somebody else's root may well be only looked at by this user; one's own cannot be meant so.
fn not_writable(stat: &Stat) -> Finding {
    match (stat.uid == fsx::user(), stat.mode & 0o200 != 0) {
        (false, _) => Finding::warning("root-of-another"),
        (true, true) => Finding::error("root-read-only"),
        (true, false) => Finding::error("root-not-writable"),
    }
}

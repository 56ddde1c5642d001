//! Links: what `links verify` sees, one finding a link.

use std::path::{Path, PathBuf};

use super::finding::{Finding, Fix};
use crate::deploy::{CustomLink, LinkCheck, LinkState, View, check_links};

pub(super) fn look(view: &View, custom_links: &[CustomLink]) -> Vec<Finding> {
    let checks = match check_links(view, custom_links) {
        Ok(checks) => checks,
        Err(error) => return vec![Finding::error("links-unreadable").because(error)],
    };
    let root = view.layout().root();
    let mut findings: Vec<_> = checks.iter().filter_map(|check| found(root, check)).collect();
    if findings.is_empty() {
        findings.push(Finding::ok("links-ok").number("count", checks.len()));
    }
    findings
}

fn found(root: &Path, check: &LinkCheck) -> Option<Finding> {
    let finding = match &check.state {
        LinkState::Ok => return None,
        // What leads nowhere in the root does so because a version, or another link, is gone: that is a finding of its own.
        LinkState::Dangling if leads_into(root, check) => return None,
        LinkState::Dangling => Finding::warning("link-dangling"),
        LinkState::Missing => Finding::error("link-missing"),
        LinkState::WrongTarget { found } => Finding::error("link-wrong").path("found", found),
        LinkState::Escaped { leads_to, .. } if check.is_mendable() => {
            Finding::error("link-wrong").path("found", leads_to)
        }
        LinkState::Escaped { leads_to, .. } => Finding::error("link-escaped").path("found", leads_to),
        LinkState::Replaced => Finding::error("link-replaced").path("aside", &aside(root, &check.path)),
        LinkState::Foreign { found } => {
            Finding::error("link-foreign").path("found", found).path("aside", &aside(root, &check.path))
        }
        LinkState::Stray { found } => Finding::warning("link-stray").path("found", found),
    };
    let finding = finding.path("path", &check.path).path("target", check.target.as_deref().unwrap_or(Path::new("")));
    Some(if check.is_mendable() { finding.mended_by(Fix::Links) } else { finding })
}

fn leads_into(root: &Path, check: &LinkCheck) -> bool {
    let target = check.target.as_ref();
    check.path.starts_with(root) || target.is_some_and(|target| target.starts_with(root))
}

/// Where something that is in the way can be moved to. Beside a component's versions it would look like one.
fn aside(root: &Path, path: &Path) -> PathBuf {
    let below = path.strip_prefix(root).ok().map(|below| below.to_string_lossy().replace('/', "-"));
    match below {
        Some(name) => root.join(format!("{name}.moved-away")),
        None => {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(".moved-away");
            path.with_file_name(name)
        }
    }
}

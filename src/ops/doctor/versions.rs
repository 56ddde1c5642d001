//! Versions: directories, receipts, releases and pins that do not belong together, needs that are not met, and what a
//! cleanup would remove.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::finding::{Fact, Finding};
use crate::deploy::{Lying, Retention, Rule, View};
use crate::model::{ComponentType, Version};
use crate::ops::{Error, Site};

type All = BTreeMap<ComponentType, Lying>;

/// Versions that releases name and that are gone, with the releases; without any where the current one is a finding of
/// its own.
type Gone = BTreeMap<(ComponentType, Version), BTreeSet<u64>>;

pub(super) fn look(site: &Site, view: &View) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |found: Result<Vec<Finding>, Error>| match found {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(Finding::error("versions-unreadable").because(error)),
    };
    match view.lying() {
        Ok(all) => {
            add(releases(view, &all).and_then(|(mut found, named)| {
                found.extend(directories(view, &all, &named)?);
                Ok(found)
            }));
            add(current(view));
            add(cleanable(site, view));
            if findings.is_empty() {
                let count: usize = all.values().map(|lying| lying.directories.len()).sum();
                findings.push(Finding::ok("versions-ok").number("count", count));
            }
        }
        Err(error) => add(Err(error.into())),
    }
    findings
}

/// A version is a directory and a receipt; a pin is for one that is there. Of what is gone and `named` by a release is told
/// there.
fn directories(view: &View, all: &All, named: &Gone) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    let layout = view.layout();
    for (component, lying) in all {
        let about = |finding: Finding, version: &Version| finding.with("component", component).with("version", version);
        for version in lying.directories.difference(&lying.receipts) {
            let aside = layout.root().join(format!("{component}-{version}.moved-away"));
            let finding = Finding::warning("version-unknown").path("path", &layout.version(component, version));
            findings.push(about(finding.path("aside", &aside), version));
        }
        for version in &lying.receipts {
            let receipt = layout.receipt(component, version);
            if !lying.directories.contains(version) {
                let told = named.contains_key(&(component.clone(), version.clone()));
                findings.extend((!told).then(|| about(Finding::info("receipt-left").path("path", &receipt), version)));
            } else if let Err(error) = view.receipt(component, version) {
                let aside = layout.root().join(format!("{component}-{version}.moved-away"));
                let finding = Finding::error("receipt-damaged").path("path", &receipt).path("aside", &aside);
                let dir = layout.version(component, version);
                findings.push(about(finding.path("dir", &dir).because(error), version));
            }
        }
        for version in lying.pins.iter().filter(|version| !lying.directories.contains(*version)) {
            findings.push(about(Finding::warning("pin-not-installed"), version));
        }
    }
    Ok(findings)
}

/// What a release names must be there, or nothing can go back to it.
fn releases(view: &View, all: &All) -> Result<(Vec<Finding>, Gone), Error> {
    let mut findings = Vec::new();
    let mut missing = Gone::new();
    let gone = |component: &ComponentType, version: &Version| {
        all.get(component).is_none_or(|lying| !lying.directories.contains(version))
    };
    let state = view.state()?;
    for number in view.releases()? {
        match view.release(number) {
            Ok(set) => {
                for pair in set.unwrap_or_default().into_iter().filter(|(component, version)| gone(component, version))
                {
                    missing.entry(pair).or_default().insert(number);
                }
            }
            // The links of the current release are looked at one by one.
            Err(_) if state.number() == Some(number) => {}
            Err(error) => {
                let aside = view.layout().root().join(format!("release-{number}.moved-away"));
                let finding = Finding::warning("release-damaged").path("path", &view.layout().release(number));
                findings.push(finding.path("aside", &aside).number("release", number).because(error));
            }
        }
    }
    for pair in state.set().into_iter().filter(|(component, version)| gone(component, version)) {
        findings.push(Finding::error("version-gone").with("component", &pair.0).with("version", &pair.1));
        missing.entry(pair).or_default().clear();
    }
    for ((component, version), numbers) in missing.iter().filter(|(_, numbers)| !numbers.is_empty()) {
        let finding = Finding::warning("release-lacks").with("component", component).with("version", version);
        let last = numbers.last().copied().unwrap_or_default();
        findings.push(finding.number("release", last).number("releases", numbers.len()));
    }
    Ok((findings, missing))
}

/// What current versions need of each other, since a switch by hand does not ask, and whether they stood here once.
fn current(view: &View) -> Result<Vec<Finding>, Error> {
    let set = view.state()?.set();
    let mut findings = Vec::new();
    for (component, version) in &set {
        if let Some(bad) = view.bad(component, version)? {
            let finding = Finding::warning("current-bad").with("component", component).with("version", version);
            findings.push(finding.number("release", bad.release).fact("at", Fact::Time(bad.at)));
        }
        // One that cannot be read is a finding already.
        let Ok(Some(receipt)) = view.receipt(component, version) else { continue };
        for need in receipt.dependencies {
            let is = set.get(&need.kind);
            if !is.and_then(Version::to_semver).is_some_and(|is| need.version.matches(&is)) {
                let finding = Finding::warning("need-unmet").with("component", component).with("version", version);
                let finding = finding.with("need", &need.kind).with("range", &need.version);
                findings.push(finding.fact("is", is.map_or(Fact::None, |is| Fact::Text(is.to_string()))));
            }
        }
    }
    Ok(findings)
}

/// What `version cleanup` would remove by the configured rules.
fn cleanable(site: &Site, view: &View) -> Result<Vec<Finding>, Error> {
    let keep = site.config.deploy.keep;
    let retention = Retention {
        last: Some(keep.last as usize),
        younger_than: keep.days.map(|days| Duration::from_secs(u64::from(days) * 86_400)),
    };
    let rule = Rule { retention, only: None, force: false };
    let Ok(plan) = view.plan_cleanup(rule, site.caller.now) else { return Ok(Vec::new()) };
    let count = plan.decisions.iter().filter(|decision| decision.removes()).count();
    Ok((count > 0).then(|| Finding::info("versions-to-clean").number("count", count)).into_iter().collect())
}

//! Environments: pins lead to records, serial numbers rise; and the heartbeat, whose serial number does too.

use super::changes::Changed;
use super::finding::{Finding, Severity};
use super::lines::line_of;
use super::{At, Request};
use crate::model::{Dependency, Environment, EnvironmentName, Heartbeat};
use crate::records::error::Error;
use crate::records::{ENVIRONMENTS, HEARTBEAT, PACKAGES};

/// The path of an environment inside the records directory.
pub(super) fn path(name: &EnvironmentName) -> String {
    format!("{ENVIRONMENTS}/{name}.json")
}

pub(super) fn check(
    request: &Request<'_>,
    name: &EnvironmentName,
    changed: &Changed,
    found: &mut Vec<Finding>,
) -> Result<(), Error> {
    let path = changed.path.as_str();
    if changed.is.is_none() {
        found.push(Finding::warning("environment-removed", path, 1).with("environment", name));
        return Ok(());
    }
    let Some(bytes) = request.bytes(path)? else { return Ok(()) };
    let Ok(now) = Environment::parse(&bytes) else { return Ok(()) };
    let before = request.read(At::Before, path)?.and_then(|bytes| Environment::parse(&bytes).ok());
    // Somebody else's change may have been merged since.
    let base = request.base.as_ref().map_or(Ok(None), |base| base.bytes(path))?;
    let base = base.and_then(|bytes| Environment::parse(&bytes).ok());
    let seen = [&before, &base].into_iter().flatten().map(|environment| environment.serial).max();
    serial(path, &bytes, (now.serial, seen), before.is_some_and(|before| before.components != now.components), found);
    for (component, pin) in &now.components {
        let line = line_of(&bytes, &["components", component.as_str(), "version"]);
        let finding = |finding: Finding| finding.with("component", component).with("version", &pin.version);
        let Some(published) = request.published(component, &pin.version)? else {
            // What the request brings of it and is not sound is told of there.
            let above = format!("{PACKAGES}/{component}/{}/", pin.version);
            if !found.iter().any(|known| known.severity == Severity::Error && known.file.starts_with(&above)) {
                found.push(finding(Finding::error("pin-missing", path, line)));
            }
            continue;
        };
        if published.package_sha256() != pin.sha256 {
            let line = line_of(&bytes, &["components", component.as_str(), "sha256"]);
            found.push(finding(Finding::error("pin-differs", path, line)).with("recorded", published.package_sha256()));
            continue;
        }
        if request.is_yanked(component, &pin.version)? {
            found.push(finding(Finding::error("pin-yanked", path, line)));
        }
        for need in &published.manifest.dependencies {
            found.extend(unmet(&now, need, path, line).map(finding));
        }
    }
    Ok(())
}

/// A requirement that the environment cannot meet; one that is about a component it does not name, a root may meet.
fn unmet(now: &Environment, need: &Dependency, path: &str, line: usize) -> Option<Finding> {
    let finding = match now.components.get(&need.kind) {
        Some(pin) if pin.version.to_semver().is_some_and(|version| need.version.matches(&version)) => return None,
        Some(pin) => Finding::error("unmet", path, line).with("has", &pin.version),
        None => Finding::warning("unmet-elsewhere", path, line),
    };
    Some(finding.with("needs", &need.kind).with("range", &need.version))
}

/// A serial number never falls, and rises with each change.
fn serial(path: &str, bytes: &[u8], (now, seen): (u64, Option<u64>), must_rise: bool, found: &mut Vec<Finding>) {
    let Some(seen) = seen else { return };
    let finding = match () {
        () if now < seen => Finding::error("serial-fell", path, line_of(bytes, &["serial"])),
        () if now == seen && must_rise => Finding::error("serial-unchanged", path, line_of(bytes, &["serial"])),
        () => return,
    };
    found.push(finding.with("serial", now).with("seen", seen));
}

/// A policy that is taken away.
pub(super) fn policy(changed: &Changed, found: &mut Vec<Finding>) {
    if changed.is.is_none() {
        found.push(Finding::error("policy-removed", &changed.path, 1));
    }
}

pub(super) fn heartbeat(request: &Request<'_>, changed: &Changed, found: &mut Vec<Finding>) -> Result<(), Error> {
    let read = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| Heartbeat::parse(&bytes).ok());
    let before = read(request.read(At::Before, HEARTBEAT)?);
    let base = read(request.base.as_ref().map_or(Ok(None), |base| base.bytes(HEARTBEAT))?);
    let newest = [before, base].into_iter().flatten().max_by_key(|heartbeat| heartbeat.serial);
    let Some(newest) = newest else { return Ok(()) };
    let Some(bytes) = request.bytes(HEARTBEAT)? else {
        if changed.is.is_none() {
            found.push(Finding::error("heartbeat-removed", HEARTBEAT, 1));
        }
        return Ok(());
    };
    let Ok(now) = Heartbeat::parse(&bytes) else { return Ok(()) };
    serial(HEARTBEAT, &bytes, (now.serial, Some(newest.serial)), now.at != newest.at, found);
    if now.at < newest.at {
        let finding = Finding::error("heartbeat-older", HEARTBEAT, line_of(&bytes, &["at"]));
        found.push(finding.with("at", now.at).with("was", newest.at));
    }
    Ok(())
}

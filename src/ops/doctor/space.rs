//! Room: bytes and inodes of the file systems that hold root and store.
//!
//! | | warning | error |
//! |---|---|---|
//! | bytes | less than the current release takes, or under 5 % and 10 GiB | under 1 % and 1 GiB |
//! | inodes | fewer than the current release has files, or under 5 % and 100 000 | under 1 % and 10 000 |

use std::collections::BTreeSet;
use std::path::Path;

use super::finding::{Finding, Severity};
use crate::deploy::View;
use crate::fsx;

/// Each file system once, under the first of the `places` that lies on it.
pub(super) fn look(places: &[&Path], view: Option<&View>) -> Vec<Finding> {
    let (bytes, files) = view.map(next).unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for place in places {
        let there = place.ancestors().find_map(|path| Some((path, fsx::inspect_followed(path).ok()??)));
        let Some((path, _)) = there.filter(|(_, stat)| seen.insert(stat.device)) else { continue };
        let space = match fsx::space(path) {
            Ok(space) => space,
            Err(error) => {
                findings.push(Finding::warning("space-unknown").path("path", path).because(error));
                continue;
            }
        };
        let is_root = view.is_some_and(|view| view.layout().root() == *place);
        let (bytes, files) = if is_root { (bytes, files) } else { (0, 0) };
        let bad = judge(space.bytes, space.all_bytes, bytes, 10 << 30);
        let about =
            |finding: Finding| finding.path("path", place).bytes("free", space.bytes).bytes("all", space.all_bytes);
        match bad {
            Severity::Ok => findings.push(about(Finding::ok("space-ok"))),
            bad => findings.push(about(Finding::warning("space-short")).bytes("next", bytes).as_bad_as(bad)),
        }
        let bad = space.inodes.map_or(Severity::Ok, |free| judge(free, space.all_inodes, files, 100_000));
        if bad != Severity::Ok {
            let finding =
                Finding::warning("inodes-short").path("path", place).number("free", space.inodes.unwrap_or(0));
            findings.push(finding.number("all", space.all_inodes).number("next", files).as_bad_as(bad));
        }
    }
    findings
}

/// What a release as large as the current one would take, unpacked beside it. It needs no exact answer.
fn next(view: &View) -> (u64, u64) {
    let set = view.state().map(|state| state.set()).unwrap_or_default();
    let receipts = set.iter().filter_map(|(component, version)| view.receipt(component, version).ok().flatten());
    receipts.fold((0, 0), |(bytes, files), r| (bytes.saturating_add(r.bytes), files.saturating_add(r.files)))
}

/// `plenty` is how much is enough however large the file system; a tenth of it is little.
fn judge(free: u64, all: u64, needed: u64, plenty: u64) -> Severity {
    if free < (all / 100).min(plenty / 10) {
        Severity::Error
    } else if free < needed || free < (all / 20).min(plenty) {
        Severity::Warning
    } else {
        Severity::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_judged_by_what_comes_next_and_by_shares_up_to_what_is_plenty() {
        let gib = 1u64 << 30;
        let of_100_gib = |free: u64, needed: u64| judge(free * gib / 10, 100 * gib, needed * gib / 10, 10 * gib);
        assert_eq!(
            (of_100_gib(50, 0), of_100_gib(49, 0), of_100_gib(9, 0)),
            (Severity::Ok, Severity::Warning, Severity::Error)
        );
        assert_eq!(of_100_gib(500, 501), Severity::Warning, "the next release does not fit");
        assert_eq!(judge(10 * gib, 10_000 * gib, 0, 10 * gib), Severity::Ok, "a thousandth of much is enough");
        assert_eq!(judge(0, 0, 0, 100_000), Severity::Ok, "not counted");
    }
}

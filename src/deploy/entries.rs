//! Single releases of the history. A root may have made thousands, and most questions are about the newest: the file is read
//! from its end, and no further than the answer. Lines that cannot matter are told by their bytes and not parsed: lines are
//! written without spaces, and inside a text a quote has a backslash before it, so that a field that is there is there as
//! these bytes. A line that somebody wrote otherwise is parsed, and counts as ever.

use memchr::memmem::{Finder, find};

use super::audit::Line;
use super::history::{Entry, whole};
use super::{Action, Damage, Error, View};
use crate::fsx;
use crate::model::{ComponentType, Timestamp, Version};

/// So many bytes are read first, and eight times as many each time that they do not hold the answer.
const WINDOW: u64 = 32 << 10;

/// What the history says of environments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Following {
    /// The newest release that was deployed from one.
    pub from_environment: Option<Entry>,
    /// What put the root on hold, if it is: the first switch, rollback or undeploy since then. From then on environments are
    /// not deployed, so that none brings back what somebody has just turned away from, until one is deployed with the word
    /// that it may. What was made because a release did not stand is nobody's decision.
    pub hold: Option<Entry>,
}

impl View {
    /// The entry of one release.
    pub fn entry(&self, number: u64) -> Result<Option<Entry>, Error> {
        let ours = format!("{{\"release\":{number},");
        let is = |entry: &Entry| entry.release == number;
        match self.newest(|line| line.starts_with(ours.as_bytes()), is)? {
            Some(entry) => Ok(Some(entry)),
            None => self.newest(|line| !line.starts_with(b"{\"release\":"), is),
        }
    }

    /// The entry of the release before this one in the chain that rollbacks follow.
    pub fn parent_of(&self, number: u64) -> Result<Option<Entry>, Error> {
        match self.entry(number)?.and_then(|entry| entry.parent) {
            Some(parent) => self.entry(parent),
            None => Ok(None),
        }
    }

    /// The last version of `component`, before the one it has in release `number`, that rolling back leads to, and
    /// the release that had it.
    pub fn previous_version(&self, component: &ComponentType, number: u64) -> Result<Option<(Version, u64)>, Error> {
        let version = |entry: &Entry| entry.components.get(component).map(|detail| detail.version.clone());
        let Some(mut entry) = self.entry(number)? else { return Ok(None) };
        let Some(now) = version(&entry) else { return Ok(None) };
        loop {
            if let Some(origin) = entry.origins.get(component).copied().filter(|origin| *origin < entry.release) {
                let Some(found) = self.entry(origin)? else { return Ok(None) };
                entry = found;
            }
            let Some(parent) = entry.parent.filter(|parent| *parent < entry.release) else { return Ok(None) };
            let Some(found) = self.entry(parent)? else { return Ok(None) };
            entry = found;
            match version(&entry) {
                Some(before) if before != now => return Ok(Some((before, entry.release))),
                _ => {}
            }
        }
    }

    /// The newest release before this one.
    pub fn entry_before(&self, number: u64) -> Result<Option<Entry>, Error> {
        self.newest(|_| true, |entry| entry.release < number)
    }

    /// The newest `limit` releases, newest first.
    pub fn newest_entries(&self, limit: usize) -> Result<Vec<Entry>, Error> {
        let found = self.look_back(|lines, all| {
            let releases = lines.iter().rev().filter_map(|line| self.release_of(line).transpose());
            let found: Vec<Entry> = releases.take(limit).collect::<Result<_, _>>()?;
            Ok((all || found.len() == limit).then_some(found))
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Since when `version` of `component`, which is current now, is so without a break.
    pub fn since(&self, component: &ComponentType, version: &Version) -> Result<Option<Timestamp>, Error> {
        let may_change = Changes::of(component);
        let changes = |entry: &Entry| entry.changed.contains(component);
        let found = match self.newest(|line| may_change.seem_in(line), changes)? {
            Some(entry) => Some(entry),
            // Where the beginning of a history is lost, nothing is known of before.
            None => self.look_back(|lines, all| if all { self.first(lines.iter(), |_| true) } else { Ok(None) })?,
        };
        let has = |entry: &Entry| entry.components.get(component).is_some_and(|detail| detail.version == *version);
        Ok(found.filter(has).map(|entry| entry.at))
    }

    /// What put the root on hold, if it is: see [`Following::hold`].
    pub fn hold(&self) -> Result<Option<Entry>, Error> {
        Ok(self.following()?.hold)
    }

    /// Whether the root follows an environment, and whether it is on hold.
    pub fn following(&self) -> Result<Following, Error> {
        let (environment, deploy) = (Finder::new("\"environment\""), Finder::new("\"action\":\"deploy\""));
        let by_hand = |entry: &Entry| entry.action != Action::Deploy && entry.because.is_none();
        let found = self.look_back(|lines, all| {
            let (mut start, mut from_environment) = (0, None);
            for (at, line) in lines.iter().enumerate().rev().filter(|(_, line)| environment.find(line).is_some()) {
                from_environment = self.release_of(line)?.filter(|entry| entry.environment.is_some());
                if from_environment.is_some() {
                    start = at + 1;
                    break;
                }
            }
            if from_environment.is_none() && !all {
                return Ok(None);
            }
            let since = lines.get(start..).unwrap_or_default().iter().filter(|line| deploy.find(line).is_none());
            Ok(Some(Following { from_environment, hold: self.first(since, by_hand)? }))
        })?;
        Ok(found.unwrap_or_default())
    }

    /// The newest release that `is` wanted, of the lines that `seem` so.
    fn newest(&self, seem: impl Fn(&[u8]) -> bool, is: impl Fn(&Entry) -> bool) -> Result<Option<Entry>, Error> {
        self.look_back(|lines, _| self.first(lines.iter().rev().filter(|line| seem(line)), &is))
    }

    /// The first release that `is` wanted.
    fn first<'l>(
        &self,
        lines: impl Iterator<Item = &'l &'l [u8]>,
        is: impl Fn(&Entry) -> bool,
    ) -> Result<Option<Entry>, Error> {
        for line in lines {
            if let Some(entry) = self.release_of(line)?.filter(&is) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Shows `look` the newest lines, oldest of them first, and whether these are all there are; again with more of them
    /// until it has found something.
    fn look_back<T>(
        &self,
        mut look: impl FnMut(&[&[u8]], bool) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let mut window = WINDOW;
        loop {
            let (bytes, start) = fsx::read_tail(&self.layout().history(), window)?;
            let bytes = bytes.get(..whole(&bytes)).unwrap_or_default();
            let ends = memchr::memchr_iter(b'\n', bytes);
            let begins = std::iter::once(0).chain(ends.clone().map(|end| end + 1));
            let lines = begins.zip(ends).filter_map(|(begin, end)| bytes.get(begin..end));
            // Of the first one the beginning may be missing.
            let lines = lines.skip(usize::from(start > 0)).filter(|line| !line.is_empty());
            let lines: Vec<&[u8]> = lines.collect();
            match look(&lines, start == 0)? {
                None if start > 0 => window = window.saturating_mul(8),
                found => return Ok(found),
            }
        }
    }

    /// The release that a line is about, if it is about one.
    fn release_of(&self, line: &[u8]) -> Result<Option<Entry>, Error> {
        let damaged = |e| Error::Damaged { path: self.layout().history(), damage: Damage::SomeLine(e) };
        match Line::parse(line).map_err(damaged)? {
            Line::Release(entry) => Ok(Some(*entry)),
            Line::Event(_) => Ok(None),
        }
    }
}

/// The bytes by which a line says that a component changed.
struct Changes {
    list: Finder<'static>,
    name: String,
}

impl Changes {
    fn of(component: &ComponentType) -> Self {
        Self { list: Finder::new("\"changed\":["), name: format!("\"{component}\"") }
    }

    /// Whether it may be so: the list names the component, or there is no list that is written as we do.
    fn seem_in(&self, line: &[u8]) -> bool {
        let Some(list) = self.list.find(line).and_then(|at| line.get(at..)) else { return true };
        let end = memchr::memchr(b']', list).unwrap_or(list.len());
        find(list.get(..end).unwrap_or_default(), self.name.as_bytes()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::collections::BTreeMap;

    use super::super::audit::line;
    use super::super::checks::{Because, Why};
    use super::super::history::tests::entry;
    use super::super::history::{EntryComponent, EntryEnvironment};
    use super::*;
    use crate::deploy::Layout;
    use crate::fsx;

    const NAMES: [&str; 3] = ["model", "config", "mode"];

    /// What makes one release: a version for each component (0: none), what made it, and whether an environment or a release
    /// that did not stand did; and whether somebody has put spaces into the line since.
    type Made = ([u8; 3], u8, bool, bool, bool);

    fn history(made: &[Made]) -> (tempfile::TempDir, View, Vec<Entry>) {
        let dir = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(dir.path());
        fsx::create_dir_all(&layout.state()).expect("created");
        let (mut bytes, mut entries) = (Vec::new(), Vec::<Entry>::new());
        for (number, (versions, action, environment, because, spaced)) in made.iter().enumerate() {
            let pairs = NAMES.iter().zip(versions).filter(|(_, version)| **version > 0);
            let detail = |version: &u8| EntryComponent {
                version: version.to_string().parse().expect("a version"),
                package: None,
                commit: None,
            };
            let components: BTreeMap<ComponentType, EntryComponent> =
                pairs.map(|(name, version)| (name.parse().expect("a type"), detail(version))).collect();
            let before = entries.last().map(|entry| entry.components.clone()).unwrap_or_default();
            let all = before.keys().chain(components.keys());
            let mut changed: Vec<_> = all.filter(|c| before.get(*c) != components.get(*c)).cloned().collect();
            changed.sort();
            changed.dedup();
            let action = ["deploy", "switch", "rollback", "undeploy"][usize::from(*action)];
            let mut value = serde_json::json!({
                "release": number + 1, "action": action,
                "at": Timestamp::from_unix(number as i64 * 100).expect("a time"), "by": "mei@\"action\":\"deploy\"".to_owned() + &"m".repeat(number % 3 * 10_000),
                "components": components, "changed": changed,
            });
            if *because {
                value["because"] = serde_json::json!({"release": 1, "why": "unhealthy"});
            }
            if *environment {
                value["environment"] = serde_json::to_value(EntryEnvironment {
                    name: "prod".parse().expect("a name"),
                    serial: 1,
                    commit: "c0ffee".to_owned(),
                    resumed: false,
                })
                .expect("JSON");
            }
            let mut line = value.to_string();
            if *spaced {
                line = line.replace("\":", "\" : ");
            }
            entries.push(serde_json::from_str(&line).expect("an entry"));
            bytes.extend((line + "\n").into_bytes());
        }
        fsx::write_new(&layout.history(), &bytes).expect("written");
        (dir, View::of(layout), entries)
    }

    fn of(entries: &[Entry]) -> (tempfile::TempDir, View) {
        let dir = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(dir.path());
        fsx::create_dir_all(&layout.state()).expect("created");
        let lines: Vec<u8> = entries.iter().flat_map(line).collect();
        fsx::write_new(&layout.history(), &lines).expect("written");
        (dir, View::of(layout))
    }

    #[test]
    fn one_component_rolls_back_further_each_time() {
        let model = "model".parse().expect("a type");
        let mut entries = vec![entry(1, None, "1.0"), entry(2, Some(1), "1.1"), entry(3, Some(2), "1.2")];
        let previous = |entries: &[Entry], n| of(entries).1.previous_version(&model, n).expect("read");
        assert_eq!(previous(&entries, 3), Some(("1.1".parse().expect("a version"), 2)));
        let mut fourth = entry(4, Some(3), "1.1");
        fourth.origins.insert(model.clone(), 2);
        entries.push(fourth);
        assert_eq!(previous(&entries, 4), Some(("1.0".parse().expect("a version"), 1)));
        assert_eq!(previous(&entries, 1), None);
    }

    #[test]
    fn a_hold_lasts_from_the_first_change_by_hand_until_an_environment_is_deployed() {
        let by = |release, action| Entry { action, ..entry(release, None, "1.0") };
        let from_prod = |release| {
            let name = "prod".parse().expect("a name");
            let environment = EntryEnvironment { name, serial: 7, commit: "4f2a".into(), resumed: false };
            Entry { environment: Some(environment), ..entry(release, None, "1.0") }
        };
        let held = |entries: &[Entry]| of(entries).1.hold().expect("read").map(|entry| entry.release);
        let mut entries = vec![from_prod(1), by(2, Action::Deploy)];
        assert_eq!(held(&entries), None);
        let because = Because { release: 2, why: Why::Unhealthy };
        entries.push(Entry { because: Some(because), ..by(3, Action::Rollback) });
        assert_eq!(held(&entries), None, "nobody decided it");
        entries.pop();
        entries.extend([by(3, Action::Rollback), by(4, Action::Switch), by(5, Action::Deploy)]);
        assert_eq!(held(&entries), Some(3), "a deploy by hand neither begins nor ends one");
        entries.push(from_prod(6));
        assert_eq!(held(&entries), None);
        entries.push(by(7, Action::Undeploy));
        assert_eq!(held(&entries), Some(7));
        assert_eq!(held(&[]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn what_is_not_parsed_would_have_said_nothing_else(made in proptest::collection::vec(
            ([0u8..3, 0u8..3, 0u8..2], 0u8..4, proptest::bool::weighted(0.2), proptest::bool::weighted(0.2),
             proptest::bool::weighted(0.2)), 1..12)
        ) {
            let (_dir, view, entries) = history(&made);
            let last = entries.last().expect("one");
            for (component, detail) in &last.components {
                let has = |entry: &&Entry| entry.components.get(component) == Some(detail);
                let since = entries.iter().rev().take_while(has).last().map(|entry| entry.at);
                prop_assert_eq!(view.since(component, &detail.version).expect("read"), since);
            }
            let followed = entries.iter().rposition(|entry| entry.environment.is_some());
            let following = view.following().expect("read");
            prop_assert_eq!(following.from_environment, followed.map(|at| entries[at].clone()));
            let by_hand = |entry: &&Entry| entry.action != Action::Deploy && entry.because.is_none();
            let hold = entries[followed.map_or(0, |at| at + 1)..].iter().find(by_hand);
            prop_assert_eq!(following.hold, hold.cloned());
            for number in 0..=entries.len() as u64 + 1 {
                let found = entries.iter().find(|entry| entry.release == number);
                prop_assert_eq!(view.entry(number).expect("read"), found.cloned());
                let before = entries.iter().rev().find(|entry| entry.release < number);
                prop_assert_eq!(view.entry_before(number).expect("read"), before.cloned());
            }
            let newest: Vec<_> = entries.iter().rev().take(3).cloned().collect();
            prop_assert_eq!(view.newest_entries(3).expect("read"), newest);
        }
    }
}

//! A glance at the history, for `status`: a root may have made thousands of releases, and few of their lines answer what is
//! asked. Lines that cannot matter are told by their bytes and not parsed: lines are written without spaces, and inside a
//! text a quote has a backslash before it, so that a field that is there is there as these bytes. A line that somebody
//! wrote otherwise is parsed, and counts as ever.

use std::collections::BTreeMap;

use memchr::memmem::{Finder, find};

use super::audit::{self, Line};
use super::history::Entry;
use super::{Action, Error, Layout, Set, View};
use crate::model::{ComponentType, Timestamp};

/// What the history says of the current state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glance {
    /// The entry of the release that was asked about.
    pub release: Option<Entry>,
    /// Since when each version that was asked about is current without a break.
    pub since: BTreeMap<ComponentType, Timestamp>,
    /// The newest release that was deployed from an environment.
    pub from_environment: Option<Entry>,
    /// What put the root on hold, if it is; as [`History::hold`](super::History::hold) says.
    pub hold: Option<Entry>,
}

impl View {
    /// What the history says of release `number` and the versions that are current in it.
    pub fn glance(&self, number: Option<u64>, set: &Set) -> Result<Glance, Error> {
        let (lines, _) = audit::raw(self.layout())?;
        let lines = Lines { layout: self.layout(), lines };
        let mut glance = Glance::default();
        let Some(number) = number else { return Ok(glance) };
        glance.release = lines.newest(|_| true, |entry| entry.release == number)?;
        for (component, version) in set {
            let may_change = Changes::of(component);
            let changes = |entry: &Entry| entry.changed.contains(component);
            // Where the beginning of a history is lost, nothing is known of before.
            let found = match lines.newest(|line| may_change.seem_in(line), changes)? {
                Some(entry) => Some(entry),
                None => lines.oldest(0, |_| true, |_| true)?,
            };
            let has = |entry: &Entry| entry.components.get(component).is_some_and(|c| c.version == *version);
            glance.since.extend(found.filter(has).map(|entry| (component.clone(), entry.at)));
        }
        let environment = Finder::new("\"environment\"");
        let is_from_one = |entry: &Entry| entry.environment.is_some();
        let seems = |line: &[u8]| environment.find(line).is_some();
        let followed = lines.position(seems, is_from_one)?;
        let start = followed.as_ref().map_or(0, |(at, _)| at + 1);
        glance.from_environment = followed.map(|(_, entry)| entry);
        let deploy = Finder::new("\"action\":\"deploy\"");
        let by_hand = |entry: &Entry| entry.action != Action::Deploy && entry.because.is_none();
        glance.hold = lines.oldest(start, |line| deploy.find(line).is_none(), by_hand)?;
        Ok(glance)
    }

    /// The newest `limit` releases, newest first; no more lines are parsed than that.
    pub fn newest(&self, limit: usize) -> Result<Vec<Entry>, Error> {
        let (lines, _) = audit::raw(self.layout())?;
        let lines = Lines { layout: self.layout(), lines };
        let releases = (0..lines.lines.len()).rev().filter_map(|at| lines.release(at).transpose());
        releases.take(limit).collect()
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

struct Lines<'v> {
    layout: &'v Layout,
    lines: Vec<Vec<u8>>,
}

impl Lines<'_> {
    /// The release that line `at` is about.
    fn release(&self, at: usize) -> Result<Option<Entry>, Error> {
        let Some(line) = self.lines.get(at) else { return Ok(None) };
        Ok(match audit::parse(self.layout, at, line)? {
            Line::Release(entry) => Some(*entry),
            Line::Event(_) => None,
        })
    }

    /// The newest release that `is` wanted, of the lines that `seem` so.
    fn newest(&self, seem: impl Fn(&[u8]) -> bool, is: impl Fn(&Entry) -> bool) -> Result<Option<Entry>, Error> {
        Ok(self.position(seem, is)?.map(|(_, entry)| entry))
    }

    /// The same with the number of its line.
    fn position(
        &self,
        seem: impl Fn(&[u8]) -> bool,
        is: impl Fn(&Entry) -> bool,
    ) -> Result<Option<(usize, Entry)>, Error> {
        self.first((0..self.lines.len()).rev(), seem, is)
    }

    /// The oldest release from line `start` on.
    fn oldest(
        &self,
        start: usize,
        seem: impl Fn(&[u8]) -> bool,
        is: impl Fn(&Entry) -> bool,
    ) -> Result<Option<Entry>, Error> {
        Ok(self.first(start..self.lines.len(), seem, is)?.map(|(_, entry)| entry))
    }

    fn first(
        &self,
        numbers: impl Iterator<Item = usize>,
        seem: impl Fn(&[u8]) -> bool,
        is: impl Fn(&Entry) -> bool,
    ) -> Result<Option<(usize, Entry)>, Error> {
        for at in numbers.filter(|at| self.lines.get(*at).is_some_and(|line| seem(line))) {
            if let Some(entry) = self.release(at)?.filter(&is) {
                return Ok(Some((at, entry)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::history::{EntryComponent, EntryEnvironment, History};
    use super::*;
    use crate::fsx;

    const NAMES: [&str; 3] = ["model", "config", "mode"];

    /// What makes one release: a version for each component (0: none), what made it, and whether an environment or a release
    /// that did not stand did; and whether somebody has put spaces into the line since.
    type Made = ([u8; 3], u8, bool, bool, bool);

    fn history(made: &[Made]) -> (tempfile::TempDir, View, History) {
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
                "at": Timestamp::from_unix(number as i64 * 100).expect("a time"), "by": "mei@\"action\":\"deploy\"",
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
        (dir, View::of(layout), History { entries })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn a_glance_sees_what_the_whole_history_says(made in proptest::collection::vec(
            ([0u8..3, 0u8..3, 0u8..2], 0u8..4, proptest::bool::weighted(0.2), proptest::bool::weighted(0.2),
             proptest::bool::weighted(0.2)), 1..12)
        ) {
            let (_dir, view, history) = history(&made);
            let last = history.entries.last().expect("one");
            let glance = view.glance(Some(last.release), &last.set()).expect("read");
            let since = |component: &ComponentType, detail: &EntryComponent| {
                let has = |entry: &&Entry| entry.components.get(component) == Some(detail);
                history.entries.iter().rev().take_while(has).last().map(|entry| (component.clone(), entry.at))
            };
            let all = last.components.iter().filter_map(|(component, detail)| since(component, detail)).collect();
            prop_assert_eq!(glance.since, all);
            prop_assert_eq!(glance.release.as_ref(), Some(last));
            prop_assert_eq!(glance.hold.as_ref(), history.hold());
            prop_assert_eq!(glance.from_environment.as_ref(), history.from_environment().map(|(entry, _)| entry));
            let newest: Vec<_> = history.entries.iter().rev().take(3).cloned().collect();
            prop_assert_eq!(view.newest(3).expect("read"), newest);
        }
    }
}

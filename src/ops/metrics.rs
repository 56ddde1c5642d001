//! `metrics`: what a root and a store are and what it took to make them so, as families of samples by Prometheus' naming rules.
//!
//! Everything is read from what the root keeps anyway (history, receipts, results of checks), so that the same numbers come
//! out whoever asks, and a counter goes down only where somebody edited the history.
//! Source of the rules: <https://prometheus.io/docs/practices/naming/>.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Error, Site, status, store};
use crate::deploy::{Action, Check, Checked, ComponentWork, Ending, Line, View, What};
use crate::fsx;
use crate::model::{ComponentType, Version};

/// What becomes of a family's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They only grow.
    Counter,
    /// They go up and down.
    Gauge,
}

/// Samples of one name.
#[derive(Debug)]
pub struct Family {
    /// The name, without the program's.
    pub name: &'static str,
    /// What becomes of its values.
    pub kind: Kind,
    /// What it says, in English as Prometheus' own.
    pub help: &'static str,
    /// The values.
    pub samples: Vec<Sample>,
}

/// One value.
#[derive(Debug)]
pub struct Sample {
    /// Names and values of its labels.
    pub labels: Vec<(&'static str, String)>,
    /// The value: bytes, seconds, Unix time or a count.
    pub value: f64,
}

/// The families as they are filled.
struct Families(Vec<Family>);

impl Families {
    fn add(&mut self, name: &'static str, kind: Kind, help: &'static str, samples: Vec<Sample>) {
        self.0.push(Family { name, kind, help, samples });
    }

    fn gauge(&mut self, name: &'static str, help: &'static str, samples: Vec<Sample>) {
        self.add(name, Kind::Gauge, help, samples);
    }
}

fn one(value: f64) -> Vec<Sample> {
    vec![Sample { labels: Vec::new(), value }]
}

fn flag(is: bool) -> Vec<Sample> {
    one(if is { 1.0 } else { 0.0 })
}

/// `metrics`: reads the root and the store and writes nothing.
///
/// # Errors
///
/// The root cannot be read.
pub fn metrics(site: &Site) -> Result<Vec<Family>, Error> {
    let view = site.view()?;
    let mut families = Families(Vec::new());
    state(&mut families, site)?;
    let lines = view.trail()?;
    trail(&mut families, &view, &lines)?;
    versions(&mut families, site, &view, &works(&lines))?;
    usage(&mut families, site)?;
    Ok(families.0)
}

/// What is current, and whether anything is due.
fn state(families: &mut Families, site: &Site) -> Result<(), Error> {
    let status = status::status(site)?;
    let trial = status.standing.is_some();
    families.gauge(
        "release",
        "Number of the current release, 0 before the first.",
        one(status.release.unwrap_or(0) as f64),
    );
    let since = status.since.map(|since| one(since.as_unix() as f64)).unwrap_or_default();
    families.gauge("release_timestamp_seconds", "When the current release was made.", since);
    families.gauge(
        "on_hold",
        "Whether a change by hand keeps environments from being deployed.",
        flag(status.hold.is_some()),
    );
    families.gauge(
        "trial_pending",
        "Whether the current release has still to be found healthy or confirmed.",
        flag(trial),
    );
    families.gauge(
        "unfinished",
        "Whether a run that was stopped left work for the next.",
        flag(status.unfinished.is_some()),
    );
    families.gauge("links_wrong", "Links that are not as they should be.", one(status.links_wrong as f64));
    Ok(())
}

/// What was done and what failed, by the history.
fn trail(families: &mut Families, view: &View, lines: &[Line]) -> Result<(), Error> {
    let (mut counts, mut done, mut failed) = (BTreeMap::<(&str, &str), u64>::new(), None, None);
    let (mut checks, mut installing, mut whole) = (Vec::new(), None, None);
    let current = view.state()?.number();
    for line in lines {
        match line {
            Line::Release(entry) => {
                *counts.entry((action(entry.action), "done")).or_default() += 1;
                done = Some(entry.at);
                if current == Some(entry.release) {
                    installing = entry.work.as_ref().map(|work| work.milliseconds as f64 / 1000.0);
                }
            }
            Line::Event(event) if event.event == What::Release && event.result != Ending::Done => {
                *counts.entry(("release", "failed")).or_default() += 1;
                failed = Some(event.at);
            }
            Line::Event(_) => {}
        }
    }
    if let Some(number) = current
        && let Some(checked) = Checked::read(view.layout(), number)?
    {
        let mut sums = BTreeMap::<&str, f64>::new();
        for run in &checked.runs {
            let phase = match run.check {
                Check::PreSwitch => "pre_switch",
                Check::PostSwitch => "post_switch",
                Check::Health => "health",
            };
            *sums.entry(phase).or_default() += run.milliseconds as f64 / 1000.0;
        }
        whole = installing.map(|seconds| seconds + sums.values().sum::<f64>());
        checks = sums
            .into_iter()
            .map(|(phase, value)| Sample { labels: vec![("phase", phase.to_owned())], value })
            .collect();
    }
    let label = |((action, result), count): ((&str, &str), u64)| Sample {
        labels: vec![("action", action.to_owned()), ("result", result.to_owned())],
        value: count as f64,
    };
    let counts = counts.into_iter().map(label).collect();
    families.add(
        "changes_total",
        Kind::Counter,
        "Releases that were made, and that failed to be, by the history.",
        counts,
    );
    let time = |time: Option<crate::model::Timestamp>| time.map(|time| one(time.as_unix() as f64)).unwrap_or_default();
    families.gauge("last_success_timestamp_seconds", "When a release was made last.", time(done));
    families.gauge("last_failure_timestamp_seconds", "When a release failed to be made last.", time(failed));
    families.gauge(
        "check_duration_seconds",
        "How long hooks and the health check of the current release took.",
        checks,
    );
    families.gauge(
        "deploy_duration_seconds",
        "How long the deploy that made the current release took: installing, hooks and health check.",
        whole.or(installing).map(one).unwrap_or_default(),
    );
    Ok(())
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Deploy => "deploy",
        Action::Switch => "switch",
        Action::Rollback => "rollback",
        Action::Undeploy => "undeploy",
    }
}

/// What it took to install a version, the last time.
type Works<'h> = BTreeMap<(ComponentType, Version), &'h ComponentWork>;

fn works(lines: &[Line]) -> Works<'_> {
    let mut works = Works::new();
    for line in lines {
        let Line::Release(entry) = line else { continue };
        for (component, work) in entry.work.iter().flat_map(|work| &work.components) {
            if let Some(installed) = entry.components.get(component) {
                works.insert((component.clone(), installed.version.clone()), work);
            }
        }
    }
    works
}

/// Which versions are installed, and what it took to install them.
fn versions(families: &mut Families, site: &Site, view: &View, works: &Works<'_>) -> Result<(), Error> {
    let current = view.state()?.set();
    let (mut info, mut sizes, mut took, mut fetched, mut reused, mut speed) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut installed = Vec::new();
    for component in view.types()? {
        let versions = view.versions(&component)?;
        installed.push(Sample { labels: vec![("component", component.to_string())], value: versions.len() as f64 });
        for version in versions {
            let labels = || vec![("component", component.to_string()), ("version", version.to_string())];
            let with = |name, label: &str, value| {
                let mut labels = labels();
                labels.push((name, label.to_owned()));
                Sample { labels, value }
            };
            let state = if current.get(&component) == Some(&version) { "current" } else { "installed" };
            info.push(with("state", state, 1.0));
            let Some(receipt) = view.receipt(&component, &version)? else { continue };
            sizes.push(Sample { labels: labels(), value: receipt.bytes as f64 });
            let Some(work) = works.get(&(component.clone(), version.clone())) else { continue };
            let seconds = work.milliseconds as f64 / 1000.0;
            took.push(Sample { labels: labels(), value: seconds });
            fetched.extend(work.sources.iter().map(|(source, bytes)| with("source", source, *bytes as f64)));
            let ways = [("reused", work.reused), ("unpacked", work.unpacked)];
            reused.extend(ways.iter().map(|(way, bytes)| with("way", way, *bytes as f64)));
            let bytes: u64 = work.sources.values().sum();
            if bytes > 0 && seconds > 0.0 {
                speed.push(Sample { labels: labels(), value: bytes as f64 / seconds });
            }
        }
    }
    families.gauge("component_info", "Installed versions; state is current or installed.", info);
    families.gauge("versions_installed", "How many versions of a component are installed.", installed);
    families.gauge("version_bytes", "Content of an installed version.", sizes);
    families.gauge("version_install_duration_seconds", "How long fetching and unpacking a version took.", took);
    families.gauge("version_fetched_bytes", "What sources gave of a version when it was installed.", fetched);
    families.gauge("version_content_bytes", "How the content of a version came to be on this host.", reused);
    families.gauge("version_fetch_bytes_per_second", "How fast a version came, unpacking included.", speed);
    let max = site.config.store.max_size.0 as f64;
    families.gauge("store_max_bytes", "The size that store gc shrinks the store to.", one(max));
    Ok(())
}

/// How much room things take, and how much there is.
fn usage(families: &mut Families, site: &Site) -> Result<(), Error> {
    let entries = store::list(site)?;
    families.gauge(
        "store_bytes",
        "Content of the store.",
        one(entries.iter().map(|entry| entry.size).sum::<u64>() as f64),
    );
    families.gauge("store_entries", "Files in the store.", one(entries.len() as f64));
    let used: u64 =
        fsx::freed(std::slice::from_ref(&site.root))?.each.iter().map(|usage| usage.own + usage.shared).sum();
    families.gauge("root_bytes", "What the root takes on disk, what is linked several times once.", one(used as f64));
    let (mut size, mut free, mut inodes) = (Vec::new(), Vec::new(), Vec::new());
    let places: [(&str, &Path); 2] = [("root", &site.root), ("store", &site.store)];
    for (place, path) in places {
        let Ok(space) = fsx::space(path) else { continue };
        let sample = |value: u64| Sample { labels: vec![("place", place.to_owned())], value: value as f64 };
        size.push(sample(space.all_bytes));
        free.push(sample(space.bytes));
        inodes.extend(space.inodes.map(sample));
    }
    families.gauge("filesystem_size_bytes", "Size of the file system of the root and of the store.", size);
    families.gauge("filesystem_free_bytes", "Room on it.", free);
    families.gauge("filesystem_free_inodes", "Inodes that are free on it.", inodes);
    Ok(())
}

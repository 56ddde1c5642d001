//! Progress on stderr: one line for each component and phase, one for the sum of several fetches, and nothing at all where
//! stderr is no terminal.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::args::Global;
use super::log::Log;
use super::words::say;
use crate::model::ComponentType;
use crate::ops::{Phase, Progress};

/// Time left is shown only where the total is known.
const WITH_TOTAL: &str = "{msg} {bar:24} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
/// What is counted in files and directories.
const COUNTED: &str = "{msg} {bar:24} {human_pos}/{human_len} {per_sec} {eta}";
const WITHOUT: &str = "{msg} {binary_bytes} {binary_bytes_per_sec}";

/// The lines being drawn; dropping it removes them. Clones are the same lines.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    shown: bool,
    all: MultiProgress,
    bars: Arc<Mutex<Bars>>,
}

#[derive(Debug, Default)]
struct Bars {
    each: HashMap<(Option<ComponentType>, Phase), ProgressBar>,
    /// Bytes done and in all of what is fetched, once that is more than one component.
    fetched: HashMap<ComponentType, (u64, u64)>,
    sum: Option<ProgressBar>,
}

impl Lines {
    /// Lines as the user wants them.
    pub fn new(global: &Global, log: &Log) -> Self {
        let shown = !log.is_on_stderr() && !global.quiet && !global.no_progress && std::io::stderr().is_terminal();
        Self { shown, all: MultiProgress::new(), bars: Arc::default() }
    }

    /// What draws the lines, for who has to take them away in a hurry.
    pub fn all(&self) -> MultiProgress {
        self.all.clone()
    }

    /// Takes the lines away, since something else is about to be printed; what is told later is drawn anew.
    pub fn end(&self) {
        let bars = std::mem::take(&mut *self.bars.lock().unwrap_or_else(PoisonError::into_inner));
        for bar in bars.each.values().chain(&bars.sum) {
            bar.finish_and_clear();
        }
    }

    /// Draws how far something is.
    pub fn tell(&self, progress: Progress<'_>) {
        if !self.shown {
            return;
        }
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (progress.component.cloned(), progress.phase);
        let bar = bars.each.entry(key).or_insert_with(|| self.line(&progress));
        bar.set_position(progress.done.min(progress.total.unwrap_or(u64::MAX)));
        if progress.total.is_some_and(|total| progress.done >= total) {
            bar.finish_and_clear();
        }
        if let (Phase::Fetch, Some(component), Some(total)) = (progress.phase, progress.component, progress.total) {
            bars.fetched.insert(component.clone(), (progress.done.min(total), total));
            self.sum(&mut bars);
        }
    }

    fn sum(&self, bars: &mut Bars) {
        if bars.fetched.len() < 2 {
            return;
        }
        let sum = |part: fn(&(u64, u64)) -> u64| bars.fetched.values().map(part).sum::<u64>();
        let (done, total) = (sum(|fetched| fetched.0), sum(|fetched| fetched.1));
        let bar = bars.sum.get_or_insert_with(|| self.bar(Some(total), WITH_TOTAL, say("progress.sum", &[])));
        bar.set_length(total);
        bar.set_position(done);
        if done >= total {
            bar.finish_and_clear();
        }
    }

    fn line(&self, progress: &Progress<'_>) -> ProgressBar {
        let key = match (progress.phase, progress.component) {
            (Phase::Pack, _) => "progress.pack",
            (Phase::Publish, _) => "progress.publish",
            (Phase::Fetch, _) => "progress.fetch",
            (Phase::Unpack, _) => "progress.unpack",
            (Phase::Verify, Some(_)) => "progress.verify",
            (Phase::Verify, None) => "progress.verify-store",
            (Phase::Remove, _) => "progress.remove",
            (Phase::Collect, _) => "progress.collect",
        };
        let template = match (progress.phase, progress.total) {
            (_, None) => WITHOUT,
            (Phase::Remove, Some(_)) => COUNTED,
            (_, Some(_)) => WITH_TOTAL,
        };
        let component = progress.component.map(ComponentType::to_string).unwrap_or_default();
        self.bar(progress.total, template, say(key, &[("component", component)]))
    }

    fn bar(&self, total: Option<u64>, template: &str, message: String) -> ProgressBar {
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.all.add(bar).with_style(style);
        bar.set_message(message);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.end();
    }
}

//! Progress on stderr: one line for each component and phase, and nothing at all where stderr is no terminal.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::args::Global;
use super::words::say;
use crate::model::ComponentType;
use crate::ops::{Phase, Progress};

/// Time left is shown only where the total is known.
const WITH_TOTAL: &str = "{msg} {bar:24} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
const WITHOUT: &str = "{msg} {binary_bytes} {binary_bytes_per_sec}";

/// The lines being drawn; dropping it removes them.
pub(super) struct Lines {
    shown: bool,
    all: MultiProgress,
    bars: Mutex<HashMap<(ComponentType, Phase), ProgressBar>>,
}

impl Lines {
    /// Lines as the user wants them.
    pub fn new(global: &Global) -> Self {
        let shown = !global.quiet && !global.no_progress && std::io::stderr().is_terminal();
        Self { shown, all: MultiProgress::new(), bars: Mutex::default() }
    }

    /// Draws how far something is.
    pub fn tell(&self, progress: Progress<'_>) {
        if !self.shown {
            return;
        }
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (progress.component.clone(), progress.phase);
        let bar = bars.entry(key).or_insert_with(|| self.line(&progress));
        bar.set_position(progress.done.min(progress.total.unwrap_or(u64::MAX)));
        if progress.total.is_some_and(|total| progress.done >= total) {
            bar.finish_and_clear();
        }
    }

    fn line(&self, progress: &Progress<'_>) -> ProgressBar {
        let bar = match progress.total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        let template = if progress.total.is_some() { WITH_TOTAL } else { WITHOUT };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let key = match progress.phase {
            Phase::Pack => "progress.pack",
            Phase::Fetch => "progress.fetch",
            Phase::Unpack => "progress.unpack",
        };
        let bar = self.all.add(bar).with_style(style);
        bar.set_message(say(key, &[("component", progress.component.to_string())]));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        for bar in self.bars.lock().unwrap_or_else(PoisonError::into_inner).values() {
            bar.finish_and_clear();
        }
    }
}

//! What a plain `cargo test` leaves out of its sweeps, so that it takes minutes. Unit tests and integration tests both
//! include this file.
//!
//! A sweep tries the same thing at every point there is: stops a command at each change of the disk, flips each byte of a
//! file, kills at one random moment after another. With `CI` set it is whole. Elsewhere it takes one point of [`ONE_OF`],
//! evenly spread, and always the first one and the last; which ones they are is another each day (in UTC) and for each
//! sweep, so that all are tried in as many days. What a sweep found is found again by `CI=1 cargo test`, anywhere.

use std::time::{SystemTime, UNIX_EPOCH};

/// Of so many points a plain run tries one.
pub const ONE_OF: usize = 10;

/// Whether nothing is left out.
pub fn is_whole() -> bool {
    std::env::var_os("CI").is_some()
}

/// How often something is done that is done `all` times where nothing is left out.
pub fn share(all: usize) -> usize {
    if is_whole() { all } else { all.div_ceil(ONE_OF) }
}

/// The points of a sweep that are tried in this run.
pub struct Sample {
    count: usize,
    /// The remainder of those between the first one and the last; `None` where all are tried.
    start: Option<usize>,
}

impl Sample {
    /// Of the points 1 to `count` of a sweep by this name; there must be some.
    #[allow(clippy::print_stderr)]
    pub fn of(sweep: &str, count: usize) -> Self {
        assert!(count > 0, "{sweep}: there is nothing to try");
        let day = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() / 86_400);
        let name: usize = sweep.bytes().map(usize::from).sum();
        let sample = Self { count, start: (!is_whole()).then_some((day as usize + name) % ONE_OF) };
        if let Some(start) = sample.start {
            eprintln!("{sweep}: points {start} + n * {ONE_OF}, the first and the last of {count}; all with CI=1");
        }
        sample
    }

    /// Whether this one is tried. What comes behind the last one is, too.
    pub fn takes(&self, point: usize) -> bool {
        self.start.is_none_or(|start| point % ONE_OF == start) || point == 1 || point >= self.count
    }

    /// Those that are tried, in order.
    pub fn points(self) -> impl Iterator<Item = usize> {
        (1..=self.count).filter(move |point| self.takes(*point))
    }
}

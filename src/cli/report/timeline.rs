//! The timeline: a lane a component, a bar for as long as a version was current, and a mark above for what made a release.
//!
//! Releases stand side by side, however far apart in time: sixty in a day and one in a month are equally easy to see.

use svg::node::element::Element;

use super::chart::{WIDTH, add, drawing, place, rect, text, with, words};
use crate::cli::commands::history::action;
use crate::cli::words::say;
use crate::deploy::{Action, HistoryEntry};
use crate::model::{ComponentType, Version};

const LANE: f64 = 44.0;
const TOP: f64 = 30.0;

/// Draws `entries`, oldest first.
pub(super) fn timeline(entries: &[&HistoryEntry]) -> Element {
    let mut components: Vec<&ComponentType> = entries.iter().flat_map(|entry| entry.components.keys()).collect();
    components.sort();
    components.dedup();
    let height = TOP + LANE * components.len() as f64 + 20.0;
    let count = |wanted: Action| entries.iter().filter(|entry| entry.action == wanted).count().to_string();
    let counts = [("count", entries.len().to_string()), ("rollbacks", count(Action::Rollback))];
    let mut svg = drawing(height, &say("report.timeline", &[]), &say("report.timeline-about", &counts));
    let slot = WIDTH / entries.len().max(1) as f64;
    let every = (36.0 / slot).ceil().max(1.0) as usize;
    for (number, entry) in entries.iter().enumerate() {
        let middle = slot * (number as f64 + 0.5);
        add(&mut svg, mark(middle, entry));
        if number.is_multiple_of(every) {
            add(&mut svg, text(middle, height - 4.0, "middle", &entry.release.to_string()));
        }
    }
    for (lane, component) in components.iter().enumerate() {
        let y = TOP + LANE * lane as f64;
        add(&mut svg, text(0.0, y + 12.0, "start", component.as_str()));
        for (turn, (from, to, version)) in runs(entries, component).into_iter().enumerate() {
            let (x, width) = (slot * from as f64, slot * (to - from) as f64);
            let class = if turn.is_multiple_of(2) { "version" } else { "version other" };
            let mut group = with("g", &[]);
            let title = format!(
                "{component}@{version}: {} – {}",
                entries[from].at,
                entries.get(to).map_or_else(|| say("report.now", &[]), |entry| entry.at.to_string())
            );
            add(&mut group, words("title", &title));
            add(&mut group, rect(x + 0.5, y + 18.0, (width - 1.0).max(0.5), 18.0, class));
            if width > version.as_str().chars().count() as f64 * 7.0 + 8.0 {
                add(&mut group, text(x + width / 2.0, y + 31.0, "middle", version.as_str()));
            }
            add(&mut svg, group);
        }
    }
    svg
}

/// Where each version of a component was current: from one entry up to another, without a break.
fn runs<'e>(entries: &[&'e HistoryEntry], component: &ComponentType) -> Vec<(usize, usize, &'e Version)> {
    let mut runs: Vec<(usize, usize, &Version)> = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let Some(detail) = entry.components.get(component) else { continue };
        match runs.last_mut() {
            Some((_, to, version)) if *to == number && **version == detail.version => *to += 1,
            _ => runs.push((number, number + 1, &detail.version)),
        }
    }
    runs
}

/// What made a release: a round mark for a deploy, one that points back for a rollback, a square for a switch.
fn mark(x: f64, entry: &HistoryEntry) -> Element {
    let (y, size) = (14.0, 4.5);
    let mut shape = match entry.action {
        Action::Deploy => with("circle", &[("cx", place(x)), ("cy", place(y)), ("r", place(size - 1.0))]),
        Action::Rollback => {
            let points = [(x - size, y), (x + size, y - size), (x + size, y + size)];
            let points = points.map(|(x, y)| format!("{},{}", place(x), place(y)));
            with("polygon", &[("points", points.join(" "))])
        }
        Action::Switch | Action::Undeploy => rect(x - 3.5, y - 3.5, 7.0, 7.0, ""),
    };
    let class = match entry.action {
        Action::Deploy => "mark deploy",
        Action::Rollback => "mark rollback",
        Action::Switch => "mark switch",
        Action::Undeploy => "mark undeploy",
    };
    shape.get_attributes_mut().insert("class".to_owned(), class.into());
    let title = format!("{}: {}, {}, {}", entry.release, action(entry.action), entry.at, entry.by);
    shape.get_children_mut().push(Box::new(words("title", &title)));
    shape
}

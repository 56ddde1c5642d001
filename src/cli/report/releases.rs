//! What was: the timeline, how long deploys took, where their bytes came from, and a table of all releases.

use maud::{Markup, PreEscaped, html};

use super::chart::{Bar, bars, binary, decimal};
use super::page::{part, scroll, section, time, word};
use super::timeline::timeline;
use crate::cli::commands::history::action;
use crate::cli::words::say;
use crate::deploy::{Ending, HistoryEntry, Line, Work};
use crate::model::ByteSize;
use crate::ops::Error;

/// So many releases are drawn, the newest: more would be thinner than one can see.
const DRAWN: usize = 120;

/// So many rows stand open; those before them are folded.
const OPEN: usize = 12;

/// The parts that the history tells of.
pub(super) fn sections(trail: &Result<Vec<Line>, Error>) -> Markup {
    html! {
        (section("timeline", "report.timeline", part(trail, |lines| releases(lines))))
        @if let Ok(lines) = trail {
            @let drawn = newest(&all(lines));
            (section("durations", "report.durations", durations(&drawn)))
            (section("bytes", "report.bytes", bytes(&drawn)))
        }
    }
}

fn all(lines: &[Line]) -> Vec<&HistoryEntry> {
    lines
        .iter()
        .filter_map(|line| match line {
            Line::Release(entry) => Some(entry.as_ref()),
            Line::Event(_) => None,
        })
        .collect()
}

fn newest<'e>(entries: &[&'e HistoryEntry]) -> Vec<&'e HistoryEntry> {
    entries[entries.len().saturating_sub(DRAWN)..].to_vec()
}

fn releases(lines: &[Line]) -> Markup {
    let entries = all(lines);
    if entries.is_empty() {
        return html! { p.soft { (word("report.never-deployed")) } };
    }
    let failed = lines.iter().filter(|line| matches!(line, Line::Event(event) if event.result != Ending::Done)).count();
    let rows: Vec<_> = entries.iter().rev().collect();
    let (open, folded) = rows.split_at(rows.len().min(OPEN));
    html! {
        figure {
            figcaption { (word("report.timeline-key")) }
            (scroll("report.timeline", html! { (PreEscaped(timeline(&newest(&entries)).to_string())) }))
        }
        @if entries.len() > DRAWN { p.soft { (say("report.drawn", &[("count", DRAWN.to_string())])) } }
        @if failed > 0 { p { span.badge.warning { (failed) } (word("report.failed")) } }
        (scroll("report.releases", table(open)))
        @if !folded.is_empty() {
            details {
                summary { (say("report.earlier", &[("count", folded.len().to_string())])) }
                (scroll("report.releases", table(folded)))
            }
        }
    }
}

fn table(rows: &[&&HistoryEntry]) -> Markup {
    html! {
        table {
            thead { tr {
                th.number { (word("report.number")) } th { (word("report.when")) } th { (word("report.action")) }
                th { (word("report.changed")) } th.number { (word("report.took")) } th { (word("report.who")) }
            } }
            tbody {
                @for entry in rows {
                    tr {
                        td.number { (entry.release) } td { (time(entry.at)) } td { (action(entry.action)) }
                        td.long { (changed(entry)) }
                        td.number { @if let Some(work) = &entry.work { (span(work.milliseconds as f64)) } }
                        td { (entry.by) }
                    }
                }
            }
        }
    }
}

/// The versions that a release brought; of a component that left, its name alone.
fn changed(entry: &HistoryEntry) -> String {
    let one = |component| match entry.components.get(component) {
        Some(detail) => format!("{component}@{}", detail.version),
        None => format!("– {component}"),
    };
    entry.changed.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn measured<'e>(entries: &[&'e HistoryEntry]) -> Vec<(&'e HistoryEntry, &'e Work)> {
    entries.iter().filter_map(|entry| Some((*entry, entry.work.as_ref()?))).collect()
}

fn durations(entries: &[&HistoryEntry]) -> Markup {
    let measured = measured(entries);
    if measured.is_empty() {
        return html! { p.soft { (word("report.not-measured")) } };
    }
    let mut sorted: Vec<u64> = measured.iter().map(|(_, work)| work.milliseconds).collect();
    sorted.sort_unstable();
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let said = [
        ("count", measured.len().to_string()),
        ("median", span(middle as f64)),
        ("longest", span(sorted.last().copied().unwrap_or_default() as f64)),
    ];
    let about = say("report.durations-about", &said);
    let bar = |(entry, work): &(&HistoryEntry, &Work)| Bar {
        label: entry.release.to_string(),
        title: format!("{}: {}, {}", entry.release, changed(entry), span(work.milliseconds as f64)),
        parts: vec![("duration", work.milliseconds as f64)],
    };
    let drawn: Vec<_> = measured.iter().map(bar).collect();
    let svg = bars(&word("report.durations"), &about, &drawn, decimal, span).to_string();
    html! { figure { figcaption { (about) } (scroll("report.durations", html! { (PreEscaped(svg)) })) } }
}

fn bytes(entries: &[&HistoryEntry]) -> Markup {
    let measured = measured(entries);
    if measured.is_empty() {
        return html! { p.soft { (word("report.not-measured")) } };
    }
    let sum = |of: fn(&Work) -> u64| measured.iter().fold(0u64, |sum, (_, work)| sum.saturating_add(of(work)));
    let said = [
        ("fetched", ByteSize(sum(Work::fetched)).to_string()),
        ("reused", ByteSize(sum(Work::reused)).to_string()),
        ("count", measured.len().to_string()),
    ];
    let about = say("report.bytes-about", &said);
    let bar = |(entry, work): &(&HistoryEntry, &Work)| {
        let amounts =
            [("fetched", ByteSize(work.fetched()).to_string()), ("reused", ByteSize(work.reused()).to_string())];
        Bar {
            label: entry.release.to_string(),
            title: format!("{}: {}", entry.release, say("report.bytes-of-one", &amounts)),
            parts: vec![("fetched", work.fetched() as f64), ("reused", work.reused() as f64)],
        }
    };
    let drawn: Vec<_> = measured.iter().map(bar).collect();
    let amount = |bytes: f64| ByteSize(bytes as u64).to_string();
    let svg = bars(&word("report.bytes"), &about, &drawn, binary, amount).to_string();
    html! {
        figure {
            figcaption {
                (about) br;
                span.key.fetched {} (word("report.fetched")) span.key.reused {} (word("report.reused"))
            }
            (scroll("report.bytes", html! { (PreEscaped(svg)) }))
        }
    }
}

/// Milliseconds in the unit that fits.
fn span(milliseconds: f64) -> String {
    match milliseconds {
        short if short < 1000.0 => format!("{} ms", (short * 10.0).round() / 10.0),
        seconds if seconds < 120_000.0 => format!("{} s", (seconds / 100.0).round() / 10.0),
        long => format!("{} min", (long / 6000.0).round() / 10.0),
    }
}

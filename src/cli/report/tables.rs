//! What is current, what `doctor` found, what versions take, and what environments name.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};

use super::chart::{WIDTH, add, drawing, rect, text, with, words};
use super::page::{part, prose, scroll, time, word};
use crate::cli::commands::doctor::{Told, severity};
use crate::cli::commands::version::reason;
use crate::cli::words::say;
use crate::model::{ByteSize, ComponentType};
use crate::ops::doctor::Severity;
use crate::ops::env::Shown;
use crate::ops::report::{Report, Space};
use crate::ops::status::Status;

/// The current versions: the first that one wants to know.
pub(super) fn current(report: &Report) -> Markup {
    html! {
        (part(&report.status, |status| standing(report, status)))
        @if report.status.is_err() && !report.current.is_empty() {
            ul.versions {
                @for (component, version) in &report.current {
                    li { (component) b { (version) } }
                }
            }
        }
    }
}

fn standing(report: &Report, status: &Status) -> Markup {
    let Some(release) = status.release else {
        return html! { p.soft { (word(if report.is_there { "report.never-deployed" } else { "report.no-root" })) } };
    };
    html! {
        ul.versions {
            @for component in &status.components {
                li {
                    (component.component)
                    b { (component.version) }
                    small { @if let Some(since) = component.since { (word("report.since")) " " (time(since)) } }
                    @if let Some(commit) = &component.commit { small.soft { (word("report.record")) " " code { (short(commit)) } } }
                }
            }
        }
        p {
            (say("report.release", &[("release", release.to_string()), ("by", status.by.clone().unwrap_or_default())]))
            @if let Some(since) = status.since { ", " (time(since)) }
        }
        @if let Some(environment) = &status.environment {
            @let args = [("environment", environment.name.to_string()), ("serial", environment.serial.to_string())];
            p.soft { (prose(&say("report.follows", &args))) }
        }
        @if let Some(hold) = &status.hold {
            p { span.badge.warning { (word("report.hold")) } (time(hold.since)) " " (hold.by) }
        }
        @for bad in &status.bad {
            p { span.badge.error { (word("report.bad")) } (bad.component) "@" (bad.version) }
        }
    }
}

/// What is not as it should be, the worst first.
pub(super) fn findings(report: &Report, told: &[Told]) -> Markup {
    let mut all: Vec<_> = report.doctor.findings.iter().zip(told).filter(|(f, _)| f.severity != Severity::Ok).collect();
    all.sort_by_key(|(finding, _)| std::cmp::Reverse(finding.severity));
    let fine = [("count", report.doctor.count(Severity::Ok).to_string())];
    html! {
        @if !all.is_empty() {
            ul.findings {
                @for (finding, told) in &all {
                    li {
                        span.badge.(class(finding.severity)) { (severity(finding.severity)) }
                        (prose(&told.what))
                        @if let Some(why) = &told.why { p.soft { (prose(why)) } }
                        @if let Some(command) = &told.command { p { code { (command) } } }
                        @else if let Some(hint) = &told.hint { p.soft { (prose(hint)) } }
                    }
                }
            }
        }
        p.soft { (say(if all.is_empty() { "report.healthy" } else { "report.others-fine" }, &fine)) }
    }
}

fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// What each version takes, and what a cleanup would free.
pub(super) fn space(space: &Space) -> Markup {
    if space.versions.is_empty() {
        return html! { p.soft { (word("report.nothing-installed")) } };
    }
    let key = if space.at_most { "report.would-free-at-most" } else { "report.would-free" };
    let count = space.versions.iter().filter(|version| version.goes()).count().to_string();
    html! {
        p { (prose(&say(key, &[("bytes", ByteSize(space.freed).to_string()), ("count", count)]))) }
        figure {
            figcaption {
                span.key.keep {} (word("report.kept")) span.key.free {} (word("report.goes"))
            }
            (scroll("report.space", html! { (PreEscaped(shares(space))) }))
        }
        (scroll("report.space", html! {
            table {
                thead { tr {
                    th { (word("report.component")) } th { (word("report.version")) }
                    th.number { (word("report.own")) } th.number { (word("report.shared")) }
                    th { (word("report.installed")) } th { (word("report.cleanup")) }
                } }
                tbody {
                    @for version in &space.versions {
                        tr.goes[version.goes()] {
                            td { (version.component) } td { (version.version) }
                            td.number { (ByteSize(version.own)) } td.number { (ByteSize(version.shared)) }
                            td { (time(version.installed_at)) } td.long { (reason(&version.reason)) }
                        }
                    }
                }
            }
        }))
    }
}

/// A bar a component: what stays, and what a cleanup would remove.
fn shares(space: &Space) -> String {
    let mut sums: BTreeMap<&ComponentType, (u64, u64)> = BTreeMap::new();
    for version in &space.versions {
        let (kept, goes) = sums.entry(&version.component).or_default();
        let sum = if version.goes() { goes } else { kept };
        *sum = sum.saturating_add(version.own);
    }
    let most = sums.values().map(|(kept, goes)| kept.saturating_add(*goes)).max().unwrap_or(0).max(1) as f64;
    let mut svg = drawing(sums.len() as f64 * 40.0 + 4.0, &word("report.space"), &word("report.space-about"));
    for (row, (component, (kept, goes))) in sums.into_iter().enumerate() {
        let y = row as f64 * 40.0;
        let said = [
            ("component", component.to_string()),
            ("kept", ByteSize(kept).to_string()),
            ("goes", ByteSize(goes).to_string()),
        ];
        let said = say("report.share", &said);
        let (stays, leaves) = (kept as f64 / most * WIDTH, goes as f64 / most * WIDTH);
        let mut group = with("g", &[]);
        add(&mut group, words("title", &said));
        add(&mut group, text(0.0, y + 12.0, "start", &said));
        add(&mut group, rect(0.0, y + 18.0, stays, 16.0, "keep"));
        add(&mut group, rect(stays, y + 18.0, leaves, 16.0, "free"));
        add(&mut svg, group);
    }
    svg.to_string()
}

/// A row a component, a column an environment; what differs from the root stands out.
pub(super) fn environments(all: &[Shown], report: &Report) -> Markup {
    if all.is_empty() {
        return html! { p.soft { (word("report.no-environments")) } };
    }
    let named = all.iter().flat_map(|shown| shown.components.iter().map(|pinned| &pinned.component));
    let mut components: Vec<&ComponentType> = named.chain(report.current.keys()).collect();
    components.sort();
    components.dedup();
    html! {
        (scroll("report.environments", html! {
            table {
                thead { tr {
                    th { (word("report.component")) } th { (word("report.here")) }
                    @for shown in all { th { (shown.name) " " span.soft { (say("report.serial", &[("serial", shown.serial.to_string())])) } } }
                } }
                tbody {
                    @for component in components {
                        @let here = report.current.get(component);
                        tr {
                            td { (component) }
                            td { @match here { Some(version) => (version), None => "–" } }
                            @for shown in all {
                                @match shown.components.iter().find(|pinned| pinned.component == *component) {
                                    Some(pinned) if Some(&pinned.version) == here => { td { (pinned.version) } }
                                    Some(pinned) => { td { b { (pinned.version) } } }
                                    None => { td.soft { "–" } }
                                }
                            }
                        }
                    }
                }
            }
        }))
        p.soft { (word("report.bold")) }
    }
}

fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}

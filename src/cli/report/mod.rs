//! How a report looks: one page of HTML that needs nothing else, and the same data as JSON.
//!
//! ```text
//! ops::report::Report ── page ── head, style.css
//!            │             ├──── current, findings, environments, space: tables
//!            │             └──── timeline, bars ── chart (SVG)
//!            └────────── document (JSON)
//! ```
//!
//! Promises: no script and nothing from the network, which the page forbids itself; whatever comes from records, names and paths
//! is escaped by `maud` and `svg`; colours are the style sheet's alone, so that dark, light and print are one drawing. Must not
//! know: where the data come from.

mod chart;
mod data;
mod page;
mod releases;
mod tables;
mod timeline;

pub(super) use data::document;
pub(super) use page::page;

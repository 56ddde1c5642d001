//! The page: its head, and the parts in the order in which one asks for them.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{releases, tables};
use crate::cli::commands::doctor::Told;
use crate::cli::explain::Explain as _;
use crate::cli::words::say;
use crate::model::Timestamp;
use crate::ops::Error;
use crate::ops::report::Report;

/// The page itself allows nothing but its own style sheet: no script, nothing from the network.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The whole of it.
pub(in crate::cli) fn page(report: &Report, told: &[Told]) -> String {
    let root = report.root.display().to_string();
    let title = say("report.title", &[("root", root)]);
    let page = html! {
        (DOCTYPE)
        html lang=(word("report.lang")) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header {
                    h1 { (title) }
                    p.soft { (word("report.made")) " " (time(report.at)) }
                }
                main {
                    (section("current", "report.current", tables::current(report)))
                    (section("findings", "report.findings", tables::findings(report, told)))
                    (releases::sections(&report.trail))
                    (section("space", "report.space", part(&report.space, tables::space)))
                    (section("environments", "report.environments", part(&report.environments, |all| tables::environments(all, report))))
                }
                footer { p { (say("report.by", &[("version", env!("CARGO_PKG_VERSION").to_owned())])) } }
            }
        }
    };
    page.into_string() + "\n"
}

/// A part of the page under its heading.
pub(super) fn section(id: &str, heading: &'static str, content: Markup) -> Markup {
    html! { section id=(id) { h2 { (word(heading)) } (content) } }
}

/// What can be read, or why it cannot.
pub(super) fn part<T>(part: &Result<T, Error>, draw: impl FnOnce(&T) -> Markup) -> Markup {
    match part {
        Ok(part) => draw(part),
        Err(error) => {
            let phrase = error.explain();
            html! {
                div.failure {
                    p { span.badge.error { (word("report.unreadable")) } (prose(&phrase.text())) }
                    @if let Some(hint) = phrase.hint() { p.soft { (prose(&hint)) } }
                }
            }
        }
    }
}

/// An instant for people and for programs.
pub(super) fn time(at: Timestamp) -> Markup {
    let exact = at.to_string();
    let shown = exact.replace('T', " ").replace('Z', " UTC");
    html! { time datetime=(exact) { (shown) } }
}

/// Words without arguments.
pub(super) fn word(key: &'static str) -> String {
    say(key, &[])
}

/// Sentences, in which what stands between backticks is code. One backtick alone is nothing but that.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (number, part) in parts.iter().enumerate() {
            @if number.is_multiple_of(2) { (part) } @else { code { (part) } }
        }
    }
}

/// What is wider than a phone is pushed sideways by itself, also with the keys, and the page is not.
pub(super) fn scroll(label: &'static str, content: Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(word(label)) { (content) } }
}

#[cfg(test)]
mod tests {
    use super::prose;

    #[test]
    fn what_stands_between_backticks_is_code_and_still_text() {
        let shown = |text| prose(text).into_string();
        assert_eq!(shown("run `a & b`, then `<c>`"), "run <code>a &amp; b</code>, then <code>&lt;c&gt;</code>");
        assert_eq!(shown("one ` alone"), "one ` alone");
        assert_eq!(shown("none"), "none");
    }
}

//! The table of contents leads to every page, and every link leads somewhere.

use std::fs;
use std::path::Path;

use super::pages;

/// The places that links of a text lead to, without those to the web.
fn links(text: &str) -> Vec<String> {
    let mut code = false;
    let lines = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        code ^= fence;
        !code && !fence
    });
    let targets = |line: &str| -> Vec<String> {
        let parts = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        parts.map(|(target, _)| target.to_owned()).filter(|target| !target.contains("://")).collect()
    };
    lines.flat_map(targets).collect()
}

/// What GitHub makes of a heading as the name of its place.
fn anchor(heading: &str) -> String {
    let kept =
        heading.trim().to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
    kept.replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for (name, text) in pages() {
        for link in links(&text) {
            let (file, place) = link.split_once('#').unwrap_or((&link, ""));
            let page = top.join(&name);
            let to = if file.is_empty() { page.clone() } else { page.parent().expect("a directory").join(file) };
            assert!(to.exists(), "{name} links to `{link}`, which is not there");
            if !place.is_empty() {
                let text = fs::read_to_string(&to).expect("a page");
                let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
                let there = headings.map(|heading| anchor(heading.trim_start_matches('#'))).any(|a| a == place);
                assert!(there, "{name} links to `{link}`, and there is no such heading");
            }
            count += 1;
        }
    }
    assert!(count > 100, "only {count} links were found");
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let pages = pages();
    let contents = pages.iter().find(|(name, _)| name == "docs/README.md").map(|(_, text)| links(text));
    let contents = contents.expect("docs/README.md");
    for (name, _) in &pages {
        let Some(page) = name.strip_prefix("docs/").filter(|page| *page != "README.md") else { continue };
        assert!(contents.iter().any(|link| link == page), "docs/README.md does not lead to {page}");
    }
}

//! `docs/troubleshooting.md` is found by what the program prints: each of its messages is one of the catalogue.

/// The sentences of the catalogue, with `…` for their arguments, and words that go with a number as for several; of those of
/// several lines the first.
fn sentences() -> Vec<String> {
    let catalogue = include_str!("../../../src/cli/words/en.txt");
    let words = catalogue.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
    words.map(|(_, words)| without_arguments(words.split("\\n").next().unwrap_or_default())).collect()
}

fn without_arguments(words: &str) -> String {
    let mut out = String::new();
    let mut rest = words;
    while let Some((before, after)) = rest.split_once('{') {
        out += before;
        let (argument, after) = after.split_once('}').unwrap_or((after, ""));
        out += argument.split_once('|').map_or("…", |(_, several)| several);
        rest = after;
    }
    out + rest
}

#[test]
fn what_troubleshooting_explains_is_what_the_program_says() {
    let sentences = sentences();
    let page = include_str!("../../../docs/troubleshooting.md");
    let headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(headings.len() > 30, "{}", headings.len());
    for heading in headings {
        assert!(sentences.iter().any(|sentence| sentence == heading), "nothing says `{heading}`");
    }
}

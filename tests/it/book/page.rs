//! A page of Markdown as the steps its reader takes.
//!
//! ````text
//! ```sh                       commands, run as one script; every one has to succeed
//! ```console                  `$ command`, `> ` its further lines, and what it prints; `…` stands for anything
//! ```sh (on a cluster)        needs what no test has: only looked at
//! <!-- file: app/conf -->     the block below is written to that file
//! <!-- printed -->            the block below is what the one above printed
//! <!-- run                    what has to be there before, run as `sh` is, ended by `-->`
//! ````

use std::ops::Range;

/// What a reader does with a block.
pub enum Step {
    /// Runs a script.
    Run(String),
    /// Runs commands one by one and compares what each prints.
    Console(Vec<Example>),
    /// Writes a file.
    File(String, String),
    /// Compares what the last script printed.
    Printed(Range<usize>),
    /// Does it somewhere else: what stands in the parentheses, and the script.
    Elsewhere(String, String),
}

/// A command and the lines of the page that show what it prints.
pub struct Example {
    pub command: String,
    pub output: Range<usize>,
}

/// The steps of a page, each with the number of its first line.
pub fn steps(lines: &[&str]) -> Vec<(usize, Step)> {
    let mut steps = Vec::new();
    let mut before = "";
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if line == "<!-- run" {
            let end = end(lines, at, "-->");
            steps.push((at + 1, Step::Run(lines[at + 1..end].join("\n"))));
            at = end;
        } else if let Some(info) = line.strip_prefix("```") {
            let end = end(lines, at, "```");
            let body = at + 1..end;
            steps.extend(step(info, before, lines, body).map(|step| (at + 1, step)));
            at = end;
        }
        if !lines[at].is_empty() {
            before = lines[at];
        }
        at += 1;
    }
    steps
}

/// The line that ends what begins at `start`.
fn end(lines: &[&str], start: usize, mark: &str) -> usize {
    let found = lines[start + 1..].iter().position(|line| *line == mark);
    start + 1 + found.unwrap_or_else(|| panic!("what begins at line {} has no `{mark}`", start + 1))
}

/// What a block with this info string and the line `before` it asks for; most kinds ask for nothing.
fn step(info: &str, before: &str, lines: &[&str], body: Range<usize>) -> Option<Step> {
    let text = || lines[body.clone()].join("\n");
    if let Some(path) = before.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->")) {
        return Some(Step::File(path.to_owned(), text() + "\n"));
    }
    if before == "<!-- printed -->" {
        return Some(Step::Printed(body));
    }
    match info.split_once(' ') {
        Some(("sh" | "console", place)) => Some(Step::Elsewhere(place.to_owned(), text())),
        _ if info == "sh" => Some(Step::Run(text())),
        _ if info == "console" => Some(Step::Console(examples(lines, body))),
        _ => None,
    }
}

fn examples(lines: &[&str], body: Range<usize>) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for at in body {
        match (lines[at].strip_prefix("$ "), examples.last_mut()) {
            (Some(command), _) => examples.push(Example { command: command.to_owned(), output: at + 1..at + 1 }),
            (None, Some(example)) => match lines[at].strip_prefix("> ").filter(|_| example.output.end == at) {
                Some(more) if example.output.is_empty() => {
                    example.command = format!("{}\n{more}", example.command);
                    example.output = at + 1..at + 1;
                }
                _ => example.output.end = at + 1,
            },
            (None, None) => panic!("line {}: a console block begins with `$ `", at + 1),
        }
    }
    examples
}

/// Whether `printed` is what the page shows: the same but for ids, times and spaces, and with `…` for anything; a line that is
/// `…` and nothing else stands for any lines.
pub fn shows(shown: &[&str], printed: &str) -> bool {
    let shown: Vec<String> = shown.iter().map(|line| comparable(line)).collect();
    let printed: Vec<String> = printed.trim_end().lines().map(comparable).collect();
    lines_match(trimmed(&shown), trimmed(&printed))
}

fn trimmed(lines: &[String]) -> &[String] {
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    &lines[..end]
}

fn lines_match(shown: &[String], printed: &[String]) -> bool {
    match shown {
        [] => printed.is_empty(),
        [any, rest @ ..] if any == "…" => (0..=printed.len()).any(|skipped| lines_match(rest, &printed[skipped..])),
        [line, rest @ ..] => printed.first().is_some_and(|p| line_matches(line, p)) && lines_match(rest, &printed[1..]),
    }
}

fn line_matches(shown: &str, printed: &str) -> bool {
    let Some((start, rest)) = shown.split_once('…') else { return shown == printed };
    let Some(mut left) = printed.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(last)
}

/// A line with everything that differs from day to day and from machine to machine put aside.
fn comparable(line: &str) -> String {
    let word = |word: &str| {
        let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_id = core.len() >= 12 && core.bytes().all(|b| b.is_ascii_hexdigit());
        let is_time = core.len() == 20 && core.ends_with('Z') && core.as_bytes().get(10) == Some(&b'T');
        match core.strip_prefix("mei@") {
            Some(_) => word.replace(core, "mei@HOST"),
            None if is_id => word.replace(core, "ID"),
            None if is_time => word.replace(core, "TIME"),
            None => word.to_owned(),
        }
    };
    // The last figure of what took time is its seconds.
    let line = match line.strip_suffix(" s").and_then(|rest| rest.rsplit_once(", ")) {
        Some((rest, seconds)) if seconds.parse::<f64>().is_ok() => format!("{rest}, SECONDS"),
        _ => line.to_owned(),
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn output_is_compared_but_for_what_differs_from_run_to_run() {
    let same = |shown: &str, printed: &str| shows(&shown.lines().collect::<Vec<_>>(), printed);
    assert!(same("a  b\n", "a b"));
    assert!(same("at 2026-11-23T19:19:31Z", "at 2027-01-01T00:00:00Z"));
    assert!(same("commit 98184b1c783d.", "commit aaaaaaaaaaaa."));
    assert!(same("x, 0.3 s", "x, 12.0 s"));
    assert!(same("pid …: … of it", "pid 12: all of it"));
    assert!(same("first\n…\nlast", "first\n1\n2\nlast"));
    assert!(same("first\n…", "first"));
    assert!(!same("first\n…\nlast", "first\n1\n2"));
    assert!(!same("a … c", "a b d"));
    assert!(!same("… a … a", "an a"));
    assert!(!same("1.0.0", "1.0.1"));
    assert!(!same("", "something"));
    assert!(!same("something", ""));
}

//! The README and `docs/` are a book that is true: every command of every page is run, page by page, as somebody would who
//! reads it from top to bottom, and prints what the page shows ([`page`] says how a page is written). What no machine of ours
//! has is looked at only, and listed here.
//!
//! `UPDATE_DOCS=1 cargo test --test it book` writes into the pages what was printed.

use std::fs;
use std::path::{Path, PathBuf};

mod links;
mod messages;
mod page;
pub mod reader;

use super::programs::has;
use page::{Step, shows, steps};
use reader::Reader;

/// What commands need that no test has: the words after the kind of a block, and how many blocks there may be.
const ELSEWHERE: [(&str, usize); 5] =
    [("(on a cluster)", 1), ("(with DVC)", 1), ("(with a registry)", 1), ("(with a server)", 2), ("(with systemd)", 4)];

/// Every page: its name from the top of the project, and its text.
pub fn pages() -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut left: Vec<PathBuf> = ["README.md", "README.zh-CN.md", "docs"].map(|name| top.join(name)).to_vec();
    let mut pages = Vec::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).expect("listed").map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "md")
            && let Ok(text) = fs::read_to_string(&path)
        {
            pages.push((path.strip_prefix(top).expect("below").display().to_string(), text));
        }
    }
    pages.sort();
    pages
}

/// What was not as the page has it, and in which way the page would be.
struct Found {
    wrong: Vec<String>,
    /// Lines of the page, and what would stand there.
    instead: Vec<(std::ops::Range<usize>, String)>,
    commands: usize,
}

/// Does what a page says. Stops at the first command that cannot be run.
fn read(name: &str, text: &str) -> Found {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Found { wrong: Vec::new(), instead: Vec::new(), commands: 0 };
    let mut reader = if name.starts_with("README") { Reader::stranger() } else { Reader::new() };
    let mut printed = String::new();
    for (line, step) in steps(&lines) {
        let place = format!("{name}:{line}");
        match step {
            Step::Run(script) => {
                let script = installed(&script);
                let status;
                (status, printed) = reader.run(&format!("set -e\n{script}\nset +e\ntrue"));
                if status != 0 {
                    found.wrong.push(format!("{place}: status {status}:\n{script}\n{printed}"));
                    return found;
                }
                found.commands += 1;
            }
            Step::Console(examples) => {
                for example in examples {
                    let shown = &lines[example.output.clone()];
                    let fails = shown.iter().any(|line| line.starts_with("error")) && !example.command.contains(" || ");
                    let (status, printed) = reader.run(&example.command);
                    if (status != 0) != fails {
                        found.wrong.push(format!("{place}: status {status} of `{}`:\n{printed}", example.command));
                        return found;
                    }
                    if !shows(shown, &printed) {
                        found.wrong.push(format!("{place}: `{}` printed:\n{printed}", example.command));
                        found.instead.push((example.output, printed));
                    }
                    found.commands += 1;
                }
            }
            Step::Printed(body) => {
                if !shows(&lines[body.clone()], &printed) {
                    found.wrong.push(format!("{place}: printed was:\n{printed}"));
                    found.instead.push((body, printed.clone()));
                }
            }
            Step::File(path, text) => reader.write(&path, &text),
            Step::Elsewhere(..) => {}
        }
    }
    found
}

/// What a page says to somebody who builds the program, for somebody who has it. (`.ci/run` does build it.)
fn installed(script: &str) -> String {
    let line = |line: &str| match line.strip_prefix("cargo run --release --locked -- ") {
        Some(arguments) => format!("deploy-tool {arguments}\n"),
        None if line.starts_with("cargo ") => String::new(),
        None => format!("{line}\n"),
    };
    script.lines().map(line).collect()
}

/// The page with what was printed.
fn updated(text: &str, instead: &[(std::ops::Range<usize>, String)]) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for (range, printed) in instead.iter().rev() {
        lines.splice(range.clone(), printed.trim_end().lines());
    }
    lines.join("\n") + "\n"
}

/// What a page needs: `<!-- needs: ansible-playbook (Debian: ansible-core) -->`.
fn has_all(text: &str) -> bool {
    let needs = text.lines().filter_map(|line| line.strip_prefix("<!-- needs: ")?.strip_suffix(") -->"));
    needs.filter_map(|need| need.split_once(" (Debian: ")).all(|(program, package)| has(program, package))
}

#[test]
fn every_command_does_and_prints_what_its_page_says() {
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    let only = std::env::var("DOCS_PAGE").ok();
    let pages: Vec<_> =
        pages().into_iter().filter(|(name, _)| only.as_ref().is_none_or(|o| name.contains(o))).collect();
    let read = |(name, text): &(String, String)| {
        let found = read(name, text);
        if update && !found.instead.is_empty() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            fs::write(path, updated(text, &found.instead)).expect("written");
        }
        found
    };
    let left = std::sync::Mutex::new(pages.iter().filter(|(_, text)| has_all(text)));
    let found: Vec<Found> = std::thread::scope(|scope| {
        let work = || std::iter::from_fn(|| left.lock().expect("nobody panicked").next().map(read)).collect();
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker: std::thread::ScopedJoinHandle<'_, Vec<Found>>| worker.join().expect("read"))
            .collect()
    });
    let wrong: Vec<_> = found.iter().flat_map(|found| &found.wrong).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let commands: usize = found.iter().map(|found| found.commands).sum();
    assert!(only.is_some() || commands > 150, "only {commands} commands were found");
}

#[test]
fn what_no_test_has_is_little_and_said() {
    let mut found: Vec<(String, usize)> = Vec::new();
    for (name, text) in pages() {
        let lines: Vec<&str> = text.lines().collect();
        for (line, step) in steps(&lines) {
            let Step::Elsewhere(place, script) = step else { continue };
            let script: String = script.lines().map(|line| line.trim_start_matches("$ ").to_owned() + "\n").collect();
            let sh = std::process::Command::new("sh").args(["-n", "-c", &script]).output().expect("sh runs");
            assert!(sh.status.success(), "{name}:{line}: {}", String::from_utf8_lossy(&sh.stderr));
            match found.iter_mut().find(|(known, _)| *known == place) {
                Some((_, count)) => *count += 1,
                None => found.push((place, 1)),
            }
        }
    }
    found.sort();
    assert_eq!(found, ELSEWHERE.map(|(place, count)| (place.to_owned(), count)));
}

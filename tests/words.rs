//! The catalogue holds every sentence the program asks for, and none that it never asks for.

// The bans are for the library: a test looks at the disk and the environment as a user does.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const CATALOGUE: &str = include_str!("../src/cli/words/en.txt");
const CHINESE: &str = include_str!("../src/cli/words/zh.txt");

/// The keys of a catalogue with their words, in order.
fn entries(catalogue: &'static str) -> Vec<(&'static str, &'static str)> {
    let lines = catalogue.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(" = ").unwrap_or_else(|| panic!("no ` = ` in {line:?}"))).collect()
}

fn keys() -> BTreeSet<&'static str> {
    entries(CATALOGUE).into_iter().map(|(key, _)| key).collect()
}

/// Whether a string literal is a key: lower-case words joined by dots and dashes, with at least one dot.
fn is_key(literal: &str) -> bool {
    let part = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    literal.contains('.') && literal.split('.').all(part)
}

/// The string literals of a Rust source before its tests. Good enough for code without raw strings and with no escaped
/// quotes in keys.
fn literals(source: &str) -> Vec<&str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or(source);
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}

fn asked_for(dir: &Path, out: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            asked_for(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let source = fs::read_to_string(&path).expect("read");
            out.extend(literals(&source).into_iter().filter(|l| is_key(l)).map(str::to_owned));
        }
    }
}

/// The rules of `record check`, which are the keys of their words.
fn rules() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for dir in ["src/records/check", "src/ops/check", "src/ops/trust"] {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)).expect("listed") {
            let source = fs::read_to_string(entry.expect("an entry").path()).expect("read");
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            for start in ["Finding::error(\"", "Finding::warning(\""] {
                let calls = source.split(start).skip(1);
                found.extend(calls.filter_map(|rest| rest.split('"').next()).map(|rule| format!("review.{rule}")));
            }
        }
    }
    // Those of which only what the request changes decides how bad they are.
    found.extend(["too-few-signatures", "not-allowed", "nobody-known"].map(|rule| format!("review.{rule}")));
    found
}

#[test]
fn every_rule_of_a_review_has_words_and_says_what_to_do() {
    let (known, all) = (keys(), rules());
    assert!(all.len() > 40, "only {} rules were seen", all.len());
    for rule in &all {
        assert!(known.contains(rule.as_str()) && known.contains(format!("{rule}.hint").as_str()), "{rule}");
    }
}

/// The findings of `doctor`, each with whether it is of what is as it should be. Their ids are the keys of their words.
fn findings() -> BTreeSet<(String, bool)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops/doctor");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).expect("listed") {
        let source = fs::read_to_string(entry.expect("an entry").path()).expect("read");
        for call in source.split("Finding::").skip(1) {
            let made = ["ok(", "info(", "warning(", "error("]
                .iter()
                .find_map(|start| Some((*start, call.strip_prefix(start)?)));
            let Some((start, rest)) = made else { continue };
            for id in rest.split(')').next().unwrap_or_default().split('"').skip(1).step_by(2) {
                found.insert((format!("doctor.{id}"), start == "ok("));
            }
        }
    }
    found
}

#[test]
fn every_finding_says_why_it_matters_and_what_mends_it() {
    let known = keys();
    let has = |key: &str, end: &str| known.contains(format!("{key}.{end}").as_str());
    let all = findings();
    assert!(all.len() > 60, "only {} findings were seen", all.len());
    for (key, ok) in all {
        let (why, mend, hint) = (has(&key, "why"), has(&key, "mend"), has(&key, "hint"));
        assert_eq!(
            (why, mend != hint),
            (!ok, !ok),
            "`{key}`: a reason and either a command or a hint, if it is not ok"
        );
    }
}

#[test]
fn no_sentence_is_missing_and_none_is_left_over() {
    let mut asked = BTreeSet::new();
    asked_for(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli"), &mut asked);
    asked.extend(findings().into_iter().map(|(key, _)| key));
    asked.extend(rules());
    asked.extend(["error", "warning", "hint"].map(str::to_owned));
    let known = keys();
    let prefixes: BTreeSet<&str> = known.iter().filter_map(|key| key.split('.').next()).collect();
    let missing: Vec<_> = asked
        .iter()
        .filter(|key| prefixes.contains(key.split('.').next().unwrap_or("")) && !known.contains(key.as_str()))
        .collect();
    assert!(missing.is_empty(), "the catalogue lacks {missing:?}");
    let left: Vec<_> = known
        .iter()
        .filter(|key| !key.starts_with("help"))
        .filter(|key| {
            let of = [".hint", ".why", ".mend"].iter().find_map(|end| key.strip_suffix(end));
            !asked.contains(**key) && !of.is_some_and(|key| asked.contains(key))
        })
        .collect();
    assert!(left.is_empty(), "nothing asks for {left:?}");
}

#[test]
fn a_key_stands_once_and_braces_are_closed() {
    for catalogue in [CATALOGUE, CHINESE] {
        let mut seen = BTreeSet::new();
        for (key, words) in entries(catalogue) {
            assert!(seen.insert(key), "`{key}` stands twice");
            assert_eq!(words.matches('{').count(), words.matches('}').count(), "{key}: {words}");
        }
    }
}

#[test]
fn words_in_the_number_of_an_argument_have_two_forms_and_stand_where_it_does() {
    let mut seen = 0;
    for (key, words) in [entries(CATALOGUE), entries(CHINESE)].concat() {
        let parts = words.split('{').skip(1).filter_map(|rest| rest.split_once('}')?.0.split_once(':'));
        // `{type: github}` is YAML, `${VAR:-default}` the shell's.
        for (argument, forms) in parts.filter(|(_, forms)| !forms.starts_with([' ', '-'])) {
            seen += 1;
            let whole = forms.split('|').all(|form| !form.is_empty()) && forms.matches('|').count() == 1;
            assert!(whole && words.contains(&format!("{{{argument}}}")), "{key}: {words}");
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn both_languages_have_the_same_keys_in_the_same_order() {
    let (english, chinese) = (entries(CATALOGUE), entries(CHINESE));
    let lacking = |of: &[(&'static str, &str)], than: &[(&str, &str)]| {
        let known: BTreeSet<_> = of.iter().map(|(key, _)| *key).collect();
        than.iter().map(|(key, _)| (*key).to_owned()).filter(|key| !known.contains(key.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(lacking(&chinese, &english), Vec::<String>::new(), "the Chinese catalogue lacks these");
    assert_eq!(lacking(&english, &chinese), Vec::<String>::new(), "the English catalogue lacks these");
    for ((english, _), (chinese, _)) in english.iter().zip(&chinese) {
        assert_eq!(english, chinese, "the order is another from here on");
    }
}

/// The names in `{braces}`, each once; those of `${VARIABLES}` are none.
fn arguments(words: &str) -> BTreeSet<&str> {
    let name = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b));
    let parts = words.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    // Words in the number of an argument are of that argument.
    parts
        .map(|(argument, _)| argument.split(':').next().unwrap_or_default())
        .filter(|argument| name(argument))
        .collect()
}

/// What stands between backticks: commands, flags, files, keys. They are the same in every language.
fn quoted(words: &str) -> BTreeSet<&str> {
    words.split('`').skip(1).step_by(2).collect()
}

#[test]
fn both_languages_have_the_same_arguments_and_the_same_code() {
    let chinese: std::collections::BTreeMap<_, _> = entries(CHINESE).into_iter().collect();
    for (key, words) in entries(CATALOGUE) {
        let other = chinese[key];
        assert_eq!(arguments(words), arguments(other), "`{key}`\n{words}\n{other}");
        assert_eq!(quoted(words), quoted(other), "`{key}`\n{words}\n{other}");
    }
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Whether words are the same in every language: arguments, code, a command that mends, the name of a digest, the tag of the
/// language itself, and the one word that Chinese takes over for a set of versions on a root.
fn needs_no_translation(key: &str, words: &str) -> bool {
    let mut bare = words.to_owned();
    for code in quoted(words) {
        bare = bare.replace(&format!("`{code}`"), "");
    }
    for argument in arguments(words) {
        bare = bare.replace(&format!("{{{argument}}}"), "");
    }
    let bare = bare.trim_matches(|c: char| !c.is_alphanumeric());
    key.ends_with(".mend")
        || key == "report.lang"
        || matches!(bare, "" | "SHA256" | "sha256" | "tree" | "RELEASE" | "y/N")
}

#[test]
fn no_sentence_is_left_in_english() {
    let left: Vec<_> = entries(CHINESE)
        .into_iter()
        .filter(|(key, words)| !words.contains(is_chinese) && !needs_no_translation(key, words))
        .collect();
    assert_eq!(left, Vec::<(&str, &str)>::new());
}

/// Whether a mark of ASCII stands where Chinese has a wide one: between two Chinese characters, or behind one at the end.
fn narrow_mark(words: &str) -> Option<String> {
    let characters: Vec<char> = words.chars().collect();
    let narrow = |c: char| matches!(c, ',' | ';' | '?' | '!' | ':' | '(' | ')');
    let at = characters.windows(2).position(|pair| is_chinese(pair[0]) && narrow(pair[1]))?;
    Some(characters[at..].iter().take(8).collect())
}

#[test]
fn chinese_sentences_have_wide_marks_and_no_period() {
    for (key, words) in entries(CHINESE) {
        assert_eq!(narrow_mark(words), None, "`{key}`: {words}");
        let several = words.matches('。').count() > 1 || key.ends_with(".examples") || key == "record-check.more";
        assert!(several || !words.ends_with('。'), "`{key}`: {words}");
    }
    assert_eq!(narrow_mark("好, 的").as_deref(), Some("好, 的"));
}

/// The blocks of code of a page.
fn blocks(page: &str) -> Vec<&str> {
    page.split("\n```").skip(1).step_by(2).collect()
}

#[test]
fn both_readmes_have_the_same_code_and_lead_to_each_other() {
    let (english, chinese) = (include_str!("../README.md"), include_str!("../README.zh-CN.md"));
    assert!(blocks(english).len() > 10);
    assert_eq!(blocks(english), blocks(chinese));
    assert!(english.lines().take(3).any(|line| line.contains("(README.zh-CN.md)")));
    assert!(chinese.lines().take(3).any(|line| line.contains("(README.md)")));
}

#[test]
fn the_reader_of_sources_sees_keys() {
    let source = "fn f() { say(\"a.b-c\", x); // \"no.key\"\n// \"x.y\"\n\"A.b\" \"plain\" }\n#[cfg(test)]\n\"t.t\"";
    let found: Vec<_> = literals(source).into_iter().filter(|l| is_key(l)).collect();
    assert_eq!(found, ["a.b-c", "no.key"]);
}

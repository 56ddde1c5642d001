//! The sources of the program as tokens, for tests that read `src/`. Macros are not expanded.

use std::path::{Path, PathBuf};

pub struct Token {
    pub text: String,
    pub line: usize,
}

/// Words, `::` and single signs. Comments are left out; strings, characters and lifetimes become one `'`.
pub fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let get = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let word_end = |mut at: usize| {
        while get(at).is_alphanumeric() || get(at) == '_' {
            at += 1;
        }
        at
    };
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let (start, first) = (at, chars[at]);
        let mut text = None;
        if first == '/' && get(at + 1) == '/' {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if first == '/' && get(at + 1) == '*' {
            at = block_comment_end(&chars, at);
        } else if first == '"' {
            at = string_end(&chars, at, 0, true);
            text = Some("'".to_owned());
        } else if first == '\'' {
            at = match (get(at + 1), get(at + 2)) {
                ('\\', _) => (at + 3..chars.len()).find(|end| chars[*end] == '\'').map_or(chars.len(), |end| end + 1),
                (_, '\'') => at + 3,
                _ => word_end(at + 1),
            };
            text = Some("'".to_owned());
        } else if first.is_alphanumeric() || first == '_' {
            at = word_end(at);
            let word: String = chars[start..at].iter().collect();
            let hashes = (at..).take_while(|at| get(*at) == '#').count();
            let raw = matches!(word.as_str(), "r" | "br" | "cr");
            if raw && get(at + hashes) == '"' {
                at = string_end(&chars, at + hashes, hashes, false);
                text = Some("'".to_owned());
            } else if word == "r" && hashes == 1 {
                at += 1;
            } else if !(matches!(word.as_str(), "b" | "c") && matches!(get(at), '"' | '\'')) {
                text = Some(word);
            }
        } else if first == ':' && get(at + 1) == ':' {
            at += 2;
            text = Some("::".to_owned());
        } else {
            at += 1;
            text = (!first.is_whitespace()).then(|| first.to_string());
        }
        found.extend(text.map(|text| Token { text, line }));
        line += chars[start..at].iter().filter(|c| **c == '\n').count();
    }
    found
}

/// Block comments nest.
fn block_comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// `at` is the opening quote; the end is a quote and as many `#` as it began with.
fn string_end(chars: &[char], mut at: usize, hashes: usize, escapes: bool) -> usize {
    at += 1;
    while at < chars.len() {
        match chars[at] {
            '\\' if escapes => at += 2,
            '"' if chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes => {
                return at + 1 + hashes;
            }
            _ => at += 1,
        }
    }
    chars.len()
}

/// Which tokens belong to items under `#[cfg(test)]`; in a file of tests, all.
pub fn tested(tokens: &[Token], file: &str) -> Vec<bool> {
    let texts: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    let whole = file.ends_with("/tests.rs") || file.contains("/tests/");
    let mut tested = vec![whole; tokens.len()];
    for start in 0..texts.len() {
        if !texts[start..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            continue;
        }
        let mut depth = 0;
        for at in start..texts.len() {
            tested[at] = true;
            match texts[at] {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(texts[at], "}" | ";") {
                break;
            }
        }
    }
    tested
}

/// All Rust files below `dir`.
pub fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("src/ can be listed") {
        let path = entry.expect("src/ can be listed").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

//! Holds the rules of the house by reading `src/`: who imports whom, who touches the disk, the terminal and the
//! environment, and how long a file may be.
//!
//! The sources are read as tokens (comments and strings left out), every `a::b::c` and every `use` tree is turned
//! into full paths from the root of the crate, and the rules look at those. Macros are not expanded. The layers hold
//! for unit tests too; the other bans do not, since a test may prepare its scene with any means.

#![allow(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::path::Path;

#[path = "shared/tokens.rs"]
mod tokens;

use tokens::{Token, rust_files, tested, tokens};

/// The rooms from the ground up; a room imports only from rows above its own. `config` may know `model`, so that
/// layer 0 takes two rows. `main.rs` stands above all.
const LAYERS: [&[&str]; 7] = [
    &["model"],
    &["config"],
    &["fsx", "codec", "process", "net"],
    &["archive", "delta", "store", "target", "records", "trust", "forge"],
    &["transfer", "deploy"],
    &["ops"],
    &["cli"],
];

const MAX_CODE_LINES: usize = 400;

const PRINTING: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

// ---- the rules ----

/// What in `source` breaks a rule, one line each. `file` is the path below `src/`, with `/`.
fn violations(file: &str, source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let tested = tested(&tokens, file);
    let mut found = BTreeSet::new();

    if !source.trim_start().starts_with("//!") {
        found.insert((1, "no `//!` header".to_owned()));
    }
    let code_lines = source.lines().count() - test_lines(&tokens, &tested);
    if code_lines > MAX_CODE_LINES {
        found.insert((1, format!("{code_lines} lines without the tests, over {MAX_CODE_LINES}")));
    }

    let module = module_of(file);
    let room = module.first().map(String::as_str);
    if let Some(room) = room
        && layer(room).is_none()
    {
        found.insert((1, format!("the room `{room}` has no layer in tests/layers.rs")));
    }
    let is_cli = file == "main.rs" || room == Some("cli");
    let is_fsx = room == Some("fsx");

    for path in paths(&tokens, &module) {
        let line = tokens[path.at].line;
        let mut say = |why: String| found.insert((line, format!("`{}`: {why}", path.segments.join("::"))));
        let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
        if file != "lib.rs"
            && let Some(why) = out_of_reach(room, &segments, path.imported)
        {
            say(why);
        }
        if tested[path.at] {
            continue;
        }
        if matches!(segments[..], ["std"] | ["std", "*"]) && path.imported {
            say("imports all of std, past what this test can see".to_owned());
        }
        if !is_fsx && touches_disk(&segments) {
            say("only fsx touches the file system".to_owned());
        }
        if !is_cli
            && !path.is_macro
            && matches!(segments[..], ["std", "env", ref rest @ ..] if rest.first() != Some(&"consts"))
        {
            say("only cli knows the environment".to_owned());
        }
        if !is_cli && matches!(segments[..], [.., "process", "exit" | "abort"]) {
            say("only cli ends the process".to_owned());
        }
        if !is_cli && path.is_macro && segments.last().is_some_and(|name| PRINTING.contains(name)) {
            say("only cli prints".to_owned());
        }
    }
    found.into_iter().map(|(line, why)| format!("src/{file}:{line}: {why}")).collect()
}

/// Why a file of `room`, or `main.rs`, may not name this path of the crate.
fn out_of_reach(room: Option<&str>, segments: &[&str], imported: bool) -> Option<String> {
    let ["crate", rest @ ..] = segments else { return None };
    match (room, rest) {
        (_, [] | ["*"]) => imported.then(|| "imports the whole crate, past the layers".to_owned()),
        (None, [other, ..]) => (*other != "cli").then(|| "main.rs hands over to cli and knows nothing else".to_owned()),
        (Some(room), [other, ..]) if *other == room => None,
        (Some(room), [other, ..]) => match layer(other) {
            None => Some(format!("`{other}` is no room; name it where it lives")),
            its if its >= layer(room) => Some(format!("`{room}` may not import `{other}`: not a lower layer")),
            _ => None,
        },
    }
}

/// `std::fs::File` may be named: reading through a handle that `fsx` opened is no access to the file system.
fn touches_disk(segments: &[&str]) -> bool {
    match segments {
        ["std", "fs", "File"] => false,
        ["std", "fs", ..] => true,
        ["std", "os", _, "fs"] => true,
        ["std", "os", _, "fs", name, ..] => !name.ends_with("Ext"),
        [.., "File", "open" | "create" | "create_new" | "options"] => true,
        _ => false,
    }
}

/// `store/gc.rs` is the module `store::gc`.
fn module_of(file: &str) -> Vec<String> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || module == ["lib"] || module == ["main"] {
        module.pop();
    }
    module
}

/// How many lines the tests take.
fn test_lines(tokens: &[Token], tested: &[bool]) -> usize {
    let mut lines = BTreeSet::new();
    let mut first = None;
    for (token, tested) in tokens.iter().zip(tested) {
        match (tested, first) {
            (true, None) => first = Some(token.line),
            (false, Some(line)) => {
                lines.extend(line..token.line);
                first = None;
            }
            _ => {}
        }
    }
    if let (Some(line), Some(last)) = (first, tokens.last()) {
        lines.extend(line..=last.line);
    }
    lines.len()
}

// ---- paths ----

struct Named {
    /// From the root: `crate::store::Store`, `std::fs::read`. A path that starts in scope stays as it is written.
    segments: Vec<String>,
    /// The token it starts at.
    at: usize,
    imported: bool,
    is_macro: bool,
}

/// Every path that is named or imported. `module` is the file's own place in the crate.
fn paths(tokens: &[Token], module: &[String]) -> Vec<Named> {
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    let mut found = Vec::new();
    let mut module = module.to_vec();
    let mut inline: Vec<i32> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        match text(at) {
            "mod" if text(at + 2) == "{" => {
                module.push(text(at + 1).to_owned());
                inline.push(depth);
                depth += 1;
                at += 3;
            }
            "{" => {
                depth += 1;
                at += 1;
            }
            "}" => {
                depth -= 1;
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
                at += 1;
            }
            "use" if is_ident(text(at + 1)) || matches!(text(at + 1), "::" | "{") => {
                at = use_tree(tokens, at + 1, &[], &module, &mut found);
            }
            word if is_ident(word) => {
                let start = at;
                let mut segments = vec![word.to_owned()];
                while text(at + 1) == "::" && is_ident(text(at + 2)) {
                    segments.push(text(at + 2).to_owned());
                    at += 2;
                }
                at += 1;
                let is_macro = text(at) == "!" && text(at + 1) != "=";
                found.push(Named { segments: from_root(segments, &module), at: start, imported: false, is_macro });
            }
            _ => at += 1,
        }
    }
    found
}

/// Reads one tree of a `use`, from `at`; answers where it ends.
fn use_tree(tokens: &[Token], mut at: usize, before: &[String], module: &[String], found: &mut Vec<Named>) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    let start = at;
    let mut segments = before.to_vec();
    loop {
        match text(at) {
            "::" => at += 1,
            "{" => {
                at += 1;
                while !matches!(text(at), "}" | "") {
                    at = use_tree(tokens, at, &segments, module, found);
                    at += usize::from(text(at) == ",");
                }
                return at + 1;
            }
            "as" => at += 2,
            word if is_ident(word) || word == "*" => {
                if word != "self" || segments.is_empty() {
                    segments.push(word.to_owned());
                }
                at += 1;
            }
            _ => break,
        }
    }
    found.push(Named { segments: from_root(segments, module), at: start, imported: true, is_macro: false });
    // Never stand still, whatever the tokens are.
    at.max(start + 1)
}

fn from_root(segments: Vec<String>, module: &[String]) -> Vec<String> {
    let mut base = module.to_vec();
    let mut rest = segments.as_slice();
    match rest.first().map(String::as_str) {
        Some("self") => rest = &rest[1..],
        Some("super") => {
            while rest.first().is_some_and(|first| first == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        Some("deploy_tool") => {
            base.clear();
            rest = &rest[1..];
        }
        _ => return segments,
    }
    [&["crate".to_owned()], base.as_slice(), rest].concat()
}

fn is_ident(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

// ---- the sources, and proof that the rules can fail ----

#[test]
fn the_sources_keep_the_rules() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.contains(&src.join("main.rs")) && files.contains(&src.join("fsx/mod.rs")), "{files:?}");
    let found: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let file = path.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
            violations(&file, &std::fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// The violations of a file that has a header and `code`.
fn found(file: &str, code: &str) -> Vec<String> {
    violations(file, &format!("//! Header.\n{code}\n"))
}

#[track_caller]
fn refused(file: &str, code: &str, why: &str) {
    let found = found(file, code);
    assert!(found.len() == 1 && found[0].contains(why), "{code}: want one `{why}`, found {found:?}");
}

#[track_caller]
fn allowed(file: &str, code: &str) {
    assert_eq!(found(file, code), Vec::<String>::new(), "{code}");
}

#[test]
fn an_import_that_does_not_reach_down_is_refused() {
    refused("store/gc.rs", "use crate::deploy::Root;", "`store` may not import `deploy`");
    refused("store/gc.rs", "use crate::archive::pack;", "`store` may not import `archive`");
    refused("store/mod.rs", "use crate::{fsx::{self, Lock}, ops::{ship}, model};", "may not import `ops`");
    refused("store/a/b.rs", "use super::super::super::target::Place;", "may not import `target`");
    refused("store/gc.rs", "mod inner { use super::super::super::cli; }", "may not import `cli`");
    refused("store/mod.rs", "mod inner { fn f() {} }\nuse super::cli;", "may not import `cli`");
    refused("store/mod.rs", "use super::cli as c;", "may not import `cli`");
    refused("fsx/file.rs", "fn f() -> crate::codec::Level { todo() }", "may not import `codec`");
    refused("fsx/file.rs", "fn f(r: impl Fn(u8)) { for _ in 0..crate::store::SIZE {} }", "may not import `store`");
    refused("model/name.rs", "use crate::config::Config;", "`model` may not import `config`");
    refused("ops/ship.rs", "#[cfg(test)]\nmod tests {\n    use crate::cli::words;\n}", "may not import `cli`");
    refused("main.rs", "fn main() { deploy_tool::ops::ship() }", "hands over to cli");
    refused("store/mod.rs", "use crate::*;", "whole crate");
    refused("store/mod.rs", "use crate as all;", "whole crate");
    refused("store/mod.rs", "use super::{*};", "whole crate");
    refused("store/mod.rs", "use crate::Shortcut;", "`Shortcut` is no room");
    refused("cellar/mod.rs", "", "`cellar` has no layer");
}

#[test]
fn an_import_from_below_or_from_the_own_room_is_allowed() {
    allowed("store/gc.rs", "use crate::{fsx::{self, Lock}, model::Sha256, store::Package};\nuse super::layout;");
    allowed("store/gc.rs", "pub(in crate::store) fn f() {}\npub(crate) fn g() {}");
    allowed("store/a/b.rs", "use super::super::layout;\n#[cfg(test)]\nmod tests { use super::*; }");
    allowed("store/gc.rs", "mod inner {}\nfn f() {}\nuse super::ops;");
    allowed("config/mod.rs", "use crate::model::Version;");
    allowed("main.rs", "fn main() -> std::process::ExitCode { deploy_tool::cli::main() }");
    allowed("lib.rs", "pub mod store;\npub use store::Store;");
    allowed("store/mod.rs", "// use crate::cli;\n/* a /* use crate::ops; */ use crate::cli; */");
    allowed("store/mod.rs", r###"const A: &str = "use crate::cli;"; const B: &str = r##"" crate::cli "# "##;"###);
    allowed("store/mod.rs", r#"fn f<'a>(q: &'a u8) { g('"', '\'', b'"', b"\" crate::cli "); }"#);
}

#[test]
fn a_room_that_touches_what_is_not_its_own_is_refused() {
    refused("store/gc.rs", "use std::fs;", "only fsx");
    refused("store/gc.rs", "use std::{fs::{self}, io};", "only fsx");
    refused("store/gc.rs", "fn f() { let _ = ::std::fs::read(p); }", "only fsx");
    refused("store/gc.rs", "use std::fs::File;\nfn f() { let _ = File::open(p); }", "only fsx");
    refused("store/gc.rs", "fn f() { let _ = std::fs::File::create(p); }", "only fsx");
    refused("store/gc.rs", "use std::os::unix::fs::symlink;", "only fsx");
    refused("cli/mod.rs", "use std::fs::read;", "only fsx");
    refused("store/gc.rs", "use std as s;", "all of std");
    refused("store/gc.rs", "use std::{env, io};", "only cli knows");
    refused("store/gc.rs", "fn f() { std::env::var(name); }", "only cli knows");
    refused("store/gc.rs", "use std::process;\nfn f() { process::exit(1) }", "only cli ends");
    refused("store/gc.rs", "use std::process::exit;", "only cli ends");
    refused("ops/ship.rs", "fn f() { println!(\"{}\", 'x'); }", "only cli prints");
    refused("ops/ship.rs", "fn f() { std::eprint!(\"\"); }", "only cli prints");
    refused("ops/ship.rs", "#[cfg(test)]\nfn t(a: [u8; 2]) { println!() }\nfn f() { dbg!(1); }", "ops/ship.rs:4");
}

#[test]
fn handles_constants_and_tests_are_allowed() {
    allowed("store/gc.rs", "use std::fs::File;\nfn f(file: &std::fs::File) {}");
    allowed("store/gc.rs", "use std::os::unix::fs::{FileExt as _, MetadataExt};");
    allowed("store/gc.rs", "const OS: &str = std::env::consts::OS; const V: &str = env!(\"CARGO_PKG_VERSION\");");
    allowed("store/gc.rs", "fn f(out: Print) { out.print(); print != out; }");
    allowed("fsx/file.rs", "use std::fs;\nfn f() { fs::File::open(p); }");
    allowed("cli/mod.rs", "fn f() { println!(); std::env::args(); std::process::exit(2) }");
    allowed("store/gc.rs", "#[cfg(test)]\nmod tests {\n    fn f() { std::fs::write(p, b); println!(); }\n}");
    allowed("store/tests.rs", "use std::fs;");
}

#[test]
fn a_file_without_a_header_or_too_long_is_refused() {
    assert_eq!(violations("store/gc.rs", "fn f() {}\n"), ["src/store/gc.rs:1: no `//!` header"]);
    let tests = "#[cfg(test)]\nmod tests {\n    fn t() {}\n}\n";
    let lines = |code: usize| format!("//! Header.\n{}{tests}", "fn f() {}\n".repeat(code - 1));
    assert_eq!(violations("store/gc.rs", &lines(400)), Vec::<String>::new());
    assert_eq!(violations("store/gc.rs", &lines(401)), ["src/store/gc.rs:1: 401 lines without the tests, over 400"]);
    let first = format!("//! Header.\n{tests}{}", "fn f() {}\n".repeat(400));
    assert_eq!(violations("store/gc.rs", &first), ["src/store/gc.rs:1: 401 lines without the tests, over 400"]);
}

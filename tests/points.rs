//! Holds that every change of the disk passes a fault point, by reading `src/fsx/`: right before each call that changes
//! something its function asks `fault::point` or `point_in`. The crash tests stop the program at every point, so that
//! a change without one would be a change that no test ever interrupts.
//!
//! A function of the standard library or of rustix that is in neither list below is refused until somebody says what it
//! does. That fsx alone touches the disk is held by `layers.rs`.

#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[path = "shared/tokens.rs"]
mod tokens;

use tokens::{Token, rust_files, tested, tokens};

/// Functions, however they are named, that change what is on the disk.
const CHANGES: [&str; 34] = [
    "chmod",
    "chmodat",
    "chown",
    "chownat",
    "copy",
    "copy_file_range",
    "create_dir",
    "create_dir_all",
    "fallocate",
    "fchmod",
    "fchown",
    "fsync",
    "ftruncate",
    "futimens",
    "hard_link",
    "ioctl_ficlone",
    "lchown",
    "linkat",
    "mkdirat",
    "remove_dir",
    "remove_dir_all",
    "remove_file",
    "rename",
    "renameat",
    "renameat_with",
    "set_permissions",
    "symlink",
    "symlinkat",
    "sync",
    "syncfs",
    "unlinkat",
    "utimensat",
    "write",
    "mknodat",
];

/// Functions that look only. An `open` that makes something is known by its flags.
const LOOKS: [&str; 18] = [
    "access",
    "canonicalize",
    "fstat",
    "fstatfs",
    "metadata",
    "open",
    "openat",
    "openat2",
    "read",
    "read_dir",
    "read_link",
    "readlinkat",
    "seek",
    "statat",
    "statfs",
    "statvfs",
    "symlink_metadata",
    "read_from",
];

/// Methods of files that change something.
const METHODS: [&str; 11] = [
    "set_len",
    "set_modified",
    "set_permissions",
    "set_times",
    "sync_all",
    "sync_data",
    "write",
    "write_all",
    "write_all_at",
    "write_at",
    "write_vectored",
];

/// What is changed without a point of its own: the function, how many calls, and why that is right.
const EXCEPTIONS: [(&str, &str, usize, &str); 11] = [
    ("beneath.rs", "can_clone", 1, "neither file has a name"),
    ("beneath.rs", "seal", 1, "mode and time of one directory are one change"),
    ("beneath.rs", "seal_file", 1, "mode and time of one file are one change"),
    ("beneath.rs", "symlink", 1, "the time of a link that was just made belongs to it"),
    ("dir.rs", "rename_new", 1, "the second rename is for file systems that refused the first"),
    ("flush.rs", "flush", 2, "what other systems have instead of syncfs"),
    ("lock.rs", "drop", 1, "the note serves a message only"),
    ("place.rs", "copy_atomic", 1, "`write_beside` has the point before what fills the file"),
    ("place.rs", "place_atomic", 1, "`write_beside` has the point before what fills the file"),
    ("place.rs", "reflink", 1, "`write_beside` has the point before what fills the file"),
    ("lock.rs", "take", 2, "the note serves a message only, and the next holder writes it anew"),
];

/// One call that changes something and has no point right before it.
#[derive(Debug)]
struct Unpointed {
    function: String,
    call: String,
    line: usize,
}

fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

/// The functions that `use std::…::fs::…` and `use rustix::fs::…` bring into scope.
fn imported(tokens: &[Token]) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for start in
        (0..tokens.len()).filter(|at| text(tokens, *at) == "use" && matches!(text(tokens, at + 1), "std" | "rustix"))
    {
        let words = (start + 1..).map(|at| text(tokens, at)).take_while(|word| !matches!(*word, ";" | ""));
        let words: Vec<&str> = words.collect();
        if let Some(fs) = words.iter().position(|word| *word == "fs") {
            names.extend(words[fs + 1..].iter().filter(|word| word.starts_with(|c: char| c.is_lowercase())));
        }
    }
    names.remove("self");
    names
}

/// Whether the token at `at` changes something, looks, or (`None` within) cannot be told.
fn kind(tokens: &[Token], at: usize, imported: &BTreeSet<&str>) -> Option<Option<bool>> {
    let (word, before) = (text(tokens, at), if at == 0 { "" } else { text(tokens, at - 1) });
    let of = if before == "::" && at > 1 { text(tokens, at - 2) } else { "" };
    if (of, word) == ("OFlags", "CREATE") || ((of, word) == ("OpenOptions", "new") && makes_a_file(tokens, at)) {
        return Some(Some(true));
    }
    if matches!(word, "write" | "writeln") && text(tokens, at + 1) == "!" {
        return Some(Some(true));
    }
    if text(tokens, at + 1) != "(" || before == "fn" {
        return None;
    }
    match (before, of) {
        // `write(true)` is an option of opening.
        (".", _) => (METHODS.contains(&word) && text(tokens, at + 2) != "true").then_some(Some(true)),
        (_, "File") => Some(Some(word != "open")).filter(|_| word != "from"),
        (_, "fs" | "io") | (_, "") if !of.is_empty() || imported.contains(word) => {
            if CHANGES.contains(&word) {
                Some(Some(true))
            } else if LOOKS.contains(&word) {
                Some(Some(false))
            } else {
                Some(None)
            }
        }
        _ => None,
    }
}

/// Whether the options that begin at `at` make or empty a file.
fn makes_a_file(tokens: &[Token], at: usize) -> bool {
    let end_after = |at: usize| (at..).find(|at| matches!(text(tokens, *at), ";" | "")).unwrap_or(at);
    let end = end_after(at);
    // `let mut options = OpenOptions::new();`: what they are is in the next statement.
    let end = if end == at + 3 { end_after(end + 1) } else { end };
    let option = |at: usize| matches!(text(tokens, at), "create" | "create_new" | "truncate");
    (at..end).any(|at| option(at) && text(tokens, at + 2) == "true")
}

/// The calls in `source` that change something without a point, and those nobody has classified.
fn unpointed(source: &str, file: &str) -> (Vec<Unpointed>, Vec<String>) {
    let tokens = tokens(source);
    let tested = tested(&tokens, file);
    let imported = imported(&tokens);
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    // The functions we are in, each with the depth of its braces.
    let mut functions: Vec<(String, i32)> = Vec::new();
    let (mut depth, mut announced, mut pointed) = (0, None, false);
    for at in 0..tokens.len() {
        match text(&tokens, at) {
            "fn" => announced = Some(text(&tokens, at + 1).to_owned()),
            ";" if functions.is_empty() => announced = None,
            "{" => {
                if let Some(name) = announced.take() {
                    functions.push((name, depth));
                    pointed = false;
                }
                depth += 1;
            }
            "}" => {
                depth -= 1;
                functions.pop_if(|(_, outside)| *outside == depth);
            }
            "point" | "point_in" if at > 1 && text(&tokens, at - 2) == "fault" => pointed = true,
            word if !tested[at] => match kind(&tokens, at, &imported) {
                Some(Some(true)) if pointed => pointed = false,
                Some(Some(true)) => {
                    let function = functions.last().map(|(name, _)| name.clone()).unwrap_or_default();
                    found.push(Unpointed { function, call: word.to_owned(), line: tokens[at].line });
                }
                Some(None) => unknown.push(format!("{file}:{}: {word}", tokens[at].line)),
                _ => {}
            },
            _ => {}
        }
    }
    (found, unknown)
}

#[test]
fn a_change_without_a_point_is_found() {
    let calls = |code: &str| {
        unpointed(code, "x.rs").0.into_iter().map(|u| format!("{}: {}", u.function, u.call)).collect::<Vec<_>>()
    };
    let pointed = "fn f() { fault::point(Action::Rename, from)?; fs::rename(from, to).at(Action::Rename, from) }";
    assert_eq!(calls(pointed), [""; 0]);
    assert_eq!(calls("fn f() { fs::rename(from, to) }"), ["f: rename"]);
    assert_eq!(calls("fn f() { fault::point(a, p)?; fs::rename(from, to)?; fs::remove_file(x) }"), ["f: remove_file"]);
    assert_eq!(calls("fn f() { fault::point(a, p)?; }\nfn g() { file.sync_all() }"), ["g: sync_all"]);
    assert_eq!(calls("fn f() { let options = OpenOptions::new(); options.create(true).open(p); }"), ["f: new"]);
    assert_eq!(
        calls("fn f() { OpenOptions::new().read(true).write(true).open(p); rename(a, b); fs::read(p); }"),
        [""; 0]
    );
    assert_eq!(calls("use rustix::fs::{OFlags, renameat};\nfn f() { renameat(a, b, c, d); }"), ["f: renameat"]);
    assert_eq!(calls("#[cfg(test)]\nmod tests { fn f() { fs::rename(a, b); } }"), [""; 0]);
    assert_eq!(unpointed("fn f() { fs::exchange(a, b) }", "x.rs").1, ["x.rs:1: exchange"]);
}

#[test]
fn every_change_of_the_disk_passes_a_point() {
    let fsx = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fsx");
    let mut files = Vec::new();
    rust_files(&fsx, &mut files);
    files.retain(|path| !path.ends_with("fault.rs"));
    assert!(files.len() > 8, "{files:?}");
    let mut all: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut unknown = Vec::new();
    for path in files {
        let file = path.strip_prefix(&fsx).expect("below").to_string_lossy().into_owned();
        let source = std::fs::read_to_string(&path).expect("read");
        let (found, not_known) = unpointed(&source, &file);
        unknown.extend(not_known);
        for Unpointed { function, call, line } in found {
            all.entry((file.clone(), function)).or_default().push(format!("line {line}: {call}"));
        }
    }
    assert!(unknown.is_empty(), "does it change the disk? put it into a list of tests/points.rs: {unknown:#?}");
    for (file, function, calls, why) in EXCEPTIONS {
        let found = all.remove(&(file.to_owned(), function.to_owned())).unwrap_or_default();
        assert_eq!(found.len(), calls, "{file}, {function} ({why}): {found:?}");
    }
    assert!(all.is_empty(), "no fault point right before: {all:#?}");
}

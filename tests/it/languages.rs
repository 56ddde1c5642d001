//! The program speaks English or Chinese: help, what is wrong with the arguments, errors with their hints, tables. What
//! machines read is the same in both.

use insta::assert_snapshot;
use serde_json::Value;

use super::env::Env;

/// All that the program says with these variables and arguments, stdout before stderr.
fn said(env: &Env, variables: &[(&str, &str)], args: &[&str]) -> String {
    let mut command = env.command(args);
    command.env_remove("LC_ALL").env("SOURCE_DATE_EPOCH", "1700000000").envs(variables.iter().copied());
    let output = command.output().expect("the program runs");
    let text = [output.stdout, output.stderr].concat();
    env.shown(&String::from_utf8(text).expect("UTF-8"))
}

fn english(env: &Env, args: &[&str]) -> String {
    said(env, &[], &[&["--lang", "en"], args].concat())
}

fn chinese(env: &Env, args: &[&str]) -> String {
    said(env, &[], &[&["--lang", "zh"], args].concat())
}

/// A text with `<time>` for every time.
fn timeless(text: &str) -> String {
    let is_time = |word: &str| word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T';
    let mut out = text.to_owned();
    for (at, _) in text.char_indices() {
        if let Some(word) = text.get(at..at + 20).filter(|word| is_time(word)) {
            out = out.replace(word, "<time>");
        }
    }
    out
}

#[test]
fn help() {
    let env = Env::new();
    assert_snapshot!(english(&env, &["--help"]), @"");
    assert_snapshot!(chinese(&env, &["--help"]), @"");
}

#[test]
fn help_of_a_command() {
    let env = Env::new();
    assert_snapshot!(english(&env, &["deploy", "--help"]), @"");
    assert_snapshot!(chinese(&env, &["deploy", "--help"]), @"");
}

#[test]
fn help_with_defaults_and_values_to_choose_from() {
    let env = Env::new();
    assert_snapshot!(chinese(&env, &["record", "check", "-h"]), @"");
}

#[test]
fn wrong_arguments() {
    let env = Env::new();
    assert_snapshot!(english(&env, &["status", "--dep"]), @"");
    assert_snapshot!(chinese(&env, &["status", "--dep"]), @"");
    assert_snapshot!(english(&env, &["stauts"]), @"");
    assert_snapshot!(chinese(&env, &["stauts"]), @"");
    assert_snapshot!(english(&env, &["pack"]), @"");
    assert_snapshot!(chinese(&env, &["pack"]), @"");
    assert_snapshot!(english(&env, &["pack", "--type", "a/b", "--version", "1"]), @"");
    assert_snapshot!(chinese(&env, &["pack", "--type", "a/b", "--version", "1"]), @"");
    assert_snapshot!(chinese(&env, &["record", "check", "--format", "jsn"]), @"");
    assert_snapshot!(chinese(&env, &["history", "--all", "--verify"]), @"");
    assert_snapshot!(chinese(&env, &["status", "--deep=yes"]), @"");
    assert_snapshot!(chinese(&env, &["status", "--deep", "--deep"]), @"");
    assert_snapshot!(chinese(&env, &["publish", "--sign", "x", "y", "z"]), @"");
    assert_snapshot!(said(&env, &[], &["--lang", "tlh", "status"]), @"");
}

#[test]
fn errors_with_hints() {
    let env = Env::with_model();
    for (language, say) in [("en", english as fn(&Env, &[&str]) -> String), ("zh", chinese)] {
        let texts = [&["deploy", "model"][..], &["version", "switch", "model", "1.0.0"], &["status", "--config", "no"]];
        let all = texts.map(|args| say(&env, args)).join("\n");
        match language {
            "en" => assert_snapshot!(all, @""),
            _ => assert_snapshot!(all, @""),
        }
    }
    env.write("project/.deploy-tool.yaml", "version: 1\npack: {compresion: gzip}\n");
    assert_snapshot!(english(&env, &["status"]), @"");
    assert_snapshot!(chinese(&env, &["status"]), @"");
}

#[test]
fn tables() {
    let env = Env::with_model();
    assert_snapshot!(english(&env, &["status"]), @"");
    assert_snapshot!(chinese(&env, &["status"]), @"");
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    let hostless = |text: &str| {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        timeless(text).replace(&host, "<host>")
    };
    assert_snapshot!(hostless(&english(&env, &["status"])), @"");
    assert_snapshot!(hostless(&chinese(&env, &["status"])), @"");
    assert_snapshot!(hostless(&chinese(&env, &["version", "list"])), @"");
    assert_snapshot!(hostless(&chinese(&env, &["links", "list"])), @"");
}

#[test]
fn the_language_is_that_of_the_option_then_of_the_variables() {
    let env = Env::new();
    let error = |variables: &[(&str, &str)], args: &[&str]| {
        let text = said(&env, variables, &[args, &["rollback"]].concat());
        text.split(':').next().unwrap_or_default().to_owned()
    };
    let zh = ("LANG", "zh_CN.UTF-8");
    assert_eq!(error(&[], &[]), "error");
    assert_eq!(error(&[zh], &[]), "错误");
    assert_eq!(error(&[zh], &["--lang", "en"]), "error");
    assert_eq!(error(&[zh, ("LC_ALL", "C")], &[]), "error");
    assert_eq!(error(&[zh, ("LC_ALL", "")], &[]), "错误");
    assert_eq!(error(&[zh, ("LC_MESSAGES", "en_US.UTF-8")], &[]), "error");
    assert_eq!(error(&[("LC_ALL", "C"), ("DEPLOY_TOOL_LANG", "zh")], &[]), "错误");
    assert_eq!(error(&[("DEPLOY_TOOL_LANG", "zh")], &["--lang=en_US"]), "error");
    assert_eq!(error(&[zh], &["--nope"]), "错误");
    assert_eq!(error(&[], &["--nope", "--lang", "zh-CN"]), "错误");
}

/// The keys of a document and all that is no sentence in it.
fn without_sentences(mut document: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match name.as_str() {
                        "message" | "hint" => *value = Value::Null,
                        _ => walk(value),
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut document);
    document
}

#[test]
fn documents_are_the_same_but_for_their_sentences() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    let wrong: &[&[&str]] = &[&["rollback"], &["status", "--nope"], &["deploy", "model@9"]];
    let right: &[&[&str]] =
        &[&["status"], &["history", "--all"], &["version", "list"], &["links", "list"], &["doctor"]];
    for args in wrong.iter().chain(right) {
        let document = |language| {
            let ran = env.run(&[&["--lang", language, "--json"], *args].concat());
            (
                ran.status,
                serde_json::from_str::<Value>(&ran.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {ran:?}")),
            )
        };
        let ((status, english), (other, chinese)) = (document("en"), document("zh"));
        assert_eq!(status, other, "{args:?}");
        if wrong.contains(args) {
            assert_ne!(english, chinese, "{args:?}");
        }
        if *args != ["doctor"] {
            assert_eq!(without_sentences(english), without_sentences(chinese), "{args:?}");
        }
    }
}

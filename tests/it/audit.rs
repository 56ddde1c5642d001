//! The audit trail: who changed what, also what failed; and a chain in which an edit shows.

use std::fs;

use serde_json::{Value, json};

use super::env::Env;

/// Two releases, a pin, a mended link, a failed switch and a cleanup.
fn changed() -> Env {
    let env = Env::with_model();
    for version in ["1.0.0", "1.0.1", "1.0.2"] {
        env.write("project/models/bert/config.json", version);
        env.publish(version);
        env.ok(&["deploy", &format!("model@{version}")]);
    }
    env.ok(&["version", "pin", "model", "1.0.2"]);
    fs::remove_file(env.path("root/links/model")).expect("removed");
    env.ok(&["links", "repair"]);
    let blocked = env.path("root/releases/4");
    let mut command = env.command(&["version", "switch", "model", "1.0.1"]);
    command.env("DEPLOY_TOOL_FAULT", format!("eio:{}", point(&env, "link ", "/releases/4/model")));
    assert_eq!(command.output().expect("it runs").status.code(), Some(1));
    assert!(!blocked.exists());
    env.ok(&["version", "cleanup", "--keep", "0"]);
    env
}

/// The number of the change of the disk that a switch to 1.0.1 makes so; it is run and rolled back for that.
fn point(env: &Env, action: &str, path: &str) -> usize {
    let saved = env.path("saved");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        assert!(std::process::Command::new("cp").arg("-a").args([from, to]).status().expect("cp runs").success());
    };
    copy(&env.path("root"), &saved);
    let trace = env.path("trace");
    let mut command = env.command(&["version", "switch", "model", "1.0.1"]);
    assert!(command.env("DEPLOY_TOOL_FAULT_TRACE", &trace).output().expect("it runs").status.success());
    fs::remove_dir_all(env.path("root")).expect("removed");
    fs::rename(saved, env.path("root")).expect("put back");
    let trace = fs::read_to_string(trace).expect("traced");
    trace.lines().position(|line| line.contains(action) && line.ends_with(path)).expect("such a point") + 1
}

const HISTORY: &str = "root/.deploy-tool/history.jsonl";

#[test]
fn every_change_has_a_line_that_says_who_what_and_how_it_ended() {
    let env = changed();
    let lines = env.json(&["history", "--all"]);
    let lines: Vec<_> = lines.as_array().expect("a list").iter().rev().collect();
    let short: Vec<Value> = lines
        .iter()
        .map(|line| match line.get("event") {
            Some(event) => json!([event, line["result"], line["versions"]]),
            None => json!([line["action"], line["release"]]),
        })
        .collect();
    let expected = json!([
        ["deploy", 1],
        ["deploy", 2],
        ["deploy", 3],
        ["pin", "done", ["model@1.0.2"]],
        ["repair-links", "done", null],
        ["release", "failed", ["model@1.0.1"]],
        ["cleanup", "done", ["model@1.0.0"]],
    ]);
    assert_eq!(json!(short), expected);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for line in &lines {
        assert_eq!(line["by"], format!("mei@{host}"), "{line}");
        assert_eq!(line["uid"], rustix::process::geteuid().as_raw(), "{line}");
        assert!(line["at"].is_string(), "{line}");
    }
    let commit = env.git("records", &["rev-parse", "HEAD"]);
    assert_eq!(lines[2]["components"]["model"]["commit"], commit.trim());
    assert_eq!(lines[4]["links"], json!([env.path("root/links/model")]));
    assert!(lines[5]["reason"].as_str().expect("a reason").contains("/releases/4/model"), "{}", lines[5]);
    let text = env.ok(&["history", "--all"]);
    assert!(text.contains("no release (failed: ") && text.contains("links repair"), "{text}");
    // Releases alone, where nobody asks for more; and what is current is still known.
    assert_eq!(env.json(&["history"]).as_array().expect("a list").len(), 3);
    assert_eq!(env.json(&["status"])["release"], 3);
    env.ok(&["rollback"]);
    assert_eq!(env.json(&["status"])["release"], 4);
    // What changes nothing writes nothing.
    let before = env.read(HISTORY);
    env.ok(&["version", "pin", "model", "1.0.2"]);
    env.ok(&["version", "unpin", "model", "1.0.1"]);
    env.ok(&["links", "repair"]);
    env.ok(&["version", "cleanup", "--dry-run"]);
    env.ok(&["deploy", "model@1.0.1"]);
    assert_eq!(env.read(HISTORY), before);
}

#[test]
fn a_killed_release_gets_its_line_from_the_next_command() {
    let env = changed();
    let kill = |env: &Env| {
        let mut command = env.command(&["version", "switch", "model", "1.0.1"]);
        command.env("DEPLOY_TOOL_FAULT", format!("kill:{}", point(env, "link ", "/releases/4/model")));
        assert_eq!(command.output().expect("it runs").status.code(), None);
    };
    kill(&env);
    env.ok(&["links", "repair"]);
    let lines = env.json(&["history", "--all", "--limit", "1"]);
    assert_eq!((&lines[0]["event"], &lines[0]["result"]), (&json!("release"), &json!("undone")));
    env.ok(&["history", "--verify"]);
}

#[test]
fn an_edited_removed_or_moved_line_is_found_and_named() {
    let env = changed();
    let whole = env.read(HISTORY);
    let said = env.ok(&["history", "--verify"]);
    let lines: Vec<&str> = whole.lines().collect();
    let head = deploy_tool::model::Sha256::of(lines[6].as_bytes());
    assert_eq!(said, format!("all 7 lines of the history follow each other; the last one is {head}\n"));
    assert_eq!(env.json(&["history", "--verify"])["unchained"], 1, "the first follows none");
    let tampered = |lines: &[&str], line: usize, why: &str| {
        env.write(HISTORY, lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        let error = env.fails(4, &["history", "--verify"]);
        assert!(error.contains(&format!("line {line} of ")) && error.contains(why), "{error}");
    };
    let without = |n: usize| [&lines[..n], &lines[n + 1..]].concat();
    let edited = |n: usize, from: &str, to: &str| {
        let line = lines[n].replacen(from, to, 1);
        assert_ne!(line, lines[n]);
        let line: &'static str = line.leak();
        [&lines[..n], &[line], &lines[n + 1..]].concat()
    };
    for n in 0..lines.len() - 1 {
        tampered(&edited(n, "\"by\":\"mei@", "\"by\":\"li@"), n + 2, "was not written after the line before it");
        tampered(&without(n), n + 1, "was not written after the line before it");
        let mut swapped = lines.clone();
        swapped.swap(n, n + 1);
        tampered(&swapped, if n == 0 { 1 } else { n + 1 }, "was");
    }
    // A line that no longer says what it followed.
    let from = lines[3].find(",\"prev\"").expect("a digest");
    let bare: &'static str = format!("{}}}", &lines[3][..from]).leak();
    tampered(&[&lines[..3], &[bare], &lines[4..]].concat(), 4, "says nothing of the lines before it");
    // Cut off at the end: what is current tells.
    tampered(&lines[..2], 2, "a later one is current");
    // A torn line of a killed run is none of that.
    env.write(HISTORY, format!("{whole}{{\"release\":4,\"par"));
    let said = env.ok(&["history", "--verify"]);
    assert!(said.contains("all 7 lines") && said.contains("a torn line"), "{said}");
    env.ok(&["rollback"]);
    let said = env.ok(&["history", "--verify"]);
    assert!(said.contains("all 8 lines") && !said.contains("torn"), "{said}");
}

#[test]
fn lines_of_older_programs_are_the_accepted_beginning() {
    let env = changed();
    let old = env.read(HISTORY).lines().take(3).fold(String::new(), |all, line| {
        let mut entry: Value = serde_json::from_str(line).expect("JSON");
        let fields = entry.as_object_mut().expect("an object");
        fields.remove("prev");
        fields.remove("uid");
        format!("{all}{entry}\n")
    });
    env.write(HISTORY, &old);
    env.ok(&["history", "--verify"]);
    env.ok(&["rollback"]);
    env.ok(&["version", "unpin", "model", "1.0.2"]);
    let said = env.ok(&["history", "--verify"]);
    assert!(said.starts_with("all 5 lines") && said.contains("the first 3 lines are older than the chain"), "{said}");
    // The last of them is in the chain already.
    let whole = env.read(HISTORY);
    env.write(HISTORY, whole.replacen("\"release\":3", "\"release\": 3", 1));
    assert!(env.fails(4, &["history", "--verify"]).contains("line 4 of "));
}

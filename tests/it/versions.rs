//! Versions of a root: listing, pinning, cleaning up with reasons, switching, rolling back, and what was current when.

use std::fs;

use serde_json::{Value, json};

use super::env::{CONFIG, Env};
use super::tree;

/// Packs and publishes other content of the model as each of these versions, and deploys each.
fn deployed(versions: &[&str]) -> Env {
    let env = Env::with_model();
    for version in versions {
        publish(&env, version);
        env.ok(&["deploy", &format!("model@{version}")]);
    }
    env
}

fn publish(env: &Env, version: &str) {
    env.write("project/models/bert/config.json", version);
    env.publish(version);
}

fn current(env: &Env) -> String {
    env.read("root/links/model/bert/config.json")
}

/// Decision and reason for each version, as the text says it.
fn decisions(text: &str) -> Vec<String> {
    let rows = text.lines().skip(1).filter(|line| line.starts_with("model ") || line.starts_with("config "));
    rows.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn installed(env: &Env, component: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(env.path("root/components").join(component))
        .expect("there")
        .map(|entry| entry.expect("read").file_name().into_string().expect("UTF-8"))
        .filter(|name| name != "current")
        .collect();
    names.sort();
    names
}

#[test]
fn list_joins_what_is_installed_and_what_is_recorded() {
    let env = deployed(&["1.0.0", "1.0.1"]);
    publish(&env, "1.10.0");
    env.ok(&["version", "pin", "model", "1.0.0"]);
    let text = env.ok(&["version", "list", "model"]);
    let rows: Vec<Vec<_>> = text.lines().skip(1).map(|line| line.split("  ").map(str::trim).collect()).collect();
    let states: Vec<_> = rows.iter().map(|row| row.iter().filter(|cell| !cell.is_empty()).nth(2).copied()).collect();
    let expected = [Some("installed, recorded, pinned"), Some("current, recorded"), Some("recorded")];
    assert_eq!(states, expected, "{text}");
    let error = env.fails(3, &["version", "list", "runtime"]);
    assert!(error.contains("no version of `runtime` is installed or recorded"), "{error}");
}

#[test]
fn switching_to_what_is_not_installed_says_what_is() {
    let env = deployed(&["1.0.0", "1.0.1"]);
    publish(&env, "1.0.2");
    let before = tree::root(&env.path("root"));
    let error = env.fails(3, &["version", "switch", "model", "1.0.2"]);
    assert!(error.contains("model@1.0.2 is not installed on this root (installed: 1.0.0, 1.0.1)"), "{error}");
    assert!(error.contains("hint: run `deploy-tool deploy model@1.0.2`"), "{error}");
    assert!(env.fails(3, &["version", "switch", "runtime", "1"]).contains("runtime@1 is not installed"));
    assert!(env.fails(3, &["version", "pin", "model", "1.0.2"]).contains("is not installed"));
    assert_eq!(tree::root(&env.path("root")), before);
    // Versions that are no versions never become paths.
    for version in ["../../etc", "current", "1/2", ""] {
        env.fails(2, &["version", "switch", "model", version]);
    }
    // To what is current already: nothing happens.
    assert_eq!(env.ok(&["version", "switch", "model", "1.0.1"]), "nothing to do: the release stays as it is\n");
    assert_eq!(tree::root(&env.path("root")), before);
}

#[test]
fn cleanup_gives_a_reason_for_each_and_keeps_what_is_current_parent_or_pinned() {
    let env = deployed(&["1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4"]);
    assert_eq!(env.ok(&["version", "pin", "model", "1.0.1"]), "model@1.0.1 is kept for ever\n");
    assert_eq!(env.ok(&["version", "pin", "model", "1.0.1"]), "model@1.0.1 is pinned already\n");
    let before = tree::root(&env.path("root"));
    let planned = env.ok(&["version", "cleanup", "--keep", "0", "--dry-run"]);
    assert_eq!(tree::root(&env.path("root")), before, "a dry run");
    let expected = |removed: &str| {
        [
            format!("model 1.0.0 {removed} no rule keeps it"),
            "model 1.0.1 kept it is pinned".to_owned(),
            format!("model 1.0.2 {removed} no rule keeps it"),
            "model 1.0.3 kept a rollback would go there".to_owned(),
            "model 1.0.4 kept it is current".to_owned(),
        ]
    };
    let without_size = |text: &str| -> Vec<String> {
        decisions(text).iter().map(|row| row.split_inclusive("keeps it").next().expect("a row").to_owned()).collect()
    };
    assert_eq!(without_size(&planned), expected("would remove"));
    assert!(planned.contains("\nwould free "), "{planned}");
    let done = env.ok(&["version", "cleanup", "--keep", "0"]);
    assert_eq!(without_size(&done), expected("removed"));
    assert_eq!(installed(&env, "model"), ["1.0.1", "1.0.3", "1.0.4"]);
    let releases: Vec<_> = tree::snapshot(&env.path("root/releases")).into_keys().collect();
    assert_eq!(releases, ["2", "2/model", "4", "4/model", "5", "5/model", "current"]);
    env.ok(&["links", "verify"]);
    // What is gone cannot be gone back to, and the message says so.
    let error = env.fails(3, &["rollback", "--to", "1"]);
    assert!(error.contains("model@1.0.0 is not installed on this root (installed: 1.0.1, 1.0.3, 1.0.4)"), "{error}");
    env.ok(&["rollback"]);
    assert_eq!(current(&env), "1.0.3");
    assert_eq!(env.ok(&["version", "unpin", "model", "1.0.1"]), "model@1.0.1 is no longer pinned\n");
    assert_eq!(env.ok(&["version", "unpin", "model", "1.0.1"]), "model@1.0.1 is not pinned\n");
    env.ok(&["version", "cleanup", "--keep", "0"]);
    assert_eq!(installed(&env, "model"), ["1.0.3"], "1.0.2 was the parent, and is gone already");
}

#[test]
fn newest_counts_by_when_a_version_was_current() {
    let env = deployed(&["1.0.0", "1.0.1", "1.0.2", "1.0.3"]);
    env.ok(&["version", "switch", "model", "1.0.0"]);
    // One second is one step of the history's clock.
    let times = ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z", "2024-01-04T00:00:00Z"];
    date_history(&env, &[&times[..], &["2024-01-05T00:00:00Z"]].concat());
    let text = env.ok(&["version", "cleanup", "--keep", "3", "--dry-run"]);
    let rows = decisions(&text);
    assert!(rows[0].starts_with("model 1.0.0 kept it is current"), "{text}");
    assert!(rows[1].starts_with("model 1.0.1 would remove"), "{text}");
    assert!(rows[2].starts_with("model 1.0.2 kept it is one of the newest"), "{text}");
    assert!(rows[3].starts_with("model 1.0.3 kept a rollback"), "{text}");
    // Installed a moment ago counts as young.
    let text = env.ok(&["version", "cleanup", "--older-than", "1d", "--dry-run"]);
    assert!(decisions(&text)[1].ends_with("kept it was current or installed recently"), "{text}");
}

#[test]
fn what_a_kept_version_depends_on_stays() {
    let env = Env::with_model();
    let needs = |range: &str| {
        let depends = format!("{{source: ./models, depends: {{config: \"{range}\"}}}}");
        env.write("project/.deploy-tool.yaml", CONFIG.replace("{source: ./models}", &depends));
    };
    for (model, config) in [("1.0.0", "1.5.0"), ("2.0.0", "2.0.0")] {
        env.write("project/configs/app.conf", config);
        env.ok(&["pack", "--type", "config", "--version", config]);
        env.ok(&["publish", &format!("config@{config}")]);
        needs(&format!("^{}", &config[..1]));
        publish(&env, model);
        env.ok(&["deploy", &format!("model@{model}"), &format!("config@{config}")]);
    }
    publish(&env, "2.0.1");
    env.ok(&["deploy", "model@2.0.1"]);
    // The set that would be current must fit together.
    let error = env.fails(4, &["deploy", "model@1.0.0"]);
    assert!(error.contains("model@1.0.0 needs config ^1, and config would be 2.0.0"), "{error}");
    env.ok(&["version", "pin", "model", "1.0.0"]);
    let text = env.ok(&["version", "cleanup", "--keep", "0"]);
    assert_eq!(
        decisions(&text),
        [
            "config 1.5.0 kept model@1.0.0 depends on it",
            "config 2.0.0 kept it is current",
            "model 1.0.0 kept it is pinned",
            "model 2.0.0 kept a rollback would go there",
            "model 2.0.1 kept it is current",
        ]
    );
    env.ok(&["version", "unpin", "model", "1.0.0"]);
    env.ok(&["version", "cleanup", "--keep", "0"]);
    assert_eq!(
        (installed(&env, "config"), installed(&env, "model")),
        (vec!["2.0.0".into()], vec!["2.0.0".into(), "2.0.1".into()])
    );
}

#[test]
fn rollback_goes_further_back_each_time_and_stops_at_the_first() {
    let env = deployed(&["1.0.0", "1.0.1", "1.0.2"]);
    for version in ["1.0.1", "1.0.0"] {
        env.ok(&["rollback"]);
        assert_eq!(current(&env), version);
    }
    let before = tree::root(&env.path("root"));
    let error = env.fails(3, &["rollback"]);
    assert!(error.contains("cannot roll back: no release came before"), "{error}");
    assert_eq!(tree::root(&env.path("root")), before);
    // Forward again by number: any release there was.
    let report = env.json(&["rollback", "--to", "3"]);
    assert_eq!((&report["release"], &report["restores"]), (&json!(6), &json!(3)));
    assert_eq!(current(&env), "1.0.2");
    let error = env.fails(3, &["rollback", "--to", "17"]);
    assert!(error.contains("no release 17 on this root (the current one is 6)"), "{error}");
    env.ok(&["links", "verify"]);
}

#[test]
fn one_component_is_rolled_back_and_the_others_stay() {
    let env = deployed(&["1.0.0", "1.0.1"]);
    for version in ["1", "2"] {
        env.write("project/configs/app.conf", version);
        env.ok(&["pack", "--type", "config", "--version", version]);
        env.ok(&["publish", &format!("config@{version}")]);
        env.ok(&["deploy", &format!("config@{version}")]);
    }
    let report = env.json(&["rollback", "model"]);
    assert_eq!(report["changed"], json!([{"type": "model", "from": "1.0.1", "to": "1.0.0"}]));
    assert_eq!((current(&env), env.read("root/links/config/app.conf")), ("1.0.0".into(), "2".into()));
    let error = env.fails(3, &["rollback", "model"]);
    assert!(error.contains("cannot roll back `model`: it had no other version before"), "{error}");
    let error = env.fails(3, &["rollback", "runtime"]);
    assert!(error.contains("`runtime` is not part of the current release"), "{error}");
    // The whole release before is the one with model 1.0.1 again.
    env.ok(&["rollback"]);
    assert_eq!((current(&env), env.read("root/links/config/app.conf")), ("1.0.1".into(), "2".into()));
}

/// Gives the releases these times; the program's clock cannot be set.
fn date_history(env: &Env, times: &[&str]) {
    let history = env.read("root/.deploy-tool/history.jsonl");
    assert_eq!(history.lines().count(), times.len());
    let dated = history.lines().zip(times).map(|(line, time)| {
        let mut entry: Value = serde_json::from_str(line).expect("JSON");
        entry["at"] = json!(time);
        format!("{entry}\n")
    });
    let dated: String = dated.collect();
    env.write("root/.deploy-tool/history.jsonl", dated);
}

#[test]
fn history_says_what_was_current_at_a_time() {
    let env = deployed(&["1.0.0", "1.0.1"]);
    env.ok(&["rollback"]);
    date_history(&env, &["2024-01-20T10:00:00Z", "2024-02-01T00:00:00Z", "2024-02-01T08:30:00Z"]);
    let at = |time: &str| {
        let entries = env.json(&["history", "--at", time]);
        let entries = entries.as_array().expect("a list").clone();
        entries.iter().map(|entry| entry["release"].as_u64().expect("a number")).collect::<Vec<_>>()
    };
    assert_eq!(at("2024-01-20T09:59:59Z"), Vec::<u64>::new());
    assert_eq!(at("2024-01-20T10:00:00Z"), [1]);
    assert_eq!(at("2024-01-31T23:59:59Z"), [1]);
    assert_eq!(at("2024-02-01T08:29:59Z"), [2]);
    assert_eq!(at("2030-01-01T00:00:00Z"), [3]);
    let text = env.ok(&["history"]);
    let first = text.lines().nth(1).expect("a row");
    assert!(first.starts_with("3 ") && first.contains("rollback to 1") && first.contains("model@1.0.0"), "{text}");
    assert_eq!(env.ok(&["history", "--limit", "1"]).lines().count(), 2);
    env.fails(2, &["history", "--at", "yesterday"]);
}

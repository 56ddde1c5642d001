//! Environments: edited by commits to real repositories, and deployed as the one set that the environment names.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::env::{CONFIG, Env};

const PROD: &str = "records/environments/prod.json";

/// Versions 1.0.0 and 1.0.1 of a model and 1 and 2 of a configuration, published.
pub fn published() -> Env {
    let env = Env::with_model();
    for version in ["1.0.0", "1.0.1"] {
        env.write("project/models/bert/config.json", version);
        env.publish(version);
    }
    for version in ["1", "2"] {
        env.write("project/configs/app.conf", version);
        env.ok(&["pack", "--type", "config", "--version", version]);
        env.ok(&["publish", &format!("config@{version}")]);
    }
    env
}

/// What `prod` names, as the tip of the branch has it.
fn prod(env: &Env) -> Value {
    serde_json::from_str(&env.committed("records", PROD)).expect("JSON")
}

fn head(env: &Env) -> String {
    env.git("records", &["rev-parse", "HEAD"]).trim().to_owned()
}

/// Rewrites `prod` by hand and commits.
fn by_hand(env: &Env, change: impl FnOnce(&mut Value)) {
    let mut value = prod(env);
    change(&mut value);
    env.write(&format!("records/{PROD}"), serde_json::to_string_pretty(&value).expect("JSON"));
    env.git("records", &["add", "."]);
    env.git("records", &["commit", "-qm", "by hand"]);
}

fn yank(env: &Env, version: &str) {
    let yanked = json!({"at": "2026-01-02T03:04:05Z", "reason": "answers in Latin", "by": "Li"});
    env.write(&format!("records/records/packages/{version}/yanked.json"), yanked.to_string());
    env.git("records", &["add", "."]);
    env.git("records", &["commit", "-qm", "yank"]);
}

fn sha256(env: &Env, version: &str) -> String {
    let shown = env.json(&["record", "show", version]);
    shown["manifest"]["package"]["checksum"]["value"].as_str().expect("a digest").to_owned()
}

/// What is current, as the links say.
fn current(env: &Env) -> (String, String) {
    let read = |path: &str| fs::read_to_string(env.path("root/links").join(path)).unwrap_or_default();
    (read("model/bert/config.json"), read("config/app.conf"))
}

fn pair(model: &str, config: &str) -> (String, String) {
    (model.to_owned(), config.to_owned())
}

#[test]
fn set_commits_one_file_and_nothing_else() {
    let env = published();
    // What the user has staged and changed stays as it is.
    env.write("records/staged", "staged\n");
    env.git("records", &["add", "staged"]);
    env.write("records/README", "changed\n");
    let status = env.git("records", &["status", "--porcelain"]);
    let planned = env.ok(&["env", "set", "model@1.0.0", "config@^1", "--env", "prod", "--dry-run"]);
    assert_eq!(planned, "config: (none) -> 1\nmodel: (none) -> 1.0.0\nwould make the environment `prod`\n");
    let said = env.ok(&["env", "set", "model@1.0.0", "config@^1", "--env", "prod"]);
    assert_snapshot!(env.shown(&said), @r"
    config: (none) -> 1
    model: (none) -> 1.0.0
    made the environment `prod`: commit <hex> on `main`
    ");
    assert_eq!(env.git("records", &["show", "--name-status", "--format=", "HEAD"]), format!("A\t{PROD}\n"));
    let expected = json!({"serial": 1, "components": {
        "config": {"version": "1", "sha256": sha256(&env, "config@1")},
        "model": {"version": "1.0.0", "sha256": sha256(&env, "model@1.0.0")},
    }});
    assert_eq!(prod(&env), expected);
    assert_eq!(env.committed("records", PROD), env.read(&format!("records/{PROD}")), "the checkout has it too");
    // Fields that this build does not know stay, and one commit says what it did.
    by_hand_is_kept(&env);
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    let message = env.git("records", &["log", "-1", "--format=%B"]);
    assert_snapshot!(env.shown(message.trim()), @r"
    env: prod model 1.0.1

    model: 1.0.0 -> 1.0.1 sha256:<hex>
    Serial: 2
    ");
    assert_eq!((&prod(&env)["serial"], &prod(&env)["freeze"]), (&json!(2), &json!("2027")));
    // Once more: nothing is done.
    let before = head(&env);
    let said = env.ok(&["env", "set", "model", "--env", "prod"]);
    assert_eq!(said, "nothing to do: `prod` names that already (serial 2)\n");
    assert_eq!(head(&env), before);
    // Out of it again.
    env.ok(&["env", "set", "--remove", "config", "--env", "prod"]);
    assert_eq!(env.git("records", &["log", "-1", "--format=%s"]), "env: prod without config\n");
    assert_eq!(
        prod(&env)["components"].as_object().map(|all| all.keys().cloned().collect()),
        Some(vec!["model".to_owned()])
    );
    env.ok(&["env", "set", "--remove", "config", "--env", "prod"]);
    assert_eq!(prod(&env)["serial"], 3);
    assert_eq!(env.git("records", &["status", "--porcelain"]), status);
    env.git("records", &["fsck", "--strict", "--no-dangling"]);
}

/// Adds a field of a later program to `prod`, without a trace in the index.
fn by_hand_is_kept(env: &Env) {
    let mut value = prod(env);
    value["freeze"] = json!("2027");
    env.write(&format!("records/{PROD}"), format!("{:#}\n", value));
    env.git("records", &["commit", "-qm", "by hand", "--only", PROD]);
}

#[test]
fn what_is_not_recorded_or_withdrawn_is_no_environment() {
    let env = published();
    yank(&env, "model/1.0.1");
    let before = head(&env);
    assert_snapshot!(env.refused(3, &["env", "set", "model@9", "--env", "prod"]), @r"
    error: no version `9` of `model` in the records

    hint: the highest published are `1.0.1`, `1.0.0`
    ");
    assert_snapshot!(env.refused(4, &["env", "set", "config@1", "model@1.0.1", "--env", "prod"]), @r"
    error: model@1.0.1 is withdrawn: answers in Latin

    hint: deploy another version: `deploy-tool version list model`
    ");
    env.refused(2, &["env", "set", "model@1.0.0", "model@1.0.1", "--env", "prod"]);
    env.refused(2, &["env", "set", "model@1.0.0", "--remove", "model", "--env", "prod"]);
    env.refused(2, &["env", "set", "--env", "prod"]);
    env.refused(2, &["env", "set", "model@1.0.0", "--env", "../prod"]);
    assert_snapshot!(env.refused(3, &["env", "set", "--remove", "model", "--env", "prod"]), @r"
    error: no environment `prod` in the records

    hint: make it with `deploy-tool env set TYPE@VERSION --env prod`
    ");
    env.ok(&["env", "set", "model@1.0.0", "--env", "staging"]);
    assert_snapshot!(env.refused(3, &["env", "show", "prod"]), @r"
    error: no environment `prod` in the records

    hint: there are `staging`; `deploy-tool env set TYPE@VERSION --env prod` makes it
    ");
    assert_snapshot!(env.refused(3, &["env", "promote", "staging", "prod", "config"]), @r"
    error: the environment `staging` names no `config`

    hint: run `deploy-tool env show staging` to see what it names
    ");
    assert_ne!(head(&env), before, "only staging was made");
    assert_eq!(env.json(&["env", "list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn list_show_promote_and_diff() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.0", "config@1", "--env", "prod"]);
    env.ok(&["env", "set", "model@1.0.1", "config@2", "--env", "staging"]);
    let first = head(&env);
    assert_snapshot!(env.ok(&["env", "list"]), @r"
    ENVIRONMENT  SERIAL  COMPONENTS
    prod         1       config@1 model@1.0.0
    staging      1       config@2 model@1.0.1
    ");
    assert_snapshot!(env.shown(&env.ok(&["env", "diff", "prod", "staging"])), @r"
    `prod` (serial 1, commit <hex>) -> `staging` (serial 1, commit <hex>)
    config: 1 -> 2
      to fetch: 102 B as the whole package (0.0 s)
    model: 1.0.0 -> 1.0.1
      to fetch: 610 B as the whole package (0.0 s)
    ");
    let only = env.json(&["env", "promote", "staging", "prod", "model"]);
    assert_eq!((&only["serial"], &only["changes"][0]["to"]["version"]), (&json!(2), &json!("1.0.1")));
    let message = env.git("records", &["log", "-1", "--format=%B"]);
    assert!(message.starts_with("env: prod model 1.0.1\n\n") && message.contains("Promoted from staging, serial 1"));
    // What only the target names stays.
    env.ok(&["env", "set", "--remove", "model", "--env", "staging"]);
    env.ok(&["env", "promote", "staging", "prod"]);
    assert_eq!(prod(&env)["components"]["model"]["version"], "1.0.1");
    assert_eq!(prod(&env)["components"]["config"]["version"], "2");
    let at = head(&env);
    assert!(env.ok(&["env", "promote", "staging", "prod"]).starts_with("nothing to do"));
    assert_eq!(head(&env), at);
    // As it was against itself as it is.
    assert_snapshot!(env.shown(&env.ok(&["env", "diff", "prod", "--at", &first])), @r"
    `prod` (serial 1, commit <hex>) -> `prod` (serial 3, commit <hex>)
    config: 1 -> 2
      to fetch: 102 B as the whole package (0.0 s)
    model: 1.0.0 -> 1.0.1
      to fetch: 610 B as the whole package (0.0 s)
    ");
    assert_eq!(env.json(&["env", "show", "prod", "--at", &first])["serial"], 1);
    // What cannot be deployed is seen.
    yank(&env, "config/2");
    by_hand(&env, |prod| {
        prod["components"]["model"]["sha256"] = json!("0".repeat(64));
        prod["components"]["runtime"] = json!({"version": "3", "sha256": "1".repeat(64)});
    });
    let shown = env.json(&["env", "show", "prod"]);
    let states: Vec<_> = shown["components"].as_array().expect("a list").iter().map(|c| &c["state"]).collect();
    assert_eq!(json!(states), json!(["yanked", "other-package", "not-recorded"]));
    assert!(env.refused(4, &["env", "promote", "prod", "new", "config"]).contains("config@2 is withdrawn"));
    assert!(env.refused(4, &["env", "promote", "prod", "new", "model"]).contains("pins another package"));
    env.refused(3, &["env", "promote", "prod", "new", "runtime"]);
}

#[test]
fn in_every_kind_of_repository() {
    // A bare one, and a branch that is not checked out.
    let env = published();
    env.git("", &["clone", "-q", "--bare", "records", "bare.git"]);
    let bare = ["--records", "../bare.git"];
    env.ok(&[&["env", "set", "model@1.0.0", "--env", "prod"][..], &bare].concat());
    assert_eq!(env.git("bare.git", &["show", "--name-status", "--format=", "HEAD"]), format!("A\t{PROD}\n"));
    env.ok(&[&["deploy", "--env", "prod"][..], &bare].concat());
    assert_eq!(current(&env), pair("1.0.0", ""));
    env.git("records", &["checkout", "-q", "-b", "elsewhere"]);
    env.configure("records:", "records: {repository: ../records, branch: main}");
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    assert!(!env.path(format!("records/{PROD}")).exists(), "the checkout is of another branch");
    assert_eq!(env.git("records", &["status", "--porcelain"]), "");
    env.ok(&["deploy", "--env", "prod"]);
    assert_eq!(current(&env), pair("1.0.1", ""));
    // A detached HEAD without a branch has none to commit to.
    env.configure("records:", "records: {repository: ../records}");
    env.git("records", &["checkout", "-q", "--detach", "main"]);
    env.refused(2, &["env", "set", "model@1.0.0", "--env", "prod"]);
    // Nothing published at all.
    env.git_init("fresh");
    env.refused(3, &["env", "set", "model@1.0.0", "--env", "prod", "--records", "../fresh"]);
    env.refused(3, &["deploy", "--env", "prod", "--records", "../fresh"]);
    assert_eq!(env.ok(&["env", "list", "--records", "../fresh"]), "there are no environments\n");
}

#[test]
fn edits_at_the_same_time_lose_nothing() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.0", "config@1", "--env", "prod"]);
    for round in 0..4 {
        let (model, config) = if round % 2 == 0 { ("model@1.0.1", "config@2") } else { ("model@1.0.0", "config@1") };
        let before = prod(&env)["serial"].as_u64().expect("a number");
        let spawn = |reference: &str| {
            let mut command = env.command(&["env", "set", reference, "--env", "prod"]);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("it runs")
        };
        let children = [spawn(model), spawn(config)];
        let statuses = children.map(|mut child| child.wait().expect("ended").code());
        let done = statuses.iter().filter(|status| **status == Some(0)).count() as u64;
        assert!(done >= 1 && statuses.iter().all(|status| matches!(status, Some(0 | 5))), "{statuses:?}");
        assert_eq!(prod(&env)["serial"], before + done, "each that said done has its own serial");
        for (status, reference) in statuses.iter().zip([model, config]) {
            let (kind, version) = reference.split_once('@').expect("a version");
            let is = prod(&env)["components"][kind]["version"] == version;
            assert_eq!(is, *status == Some(0), "{reference}: {statuses:?}");
            env.ok(&["env", "set", reference, "--env", "prod"]);
        }
    }
    env.git("records", &["fsck", "--strict", "--no-dangling"]);
    assert_eq!(env.git("records", &["status", "--porcelain"]), "");
}

#[test]
fn deploy_brings_the_root_to_exactly_what_is_named() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.0", "config@1", "--env", "prod"]);
    let first = head(&env);
    assert_snapshot!(env.shown(&env.ok(&["env", "diff", "prod"])), @r"
    `<dir>/root`, where nothing is deployed, -> `prod` (serial 1, commit <hex>)
    config: (none) -> 1
      to fetch: nothing, all of it is on this machine
    model: (none) -> 1.0.0
      to fetch: nothing, all of it is on this machine
    ");
    env.ok(&["deploy", "--env", "prod"]);
    assert_eq!(current(&env), pair("1.0.0", "1"));
    env.ok(&["deploy", "--env", "prod", "--root", "../other"]);
    // Only what differs: the configuration stays as it is.
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    let planned = env.json(&["deploy", "--env", "prod", "--dry-run"]);
    assert_eq!(planned["changed"], json!([{"type": "model", "from": "1.0.0", "to": "1.0.1"}]));
    let report = env.json(&["deploy", "--env", "prod"]);
    assert_eq!(report["changed"], planned["changed"]);
    let how: Vec<_> = report["components"].as_array().expect("a list").iter().map(|c| &c["how"]).collect();
    assert_eq!(json!(how), json!(["present", "unpacked"]));
    assert_eq!(report["environment"], json!({"name": "prod", "serial": 2, "commit": head(&env)}));
    assert_eq!(current(&env), pair("1.0.1", "1"));
    let said = env.ok(&["deploy", "--env", "prod"]);
    assert!(said.ends_with("nothing to do: the release stays as it is\n"), "{said}");
    assert!(env.ok(&["env", "diff", "prod"]).ends_with("name the same\n"));
    // As of a commit.
    env.ok(&["deploy", "--env", "prod", "--at", &first]);
    assert_eq!(current(&env), pair("1.0.0", "1"));
    env.ok(&["deploy", "--env", "prod"]);
    // History and status remember it.
    let entry = &env.json(&["history"])[0];
    assert_eq!(entry["environment"], json!({"name": "prod", "serial": 2, "commit": head(&env)}));
    let text = env.ok(&["history"]);
    assert!(text.lines().nth(1).is_some_and(|line| line.contains("deploy of prod")), "{text}");
    let status = env.json(&["status"]);
    let followed = &status["environment"];
    assert_eq!((&followed["name"], &followed["serial"], &followed["release"]), (&json!("prod"), &json!(2), &json!(4)));
    assert!(status.get("hold").is_none(), "{status}");
    assert!(env.ok(&["status"]).contains("\nenvironment `prod`, serial 2 of commit "));
    // What it does not name stays, and is said.
    env.ok(&["env", "set", "--remove", "config", "--env", "prod"]);
    let said = env.ok(&["deploy", "--env", "prod"]);
    assert_snapshot!(said, @r"
    model@1.0.1 is installed already
    kept config@1, which the environment does not name
    nothing to do: the release stays as it is
    ");
    assert_snapshot!(env.shown(&env.ok(&["env", "diff", "prod"])), @r"
    release 4 of `<dir>/root` -> `prod` (serial 3, commit <hex>)
    config: 1 -> (none)
    what the environment does not name is kept by `deploy --env`, and leaves with `--prune`
    ");
    // Out of the release, not off the disk.
    let planned = env.json(&["deploy", "--env", "prod", "--prune", "--dry-run"]);
    assert_eq!(planned["changed"], json!([{"type": "config", "from": "1", "to": null}]));
    env.ok(&["deploy", "--env", "prod", "--prune"]);
    assert_eq!(current(&env), pair("1.0.1", ""));
    assert!(env.path("root/components/config/1/app.conf").exists() && !env.path("root/links/config").is_symlink());
    env.ok(&["links", "verify"]);
    env.ok(&["rollback"]);
    assert_eq!(current(&env), pair("1.0.1", "1"));
    // Arguments that make no sense together.
    for args in [
        &["deploy", "model", "--env", "prod"][..],
        &["deploy", "model", "--prune"],
        &["deploy", "model", "--resume"],
        &["deploy", "model", "--watch", "1s"],
        &["deploy", "--env", "prod", "--watch", "0s"],
        &["deploy", "--env", "prod", "--watch", "1s", "--dry-run"],
        &["deploy", "--env", "prod", "--watch", "1s", "--at", "HEAD"],
    ] {
        env.refused(2, args);
    }
    env.refused(3, &["deploy", "--env", "nowhere"]);
}

#[test]
fn a_pin_must_be_what_the_record_says() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.0", "config@1", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    env.ok(&["env", "set", "model@1.0.1", "config@2", "--env", "prod"]);
    by_hand(&env, |prod| prod["components"]["model"]["sha256"] = json!("0".repeat(64)));
    assert_snapshot!(env.refused(4, &["deploy", "--env", "prod"]), @r"
    error: the environment `prod` pins another package for model@1.0.1 than its record names: pinned <hex>, recorded <hex>

    hint: nothing was changed; find out who changed which: a published version never changes, so `git log` of the record tells
    ");
    env.refused(4, &["deploy", "--env", "prod", "--dry-run"]);
    // The pin is right, and the record behind it was changed.
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    let swap = |name: &str| env.read(&format!("records/records/packages/model/1.0.0/{name}")).replace("1.0.0", "1.0.1");
    for name in ["manifest.json", "record.json"] {
        let (manifest, mut text) = (swap("manifest.json"), swap(name));
        if name == "record.json" {
            let mut record: Value = serde_json::from_str(&text).expect("JSON");
            record["manifest"]["sha256"] = json!(deploy_tool::model::Sha256::of(manifest.as_bytes()).to_string());
            text = record.to_string();
        }
        env.write(&format!("records/records/packages/model/1.0.1/{name}"), text);
    }
    env.git("records", &["commit", "-qam", "forged"]);
    let said = env.refused(4, &["deploy", "--env", "prod"]);
    assert!(said.contains("pins another package for model@1.0.1"), "{said}");
    // Withdrawn after it was pinned, and never recorded.
    env.git("records", &["revert", "--no-edit", "HEAD"]);
    yank(&env, "config/2");
    assert!(env.refused(4, &["deploy", "--env", "prod"]).contains("config@2 is withdrawn"));
    by_hand(&env, |prod| prod["components"]["config"]["version"] = json!("7"));
    env.refused(3, &["deploy", "--env", "prod"]);
    // No file of another program is taken for an environment.
    for text in ["", "{}", "[]", "{\"serial\": 1, \"components\": {}, \"schema\": 2}"] {
        env.write(&format!("records/{PROD}"), text);
        env.git("records", &["commit", "-qam", "broken"]);
        let said = env.refused(4, &["deploy", "--env", "prod"]);
        assert!(said.contains("records/environments/prod.json`: "), "{said}");
    }
    fs::remove_file(env.path(format!("records/{PROD}"))).expect("removed");
    std::os::unix::fs::symlink("../packages", env.path(format!("records/{PROD}"))).expect("linked");
    env.git("records", &["commit", "-qam", "a link"]);
    env.refused(4, &["deploy", "--env", "prod"]);
    assert_eq!(current(&env), pair("1.0.0", "1"));
}

#[test]
fn a_change_by_hand_holds_the_root_until_it_is_resumed() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.0", "config@1", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    env.ok(&["rollback"]);
    assert_eq!(current(&env), pair("1.0.0", "1"));
    let held = env.json(&["status"]);
    let hold = &held["hold"];
    assert_eq!((&hold["action"], &hold["release"]), (&json!("rollback"), &json!(3)));
    assert!(hold["by"].as_str().is_some_and(|by| by.starts_with("mei@")) && hold["since"].is_string(), "{hold}");
    assert!(env.ok(&["status"]).contains("\non hold since "));
    let said = env.refused(5, &["deploy", "--env", "prod"]);
    assert!(said.contains("`prod` would change model: 1.0.0 -> 1.0.1"), "{said}");
    assert!(said.contains("hint: let environments be deployed again with `deploy-tool deploy --env prod --resume`"));
    env.refused(5, &["deploy", "--env", "prod", "--dry-run"]);
    // By hand everything goes on working, and the hold stays as it began.
    env.ok(&["deploy", "config@2"]);
    env.ok(&["version", "switch", "model", "1.0.1"]);
    assert_eq!(current(&env), pair("1.0.1", "2"));
    let held = env.json(&["status"]);
    assert_eq!((&held["hold"]["release"], &held["environment"]["release"]), (&json!(3), &json!(2)));
    env.refused(5, &["deploy", "--env", "prod"]);
    let planned = env.json(&["deploy", "--env", "prod", "--resume", "--dry-run"]);
    assert_eq!(planned["environment"]["resumed"], true);
    assert!(env.json(&["status"]).get("hold").is_some(), "a dry run resumes nothing");
    let report = env.json(&["deploy", "--env", "prod", "--resume"]);
    assert_eq!(report["environment"]["resumed"], true);
    assert_eq!(current(&env), pair("1.0.1", "1"));
    assert!(env.json(&["status"]).get("hold").is_none());
    assert!(env.ok(&["history", "--limit", "1"]).contains("deploy of prod, resumed"));
    // What was taken out by hand is not put back either.
    env.ok(&["undeploy", "config"]);
    let said = env.refused(5, &["deploy", "--env", "prod"]);
    assert!(said.contains("`prod` would change config: (none) -> 1"), "{said}");
    env.ok(&["deploy", "--env", "prod", "--resume"]);
    assert_eq!(current(&env), pair("1.0.1", "1"));
    // Resuming what is not held is deploying.
    let again = env.json(&["deploy", "--env", "prod", "--resume"]);
    assert_eq!(again["release"], Value::Null);
}

#[test]
fn a_resume_that_changes_nothing_ends_the_hold_and_hides_no_release() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    env.ok(&["version", "switch", "model", "1.0.0"]);
    env.ok(&["version", "switch", "model", "1.0.1"]);
    // Held, and nothing to do: no failure.
    let said = env.ok(&["deploy", "--env", "prod"]);
    assert!(said.ends_with("nothing to do: the release stays as it is\n"), "{said}");
    assert!(env.json(&["status"]).get("hold").is_some());
    assert_eq!(env.json(&["deploy", "--env", "prod", "--resume"])["release"], 5);
    assert!(env.json(&["status"]).get("hold").is_none());
    env.ok(&["rollback"]);
    assert_eq!(current(&env), pair("1.0.0", ""), "to what was before, not to the same");
    // One component rolls back as far as it would have without the resume.
    env.ok(&["deploy", "--env", "prod", "--resume"]);
    env.ok(&["rollback", "model"]);
    env.ok(&["deploy", "model@1.0.1"]);
}

#[test]
fn a_root_of_an_older_program_is_held_by_its_last_switch() {
    let env = published();
    env.ok(&["deploy", "model@1.0.0"]);
    env.ok(&["deploy", "model@1.0.1"]);
    env.ok(&["version", "switch", "model", "1.0.0"]);
    let history = env.read("root/.deploy-tool/history.jsonl");
    assert!(!history.contains("environment"), "as it was written before there were any: {history}");
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    env.refused(5, &["deploy", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod", "--resume"]);
}

/// `model@1` needs `config ^1` and `model@2` needs `config ^2`; configurations 1.5.0, 2.0.0 and 2.1.0.
fn needing() -> Env {
    let env = Env::with_model();
    for version in ["1.5.0", "2.0.0", "2.1.0"] {
        env.write("project/configs/app.conf", version);
        env.ok(&["pack", "--type", "config", "--version", version]);
        env.ok(&["publish", &format!("config@{version}")]);
    }
    for version in ["1", "2"] {
        let depends = format!("{{source: ./models, depends: {{config: \"^{version}\"}}}}");
        env.write("project/.deploy-tool.yaml", CONFIG.replace("{source: ./models}", &depends));
        env.write("project/models/bert/config.json", version);
        env.publish(version);
    }
    env
}

#[test]
fn a_set_must_fit_together_whatever_makes_it() {
    let env = needing();
    env.ok(&["deploy", "model@1", "config@1.5.0"]);
    env.ok(&["deploy", "model@2", "config@2.0.0"]);
    yank(&env, "config/2.1.0");
    // A switch, with what is installed and recorded; the command in the hint does.
    assert_snapshot!(env.refused(4, &["version", "switch", "config", "1.5.0"]), @r"
    error: model@2 needs config ^2, and config would be 1.5.0 (installed here: 2.0.0) (recorded: 2.0.0)

    hint: deploy what fits together: `deploy-tool deploy config@2.0.0`
    ");
    assert_snapshot!(env.refused(4, &["version", "switch", "model", "1"]), @r"
    error: model@1 needs config ^1, and config would be 2.0.0 (installed here: 1.5.0) (recorded: 1.5.0)

    hint: deploy what fits together: `deploy-tool deploy config@1.5.0 model@1`
    ");
    env.ok(&["deploy", "config@1.5.0", "model@1"]);
    // Recorded nowhere any more: only a switch leads there.
    env.git("records", &["rm", "-rq", "records/packages/config"]);
    env.git("records", &["commit", "-qm", "gone"]);
    let said = env.refused(4, &["version", "switch", "model", "2"]);
    assert!(said.contains("hint: no record has it, so switch to it first: `deploy-tool version switch config 2.0.0`"));
    env.git("records", &["revert", "--no-edit", "HEAD"]);
    // A rollback leads to where the root was, and says what does not fit there.
    env.ok(&["rollback"]);
    let ran = env.run(&["rollback", "model"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("warning: the versions of this release do not fit together: model@1 needs config ^1"));
    assert_eq!(current(&env), pair("1", "2.0.0"));
    let report = env.json(&["rollback", "--to", "4", "--dry-run"]);
    assert_eq!(report.get("unmet"), None, "{report}");
}

#[test]
fn an_environment_must_fit_together_too() {
    let env = needing();
    env.ok(&["env", "set", "model@1", "config@1.5.0", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    let ran = env.run(&["env", "set", "model@2", "--env", "prod"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("warning: the environment names versions that do not fit together: model@2 needs"));
    assert_snapshot!(env.refused(4, &["deploy", "--env", "prod"]), @r"
    error: model@2 needs config ^2, and config would be 1.5.0 (recorded: 2.1.0, 2.0.0)

    hint: let the environment name what fits: `deploy-tool env set config@2.1.0 --env prod`, then run the command again
    ");
    env.ok(&["env", "set", "config@2.1.0", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    // What is not named may be needed: kept it is there, pruned it is not.
    env.ok(&["env", "set", "--remove", "config", "--env", "prod", "--quiet"]);
    env.ok(&["deploy", "--env", "prod"]);
    let said = env.refused(4, &["deploy", "--env", "prod", "--prune"]);
    assert!(said.contains("model@2 needs config ^2, and no config would be deployed"), "{said}");
    assert_eq!(current(&env), pair("2", "2.1.0"));
    // No version would do.
    env.configure("model:", "  model: {source: ./models, depends: {config: \"^7\"}}");
    env.write("project/models/bert/config.json", "7");
    env.publish("7");
    assert_snapshot!(env.refused(4, &["deploy", "model@7"]), @r"
    error: model@7 needs config ^7, and config would be 2.1.0

    hint: publish a version of `config` that satisfies ^7, and deploy it together with this
    ");
}

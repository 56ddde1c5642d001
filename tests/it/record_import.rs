//! `record import`: what lies at a target is enough to make its records anew, and a record that is there stands.

use std::fs;

use insta::assert_snapshot;

use super::env::Env;

const RECORD: &str = "records/packages/model/1.0.0/record.json";
const MANIFEST: &str = "records/packages/model/1.0.0/manifest.json";

/// Two versions of a model and one configuration, published, and an empty repository `rebuilt`.
fn published() -> Env {
    let env = Env::with_model();
    env.write("project/configs/app.conf", "threshold = 0.5\n");
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["pack", "--type", "config", "--version", "1.0.0"]);
    env.ok(&["publish", "config@1.0.0"]);
    env.git_init("rebuilt");
    env
}

const IMPORT: [&str; 6] = ["record", "import", "--from", "near", "--records", "../rebuilt"];

#[test]
fn the_records_of_a_target_are_made_anew_in_one_commit() {
    let env = published();
    assert_snapshot!(env.ok(&[&IMPORT[..], &["--dry-run"]].concat()), @r"
    would import config@1.0.0
    would import model@1.0.0
    would import model@1.0.1
    would import 3 of 3 versions at `near`
    ");
    assert_eq!(env.git("rebuilt", &["rev-list", "--count", "HEAD"]).trim(), "1");
    assert_snapshot!(env.shown(&env.ok(&IMPORT)), @r"
    config@1.0.0
    model@1.0.0
    model@1.0.1
    imported 3 of 3 versions at `near`: commit <hex> on `main`
    ");
    assert_eq!(env.git("rebuilt", &["rev-list", "--count", "HEAD"]).trim(), "2");
    assert_eq!(env.committed("rebuilt", MANIFEST), env.committed("records", MANIFEST));
    let record: serde_json::Value = serde_json::from_str(&env.committed("rebuilt", RECORD)).expect("JSON");
    let manifest: serde_json::Value = serde_json::from_str(&env.committed("rebuilt", MANIFEST)).expect("JSON");
    assert_eq!(record["locations"][0]["name"], "near");
    assert_eq!(record["published_at"], manifest["component"]["created_at"]);
    env.ok(&["deploy", "model@1.0.1", "config@1.0.0", "--records", "../rebuilt", "--store", "../empty"]);
    assert_eq!(env.link("components/model/current"), "1.0.1");
    let head = env.git("rebuilt", &["rev-parse", "HEAD"]);
    assert_snapshot!(env.ok(&IMPORT), @"nothing to import: of 3 versions at `near` none is new");
    assert_eq!(env.git("rebuilt", &["rev-parse", "HEAD"]), head);
    assert_eq!(env.json(&IMPORT)["versions"][0]["state"], "recorded");
}

#[test]
fn only_one_component() {
    let env = published();
    let report = env.json(&[&IMPORT[..], &["--type", "config"]].concat());
    assert_eq!(report["versions"].as_array().map(Vec::len), Some(1));
    env.refused(3, &["record", "show", "model", "--records", "../rebuilt"]);
    env.refused(3, &["record", "import", "--from", "nowhere"]);
}

#[test]
fn what_is_not_whole_or_no_manifest_is_named_and_left_out() {
    let env = published();
    let near = env.path("targets/near/model");
    fs::remove_file(near.join("1.0.0/model-1.0.0.index.zst")).expect("removed");
    env.write("targets/near/model/1.0.1/model-1.0.1.tar.gz", "cut");
    env.write("targets/near/notes/manifest.json", "{}");
    let ran = env.run(&IMPORT);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_snapshot!(env.shown(&ran.stderr), @r"
    warning: `<dir>/targets/near/notes/manifest.json` is no manifest: missing field `component` at line 1 column 2
    warning: model@1.0.0 is not whole: `model-1.0.0.index.zst` that `<dir>/targets/near/model/1.0.0/manifest.json` names is missing or has another length
    hint: publish it again from where it was packed
    warning: model@1.0.1 is not whole: `model-1.0.1.tar.gz` that `<dir>/targets/near/model/1.0.1/manifest.json` names is missing or has another length
    hint: publish it again from where it was packed
    ");
    assert_snapshot!(env.shown(&ran.stdout), @r"
    config@1.0.0
    imported 1 of 3 versions at `near`: commit <hex> on `main`
    ");
}

#[test]
fn a_record_of_other_content_stands_and_the_rest_is_imported() {
    let env = published();
    env.write("project/models/bert/config.json", "{\"layers\": 48}\n");
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    env.ok(&["publish", "model@1.0.0", "--to", "far", "--records", "../rebuilt"]);
    let record = env.committed("rebuilt", RECORD);
    let ran = env.run(&IMPORT);
    assert_eq!(ran.status, Some(5), "{ran:?}");
    assert_snapshot!(env.shown(&ran.stderr), @r"
    warning: model@1.0.0 is recorded with other content than `<dir>/targets/near/model/1.0.0/manifest.json` has (recorded <hex>); the record stands
    hint: if the record is wrong, publish the content under a new version
    ");
    assert_eq!(env.committed("rebuilt", RECORD), record);
    env.ok(&["record", "show", "model@1.0.1", "--records", "../rebuilt"]);
}

#[test]
fn of_several_contents_of_one_version_none_is_guessed() {
    let env = published();
    env.git_init("other");
    env.write("project/models/bert/config.json", "{\"layers\": 48}\n");
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    env.ok(&["publish", "model@1.0.0", "--records", "../other"]);
    let ran = env.run(&IMPORT);
    assert_eq!(ran.status, Some(5), "{ran:?}");
    assert!(ran.stderr.contains("several packages at the target say they are model@1.0.0"), "{ran:?}");
    env.refused(3, &["record", "show", "model@1.0.0", "--records", "../rebuilt"]);
    env.ok(&["record", "show", "model@1.0.1", "--records", "../rebuilt"]);
    // Where git knows which one it is, the other is no news.
    for records in ["../records", "../other"] {
        let ran = env.run(&["record", "import", "--from", "near", "--type", "model", "--records", records]);
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    }
}

//! `undeploy`: one component leaves, the others stay, and `rollback` brings it back.

use std::fs;

use serde_json::json;

use super::env::Env;
use super::tree;

/// A model that needs a configuration, both current.
fn deployed() -> Env {
    let env = Env::with_model();
    env.write("project/configs/app.conf", "threshold = 0.5\n");
    env.configure("model:", "  model: {source: ./models, depends: {config: \">=1\"}}");
    env.publish("1.0.0");
    env.ok(&["pack", "--type", "config", "--version", "1.0.0"]);
    env.ok(&["publish", "config@1.0.0"]);
    env.ok(&["deploy", "model@1.0.0", "config@1.0.0"]);
    env
}

#[test]
fn a_component_leaves_and_a_rollback_brings_it_back() {
    let env = deployed();
    let links = tree::snapshot(&env.path("root/links"));
    assert_eq!(env.ok(&["undeploy", "model"]), "model: 1.0.0 -> (none)\nrelease 2 is current\n");
    assert!(!env.path("root/links/model").is_symlink() && !env.path("root/components/model/current").is_symlink());
    assert!(env.path("root/components/model/1.0.0/bert/config.json").exists(), "the version stays installed");
    assert_eq!(env.link("components/config/current"), "1.0.0");
    assert_eq!(env.link("releases/2/config"), "../../components/config/1.0.0");
    assert_eq!(fs::read_dir(env.path("root/releases/2")).expect("listed").count(), 1);
    env.ok(&["links", "verify"]);
    let history = env.json(&["history", "--limit", "1"]);
    assert_eq!((&history[0]["action"], &history[0]["changed"]), (&json!("undeploy"), &json!(["model"])));
    assert!(env.ok(&["history"]).contains("undeploy"));

    // What a rollback needs is no cleanup's.
    env.ok(&["version", "cleanup", "--keep", "0"]);
    fs::remove_dir_all(env.path("store")).expect("removed");
    fs::remove_dir_all(env.path("targets")).expect("removed");
    assert_eq!(env.ok(&["rollback"]), "model: (none) -> 1.0.0\nrolled back: release 3 is current\n");
    assert_eq!(tree::snapshot(&env.path("root/links")), links);
    env.ok(&["links", "verify"]);
}

#[test]
fn what_others_need_stays_unless_forced() {
    let env = deployed();
    let said = env.refused(4, &["undeploy", "config"]);
    assert!(said.contains("cannot undeploy `config`: model@1.0.0 needs it") && said.contains("--force"), "{said}");
    assert!(env.refused(4, &["undeploy", "config", "--dry-run"]).contains("model@1.0.0 needs it"));
    let before = env.listing();
    let planned = env.json(&["undeploy", "config", "--force", "--dry-run"]);
    let links = planned["links"].as_array().expect("a list").iter().map(|link| link["path"].as_str().expect("a path"));
    assert_eq!(links.collect::<Vec<_>>(), ["links/config", "components/config/current"], "the outer link first");
    env.assert_unchanged(&before, &["undeploy", "--dry-run"]);
    env.ok(&["undeploy", "config", "--force"]);
    assert!(!env.path("root/links/config").is_symlink());
}

#[test]
fn the_last_component_leaves_an_empty_release_and_nothing_is_taken_out_twice() {
    let env = deployed();
    env.ok(&["undeploy", "model"]);
    env.refused(3, &["undeploy", "model"]);
    let done = env.json(&["undeploy", "config"]);
    assert_eq!(done["changed"], json!([{"type": "config", "from": "1.0.0", "to": null}]));
    assert_eq!(env.json(&["status"])["components"], json!([]));
    env.ok(&["status"]);
    env.ok(&["links", "verify"]);
    env.ok(&["version", "switch", "config", "1.0.0"]);
    env.ok(&["rollback"]);
    assert!(!env.path("root/links/config").exists(), "back to nothing");
    env.ok(&["deploy", "model@1.0.0", "config@1.0.0"]);
}

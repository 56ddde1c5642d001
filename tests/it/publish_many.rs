//! Publishing to several places at once, of which any may fail, be one with another, or be written by somebody else too.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Barrier;

use insta::assert_snapshot;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::env::Env;
use super::full_disk::{noise, on_small_disk};

const RECORD: &str = "records/packages/model/1.0.0/record.json";

/// The configuration with these lines as `publish`.
fn publish_to(env: &Env, publish: &str) {
    let config = env.read("project/.deploy-tool.yaml");
    let (before, rest) = config.split_once("publish:\n").expect("a section");
    let (_, after) = rest.split_once("deploy:").expect("a section");
    env.write("project/.deploy-tool.yaml", format!("{before}publish:\n{publish}\ndeploy:{after}"));
}

fn locations(env: &Env) -> Vec<String> {
    let record: Value = serde_json::from_str(&env.committed("records", RECORD)).expect("JSON");
    let locations = record["locations"].as_array().expect("a list").iter();
    locations.map(|location| location["name"].as_str().expect("a name").to_owned()).collect()
}

fn pack(env: &Env) {
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
}

#[test]
fn a_full_target_of_three_is_reported_and_gets_what_is_missing_later() {
    let env = Env::with_model();
    publish_to(
        &env,
        "  require: 2\n  targets:\n    near: {type: filesystem, path: ../targets/near}\n    small: {type: filesystem, path: ../small/packages}\n    far: {type: filesystem, path: ../targets/far}",
    );
    env.write("project/models/bert/pytorch_model.bin", noise());
    pack(&env);
    let script = r#"
        "$TOOL" publish model@1.0.0 --json
        find "$SMALL" -type f >"$SMALL/../left"
    "#;
    let Some(ran) = on_small_disk(&env, script) else { return };
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let said = env.shown(&ran.stderr);
    assert!(
        said.starts_with("warning: target `small` does not hold the package: cannot write `<dir>/small/"),
        "{said}"
    );
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(locations(&env), ["near", "far"]);
    assert_eq!(env.read("left"), "", "nothing half written is left");
    // Outside the namespace there is room.
    let report = env.json(&["publish", "model@1.0.0"]);
    let had: Vec<_> =
        report["targets"].as_array().expect("a list").iter().map(|target| &target["already_there"]).collect();
    assert_eq!(had, [true, false, true]);
    assert_eq!(locations(&env), ["near", "far", "small"]);
}

#[test]
fn two_names_of_one_place_are_refused_and_a_name_counts_once() {
    let env = Env::with_model();
    fs::create_dir_all(env.path("targets/near")).expect("made");
    std::os::unix::fs::symlink("near", env.path("targets/link")).expect("linked");
    publish_to(
        &env,
        "  default: [near]\n  require: 1\n  targets:\n    near: {type: filesystem, path: ../targets/near}\n    again: {type: filesystem, path: ../targets/link}\n    bucket: {type: s3, bucket: b, endpoint: \"http://127.0.0.1:1\", prefix: x}\n    same: {type: s3, bucket: b, endpoint: \"http://127.0.0.1:1\", prefix: x, region: r}\n    web: {type: http, url: \"http://127.0.0.1:1/\"}",
    );
    pack(&env);
    assert_snapshot!(env.refused(2, &["publish", "model@1.0.0", "--to", "near,again"]), @r"
    error: the targets `near` and `again` are the same place, so two copies there would be one

    hint: name only one of them with `--to`, or take one out of `publish.default`
    ");
    env.refused(2, &["publish", "model@1.0.0", "--to", "bucket,same"]);
    assert_snapshot!(env.refused(2, &["publish", "model@1.0.0", "--to", "web"]), @r"
    error: target `web` can only be read

    hint: publish to the store behind it
    ");
    env.refused(3, &["publish", "model@1.0.0", "--to", "near,nowhere"]);
    let report = env.json(&["publish", "model@1.0.0", "--to", "near,near"]);
    assert_eq!(report["targets"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_backup_is_published_to_and_read_last() {
    let env = Env::with_model();
    publish_to(
        &env,
        "  targets:\n    cold: {type: filesystem, path: ../targets/cold, role: backup}\n    near: {type: filesystem, path: ../targets/near}",
    );
    pack(&env);
    env.ok(&["publish", "model@1.0.0"]);
    assert_eq!(locations(&env), ["cold", "near"]);
    let source = |root: &str, store: &str| {
        let report = env.json(&["deploy", "model@1.0.0", "--root", root, "--store", store]);
        report["components"][0]["source"].clone()
    };
    assert_eq!(source("../first", "../store-1"), "near");
    fs::remove_dir_all(env.path("targets/near")).expect("removed");
    assert_eq!(source("../second", "../store-2"), "cold");
}

#[test]
fn files_and_folders_get_the_configured_mode() {
    let env = Env::with_model();
    env.configure("near:", "    near: {type: filesystem, path: ../targets/near, mode: \"0640\"}");
    pack(&env);
    env.ok(&["publish", "model@1.0.0"]);
    let mode =
        |path: &str| fs::metadata(env.path("targets/near").join(path)).expect("there").permissions().mode() & 0o777;
    assert_eq!(["", "model", "model/1.0.0"].map(mode), [0o750; 3]);
    let files = ["model-1.0.0.tar.gz", "model-1.0.0.index.zst", "manifest.json"];
    assert_eq!(files.map(|file| mode(&format!("model/1.0.0/{file}"))), [0o640; 3]);
    env.configure("near:", "    near: {type: filesystem, path: ../targets/other, group: no-such-group}");
    let said = env.fails(1, &["publish", "model@1.0.0", "--to", "near"]);
    assert!(said.contains("no group `no-such-group`"), "{said}");
}

/// A project of another user, with content of its own, that shares targets and records with the first one.
fn another(env: &Env, name: &str) {
    env.write(&format!("{name}/models/weights.bin"), format!("weights of {name}\n").repeat(20_000));
    let config = env.read("project/.deploy-tool.yaml");
    env.write(&format!("{name}/.deploy-tool.yaml"), config.replace("../store}", &format!("../store-{name}}}")));
}

#[test]
fn of_two_that_publish_one_version_at_once_exactly_one_wins_and_nothing_is_mixed() {
    for round in 0..4 {
        let env = Env::with_model();
        let names = ["anna", "bo", "chen"];
        let args = ["pack", "--type", "model", "--version", "1.0.0", "--compression", "none"];
        for name in names {
            another(&env, name);
            let packed = env.command(&args).current_dir(env.path(name)).output().expect("it runs");
            assert!(packed.status.success(), "{packed:?}");
        }
        let barrier = Barrier::new(names.len());
        let statuses: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = names
                .iter()
                .map(|name| {
                    let mut command = env.command(&["publish", "model@1.0.0"]);
                    command.current_dir(env.path(name));
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        command.output().expect("it runs")
                    })
                })
                .collect();
            running.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let codes: Vec<_> = statuses.iter().map(|output| output.status.code()).collect();
        let winners: Vec<_> = names.iter().zip(&codes).filter(|(_, code)| **code == Some(0)).collect();
        assert_eq!(winners.len(), 1, "round {round}: {statuses:?}");
        assert_eq!(
            codes.iter().filter(|code| **code == Some(5)).count(),
            names.len() - 1,
            "round {round}: {statuses:?}"
        );
        let packed = fs::read(env.path(winners[0].0).join("dist/model-1.0.0.tar")).expect("packed");
        let record: Value = serde_json::from_str(&env.committed("records", RECORD)).expect("JSON");
        let digest = Sha256::digest(&packed).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(record["package"]["checksum"]["value"], digest, "round {round}");
        let places = record["locations"].as_array().expect("a list");
        assert_eq!(places.len(), 2);
        for place in places {
            let dir = place["path"].as_str().expect("a path");
            assert!(fs::read(format!("{dir}/model-1.0.0.tar")).expect("there") == packed, "round {round}: {dir}");
        }
        env.ok(&["deploy", "model@1.0.0"]);
        assert_eq!(
            fs::read_to_string(env.path("root/links/model/weights.bin")).map(|text| text.contains(winners[0].0)).ok(),
            Some(true)
        );
    }
}

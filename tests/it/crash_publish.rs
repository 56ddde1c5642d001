//! Killed at any change of the disk while packing, publishing and shipping: nothing half made under a final name, a record
//! that is whole or not there, and the same command then succeeds. A plain run tries a sample of the changes
//! (`tests/shared/sample.rs`).

use std::fs;

use super::env::Env;
use super::remote::bare;
use super::sample::Sample;
use super::scene::Scene;

const RECORD: &str = "records/packages/model/1.0.1/record.json";

/// Runs the command killed, failing and out of disk at every change of the disk.
fn strike(scene: &Scene, args: &[&str], look: impl Fn(&str)) {
    for point in Sample::of(&format!("{args:?}"), scene.points(args)).points() {
        for fault in ["kill", "eio", "enospc"] {
            scene.restore();
            let _ = scene.run(args, Some(&format!("{fault}:{point}")));
            look(&format!("{args:?} {fault} at {point}"));
        }
    }
}

/// The files of `dir` that readers may take for finished.
fn finished(scene: &Scene, dir: &str) -> Vec<(String, String)> {
    let names = scene.names().into_iter().filter(|(name, held)| name.starts_with(dir) && held != "dir");
    names.filter(|(name, _)| !name.ends_with(".tmp")).collect()
}

#[test]
fn pack() {
    let env = Env::new();
    env.model_in_place();
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    let scene = Scene::of(env, &["project/dist", "store"]);
    let args = ["pack", "--type", "model", "--version", "1.0.1"];
    scene.points(&args);
    let output = finished(&scene, "project/dist");
    let content = finished(&scene, "store/sha256");
    strike(&scene, &args, |at| {
        for file in finished(&scene, "project/dist") {
            assert!(output.contains(&file), "{at}: {} is half there", file.0);
        }
        for file in finished(&scene, "store/sha256") {
            assert!(content.iter().any(|(name, _)| *name == file.0), "{at}: {} is not what its name says", file.0);
        }
        scene.env.ok(&["store", "verify"]);
        assert!(scene.run(&args, None).status.success(), "{at}: the same command again");
        assert_eq!(finished(&scene, "project/dist"), output, "{at}: the same command again");
    });
}

fn publish(branch_is_checked_out: bool) {
    let env = Env::new();
    env.model_in_place();
    if !branch_is_checked_out {
        env.git("records", &["checkout", "-q", "-b", "elsewhere"]);
        let config = env.read("project/.deploy-tool.yaml");
        env.write("project/.deploy-tool.yaml", config.replace("../records}", "../records, branch: main}"));
    }
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.ok(&["pack", "--type", "model", "--version", "1.0.1"]);
    // What the user has staged and changed stays, whatever happens.
    env.write("records/staged", "staged\n");
    env.git("records", &["add", "staged"]);
    env.write("records/README", "changed\n");
    let status = env.git("records", &["status", "--porcelain"]);
    let scene = Scene::of(env, &["records", "targets", "store"]);
    let args = ["publish", "model@1.0.1"];
    scene.points(&args);
    let targets = finished(&scene, "targets");
    let place = format!("main:{RECORD}");
    strike(&scene, &args, |at| {
        for file in finished(&scene, "targets") {
            assert!(targets.iter().any(|(name, _)| *name == file.0), "{at}: {} has another name", file.0);
        }
        for target in ["near", "far"] {
            let package = scene.env.path(format!("targets/{target}/model/1.0.1/model-1.0.1.tar.gz"));
            let packed = scene.env.path("project/dist/model-1.0.1.tar.gz");
            assert!(!package.exists() || fs::read(&package).ok() == fs::read(packed).ok(), "{at}: half a package");
        }
        scene.env.git("records", &["fsck", "--strict", "--no-dangling"]);
        let listed =
            scene.env.git("records", &["ls-tree", "-r", "--name-only", "main", "records/packages/model/1.0.1"]);
        assert!([0, 2].contains(&listed.lines().count()), "{at}: half a record: {listed}");
        scene.env.ok(&args);
        assert_eq!(scene.env.git("records", &["status", "--porcelain"]), status, "{at}");
        // The next commit of the user neither loses the record nor takes anything else.
        scene.env.git("records", &["commit", "-qm", "mine"]);
        let changed = scene.env.git("records", &["show", "--name-status", "--format=", "HEAD"]);
        assert_eq!(changed, "A\tstaged\n", "{at}");
        let record: serde_json::Value =
            serde_json::from_str(&scene.env.git("records", &["show", &place])).expect("JSON");
        assert_eq!(record["locations"].as_array().map(Vec::len), Some(2), "{at}");
    });
}

#[test]
fn publish_to_a_branch_that_is_checked_out() {
    publish(true);
}

#[test]
fn publish_to_a_branch_that_is_not_checked_out() {
    publish(false);
}

#[test]
fn env_set() {
    let env = Env::new();
    env.model_in_place();
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    env.write("records/README", "changed\n");
    let status = env.git("records", &["status", "--porcelain"]);
    let scene = Scene::of(env, &["records"]);
    let args = ["env", "set", "model@1.0.1", "--env", "prod"];
    strike(&scene, &args, |at| {
        let named = || -> serde_json::Value {
            let text = scene.env.committed("records", "records/environments/prod.json");
            let prod: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            serde_json::json!([prod["serial"], prod["components"]["model"]["version"]])
        };
        let (old, new) = (serde_json::json!([1, "1.0.0"]), serde_json::json!([2, "1.0.1"]));
        assert!([&old, &new].contains(&&named()), "{at}: {}", named());
        scene.env.ok(&args);
        assert_eq!(named(), new, "{at}: once and no more");
        scene.env.git("records", &["fsck", "--strict", "--no-dangling"]);
        // Where the commit stood, the index may be behind it until the next one that is made here.
        scene.env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
        assert_eq!(scene.env.git("records", &["status", "--porcelain"]), status, "{at}");
    });
}

/// To a repository by URL, whose mirror is made on the way.
#[test]
fn env_set_at_a_remote() {
    let env = Env::new();
    env.model_in_place();
    bare(&env, "shared.git");
    env.configure("records:", &format!("records: {{repository: \"file://{}\"}}", env.path("shared.git").display()));
    env.publish("1.0.0");
    env.ok(&["env", "set", "model@1.0.0", "--env", "staging"]);
    fs::remove_dir_all(env.path("store.records")).expect("removed");
    let scene = Scene::of(env, &["shared.git", "store.records"]);
    let args = ["env", "set", "model@1.0.0", "--env", "prod"];
    assert!(scene.points(&args) > 3, "the mirror is made");
    strike(&scene, &args, |at| {
        let files = ["ls-tree", "--name-only", "main", "records/environments/"];
        let listed = scene.env.git("shared.git", &files);
        assert!([1, 2].contains(&listed.lines().count()), "{at}: {listed}");
        scene.env.ok(&args);
        assert_eq!(scene.env.git("shared.git", &files).lines().count(), 2, "{at}");
        assert_eq!(scene.env.git("shared.git", &["rev-list", "--count", "main"]), "3\n", "{at}: once and no more");
        scene.env.git("shared.git", &["fsck", "--strict", "--no-dangling"]);
    });
}

/// With the embedded defaults and nothing there before, as for a stranger. Each of the three steps of it is stopped at every
/// point by the other tests; here every one of its own is killed.
#[test]
fn ship_for_the_first_time() {
    let env = Env::new();
    env.write("project/models/bert/config.json", "{\"layers\": 12}\n");
    env.write("project/.deploy-tool.yaml", "version: 1\ncomponents: {model: {source: ./models}}\n");
    let scene = Scene::of(env, &["project/.deploy-tool", "project/deployments", "home/.cache"]);
    let args = ["ship", "."];
    let points = scene.points(&args);
    for point in Sample::of("ship", points).points() {
        let at = format!("kill at {point} of {points}");
        scene.restore();
        let _ = scene.run(&args, Some(&format!("kill:{point}")));
        scene.env.ok(&args);
        assert_eq!(scene.env.read("project/deployments/links/model/bert/config.json"), "{\"layers\": 12}\n", "{at}");
        scene.env.ok(&["links", "verify"]);
        let listed = scene.env.git("project/.deploy-tool/records", &["ls-tree", "-r", "--name-only", "HEAD"]);
        assert_eq!(listed.lines().count(), 2, "{at}: one version: {listed}");
        assert!(scene.env.ok(&args).contains("unchanged"), "{at}: nothing is left to do");
    }
}

#[test]
fn a_lock_of_git_is_never_taken_for_one_of_ours() {
    let env = Env::new();
    env.model_in_place();
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    let lock = env.write("records/.git/index.lock", "");
    let message = env.fails(5, &["publish", "model@1.0.0"]);
    assert!(message.contains("another git program holds") && message.contains("index.lock"), "{message}");
    assert!(lock.exists());
    fs::remove_file(lock).expect("removed");
    env.ok(&["publish", "model@1.0.0"]);
    assert_eq!(env.git("records", &["status", "--porcelain"]), "");
}

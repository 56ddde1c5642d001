//! How often the disk is made to wait: as often as the contract in the header of `deploy` says, whatever is deployed and
//! however much is kept. Counted from the trace of the fault points.

use std::fs;

use super::env::Env;
use super::old_or_new::with_custom_links;
use super::scene::Scene;

/// Three components with two releases of all of them, the second one current. Each version of the model has `files` files.
fn three_components(files: usize) -> Scene {
    let env = Env::new();
    env.model_in_place();
    for sub in ["models", "configs", "runtimes"] {
        for n in 0..if sub == "models" { files } else { 1 } {
            env.write(&format!("project/{sub}/{n}"), sub);
        }
    }
    for version in ["1.0.0", "1.0.1", "1.0.2"] {
        for (kind, sub) in [("model", "models"), ("config", "configs"), ("runtime", "runtimes")] {
            env.write(&format!("project/{sub}/version"), version);
            env.ok(&["pack", sub, "--type", kind, "--version", version]);
            env.ok(&["publish", &format!("{kind}@{version}")]);
        }
    }
    for version in ["1.0.0", "1.0.1"] {
        env.ok(&["deploy", &format!("model@{version}"), &format!("config@{version}"), &format!("runtime@{version}")]);
    }
    Scene::of(env, &["root", "store"])
}

/// Makes the root keep `count` more versions of the model.
fn keep(scene: &Scene, count: usize) {
    scene.restore();
    let receipt = scene.env.read("root/.deploy-tool/receipts/model/1.0.0.json");
    for n in 0..count {
        scene.env.write(&format!("root/components/model/0.0.{n}/version"), "old");
        let receipt = receipt.replace("\"1.0.0\"", &format!("\"0.0.{n}\""));
        scene.env.write(&format!("root/.deploy-tool/receipts/model/0.0.{n}.json"), receipt);
    }
    let listed = scene.env.json(&["version", "list", "model"]);
    assert!(listed.to_string().matches("\"installed\":true").count() >= count, "{listed}");
    scene.save();
}

/// Makes the packages be fetched, into directories that are all there: a new one costs a flush, and which are needed lies in
/// the digests.
fn empty_store(scene: &Scene) {
    fs::remove_dir_all(scene.env.path("store/sha256")).expect("removed");
    for prefix in 0..256 {
        fs::create_dir_all(scene.env.path(format!("store/sha256/{prefix:02x}"))).expect("made");
    }
    scene.save();
}

/// How often the command flushes a whole file system, and single files and directories: of the root, of the store, elsewhere.
fn flushes(scene: &Scene, args: &[&str]) -> [usize; 4] {
    let trace = scene.trace(args);
    let actions: Vec<&str> = trace.iter().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    let count = |start: &str| actions.iter().filter(|action| action.starts_with(start)).count();
    let of = |dir: &str| count(&format!("flush {}", scene.env.path(dir).display()));
    let whole = count("flush the file system of ");
    let (root, store) = (of("root"), of("store"));
    [whole, root, store, count("flush ") - whole - root - store]
}

const SWITCH: &[&str] = &["version", "switch", "model", "1.0.0"];
const ROLLBACK: &[&str] = &["rollback"];
const DEPLOY: &[&str] = &["deploy", "model@1.0.2", "config@1.0.2", "runtime@1.0.2"];

#[test]
fn a_switch_and_a_rollback_flush_three_times_whatever_the_root_keeps() {
    let scene = three_components(1);
    for kept in [0, 100, 1000] {
        keep(&scene, kept);
        assert_eq!(flushes(&scene, SWITCH), [3, 0, 0, 0], "{kept} versions");
        assert_eq!(flushes(&scene, ROLLBACK), [3, 0, 0, 0], "{kept} versions");
    }
}

#[test]
fn a_switch_a_rollback_and_a_deploy_of_many_files_flush_as_often_as_of_one() {
    let counts = [1, 500].map(|files| {
        let scene = three_components(files);
        empty_store(&scene);
        // The same way for both: of many files the missing pieces would do.
        let config = scene.env.read("project/.deploy-tool.yaml");
        scene.env.write("project/.deploy-tool.yaml", config.replace("deploy: {", "deploy: {verify: whole, "));
        [SWITCH, ROLLBACK, DEPLOY].map(|args| flushes(&scene, args))
    });
    assert_eq!(counts[0], counts[1]);
    let [switch, rollback, [whole, root, _, elsewhere]] = counts[0];
    assert_eq!((switch, rollback), ([3, 0, 0, 0], [3, 0, 0, 0]));
    assert_eq!((whole, root, elsewhere), (4, 0, 0), "of a deploy that makes no new directory but versions");
}

#[test]
fn links_outside_the_root_cost_two_flushes_each_and_their_note_two() {
    // One link is made, another one removed.
    let scene = with_custom_links(&["1.0.0", "1.0.1"]);
    assert_eq!(flushes(&scene, SWITCH), [3, 2, 0, 4]);
}

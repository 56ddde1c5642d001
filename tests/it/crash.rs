//! Killed, out of disk or failing at any change of the disk: the root is what it was before or what was asked for.
//!
//! The points are not listed here: each command is killed at its first change, its second one, and so on until it ends by
//! itself, so a new write, rename or link is tested the day it is written. That each change is a point is held by
//! `tests/points.rs`. A plain run tries a sample of the points (`tests/shared/sample.rs`).

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;

use super::old_or_new::{
    Change, RECOVER, dangling, published, same, scene, stages, visible, whole, with_custom_links, with_delta,
    with_linked_config, with_ranges,
};
use super::sample::Sample;
use super::scene::Scene;

/// Runs `args` killed, failing and out of disk at every point; `look` judges what is left each time, and is told whether
/// the run said that it was done. How many points there are is not the same each time: a run that learned nothing new of its
/// sources has nothing to remember of them.
fn at_every_point(scene: &Scene, args: &[&str], look: impl Fn(&str, bool)) {
    let sample = Sample::of(&format!("{args:?}"), scene.points(args));
    for point in (1..).filter(|point| sample.takes(*point)) {
        let mut killed = false;
        for fault in ["eio", "enospc", "kill"] {
            scene.restore();
            let (output, trace) = scene.run_traced(args, Some(&format!("{fault}:{point}")));
            let at = format!("{args:?} {fault} at {point}");
            killed = output.status.signal() == Some(9);
            if fault != "kill" {
                assert!(output.status.code().is_some(), "{at}: {output:?}");
            } else if !killed {
                assert!(trace.len() < point && point > 3, "{at}: {output:?}, {trace:?}");
            }
            look(&at, output.status.success());
        }
        if !killed {
            break;
        }
    }
}

/// A command that makes a release or removes one: all or nothing, and the same command then succeeds. No link that a reader
/// follows ever leads nowhere.
fn all_or_nothing(scene: &Scene, args: &[&str]) {
    let change = Change::of(scene, args);
    at_every_point(scene, args, |at, done| {
        assert_eq!(dangling(scene), [""; 0], "{at}");
        match done {
            true => change.judge_done(scene, at),
            false => change.judge(scene, at),
        }
    });
}

/// A command that changes single names: each is old or new, and the same command again makes all new.
fn name_by_name(scene: &Scene, args: &[&str]) {
    scene.points(args);
    let (before, after) = (whole(scene.saved()), whole(scene.names()));
    assert_ne!(before, after, "the command does something");
    at_every_point(scene, args, |at, done| {
        if done {
            same(&whole(scene.names()), &after, &format!("{at}: said done, but is not"));
        }
        for (name, held) in visible(scene.names()).into_iter().filter(|(name, _)| !name.contains(".deploy-tool-new")) {
            let known = [before.get(&name), after.get(&name)];
            assert!(known.contains(&Some(&held)), "{at}: {name} is {held}");
        }
        scene.env.ok(args);
        same(&whole(scene.names()), &after, &format!("{at}: the same command again"));
    });
}

/// What recovers from `args`, killed at three stages, is itself stopped at every point.
fn recovery(scene: &Scene, args: &[&str]) {
    let change = Change::of(scene, args);
    let [half_prepared, prepared, committed] = stages(&scene.trace(args));
    for point in [half_prepared, prepared, committed] {
        scene.restore();
        let killed = scene.run(args, Some(&format!("kill:{point}")));
        assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
        scene.save();
        at_every_point(scene, RECOVER, |at, _| {
            change.judge(scene, &format!("{args:?} killed at {point}, {at}"));
        });
    }
}

#[test]
fn deploy_of_two_components() {
    all_or_nothing(&scene(&[]), &["deploy", "model@1.0.1", "config@2"]);
}

#[test]
fn deploy_that_shares_files() {
    let scene = scene(&[]);
    scene.env.configure("deploy:", "deploy: {root: ../root, link: hardlink}");
    // What was put back is other files: they are looked at, and are sources again.
    let scene = scene.with(&["deploy", "--repair"]);
    all_or_nothing(&scene, &["deploy", "model@1.0.1"]);
    let shared = |version: &str| {
        let weights = format!("root/components/model/{version}/bert/pytorch_model.bin");
        fs::metadata(scene.env.path(weights)).expect("there").ino()
    };
    assert_eq!(shared("1.0.0"), shared("1.0.1"));
}

#[test]
fn deploy_that_fetches_ranges() {
    let scene = with_ranges();
    all_or_nothing(&scene, &["deploy", "model@1.0.1"]);
    scene.restore();
    let done = scene.env.json(&["deploy", "model@1.0.1"])["components"][0].clone();
    let cost = &done["cost"];
    assert_eq!(cost["candidates"][cost["chosen"].as_u64().expect("a place") as usize]["way"], "ranges", "{done}");
}

#[test]
fn deploy_that_applies_a_delta() {
    all_or_nothing(&with_delta(), &["deploy", "model@1.0.1"]);
}

#[test]
fn deploy_repair() {
    let scene = scene(&[]);
    let dir = scene.env.path("root/components/model/1.0.0");
    fs::remove_file(dir.join("tokenizer/vocab.txt")).expect("removed");
    fs::remove_file(dir.join("bert/config.json")).expect("removed");
    fs::write(dir.join("bert/config.json"), "damaged").expect("written");
    let scene = Scene::of(scene.env, &["root"]);
    name_by_name(&scene, &["deploy", "--repair"]);
    scene.env.ok(&["status", "--deep"]);
}

#[test]
fn first_deploy_ever() {
    let scene = Scene::of(published(), &["root", "app"]);
    all_or_nothing(&scene, &["deploy", "model@1.0.0"]);
}

#[test]
fn deploy_that_makes_a_custom_link_and_removes_one() {
    let scene = with_custom_links(&["1.0.0"]);
    all_or_nothing(&scene, &["deploy", "model@1.0.1"]);
    assert!(scene.env.path("app/new").exists() && !scene.env.path("app/old").is_symlink());
}

#[test]
fn deploy_that_is_asked_for_checked_and_put_on_trial() {
    let scene = scene(&[]);
    let deploy = "deploy: {root: ../root, confirm: 1h, hooks: {pre_switch: [['true']], post_switch: [['true']]}}";
    scene.env.configure("deploy:", deploy);
    all_or_nothing(&scene, &["deploy", "model@1.0.1"]);
}

#[test]
fn version_switch() {
    all_or_nothing(&scene(&[&["deploy", "model@1.0.1"]]), &["version", "switch", "model", "1.0.0"]);
}

#[test]
fn deploy_of_an_environment_that_takes_a_component_out() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    env.ok(&["deploy", "model@1.0.0", "config@2"]);
    all_or_nothing(&Scene::of(env, &["root", "app"]), &["deploy", "--env", "prod", "--prune"]);
}

/// Whether the root is on hold, once the next changing command has recovered it.
fn held(scene: &Scene) -> bool {
    scene.env.ok(&["version", "unpin", "model", "1.0.0"]);
    scene.env.json(&["status"]).get("hold").is_some()
}

#[test]
fn a_hold_begins_and_ends_with_its_release() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    env.ok(&["deploy", "model@1.0.0"]);
    env.ok(&["deploy", "--env", "prod"]);
    let scene = Scene::of(env, &["root", "app"]);
    let switch = ["version", "switch", "model", "1.0.0"];
    at_every_point(&scene, &switch, |at, _| {
        let held = held(&scene);
        assert_eq!(held, scene.env.link("releases/current") == "3", "{at}");
        assert_eq!(held, scene.env.link("components/model/current") == "1.0.0", "{at}");
    });
    scene.restore();
    scene.env.ok(&switch);
    scene.env.ok(&["version", "switch", "model", "1.0.1"]);
    // Only the hold ends: the versions are those of the environment.
    let scene = Scene::of(scene.env, &["root", "app"]);
    let resume = ["deploy", "--env", "prod", "--resume"];
    all_or_nothing(&scene, &resume);
    at_every_point(&scene, &resume, |at, _| {
        assert_eq!(held(&scene), scene.env.link("releases/current") == "4", "{at}");
    });
}

#[test]
fn rollback_that_takes_a_component_out() {
    all_or_nothing(&scene(&[&["deploy", "model@1.0.1", "config@2"]]), &["rollback"]);
}

#[test]
fn rollback_of_one_component() {
    all_or_nothing(&scene(&[&["deploy", "model@1.0.1"], &["deploy", "config@2"]]), &["rollback", "model"]);
}

#[test]
fn undeploy_of_a_component_that_a_custom_link_leads_to() {
    let scene = with_linked_config();
    all_or_nothing(&scene, &["undeploy", "config"]);
    assert!(!scene.env.path("app/config").is_symlink() && !scene.env.path("root/links/config").is_symlink());
    assert!(scene.env.path("root/components/config/2/app.conf").exists(), "the version stays");
}

#[test]
fn cleanup() {
    all_or_nothing(
        &scene(&[&["deploy", "model@1.0.1"], &["deploy", "model@1.0.2"]]),
        &["version", "cleanup", "--keep", "0"],
    );
}

#[test]
fn recovery_of_a_deploy() {
    recovery(&scene(&[]), &["deploy", "model@1.0.1", "config@2"]);
}

#[test]
fn recovery_of_a_rollback() {
    recovery(&scene(&[&["deploy", "model@1.0.1", "config@2"]]), &["rollback"]);
}

#[test]
fn links_repair() {
    let scene = scene(&[&["deploy", "config@2"]]);
    let root = scene.env.path("root");
    fs::remove_file(root.join("links/model")).expect("removed");
    fs::remove_file(root.join("components/config/current")).expect("removed");
    symlink("nowhere", root.join("components/config/current")).expect("linked");
    let scene = Scene::of(scene.env, &["root"]);
    name_by_name(&scene, &["links", "repair"]);
    scene.env.ok(&["links", "verify"]);
}

#[test]
fn pin_and_unpin() {
    let scene = scene(&[]);
    name_by_name(&scene, &["version", "pin", "model", "1.0.0"]);
    scene.restore();
    scene.env.ok(&["version", "pin", "model", "1.0.0"]);
    name_by_name(&Scene::of(scene.env, &["root"]), &["version", "unpin", "model", "1.0.0"]);
}

#[test]
fn store_gc() {
    let env = published();
    env.write("store/tmp/left-behind", "half a package");
    name_by_name(&Scene::of(env, &["store"]), &["store", "gc", "--max-size", "0"]);
}

//! Killed, out of disk or failing at any change of the disk: the root is what it was before or what was asked for.
//!
//! The points are not listed here: a traced run of each command tells how many changes it makes, so a new write, rename
//! or link is tested the day it is written.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;

use super::env::{CONFIG, Env};
use super::scene::{Scene, State, differences};

/// What [`Root::open`] makes before anything is deployed, and what a receipt's directory leaves.
///
/// [`Root::open`]: deploy_tool::deploy::Root::open
const SKELETON: [&str; 9] = [
    "root/components",
    "root/links",
    "root/releases",
    "root/.deploy-tool",
    "root/.deploy-tool/format",
    "root/.deploy-tool/journal",
    "root/.deploy-tool/staging",
    "root/.deploy-tool/receipts",
    "root/.deploy-tool/pins",
];

/// Three versions of a model and one configuration, published.
fn published() -> Env {
    let env = Env::in_memory();
    env.model_in_place();
    env.write("project/configs/app.conf", "threshold = 0.5\n");
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.write("project/models/bert/config.json", "{\"layers\": 24}\n");
    env.publish("1.0.2");
    env.ok(&["pack", "--type", "config", "--version", "2"]);
    env.ok(&["publish", "config@2"]);
    fs::create_dir(env.path("app")).expect("made");
    env
}

/// The same with `model@1.0.0` deployed, and whatever `more` does.
fn scene(more: &[&[&str]]) -> Scene {
    let env = published();
    env.ok(&["deploy", "model@1.0.0"]);
    for args in more {
        env.ok(args);
    }
    Scene::of(env, &["root", "app"])
}

/// The part of the state that users see: links, releases and version directories.
fn visible(state: State) -> State {
    let own = |name: &str| name.starts_with("root/.deploy-tool") || SKELETON.contains(&name);
    state.into_iter().filter(|(name, _)| !own(name)).collect()
}

/// Everything but the empty directories, and the empty history, that every root has. Which custom links are ours is left
/// out: a link that does not hold what is noted there is no claim.
fn stray(state: State) -> State {
    let own = |name: &str, held: &str| {
        SKELETON.contains(&name)
            || name == "root/.deploy-tool/custom-links.json"
            || (name == "root/.deploy-tool/history.jsonl" && held.is_empty())
    };
    state.into_iter().filter(|(name, held)| !own(name, held)).collect()
}

fn same(found: &State, expected: &State, what: &str) {
    let differences = differences(found, expected);
    assert!(differences.is_empty(), "{what}: {differences:#?}");
}

/// Runs `args` killed and failing at every point, by turns with an I/O error and a full disk; `look` judges what is left
/// each time.
fn at_every_point(scene: &Scene, args: &[&str], points: usize, look: impl Fn(&str, &Output)) {
    for point in 1..=points {
        for fault in ["kill", if point % 2 == 0 { "eio" } else { "enospc" }] {
            scene.restore();
            let output = scene.run(args, Some(&format!("{fault}:{point}")));
            let at = format!("{args:?} {fault} at {point}");
            if fault == "kill" {
                assert_eq!(output.status.signal(), Some(9), "{at}: {output:?}");
            } else {
                assert!(output.status.code().is_some(), "{at}: {output:?}");
            }
            look(&at, &output);
        }
    }
}

/// A command that makes a release or removes one: all or nothing, and the same command then succeeds.
fn all_or_nothing(scene: &Scene, args: &[&str]) {
    let points = scene.points(args);
    let (before, after) = (visible(scene.saved()), visible(scene.names()));
    assert_ne!(before, after, "the command does something");
    at_every_point(scene, args, points, |at, output| {
        let root = scene.env.path("root");
        for link in ["links/model", "components/model/current", "releases/current"] {
            assert!(before.is_empty() || root.join(link).exists(), "{at}: {link} dangles");
        }
        // The next changing command recovers; this one changes nothing else, since nothing is pinned.
        let is_root = root.join(".deploy-tool/format").exists();
        if is_root {
            scene.env.ok(&["version", "unpin", "model", "1.0.0"]);
            for dir in ["journal", "staging"] {
                let dir = root.join(".deploy-tool").join(dir);
                assert!(fs::read_dir(&dir).expect("there").next().is_none(), "{at}: {}", dir.display());
            }
        }
        let recovered = visible(scene.names());
        let changed = differences(&before, &recovered);
        assert!(changed.is_empty() || recovered == after, "{at}: neither old nor new: {changed:#?}\n{output:?}");
        if output.status.success() {
            same(&recovered, &after, &format!("{at}: said done, but is not: {output:?}"));
        }
        if recovered == before {
            if is_root {
                same(&stray(scene.names()), &stray(scene.saved()), &format!("{at}: stray files"));
            }
            scene.env.ok(args);
            same(&visible(scene.names()), &after, &format!("{at}: the same command again"));
        }
        let unfinished: Vec<_> = scene.names().into_keys().filter(|name| name.ends_with(".tmp")).collect();
        assert!(unfinished.is_empty(), "{at}: {unfinished:?}");
        scene.env.ok(&["links", "verify"]);
    });
}

/// A command that changes single names: each is old or new, and the same command again makes all new.
fn name_by_name(scene: &Scene, args: &[&str]) {
    let points = scene.points(args);
    let (before, after) = (stray(scene.saved()), stray(scene.names()));
    assert_ne!(before, after, "the command does something");
    at_every_point(scene, args, points, |at, output| {
        if output.status.success() {
            same(&stray(scene.names()), &after, &format!("{at}: said done, but is not: {output:?}"));
        }
        for (name, held) in visible(scene.names()).into_iter().filter(|(name, _)| !name.contains(".deploy-tool-new")) {
            let known = [before.get(&name), after.get(&name)];
            assert!(known.contains(&Some(&held)), "{at}: {name} is {held}");
        }
        scene.env.ok(args);
        same(&stray(scene.names()), &after, &format!("{at}: the same command again"));
    });
}

#[test]
fn deploy_of_two_components() {
    all_or_nothing(&scene(&[]), &["deploy", "model@1.0.1", "config@2"]);
}

#[test]
fn first_deploy_ever() {
    let scene = Scene::of(published(), &["root", "app"]);
    all_or_nothing(&scene, &["deploy", "model@1.0.0"]);
}

#[test]
fn deploy_that_makes_a_custom_link_and_removes_one() {
    let env = published();
    let with = |link: &str, env: &Env| {
        let (link, target) = (env.path("app").join(link), env.path("root/links/model"));
        let link = format!("deploy: {{root: ../root, custom_links: {{{}: {}}}}}", link.display(), target.display());
        env.write("project/.deploy-tool.yaml", CONFIG.replace("deploy: {root: ../root}", &link));
    };
    with("old", &env);
    env.ok(&["deploy", "model@1.0.0"]);
    with("new", &env);
    let scene = Scene::of(env, &["root", "app"]);
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
fn rollback_that_takes_a_component_out() {
    all_or_nothing(&scene(&[&["deploy", "model@1.0.1", "config@2"]]), &["rollback"]);
}

#[test]
fn cleanup() {
    all_or_nothing(
        &scene(&[&["deploy", "model@1.0.1"], &["deploy", "model@1.0.2"]]),
        &["version", "cleanup", "--keep", "0"],
    );
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

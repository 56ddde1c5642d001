//! Power off at any time: the root is what it was before or what was asked for.
//!
//! Each command is run once and looked at between any two changes of the disk (`stepped.rs`), so what is tried here follows
//! the code by itself. From that `power.rs` makes what may be on the disk when the power goes at any point:
//!
//! # What may be lost
//!
//! - Every change that no flush had covered before the cut, each for itself and in any order: a later one may be there and
//!   an earlier one not, in one directory as in different ones.
//! - The bytes of a file that was not flushed: none of them, a part from the start, zeros in full length, or any sectors of
//!   64 bytes and zeros between them. A line that was appended tears alone: the bytes before it were there.
//! - Permission bits and times.
//!
//! # What is not lost
//!
//! - What `syncfs` covered when it returned: every change in the root. Links elsewhere are taken to be on another file
//!   system, which it does not reach.
//! - What the flush of a file covered: its bytes and bits, but not its name. What the flush of a directory covered: the
//!   names in it, and links as a whole, but not what its files hold.
//! - A change is one name (a symbolic link with what it holds), or the two names of one rename: that one is there and the
//!   other not, no file system with a journal does. A directory never has two names.
//! - What was on the disk before the command began.
//!
//! What readers see before the next command: the links they followed before lead to one whole version, and no `current`
//! leads nowhere. The entry in `links/` of a component that is new may be there before its `current` is;
//! that of one that leaves is gone before.
//!
//! The extremes (all lost, all but one, one alone) are tried at every flush, and random mixtures at every point; a plain run
//! tries a sample of the points, and at each flush of the changes (`tests/shared/sample.rs`). The seed is in every message,
//! and `DEPLOY_TOOL_SEED` sets it. When the command has said that it is done, nothing of it may be
//! lost at all.

use std::collections::HashSet;
use std::fs;

use super::old_or_new::{
    Change, RECOVER, dangling, published, scene, stages, with_custom_links, with_delta, with_linked_config, with_ranges,
};
use super::power::{Fate, Run};
use super::random::Random;
use super::sample::Sample;
use super::scene::Scene;

/// Random mixtures at each point.
const DRAWS: usize = 3;

/// Cuts the power at every point of the last of `commands`; what the ones before it did not flush may be lost then too.
fn cut(scene: &Scene, commands: &[&[&str]], judge: impl Fn(&str, bool)) {
    let (mut random, seed) = Random::seeded();
    let run = Run::of(scene, commands);
    let mut tried = HashSet::new();
    let name = format!("{commands:?}");
    let (points, mut looked) = (Sample::of(&name, run.end - run.begin + 1), 0);
    let changes = Sample::of(&format!("changes of {name}"), run.changes());
    let is_tried = |point: &usize| points.takes(point - run.begin + 1) || run.is_flush(*point);
    for point in (run.begin..=run.end).filter(is_tried) {
        looked += 1;
        let at_stake = run.at_stake(point);
        let mut try_one = |what: &str, fates: &dyn Fn(usize, &mut Random) -> Fate| {
            let disk = run.cut(point, &mut random, fates);
            if tried.insert((point == run.end, disk.digest())) {
                disk.write(scene);
                let (begin, end) = (run.begin, run.end);
                judge(
                    &format!("{commands:?}, power off at {point} of {begin}..{end}, {what}, seed {seed}"),
                    point == end,
                );
            }
        };
        try_one("all lost", &|_, _| Fate::Lost);
        if run.is_flush(point) || point == run.end {
            let ends = [at_stake.first(), at_stake.last()];
            let is_tried = |index: &&usize| changes.takes(**index + 1) || ends.contains(&Some(*index));
            for index in at_stake.iter().filter(is_tried) {
                let one = |fate, others| move |at, _: &mut Random| if at == *index { fate } else { others };
                try_one(&format!("only change {index} lost"), &one(Fate::Lost, Fate::Kept));
                try_one(&format!("only change {index} torn"), &one(Fate::Torn, Fate::Kept));
                try_one(&format!("only change {index} kept"), &one(Fate::Kept, Fate::Lost));
            }
        }
        for _ in 0..DRAWS {
            try_one("a mixture", &|_, random| [Fate::Kept, Fate::Kept, Fate::Lost, Fate::Torn][random.below(4)]);
        }
    }
    assert!(tried.len() >= looked, "only {} outcomes of {looked} points", tried.len());
}

/// One command, on a root where everything before it is on the disk.
fn old_or_new(scene: &Scene, args: &[&str]) {
    let change = Change::of(scene, args);
    cut(scene, &[args], |at, done| match done {
        true => change.judge_done(scene, at),
        false => change.judge(scene, at),
    });
}

/// A command right behind another one, of which something may not be on the disk.
fn old_or_new_behind(scene: &Scene, first: &[&str], args: &[&str]) {
    scene.restore();
    assert!(scene.run(first, None).status.success());
    let change = Change::next(scene, args);
    cut(scene, &[first, args], |at, done| match done {
        true => change.judge_done(scene, at),
        false => change.judge(scene, at),
    });
}

/// The power goes while the next command recovers from `args`, which was killed at three stages.
fn recovery(scene: &Scene, args: &[&str]) {
    let change = Change::of(scene, args);
    for point in stages(&scene.trace(args)) {
        scene.restore();
        assert!(!scene.run(args, Some(&format!("kill:{point}"))).status.success());
        scene.save();
        cut(scene, &[RECOVER], |at, _| change.judge(scene, &format!("{args:?} killed at {point}, {at}")));
    }
}

#[test]
fn first_deploy_ever() {
    old_or_new(&Scene::of(published(), &["root", "app"]), &["deploy", "model@1.0.0"]);
}

#[test]
fn deploy_of_two_components() {
    old_or_new(&scene(&[]), &["deploy", "model@1.0.1", "config@2"]);
}

#[test]
fn deploy_that_shares_files() {
    let scene = scene(&[]);
    scene.env.configure("deploy:", "deploy: {root: ../root, link: hardlink}");
    // What was put back is other files: they are looked at, and are sources again.
    old_or_new(&scene.with(&["deploy", "--repair"]), &["deploy", "model@1.0.1"]);
}

#[test]
fn deploy_that_fetches_ranges() {
    old_or_new(&with_ranges(), &["deploy", "model@1.0.1"]);
}

#[test]
fn deploy_that_applies_a_delta() {
    old_or_new(&with_delta(), &["deploy", "model@1.0.1"]);
}

#[test]
fn deploy_repair() {
    let scene = scene(&[]);
    let dir = scene.env.path("root/components/model/1.0.0");
    let read = |file: &str| fs::read(dir.join(file)).ok();
    let files = ["tokenizer/vocab.txt", "bert/config.json", "bert/pytorch_model.bin"];
    let good = files.map(read);
    fs::remove_file(dir.join(files[0])).expect("removed");
    fs::remove_file(dir.join(files[1])).expect("removed");
    fs::write(dir.join(files[1]), "damaged").expect("written");
    let bad = files.map(read);
    let scene = Scene::of(scene.env, &["root"]);
    cut(&scene, &[&["deploy", "--repair"]], |at, done| {
        for ((file, good), bad) in files.iter().zip(&good).zip(&bad) {
            let found = read(file);
            assert!(found == *good || !done && found == *bad, "{at}: {file} is neither old nor good");
        }
        scene.env.ok(&["deploy", "--repair"]);
        scene.env.ok(&["status", "--deep"]);
    });
}

#[test]
fn deploy_that_makes_a_custom_link_and_removes_one() {
    old_or_new(&with_custom_links(&["1.0.0"]), &["deploy", "model@1.0.1", "config@2"]);
}

#[test]
fn deploy_that_is_checked_and_put_on_trial() {
    let scene = scene(&[]);
    let deploy = "deploy: {root: ../root, confirm: 1h, hooks: {pre_switch: [['true']], post_switch: [['true']]}}";
    scene.env.configure("deploy:", deploy);
    old_or_new(&scene, &["deploy", "model@1.0.1"]);
}

#[test]
fn switch_that_makes_a_custom_link_and_removes_one() {
    old_or_new(&with_custom_links(&["1.0.0", "1.0.1"]), &["version", "switch", "model", "1.0.0"]);
}

#[test]
fn version_switch() {
    old_or_new(&scene(&[&["deploy", "model@1.0.1"]]), &["version", "switch", "model", "1.0.0"]);
}

#[test]
fn rollback_that_takes_a_component_out() {
    old_or_new(&scene(&[&["deploy", "model@1.0.1", "config@2"]]), &["rollback"]);
}

#[test]
fn deploy_of_an_environment_that_takes_a_component_out() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    env.ok(&["deploy", "model@1.0.0", "config@2"]);
    old_or_new(&Scene::of(env, &["root", "app"]), &["deploy", "--env", "prod", "--prune"]);
}

#[test]
fn undeploy_of_a_component_that_a_custom_link_leads_to() {
    let (scene, args) = (with_linked_config(), ["undeploy", "config"]);
    let change = Change::of(&scene, &args);
    cut(&scene, &[&args], |at, done| {
        // Of what leaves the outer link is gone for good before the one it leads through.
        assert_eq!(dangling(&scene), [""; 0], "{at}");
        let custom = scene.env.path("app/config");
        assert!(!custom.is_symlink() || custom.exists(), "{at}: {} leads nowhere", custom.display());
        match done {
            true => change.judge_done(&scene, at),
            false => change.judge(&scene, at),
        }
    });
}

#[test]
fn rollback_of_one_component() {
    old_or_new(&scene(&[&["deploy", "model@1.0.1"], &["deploy", "config@2"]]), &["rollback", "model"]);
}

#[test]
fn cleanup() {
    old_or_new(
        &scene(&[&["deploy", "model@1.0.1"], &["deploy", "model@1.0.2"]]),
        &["version", "cleanup", "--keep", "0"],
    );
}

#[test]
fn recovery_of_a_deploy() {
    recovery(&scene(&[]), &["deploy", "model@1.0.1", "config@2"]);
}

#[test]
fn a_switch_right_behind_a_switch() {
    // The tenth release, whose journal's name sorts before that of the ninth.
    let scene = scene(&[&["deploy", "model@1.0.1"]]);
    for n in 0..6 {
        scene.env.ok(&["version", "switch", "model", ["1.0.0", "1.0.1"][n % 2]]);
    }
    scene.save();
    let to = |version| ["version", "switch", "model", version];
    old_or_new_behind(&scene, &to("1.0.0"), &to("1.0.1"));
}

#[test]
fn a_deploy_right_behind_a_deploy() {
    old_or_new_behind(&scene(&[]), &["deploy", "model@1.0.1"], &["deploy", "config@2"]);
}

#[test]
fn a_deploy_right_behind_the_cleanup_of_the_same_version() {
    let scene = scene(&[&["deploy", "model@1.0.1"], &["deploy", "model@1.0.2"]]);
    old_or_new_behind(&scene, &["version", "cleanup", "--keep", "0"], &["deploy", "model@1.0.0"]);
}

#[test]
fn a_cleanup_right_behind_a_switch() {
    let scene = scene(&[&["deploy", "model@1.0.1"], &["deploy", "model@1.0.2"]]);
    old_or_new_behind(&scene, &["version", "switch", "model", "1.0.1"], &["version", "cleanup", "--keep", "0"]);
}

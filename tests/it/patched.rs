//! Updates by a delta: taken where it costs least, checked as everything else is, and passed over with a word where it or what
//! it starts from is not what it should be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::env::{Env, Ran};
use super::fault_server::{Server, Way};
use super::ranges::{BIG, check, first, located, noise, number, second, taken};

const DELTA: &str = "model-2.0.0.from-1.0.0.delta.zst";
const DEPLOY: &[&str] = &["deploy", "model@2.0.0", "--store", "../fresh"];

/// Two versions of a model, 12 MB of which every number differs a little, and what makes one of the other.
fn two_versions() -> Env {
    two_versions_with(0)
}

/// The same, with so many small files in both of them.
fn two_versions_with(files: usize) -> Env {
    let env = Env::with_model();
    for number in 0..files {
        env.write(&format!("project/models/small/{number}"), number.to_string());
    }
    let mut weights = noise(1, 12_000_000);
    env.write(&format!("project/models/{BIG}"), &weights);
    env.publish("1.0.0");
    weights.iter_mut().step_by(1000).for_each(|byte| *byte ^= 1);
    env.write(&format!("project/models/{BIG}"), &weights);
    env.ok(&["pack", "--type", "model", "--version", "2.0.0"]);
    env.ok(&["publish", "model@2.0.0", "--delta-from", "previous"]);
    first(&env);
    env
}

fn published(env: &Env, name: &str) -> Vec<u8> {
    fs::read(env.path(format!("targets/near/model/2.0.0/{name}"))).expect("published")
}

/// Serves the second version over HTTP, with this as its delta.
fn served(env: &Env, delta: Option<&[u8]>) -> Server {
    let server = server(env, delta);
    located(env, &[("web", &server)]);
    server
}

fn server(env: &Env, delta: Option<&[u8]>) -> Server {
    let paths = ["model-2.0.0.tar.gz", "model-2.0.0.index.zst", DELTA].map(|name| format!("/model/2.0.0/{name}"));
    let (package, index) = (published(env, "model-2.0.0.tar.gz"), published(env, "model-2.0.0.index.zst"));
    let mut files = vec![(paths[0].as_str(), package.as_slice()), (&paths[1], &index)];
    files.extend(delta.map(|delta| (paths[2].as_str(), delta)));
    Server::start(&files)
}

fn ran(env: &Env) -> (Value, String) {
    let ran = env.run(&[DEPLOY, &["--json"]].concat());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    check(env);
    let document: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    (document["components"][0].clone(), document["warnings"].to_string())
}

#[test]
fn it_is_taken_where_it_costs_least_and_a_dry_run_says_so_before() {
    let env = two_versions();
    let delta = published(&env, DELTA);
    let _web = served(&env, Some(&delta));
    let before = env.listing();
    let dry = env.json(&[DEPLOY, &["--dry-run"]].concat())["components"][0].clone();
    env.assert_unchanged(&before, &["dry run"]);
    assert_eq!((&taken(&dry)["way"], &taken(&dry)["from"]), (&json!("delta"), &json!("1.0.0")), "{dry}");
    assert_eq!(number(taken(&dry), "bytes"), delta.len() as u64);
    let (done, warnings) = ran(&env);
    assert_eq!((&taken(&done)["way"], &taken(&done)["bytes"]), (&taken(&dry)["way"], &taken(&dry)["bytes"]));
    assert_eq!(warnings, "[]");
    let index = published(&env, "model-2.0.0.index.zst").len() as u64;
    assert_eq!(number(&done, "fetched"), delta.len() as u64 + index);
    // All of it is as if it had been unpacked.
    env.ok(&["status", "--deep"]);
    env.ok(&["deploy", "model@2.0.0", "--store", "../fresh", "--root", "../other"]);
    let tree = |root: &str| env.json(&["status", "--root", root])["components"].clone();
    assert_eq!(tree("../root")[0]["tree"], tree("../other")[0]["tree"]);
}

/// While many files are linked all of a small delta comes, before the ways are weighed a second time.
#[test]
fn what_came_before_it_was_weighed_again_is_told_as_fetched() {
    let env = two_versions_with(5000);
    let delta = published(&env, DELTA);
    let _web = served(&env, Some(&delta));
    let (done, warnings) = ran(&env);
    assert_eq!((&taken(&done)["way"], number(taken(&done), "bytes")), (&json!("delta"), delta.len() as u64), "{done}");
    assert_eq!(warnings, "[]");
    // What is in the store when a run begins is not fetched by it.
    env.ok(&["deploy", "model@1.0.0", "--root", "../other"]);
    let done = env.json(&[DEPLOY, &["--root", "../other"]].concat())["components"][0].clone();
    assert_eq!((&taken(&done)["way"], number(taken(&done), "bytes")), (&json!("delta"), 0), "{done}");
}

#[test]
fn a_base_that_was_changed_is_named_and_the_version_comes_another_way() {
    let env = two_versions();
    let _web = served(&env, Some(&published(&env, DELTA)));
    let path = env.path(format!("root/components/model/1.0.0/{BIG}"));
    let mut bytes = fs::read(&path).expect("there");
    bytes[6_000_001] ^= 1;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opened");
    fs::write(&path, &bytes).expect("written");
    let (done, warnings) = ran(&env);
    assert!(warnings.contains("the delta of model from 1.0.0 is not used") && warnings.contains(BIG), "{warnings}");
    assert_ne!(taken(&done)["way"], "delta", "{done}");
}

#[test]
fn a_delta_that_is_not_there_or_not_right_costs_no_more_than_itself() {
    for there in [false, true] {
        let env = two_versions();
        let mut flipped = published(&env, DELTA);
        *flipped.last_mut().expect("bytes") ^= 1;
        // Who gives wrong bytes is left out for the rest of the run.
        let (web, other) = (server(&env, there.then_some(&flipped)), server(&env, None));
        located(&env, &[("web", &web), ("other", &other)]);
        let (done, warnings) = ran(&env);
        assert!(warnings.contains("the delta of model from 1.0.0 is not used"), "{warnings}");
        assert_eq!(there, warnings.contains("wrong bytes"), "{warnings}");
        assert_ne!(taken(&done)["way"], "delta", "{done}");
    }
}

/// Whoever may write records may list what is no delta, or one of another version.
#[test]
fn a_record_that_lists_something_else_is_no_worse() {
    let env = two_versions();
    let garbage = noise(3, 50_000);
    let _web = served(&env, Some(&garbage));
    let path = "records/records/packages/model/2.0.0/record.json";
    let mut record: Value = serde_json::from_str(&env.read(path)).expect("JSON");
    let sha256 = deploy_tool::model::Sha256::of(&garbage).to_string();
    record["deltas"][0]["size"] = garbage.len().into();
    record["deltas"][0]["checksum"]["value"] = sha256.into();
    env.write(path, serde_json::to_vec_pretty(&record).expect("JSON"));
    env.git("records", &["commit", "-qam", "garbage"]);
    let (done, warnings) = ran(&env);
    assert!(warnings.contains("it is damaged: it does not begin as a delta does"), "{warnings}");
    assert_ne!(taken(&done)["way"], "delta", "{done}");
}

#[test]
fn where_the_whole_package_is_to_be_checked_there_is_no_delta() {
    let env = two_versions();
    let _web = served(&env, Some(&published(&env, DELTA)));
    let config = env.read("project/.deploy-tool.yaml");
    env.write("project/.deploy-tool.yaml", config.replace("deploy: {", "deploy: {verify: whole, "));
    let (done, warnings) = ran(&env);
    assert_eq!((&taken(&done)["way"], warnings.as_str()), (&json!("whole"), "[]"));
}

#[test]
fn a_kill_at_any_write_is_gone_on_with() {
    let env = two_versions();
    let _web = served(&env, Some(&published(&env, DELTA)));
    let trace = env.path("trace");
    let run = |point: Option<usize>| {
        for sub in ["fresh", "root"] {
            let _ = fs::remove_dir_all(env.path(sub));
        }
        first(&env);
        let mut command = env.command(DEPLOY);
        command.env("DEPLOY_TOOL_FAULT_TRACE", &trace);
        if let Some(point) = point {
            command.env("DEPLOY_TOOL_FAULT", format!("kill:{point}"));
        }
        let ran = Ran::of(command.output().expect("it runs"));
        assert_eq!(ran.status, if point.is_some() { None } else { Some(0) }, "{ran:?}");
        fs::read_to_string(&trace).expect("traced")
    };
    let points: Vec<usize> =
        run(None).lines().map(|line| line.split(' ').next().and_then(|n| n.parse().ok()).expect("a number")).collect();
    for point in points.iter().step_by((points.len() / 12).max(1)).chain(points.last()) {
        run(Some(*point));
        second(&env);
    }
}

/// Two versions of a model of 24 MB, a third of every part of which is other: what makes one of the other is large enough to
/// be applied while it comes.
fn large() -> Env {
    let env = Env::with_model();
    let mut weights = noise(1, 24_000_000);
    env.write(&format!("project/models/{BIG}"), &weights);
    env.publish("1.0.0");
    let other = noise(2, weights.len());
    for start in (0..weights.len()).step_by(30_000) {
        weights[start..start + 10_000].copy_from_slice(&other[start..start + 10_000]);
    }
    env.write(&format!("project/models/{BIG}"), &weights);
    env.ok(&["pack", "--type", "model", "--version", "2.0.0"]);
    env.ok(&["publish", "model@2.0.0", "--delta-from", "previous"]);
    first(&env);
    env
}

/// Changes what the record says of its delta.
fn record(env: &Env, change: impl FnOnce(&mut Value)) {
    let path = "records/records/packages/model/2.0.0/record.json";
    let mut record: Value = serde_json::from_str(&env.read(path)).expect("JSON");
    change(&mut record["deltas"][0]);
    env.write(path, serde_json::to_vec_pretty(&record).expect("JSON"));
    env.git("records", &["commit", "-qam", "changed"]);
}

#[test]
fn it_is_applied_while_it_comes_and_goes_on_after_a_kill_where_it_was() {
    let env = large();
    let delta = published(&env, DELTA);
    let web = served(&env, Some(&delta));
    assert!(delta.len() > 5_000_000, "{} bytes come in one request", delta.len());
    let begin = || {
        for sub in ["fresh", "root"] {
            let _ = fs::remove_dir_all(env.path(sub));
        }
        first(&env);
    };
    let trace = env.path("trace");
    web.misbehave(Way::Slow(400_000), 1000).to_all();
    let slow = env.command(DEPLOY).env("DEPLOY_TOOL_FAULT_TRACE", &trace).output().expect("it runs");
    assert!(slow.status.success(), "{slow:?}");
    let trace: Vec<String> = fs::read_to_string(trace).expect("traced").lines().map(str::to_owned).collect();
    let place = |what: &dyn Fn(&str) -> bool| -> Vec<usize> {
        trace.iter().enumerate().filter(|(_, line)| what(line)).map(|(n, _)| n + 1).collect()
    };
    let pieces = place(&|line| line.contains(" write ") && line.contains("/partial/"));
    let made = place(&|line| line.contains(" write ") && line.contains(BIG));
    assert!(pieces.len() > 10 && made.len() > 10, "{trace:#?}");
    assert!(made[0] < pieces[pieces.len() - 1], "nothing was made before all had come: {trace:#?}");

    begin();
    let killed =
        env.command(DEPLOY).env("DEPLOY_TOOL_FAULT", format!("kill:{}", pieces[pieces.len() * 3 / 4])).status();
    assert_eq!(killed.expect("it runs").code(), None);
    let asked = web.seen().len();
    let (done, warnings) = ran(&env);
    assert_eq!((&taken(&done)["way"], warnings.as_str()), (&json!("delta"), "[]"));
    let (resumed, fetched) = (number(&done, "resumed"), number(&done, "fetched"));
    assert!(resumed > delta.len() as u64 / 2 && fetched < delta.len() as u64 / 2, "{done}");
    assert!(web.seen().len() > asked, "{done}");
}

#[test]
fn without_a_pinned_header_it_is_used_once_it_is_whole() {
    let env = large();
    record(&env, |delta| drop(delta.as_object_mut().expect("an object").remove("header")));
    let _web = served(&env, Some(&published(&env, DELTA)));
    let (done, warnings) = ran(&env);
    assert_eq!((&taken(&done)["way"], warnings.as_str()), (&json!("delta"), "[]"));
}

/// A record of somebody who got it wrong: the bytes are not those it pins, and nothing is made of them.
#[test]
fn a_header_that_is_not_the_pinned_one_is_not_believed() {
    let env = large();
    let digest = deploy_tool::model::Sha256::of(b"another").to_string();
    record(&env, |delta| delta["header"]["checksum"]["value"] = digest.into());
    let (web, other) = (server(&env, Some(&published(&env, DELTA))), server(&env, None));
    located(&env, &[("web", &web), ("other", &other)]);
    let (done, warnings) = ran(&env);
    assert!(warnings.contains("web") && warnings.contains("wrong bytes"), "{warnings}");
    assert_ne!(taken(&done)["way"], "delta", "{done}");
}

#[test]
fn what_comes_wrong_in_the_middle_costs_no_more_than_itself() {
    let env = large();
    let mut flipped = published(&env, DELTA);
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let (web, other) = (server(&env, Some(&flipped)), server(&env, None));
    located(&env, &[("web", &web), ("other", &other)]);
    let (done, warnings) = ran(&env);
    assert!(
        warnings.contains("the delta of model from 1.0.0 is not used") && warnings.contains("wrong bytes"),
        "{warnings}"
    );
    assert_ne!(taken(&done)["way"], "delta", "{done}");
}

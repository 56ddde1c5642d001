//! Fetching large packages: streamed into place, gone on with after a kill, past sources that lie.

use std::fs;
use std::path::PathBuf;

use deploy_tool::model::Index;
use serde_json::Value;

use super::env::{Env, Ran};

/// A published model of 12 MB that no codec makes smaller, and its index.
fn published() -> (Env, Index) {
    let env = Env::new();
    env.model_in_place();
    let mut noise = vec![0; 12_000_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    env.write("project/models/bert/pytorch_model.bin", noise);
    env.publish("1.0.0");
    let index = fs::read(env.path("project/dist/model-1.0.0.index.zst")).expect("packed");
    (env, Index::parse(&index).expect("an index"))
}

/// Deploys with a store that has nothing yet.
fn deploy(env: &Env) -> Value {
    let report = env.json(&["deploy", "model@1.0.0", "--store", "../fresh"]);
    env.ok(&["links", "verify"]);
    let (there, here) = ("project/models/bert/pytorch_model.bin", "root/links/model/bert/pytorch_model.bin");
    assert!(fs::read(env.path(there)).expect("packed") == fs::read(env.path(here)).expect("deployed"));
    report["components"][0].clone()
}

fn names(env: &Env, sub: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(env.path(sub)) else { return Vec::new() };
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn pieces(index: &Index) -> u64 {
    index.pieces.iter().map(|piece| piece.length).sum()
}

/// The package as a target holds it.
fn at(env: &Env, target: &str) -> PathBuf {
    env.path(format!("targets/{target}/model/1.0.0/model-1.0.0.tar.gz"))
}

#[test]
fn a_kill_costs_at_most_the_piece_each_connection_was_reading() {
    let (env, index) = published();
    let (count, longest) = (index.pieces.len(), index.pieces.iter().map(|piece| piece.length).max().expect("pieces"));
    let trace = env.path("trace");
    let killed = |point: Option<usize>| {
        for sub in ["fresh", "root"] {
            if env.path(sub).exists() {
                fs::remove_dir_all(env.path(sub)).expect("removed");
            }
        }
        let mut command = env.command(&["deploy", "model@1.0.0", "--store", "../fresh"]);
        command.env("DEPLOY_TOOL_FAULT_TRACE", &trace);
        if let Some(point) = point {
            command.env("DEPLOY_TOOL_FAULT", format!("kill:{point}"));
        }
        let ran = Ran::of(command.output().expect("it runs"));
        assert_eq!(ran.status, if point.is_some() { None } else { Some(0) }, "{ran:?}");
        fs::read_to_string(&trace).expect("traced")
    };
    let is_write = |line: &&str| line.contains(" write ") && line.contains("/partial/");
    let writes: Vec<usize> = killed(None)
        .lines()
        .filter(is_write)
        .map(|line| line.split(' ').next().and_then(|number| number.parse().ok()).expect("a number"))
        .collect();
    // Head and tail are written, too.
    assert!(writes.len() >= count && count >= 5, "{} writes for {count} pieces", writes.len());
    for point in [writes[3], writes[writes.len() / 2], writes[writes.len() * 9 / 10]] {
        let begun = killed(Some(point)).lines().filter(is_write).count();
        let component = deploy(&env);
        let bytes = |field: &str| component[field].as_u64().expect("a number");
        let index_size = fs::metadata(env.path("project/dist/model-1.0.0.index.zst")).expect("packed").len();
        let fetched = bytes("fetched");
        assert!(
            fetched == pieces(&index) - bytes("resumed") || fetched == pieces(&index) - bytes("resumed") + index_size
        );
        // Two connections to each of two sources of this machine; head and tail count among the writes.
        let whole = begun.saturating_sub(2 * 2 + 2);
        assert!(fetched <= (count - whole) as u64 * longest, "{begun} writes, then {component}");
        assert!(names(&env, "fresh/partial").is_empty());
    }
    env.ok(&["store", "verify", "--store", "../fresh"]);
}

#[test]
fn without_room_in_the_store_the_package_is_never_whole_here() {
    let (env, index) = published();
    env.configure("store:", "store: {path: ../store, max_size: 0}");
    let component = deploy(&env);
    assert!(component["fetched"].as_u64().expect("a number") >= pieces(&index));
    let package = fs::metadata(at(&env, "near")).expect("published").len();
    let largest = super::env::listing(&env.path("fresh")).into_keys().filter_map(|path| fs::metadata(path).ok());
    let largest = largest.filter(fs::Metadata::is_file).map(|meta| meta.len()).max().expect("the index at least");
    assert!(largest < package / 10, "{largest}");
    assert!(names(&env, "fresh/partial").is_empty());
}

#[test]
fn what_would_be_fetched_is_said_by_source() {
    let (env, _) = published();
    env.configure("deploy:", "deploy: {root: ../root, sources: [far, near]}");
    let package = fs::metadata(at(&env, "far")).expect("published").len();
    let report = env.json(&["deploy", "model@1.0.0", "--store", "../fresh", "--dry-run"]);
    let expected = serde_json::json!([{"name": "far", "bytes": package}]);
    assert_eq!(report["components"][0]["sources"], expected);
    assert!(!env.path("fresh").exists() && !env.path("root").exists());
}

#[test]
fn a_source_that_lies_about_one_piece_is_named_and_its_bytes_are_kept() {
    let (env, _) = published();
    env.configure("deploy:", "deploy: {root: ../root, sources: [near, far]}");
    let path = at(&env, "near");
    let mut bytes = fs::read(&path).expect("published");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&path).expect("removed");
    fs::write(&path, bytes).expect("damaged");
    let ran = env.run(&["deploy", "model@1.0.0", "--store", "../fresh"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("of `near` has wrong bytes in piece"), "{}", ran.stderr);
    assert_eq!(names(&env, "root/.deploy-tool/rejected").len(), 1);
    env.ok(&["links", "verify"]);
    env.ok(&["store", "verify", "--store", "../fresh"]);
}

#[test]
fn what_an_earlier_fetch_left_is_listed_and_collected_in_the_end() {
    let (env, _) = published();
    let digest = "0".repeat(64);
    env.ok(&["deploy", "model@1.0.0", "--store", "../fresh"]);
    env.write(&format!("fresh/partial/{digest}"), vec![1; 100_000]);
    let listed = env.json(&["store", "list", "--store", "../fresh"]);
    let unfinished = listed.as_array().expect("a list").iter().filter(|entry| entry["unfinished"] == true).count();
    assert_eq!(unfinished, 1, "{listed}");
    env.ok(&["store", "gc", "--store", "../fresh"]);
    assert_eq!(names(&env, "fresh/partial"), [digest.as_str()]);
    env.ok(&["store", "gc", "--store", "../fresh", "--max-size", "0"]);
    assert!(names(&env, "fresh/partial").is_empty());
}

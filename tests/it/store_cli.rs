//! The store of packages: what is in it, rot that is found and mended, collecting, and several users at once.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::env::{Env, Ran};
use super::tree;

/// The sha256 of one file of a packed version: `package`, `manifest` or `index`.
fn digest(env: &Env, version: &str, what: &str) -> String {
    let note: Value = serde_json::from_str(&env.read(&format!("store/packed/model/{version}.json"))).expect("JSON");
    note[what].as_str().expect("a digest").to_owned()
}

fn place(env: &Env, digest: &str) -> PathBuf {
    env.path(format!("store/sha256/{}/{digest}", &digest[..2]))
}

/// A bit rots, and the length stays.
fn rot(env: &Env, digest: &str) {
    let path = place(env, digest);
    let mut bytes = fs::read(&path).expect("there");
    // In a manifest where it stays a manifest.
    let source = bytes.windows(8).position(|window| window == b"./models");
    let at = source.map_or(bytes.len() / 2, |at| at + 2);
    bytes[at] ^= 4;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("allowed");
    fs::write(&path, bytes).expect("written");
}

/// A published version in the store, and the store's note of it.
fn published() -> Env {
    let env = Env::with_model();
    env.publish("1.0.0");
    env
}

#[test]
fn list_says_what_is_there_and_why() {
    let env = Env::with_model();
    assert_eq!(env.ok(&["store", "list"]), "the store is empty\n");
    assert!(!env.path("store").exists(), "reading makes no store");
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    let text = env.ok(&["store", "list"]);
    assert_eq!(text.matches("model@1.0.0").count(), 3, "{text}");
    assert!(text.contains(&digest(&env, "1.0.0", "package")), "{text}");
    assert!(text.contains("\n3 entries, "), "{text}");
    env.ok(&["publish", "model@1.0.0"]);
    let listed = env.json(&["store", "list"]);
    assert!(listed.as_array().expect("a list").iter().all(|entry| entry["unpublished"].is_null()), "{listed}");
}

#[test]
fn verify_finds_rot_and_sets_it_aside() {
    let env = published();
    assert!(env.ok(&["store", "verify"]).starts_with("3 entries ("));
    let package = digest(&env, "1.0.0", "package");
    rot(&env, &package);
    let found = env.run(&["store", "verify"]);
    assert_eq!(found.status, Some(4), "{found:?}");
    assert!(found.stdout.starts_with("1 of 3 entries ("), "{found:?}");
    assert!(found.stderr.contains(&format!("warning: `{package}` in the store")), "{found:?}");
    assert!(found.stderr.contains("hint: run `deploy-tool store verify --set-aside`"), "{found:?}");
    let aside = env.run(&["store", "verify", "--set-aside", "--json"]);
    assert_eq!(aside.status, Some(4), "{aside:?}");
    let kept = env.path("store/corrupt").join(&package);
    let document: Value = serde_json::from_str(&aside.stdout).expect("JSON");
    assert_eq!(document["corrupt"], json!([package]));
    assert!(kept.is_file() && !place(&env, &package).exists(), "{document}");
    assert!(env.ok(&["store", "verify"]).starts_with("2 entries ("));
    // It is fetched again when it is needed.
    let deployed = env.ok(&["deploy", "model"]);
    assert!(deployed.contains("from `near`"), "{deployed}");
    assert!(env.ok(&["store", "verify"]).starts_with("3 entries ("));
}

#[test]
fn deploy_does_not_use_rotten_content_but_fetches_it_again() {
    for what in ["package", "index"] {
        let env = published();
        let rotten = digest(&env, "1.0.0", what);
        rot(&env, &rotten);
        let deployed = env.ok(&["deploy", "model"]);
        assert!(deployed.contains("unpacked model@1.0.0 from `near`"), "{what}: {deployed}");
        assert_eq!(env.read("root/links/model/bert/config.json"), "{\"layers\": 12}\n");
        env.ok(&["store", "verify"]);
        env.ok(&["links", "verify"]);
    }
    // With nothing to fetch it from, the root stays as it was.
    let env = published();
    rot(&env, &digest(&env, "1.0.0", "package"));
    fs::remove_dir_all(env.path("targets")).expect("removed");
    let error = env.fails(4, &["deploy", "model"]);
    assert!(error.contains("model@1.0.0"), "{error}");
    assert!(!env.path("root/components/model").exists());
}

#[test]
fn publish_never_passes_rot_on() {
    for what in ["package", "index", "manifest"] {
        let env = Env::with_model();
        env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
        rot(&env, &digest(&env, "1.0.0", what));
        let error = env.fails(4, &["publish", "model@1.0.0"]);
        assert!(error.contains("hint: run `deploy-tool store verify --set-aside`"), "{what}: {error}");
        assert_eq!(env.git("records", &["log", "--format=%s"]), "start\n", "{what}");
        for target in ["targets/near", "targets/far"] {
            assert!(!env.path(target).join("model/1.0.0").exists(), "{what}: left on {target}");
        }
        assert_eq!(env.run(&["store", "verify", "--set-aside"]).status, Some(4), "{what}");
        env.publish("1.0.0");
        env.ok(&["deploy", "model"]);
    }
}

#[test]
fn gc_keeps_what_is_not_published_and_goes_by_last_use() {
    let env = Env::with_model();
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    let full = env.run(&["store", "gc", "--max-size", "0"]);
    assert_eq!(full.status, Some(0), "{full:?}");
    assert!(full.stdout.starts_with("removed 0 entries"), "{full:?}");
    assert!(full.stderr.contains("what is packed and not published is kept"), "{full:?}");
    env.ok(&["publish", "model@1.0.0"]);
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.write("store/tmp/left-by-a-killed-writer", "half");

    // The first version was used long ago: it goes, and the newer one fits.
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(86_400);
    let old = ["package", "manifest", "index"].map(|what| place(&env, &digest(&env, "1.0.0", what)));
    for path in &old {
        File::open(path).expect("there").set_modified(long_ago).expect("set");
    }
    let newer = ["package", "manifest", "index"].map(|what| place(&env, &digest(&env, "1.0.1", what)));
    let room: u64 = newer.iter().map(|path| fs::metadata(path).expect("there").len()).sum();
    let room = room.to_string();
    let before = tree::snapshot(&env.path("store"));
    let planned = env.json(&["store", "gc", "--max-size", &room, "--dry-run"]);
    assert_eq!(tree::snapshot(&env.path("store")), before, "a dry run");
    let done = env.json(&["store", "gc", "--max-size", &room]);
    for field in ["removed", "kept", "leftovers", "frees", "excess"] {
        assert_eq!(planned[field], done[field], "{field}");
    }
    assert_eq!(done["leftovers"], 1);
    assert!(old.iter().all(|path| !path.exists()), "{done}");
    assert!(newer.iter().all(|path| path.exists()), "{done}");
    assert!(!env.path("store/packed/model/1.0.0.json").exists());
    assert_eq!(env.json(&["store", "gc", "--max-size", "0"])["kept"], json!([]));
    // What is published is fetched again; what the root has needs no store.
    env.ok(&["deploy", "model@1.0.0"]);
    env.ok(&["store", "gc", "--max-size", "0"]);
    env.ok(&["deploy", "model@1.0.1"]);
    env.ok(&["rollback"]);
}

#[test]
fn the_cap_is_the_configured_one() {
    let env = published();
    let config = env.read("project/.deploy-tool.yaml").replace("path: ../store}", "path: ../store, max_size: 1KiB}");
    env.write("project/.deploy-tool.yaml", config);
    let collected = env.json(&["store", "gc"]);
    assert!(!collected["removed"].as_array().expect("a list").is_empty(), "{collected}");
    let error = env.fails(2, &["store", "gc", "--max-size", "lots"]);
    assert!(error.contains("lots"), "{error}");
}

#[test]
fn two_may_pack_at_once() {
    let env = Env::with_model();
    env.write("project/models/bert/big", vec![5u8; 5_000_000]);
    let start = |version: &str| {
        let mut command = env.command(&["pack", "--type", "model", "--version", version]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    };
    let running = ["1.0.0", "1.0.1", "1.0.2", "1.0.3"].map(start);
    for child in running {
        let ran = Ran::of(child.wait_with_output().expect("it ends"));
        assert_eq!(ran.status, Some(0), "{ran:?}");
    }
    env.ok(&["store", "verify"]);
    let packages = ["1.0.0", "1.0.1", "1.0.2", "1.0.3"].map(|version| digest(&env, version, "package"));
    assert!(packages.iter().all(|package| *package == packages[0]), "{packages:?}");
    assert_eq!(fs::read_dir(env.path("store/tmp")).expect("there").count(), 0);
}

#[test]
fn gc_waits_for_users_and_users_wait_for_gc() {
    let env = published();
    let lock = File::open(env.path("store/lock")).expect("there");
    for (shared, args) in [
        (true, ["store", "gc", "--max-size", "0"].as_slice()),
        (false, &["pack", "--type", "model", "--version", "1.0.1"]),
    ] {
        if shared { lock.lock_shared() } else { lock.lock() }.expect("locked");
        let mut child = env.command(args).stdout(Stdio::null()).spawn().expect("it runs");
        std::thread::sleep(Duration::from_millis(400));
        assert!(child.try_wait().expect("asked").is_none(), "{args:?} does not wait");
        lock.unlock().expect("unlocked");
        let waited = Instant::now();
        assert!(child.wait().expect("it ends").success());
        assert!(waited.elapsed() < Duration::from_secs(5), "{args:?}");
    }
    // Several users at once need not wait for each other.
    lock.lock_shared().expect("locked");
    env.ok(&["pack", "--type", "model", "--version", "1.0.2"]);
    // Reading takes no lock at all.
    lock.lock().expect("locked");
    env.ok(&["store", "list"]);
    env.ok(&["store", "verify"]);
}

#[test]
fn a_store_of_a_newer_program_and_a_directory_that_is_no_store_are_left_alone() {
    let env = published();
    env.write("store/format", "2\n");
    let before = tree::snapshot(&env.path("store"));
    for args in [
        ["store", "list"].as_slice(),
        &["store", "gc"],
        &["store", "verify"],
        &["pack", "--type", "model", "--version", "2.0.0"],
        &["deploy", "model"],
    ] {
        let error = env.fails(2, args);
        assert!(error.contains("has format 2, and this program knows formats up to 1"), "{args:?}: {error}");
    }
    assert_eq!(tree::snapshot(&env.path("store")), before);
    env.write("photos/cat.jpg", "meow");
    let photos = env.path("photos").display().to_string();
    let error = env.fails(2, &["pack", "--type", "model", "--version", "2.0.0", "--store", &photos]);
    assert!(error.contains(&format!("`{photos}` is not a store")), "{error}");
    assert_eq!(fs::read_dir(env.path("photos")).expect("there").count(), 1);
}

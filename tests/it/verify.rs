//! `status --verify` finds what is not as it was installed, and `deploy --repair` puts it back without harm to others.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::env::{CONFIG, Env};

const WEIGHTS: &str = "bert/pytorch_model.bin";

/// Two versions that share files, the second one current.
fn deployed() -> Env {
    let env = Env::with_model();
    env.write("project/.deploy-tool.yaml", CONFIG.replace("root: ../root", "root: ../root, link: hardlink"));
    env.write("project/models/run", "#!/bin/sh\n");
    fs::set_permissions(env.path("project/models/run"), fs::Permissions::from_mode(0o755)).expect("set");
    symlink("bert/config.json", env.path("project/models/link")).expect("linked");
    fs::hard_link(env.path("project/models/run"), env.path("project/models/same")).expect("linked");
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["deploy", "model@1.0.1"]);
    env
}

fn current(env: &Env) -> PathBuf {
    env.path("root/components/model/1.0.1")
}

/// Changes the content of a file and nothing else that one could see.
fn rot(path: &Path) {
    let meta = fs::metadata(path).expect("there");
    let mut bytes = fs::read(path).expect("read");
    bytes[0] ^= 1;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("opened");
    fs::write(path, bytes).expect("written");
    fs::set_permissions(path, meta.permissions()).expect("closed");
    fs::File::open(path).and_then(|file| file.set_modified(meta.modified()?)).expect("set back");
}

/// Runs `status` with this option; what it found, and that it said so by its exit status.
fn found(env: &Env, option: &str) -> Vec<(String, String)> {
    let ran = env.run(&["status", option, "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let verified = &report["verified"][0];
    let findings = verified["findings"].as_array().unwrap_or_else(|| panic!("{report}"));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    assert_eq!(ran.status, Some(if verified["state"] == "good" { 0 } else { 4 }), "{ran:?}");
    findings.iter().map(|found| (text(&found["path"]), text(&found["what"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, what)| ((*path).to_owned(), (*what).to_owned())).collect()
}

/// Does one harm of each kind.
fn harm(env: &Env) {
    let dir = current(env);
    fs::remove_file(dir.join("tokenizer/vocab.txt")).expect("removed");
    fs::write(dir.join("tokenizer/notes"), "mine").expect("written");
    fs::remove_file(dir.join("bert/config.json")).expect("removed");
    fs::create_dir(dir.join("bert/config.json")).expect("made");
    fs::write(dir.join("bert/config.json/inside"), "mine").expect("written");
    fs::remove_file(dir.join("link")).expect("removed");
    symlink("run", dir.join("link")).expect("linked");
    fs::remove_file(dir.join("same")).expect("removed");
    fs::copy(dir.join("run"), dir.join("same")).expect("copied");
}

#[test]
fn what_is_as_it_was_is_good() {
    let env = deployed();
    assert_eq!(found(&env, "--verify"), []);
    assert_eq!(found(&env, "--deep"), []);
    let said = env.ok(&["status", "--verify"]);
    assert!(said.ends_with("model@1.0.1: 8 entries are as they were installed\n"), "{said}");
    assert!(env.json(&["status"]).get("verified").is_none());
}

#[test]
fn every_kind_of_harm_is_found_and_put_back() {
    let env = deployed();
    let before = super::env::listing(&current(&env));
    harm(&env);
    let expected = [
        ("bert/config.json", "kind"),
        ("link", "target"),
        ("same", "target"),
        ("tokenizer/vocab.txt", "missing"),
        ("tokenizer/notes", "extra"),
    ];
    for option in ["--verify", "--deep"] {
        assert_eq!(found(&env, option), pairs(&expected), "{option}");
    }
    let ran = env.run(&["status", "--verify"]);
    let said = ran.stdout.split_once("model@1.0.1: ").expect("said").1;
    assert_snapshot!(said, @r"
    5 of 8 entries are not as they were installed; put them back with `deploy-tool deploy --repair model@1.0.1`
      kind      bert/config.json
      target    link
      target    same
      missing   tokenizer/vocab.txt
      extra     tokenizer/notes
    ");
    let all = env.listing();
    let dry = env.ok(&["deploy", "--repair", "--dry-run"]);
    env.assert_unchanged(&all, &["deploy", "--repair", "--dry-run"]);
    assert!(dry.starts_with("model@1.0.1: would put back 4 of 8 entries\n"), "{dry}");
    let report = env.json(&["deploy", "--repair"]);
    assert_eq!(report["versions"][0]["kept"], json!([{"path": "tokenizer/notes", "what": "extra"}]));
    assert_eq!(found(&env, "--deep"), pairs(&[("tokenizer/notes", "extra")]));
    fs::remove_file(current(&env).join("tokenizer/notes")).expect("removed");
    assert_eq!((found(&env, "--verify"), found(&env, "--deep")), (vec![], vec![]));
    env.ok(&["deploy", "--repair"]);
    // As if nothing had been; of directories the time of the last change is another.
    let files = |listing: super::env::Listing| -> Vec<_> {
        listing.into_iter().filter(|(path, _)| !Path::new(path).is_dir()).collect()
    };
    let links = |(path, is): &(String, String)| (path.clone(), is.contains("->") || is.is_empty());
    let (before, after) = (files(before), files(super::env::listing(&current(&env))));
    assert_eq!(before.iter().map(links).collect::<Vec<_>>(), after.iter().map(links).collect::<Vec<_>>());
}

#[test]
fn modes_lengths_and_times_are_seen_at_once_and_rot_by_its_digest() {
    let env = deployed();
    let dir = current(&env);
    fs::set_permissions(dir.join("tokenizer"), fs::Permissions::from_mode(0o700)).expect("set");
    fs::File::open(dir.join("run")).and_then(|file| file.set_modified(std::time::SystemTime::now())).expect("set");
    fs::set_permissions(dir.join("bert/config.json"), fs::Permissions::from_mode(0o644)).expect("set");
    fs::write(dir.join("bert/config.json"), "longer than it was").expect("written");
    rot(&dir.join(WEIGHTS));
    let quick = [("bert/config.json", "size"), ("run", "time"), ("tokenizer", "mode")];
    assert_eq!(found(&env, "--verify"), pairs(&quick));
    let deep = [("bert/config.json", "size"), (WEIGHTS, "content"), ("run", "time"), ("tokenizer", "mode")];
    assert_eq!(found(&env, "--deep"), pairs(&deep));
    env.ok(&["deploy", "--repair"]);
    assert_eq!((found(&env, "--verify"), found(&env, "--deep")), (vec![], vec![]));
}

#[test]
fn a_repair_leaves_the_files_of_other_versions_alone() {
    let env = deployed();
    let (old, new) = (env.path("root/components/model/1.0.0").join(WEIGHTS), current(&env).join(WEIGHTS));
    assert_eq!(fs::metadata(&old).expect("there").ino(), fs::metadata(&new).expect("there").ino());
    // The disk lies about one file, which both versions have: neither can give it to the other.
    rot(&new);
    let damaged = fs::read(&old).expect("read");
    let report = env.json(&["deploy", "--repair"]);
    assert_eq!(report["versions"][0]["ways"]["unpacked"]["files"], json!(1), "{report}");
    assert_eq!(fs::read(&new).expect("read"), vec![7u8; 300_000]);
    assert_eq!(fs::read(&old).expect("read"), damaged, "it was not asked about");
    assert_eq!(fs::metadata(&old).expect("there").nlink(), 1);
    // Asked about, it gets the good file of the other one.
    let report = env.json(&["deploy", "--repair", "model@1.0.0"]);
    assert_eq!(report["versions"][0]["ways"]["hardlinked"]["files"], json!(1), "{report}");
    assert_eq!(fs::metadata(&old).expect("there").ino(), fs::metadata(&new).expect("there").ino());
    env.ok(&["version", "switch", "model", "1.0.0"]);
    assert_eq!(found(&env, "--deep"), []);
}

#[test]
fn edits_of_a_mutable_version_are_no_harm_and_stay_unless_it_is_named() {
    let env = Env::with_model();
    env.write("project/.deploy-tool.yaml", CONFIG.replace("{source: ./models}", "{source: ./models, mutable: true}"));
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    let dir = env.path("root/links/model");
    fs::write(dir.join("tokenizer/vocab.txt"), "mine\n").expect("edited");
    let ran = env.run(&["status", "--deep", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.status, &report["verified"][0]["state"]), (Some(0), &json!("edited")));
    fs::remove_file(dir.join("bert/config.json")).expect("removed");
    assert_eq!(env.run(&["status", "--verify"]).status, Some(4));
    env.ok(&["deploy", "--repair"]);
    assert_eq!(fs::read_to_string(dir.join("tokenizer/vocab.txt")).expect("read"), "mine\n");
    assert!(dir.join("bert/config.json").exists());
    env.ok(&["deploy", "--repair", "model"]);
    assert_eq!(fs::read_to_string(dir.join("tokenizer/vocab.txt")).expect("read"), "a\nb\nc\n");
    assert_eq!(fs::metadata(dir.join("tokenizer/vocab.txt")).expect("there").mode() & 0o7777, 0o644);
}

#[test]
fn a_version_that_nothing_lists_is_compared_with_its_record() {
    let env = deployed();
    let inventory = env.path("root/.deploy-tool/receipts/model/1.0.1.files");
    let before = fs::read(&inventory).expect("there");
    fs::remove_file(&inventory).expect("removed");
    let ran = env.run(&["status", "--verify"]);
    assert_eq!(ran.status, Some(4), "{ran:?}");
    assert!(ran.stdout.contains("nothing on this root lists its files"), "{ran:?}");
    env.ok(&["deploy", "--repair", "--dry-run"]);
    assert!(!inventory.exists());
    env.ok(&["deploy", "--repair"]);
    assert_eq!(fs::read(&inventory).expect("there"), before);
    // And with harm done to it.
    fs::remove_file(&inventory).expect("removed");
    rot(&current(&env).join(WEIGHTS));
    env.ok(&["deploy", "--repair"]);
    assert_eq!(found(&env, "--deep"), []);
}

#[test]
fn a_root_that_was_copied_is_good_when_its_contents_are() {
    let env = deployed();
    let status = Command::new("cp").arg("-a").args([env.path("root"), env.path("copy")]).status().expect("cp runs");
    assert!(status.success());
    let there = |args: &[&str]| env.run(&[args, &["--root", "../copy"]].concat());
    let quick = there(&["status", "--verify"]);
    assert_eq!(quick.status, Some(4), "they are other files: {quick:?}");
    assert_eq!(there(&["status", "--deep"]).status, Some(0), "with the same content");
    assert_eq!(there(&["deploy", "--repair"]).status, Some(0));
    assert_eq!(there(&["status", "--verify"]).status, Some(0), "which is noted");
}

#[test]
fn what_cannot_be_repaired_is_said() {
    let env = deployed();
    let said = env.fails(3, &["deploy", "--repair", "model@9"]);
    assert!(said.contains("model@9 is not installed"), "{said}");
    env.fails(3, &["deploy", "--repair", "config"]);
    assert_eq!(env.run(&["deploy", "--repair", "--record", "x"]).status, Some(2));
    // No source has the package any more, and no other version the file.
    fs::remove_dir_all(env.path("targets")).expect("removed");
    fs::remove_dir_all(env.path("store")).expect("removed");
    fs::remove_file(current(&env).join("bert/config.json")).expect("removed");
    let before = super::env::listing(&current(&env));
    let said = env.fails(1, &["deploy", "--repair"]);
    assert!(said.contains("model-1.0.1"), "{said}");
    super::env::assert_unchanged(&before, &super::env::listing(&current(&env)), &["deploy", "--repair"]);
}

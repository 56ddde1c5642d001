//! A new version costs what is new in it: the files that an older version has are shared, and only when they are what the
//! new version must have.
//!
//! Where these tests say how, the configuration does too (`deploy.link`), since the default takes reflinks where the file
//! system has them; `filesystems.rs` tries the default on each of them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::env::{CONFIG, Env, Ran};

/// A configuration with these keys of `deploy`, too.
fn configured(more: &str) -> String {
    CONFIG.replace("deploy: {root: ../root}", &format!("deploy: {{root: ../root, {more}}}"))
}

/// Two versions that differ in one small file, published, and the first one deployed.
fn two_versions(more: &str) -> Env {
    let env = Env::with_model();
    env.write("project/.deploy-tool.yaml", configured(more));
    env.write("project/models/empty", "");
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["deploy", "model@1.0.0"]);
    env
}

fn installed(env: &Env, version: &str, file: &str) -> PathBuf {
    env.path("root/components/model").join(version).join(file)
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).ino()
}

/// Whether a file of both versions is one file.
fn is_shared(env: &Env, file: &str) -> bool {
    inode(&installed(env, "1.0.0", file)) == inode(&installed(env, "1.0.1", file))
}

/// Deploys `model@1.0.1`; how many files came which way: reflinked, hard-linked, copied, unpacked.
fn ways(env: &Env) -> [u64; 4] {
    counts(&env.json(&["deploy", "model@1.0.1"])["components"][0])
}

fn counts(component: &Value) -> [u64; 4] {
    ["reflinked", "hardlinked", "copied", "unpacked"]
        .map(|way| component["ways"][way]["files"].as_u64().unwrap_or_else(|| panic!("{component}")))
}

/// Makes a file writable, does something to it and gives it the mode and the time it had.
fn tamper(path: &Path, change: impl FnOnce(&Path)) {
    let meta = fs::metadata(path).expect("there");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("opened");
    change(path);
    fs::set_permissions(path, meta.permissions()).expect("closed");
    let file = fs::File::open(path).expect("opened");
    file.set_modified(meta.modified().expect("known")).expect("set back");
}

const WEIGHTS: &str = "bert/pytorch_model.bin";

#[test]
fn a_version_that_differs_in_one_file_costs_that_file() {
    let env = two_versions("link: hardlink");
    let before = env.listing();
    let report = env.json(&["deploy", "model@1.0.1"]);
    let component = &report["components"][0];
    assert_eq!(counts(component), [0, 2, 1, 1], "the empty file is made, the changed one unpacked");
    assert_eq!(component["ways"]["hardlinked"]["bytes"], json!(300_006));
    assert_eq!(component["how"], json!("unpacked"));
    assert!(is_shared(&env, WEIGHTS) && is_shared(&env, "tokenizer/vocab.txt"));
    assert!(!is_shared(&env, "bert/config.json") && !is_shared(&env, "empty"));
    let content = fs::read_to_string(installed(&env, "1.0.1", "bert/config.json")).expect("read");
    assert_eq!(content, "{\"layers\": 6}\n");
    // Whoever gave files is as it was, to the nanosecond.
    let old = installed(&env, "1.0.0", "").display().to_string();
    for (path, is) in before.iter().filter(|(path, _)| path.starts_with(&old)) {
        assert_eq!(env.listing().get(path), Some(is), "{path}");
    }
    for file in [WEIGHTS, "tokenizer/vocab.txt", "bert/config.json", "empty"] {
        let meta = fs::metadata(installed(&env, "1.0.1", file)).expect("there");
        assert_eq!((meta.mode() & 0o7777, meta.mtime()), (0o444, 315_532_800), "{file}");
    }
    env.ok(&["status", "--deep"]);
    // The version that gave them may go.
    env.ok(&["deploy", "model@1.0.1"]);
    env.ok(&["version", "cleanup", "--keep", "0"]);
    env.ok(&["rollback"]);
    env.ok(&["status", "--deep"]);
}

#[test]
fn what_is_shared_is_said() {
    let env = two_versions("link: hardlink");
    let dry = env.ok(&["deploy", "model@1.0.1", "--dry-run"]);
    assert!(dry.contains("  files: 2 hard-linked (293.0 KiB), 1 copied (0 B), 1 unpacked (14 B)\n"), "{dry}");
    let text = env.ok(&["deploy", "model@1.0.1"]);
    assert!(text.contains("unpacked model@1.0.1 from the store: 4 files"), "{text}");
    assert!(text.contains("\n  files: 2 hard-linked (293.0 KiB), 1 copied (0 B), 1 unpacked (14 B)\n"), "{text}");
}

#[test]
fn a_package_is_not_fetched_when_all_its_files_are_there() {
    let env = two_versions("link: hardlink");
    // A subset, with other names.
    fs::rename(env.path("project/models/tokenizer/vocab.txt"), env.path("project/models/words")).expect("renamed");
    env.write("project/models/bert/config.json", "{\"layers\": 12}\n");
    env.publish("1.0.2");
    let packages = || -> Vec<PathBuf> {
        let found = env.listing().into_keys().map(PathBuf::from);
        let is = |path: &PathBuf| path.to_string_lossy().contains("model-1.0.2.tar");
        found.filter(|path| is(path) && path.starts_with(env.path("targets"))).collect()
    };
    for package in packages() {
        fs::remove_file(package).expect("removed");
    }
    fs::remove_dir_all(env.path("store")).expect("removed");
    let report = env.json(&["deploy", "model@1.0.2"]);
    let component = &report["components"][0];
    assert_eq!((&component["how"], counts(component)), (&json!("shared"), [0, 3, 1, 0]));
    let index_alone = component["fetched"].as_u64().expect("a number");
    assert!(index_alone < 1000, "{component}");
    assert_eq!(fs::read_to_string(env.path("root/links/model/words")).expect("read"), "a\nb\nc\n");
    env.ok(&["status", "--deep"]);
    // With the index in the store, a dry run knows, too.
    env.ok(&["rollback"]);
    env.ok(&["version", "cleanup", "--keep", "0"]);
    let dry = env.json(&["deploy", "model@1.0.2", "--dry-run"]);
    let component = &dry["components"][0];
    assert_eq!((&component["how"], counts(component)), (&json!("shared"), [0, 3, 1, 0]));
    assert_eq!(component["fetched"], json!(0));
}

#[test]
fn pieces_that_hold_nothing_new_are_not_read() {
    let env = Env::with_model();
    env.write("project/.deploy-tool.yaml", configured("link: hardlink"));
    // More than a piece holds, so that it has pieces of its own.
    let noise: Vec<u8> = (0..6_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    env.write("project/models/big.bin", noise);
    env.publish("1.0.0");
    env.write("project/models/tokenizer/vocab.txt", "d\n");
    env.publish("1.0.1");
    env.ok(&["deploy", "model@1.0.0"]);
    // In the middle of the package are pieces of the big file.
    let digest = env.json(&["record", "show", "model@1.0.1"])["record"]["package"]["checksum"]["value"].clone();
    let digest = digest.as_str().unwrap_or_else(|| panic!("{}", env.ok(&["record", "show", "model@1.0.1", "--json"])));
    let stored =
        env.listing().into_keys().find(|path| path.contains("/store/") && path.ends_with(digest)).expect("stored");
    let mut bytes = fs::read(&stored).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::set_permissions(&stored, fs::Permissions::from_mode(0o644)).expect("opened");
    fs::write(&stored, bytes).expect("damaged");
    fs::remove_dir_all(env.path("targets")).expect("removed");
    assert_eq!(ways(&env), [0, 3, 0, 1]);
    env.ok(&["status", "--deep"]);
    remove_current(&env);
    env.write("project/.deploy-tool.yaml", configured("link: hardlink, verify: whole"));
    let refused = env.run(&["deploy", "model@1.0.1"]);
    assert_ne!(refused.status, Some(0), "a whole look sees it: {refused:?}");
}

#[test]
fn every_way_can_be_asked_for() {
    for (link, expected) in [("copy", [0, 0, 3, 1]), ("hardlink", [0, 2, 1, 1])] {
        let env = two_versions(&format!("link: {link}"));
        assert_eq!(ways(&env), expected, "{link}");
        assert_eq!(is_shared(&env, WEIGHTS), link == "hardlink", "{link}");
        env.ok(&["status", "--deep"]);
    }
    // What the file system has not falls to a copy.
    let env = Env::new();
    env.model_in_place();
    env.write("project/.deploy-tool.yaml", configured("link: reflink"));
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    env.write("project/models/new", "new");
    env.publish("1.0.1");
    let ways = ways(&env);
    assert_eq!((ways[0] + ways[2], ways[1], ways[3]), (3, 0, 1));
    assert!(!is_shared(&env, WEIGHTS));
}

#[test]
fn a_file_that_was_touched_is_not_linked() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("another time", |path| {
            let file = fs::File::open(path).expect("opened");
            file.set_modified(std::time::SystemTime::now()).expect("touched");
        }),
        ("another length", |path| tamper(path, |path| fs::write(path, b"short").expect("written"))),
        ("another file", |path| {
            let copy = path.with_extension("copy");
            fs::copy(path, &copy).expect("copied");
            let meta = fs::metadata(path).expect("there");
            fs::File::open(&copy).and_then(|f| f.set_modified(meta.modified()?)).expect("set");
            fs::set_permissions(&copy, meta.permissions()).expect("closed");
            fs::rename(&copy, path).expect("replaced");
        }),
        ("other permissions", |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("opened");
        }),
    ];
    for (what, change) in changes {
        let env = two_versions("link: hardlink");
        let weights = installed(&env, "1.0.0", WEIGHTS);
        change(&weights);
        let left = fs::metadata(&weights).expect("there").mode();
        let [_, linked, copied, unpacked] = ways(&env);
        // What still has its content is copied, and hashed on the way.
        let good = what != "another length";
        assert_eq!((linked, copied, unpacked), if good { (1, 2, 1) } else { (1, 1, 2) }, "{what}");
        assert!(!is_shared(&env, WEIGHTS), "{what}");
        assert_eq!(fs::read(installed(&env, "1.0.1", WEIGHTS)).expect("read"), vec![7u8; 300_000], "{what}");
        let meta = fs::metadata(&weights).expect("there");
        assert_eq!((meta.mode(), meta.nlink()), (left, 1), "{what}: nobody mends what is not asked for");
        env.ok(&["status", "--deep"]);
    }
}

#[test]
fn what_rotted_unseen_is_found_where_everything_is_hashed() {
    for verify in ["always", "whole"] {
        let env = two_versions(&format!("link: hardlink, verify: {verify}"));
        tamper(&installed(&env, "1.0.0", WEIGHTS), |path| fs::write(path, vec![8u8; 300_000]).expect("written"));
        assert_eq!(ways(&env), [0, 1, 1, 2], "{verify}");
        assert_eq!(fs::read(installed(&env, "1.0.1", WEIGHTS)).expect("read"), vec![7u8; 300_000]);
        env.ok(&["status", "--deep"]);
    }
}

#[test]
fn what_the_new_version_must_not_have_is_not_linked() {
    let env = Env::with_model();
    env.write("project/.deploy-tool.yaml", configured("link: hardlink"));
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    // The same bytes, now to be executed.
    let weights = env.path("project/models").join(WEIGHTS);
    fs::set_permissions(&weights, fs::Permissions::from_mode(0o755)).expect("set");
    env.publish("1.0.1");
    assert_eq!(ways(&env), [0, 2, 1, 0]);
    let mode = |version| fs::metadata(installed(&env, version, WEIGHTS)).expect("there").mode() & 0o7777;
    assert_eq!((mode("1.0.0"), mode("1.0.1")), (0o444, 0o555));
    // The same bytes with a time of their own.
    let more = configured("link: hardlink").replace("{source: ./models}", "{source: ./models, mtime: keep}");
    env.write("project/.deploy-tool.yaml", more);
    env.publish("1.0.2");
    let report = env.json(&["deploy", "model@1.0.2"]);
    assert_eq!(counts(&report["components"][0]), [0, 0, 3, 0]);
    env.ok(&["status", "--deep"]);
}

#[test]
fn a_mutable_version_is_copied_and_a_source_only_while_its_content_is_the_same() {
    let env = Env::with_model();
    let mutable = configured("link: auto").replace("{source: ./models}", "{source: ./models, mutable: true}");
    env.write("project/.deploy-tool.yaml", &mutable);
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    env.write("project/models/new", "new");
    env.publish("1.0.1");
    // Somebody edits one file in place, as is allowed, and the clock does not tell.
    let edited = installed(&env, "1.0.0", "tokenizer/vocab.txt");
    tamper(&edited, |path| fs::write(path, "x\ny\nz\n").expect("written"));
    fs::set_permissions(&edited, fs::Permissions::from_mode(0o644)).expect("opened");
    let [reflinked, linked, copied, unpacked] = ways(&env);
    assert_eq!((reflinked + copied, linked, unpacked), (2, 0, 2));
    assert!(!is_shared(&env, WEIGHTS));
    assert_eq!(fs::read_to_string(installed(&env, "1.0.1", "tokenizer/vocab.txt")).expect("read"), "a\nb\nc\n");
    assert_eq!(fs::metadata(installed(&env, "1.0.1", WEIGHTS)).expect("there").mode() & 0o7777, 0o644);
    // No immutable version links to it either.
    env.write("project/.deploy-tool.yaml", configured("link: hardlink"));
    env.publish("1.0.2");
    assert_eq!(counts(&env.json(&["deploy", "model@1.0.2"])["components"][0]), [0, 0, 4, 0]);
}

#[test]
fn a_version_without_a_whole_inventory_is_no_source() {
    let env = two_versions("link: hardlink");
    let inventory = env.path("root/.deploy-tool/receipts/model/1.0.0.files");
    let whole = fs::read(&inventory).expect("there");
    let mut flipped = whole.clone();
    let at = whole.len() / 2;
    flipped[at] ^= 1;
    for damaged in [Some(&whole[..whole.len() / 2]), Some(&flipped), Some(b""), None] {
        match damaged {
            Some(bytes) => fs::write(&inventory, bytes).expect("torn"),
            None => fs::remove_file(&inventory).expect("removed"),
        }
        assert_eq!(ways(&env), [0, 0, 1, 3]);
        env.ok(&["status", "--deep"]);
        env.ok(&["version", "switch", "model", "1.0.0"]);
        // The parent release needs it for one more release.
        env.ok(&["deploy", "model@1.0.0"]);
        remove(&env, "1.0.1");
    }
}

/// Takes a version away as a cleanup that need not keep it would.
fn remove(env: &Env, version: &str) {
    let dir = installed(env, version, "");
    fs::remove_dir_all(dir).expect("removed");
    for suffix in ["json", "files"] {
        fs::remove_file(env.path(format!("root/.deploy-tool/receipts/model/{version}.{suffix}"))).expect("removed");
    }
}

#[test]
fn a_file_that_has_as_many_names_as_it_can_is_copied() {
    let env = Env::with_model();
    env.write("project/.deploy-tool.yaml", configured("link: hardlink"));
    env.write("project/models/one", "the same in all");
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    for n in 0..600 {
        env.write(&format!("project/models/many/{}/{n}", n / 20), "the same in all");
    }
    env.publish("1.0.1");
    let mut deploy = env.command(&["deploy", "model@1.0.1", "--json"]);
    let ran = Ran::of(deploy.env("DEPLOY_TOOL_LINK_LIMIT", "177").output().expect("it runs"));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let [_, linked, copied, unpacked] = counts(&report["components"][0]);
    assert_eq!((linked + copied, unpacked), (604, 0));
    let names = fs::metadata(installed(&env, "1.0.0", "one")).expect("there").nlink();
    // Two threads may look at once and both make one.
    assert!((170..=180).contains(&names) && copied > 400, "{names} names, {copied} copied");
    env.ok(&["status", "--deep"]);
}

#[test]
fn another_root_may_give_files() {
    let env = two_versions("link: hardlink, share_with: [../other, ../nowhere]");
    env.ok(&["deploy", "model@1.0.1", "--root", "../other"]);
    let listing = |env: &Env| super::env::listing(&env.path("other"));
    let before = listing(&env);
    fs::remove_dir_all(env.path("targets")).expect("removed");
    let stored = fs::read_dir(env.path("store")).expect("listed").count();
    assert!(stored > 0);
    let report = env.json(&["deploy", "model@1.0.1"]);
    assert_eq!(counts(&report["components"][0]), [0, 3, 1, 0]);
    super::env::assert_unchanged(&before, &listing(&env), &["deploy"]);
    // One that others may write to is not believed.
    remove_current(&env);
    fs::set_permissions(env.path("other/.deploy-tool"), fs::Permissions::from_mode(0o777)).expect("opened");
    assert_eq!(ways(&env), [0, 2, 1, 1]);
}

/// Goes back and takes what was current away.
fn remove_current(env: &Env) {
    env.ok(&["rollback"]);
    remove(env, "1.0.1");
}

#[test]
fn several_components_share_with_each_others_current_versions() {
    let env = two_versions("link: hardlink");
    env.write("project/configs/weights", vec![7u8; 300_000]);
    env.ok(&["pack", "--type", "config", "--version", "1"]);
    env.ok(&["publish", "config@1"]);
    let report = env.json(&["deploy", "model@1.0.1", "config@1"]);
    let components = report["components"].as_array().expect("a list");
    let types: Vec<_> = components.iter().map(|component| component["type"].as_str().expect("text")).collect();
    assert_eq!(types, ["model", "config"], "in the order that was asked for");
    assert_eq!(counts(&components[1]), [0, 1, 0, 0]);
    let weights = env.path("root/links/config/weights");
    assert_eq!(inode(&weights), inode(&installed(&env, "1.0.0", WEIGHTS)));
    env.ok(&["status", "--deep"]);
}

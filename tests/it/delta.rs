//! What `publish --delta-from` promises: a delta beside the package at every target and in the record, of the versions
//! that were asked for, and none that is of no use.

use std::fs;
use std::sync::atomic::AtomicBool;

use deploy_tool::delta::{ApplyOptions, Header, Out, apply};
use deploy_tool::fsx::Dir;
use deploy_tool::model::{EntryKind, Index};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::env::Env;

const FILE: &str = "model-1.0.1.from-1.0.0.delta.zst";
const RECORD: &str = "records/packages/model/1.0.1/record.json";

/// Bytes without repetitions (xorshift64, Marsaglia 2003).
fn noise(mut state: u64) -> Vec<u8> {
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()[0]
    };
    (0..300_000).map(|_| next()).collect()
}

/// Two versions of a model with a file that does not compress and changes in one place; the second is only packed.
fn two() -> Env {
    let env = Env::with_model();
    let mut weights = noise(1);
    fs::write(env.path("project/models/bert/weights.bin"), &weights).expect("written");
    env.publish("1.0.0");
    weights[1000] ^= 1;
    fs::write(env.path("project/models/bert/weights.bin"), &weights).expect("written");
    env.ok(&["pack", "--type", "model", "--version", "1.0.1"]);
    env
}

fn deltas(env: &Env) -> Vec<Value> {
    let record: Value = serde_json::from_str(&env.committed("records", RECORD)).expect("JSON");
    record.get("deltas").map(|deltas| deltas.as_array().expect("a list").clone()).unwrap_or_default()
}

fn head(env: &Env) -> String {
    env.git("records", &["rev-parse", "HEAD"])
}

#[test]
fn a_delta_lies_beside_the_package_and_makes_its_changed_files() {
    let env = two();
    let out = env.ok(&["publish", "model@1.0.1", "--delta-from", "previous"]);
    assert!(out.contains("\ndelta from 1.0.0: "), "{out}");
    let deltas = deltas(&env);
    assert_eq!((deltas.len(), deltas[0]["from"].as_str(), deltas[0]["file"].as_str()), (1, Some("1.0.0"), Some(FILE)));
    for target in ["near", "far"] {
        let bytes = fs::read(env.path("targets").join(target).join("model/1.0.1").join(FILE)).expect("there");
        let hex: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            (deltas[0]["size"].as_u64(), deltas[0]["checksum"]["value"].as_str()),
            (Some(bytes.len() as u64), Some(&*hex))
        );
        let header = Header::read(&bytes[..]).expect("a delta");
        assert_eq!(header.base().tree.to_string(), deltas[0]["tree"].as_str().expect("a digest"));
    }
    // What is deployed from it is what is packed.
    env.ok(&["deploy", "model@1.0.0"]);
    let index = fs::read(env.path("targets/near/model/1.0.1/model-1.0.1.index.zst")).expect("there");
    let index = Index::parse(&index).expect("an index");
    let base = Dir::open(&env.path("root/components/model/1.0.0")).expect("installed");
    let into = env.path("made");
    fs::create_dir_all(into.join("bert")).expect("made");
    let wanted: Vec<bool> =
        index.entries.iter().map(|item| item.entry.path.to_string().ends_with("weights.bin")).collect();
    let delta = fs::read(env.path("targets/near/model/1.0.1").join(FILE)).expect("there");
    let dir = Dir::open(&into).expect("made");
    let out = Out::new(&dir, &index, &wanted, &|mode| mode);
    let options = ApplyOptions { threads: 2, stop: &AtomicBool::new(false), progress: &|_| {} };
    let header = Header::read(&delta[..]).expect("a delta");
    let applied = apply(&header, &delta[..], &base, &out, &options).expect("applied");
    assert_eq!(applied.bytes, 300_000);
    let made = fs::read(into.join("bert/weights.bin")).expect("made");
    assert_eq!(made, fs::read(env.path("project/models/bert/weights.bin")).expect("there"));
    assert!(index.entries.iter().any(|item| matches!(item.entry.kind, EntryKind::File { size: 300_000, .. })));
}

#[test]
fn a_dry_run_makes_none_and_a_published_version_gets_one_later() {
    let env = two();
    env.ok(&["publish", "model@1.0.1"]);
    assert_eq!(deltas(&env), Vec::<Value>::new());
    let before = head(&env);
    let out = env.ok(&["publish", "model@1.0.1", "--delta-from", "1.0.0", "--dry-run"]);
    assert!(out.contains(&format!("a delta from 1.0.0 would be made: `{FILE}`")), "{out}");
    assert_eq!(head(&env), before);
    env.ok(&["publish", "model@1.0.1", "--delta-from", "1.0.0"]);
    assert_eq!(deltas(&env).len(), 1);
    let with_delta = head(&env);
    assert_ne!(with_delta, before);
    // Again, by another name: nothing.
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    let before = head(&env);
    let out = env.ok(&["publish", "model@1.0.1", "--delta-from", "current-of-prod"]);
    assert!(out.contains("delta from 1.0.0 was there already"), "{out}");
    assert_eq!((head(&env), deltas(&env).len()), (before, 1));
}

#[test]
fn a_delta_that_is_no_use_is_dropped_and_a_base_that_is_not_there_is_said() {
    let env = two();
    fs::write(env.path("project/models/bert/weights.bin"), noise(2)).expect("written");
    env.ok(&["pack", "--type", "model", "--version", "1.0.1"]);
    let out = env.ok(&["publish", "model@1.0.1", "--delta-from", "previous"]);
    assert!(out.contains("no delta from 1.0.0: it would have more than 60 %"), "{out}");
    assert_eq!(deltas(&env), Vec::<Value>::new());
    assert!(!env.path("targets/near/model/1.0.1").join(FILE).exists());
    env.fails(3, &["publish", "model@1.0.1", "--delta-from", "9.9.9"]);
    env.fails(3, &["publish", "model@1.0.0", "--delta-from", "previous"]);
    env.fails(3, &["publish", "model@1.0.1", "--delta-from", "current-of-nowhere"]);
    env.fails(2, &["publish", "model@1.0.1", "--delta-from", "a b"]);
}

#[test]
fn what_pack_made_is_published_and_collected_by_nobody_before() {
    let env = two();
    env.ok(&["deploy", "model@1.0.0"]);
    let installed = env.path("root/components/model/current");
    let out = env.ok(&[
        "pack",
        "--type",
        "model",
        "--version",
        "1.0.1",
        "--delta-from",
        &installed.display().to_string(),
        "--dry-run",
    ]);
    assert!(out.contains("a delta from 1.0.0 would be made"), "{out}");
    assert!(!env.path("project/dist").join(FILE).exists());
    for from in [installed.display().to_string(), "previous".to_owned(), "1.0.0".to_owned()] {
        let out = env.ok(&["pack", "--type", "model", "--version", "1.0.1", "--delta-from", &from]);
        assert!(out.contains("\ndelta from 1.0.0: "), "{from}: {out}");
    }
    let made = fs::read(env.path("project/dist").join(FILE)).expect("made");
    env.ok(&["store", "gc", "--max-size", "0"]);
    let said = env.json(&["publish", "model@1.0.1"]);
    assert_eq!(said.get("delta"), None, "none was asked for");
    assert_eq!(deltas(&env).len(), 1);
    assert_eq!(fs::read(env.path("targets/far/model/1.0.1").join(FILE)).expect("there"), made);
    env.fails(2, &["pack", "--type", "model", "--version", "1.0.2", "--delta-from", "./models"]);
    env.fails(3, &["pack", "--type", "model", "--version", "1.0.0", "--delta-from", "previous"]);
}

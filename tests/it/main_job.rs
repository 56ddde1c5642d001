//! The main job from end to end: pack, publish, record, deploy, switch, roll back.

use std::fs;
use std::path::Path;

use super::env::Env;

/// Every path below `dir` with its content, links not followed into their own entry.
fn tree(dir: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(top: &Path, dir: &Path, out: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(dir).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(top, &path, out);
            } else {
                let name = path.strip_prefix(top).expect("below").display().to_string();
                out.push((name, fs::read(&path).expect("read")));
            }
        }
    }
    let mut out = Vec::new();
    walk(dir, dir, &mut out);
    out.sort();
    out
}

#[test]
fn two_versions_there_and_back_again() {
    let env = Env::with_model();
    let source = env.path("project/models");
    let links = env.path("root/links/model");
    let first = tree(&source);
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    let second = tree(&source);
    env.publish("1.0.1");

    env.ok(&["deploy", "model@1.0.0"]);
    assert_eq!(tree(&links), first);
    env.ok(&["deploy", "model"]);
    assert_eq!(tree(&links), second);
    env.ok(&["version", "switch", "model", "1.0.0"]);
    assert_eq!(tree(&links), first);
    env.ok(&["version", "switch", "model", "1.0.1"]);
    assert_eq!(tree(&links), second);
    env.ok(&["rollback"]);
    assert_eq!(tree(&links), first);
    assert_eq!(env.link("releases/current"), "5");
    assert_eq!(env.link("components/model/current"), "1.0.0");
    env.ok(&["links", "verify"]);

    let status = env.json(&["status"]);
    assert_eq!(status["components"][0]["version"], "1.0.0");
    assert_eq!(env.json(&["history"]).as_array().map(Vec::len), Some(5));
}

//! `--json` and `--dry-run`, for every command there is.

use std::process::Command;

use serde_json::Value;

use super::env::{Env, PROGRAM, Ran};

/// Two versions of a model and one configuration published, the model deployed twice, one of its links broken, and a third
/// version packed.
fn busy() -> Env {
    let env = Env::quick();
    env.write("project/configs/app.conf", "threshold = 0.5\n");
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["pack", "--type", "config", "--version", "1.0.0"]);
    env.ok(&["publish", "config@1.0.0"]);
    env.ok(&["deploy", "model@1.0.0"]);
    env.ok(&["deploy", "model@1.0.1"]);
    env.write("project/models/bert/config.json", "{\"layers\": 24}\n");
    env.ok(&["pack", "--type", "model", "--version", "1.0.2"]);
    env
}

/// Every command that changes something, with arguments that make it change something.
const CHANGING: &[&[&str]] = &[
    &["pack", "--type", "model", "--version", "1.0.3"],
    &["publish", "model@1.0.2"],
    &["publish", "model@1.0.2", "--to", "far"],
    &["publish", "./dist/model-1.0.2.tar.gz"],
    &["deploy", "config@1.0.0"],
    &["deploy", "config", "model@1.0.0"],
    &["deploy", "--record", "../records/records/packages/config/1.0.0/record.json"],
    &["version", "switch", "model", "1.0.0"],
    &["version", "pin", "model", "1.0.0"],
    &["version", "unpin", "model", "1.0.0"],
    &["version", "cleanup", "--keep", "0"],
    &["rollback"],
    &["rollback", "model"],
    &["rollback", "--to", "1"],
    &["links", "repair"],
    &["store", "gc", "--max-size", "0"],
    &["store", "verify", "--set-aside"],
    &["ship"],
    &["init", "models"],
];

/// Every command that only reads.
const READING: &[&[&str]] = &[
    &["status"],
    &["history"],
    &["history", "--limit", "1"],
    &["version", "list"],
    &["version", "list", "model"],
    &["links", "list"],
    &["links", "verify"],
    &["record", "list"],
    &["record", "show", "model"],
    &["record", "show", "model", "--files"],
    &["record", "diff", "model@1.0.0", "model"],
    &["store", "list"],
    &["store", "verify"],
];

/// What each command fails with, and its exit status.
const FAILING: &[(i32, &[&str])] = &[
    (2, &["pack", "--type", "model", "--version", "../../etc"]),
    (2, &["pack", "--type", "nothing", "--version", "1"]),
    (2, &["publish"]),
    (3, &["publish", "model@9"]),
    (3, &["deploy", "model@9"]),
    (3, &["deploy", "--record", "nowhere.json"]),
    (3, &["version", "switch", "model", "9"]),
    (3, &["version", "pin", "model", "9"]),
    (2, &["version", "cleanup", "--older-than", "yesterday"]),
    (3, &["version", "list", "nothing"]),
    (3, &["rollback", "--to", "9"]),
    (3, &["status", "--root", "nowhere"]),
    (3, &["history", "--root", "nowhere"]),
    (3, &["links", "list", "--root", "nowhere"]),
    (3, &["links", "repair", "--root", "nowhere"]),
    (3, &["record", "show", "model@9"]),
    (2, &["record", "list", "--records", "nowhere"]),
    (2, &["store", "gc", "--max-size", "much"]),
    (2, &["store", "list", "--store", "models"]),
    (2, &["ship", "--config", "nowhere.yaml"]),
    (5, &["init"]),
    (2, &["frobnicate"]),
    (2, &["status", "--frobnicate"]),
];

fn document(what: &[&str], stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|e| panic!("{what:?}: not one JSON document: {e}: {stdout:?}"))
}

/// The commands and subcommands that the help lists.
fn commands(env: &Env, of: &[&str]) -> Vec<String> {
    let help = env.ok(&[of, &["--help"]].concat());
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = list.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

#[test]
fn no_command_is_forgotten() {
    let env = Env::new();
    let all = CHANGING.iter().chain(READING).copied();
    let all: Vec<_> = all.collect();
    for command in commands(&env, &[]) {
        let subcommands = commands(&env, &[&command]);
        assert!(all.iter().any(|args| args[0] == command), "`{command}` is in no list of this file");
        for sub in subcommands {
            assert!(
                all.iter().any(|args| args.starts_with(&[&command, &sub])),
                "`{command} {sub}` is in no list of this file"
            );
        }
    }
}

#[test]
fn a_dry_run_writes_nothing_at_all() {
    let env = busy();
    // What repair and set-aside would mend.
    let link = env.path("root/links/model");
    let before = env.listing();
    let mut tried = 0;
    for args in CHANGING {
        let args = [args, &["--dry-run"][..]].concat();
        let ran = env.run(&args);
        assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
        assert!(!ran.stdout.is_empty(), "{args:?}: says nothing");
        env.assert_unchanged(&before, &args);
        let ran = env.run(&[&args[..], &["--json"]].concat());
        document(&args, &ran.stdout);
        env.assert_unchanged(&before, &args);
        tried += 1;
    }
    assert_eq!(tried, CHANGING.len());
    std::fs::remove_file(link).expect("removed");
    let before = env.listing();
    env.run(&["links", "repair", "--dry-run"]);
    env.assert_unchanged(&before, &["links", "repair", "--dry-run"]);
}

#[test]
fn a_dry_run_in_an_untouched_place_makes_nothing() {
    let env = Env::with_model();
    env.write("project/.deploy-tool.yaml", "components: {model: {source: ./models}}\n");
    let before = env.listing();
    for args in [&["pack", "--type", "model", "--version", "1"][..], &["ship"], &["store", "gc"], &["init", "models"]] {
        let args = [args, &["--dry-run"]].concat();
        env.ok(&args);
        env.assert_unchanged(&before, &args);
    }
    for args in [&["deploy", "model"][..], &["publish", "model@1"], &["version", "switch", "model", "1"], &["rollback"]]
    {
        env.refused(3, &[args, &["--dry-run"]].concat());
    }
}

#[test]
fn a_dry_run_does_not_recover() {
    let env = busy();
    let mut kill = env.command(&["version", "switch", "model", "1.0.0"]);
    let killed = kill.env("DEPLOY_TOOL_FAULT", "kill:12").output().expect("it runs");
    assert_eq!(killed.status.code(), None, "{killed:?}");
    let before = env.listing();
    for args in [&["version", "switch", "model", "1.0.0"][..], &["deploy", "config"], &["links", "repair"]] {
        let args = [args, &["--dry-run"]].concat();
        env.ok(&args);
        env.assert_unchanged(&before, &args);
    }
}

#[test]
fn reading_writes_nothing_and_is_one_document() {
    let env = busy();
    let before = env.listing();
    for args in READING {
        env.json(args);
        env.assert_unchanged(&before, args);
        env.ok(args);
        env.assert_unchanged(&before, args);
    }
}

#[test]
fn changing_is_one_document() {
    let env = busy();
    for args in CHANGING {
        let document = env.json(args);
        assert!(document.is_object(), "{args:?}: {document}");
    }
}

#[test]
fn a_failure_is_one_document() {
    let env = busy();
    for (status, args) in FAILING {
        let ran = env.run(&[args, &["--json"][..]].concat());
        assert_eq!(ran.status, Some(*status), "{args:?}: {ran:?}");
        let error = &document(args, &ran.stdout)["error"];
        assert_eq!(error["status"], *status, "{args:?}");
        let message = error["message"].as_str().unwrap_or_else(|| panic!("{args:?}: no message: {error}"));
        assert!(ran.stderr.contains(message), "{args:?}: {message:?} is not on stderr: {}", ran.stderr);
        assert!(!message.is_empty() && !message.starts_with("error"), "{args:?}: {message:?}");
    }
}

#[test]
fn what_is_wrong_with_links_and_store_is_one_document() {
    let env = busy();
    std::fs::remove_file(env.path("root/links/model")).expect("removed");
    let ran = env.run(&["links", "verify", "--json"]);
    assert_eq!(ran.status, Some(1));
    let wrong = document(&["links", "verify"], &ran.stdout)["wrong"][0]["path"].clone();
    assert!(wrong.as_str().is_some_and(|path| path.ends_with("root/links/model")), "{wrong}");
    let list = env.json(&["store", "list"]);
    let digest = list[0]["sha256"].as_str().expect("a digest").to_owned();
    let path = env.path("store/sha256").join(&digest[..2]).join(&digest);
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, "rotten").expect("written");
    let ran = env.run(&["store", "verify", "--json"]);
    assert_eq!(
        (ran.status, &document(&["store", "verify"], &ran.stdout)["corrupt"]),
        (Some(4), &serde_json::json!([digest]))
    );
}

#[test]
fn help_and_version_need_no_configuration() {
    let env = Env::new();
    env.write("project/.deploy-tool.yaml", "nonsense: true\n");
    for args in [&["--help"][..], &["--version"], &["deploy", "--help"]] {
        let output = Command::new(PROGRAM).args(args).current_dir(env.path("project")).output().expect("it runs");
        let ran = Ran::of(output);
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

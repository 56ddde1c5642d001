//! `--json` and `--dry-run`, for every command there is.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use super::env::{Env, PROGRAM, Ran};
use super::programs::has;

/// Two versions of a model and one configuration published, the model deployed twice, one of its links broken, and a third
/// version packed.
fn busy() -> Env {
    let env = Env::with_model();
    env.write("project/configs/app.conf", "threshold = 0.5\n");
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["pack", "--type", "config", "--version", "1.0.0"]);
    env.ok(&["publish", "config@1.0.0"]);
    env.git_init("rebuilt");
    super::signatures::keygen(&env, "mei", "ed25519");
    env.ok(&["env", "set", "model@1.0.1", "config@1.0.0", "--env", "prod"]);
    env.ok(&["env", "set", "model@1.0.0", "--env", "staging"]);
    env.ok(&["deploy", "model@1.0.0"]);
    env.ok(&["deploy", "model@1.0.1"]);
    std::fs::remove_file(env.path("root/components/model/1.0.0/tokenizer/vocab.txt")).expect("there");
    env.write("project/models/bert/config.json", "{\"layers\": 24}\n");
    env.ok(&["pack", "--type", "model", "--version", "1.0.2"]);
    env
}

/// Every command that changes something, with arguments that make it change something.
const CHANGING: &[&[&str]] = &[
    &["man", "--output", "pages"],
    &["pack", "--type", "model", "--version", "1.0.3"],
    &["publish", "model@1.0.2"],
    &["publish", "model@1.0.2", "--to", "far"],
    &["publish", "./dist/model-1.0.2.tar.gz"],
    &["deploy", "config@1.0.0"],
    &["deploy", "config", "model@1.0.0"],
    &["deploy", "--record", "../records/records/packages/config/1.0.0/record.json"],
    &["deploy", "--repair", "model@1.0.0"],
    &["deploy", "--env", "prod"],
    &["version", "switch", "model", "1.0.0"],
    &["version", "pin", "model", "1.0.0"],
    &["version", "unpin", "model", "1.0.0"],
    &["version", "cleanup", "--keep", "0"],
    &["rollback"],
    &["rollback", "model"],
    &["rollback", "--to", "1"],
    &["confirm", "--expire"],
    &["undeploy", "model"],
    &["links", "repair"],
    &["env", "set", "config@1.0.0", "--env", "new"],
    &["env", "set", "--remove", "model", "--env", "prod"],
    &["env", "promote", "prod", "staging"],
    &["deploy", "--env", "prod", "--prune", "--resume"],
    &["record", "import", "--from", "near", "--records", "../rebuilt"],
    &["record", "sign", "model@1.0.0", "--sign", "../keys/mei"],
    &["record", "heartbeat", "--sign", "../keys/mei"],
    &["record", "yank", "model@1.0.0", "--reason", "loses umlauts"],
    &["store", "gc", "--max-size", "0"],
    &["store", "verify", "--set-aside"],
    &["ship"],
    &["doctor", "--fix"],
    &["init", "models"],
];

/// Every command that only reads.
const READING: &[&[&str]] = &[
    &["completions", "bash"],
    &["man", "version", "list"],
    &["status"],
    &["status", "--verify"],
    &["status", "--deep"],
    &["history"],
    &["history", "--limit", "1"],
    &["version", "list"],
    &["version", "list", "model"],
    &["links", "list"],
    &["links", "verify"],
    &["env", "list"],
    &["env", "show", "prod"],
    &["env", "diff", "prod"],
    &["env", "diff", "prod", "staging"],
    &["record", "list"],
    &["record", "show", "model"],
    &["record", "show", "model", "--files"],
    &["record", "diff", "model@1.0.0", "model"],
    &["record", "url", "model"],
    &["record", "verify", "--all"],
    &["record", "check"],
    &["record", "check", "HEAD"],
    &["record", "check", "HEAD~1..HEAD", "--format", "markdown"],
    &["store", "list"],
    &["store", "verify"],
    &["doctor"],
    &["doctor", "--offline", "--deep", "-v"],
    &["metrics"],
    &["health"],
    &["report"],
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
    (3, &["confirm"]),
    (3, &["undeploy", "nothing"]),
    (3, &["undeploy", "model", "--root", "nowhere"]),
    (3, &["status", "--root", "nowhere"]),
    (3, &["history", "--root", "nowhere"]),
    (3, &["links", "list", "--root", "nowhere"]),
    (3, &["links", "repair", "--root", "nowhere"]),
    (3, &["env", "show", "nowhere"]),
    (3, &["env", "set", "model@9", "--env", "prod"]),
    (2, &["env", "set", "model", "--env", ".."]),
    (3, &["deploy", "--env", "nowhere"]),
    (3, &["record", "show", "model@9"]),
    (3, &["record", "url", "model@9"]),
    (3, &["record", "import", "--from", "nowhere"]),
    (2, &["record", "sign", "model@1.0.0"]),
    (3, &["record", "verify", "model@9"]),
    (3, &["record", "check", "nowhere..HEAD"]),
    (2, &["record", "check", ".."]),
    (2, &["record", "heartbeat"]),
    (3, &["record", "yank", "model@9", "--reason", "wrong"]),
    (2, &["record", "list", "--records", "nowhere"]),
    (2, &["store", "gc", "--max-size", "much"]),
    (2, &["store", "list", "--store", "models"]),
    (2, &["ship", "--config", "nowhere.yaml"]),
    (2, &["doctor", "--config", "nowhere.yaml"]),
    (2, &["doctor", "--dry-run"]),
    (2, &["report", "--config", "nowhere.yaml"]),
    (1, &["report", "--output", "nowhere/report.html"]),
    (5, &["init"]),
    (2, &["frobnicate"]),
    (2, &["status", "--frobnicate"]),
];

fn document(what: &[&str], stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|e| panic!("{what:?}: not one JSON document: {e}: {stdout:?}"))
}

/// The commands and subcommands that the help lists.
pub fn commands(env: &Env, of: &[&str]) -> Vec<String> {
    let help = env.ok(&[of, &["--help"]].concat());
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    // What a command does may take two lines.
    let names = list.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
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
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
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
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
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
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
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
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = busy();
    for args in CHANGING {
        let document = env.json(args);
        assert!(document.is_object(), "{args:?}: {document}");
    }
}

#[test]
fn a_failure_is_one_document() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
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
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
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

/// The messages in the document's `warnings`: the ones on stderr, with their hints, and `--quiet` takes none away.
fn warned(env: &Env, args: &[&str]) -> Vec<String> {
    let ran = env.run(&[args, &["--json"]].concat());
    assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
    let document = document(args, &ran.stdout);
    let warnings = document["warnings"].as_array().unwrap_or_else(|| panic!("{args:?}: no warnings: {document}"));
    let texts = |key: &str| warnings.iter().filter_map(|w| w[key].as_str().map(str::to_owned)).collect::<Vec<_>>();
    let printed = |start: &str| ran.stderr.lines().filter_map(|l| l.strip_prefix(start).map(str::to_owned)).collect();
    let (messages, hints): (Vec<String>, Vec<String>) = (printed("warning: "), printed("hint: "));
    assert_eq!((texts("message"), texts("hint")), (messages.clone(), hints), "{args:?}");
    messages
}

#[test]
fn warnings_are_in_the_document() {
    let env = Env::with_model();
    assert!(warned(&env, &["pack", "--type", "model", "--version", "1.0.0"]).is_empty());
    let script = env.write("project/models/bert/run", "#!/home/mei/venv/bin/python\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let pack = &["pack", "--type", "model", "--version", "1.0.0"][..];
    for args in [pack, &[pack, &["--dry-run"]].concat()] {
        let warnings = warned(&env, args);
        assert!(matches!(&warnings[..], [shebang] if shebang.contains("`bert/run`")), "{warnings:?}");
    }
    let quiet = env.run(&[pack, &["--quiet", "--json"]].concat());
    assert_eq!((quiet.stderr.as_str(), &document(pack, &quiet.stdout)["warnings"][1]), ("", &Value::Null));
    assert!(document(pack, &quiet.stdout)["warnings"][0]["hint"].is_string());

    // One target that everybody may write to, one that cannot be written to at all.
    env.configure("default:", "  require: 1\n  default: [near, far]");
    std::fs::create_dir_all(env.path("targets/near")).expect("made");
    std::fs::set_permissions(env.path("targets/near"), std::fs::Permissions::from_mode(0o777)).expect("a mode");
    env.write("targets/far", "not a directory\n");
    let warnings = warned(&env, &["publish", "model@1.0.0"]);
    assert!(
        matches!(&warnings[..], [near, far] if near.contains("targets/near") && far.contains("`far`")),
        "{warnings:?}"
    );

    // The same of each step of `ship`.
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    let config = env.read("project/.deploy-tool.yaml");
    env.write("project/.deploy-tool.yaml", config.replace("  config: {source: ./configs}\n", ""));
    let warnings = warned(&env, &["ship", "."]);
    assert!(matches!(&warnings[..], [_, near, far] if near.contains("near") && far.contains("far")), "{warnings:?}");

    // A source that is gone is passed over.
    env.configure("default:", "  default: [near]");
    std::fs::remove_file(env.path("targets/far")).expect("removed");
    env.write("project/models/bert/config.json", "{\"layers\": 8}\n");
    env.ok(&["pack", "--type", "model", "--version", "2.0.0"]);
    env.ok(&["publish", "model@2.0.0", "--to", "near,far"]);
    std::fs::remove_dir_all(env.path("targets/near/model/2.0.0")).expect("removed");
    std::fs::remove_dir_all(env.path("store")).expect("removed");
    let warnings = warned(&env, &["deploy", "model@2.0.0"]);
    assert!(warnings.iter().all(|warning| warning.contains("`near`")) && !warnings.is_empty(), "{warnings:?}");
    std::fs::remove_file(env.path("root/links/model")).expect("removed");
    assert_eq!(warned(&env, &["status"]).len(), 1);
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

//! A branch that is held back is not deployed from where the host asks for a heartbeat; and `record import` signs.

use insta::assert_snapshot;

use super::env::Env;
use super::programs::has;
use super::signatures::{keygen, signers, trust};

const HEARTBEAT: &str = "records/records/heartbeat.json";

/// Two published versions, an environment, a bot that may sign heartbeats and nothing else, and a host.
fn published() -> Env {
    let env = Env::with_model();
    ["mei", "bot"].iter().for_each(|name| keygen(&env, name, "ed25519"));
    let only = "namespaces=\"deploy-tool-heartbeat\"";
    signers(&env, "signers", &[("mei@x", "", "mei"), ("bot@x", only, "bot")]);
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    trust(&env, ", require: false, max_age: 7d");
    env
}

/// Makes the heartbeat say this, signed by `key`.
fn beats(env: &Env, at: &str, key: &str) {
    env.write(HEARTBEAT, format!("{{\n  \"at\": \"{at}\",\n  \"serial\": 7\n}}\n"));
    let mut command = env.hermetic("ssh-keygen");
    command.args(["-q", "-Y", "sign", "-n", "deploy-tool-heartbeat", "-f"]).arg(env.path("keys").join(key));
    command.stdin(std::fs::File::open(env.path(HEARTBEAT)).expect("there"));
    let signature = command.output().expect("it runs");
    assert!(signature.status.success(), "{signature:?}");
    env.write(&format!("{HEARTBEAT}.sigs/{key}.sig"), signature.stdout);
    env.git("records", &["add", "."]);
    env.git("records", &["commit", "-qm", "by hand"]);
}

#[test]
fn a_branch_that_nobody_vouches_for_is_not_deployed_from() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = published();
    let first = env.git("records", &["rev-parse", "HEAD"]);
    assert_snapshot!(env.refused(4, &["deploy", "model@1.0.0"]), @r"
    error: refused: this host deploys only from a branch that somebody has vouched for lately, and the records in `<dir>/records` have no `heartbeat.json`

    hint: have a bot run `deploy-tool record heartbeat`; a commit that you name with `--at` is your own decision
    ");
    env.refused(4, &["deploy", "--env", "prod", "--dry-run"]);
    // What somebody names is their own decision.
    env.ok(&["deploy", "model@1.0.0", "--at", first.trim()]);
    env.ok(&["deploy", "--record", "../records/records/packages/model/1.0.1/record.json"]);
    env.ok(&["rollback"]);
    assert_snapshot!(env.shown(&env.ok(&["record", "heartbeat", "--sign", "../keys/bot", "--dry-run"]))
        .split(" at ").next().expect("a part"), @"would renew the heartbeat: 1");
    env.ok(&["record", "heartbeat", "--sign=../keys/bot"]);
    let said = env.ok(&["record", "heartbeat", "--sign=../keys/bot"]);
    assert!(said.starts_with("heartbeat 2 at ") && said.contains("signed by SHA256:"), "{said}");
    assert_eq!(env.git("records", &["log", "-1", "--format=%s"]).trim(), "heartbeat");
    env.ok(&["deploy", "--env", "prod", "--resume"]);
    env.ok(&["deploy", "model@1.0.1"]);
    env.ok(&["record", "check", &format!("{}..HEAD", first.trim())]);
    let report = env.json(&["record", "verify", "--all"]);
    let of = |file: &&serde_json::Value| file["file"] == "heartbeat.json" && file["need"] == 1 && file["people"] == 1;
    assert!(report["files"].as_array().expect("a list").iter().any(|file| of(&file)), "{report}");
    // Whoever vouches for the branch may publish nothing.
    let ran = env.run(&["record", "check", "HEAD", "--config", &stricter(&env)]);
    assert!(ran.status == Some(4) && ran.stdout.contains("[too-few-signatures]"), "{ran:?}");
}

/// A configuration that asks for signatures of manifests.
fn stricter(env: &Env) -> String {
    let text = env.read("project/.deploy-tool.yaml").replace("require: false", "require: true");
    env.write("project/strict.yaml", text).display().to_string()
}

#[test]
fn a_heartbeat_that_is_old_or_not_signed_as_it_should_be_is_none() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = published();
    beats(&env, "2020-01-01T00:00:00Z", "bot");
    let said = env.refused(4, &["deploy", "model@1.0.0"]);
    assert!(said.contains("the newest heartbeat of the branch is from 2020-01-01T00:00:00Z"), "{said}");
    beats(&env, "2999-01-01T00:00:00Z", "bot");
    assert!(env.refused(4, &["deploy", "model@1.0.0"]).contains("one of the two clocks is wrong"));
    // Renewed by somebody whose key is on no list, or by hand after it was signed.
    keygen(&env, "eve", "ed25519");
    env.ok(&["record", "heartbeat", "--sign=../keys/eve"]);
    assert!(env.refused(4, &["deploy", "model@1.0.0"]).contains("nobody's key"));
    env.ok(&["record", "heartbeat", "--sign=../keys/mei"]);
    env.ok(&["deploy", "model@1.0.0"]);
    env.write(HEARTBEAT, env.read(HEARTBEAT).replace("\"serial\": 9", "\"serial\": 10"));
    env.git("records", &["commit", "-qam", "by hand"]);
    assert!(env.refused(4, &["deploy", "model@1.0.0"]).contains("it is not over this content"));
    // A host that asks for none takes the branch as it is.
    trust(&env, ", require: false");
    env.ok(&["deploy", "model@1.0.1"]);
}

#[test]
fn what_is_imported_is_signed_where_a_key_is_given() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = published();
    env.git_init("rebuilt");
    trust(&env, "");
    let import = ["record", "import", "--from", "near", "--records", "../rebuilt"];
    env.ok(&[&import[..], &["--sign=../keys/mei"]].concat());
    assert_eq!(env.git("rebuilt", &["rev-list", "--count", "HEAD"]).trim(), "2", "one commit");
    env.ok(&["record", "verify", "--all", "--records", "../rebuilt"]);
    env.ok(&["deploy", "model@1.0.1", "--records", "../rebuilt"]);
    env.ok(&["record", "check", "HEAD", "--records", "../rebuilt"]);
    // Without one it is as it was, and a key that has to be configured is missed.
    env.git_init("again");
    let import = ["record", "import", "--from", "near", "--records", "../again"];
    env.refused(2, &[&import[..], &["--sign"]].concat());
    env.ok(&import);
    assert_eq!(env.run(&["record", "verify", "--all", "--records", "../again"]).status, Some(4));
}

#[test]
fn the_policy_says_who_may_import_with_a_signature() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = published();
    env.git_init("rebuilt");
    trust(&env, ", require: false");
    let policy = r#"{"rules": [{"role": "publisher", "components": ["model"], "principals": ["mei@x"]}]}"#;
    env.write("rebuilt/records/policy.json", policy);
    env.git("rebuilt", &["add", "."]);
    env.git("rebuilt", &["commit", "-qm", "policy"]);
    let import = ["record", "import", "--from", "near", "--records", "../rebuilt"];
    let said = env.refused(4, &[&import[..], &["--sign=../keys/bot"]].concat());
    assert!(said.contains("the key is for other files"), "{said}");
    env.ok(&[&import[..], &["--sign=../keys/mei"]].concat());
}

//! Roles: what the policy in the records lets whom do, and who may say so.

use serde_json::{Value, json};

use super::env::Env;
use super::programs::has;
use super::signatures::{keygen, signers, trust};

const POLICY: &str = "records/records/policy.json";

/// People with keys, a packed model, and a policy that lets mei publish models, ops deploy to prod, and li approve it.
fn with_policy() -> Env {
    let env = Env::with_model();
    let people = ["mei", "li", "ops", "wu"];
    people.iter().for_each(|name| keygen(&env, name, "ed25519"));
    let lines = people.map(|name| (format!("{name}@x"), name));
    let lines: Vec<_> = lines.iter().map(|(who, name)| (who.as_str(), "", *name)).collect();
    signers(&env, "signers", &lines);
    signers(&env, "owners", &[("li@x", "", "li"), ("wu@x", "", "wu")]);
    trust(&env, ", require: false");
    let policy = json!({
        "rules": [
            {"role": "publisher", "components": ["model"], "principals": ["mei@x"]},
            {"role": "deployer", "environments": ["prod"], "principals": ["ops@x"]},
            {"role": "approver", "environments": ["prod"], "principals": ["li@x", "ops@x"]},
        ],
        "owners": {"principals": ["li@x", "wu@x"], "require": 2},
    });
    write_policy(&env, &policy);
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    env
}

fn write_policy(env: &Env, policy: &Value) {
    env.write(POLICY, format!("{policy:#}\n"));
    env.git("records", &["add", "."]);
    env.git("records", &["commit", "-qm", "policy"]);
}

#[test]
fn only_a_publisher_of_the_component_publishes_it() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = with_policy();
    let nothing = |args: &[&str], what: &str| {
        let said = env.fails(4, args);
        assert!(said.contains(what), "{what}: {said}");
        assert!(!env.path("targets").exists(), "nothing is uploaded");
    };
    nothing(&["publish", "model@1.0.0"], "`model` has 0 of 1 signature of publishers (mei@x)");
    nothing(&["publish", "model@1.0.0", "--sign=../keys/li"], "signed by li@x");
    // A name in a commit is nobody.
    env.git("records", &["config", "user.email", "mei@x"]);
    nothing(&["publish", "model@1.0.0"], "there is no signature");
    env.ok(&["publish", "model@1.0.0", "--sign=../keys/mei"]);
    env.ok(&["deploy", "model@1.0.0"]);
    // No rule is for configurations, so nobody publishes one.
    env.write("project/configs/a", "a");
    env.ok(&["pack", "--type", "config", "--version", "1"]);
    let said = env.fails(4, &["publish", "config@1", "--sign=../keys/mei"]);
    assert!(said.contains("no rule lets anybody be publisher of `config`"), "{said}");
    // Where nothing says whose key it is, nobody is known.
    env.configure("deploy:", "deploy: {root: ../root}");
    let said = env.fails(4, &["publish", "config@1", "--sign=../keys/mei"]);
    assert!(said.contains("nothing says which key is whose"), "{said}");
}

#[test]
fn who_publishes_a_component_withdraws_its_versions() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = with_policy();
    env.ok(&["publish", "model@1.0.0", "--sign=../keys/mei"]);
    let head = env.git("records", &["rev-parse", "main"]);
    let yank = ["record", "yank", "model@1.0.0", "--reason", "answers in Latin"];
    assert!(env.fails(4, &yank).contains("there is no signature"));
    assert!(env.fails(4, &[&yank[..], &["--sign=../keys/li"]].concat()).contains("signed by li@x"));
    assert_eq!(env.git("records", &["rev-parse", "main"]), head);
    let report = env.json(&[&yank[..], &["--sign=../keys/mei"]].concat());
    let key = report["signed_by"].as_str().expect("a key");
    let files = env.git("records", &["show", "--name-only", "--format=", "main"]);
    assert_eq!(files.lines().filter(|file| file.contains("yanked.json")).count(), 2, "{files}");
    assert!(env.ok(&["record", "verify", "--all"]).contains(key));
    env.refused(4, &["deploy", "model@1.0.0"]);
}

#[test]
fn a_host_believes_a_policy_that_its_own_configuration_pins() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = with_policy();
    env.ok(&["publish", "model@1.0.0", "--sign=../keys/mei"]);
    trust(&env, ", require: false, policy: {allowed_signers: owners, require: 2}");
    let refused = |what: &str| {
        let said = env.refused(4, &["deploy", "model@1.0.0"]);
        assert!(said.contains(what), "{what}: {said}");
    };
    refused("refused policy.json: it is not signed");
    env.ok(&["record", "sign", "--policy", "--sign", "../keys/li"]);
    refused("refused policy.json: it is signed by 1 of 2 people");
    env.ok(&["record", "sign", "--policy", "--sign", "../keys/mei"]);
    refused("nobody's key");
    env.ok(&["record", "sign", "--policy", "--sign", "../keys/wu"]);
    env.ok(&["deploy", "model@1.0.0"]);
    env.ok(&["record", "verify", "--all"]);
    // Another policy is another file: whoever brings it does not bring the signatures.
    let policy: Value = serde_json::from_str(&env.read(POLICY)).expect("JSON");
    let mut wider = policy.clone();
    wider["rules"][0]["principals"] = json!(["mei@x", "wu@x"]);
    write_policy(&env, &wider);
    refused("it is not over this content");
    assert_eq!(env.run(&["record", "verify", "--all"]).status, Some(4));
    // Without the policy nothing is believed, and a record file has none.
    env.git("records", &["rm", "-q", "records/policy.json"]);
    env.git("records", &["commit", "-qm", "none"]);
    refused("have no `policy.json`");
    let record = env.path("records/records/packages/model/1.0.0/record.json").display().to_string();
    let said = env.refused(4, &["deploy", "--record", &record]);
    assert!(said.contains("a record file alone has none"), "{said}");
    // What is not understood is no policy.
    let mut unknown = policy;
    unknown["rules"][0]["unless"] = json!(["mei@x"]);
    write_policy(&env, &unknown);
    refused("unknown field `unless`");
}

#[test]
fn an_environment_waits_for_somebody_to_approve_it() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = with_policy();
    env.ok(&["publish", "model@1.0.0", "--sign=../keys/mei"]);
    for owner in ["../keys/li", "../keys/wu"] {
        env.ok(&["record", "sign", "--policy", "--sign", owner]);
    }
    trust(&env, ", require: false, policy: {allowed_signers: owners, require: 2}");
    let said = env.fails(4, &["env", "set", "model@1.0.0", "--env", "prod", "--sign=../keys/mei"]);
    assert!(said.contains("`model` has 0 of 1 signature of deployers (ops@x)"), "{said}");
    let said = env.fails(4, &["env", "set", "model@1.0.0", "--env", "test", "--sign=../keys/ops"]);
    assert!(said.contains("no rule lets anybody be deployer"), "{said}");
    // One of the two is enough to propose it, not to deploy it, though ops may approve as well.
    let ran = env.run(&["env", "set", "model@1.0.0", "--env", "prod", "--sign=../keys/ops"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("hosts will wait for more signatures"), "{ran:?}");
    let said = env.refused(4, &["deploy", "--env", "prod"]);
    assert!(said.contains("`model` has 0 of 1 signature of approvers (li@x, ops@x)"), "{said}");
    env.ok(&["record", "sign", "--env", "prod", "--sign", "../keys/li"]);
    env.ok(&["deploy", "--env", "prod"]);
    // A version that somebody else has recorded is not published.
    env.git("records", &["rm", "-rq", "records/packages/model/1.0.0/manifest.json.sigs"]);
    env.git("records", &["commit", "-qm", "unsigned", "--author", "mei <mei@x>"]);
    let said = env.refused(4, &["deploy", "--env", "prod"]);
    assert!(said.contains("`model` has 0 of 1 signature of publishers (mei@x)"), "{said}");
}

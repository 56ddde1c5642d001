//! `record url`: URLs for hosts without a login.

use insta::assert_snapshot;

use super::env::Env;

#[test]
fn a_directory_has_a_plain_url_that_does_not_expire() {
    let env = Env::with_model();
    env.publish("1.0.0");
    assert_snapshot!(env.shown(&env.ok(&["record", "url", "model@1.0.0"])), @r"
    file://<dir>/targets/near/model/1.0.0/model-1.0.0.tar.gz
    file://<dir>/targets/far/model/1.0.0/model-1.0.0.tar.gz
    ");
    let report = env.json(&["record", "url", "model", "--target", "far"]);
    assert_eq!(report["urls"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&report["urls"][0]["name"], &report["urls"][0]["expires_in"]),
        (&"far".into(), &serde_json::Value::Null)
    );
    assert_eq!((&report["file"], &report["version"]), (&"model-1.0.0.tar.gz".into(), &"1.0.0".into()));
}

#[test]
fn what_cannot_be_given_is_said() {
    let env = Env::with_model();
    env.publish("1.0.0");
    assert_snapshot!(env.refused(3, &["record", "url", "model@1.0.0", "--target", "cold"]), @r"
    error: model@1.0.0 does not lie at `cold`

    hint: it lies at near, far
    ");
    env.refused(3, &["record", "url", "model@9"]);
    // A target of that name that cannot be used any more.
    let config = env.read("project/.deploy-tool.yaml");
    let oci = "near: {type: oci, registry: registry.example, repository: UPPER}";
    let config = config.replace("near: {type: filesystem, path: ../targets/near}", oci);
    env.write("project/.deploy-tool.yaml", &config);
    let ran = env.run(&["record", "url", "model@1.0.0"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_snapshot!(env.shown(&ran.stdout), @"file://<dir>/targets/far/model/1.0.0/model-1.0.0.tar.gz");
    assert_snapshot!(env.shown(&ran.stderr), @"warning: location `near` is not read: target `near` cannot be used: `UPPER` is no repository's name: they are in lower case");
    for expires in ["0s", "8d", "soon"] {
        env.refused(2, &["record", "url", "model@1.0.0", "--expires", expires]);
    }
}

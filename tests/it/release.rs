//! A release of the program is published with the program: the script that does it, on a repository of its own.

use std::fs;
use std::path::Path;

use super::env::{Env, PROGRAM, Ran};

/// A clone of this project, as far as the script reads it, and what a build made.
fn released() -> Env {
    let env = Env::new();
    env.git_init("clone");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/release");
    for file in ["publish", "deploy-tool.yaml"] {
        fs::create_dir_all(env.path("clone/.ci/release")).expect("made");
        fs::copy(here.join(file), env.path("clone/.ci/release").join(file)).expect("copied");
    }
    env.write("clone/.gitignore", "/target/\n");
    env.git("clone", &["add", "."]);
    env.git("clone", &["commit", "-qm", "the script"]);
    env.write("clone/target/dist/deploy-tool.tar.gz", "a program");
    env.write("clone/target/dist/sbom.json", "{}");
    sum(&env);
    env
}

fn sum(env: &Env) {
    let mut sums = env.hermetic("sha256sum");
    let output = sums.args(["deploy-tool.tar.gz", "sbom.json"]).current_dir(env.path("clone/target/dist")).output();
    env.write("clone/target/dist/SHA256SUMS", output.expect("sha256sum runs").stdout);
}

fn publish(env: &Env, args: &[&str]) -> Ran {
    let mut script = env.hermetic(env.path("clone/.ci/release/publish"));
    script.args([PROGRAM, "target/dist"]).args(args).current_dir(env.path("clone"));
    Ran::of(script.env("DEPLOY_TOOL_RELEASES", env.path("releases")).output().expect("the script runs"))
}

#[test]
fn a_release_is_recorded_and_deployed_from_its_record() {
    let env = released();
    let ran = publish(&env, &[]);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let version = env!("CARGO_PKG_VERSION");
    let record = format!("records/packages/deploy-tool/{version}/record.json");
    assert!(env.committed("clone", &record).contains("deploy-tool"), "recorded");
    assert_eq!(env.git("clone", &["status", "--porcelain"]), "", "nothing but the record changed");

    let mut deploy = env.hermetic(PROGRAM);
    deploy.args(["deploy", "deploy-tool", "--records", "clone", "--root", "root", "--store", "store"]);
    let config = env.path("clone/.ci/release/deploy-tool.yaml");
    deploy.arg("--config").arg(config).env("DEPLOY_TOOL_RELEASES", env.path("releases")).current_dir(env.path(""));
    let ran = Ran::of(deploy.output().expect("it runs"));
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert_eq!(env.read("root/links/deploy-tool/deploy-tool.tar.gz"), "a program");
}

#[test]
fn a_dry_run_records_nothing() {
    let env = released();
    let ran = publish(&env, &["--dry-run"]);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert!(!env.path("releases/deploy-tool").exists() && !env.path("clone/records").exists());
}

#[test]
fn a_file_that_is_not_as_listed_is_not_released() {
    let env = released();
    env.write("clone/target/dist/deploy-tool.tar.gz", "another program");
    assert_ne!(publish(&env, &[]).status, Some(0), "a file that changed");
    sum(&env);
    env.write("clone/target/dist/left-over.deb", "");
    let ran = publish(&env, &[]);
    assert_eq!(ran.status, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("left-over.deb"), "{}", ran.stderr);
    assert!(!env.path("clone/records").exists());
}

//! The hook and the workflows of `docs/` do what they say, and `docs/review.md` names every rule.

use std::fs;
use std::path::{Path, PathBuf};

use super::env::{Env, PROGRAM, Ran};
use super::programs::has;
use super::review::scene;

fn docs(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file)
}

#[test]
fn the_document_names_every_rule() {
    let text = fs::read_to_string(docs("review.md")).expect("read");
    let words = include_str!("../../src/cli/words/en.txt").lines().filter_map(|line| line.split_once(" = "));
    let rules = words.filter_map(|(key, _)| key.strip_prefix("review.")).filter(|rule| !rule.ends_with(".hint"));
    let missing: Vec<_> = rules.filter(|rule| !text.contains(&format!("`{rule}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Runs a line of shell in the records repository, with the program on the path.
fn shell(env: &Env, line: &str) -> Ran {
    let mut command = env.hermetic("sh");
    let path = format!("{}:{}", env.path("bin").display(), std::env::var("PATH").expect("a path"));
    command.args(["-euc", line]).current_dir(env.path("records")).env("PATH", path);
    command.env("GITHUB_STEP_SUMMARY", env.path("summary")).env("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main");
    Ran::of(command.output().expect("it runs"))
}

/// The lines of shell in a workflow, in order.
fn commands(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => members.iter().for_each(|(name, value)| match (name.as_str(), value) {
            ("run", serde_json::Value::String(line)) => out.push(line.clone()),
            ("script", serde_json::Value::Array(lines)) => {
                out.extend(lines.iter().filter_map(|line| line.as_str().map(str::to_owned)));
            }
            (_, value) => commands(value, out),
        }),
        serde_json::Value::Array(values) => values.iter().for_each(|value| commands(value, out)),
        _ => {}
    }
}

fn workflow(file: &str) -> Vec<String> {
    let text = fs::read_to_string(docs(file)).expect("read");
    let value: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
    let mut lines = Vec::new();
    commands(&value, &mut lines);
    lines.retain(|line| !line.starts_with("cargo install"));
    lines
}

/// What a runner has checked out: the branch `request`, on top of `main` with configuration and keys, and a remote.
fn runner(change: impl Fn(&Env)) -> Env {
    let env = scene();
    std::os::unix::fs::symlink(PROGRAM, env.write("bin/.keep", "").with_file_name("deploy-tool")).expect("linked");
    fs::remove_file(env.path("project/.deploy-tool.yaml")).expect("removed");
    for dir in [".github", ".gitlab"] {
        env.write(
            &format!("records/{dir}/deploy-tool.yaml"),
            "deploy: {trust: {allowed_signers: signers, require: true}}\n",
        );
        env.write(&format!("records/{dir}/signers"), env.read("project/signers"));
    }
    env.git("records", &["add", "-A"]);
    env.git("records", &["commit", "-qm", "keys"]);
    env.git("", &["clone", "-q", "--bare", "records", "origin.git"]);
    env.git("records", &["remote", "add", "origin", &env.path("origin.git").display().to_string()]);
    env.git("records", &["checkout", "-qb", "request"]);
    change(&env);
    env.git("records", &["add", "-A"]);
    env.git("records", &["commit", "-qm", "request"]);
    env
}

#[test]
fn the_workflows_let_a_good_request_pass_and_stop_a_bad_one() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    const RECORD: &str = "records/records/packages/model/1.0.1/record.json";
    let good = |env: &Env| {
        let record = env.read(RECORD);
        let more = "  \"locations\": [\n    {\n      \"name\": \"web\",\n      \"type\": \"http\",\n      \"url\": \"https://host/m.tar.gz\"\n    },";
        env.write(RECORD, record.replace("  \"locations\": [", more));
    };
    // It brings keys and a configuration of its own, too, which ask for nothing.
    let bad = |env: &Env| {
        env.write(RECORD, env.read(RECORD).replace("\"size\": 114", "\"size\": 115"));
        env.write("records/.github/deploy-tool.yaml", "deploy: {}\n");
    };
    for file in ["workflows/github.yml", "workflows/gitlab-ci.yml"] {
        let lines = workflow(file);
        assert!(lines.iter().any(|line| line.starts_with("deploy-tool record check")), "{lines:?}");
        let env = runner(good);
        for line in &lines {
            let ran = shell(&env, line);
            assert_eq!(ran.status, Some(0), "{file}: {line}: {ran:?}");
        }
        let env = runner(bad);
        for line in &lines {
            let ran = shell(&env, line);
            let expected = if line.starts_with("deploy-tool") { 4 } else { 0 };
            assert_eq!(ran.status, Some(expected), "{file}: {line}: {ran:?}");
        }
        if file.contains("github") {
            assert!(env.read("summary").contains("`record-changed`"), "{}", env.read("summary"));
        }
    }
}

#[test]
fn the_hook_stops_a_commit_of_what_must_not_be_merged() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = scene();
    std::os::unix::fs::symlink(PROGRAM, env.write("bin/.keep", "").with_file_name("deploy-tool")).expect("linked");
    fs::create_dir_all(env.path("records/.git/hooks")).expect("made");
    fs::copy(docs("hooks/pre-commit"), env.path("records/.git/hooks/pre-commit")).expect("copied");
    let record = "records/records/packages/model/1.0.1/record.json";
    let before = env.read(record);
    env.write(record, before.replace("\"size\": 114", "\"size\": 115"));
    env.write("records/README", "more\n");
    // Only what is staged is looked at.
    assert_eq!(shell(&env, "git commit -qm fine README").status, Some(0));
    let ran = shell(&env, "git commit -qam bad");
    assert!(ran.status == Some(1) && format!("{ran:?}").contains("record-changed"), "{ran:?}");
    env.write(record, before);
    assert_eq!(shell(&env, "git commit -qm fine --allow-empty").status, Some(0));
    // The first commit of a repository.
    assert_eq!(shell(&env, "git checkout -q --orphan fresh && git commit -qm all").status, Some(0));
}

//! Branches and environments that go back: a root remembers what it has seen.

use insta::assert_snapshot;

use super::env::Env;
use super::environments::published;

fn head(env: &Env) -> String {
    env.git("records", &["rev-parse", "HEAD"]).trim().to_owned()
}

fn commit(env: &Env, text: &str) {
    env.write("records/README", text);
    env.git("records", &["commit", "-qam", text]);
}

#[test]
fn a_rewritten_branch_is_refused_until_both_commits_are_named() {
    let env = published();
    commit(&env, "seen");
    let seen = head(&env);
    env.ok(&["deploy", "model@1.0.0"]);
    // It goes on: nothing is asked.
    commit(&env, "later");
    env.ok(&["deploy", "model@1.0.1"]);
    let later = head(&env);
    // It goes back, and on from there: both are refused, and nothing is changed.
    env.git("records", &["reset", "-q", "--hard", "HEAD~1"]);
    assert_snapshot!(env.refused(4, &["deploy", "model@1.0.0"]), @r"
    error: refused: `<dir>/records#refs/heads/main` is at <hex>, which does not come after <hex>, which this root has seen

    hint: somebody has rewritten the branch or gone back; if that is meant, add `--accept-rewrite <hex>..<hex>`, or name a commit with `--at`
    ");
    env.refused(4, &["deploy", "model@1.0.0", "--dry-run"]);
    commit(&env, "another");
    let another = head(&env);
    env.refused(4, &["deploy", "model@1.0.0"]);
    // What somebody decides is not compared, and nothing is learned from it.
    env.ok(&["deploy", "model@1.0.0", "--at", &seen]);
    env.ok(&["rollback"]);
    env.refused(4, &["deploy", "model@1.0.0"]);
    // Only this rewrite.
    let accept = |old: &str, new: &str| format!("{}..{}", &old[..12], &new[..12]);
    env.refused(4, &["deploy", "model@1.0.0", "--accept-rewrite", &accept(&seen, &another)]);
    env.refused(4, &["deploy", "model@1.0.0", "--accept-rewrite", &accept(&later, &seen)]);
    env.refused(2, &["deploy", "model@1.0.0", "--accept-rewrite", "HEAD~1..HEAD"]);
    env.ok(&["deploy", "model@1.0.0", "--accept-rewrite", &accept(&later, &another)]);
    env.ok(&["deploy", "model@1.0.1"]);
    env.refused(4, &["deploy", "model@1.0.0", "--accept-rewrite", &accept(&later, &another)]);
    // The commit that was seen is not there any more at all.
    env.git("records", &["checkout", "-q", "--orphan", "fresh"]);
    env.git("records", &["commit", "-qam", "one commit"]);
    env.git("records", &["branch", "-M", "main"]);
    env.git("records", &["reflog", "expire", "--expire=now", "--all"]);
    env.git("records", &["gc", "-q", "--prune=now"]);
    env.refused(4, &["deploy", "model@1.0.0"]);
    env.ok(&["deploy", "model@1.0.0", "--accept-rewrite", &accept(&another, &head(&env))]);
}

#[test]
fn each_branch_of_each_repository_is_remembered_and_a_new_root_trusts() {
    let env = published();
    commit(&env, "ahead");
    env.ok(&["deploy", "model@1.0.0"]);
    env.git("records", &["branch", "old", "HEAD~1"]);
    env.configure("records:", "records: {repository: ../records, branch: old}");
    env.ok(&["deploy", "model@1.0.1"]);
    env.configure("records:", "records: {repository: ../records, branch: main}");
    env.git("records", &["reset", "-q", "--hard", "HEAD~1"]);
    env.refused(4, &["deploy", "model@1.0.0"]);
    env.ok(&["deploy", "model@1.0.0", "--root", "../new-root"]);
    // What was remembered and cannot be read is not forgotten.
    env.write("root/.deploy-tool/seen.json", "{");
    env.refused(1, &["deploy", "model@1.0.0"]);
}

#[test]
fn the_serial_of_an_environment_never_falls() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    let first = head(&env);
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    env.git("records", &["revert", "--no-edit", "HEAD"]);
    assert_snapshot!(env.refused(4, &["deploy", "--env", "prod"]), @r"
    error: refused: the environment `prod` is at serial 1, and this root has seen 2

    hint: a change of an environment counts its serial on; `deploy-tool env set` does so
    ");
    env.ok(&["deploy", "--env", "prod", "--at", &first]);
    env.refused(4, &["deploy", "--env", "prod"]);
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
}

//! `publish` beside a user who works in the same repository: nothing of theirs is lost, and nothing of ours by them.

use insta::assert_snapshot;

use super::env::Env;

const RECORD: &str = "records/packages/model/1.0.0/record.json";

fn status(env: &Env, sub: &str) -> String {
    env.git(sub, &["status", "--porcelain"])
}

/// Staged, changed, both at once, deleted and untracked files, in the work tree `sub`.
fn be_busy(env: &Env, sub: &str) -> String {
    for name in ["staged", "changed", "both", "deleted", "gone"] {
        env.write(&format!("{sub}/{name}"), "old\n");
    }
    env.git(sub, &["add", "."]);
    env.git(sub, &["commit", "-qm", "files"]);
    env.write(&format!("{sub}/staged"), "staged\n");
    env.write(&format!("{sub}/both"), "staged\n");
    env.write(&format!("{sub}/new"), "staged\n");
    env.git(sub, &["add", "staged", "both", "new"]);
    env.git(sub, &["rm", "-q", "deleted"]);
    env.write(&format!("{sub}/both"), "changed again\n");
    env.write(&format!("{sub}/changed"), "changed\n");
    env.write(&format!("{sub}/untracked"), "mine\n");
    std::fs::remove_file(env.path(sub).join("gone")).expect("removed");
    status(env, sub)
}

#[test]
fn staged_and_unstaged_changes_survive_and_the_next_commit_keeps_the_record() {
    let env = Env::with_model();
    let before = be_busy(&env, "records");
    assert_eq!(
        before,
        " M changed\nMM both\nD  deleted\n D gone\nA  new\nM  staged\n?? untracked\n".to_owned().sorted()
    );
    env.publish("1.0.0");
    assert_eq!(status(&env, "records"), before);
    assert_eq!(env.git("records", &["show", "--name-status", "--format=", "HEAD"]).lines().count(), 2, "only ours");
    env.git("records", &["commit", "-qm", "the user's own"]);
    let theirs = env.git("records", &["show", "--name-status", "--format=", "HEAD"]);
    assert_eq!(theirs, "M\tboth\nD\tdeleted\nA\tnew\nM\tstaged\n");
    assert_eq!(env.committed("records", "both"), "staged\n");
    assert!(env.committed("records", RECORD).contains("near"));
    assert_eq!(status(&env, "records"), " M both\n M changed\n D gone\n?? untracked\n");
    env.ok(&["deploy", "model@1.0.0"]);
}

trait Sorted {
    fn sorted(self) -> String;
}

impl Sorted for String {
    /// The lines in git's order: tracked files by name, then untracked ones.
    fn sorted(self) -> String {
        let mut lines: Vec<_> = self.lines().collect();
        lines.sort_by_key(|line| (line.starts_with("??"), line[3..].to_owned()));
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

#[test]
fn a_bare_repository() {
    let env = Env::with_model();
    env.git("", &["init", "-q", "--bare", "bare.git"]);
    env.configure("records:", "records: {repository: ../bare.git}");
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    assert!(env.committed("bare.git", RECORD).contains("near"));
    assert_eq!(env.git("bare.git", &["rev-list", "--count", "main"]).trim(), "2");
    env.ok(&["deploy", "model"]);
    assert_eq!(env.link("components/model/current"), "1.0.1");
}

#[test]
fn a_linked_work_tree() {
    let env = Env::with_model();
    env.git("records", &["worktree", "add", "-q", "-b", "side", "../linked"]);
    let before = be_busy(&env, "linked");
    env.configure("records:", "records: {repository: ../linked}");
    let main = env.git("records", &["rev-parse", "main"]);
    env.publish("1.0.0");
    assert_eq!(status(&env, "linked"), before);
    assert!(env.committed("linked", RECORD).contains("near"));
    assert_eq!((env.git("records", &["rev-parse", "main"]), status(&env, "records")), (main.clone(), String::new()));
    // Through the main work tree, to the branch that the linked one has checked out.
    env.configure("records:", "records: {repository: ../records, branch: side}");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    assert_eq!(status(&env, "linked"), before);
    assert!(env.path("linked/records/packages/model/1.0.1/record.json").is_file());
    assert_eq!((env.git("records", &["rev-parse", "main"]), status(&env, "records")), (main, String::new()));
    env.git("linked", &["commit", "-qm", "the user's own"]);
    assert!(env.committed("linked", RECORD).contains("near"));
}

#[test]
fn a_branch_that_is_not_checked_out() {
    let env = Env::with_model();
    env.git("records", &["branch", "release"]);
    env.configure("records:", "records: {repository: ../records, branch: release}");
    let before = (env.git("records", &["rev-parse", "main"]), env.git("records", &["ls-files", "--stage"]));
    env.publish("1.0.0");
    assert_eq!((env.git("records", &["rev-parse", "main"]), env.git("records", &["ls-files", "--stage"])), before);
    assert_eq!(status(&env, "records"), "");
    assert!(env.git("records", &["show", &format!("release:{RECORD}")]).contains("near"));
    env.ok(&["deploy", "model@1.0.0"]);
}

#[test]
fn a_directory_that_is_not_a_git_repository() {
    let env = Env::with_model();
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    std::fs::create_dir(env.path("plain")).expect("made");
    let said = env.refused(2, &["publish", "model@1.0.0", "--records", "../plain"]);
    assert_snapshot!(said, @r"
    error: cannot open the records repository: `<dir>/plain` is not a git repository

    hint: make one with `git init <dir>/plain`, or set `records.repository` or `--records` to the top of a work tree or to a bare repository
    ");
    assert_eq!(env.refused(2, &["deploy", "model", "--records", "../plain"]), said);
    let inside = env.path("records/inside");
    std::fs::create_dir(inside).expect("made");
    assert_snapshot!(env.refused(2, &["publish", "model@1.0.0", "--records", "../records/inside"]), @r"
    error: cannot open the records repository: `<dir>/records/inside` is a directory inside the repository `<dir>/records`, not a repository of its own

    hint: an enclosing repository is never taken unasked: if it is the one you mean, set `records.repository` to `<dir>/records`; if not, run `git init <dir>/records/inside`
    ");
    assert_snapshot!(env.refused(2, &["record", "list", "--records", "../nowhere"]), @r"
    error: cannot open the records repository: `<dir>/nowhere` is not a git repository

    hint: make one with `git init <dir>/nowhere`, or set `records.repository` or `--records` to the top of a work tree or to a bare repository
    ");
}

#[test]
fn a_detached_head() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.git("records", &["checkout", "-q", "--detach"]);
    env.ok(&["deploy", "model@1.0.0"]);
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.ok(&["pack", "--type", "model", "--version", "1.0.1"]);
    assert_snapshot!(env.refused(2, &["publish", "model@1.0.1"]), @r"
    error: cannot commit to the records repository `<dir>/records`: its HEAD is detached, so no branch is meant

    hint: set `records.branch`, or check out a branch with `git -C <dir>/records switch <branch>`
    ");
    assert_eq!(env.refused(2, &["publish", "model@1.0.1", "--dry-run"]), env.refused(2, &["publish", "model@1.0.1"]));
    // What the hint says helps.
    env.configure("records:", "records: {repository: ../records, branch: main}");
    env.ok(&["publish", "model@1.0.1"]);
    env.ok(&["deploy", "model@1.0.1"]);
}

#[test]
fn changes_of_the_user_where_a_record_belongs() {
    let env = Env::with_model();
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    let before = env.git("records", &["rev-parse", "HEAD"]);
    env.write(&format!("records/{RECORD}"), "mine\n");
    let said = env.fails(5, &["publish", "model@1.0.0"]);
    assert_snapshot!(env.shown(&said), @r"
    error: cannot commit: `<dir>/records/records/packages/model/1.0.0/record.json` has changes of yours that are not committed, and they would be overwritten

    hint: commit or remove them (`git status` shows them), then run the command again
    ");
    env.git("records", &["add", RECORD]);
    let said = env.fails(5, &["publish", "model@1.0.0"]);
    assert_snapshot!(env.shown(&said), @r"
    error: cannot commit: `<dir>/records/records/packages/model/1.0.0/record.json` has staged changes or a merge conflict of yours, and they would be overwritten

    hint: commit them, or take them out with `git restore --staged <dir>/records/records/packages/model/1.0.0/record.json`, then run the command again
    ");
    assert_eq!(env.read(&format!("records/{RECORD}")), "mine\n");
    assert_eq!(status(&env, "records"), format!("A  {RECORD}\n"));
    assert_eq!(env.git("records", &["rev-parse", "HEAD"]), before);
    env.git("records", &["rm", "-qf", RECORD]);
    env.ok(&["publish", "model@1.0.0"]);
}

//! What is opened as a records repository, and what is not.

use std::time::Duration;

use super::*;

#[test]
fn only_the_top_of_a_repository_is_opened() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.open().root(), sandbox.repo);
    write(&sandbox.repo.join("sub/file"), "");
    let below = Repository::open(&sandbox.repo.join("sub"), "records", None);
    assert!(matches!(below, Err(Error::InsideRepository { top, .. }) if top == sandbox.repo));

    let nothing = Sandbox::empty("nothing");
    assert!(matches!(nothing.open_branch(None), Err(Error::NotRepository { path }) if path == nothing.repo));
    let missing = Repository::open(&nothing.repo.join("missing"), "records", None);
    assert!(matches!(missing, Err(Error::NotRepository { .. })));

    let bare = Sandbox::bare();
    assert_eq!(bare.open().root(), bare.repo);
}

#[test]
fn directory_and_branch_are_checked() {
    let sandbox = Sandbox::new();
    for bad in ["../records", "/records", "a/../../b"] {
        let opened = Repository::open(&sandbox.repo, bad, None);
        assert!(matches!(opened, Err(Error::Directory { directory }) if directory == bad));
    }
    assert!(matches!(sandbox.open_branch(Some("a..b")), Err(Error::BranchName { .. })));
    assert!(matches!(sandbox.open_branch(Some("a\0b")), Err(Error::BranchName { .. })));
    assert!(matches!(sandbox.open_branch(Some("mian")), Err(Error::NoBranch { branch, .. }) if branch == "mian"));
    assert!(sandbox.open_branch(Some("main")).is_ok());
    // Before the first commit any branch may become the first one.
    assert!(Sandbox::unborn().open_branch(Some("records")).is_ok());
}

#[test]
fn what_libgit2_cannot_read_is_refused_clearly() {
    let sha256 = Sandbox::empty("sha256");
    sha256.git(&["init", "-q", "--object-format=sha256", "."]);
    assert!(matches!(sha256.open_branch(None), Err(Error::Unsupported { reason, .. }) if reason.contains("sha256")));

    let partial = Sandbox::new();
    partial.git(&["config", "core.repositoryformatversion", "1"]);
    partial.git(&["config", "extensions.partialClone", "origin"]);
    assert!(
        matches!(partial.open_branch(None), Err(Error::Unsupported { reason, .. }) if reason.contains("partialclone"))
    );
}

#[test]
fn a_repository_of_another_user_is_refused() {
    let sandbox = Sandbox::new();
    // Only root can give a directory away; everybody else is spared the question.
    let given = |path: &Path| std::os::unix::fs::chown(path, Some(12_345), Some(12_345)).is_ok();
    if given(&sandbox.repo) && given(&sandbox.repo.join(".git")) {
        assert!(matches!(sandbox.open_branch(None), Err(Error::Ownership { path }) if path == sandbox.repo));
    }
}

#[test]
fn init_makes_an_unborn_main_and_keeps_what_is_there() {
    let sandbox = Sandbox::empty("a/b/new");
    let made = Repository::init(&sandbox.repo).expect("a new repository").with_patience(Duration::ZERO);
    assert_eq!(made.snapshot(None).expect("an empty snapshot").commit_id(), None);
    assert_eq!(sandbox.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
    let first = made.commit(&publishing("model", "1.0.0", "x"), &author()).expect("a commit");
    let again = Repository::init(&sandbox.repo).expect("the same repository");
    assert_eq!(again.snapshot(None).expect("a snapshot").commit_id(), Some(first.commit.as_str()));
}

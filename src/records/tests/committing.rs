//! Which branch a commit lands on, what it holds, and what it refuses.

use super::super::commit::identity;
use super::*;

#[test]
fn the_bytes_are_committed_as_given_and_nothing_else_changes() {
    let sandbox = Sandbox::new();
    sandbox.write(".gitattributes", "* text=auto eol=crlf\n");
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-q", "-m", "attributes"]);
    let before = sandbox.git(&["rev-parse", "HEAD"]);
    let manifest = manifest("model", "1.0.0", "x");
    let done = sandbox.open().commit(&publishing("model", "1.0.0", "x"), &author()).expect("a commit");
    assert_eq!((done.is_new, done.branch.as_str(), done.work_trees), (true, "main", vec![sandbox.repo.clone()]));
    assert_eq!(sandbox.git(&["rev-parse", "HEAD"]), done.commit);
    assert_eq!(sandbox.git(&["rev-parse", "HEAD^"]), before);
    assert_eq!(
        sandbox.git(&["diff", "--name-status", "HEAD^", "HEAD"]),
        "A\trecords/packages/model/1.0.0/manifest.json\nA\trecords/packages/model/1.0.0/record.json"
    );
    let shown = sandbox.try_git(&sandbox.repo, &["show", "HEAD:records/packages/model/1.0.0/manifest.json"]).stdout;
    assert_eq!(shown, to_canonical_json(&manifest));
    assert_eq!(
        sandbox.git(&["log", "-1", "--format=%an <%ae> %s %at %ct"]),
        "Mei <mei@example.org> publish: model 1.0.0 1705746600 1705746600"
    );
    for log in ["HEAD", "main"] {
        assert_eq!(sandbox.git(&["log", "-1", "-g", "--format=%gs", log]), "commit: publish: model 1.0.0");
    }
    sandbox.assert_clean();
}

#[test]
fn the_same_change_again_is_no_commit() {
    let sandbox = Sandbox::new();
    let first = sandbox.publish("1.0.0").expect("a commit");
    let again = sandbox.publish("1.0.0").expect("nothing to do");
    assert_eq!((again.is_new, again.commit), (false, first.commit));
    sandbox.assert_clean();
}

#[test]
fn other_content_under_a_published_version_is_refused() {
    let sandbox = Sandbox::new();
    let first = sandbox.publish("1.0.0").expect("a commit");
    let repository = sandbox.open();
    let other = repository.commit(&publishing("model", "1.0.0", "other"), &author());
    assert!(matches!(other, Err(Error::Changed { file }) if file.commit.as_ref() == Some(&first.commit)));

    let snapshot = repository.snapshot(None).expect("a snapshot");
    let published = snapshot.resolve(&reference("model@1.0.0")).expect("published");
    let new = manifest("model", "1.0.0", "other");
    let change = publish_change(&to_canonical_json(&new), &record(&new, &["local"]), Some(&published), None);
    assert!(matches!(change, Err(Error::Immutable { what: "manifest.json", .. })));
    let moved =
        publish_change(&published.manifest_bytes, &record(&published.manifest, &["away"]), Some(&published), None);
    assert!(matches!(moved, Err(Error::Immutable { what: "record.json", .. })));
    let lying = publish_change(&to_canonical_json(&new), &published.record, None, None);
    assert!(matches!(lying, Err(Error::ManifestDigest { .. })));
    sandbox.assert_clean();
}

#[test]
fn a_location_added_meanwhile_is_not_lost() {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    let repository = sandbox.open();
    let published = repository.snapshot(None).expect("a snapshot").resolve(&reference("model")).expect("published");
    repository.commit(&adding(&published, "bos"), &author()).expect("the first");
    let late = repository.commit(&adding(&published, "s3"), &author());
    assert!(matches!(late, Err(Error::Changed { .. })));
    let now = repository.snapshot(None).expect("a snapshot").resolve(&reference("model")).expect("published");
    repository.commit(&adding(&now, "s3"), &author()).expect("from what is there now");
    let last = repository.snapshot(None).expect("a snapshot").resolve(&reference("model")).expect("published");
    let names: Vec<_> = last.record.locations.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["local", "bos", "s3"]);
    sandbox.assert_clean();
}

#[test]
fn unborn_branches_get_their_first_commit() {
    let sandbox = Sandbox::unborn();
    sandbox.write("mine.txt", "not yours\n");
    sandbox.publish("1.0.0").expect("the first commit");
    assert_eq!(sandbox.git(&["rev-list", "--count", "HEAD"]), "1");
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "?? mine.txt");
    sandbox.assert_sound();

    // HEAD stays on its own unborn branch; the configured one is made.
    let sandbox = Sandbox::unborn();
    let repository = sandbox.open_branch(Some("published")).expect("a repository");
    let done = repository.commit(&publishing("model", "1.0.0", "x"), &author()).expect("the first commit");
    assert_eq!((done.branch.as_str(), done.work_trees.len()), ("published", 0));
    assert_eq!(sandbox.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "");
    assert_eq!(repository.snapshot(None).expect("a snapshot").commit_id(), Some(done.commit.as_str()));
}

#[test]
fn a_bare_repository_gets_objects_and_a_ref() {
    let sandbox = Sandbox::bare();
    sandbox.publish("1.0.0").expect("the first commit");
    sandbox.publish("1.0.1").expect("the second");
    assert_eq!(sandbox.git(&["rev-list", "--count", "main"]), "2");
    assert!(fsx::inspect(&sandbox.repo.join("index")).expect("a look").is_none());
    let repository = sandbox.open_branch(Some("main")).expect("a repository");
    assert_eq!(repository.snapshot(None).expect("a snapshot").versions(&kind("model")).expect("two").len(), 2);
    assert_eq!(sandbox.git(&["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
fn a_branch_that_is_not_checked_out_leaves_the_work_tree_alone() {
    let sandbox = Sandbox::new();
    sandbox.git(&["branch", "releases"]);
    // Even a lock on the index is none of our business then.
    sandbox.write(".git/index.lock", "");
    let repository = sandbox.open_branch(Some("releases")).expect("a repository");
    let done = repository.commit(&publishing("model", "1.0.0", "x"), &author()).expect("a commit");
    assert_eq!(sandbox.git(&["rev-parse", "releases"]), done.commit);
    fsx::remove_file(&sandbox.repo.join(".git/index.lock")).expect("removed");
    assert!(fsx::inspect(&sandbox.repo.join("records")).expect("a look").is_none());
    sandbox.assert_clean();
}

#[test]
fn a_detached_head_needs_a_branch() {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    sandbox.git(&["checkout", "-q", "--detach"]);
    assert!(matches!(sandbox.publish("1.0.1"), Err(Error::Detached { path }) if path == sandbox.repo));
    // Reading does not.
    assert!(sandbox.open().snapshot(None).expect("HEAD").resolve(&reference("model")).is_ok());
    let repository = sandbox.open_branch(Some("main")).expect("a repository");
    repository.commit(&publishing("model", "1.0.1", "x"), &author()).expect("a commit");
    assert_eq!(sandbox.git(&["rev-list", "--count", "main"]), "3");
    assert_eq!(sandbox.git(&["rev-list", "--count", "HEAD"]), "2");
    sandbox.assert_clean();
}

#[test]
fn symbolic_branches_are_followed() {
    let sandbox = Sandbox::new();
    sandbox.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    let repository = sandbox.open_branch(Some("alias")).expect("a repository");
    let done = repository.commit(&publishing("model", "1.0.0", "x"), &author()).expect("a commit");
    assert_eq!((done.branch.as_str(), done.work_trees.len()), ("main", 1));
    assert_eq!(sandbox.git(&["symbolic-ref", "refs/heads/alias"]), "refs/heads/main");
    sandbox.assert_clean();
}

#[test]
fn a_locked_branch_is_a_conflict_and_undoes_everything() {
    let sandbox = Sandbox::new();
    let before = sandbox.git(&["rev-parse", "HEAD"]);
    sandbox.write(".git/refs/heads/main.lock", "");
    assert!(matches!(sandbox.publish("1.0.0"), Err(Error::BranchLocked { branch, .. }) if branch == "main"));
    fsx::remove_file(&sandbox.repo.join(".git/refs/heads/main.lock")).expect("removed");
    assert_eq!(sandbox.git(&["rev-parse", "HEAD"]), before);
    sandbox.assert_clean();
}

#[test]
fn a_file_where_a_directory_belongs_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("records", "a file\n");
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-q", "-m", "in the way"]);
    assert!(matches!(sandbox.publish("1.0.0"), Err(Error::WrongKind { file }) if file.path == "records"));
    assert_eq!(sandbox.open().snapshot(None).expect("no records").components().expect("none"), []);
    sandbox.assert_clean();
}

#[test]
fn paths_of_a_change_stay_inside() {
    for bad in ["../x", "/x", "a/../../x", ""] {
        assert!(Change::new("x", "").file(bad, None, Vec::new()).is_err(), "{bad}");
    }
    // git's own directory is never a path of a commit.
    let sandbox = Sandbox::new();
    let change = Change::new("x\0y", "body").file(".git/config", None, b"x".to_vec()).expect("a path");
    assert!(matches!(sandbox.open().commit(&change, &author()), Err(Error::Git { .. })));
    sandbox.assert_clean();
}

#[test]
fn the_users_git_identity_wins() {
    let dir = tempfile::tempdir().expect("a directory");
    let name = |text: &str| {
        let path = dir.path().join("config");
        write(&path, text);
        let who = git2::Config::open(&path).and_then(|config| identity(&config, &author())).expect("a signature");
        format!("{} <{}>", who.name().expect("UTF-8"), who.email().expect("UTF-8"))
    };
    assert_eq!(name(""), "Fallback <fallback@example.org>");
    assert_eq!(name("[user]\n name = Mei\n"), "Mei <fallback@example.org>");
    assert_eq!(name("[user]\n name = Mei\n email = mei@example.org\n"), "Mei <mei@example.org>");
    assert_eq!(name("[user]\n name = \"\"\n"), "Fallback <fallback@example.org>");
}

//! Commits for review: what they hold, what they leave alone, and whose a branch is.

use super::*;

const BRANCH: &str = "deploy-tool/publish/model-1.0.0";

#[test]
fn a_proposal_is_one_commit_on_the_base_and_moves_nothing() {
    let sandbox = Sandbox::new();
    let base = sandbox.git(&["rev-parse", "HEAD"]);
    sandbox.publish("0.9.0").expect("a commit");
    let before = (sandbox.git(&["for-each-ref"]), sandbox.git(&["status", "--porcelain"]));
    // A local branch that is ahead, or a detached HEAD, is none of its business.
    sandbox.git(&["checkout", "-q", "--detach"]);
    let repository = sandbox.open().at(&base).expect("it is here");
    assert_eq!(repository.tip().expect("read"), Some(base.clone()));
    assert!(repository.snapshot(None).expect("read").components().expect("read").is_empty());
    let made = repository.propose(&publishing("model", "1.0.0", "x"), &author(), BRANCH).expect("made").expect("new");
    assert_eq!(sandbox.git(&["rev-parse", &format!("{made}^")]), base);
    assert_eq!(
        sandbox.git(&["diff", "--name-status", &base, &made]),
        "A\trecords/packages/model/1.0.0/manifest.json\nA\trecords/packages/model/1.0.0/record.json"
    );
    assert_eq!((sandbox.git(&["for-each-ref"]), sandbox.git(&["status", "--porcelain"])), before);
    let trailer = sandbox.git(&["log", "-1", "--format=%(trailers:key=Proposed-On,valueonly)", &made]);
    assert_eq!(trailer.trim(), BRANCH);
    // The base holds it: there is nothing to propose.
    let repository = repository.at(&made).expect("it is here");
    let again = repository.propose(&publishing("model", "1.0.0", "x"), &author(), BRANCH);
    assert_eq!(again.expect("nothing to do"), None);
    sandbox.assert_clean();
}

#[test]
fn the_same_proposal_is_known_whenever_it_was_made() {
    let sandbox = Sandbox::new();
    let base = sandbox.git(&["rev-parse", "HEAD"]);
    let repository = sandbox.open().at(&base).expect("it is here");
    let propose = |content: &str, branch: &str, time: &str| {
        let author = Author { time: time.parse().expect("a time"), ..author() };
        let change = publishing("model", "1.0.0", content);
        repository.propose(&change, &author, branch).expect("made").expect("new")
    };
    let first = propose("x", BRANCH, "2024-01-20T10:30:00Z");
    let later = propose("x", BRANCH, "2025-01-20T10:30:00Z");
    assert_ne!(first, later);
    assert!(repository.same_proposal(&first, &later).expect("read"));
    let other = propose("y", BRANCH, "2024-01-20T10:30:00Z");
    assert!(!repository.same_proposal(&first, &other).expect("read"));
    let elsewhere = propose("x", "other", "2024-01-20T10:30:00Z");
    assert!(!repository.same_proposal(&first, &elsewhere).expect("read"));
    // On another base.
    sandbox.publish("0.9.0").expect("a commit");
    let moved = sandbox.open().at(&sandbox.git(&["rev-parse", "HEAD"])).expect("it is here");
    let moved = moved.propose(&publishing("model", "1.0.0", "x"), &author(), BRANCH).expect("made").expect("new");
    assert!(!repository.same_proposal(&first, &moved).expect("read"));
}

#[test]
fn what_others_put_on_the_branch_is_seen() {
    let sandbox = Sandbox::new();
    let base = sandbox.git(&["rev-parse", "HEAD"]);
    let repository = sandbox.open().at(&base).expect("it is here");
    let made = repository.propose(&publishing("model", "1.0.0", "x"), &author(), BRANCH).expect("made").expect("new");
    assert_eq!(repository.foreign(&made, BRANCH).expect("read"), None);
    assert_eq!(repository.foreign(&base, BRANCH).expect("read"), None);
    assert_eq!(repository.foreign(&made, "another").expect("read"), Some(made.clone()));
    sandbox.git(&["checkout", "-q", "-b", "fix", &made]);
    sandbox.git(&["commit", "-q", "--allow-empty", "-m", "a fix\n\nof Proposed-On: nothing"]);
    let fix = sandbox.git(&["rev-parse", "HEAD"]);
    assert_eq!(repository.foreign(&fix, BRANCH).expect("read"), Some(fix));
    // Ours of an older base stay ours.
    sandbox.git(&["checkout", "-q", "main"]);
    sandbox.publish("0.9.0").expect("a commit");
    let moved = sandbox.open().at(&sandbox.git(&["rev-parse", "HEAD"])).expect("it is here");
    assert_eq!(moved.foreign(&made, BRANCH).expect("read"), None);
}

#[test]
fn a_merge_of_the_base_is_nobodys_work() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open().at(&sandbox.git(&["rev-parse", "HEAD"])).expect("it is here");
    let made = repository.propose(&publishing("model", "1.0.0", "x"), &author(), BRANCH).expect("made").expect("new");
    sandbox.publish("0.9.0").expect("a commit");
    sandbox.git(&["checkout", "-q", "-b", "bot", &made]);
    sandbox.git(&["merge", "-q", "--no-ff", "-m", "Merge branch 'main' into bot", "main"]);
    let merged = sandbox.git(&["rev-parse", "HEAD"]);
    let base = sandbox.open().at(&sandbox.git(&["rev-parse", "main"])).expect("it is here");
    assert_eq!(base.foreign(&merged, BRANCH).expect("read"), None);
    // A merge of something else brings somebody's work along.
    sandbox.git(&["checkout", "-q", "-b", "fix", "main~1"]);
    sandbox.git(&["commit", "-q", "--allow-empty", "-m", "a fix"]);
    let fix = sandbox.git(&["rev-parse", "HEAD"]);
    sandbox.git(&["checkout", "-q", "bot"]);
    sandbox.git(&["merge", "-q", "--no-ff", "-m", "Merge branch 'fix' into bot", "fix"]);
    let merged = sandbox.git(&["rev-parse", "HEAD"]);
    assert_eq!(base.foreign(&merged, BRANCH).expect("read"), Some(fix.clone()));
    // Ours that somebody has put on other work: that work is seen.
    sandbox.git(&["checkout", "-q", "-b", "moved", "fix"]);
    sandbox.git(&["cherry-pick", "--keep-redundant-commits", &made]);
    let moved = sandbox.git(&["rev-parse", "HEAD"]);
    assert_eq!(base.foreign(&moved, BRANCH).expect("read"), Some(fix));
}

#[test]
fn a_commit_that_is_not_here_is_told() {
    let sandbox = Sandbox::new();
    let nowhere = "0123456789012345678901234567890123456789";
    let has = |commit| sandbox.open().has_commit(commit).expect("asked");
    assert!(!has(nowhere) && !has("main") && has(&sandbox.git(&["rev-parse", "HEAD"])));
    assert!(matches!(sandbox.open().at(nowhere), Err(Error::NoRevision { .. })));
    assert_eq!(sandbox.open().foreign(nowhere, BRANCH).expect("read"), Some(nowhere.to_owned()));
}

#[test]
fn the_remote_is_the_one_that_is_named_or_pushed_to() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.open().remote_url(None).expect("read"), None);
    sandbox.git(&["remote", "add", "origin", "https://host/o/r.git"]);
    sandbox.git(&["remote", "add", "fork", "git@host:me/r.git"]);
    sandbox.git(&["config", "url.https://mirror/.insteadOf", "https://host/"]);
    let remote = |wanted| sandbox.open().remote_url(wanted).expect("read");
    let pair = |name: &str, url: &str| Some((name.to_owned(), url.to_owned()));
    // As it is written: what git makes of it says nothing of who hosts it.
    assert_eq!(remote(None), pair("origin", "https://host/o/r.git"));
    assert_eq!((remote(Some("fork")), remote(Some("gone"))), (pair("fork", "git@host:me/r.git"), None));
    sandbox.git(&["config", "branch.main.remote", "fork"]);
    assert_eq!(remote(None), pair("fork", "git@host:me/r.git"));
}

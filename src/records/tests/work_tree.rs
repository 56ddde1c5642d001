//! Commits to a branch that is checked out: the user's own work survives, and the record survives the user's next commit.

use super::*;

const RECORD: &str = "records/packages/model/1.0.0/record.json";

/// A work tree with every kind of change in it that a user may have.
fn busy() -> Sandbox {
    let sandbox = Sandbox::new();
    for name in ["staged", "unstaged", "both", "removed", "unlinked", "moved", "skipped"] {
        sandbox.write(&format!("{name}.txt"), "old\n");
    }
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-q", "-m", "files"]);
    sandbox.write("staged.txt", "staged\n");
    sandbox.write("both.txt", "staged\n");
    sandbox.write("records/mine.txt", "added\n");
    sandbox.git(&["add", "."]);
    sandbox.write("both.txt", "unstaged\n");
    // Of the same size as before: found by its time or its content only.
    sandbox.write("unstaged.txt", "new\n");
    sandbox.git(&["rm", "-q", "removed.txt"]);
    fsx::remove_file(&sandbox.repo.join("unlinked.txt")).expect("removed");
    sandbox.git(&["mv", "moved.txt", "elsewhere.txt"]);
    sandbox.write("intended.txt", "later\n");
    sandbox.git(&["add", "-N", "intended.txt"]);
    sandbox.git(&["update-index", "--assume-unchanged", "skipped.txt"]);
    sandbox.write("untracked.txt", "mine\n");
    sandbox
}

/// All that git knows of index and work tree, records of ours left out.
fn state(sandbox: &Sandbox) -> Vec<String> {
    let ours = ":!records/packages";
    let mut state = vec![
        sandbox.git(&["status", "--porcelain", "--", ".", ours]),
        sandbox.git(&["diff", "--", ".", ours]),
        sandbox.git(&["diff", "--cached", "--", ".", ours]),
        sandbox.git(&["ls-files", "-t", "-v", "--stage", "--", ".", ours]),
    ];
    for name in ["staged.txt", "both.txt", "unstaged.txt", "intended.txt", "untracked.txt", "records/mine.txt"] {
        state.push(sandbox.read(name));
    }
    state
}

#[test]
fn the_users_changes_survive_and_the_next_commit_keeps_the_record() {
    let sandbox = busy();
    let before = state(&sandbox);
    sandbox.publish("1.0.0").expect("a commit");
    assert_eq!(state(&sandbox), before);
    // Our commit took nothing of the user's.
    assert_eq!(sandbox.git(&["diff", "--name-only", "HEAD^", "HEAD"]).lines().count(), 2);
    sandbox.assert_sound();

    sandbox.git(&["commit", "-q", "-m", "what was staged"]);
    let changed = sandbox.git(&["diff", "--name-status", "--no-renames", "HEAD^", "HEAD"]);
    assert_eq!(
        changed,
        "M\tboth.txt\nA\telsewhere.txt\nD\tmoved.txt\nA\trecords/mine.txt\nD\tremoved.txt\nM\tstaged.txt"
    );
    assert!(sandbox.open().snapshot(None).expect("HEAD").resolve(&reference("model@1.0.0")).is_ok());

    sandbox.git(&["add", "-A"]);
    sandbox.git(&["commit", "-q", "-m", "everything"]);
    assert!(sandbox.open().snapshot(None).expect("HEAD").resolve(&reference("model@1.0.0")).is_ok());
    sandbox.assert_clean();
}

#[test]
fn the_index_is_good_to_git_in_every_version() {
    for number in ["2", "3", "4"] {
        let sandbox = Sandbox::new();
        sandbox.git(&["update-index", "--index-version", number]);
        sandbox.publish("1.0.0").expect("a commit");
        sandbox.publish("1.0.1").expect("a commit");
        // The cached trees of the index and HEAD agree, and no file has to be looked into.
        assert_eq!(sandbox.git(&["write-tree"]), sandbox.git(&["rev-parse", "HEAD^{tree}"]));
        assert_eq!(sandbox.git(&["diff-files", "--name-only"]), "");
        assert_eq!(sandbox.git(&["diff-index", "--cached", "HEAD"]), "");
        sandbox.assert_clean();
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // the same inode written again: what fsx never does
fn a_file_changed_in_the_instant_the_index_was_written_is_still_changed() {
    let sandbox = Sandbox::new();
    sandbox.git(&["config", "core.checkStat", "minimal"]);
    sandbox.git(&["config", "core.trustctime", "false"]);
    let instant = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let set_time = |path: &str| {
        let file = std::fs::OpenOptions::new().append(true).open(sandbox.repo.join(path)).expect("a file");
        file.set_modified(instant).expect("a time");
    };
    sandbox.write("racy.txt", "one\n");
    set_time("racy.txt");
    sandbox.git(&["add", "racy.txt"]);
    std::fs::write(sandbox.repo.join("racy.txt"), "two\n").expect("written in place");
    set_time("racy.txt");
    // git knows by the time of the index only that the entry is not to be trusted; our rewriting moves that on.
    set_time(".git/index");
    sandbox.publish("1.0.0").expect("a commit");
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "AM racy.txt");
}

#[test]
fn changes_at_our_paths_are_conflicts() {
    let refused = |prepare: &dyn Fn(&Sandbox)| {
        let sandbox = Sandbox::new();
        prepare(&sandbox);
        let before = (sandbox.git(&["status", "--porcelain", "-uall"]), sandbox.git(&["rev-parse", "HEAD"]));
        let error = sandbox.publish("1.0.0").expect_err("a conflict");
        assert_eq!((sandbox.git(&["status", "--porcelain", "-uall"]), sandbox.git(&["rev-parse", "HEAD"])), before);
        sandbox.assert_sound();
        (sandbox, error)
    };
    let (sandbox, error) = refused(&|s| s.write(RECORD, "a draft\n"));
    assert!(matches!(error, Error::Uncommitted { path } if path == sandbox.repo.join(RECORD)));
    assert_eq!(sandbox.read(RECORD), "a draft\n");
    let (_, error) = refused(&|s| {
        s.write(".gitignore", "records/\n");
        s.write(RECORD, "an ignored draft\n");
    });
    assert!(matches!(error, Error::Uncommitted { .. }));
    let (_, error) = refused(&|s| {
        s.write(RECORD, "a staged draft\n");
        s.git(&["add", RECORD]);
    });
    assert!(matches!(error, Error::Staged { .. }));
    let (_, error) = refused(&|s| {
        s.write("records/packages", "a file where our directory goes\n");
        s.git(&["add", "records"]);
    });
    assert!(matches!(error, Error::Staged { path } if path.ends_with("records/packages")));
    let (_, error) = refused(&|s| s.write("records/packages", "not staged\n"));
    assert!(matches!(error, Error::InTheWay { path } if path.ends_with("records/packages")));
    let (sandbox, error) = refused(&|s| {
        write(&s.beside("outside/x"), "");
        fsx::symlink(&s.beside("outside"), &s.repo.join("records")).expect("a link");
    });
    assert!(matches!(error, Error::InTheWay { path } if path.ends_with("records")));
    assert_eq!(fsx::list(&sandbox.beside("outside")).expect("a listing").len(), 1);
    let (_, error) = refused(&|s| write(&s.repo.join(RECORD).join("below"), "a directory in place of the file"));
    assert!(matches!(error, Error::InTheWay { .. }));
}

#[test]
fn changes_to_a_committed_record_are_conflicts_too() {
    let spoils: [&dyn Fn(&Sandbox); 3] =
        [&|s| s.write(RECORD, "edited\n"), &|s| fsx::remove_file(&s.repo.join(RECORD)).expect("removed"), &|s| {
            s.git(&["rm", "-q", "--cached", RECORD]);
        }];
    for spoil in spoils {
        let sandbox = Sandbox::new();
        sandbox.publish("1.0.0").expect("a commit");
        let repository = sandbox.open();
        let published = repository.snapshot(None).expect("a snapshot").resolve(&reference("model")).expect("published");
        spoil(&sandbox);
        let before = sandbox.git(&["status", "--porcelain"]);
        let error = repository.commit(&adding(&published, "bos"), &author()).expect_err("a conflict");
        assert!(matches!(error, Error::Uncommitted { .. } | Error::Staged { .. }), "{error}");
        assert_eq!(sandbox.git(&["status", "--porcelain"]), before);
        sandbox.git(&["reset", "-q", "--hard"]);
        repository.commit(&adding(&published, "bos"), &author()).expect("clean again");
        sandbox.assert_clean();
    }
}

#[test]
fn equal_leftovers_of_a_killed_run_are_taken() {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    // As a run killed before its commit leaves it: files there, branch and index as before.
    sandbox.git(&["reset", "-q", "--mixed", "HEAD^"]);
    write(&sandbox.repo.join(".git/index.deploy-tool"), "stale");
    write(&sandbox.repo.join(".git/index.deploy-tool.lock"), "stale");
    sandbox.publish("1.0.0").expect("the same again");
    sandbox.assert_clean();
}

#[test]
fn an_index_lock_is_waited_for_and_then_a_conflict() {
    let sandbox = Sandbox::new();
    let lock = sandbox.repo.join(".git/index.lock");
    write(&lock, "");
    assert!(matches!(sandbox.publish("1.0.0"), Err(Error::IndexLocked { path }) if path == lock));
    assert!(fsx::inspect(&lock).expect("a look").is_some(), "a lock that is not ours stays");

    let repository = sandbox.open().with_patience(Duration::from_secs(20));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            fsx::remove_file(&lock).expect("released");
        });
        repository.commit(&publishing("model", "1.0.0", "x"), &author()).expect("after a while");
    });
    sandbox.assert_clean();
}

#[test]
fn linked_work_trees_get_the_files_of_their_branch() {
    let sandbox = Sandbox::new();
    let linked = sandbox.beside("linked");
    let linked_name = linked.to_str().expect("UTF-8");
    sandbox.git(&["worktree", "add", "-q", "-b", "releases", linked_name]);
    write(&linked.join("staged.txt"), "mine\n");
    sandbox.git_in(&linked, &["add", "."]);

    // Asked through the main work tree, and through the linked one.
    let main = sandbox.open_branch(Some("releases")).expect("a repository");
    let done = main.commit(&publishing("model", "1.0.0", "x"), &author()).expect("a commit");
    assert_eq!(done.work_trees, std::slice::from_ref(&linked));
    let own = Repository::open(&linked, "records", None).expect("a linked work tree");
    assert_eq!(own.root(), linked);
    own.commit(&publishing("model", "1.0.1", "y"), &author()).expect("a commit");
    assert_eq!(sandbox.git_in(&linked, &["status", "--porcelain"]), "A  staged.txt");
    assert_eq!(sandbox.git_in(&linked, &["log", "-1", "-g", "--format=%gs", "HEAD"]), "commit: publish: model 1.0.1");
    assert_eq!(sandbox.git_in(&linked, &["rev-list", "--count", "HEAD"]), "3");
    sandbox.git_in(&linked, &["commit", "-q", "-m", "mine"]);
    assert_eq!(own.snapshot(None).expect("HEAD").versions(&kind("model")).expect("both").len(), 2);
    // The main work tree has another branch.
    assert!(fsx::inspect(&sandbox.repo.join("records")).expect("a look").is_none());
    sandbox.assert_clean();

    // A work tree that is gone would delete the record when it comes back.
    fsx::remove_tree(&linked).expect("removed");
    let gone = main.commit(&publishing("model", "1.0.2", "z"), &author());
    assert!(matches!(gone, Err(Error::WorkTreeGone { name, .. }) if name == "linked"));
    sandbox.git(&["worktree", "prune"]);
    main.commit(&publishing("model", "1.0.2", "z"), &author()).expect("pruned");
}

#[test]
fn two_work_trees_of_one_branch_both_get_it() {
    let sandbox = Sandbox::new();
    let linked = sandbox.beside("linked");
    sandbox.git(&["worktree", "add", "-q", "-f", linked.to_str().expect("UTF-8"), "main"]);
    assert_eq!(sandbox.publish("1.0.0").expect("a commit").work_trees.len(), 2);
    sandbox.assert_clean();
    assert_eq!(sandbox.git_in(&linked, &["status", "--porcelain"]), "");
}

#[test]
fn a_bare_repository_with_a_linked_work_tree() {
    let sandbox = Sandbox::bare();
    sandbox.publish("1.0.0").expect("the first");
    let linked = sandbox.beside("linked");
    sandbox.git(&["worktree", "add", "-q", linked.to_str().expect("UTF-8"), "main"]);
    sandbox.publish("1.0.1").expect("the second");
    assert_eq!(sandbox.git_in(&linked, &["status", "--porcelain"]), "");
    assert!(fsx::inspect(&linked.join("records/packages/model/1.0.1")).expect("a look").is_some());
}

#[test]
fn work_tree_configuration_is_understood() {
    let sandbox = Sandbox::new();
    sandbox.git(&["config", "core.repositoryformatversion", "1"]);
    sandbox.git(&["config", "extensions.worktreeConfig", "true"]);
    sandbox.git(&["config", "--worktree", "user.name", "Per tree"]);
    sandbox.publish("1.0.0").expect("a commit");
    sandbox.assert_clean();
}

#[test]
fn sparse_checkouts_stay_sparse() {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    sandbox.write("src/main.py", "pass\n");
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-q", "-m", "source"]);
    sandbox.git(&["sparse-checkout", "set", "src"]);
    assert!(fsx::inspect(&sandbox.repo.join(RECORD)).expect("a look").is_none());
    // A record that is left out is changed without coming back; a new one is written.
    let repository = sandbox.open();
    let published = repository.snapshot(None).expect("a snapshot").resolve(&reference("model")).expect("published");
    repository.commit(&adding(&published, "bos"), &author()).expect("a commit");
    assert!(fsx::inspect(&sandbox.repo.join(RECORD)).expect("a look").is_none());
    sandbox.publish("1.0.1").expect("a commit");
    sandbox.assert_clean();
    sandbox.git(&["sparse-checkout", "disable"]);
    assert!(sandbox.read(RECORD).contains("bos"));
    sandbox.assert_clean();
}

#[test]
fn indexes_that_libgit2_cannot_write_are_refused() {
    for prepare in [&["update-index", "--split-index"][..], &["sparse-checkout", "set", "--sparse-index", "src"]] {
        let sandbox = Sandbox::new();
        for path in ["src/a", "docs/a", "docs/b"] {
            sandbox.write(path, "x\n");
        }
        sandbox.git(&["add", "."]);
        sandbox.git(&["commit", "-q", "-m", "files"]);
        sandbox.git(prepare);
        assert!(matches!(sandbox.publish("1.0.0"), Err(Error::IndexFormat { .. })), "{prepare:?}");
        sandbox.git(&["update-index", "--no-split-index"]);
        sandbox.assert_clean();
    }
}

#[test]
fn converted_line_ends_are_no_change() {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    sandbox.git(&["config", "core.autocrlf", "true"]);
    fsx::remove_tree(&sandbox.repo.join("records")).expect("removed");
    sandbox.git(&["checkout", "-q", "--", "."]);
    assert!(sandbox.read(RECORD).contains("\r\n"));
    let repository = sandbox.open();
    let published = repository.snapshot(None).expect("a snapshot").resolve(&reference("model")).expect("published");
    repository.commit(&adding(&published, "bos"), &author()).expect("a commit");
    let committed = sandbox.git(&["cat-file", "blob", &format!("HEAD:{RECORD}")]);
    assert!(committed.contains("bos") && !committed.contains('\r'));
    sandbox.assert_clean();
}

#[test]
fn a_merge_in_progress_survives() {
    let sandbox = Sandbox::new();
    sandbox.git(&["checkout", "-q", "-b", "other"]);
    sandbox.write("README.md", "theirs\n");
    sandbox.git(&["commit", "-q", "-a", "-m", "theirs"]);
    sandbox.git(&["checkout", "-q", "main"]);
    sandbox.write("README.md", "ours\n");
    sandbox.git(&["commit", "-q", "-a", "-m", "ours"]);
    assert!(!sandbox.try_git(&sandbox.repo, &["merge", "-q", "other"]).status.success());
    let before = sandbox.git(&["ls-files", "--unmerged"]);
    sandbox.publish("1.0.0").expect("a commit");
    assert_eq!(sandbox.git(&["ls-files", "--unmerged"]), before);
    sandbox.write("README.md", "both\n");
    sandbox.git(&["commit", "-q", "-a", "-m", "merged"]);
    assert!(sandbox.open().snapshot(None).expect("HEAD").resolve(&reference("model")).is_ok());
    sandbox.assert_clean();
}

#[test]
fn a_branch_that_is_being_rebased_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.git(&["checkout", "-q", "-b", "topic"]);
    sandbox.write("README.md", "topic\n");
    sandbox.git(&["commit", "-q", "-a", "-m", "topic"]);
    sandbox.git(&["checkout", "-q", "main"]);
    sandbox.write("README.md", "main\n");
    sandbox.git(&["commit", "-q", "-a", "-m", "main"]);
    assert!(!sandbox.try_git(&sandbox.repo, &["rebase", "-q", "topic"]).status.success());
    let repository = sandbox.open_branch(Some("main")).expect("a repository");
    let refused = repository.commit(&publishing("model", "1.0.0", "x"), &author());
    assert!(matches!(refused, Err(Error::Rebasing { branch, .. }) if branch == "main"));
    sandbox.git(&["rebase", "--abort"]);
    repository.commit(&publishing("model", "1.0.0", "x"), &author()).expect("after the rebase");
    sandbox.assert_clean();
}

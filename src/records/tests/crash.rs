//! Every change of the disk that a commit makes is a place to die: what is left is the old state or the new one, and
//! can be mended by what the messages say.

// The child learns from the environment where to work and where to die.
#![allow(clippy::disallowed_methods)]

use std::process::ExitStatus;

use super::*;
use crate::fsx::fault::{Fault, arm, trace};

const REPO: &str = "DEPLOY_TOOL_TEST_REPO";
const POINT: &str = "DEPLOY_TOOL_TEST_POINT";
const AFTER_COMMIT: i32 = 42;
const FAILED: i32 = 43;

/// Not a test: the process that dies. Without its environment it does nothing.
#[test]
#[ignore = "run by the tests below"]
fn child() {
    let (Ok(repo), Ok(point)) = (std::env::var(REPO), std::env::var(POINT)) else { return };
    let (what, nth) = point.split_once(' ').expect("what to do and where");
    let repository = Repository::open(Path::new(&repo), "records", None).expect("a repository");
    match what {
        "trace" => trace(Path::new(nth)).expect("a file"),
        "kill" => arm(Fault::Kill, nth.parse().expect("a number")),
        _ => arm(Fault::Eio, nth.parse().expect("a number")),
    }
    match repository.commit(&publishing("model", "1.0.1", "x"), &author()) {
        Ok(_) => {}
        Err(Error::AfterCommit { .. }) => std::process::exit(AFTER_COMMIT),
        Err(_) => std::process::exit(FAILED),
    }
}

fn run(sandbox: &Sandbox, what: &str) -> ExitStatus {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", "records::tests::crash::child", "--ignored", "--quiet"]);
    child.env(REPO, &sandbox.repo).env(POINT, what);
    child.output().expect("runs").status
}

/// How many places to die there are.
fn points() -> usize {
    let sandbox = prepared();
    let trace = sandbox.beside("trace");
    assert!(run(&sandbox, &format!("trace {}", trace.display())).success());
    let points = fsx::read_text(&trace).expect("a trace").lines().count();
    assert!(points > 20, "{points}");
    points
}

/// A work tree with one published version and a staged change of the user's.
fn prepared() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    sandbox.write("mine.txt", "staged\n");
    sandbox.git(&["add", "mine.txt"]);
    sandbox
}

fn has_it(sandbox: &Sandbox) -> bool {
    let repository = sandbox.open();
    let snapshot = repository.snapshot(None).expect("a snapshot");
    snapshot.get(&kind("model"), &version("1.0.1")).expect("whole or not there").is_some()
}

#[test]
fn killed_anywhere_it_is_old_or_new() {
    let (mut old, mut new) = (0, 0);
    for nth in 1..=points() {
        let sandbox = prepared();
        assert!(!run(&sandbox, &format!("kill {nth}")).success(), "killed at {nth}");
        assert_eq!(sandbox.git(&["fsck", "--strict", "--no-dangling"]), "");
        match has_it(&sandbox) {
            false => old += 1,
            true => new += 1,
        }
        // Either nobody can commit over the record unseen, or the index knows it.
        let lock = sandbox.repo.join(".git/index.lock");
        if fsx::remove_file_opt(&lock).expect("the lock") {
            sandbox.git(&["reset", "-q", "--", "records"]);
        }
        let index = sandbox.git(&["diff", "--cached", "--name-status"]);
        assert_eq!(index, "A\tmine.txt", "killed at {nth}");
        sandbox.open().commit(&publishing("model", "1.0.1", "x"), &author()).expect("the same again");
        assert!(has_it(&sandbox));
        let left = sandbox.git(&["status", "--porcelain", "-uall"]);
        let left: Vec<_> = left.lines().filter(|l| !l.ends_with(".tmp")).collect();
        assert_eq!(left, ["A  mine.txt"], "killed at {nth}");
        sandbox.assert_sound();
    }
    assert!(old > new && new > 0, "{old} before the commit, {new} behind it");
}

#[test]
fn a_failing_disk_leaves_the_old_state_or_says_that_the_commit_stands() {
    let mut stands = 0;
    for nth in 1..=points() {
        let sandbox = prepared();
        let (status, has_it) = (run(&sandbox, &format!("eio {nth}")), has_it(&sandbox));
        match status.code() {
            Some(FAILED) => {
                assert!(!has_it, "failed at {nth}");
                assert_eq!(sandbox.git(&["status", "--porcelain", "-uall"]), "A  mine.txt", "failed at {nth}");
                sandbox.assert_sound();
            }
            Some(AFTER_COMMIT) => {
                assert!(has_it, "failed at {nth}");
                stands += 1;
                sandbox.git(&["reset", "-q", "--", "records"]);
                assert_eq!(sandbox.git(&["status", "--porcelain", "-uall"]), "A  mine.txt", "failed at {nth}");
                sandbox.assert_sound();
            }
            // What only tidies up may fail unseen.
            _ => assert!(status.success() && has_it, "failed at {nth}: {status}"),
        }
    }
    assert!(stands >= 2, "rename and flush behind the commit: {stands}");
}

//! `deploy --env … --watch`: follows the branch, tells each change once, and ends between two transactions.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use deploy_tool::ops::Error;
use deploy_tool::ops::deploy::Follow;
use deploy_tool::ops::watch::{Look, Watch};
use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::env::Env;
use super::environments::published;
use super::in_process::site;

/// The program, watching; killed where a test fails.
struct Watching {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Watching {
    fn start(env: &Env, more: &[&str]) -> Self {
        let args = [&["deploy", "--env", "prod", "--watch", "1s"], more].concat();
        let mut command = env.command(&args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let out = BufReader::new(child.stdout.take().expect("piped")).lines();
        let err = BufReader::new(child.stderr.take().expect("piped")).lines();
        Self { child, out, err }
    }

    /// The next line on stdout; waits for it.
    fn told(&mut self) -> String {
        self.out.next().expect("a line").expect("UTF-8")
    }

    /// The next warning on stderr; waits for it. That the root was locked just then is none: it is looked at again.
    fn warned(&mut self) -> String {
        let lines = self.err.by_ref().map(|line| line.expect("UTF-8"));
        let mut warnings = lines.filter(|line| line.starts_with("warning: ") && !line.contains(" locked by "));
        warnings.next().expect("a warning")
    }

    /// Asks it to end; it must, well, and says no more on stdout.
    fn end(mut self, name: Signal) {
        signal(&self.child, name);
        assert_eq!(self.child.wait().expect("ended").code(), Some(0));
        assert_eq!(self.out.by_ref().map(|line| line.expect("UTF-8")).collect::<Vec<_>>(), Vec::<String>::new());
    }
}

/// Sends a signal to a program that runs.
pub fn signal(child: &Child, signal: Signal) {
    rustix::process::kill_process(Pid::from_child(child), signal).expect("it runs");
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A change of the root by hand, while somebody watches.
fn by_hand(env: &Env, args: &[&str]) {
    env.ok(&[args, &["--wait", "60s"]].concat());
}

fn model(env: &Env) -> String {
    env.read("root/links/model/bert/config.json")
}

#[test]
fn each_change_is_deployed_and_told_and_what_fails_is_tried_again() {
    let env = published();
    let mut watching = Watching::start(&env, &[]);
    // Not there yet, which is no reason to end.
    assert_eq!(watching.warned(), "warning: no environment `prod` in the records");
    env.ok(&["env", "set", "model@1.0.0", "config@1", "--env", "prod"]);
    let line = watching.told();
    assert!(
        line.contains(" prod serial 1 commit ")
            && line.ends_with(": config: (none) -> 1, model: (none) -> 1.0.0; release 1 is current"),
        "{line}"
    );
    assert_eq!(model(&env), "1.0.0");
    // A commit that does not change the environment is nothing; one that does is one line.
    env.write("records/README", "more\n");
    env.git("records", &["commit", "-qam", "other"]);
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    let line = watching.told();
    assert!(line.ends_with(": model: 1.0.0 -> 1.0.1; release 2 is current"), "{line}");
    // By hand without a hold: the environment says what belongs there.
    by_hand(&env, &["deploy", "config@2"]);
    assert!(watching.told().ends_with(": config: 2 -> 1; release 4 is current"));
    // By hand with one: told once, until it is resumed.
    by_hand(&env, &["rollback", "--to", "1"]);
    let held = watching.warned();
    assert!(held.contains("`prod` would change model: 1.0.0 -> 1.0.1"), "{held}");
    env.ok(&["env", "set", "config@2", "--env", "prod"]);
    let held = watching.warned();
    assert!(held.contains("would change config: 1 -> 2, model: 1.0.0 -> 1.0.1"), "{held}");
    assert_eq!(model(&env), "1.0.0");
    by_hand(&env, &["deploy", "--env", "prod", "--resume"]);
    env.ok(&["env", "set", "config@1", "--env", "prod"]);
    assert!(watching.told().ends_with(": config: 2 -> 1; release 7 is current"));
    watching.end(Signal::TERM);
    env.ok(&["links", "verify"]);
}

#[test]
fn as_json_it_is_a_document_a_line() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    env.ok(&["deploy", "model@1.0.1"]);
    let mut watching = Watching::start(&env, &["--json"]);
    let next = |watching: &mut Watching| -> Value {
        let documents = std::iter::repeat_with(|| serde_json::from_str(&watching.told()).expect("JSON"));
        let is_locked = |document: &Value| document["error"]["message"].to_string().contains(" locked by ");
        documents.into_iter().find(|document| !is_locked(document)).expect("endless")
    };
    let deployed = next(&mut watching);
    assert_eq!((&deployed["event"], &deployed["environment"]["serial"]), (&"deployed".into(), &1.into()));
    by_hand(&env, &["rollback"]);
    let held = next(&mut watching);
    assert_eq!((&held["event"], &held["error"]["status"]), (&"held".into(), &5.into()));
    fs::remove_file(env.path("records/records/environments/prod.json")).expect("removed");
    env.git("records", &["commit", "-qam", "gone"]);
    let error = next(&mut watching);
    assert_eq!((&error["event"], &error["error"]["status"]), (&"error".into(), &3.into()));
    watching.end(Signal::INT);
}

/// A hold ends with the first deploy, and only with that one.
#[test]
fn resume_is_for_once() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    env.ok(&["deploy", "model@1.0.0"]);
    env.ok(&["deploy", "--env", "prod"]);
    env.ok(&["rollback"]);
    let mut watching = Watching::start(&env, &["--resume"]);
    assert!(watching.told().ends_with(": model: 1.0.0 -> 1.0.1; release 4 is current"));
    by_hand(&env, &["rollback"]);
    assert!(watching.warned().contains("is on hold since"));
    watching.end(Signal::TERM);
}

/// A release that does not stand is undone by itself: the watch says so, does not try it again, and has used up its resume.
#[test]
fn what_did_not_stand_is_left_alone() {
    let env = published();
    for more in [&["deploy", "model@1.0.0", "config@1"][..], &["deploy", "config@2"], &["rollback"]] {
        env.ok(more);
    }
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    let no = "deploy: {root: ../root, hooks: {post_switch: [{shell: 'test \"$$DEPLOY_TOOL_TO_MODEL\" != 1.0.1'}]}}";
    env.configure("deploy:", no);
    let follow = Follow { name: "prod".parse().expect("a name"), at: None, prune: false, resume: true };
    let (site, mut watch) = (site(&env), Watch::new(follow));
    let mut look = || watch.look(&site, &|_: deploy_tool::ops::Progress<'_>| {});
    assert!(matches!(look(), Err(Error::Fallen(_))));
    assert_eq!(model(&env), "1.0.0");
    assert!(env.json(&["status"]).get("hold").is_none(), "nobody decided it by hand");
    assert!(matches!(look(), Err(Error::MarkedBad { .. })));
    env.ok(&["version", "switch", "config", "2"]);
    assert!(matches!(look(), Ok(Look::Held(Error::Held { .. }))));
    assert!(matches!(look(), Ok(Look::Quiet)));
}

#[test]
fn a_signal_waits_for_the_transaction_under_way() {
    let env = Env::with_model();
    // Large enough to be seen while it is unpacked.
    let mut random = 1u64;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as u8
    })
    .take(24 << 20)
    .collect();
    env.write("project/models/bert/pytorch_model.bin", bytes);
    env.publish("1.0.0");
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    let mut watching = Watching::start(&env, &[]);
    let journal = env.path("root/.deploy-tool/journal/1.json");
    let began = Instant::now();
    while !journal.exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never began");
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(&watching.child, Signal::TERM);
    assert!(watching.told().ends_with("release 1 is current"));
    assert_eq!(watching.child.wait().expect("ended").code(), Some(0));
    assert!(!journal.exists());
    env.ok(&["links", "verify"]);
}

#[test]
fn a_branch_that_has_not_moved_costs_no_object() {
    let env = published();
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    let follow = Follow { name: "prod".parse().expect("a name"), at: None, prune: false, resume: false };
    let (site, mut watch) = (site(&env), Watch::new(follow));
    let quiet = |_: deploy_tool::ops::Progress<'_>| {};
    assert!(matches!(watch.look(&site, &quiet), Ok(Look::Deployed(_))));
    let (objects, away) = (env.path("records/.git/objects"), env.path("away"));
    fs::rename(&objects, &away).expect("renamed");
    fs::create_dir(&objects).expect("made");
    let root = super::tree::root(&env.path("root"));
    for _ in 0..3 {
        assert!(matches!(watch.look(&site, &quiet), Ok(Look::Quiet)));
    }
    assert_eq!(super::tree::root(&env.path("root")), root);
    // The release moved: now it has to look.
    fs::remove_dir(&objects).expect("removed");
    fs::rename(&away, &objects).expect("renamed");
    env.ok(&["version", "switch", "model", "1.0.0"]);
    env.ok(&["deploy", "model@1.0.1"]);
    assert!(matches!(watch.look(&site, &quiet), Ok(Look::Deployed(_))));
    // Held: told once.
    env.ok(&["version", "switch", "model", "1.0.1"]);
    assert!(matches!(watch.look(&site, &quiet), Ok(Look::Held(_))));
    fs::rename(&objects, &away).expect("renamed");
    fs::create_dir(&objects).expect("made");
    assert!(matches!(watch.look(&site, &quiet), Ok(Look::Quiet)));
    // What fails is tried again each time.
    fs::remove_dir(&objects).expect("removed");
    assert!(watch.look(&site, &quiet).is_err());
    assert!(watch.look(&site, &quiet).is_err());
}

//! One lock a root: who has it is named, waiting is bounded, death frees it; and file systems whose locks are worth nothing.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::env::Env;

fn deployed() -> Env {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    env
}

/// A process that holds the root's lock until it is killed or its standard input ends.
struct Holder(Child);

impl Holder {
    /// `flock` of util-linux, which takes the same kind of lock.
    fn start(env: &Env) -> Self {
        let lock = env.path("root/.deploy-tool/lock");
        fs::write(&lock, "pid 17 (mei@host), deploy, since 2024-01-20T10:00:00Z\n").expect("written");
        let mut flock = env.hermetic("flock");
        flock.arg(&lock).args(["sh", "-c", "echo held; read line"]);
        let mut child = flock.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("flock runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("read");
        assert_eq!(line, "held\n");
        Self(child)
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("ended");
    }
}

#[test]
fn a_locked_root_is_refused_at_once_with_the_holders_words() {
    let env = deployed();
    let holder = Holder::start(&env);
    let error = env.refused(5, &["version", "pin", "model", "1.0.0"]);
    let words = "it is locked by pid 17 (mei@host), deploy, since 2024-01-20T10:00:00Z";
    assert!(error.contains(words) && error.contains("--wait 30s"), "{error}");
    let began = Instant::now();
    env.refused(5, &["version", "pin", "model", "1.0.0", "--wait", "1s"]);
    assert!(began.elapsed() >= Duration::from_secs(1));
    // Readers ask nobody.
    for args in [&["status"][..], &["history"], &["links", "verify"], &["version", "list"]] {
        env.ok(args);
    }
    env.ok(&["version", "cleanup", "--dry-run"]);
    holder.end();
    env.ok(&["version", "pin", "model", "1.0.0"]);
    assert_eq!(env.read("root/.deploy-tool/lock"), "", "nobody holds it, so nobody is named");
}

#[test]
fn who_waits_goes_on_as_soon_as_the_lock_is_free() {
    let env = deployed();
    let holder = Holder::start(&env);
    let mut waiting = env.command(&["--wait", "60s", "version", "pin", "model", "1.0.0"]);
    let mut waiting = waiting.stdout(Stdio::piped()).spawn().expect("it runs");
    // However it is scheduled: it either waits by then or finds the lock free.
    assert!(waiting.try_wait().expect("asked").is_none());
    holder.end();
    assert!(waiting.wait().expect("ended").success());
    let mut said = String::new();
    waiting.stdout.take().expect("piped").read_to_string(&mut said).expect("read");
    assert_eq!(said, "model@1.0.0 is kept for ever\n");
}

/// A command killed while it holds the lock.
fn killed(env: &Env, locks: &str) {
    let run = |what: &str, name: &str, value: &str| {
        let mut command = env.command(&["version", what, "model", "1.0.0"]);
        command.env("DEPLOY_TOOL_FAULT_LOCKS", locks).env(name, value).output().expect("it runs").status
    };
    let trace = env.path("trace");
    // The second time it makes no directory any more.
    for what in ["pin", "unpin", "pin", "unpin"] {
        let trace = if what == "pin" { &trace } else { &env.path("other") };
        assert!(run(what, "DEPLOY_TOOL_FAULT_TRACE", trace.to_str().expect("UTF-8")).success());
    }
    let trace = fs::read_to_string(trace).expect("traced");
    let pin = trace.lines().position(|line| line.contains("create ") && line.ends_with("/1.0.0")).expect("the pin");
    assert!(!run("pin", "DEPLOY_TOOL_FAULT", &format!("kill:{}", pin + 1)).success());
}

#[test]
fn death_frees_the_lock_of_every_kind() {
    let env = deployed();
    for locks in ["", "lie", "none"] {
        killed(&env, locks);
        let mut command = env.command(&["version", "pin", "model", "1.0.0"]);
        let output = command.env("DEPLOY_TOOL_FAULT_LOCKS", locks).output().expect("it runs");
        assert!(output.status.success(), "{locks}: {output:?}");
        env.ok(&["version", "unpin", "model", "1.0.0"]);
    }
}

#[test]
fn where_locks_are_worthless_it_is_said_and_a_link_keeps_others_out() {
    let env = deployed();
    for (locks, said) in [("lie", "grants every lock to everybody"), ("none", "has no locks")] {
        let run = |args: &[&str]| {
            super::env::Ran::of(env.command(args).env("DEPLOY_TOOL_FAULT_LOCKS", locks).output().expect("it runs"))
        };
        let ran = run(&["version", "pin", "model", "1.0.0"]);
        assert!(ran.status == Some(0) && ran.stderr.contains("warning: ") && ran.stderr.contains(said), "{ran:?}");
        let ran = run(&["version", "unpin", "model", "1.0.0", "--json"]);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert!(document["warnings"][0]["message"].as_str().expect("a warning").contains(said), "{document}");
        // The whole way, the store's lock included.
        env.write("project/models/bert/config.json", locks);
        for args in [&["pack", "--type", "model", "--version", "1.0.1"][..], &["publish", "model@1.0.1"]] {
            let ran = run(args);
            assert_eq!(ran.status, Some(0), "{ran:?}");
        }
        let ran = run(&["deploy", "model@1.0.1"]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        // A process of another machine, and this very one, hold on; the message says what to remove.
        let claim = fs::read_dir(env.path("root/.deploy-tool")).expect("listed").map(|e| e.expect("read").path());
        let claim = claim.filter(|path| path.is_symlink()).max().expect("a claim");
        let own = fs::read_link(&claim).expect("a link").display().to_string();
        assert_eq!(own, "free");
        fs::remove_file(&claim).expect("removed");
        std::os::unix::fs::symlink("elsewhere/17/4/boot/ns/pid 17 (li@elsewhere), deploy, since then", &claim)
            .expect("linked");
        let ran = run(&["version", "pin", "model", "1.0.0"]);
        assert_eq!(ran.status, Some(5), "{ran:?}");
        let hint = format!("remove `{}`", claim.display());
        assert!(
            ran.stderr.contains("locked by pid 17 (li@elsewhere), deploy") && ran.stderr.contains(&hint),
            "{ran:?}"
        );
        fs::remove_file(&claim).expect("removed");
        env.ok(&["rollback"]);
        env.ok(&["version", "cleanup", "--keep", "0"]);
        for dir in ["targets", "store", "records"] {
            fs::remove_dir_all(env.path(dir)).expect("removed");
        }
        env.git_init("records");
        // Another repository at the same place.
        fs::remove_file(env.path("root/.deploy-tool/seen.json")).expect("removed");
        env.write("project/models/bert/config.json", "{\"layers\": 12}\n");
        env.publish("1.0.0");
    }
}

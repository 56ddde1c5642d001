//! Running processes that use a version: named after a switch, and a reason for cleanup to keep it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::env::Env;

fn deployed(versions: &[&str]) -> Env {
    let env = Env::with_model();
    for version in versions {
        env.write("project/models/bert/config.json", version);
        env.publish(version);
        env.ok(&["deploy", &format!("model@{version}")]);
    }
    env
}

/// A process that sleeps until it is dropped.
struct Sleeper(Child);

impl Sleeper {
    fn start(command: &mut Command) -> Self {
        Self(command.arg("1000").spawn().expect("it sleeps"))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("gone");
    }
}

const FILE: &str = "root/links/model/bert/config.json";

#[test]
fn a_switch_names_who_still_uses_the_old_version() {
    let env = deployed(&["1.0.0", "1.0.1"]);
    let file = env.path("root/components/model/1.0.1/bert/config.json");
    let sleeper = Sleeper::start(Command::new("sleep").stdin(File::open(env.path(FILE)).expect("there")));
    let pid = sleeper.0.id();
    let ran = env.run(&["version", "switch", "model", "1.0.0"]);
    assert_eq!((ran.status, ran.stdout.lines().last()), (Some(0), Some("release 3 is current")), "{ran:?}");
    let line = format!("process {pid} (`sleep`, ");
    assert!(
        ran.stderr.contains(&line) && ran.stderr.contains(&format!("uses model@1.0.1: `{}`", file.display())),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("restart them, or let them reload"), "{ran:?}");
    // The new version of the switch back is the one it uses.
    let ran = env.run(&["rollback"]);
    assert!(ran.status == Some(0) && !ran.stderr.contains("process "), "{ran:?}");
    env.ok(&["version", "switch", "model", "1.0.1"]);
    let report = env.json(&["version", "switch", "model", "1.0.0"]);
    let used = &report["still_used"]["versions"];
    assert_eq!((&used[0]["type"], &used[0]["version"]), (&json!("model"), &json!("1.0.1")));
    let process = &used[0]["processes"][0];
    assert_eq!((&process["pid"], &process["name"], &process["path"]), (&json!(pid), &json!("sleep"), &json!(file)));
    env.ok(&["version", "switch", "model", "1.0.1"]);
    env.ok(&["deploy", "model@1.0.0"]);
    let quiet = env.run(&["version", "switch", "model", "1.0.1", "-q"]);
    assert_eq!(quiet.stderr, "");
    drop(sleeper);
    assert_eq!(env.json(&["version", "switch", "model", "1.0.0"])["still_used"]["versions"], json!([]));
}

#[test]
fn cleanup_keeps_what_is_in_use_unless_forced_to() {
    let env = deployed(&["1.0.0", "1.0.1", "1.0.2", "1.0.3"]);
    let version = |v: &str| env.path("root/components/model").join(v);
    // Open, and as working directory; a file mapped or run is found as the program itself.
    let open = Sleeper::start(
        Command::new("sleep").stdin(File::open(version("1.0.0").join("bert/config.json")).expect("there")),
    );
    let within = Sleeper::start(Command::new("sleep").current_dir(version("1.0.1")));
    for dry_run in [true, false] {
        let args = [&["version", "cleanup", "--keep", "0"][..], if dry_run { &["--dry-run"] } else { &[] }].concat();
        let text = env.ok(&args);
        for (sleeper, version) in [(&open, "1.0.0"), (&within, "1.0.1")] {
            let row = text.lines().find(|line| line.contains(version)).expect("a row");
            assert!(row.contains("kept") && row.contains("running processes use it"), "{text}");
            assert!(text.contains(&format!("process {} (`sleep`, ", sleeper.0.id())), "{text}");
        }
    }
    assert!(version("1.0.0").exists() && version("1.0.1").exists());
    drop(open);
    let report = env.json(&["version", "cleanup", "--keep", "0"]);
    assert_eq!(report["versions"][0]["removed"], true);
    assert_eq!(report["versions"][1]["reason"], "in-use");
    let text = env.ok(&["version", "cleanup", "--keep", "0", "--force"]);
    assert!(text.contains("removed") && text.contains(&format!("process {} ", within.0.id())), "{text}");
    assert!(!version("1.0.1").exists() && version("1.0.2").exists());
}

#[test]
fn a_program_that_runs_from_a_version_uses_it() {
    let env = Env::with_model();
    let sleep = ["/bin/sleep", "/usr/bin/sleep"].into_iter().find(|path| fs::exists(path).is_ok_and(|is| is));
    fs::copy(sleep.expect("a program"), env.path("project/models/nap")).expect("copied");
    for version in ["1.0.0", "1.0.1"] {
        env.write("project/models/bert/config.json", version);
        env.publish(version);
        env.ok(&["deploy", &format!("model@{version}")]);
    }
    let nap = env.path("root/components/model/1.0.1/nap");
    let mut command = Command::new(&nap);
    let sleeper = Sleeper::start(command.arg0("nap").stdin(Stdio::null()));
    let report = env.json(&["rollback"]);
    let process = &report["still_used"]["versions"][0]["processes"][0];
    assert_eq!((&process["pid"], &process["path"]), (&json!(sleeper.0.id()), &json!(nap)));
}

#[test]
fn what_is_freed_is_what_has_no_name_elsewhere() {
    let env = Env::with_model();
    env.configure("deploy:", "deploy: {root: ../root, link: copy}");
    for version in ["1.0.0", "1.0.1", "1.0.2", "1.0.3"] {
        env.write("project/models/bert/config.json", version);
        env.publish(version);
        env.ok(&["deploy", &format!("model@{version}")]);
    }
    let big = |v: &str| env.path("root/components/model").join(v).join("bert/pytorch_model.bin");
    // As if 1.0.1 shared the file with 1.0.0, and 1.0.2 had it too.
    let freed = || env.json(&["version", "cleanup", "--keep", "0", "--dry-run"])["freed"].as_u64().expect("bytes");
    let size = {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(big("1.0.0")).expect("there").blocks() * 512
    };
    let apart = freed();
    let share = |from: &str, to: &str| {
        let dir = big(to).parent().expect("a directory").to_owned();
        let mode = fs::metadata(&dir).expect("there").permissions();
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("opened");
        fs::remove_file(big(to)).expect("removed");
        fs::hard_link(big(from), big(to)).expect("linked");
        fs::set_permissions(&dir, mode).expect("closed");
    };
    share("1.0.0", "1.0.1");
    assert_eq!(freed(), apart - size, "one file, two names, both go");
    share("1.0.0", "1.0.2");
    assert_eq!(freed(), apart - 2 * size, "its third name stays");
    let text = env.ok(&["version", "cleanup", "--keep", "0", "--dry-run"]);
    assert!(text.lines().find(|line| line.contains("1.0.0")).expect("a row").contains(" shared)"), "{text}");
}

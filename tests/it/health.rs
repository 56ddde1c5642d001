//! Hooks, health checks and trial periods, with real programs and real servers: what they are told, what a no does, how a
//! release that does not stand is undone, and what is known of it afterwards.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::env::Env;
use super::sample::Sample;
use super::scene::Scene;

/// `model@1.0.0` deployed with nothing to pass, `1.0.1` and `1.0.2` published, and from then on `deploy` configured so.
fn deployed(deploy: &str) -> Env {
    let env = published();
    env.ok(&["deploy", "model@1.0.0"]);
    configure(&env, deploy);
    env
}

fn published() -> Env {
    let env = Env::with_model();
    for version in ["1.0.0", "1.0.1", "1.0.2"] {
        env.write("project/models/bert/config.json", version);
        env.publish(version);
    }
    env
}

fn configure(env: &Env, deploy: &str) {
    env.configure("deploy:", &format!("deploy: {{root: ../root, {deploy}}}"));
}

fn current(env: &Env) -> String {
    env.read("root/links/model/bert/config.json")
}

fn lines(env: &Env, sub: &str) -> Vec<String> {
    fs::read_to_string(env.path(sub)).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// A hook that fails where `model@1.0.1` is to stay, and writes down each run.
const NOT_1_0_1: &str = "{shell: 'echo \"$$DEPLOY_TOOL_ACTION $$DEPLOY_TOOL_TO_MODEL\" >>../ran; \
                         echo about $$DEPLOY_TOOL_TO_MODEL; test \"$$DEPLOY_TOOL_TO_MODEL\" != 1.0.1'}";

/// The root as before the release that did not stand, in a release of its own.
fn assert_undone(env: &Env, release: u64) {
    assert_eq!(current(env), "1.0.0");
    let history = env.json(&["history"]);
    let newest = &history[0];
    assert_eq!((&newest["release"], &newest["action"]), (&json!(release), &json!("rollback")), "{history}");
    assert_eq!(newest["because"]["release"], release - 1, "{history}");
    env.ok(&["links", "verify"]);
}

// ---- hooks ----

#[test]
fn a_hook_that_says_no_before_the_switch_leaves_everything_as_it_was() {
    let env = deployed("hooks: {pre_switch: [[./may-i, model]]}");
    let script = "#!/bin/sh\necho \"busy: $*\"\ntest \"$DEPLOY_TOOL_ACTION\" = rollback || exit 3\nexit 4\n";
    let path = env.write("project/may-i", script);
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let before = super::tree::unlogged(&env.path("root"));
    let said = env.fails(1, &["deploy", "model@1.0.1"]);
    assert!(said.contains("release 2 was not made, nothing was changed: `./may-i model` said no"), "{said}");
    assert!(said.contains("it ended with status 3\n  busy: model\n"), "{said}");
    assert_eq!(super::tree::unlogged(&env.path("root")), before);
    assert!(!env.path("root/components/model/1.0.1").exists());

    // The same for a switch; a rollback goes past it and says so.
    configure(&env, "hooks: {}");
    env.ok(&["deploy", "model@1.0.1"]);
    configure(&env, "hooks: {pre_switch: [[./may-i, model]]}");
    env.fails(1, &["version", "switch", "model", "1.0.0"]);
    assert_eq!(current(&env), "1.0.1");
    let ran = env.run(&["rollback"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("warning: `./may-i model` said no, and a rollback goes on"), "{ran:?}");
    assert_eq!(current(&env), "1.0.0");
    let runs = &env.json(&["status"])["checks"]["runs"];
    assert_eq!((&runs[0]["check"], &runs[0]["outcome"]), (&json!("pre_switch"), &json!({"exit": 4})), "{runs}");
    assert_eq!(runs[0]["output"], "busy: model\n");
}

#[test]
fn a_hook_that_takes_too_long_is_killed_with_all_it_started() {
    let env = deployed("hooks: {pre_switch: [{shell: 'sleep 30 & echo $$! >../sleeper; wait', timeout: 300ms}]}");
    let begun = Instant::now();
    let said = env.fails(1, &["deploy", "model@1.0.1"]);
    assert!(said.contains("its time was over after 0."), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let sleeper = Path::new("/proc").join(env.read("sleeper").trim()).join("stat");
    let lives = || fs::read_to_string(&sleeper).is_ok_and(|stat| !stat.contains(") Z "));
    while lives() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it lives");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(current(&env), "1.0.0");
}

#[test]
fn a_hook_is_told_what_changes_and_no_secret() {
    let env = deployed("hooks: {post_switch: [{shell: 'env | sort >../told; pwd -P >>../told'}]}");
    let config = env.read("project/.deploy-tool.yaml");
    let secret = "    far: {type: http, url: 'http://127.0.0.1:1/', token: \"${OURS}\"}\n    away:";
    let config = config.replace("    far:", secret).replace("[near, far]", "[near]");
    env.write("project/.deploy-tool.yaml", config);
    let mut command = env.command(&["deploy", "model@1.0.1"]);
    command.env("OURS", "hidden-token").env("THEIRS", "their-token").env("AWS_SECRET_ACCESS_KEY", "hidden-key");
    let output = command.env("DEPLOY_TOOL_STRAY", "x").output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let told = env.read("told");
    let root = fs::canonicalize(env.path("root")).expect("there");
    for line in [
        "DEPLOY_TOOL_ACTION=deploy".to_owned(),
        "DEPLOY_TOOL_COMPONENTS=model".to_owned(),
        "DEPLOY_TOOL_FROM_MODEL=1.0.0".to_owned(),
        "DEPLOY_TOOL_HOOK=post_switch".to_owned(),
        "DEPLOY_TOOL_RELEASE=2".to_owned(),
        format!("DEPLOY_TOOL_ROOT={}", root.display()),
        "DEPLOY_TOOL_TO_MODEL=1.0.1".to_owned(),
        "THEIRS=their-token".to_owned(),
        "USER=mei".to_owned(),
        fs::canonicalize(env.path("project")).expect("there").display().to_string(),
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    assert!(!told.contains("hidden") && !told.contains("DEPLOY_TOOL_STRAY"), "{told}");
}

#[test]
fn a_plan_says_what_would_be_run_and_runs_nothing() {
    let env =
        deployed("hooks: {pre_switch: [[a, b]], post_switch: [{shell: c d}]}, health: {tcp: 'h:1'}, confirm: 10m");
    let said = env.ok(&["deploy", "model@1.0.1", "--dry-run"]);
    for line in [
        "would ask `a b` before the links move",
        "would run `c d` after the links have moved",
        "would wait until `h:1` is healthy",
        "would undo it unless it is confirmed within 10m",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    // Nothing changes, so nobody is asked.
    env.ok(&["deploy", "model@1.0.0"]);
}

// ---- a release that does not stand ----

#[test]
fn a_failing_hook_after_the_switch_undoes_the_release_and_marks_the_version() {
    let env = deployed(&format!("hooks: {{post_switch: [{NOT_1_0_1}]}}"));
    let said = env.fails(6, &["deploy", "model@1.0.1"]);
    assert!(said.contains("release 2 does not stand: the hook `echo"), "{said}");
    assert!(said.contains("it ended with status 1\n  about 1.0.1\n"), "{said}");
    assert!(said.contains("it was undone: release 3 is current, and marked bad on this root: model@1.0.1"), "{said}");
    assert_undone(&env, 3);
    // The service was told of both, and what it said is kept.
    assert_eq!(lines(&env, "ran"), ["deploy 1.0.1", "rollback 1.0.0"]);
    let kept: Value = serde_json::from_str(&env.read("root/.deploy-tool/checks/2.json")).expect("JSON");
    assert_eq!((&kept["passed"], &kept["runs"][0]["output"]), (&json!(false), &json!("about 1.0.1\n")), "{kept}");

    // It is not deployed again, not even planned, unless that is forced.
    for args in [&["deploy", "model@1.0.1"][..], &["deploy", "model@1.0.1", "--dry-run"]] {
        let said = env.fails(4, args);
        assert!(said.contains("model@1.0.1 did not stand on this root before (unhealthy, release 2,"), "{said}");
    }
    env.fails(4, &["version", "switch", "model", "1.0.1"]);
    let status = env.json(&["status"]);
    assert_eq!((&status["bad"][0]["version"], &status["bad"][0]["why"]), (&json!("1.0.1"), &json!("unhealthy")));
    assert!(env.ok(&["status"]).contains("model@1.0.1 is marked bad since"));
    assert!(env.ok(&["version", "list", "model"]).contains("installed, recorded, bad"));
    assert!(env.ok(&["history"]).contains("rollback to 1 (unhealthy)"));

    // Forced and failing again: the same. Forced and standing: the mark goes.
    env.fails(6, &["version", "switch", "model", "1.0.1", "--force"]);
    assert_eq!(current(&env), "1.0.0");
    configure(&env, "hooks: {}");
    env.fails(4, &["deploy", "model@1.0.1"]);
    env.ok(&["deploy", "model@1.0.1", "--force"]);
    assert_eq!((current(&env).as_str(), &env.json(&["status"])["bad"]), ("1.0.1", &Value::Null));
    env.ok(&["version", "switch", "model", "1.0.0"]);
    env.ok(&["version", "switch", "model", "1.0.1"]);
}

#[test]
fn a_version_that_did_not_stand_is_not_one_of_the_newest_that_are_kept() {
    let env = deployed("hooks: {}");
    env.ok(&["deploy", "model@1.0.2"]);
    configure(&env, &format!("hooks: {{post_switch: [{NOT_1_0_1}]}}"));
    env.fails(6, &["deploy", "model@1.0.1"]);
    let said = env.ok(&["version", "cleanup", "--keep", "2"]);
    let rows: Vec<_> = said.lines().filter(|line| line.starts_with("model")).collect();
    assert!(rows[1].contains("1.0.1") && rows[1].contains("removed"), "{said}");
    assert!(rows[0].contains("kept") && rows[2].contains("kept"), "{said}");
    assert!(!env.path("root/.deploy-tool/checks/3.json").exists(), "it goes with its release");
    // It is marked all the same.
    assert!(env.ok(&["version", "list", "model"]).contains("recorded, bad"));
    env.fails(4, &["deploy", "model@1.0.1"]);
}

/// A server that is healthy while the root's model is one of `good`; it says how often it was asked. It ends with the test.
fn service(env: &Env, good: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let (model, asked) = (env.path("root/links/model/bert/config.json"), env.path("asked"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let version = fs::read_to_string(&model).unwrap_or_default();
            let status = if good.contains(&version.as_str()) { "200 OK" } else { "503 Service Unavailable" };
            let _ = fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(&asked)
                .and_then(|mut f| writeln!(f, "{version}"));
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    address
}

#[test]
fn a_release_that_is_not_healthy_in_time_is_undone_and_one_that_is_stays() {
    let env = deployed("hooks: {}");
    let address = service(&env, &["1.0.0", "1.0.2"]);
    let health = |url: &str| format!("health: {{http: '{url}', timeout: 1s, healthy_for: 300ms, interval: 50ms}}");
    // No proxy is used: this is about that very address.
    let url = format!("http://{address}/healthz?key=hidden");
    configure(&env, &health(&url));
    let mut command = env.command(&["deploy", "model@1.0.1"]);
    let output = command.env("http_proxy", "http://127.0.0.1:1").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains(&format!("it was not healthy: `http://{address}/healthz`: the answer was 503")), "{said}");
    assert_undone(&env, 3);
    let asked = lines(&env, "asked");
    assert!(asked.len() > 3 && asked.iter().all(|version| version == "1.0.1"), "no look after the way back: {asked:?}");

    fs::remove_file(env.path("asked")).expect("removed");
    let report = env.json(&["deploy", "model@1.0.2"]);
    assert_eq!((current(&env).as_str(), &report["checks"]["runs"][0]["outcome"]), ("1.0.2", &json!("ok")), "{report}");
    assert!(report["checks"]["runs"][0]["milliseconds"].as_u64() >= Some(300), "{report}");
    assert!(lines(&env, "asked").len() > 3, "it was looked at more than once");
    let root = super::tree::root(&env.path("root"));
    assert!(!format!("{root:?}").contains("hidden"), "no query is written down");

    // A server that is not there; a redirect is no answer of this address.
    configure(&env, &health("http://127.0.0.1:1/"));
    let said = env.fails(6, &["version", "switch", "model", "1.0.0"]);
    assert!(said.contains("there was no answer: "), "{said}");
    assert_eq!(current(&env), "1.0.2");
}

#[test]
fn a_port_and_a_command_are_looked_at_too() {
    let env = deployed("hooks: {}");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let tcp = format!("health: {{tcp: '{address}', timeout: 500ms, healthy_for: 50ms, interval: 20ms}}");
    configure(&env, &tcp);
    env.ok(&["deploy", "model@1.0.1"]);
    drop(listener);
    env.fails(6, &["deploy", "model@1.0.2"]);
    assert_eq!(current(&env), "1.0.1");

    // Healthy for a moment is not healthy for so long: the third look fails, and it takes the whole span again after it.
    let script = "#!/bin/sh\necho look >>../looks\ntest $(wc -l <../looks) -ne 3\n";
    let path = env.write("project/look", script);
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    configure(&env, "health: {command: [./look], timeout: 20s, healthy_for: 300ms, interval: 100ms}");
    env.ok(&["version", "switch", "model", "1.0.0"]);
    assert!(lines(&env, "looks").len() >= 6, "{:?}", lines(&env, "looks"));

    configure(&env, "health: {command: [sh, -c, 'echo no; exit 7'], timeout: 200ms, interval: 50ms}");
    let said = env.fails(6, &["version", "switch", "model", "1.0.1"]);
    assert!(said.contains("it ended with status 7\n  no\n"), "{said}");
    configure(&env, "health: {command: [sleep, '30'], timeout: 200ms}");
    assert!(env.fails(6, &["version", "switch", "model", "1.0.1", "--force"]).contains("its time was over"));
    configure(&env, "health: {command: [./nothing], timeout: 200ms}");
    assert!(env.fails(6, &["version", "switch", "model", "1.0.1", "--force"]).contains("it cannot be started"));
}

#[test]
fn a_first_deploy_that_does_not_stand_leaves_nothing_current() {
    let env = published();
    let app = env.path("app");
    fs::create_dir(&app).expect("made");
    let link = format!("custom_links: {{{}/model: {}}}", app.display(), env.path("root/links/model").display());
    configure(&env, &format!("hooks: {{post_switch: [{NOT_1_0_1}]}}, {link}"));
    let said = env.fails(6, &["deploy", "model@1.0.1"]);
    assert!(said.contains("it was undone: release 2 is current"), "{said}");
    for gone in ["root/links/model", "root/components/model/current", "app/model"] {
        assert!(!env.path(gone).is_symlink(), "{gone}");
    }
    assert_eq!(env.json(&["status"])["components"], json!([]));
    env.ok(&["links", "verify"]);
    env.fails(3, &["rollback"]);
    env.ok(&["deploy", "model@1.0.0"]);
    assert_eq!(current(&env), "1.0.0");
}

#[test]
fn a_rollback_never_leads_forward_again() {
    let env = deployed("hooks: {}");
    env.ok(&["deploy", "model@1.0.1"]);
    env.ok(&["deploy", "model@1.0.2"]);
    configure(&env, &format!("hooks: {{post_switch: [{NOT_1_0_1}]}}"));
    let said = env.fails(6, &["rollback"]);
    assert!(said.contains("release 4 is current and stays, since it is a rollback, but the hook"), "{said}");
    assert_eq!((current(&env).as_str(), &env.json(&["status"])["bad"]), ("1.0.1", &Value::Null));
    // That is settled: nothing is undone behind the operator's back.
    env.ok(&["version", "pin", "model", "1.0.1"]);
    assert_eq!(lines(&env, "ran").len(), 1);
    assert_eq!(current(&env), "1.0.1");
}

#[test]
fn links_that_do_not_read_back_as_planned_undo_the_release() {
    let env = published();
    for dir in ["app/old", "app/new"] {
        fs::create_dir_all(env.path(dir)).expect("made");
    }
    // One link is made through another, which moves after it: then it is no longer where it was made.
    symlink("z", env.path("app/a")).expect("linked");
    let path = |sub: &str| env.path(sub).display().to_string();
    configure(&env, &format!("custom_links: {{{}: {}}}", path("app/z"), path("app/old")));
    env.ok(&["deploy", "model@1.0.0"]);
    let links = [(path("app/a/model"), path("root/links/model")), (path("app/z"), path("app/new"))];
    let links = links.map(|(link, target)| format!("{link}: {target}")).join(", ");
    configure(&env, &format!("custom_links: {{{links}}}"));
    let said = env.fails(6, &["deploy", "model@1.0.1"]);
    let told = format!("after the switch `{}` does not hold `{}`", path("app/a/model"), path("root/links/model"));
    assert!(said.contains("release 2 does not stand: ") && said.contains(&told), "{said}");
    assert_undone(&env, 3);
    assert_eq!(env.json(&["status"])["bad"], Value::Null, "the version is not to blame");
}

// ---- stopped in between ----

/// A hook that kills the program which runs it, once.
const KILLS: &str = "{shell: 'test -e ../killed || { touch ../killed; kill -9 $$PPID; }'}";

#[test]
fn what_was_stopped_before_its_result_is_checked_again_and_stays_where_it_is_healthy() {
    let env = deployed(&format!("hooks: {{post_switch: [{KILLS}]}}"));
    let killed = env.command(&["deploy", "model@1.0.1"]).output().expect("it runs");
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
    assert_eq!(current(&env), "1.0.1");
    let ran = env.run(&["status"]);
    assert!(ran.stderr.contains("warning: release 2 was left before its checks had a result"), "{ran:?}");
    let ran = env.run(&["version", "pin", "model", "1.0.1"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let status = env.json(&["status"]);
    assert_eq!((current(&env).as_str(), &status["checks"]["passed"]), ("1.0.1", &json!(true)), "{status}");
    assert_eq!(env.run(&["status"]).stderr, "");
}

#[test]
fn what_was_stopped_before_its_result_is_undone_where_it_is_not_healthy() {
    for next in [&["confirm", "--expire"][..], &["version", "unpin", "model", "1.0.0"], &["deploy", "model@1.0.2"]] {
        let env = deployed(&format!("hooks: {{post_switch: [{KILLS}, {NOT_1_0_1}]}}"));
        let killed = env.command(&["deploy", "model@1.0.1"]).output().expect("it runs");
        assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
        // What runs before the service starts must not ask whether it is healthy.
        env.ok(&["links", "repair"]);
        assert_eq!(current(&env), "1.0.1");
        let ran = env.run(next);
        let timer = next[0] == "confirm";
        assert_eq!(ran.status, Some(if timer { 6 } else { 0 }), "{next:?}: {ran:?}");
        let told = "release 2 did not stand (unhealthy) and was undone: release 3 is current";
        assert!(ran.stderr.contains(told), "{next:?}: {ran:?}");
        env.fails(4, &["deploy", "model@1.0.1"]);
        if next[0] == "deploy" {
            // What comes next goes back to what stood.
            assert_eq!(current(&env), "1.0.2");
            env.ok(&["rollback"]);
            assert_eq!(current(&env), "1.0.0");
        } else {
            assert_undone(&env, 3);
        }
    }
}

#[test]
fn a_switch_or_rollback_by_hand_does_not_wait_for_what_is_due() {
    for next in [&["rollback"][..], &["version", "switch", "model", "1.0.0"]] {
        let env = deployed(&format!("hooks: {{post_switch: [{KILLS}, {NOT_1_0_1}]}}"));
        env.command(&["deploy", "model@1.0.1"]).output().expect("it runs");
        env.ok(next);
        assert_eq!((current(&env).as_str(), env.json(&["history"]).as_array().map(Vec::len)), ("1.0.0", Some(3)));
        assert_eq!(lines(&env, "ran").len(), 1, "1.0.1 is not looked at again");
        env.ok(&["confirm", "--expire"]);
        assert_eq!(env.run(&["status"]).stderr, "");
    }
}

/// Stopped at every change of the disk, a deploy that undoes itself ends at the old versions, and the bad one is known.
#[test]
fn a_deploy_that_undoes_itself_is_old_at_every_fault_point() {
    let env = deployed(&format!("hooks: {{post_switch: [{NOT_1_0_1}]}}"));
    let scene = Scene::of(env, &["root"]);
    let args = ["deploy", "model@1.0.1"];
    let trace = scene.env.path("trace");
    let traced = scene.env.command(&args).env("DEPLOY_TOOL_FAULT_TRACE", &trace).output().expect("it runs");
    assert_eq!(traced.status.code(), Some(6), "{traced:?}");
    let points = fs::read_to_string(trace).expect("traced").lines().count();
    assert!(points > 60, "only {points}: are faults compiled in?");
    for point in Sample::of("a deploy that undoes itself", points).points() {
        for fault in ["kill", if point % 2 == 0 { "eio" } else { "enospc" }] {
            scene.restore();
            let output = scene.run(&args, Some(&format!("{fault}:{point}")));
            let at = format!("{fault} at {point}: {output:?}");
            assert!(scene.env.path("root/links/model").exists(), "{at}: it dangles");
            scene.env.ok(&["version", "unpin", "model", "1.0.0"]);
            assert_eq!(current(&scene.env), "1.0.0", "{at}");
            scene.env.ok(&["links", "verify"]);
            let stray: Vec<_> = scene.names().into_keys().filter(|name| name.ends_with(".tmp")).collect();
            assert!(stray.is_empty(), "{at}: {stray:?}");
            for dir in ["journal", "staging"] {
                let dir = scene.env.path("root/.deploy-tool").join(dir);
                assert!(fs::read_dir(&dir).expect("there").next().is_none(), "{at}: {}", dir.display());
            }
            // Either the release was never made, or its version is marked, or the command itself said what went wrong.
            let history = scene.env.json(&["history"]);
            let made = history.as_array().is_some_and(|all| all.len() > 1);
            let marked = scene.env.path("root/.deploy-tool/bad/model/1.0.1").exists();
            assert!(!made || marked || (fault != "kill" && !output.status.success()), "{at}: {history}");
        }
    }
}

// ---- the trial period ----

/// Sets the deadline of the current release to a time that is over.
fn overdue(env: &Env, release: u64) {
    let file = format!("root/.deploy-tool/checks/{release}.json");
    let mut checked: Value = serde_json::from_str(&env.read(&file)).expect("JSON");
    assert!(checked["confirm_by"].is_string(), "{checked}");
    checked["confirm_by"] = json!("2024-01-01T00:00:00Z");
    env.write(&file, checked.to_string());
}

#[test]
fn a_deploy_that_is_confirmed_stays() {
    let env = deployed("confirm: 10m");
    let said = env.ok(&["deploy", "model@1.0.1"]);
    assert!(said.contains("on trial: it is undone unless `deploy-tool confirm` comes before 20"), "{said}");
    assert!(env.ok(&["status"]).contains("on trial: "));
    assert!(env.json(&["status"])["standing"]["on-trial"].is_string());
    let timer = env.json(&["confirm", "--expire"]);
    assert_eq!((&timer["verdict"], current(&env).as_str()), (&json!("on-trial"), "1.0.1"));
    assert_eq!(env.ok(&["confirm", "--dry-run"]), "would confirm release 2\n");
    assert_eq!(env.ok(&["confirm"]), "release 2 is confirmed and stays\n");
    assert_eq!(env.ok(&["confirm"]), "release 2 is confirmed already\n");
    let line = &env.json(&["history", "--all", "--limit", "1"])[0];
    assert_eq!((&line["event"], &line["release"], &line["result"]), (&json!("confirm"), &json!(2), &json!("done")));
    assert_eq!(env.json(&["status"])["standing"], Value::Null);
    overdue(&env, 2);
    env.ok(&["confirm", "--expire"]);
    assert_eq!(current(&env), "1.0.1");
    // A switch by hand has no trial, and `--confirm` wins over the configuration.
    env.ok(&["version", "switch", "model", "1.0.0"]);
    env.fails(3, &["confirm"]);
    assert!(!env.ok(&["deploy", "model@1.0.1", "--confirm", "0s"]).contains("on trial"));
    configure(&env, "hooks: {}");
    assert!(env.ok(&["deploy", "model@1.0.2", "--confirm", "1h"]).contains("on trial"));
}

#[test]
fn a_deploy_that_nobody_confirms_in_time_is_undone() {
    for next in [&["confirm", "--expire"][..], &["confirm"], &["version", "unpin", "model", "1.0.0"]] {
        let env = deployed("confirm: 10m, hooks: {post_switch: [{shell: 'echo $$DEPLOY_TOOL_TO_MODEL >>../ran'}]}");
        env.ok(&["deploy", "model@1.0.1"]);
        overdue(&env, 2);
        let before = env.listing();
        let ran = env.run(&["status"]);
        assert!(ran.stderr.contains("release 2 was to be confirmed by 2024-01-01T00:00:00Z and was not"), "{ran:?}");
        assert_eq!(env.ok(&["confirm", "--expire", "--dry-run"]), "would undo release 2\n");
        env.assert_unchanged(&before, &["status", "confirm --dry-run"]);
        let ran = env.run(next);
        assert_eq!(ran.status, Some(if next[0] == "confirm" { 6 } else { 0 }), "{next:?}: {ran:?}");
        let told = "release 2 did not stand (not confirmed) and was undone: release 3 is current";
        assert!(ran.stderr.contains(told), "{next:?}: {ran:?}");
        assert_undone(&env, 3);
        assert_eq!(lines(&env, "ran"), ["1.0.1", "1.0.0"]);
        assert!(env.fails(4, &["deploy", "model@1.0.1"]).contains("(not confirmed, release 2,"));
        env.ok(&["confirm", "--expire"]);
    }
}

#[test]
fn a_switch_or_rollback_by_hand_ends_the_trial() {
    for next in
        [&["rollback"][..], &["version", "switch", "model", "1.0.0"], &["deploy", "model@1.0.2", "--confirm", "0s"]]
    {
        let env = deployed("confirm: 10m");
        env.ok(&["deploy", "model@1.0.1"]);
        env.ok(next);
        assert_eq!(env.json(&["confirm", "--expire"])["verdict"], "nothing", "{next:?}");
        env.fails(3, &["confirm"]);
        assert_eq!(env.json(&["history"]).as_array().map(Vec::len), Some(3), "{next:?}");
    }
}

#[test]
fn confirming_is_old_or_new_at_every_fault_point() {
    let env = deployed("confirm: 10m");
    env.ok(&["deploy", "model@1.0.1"]);
    let scene = Scene::of(env, &["root"]);
    let points = scene.points(&["confirm"]);
    for point in Sample::of("confirm", points).points() {
        for fault in ["kill", "eio", "enospc"] {
            scene.restore();
            let output = scene.run(&["confirm"], Some(&format!("{fault}:{point}")));
            let at = format!("{fault} at {point}: {output:?}");
            scene.env.ok(&["version", "unpin", "model", "1.0.0"]);
            let verdict = scene.env.json(&["confirm", "--expire"])["verdict"].clone();
            let known = [json!("on-trial"), json!("was-confirmed")];
            assert!(known.contains(&verdict), "{at}: {verdict}");
            assert!(!output.status.success() || verdict == known[1], "{at}: said done, but is not");
            let stray: Vec<_> = scene.names().into_keys().filter(|name| name.ends_with(".tmp")).collect();
            assert!(stray.is_empty(), "{at}: {stray:?}");
            scene.env.ok(&["confirm"]);
            assert_eq!(current(&scene.env), "1.0.1", "{at}");
        }
    }
}

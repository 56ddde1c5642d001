//! No space left: the message, the exit status, and that everything is as it was.
//!
//! Twice: on a real file system of one megabyte, in a mount namespace of its own, and with the fault points, which stand
//! for the disk at each single write. Where the system allows no namespace (some containers), only the second remains;
//! in CI that is a failure.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::env::{Env, PROGRAM, Ran};
use super::sample::Sample;

/// Runs a script in a mount namespace with an empty file system of one megabyte at `small`. `None` where namespaces are not
/// allowed, which is a failure in CI.
pub fn on_small_disk(env: &Env, script: &str) -> Option<Ran> {
    fs::create_dir_all(env.path("small")).expect("made");
    let mut command = env.hermetic("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-euc"]);
    let mount = "mount -t tmpfs -o size=1m,nr_inodes=200 tmpfs \"$SMALL\"";
    let allowed = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-euc", mount])
        .env("SMALL", env.path("small"))
        .output();
    match allowed {
        Ok(output) if output.status.success() => {}
        why => {
            assert!(std::env::var_os("CI").is_none(), "CI must allow mount namespaces: {why:?}");
            return None;
        }
    }
    let command = command.arg(format!("{mount}\n{script}")).env("SMALL", env.path("small")).env("TOOL", PROGRAM);
    Some(Ran::of(command.output().expect("it runs")))
}

/// 3 MB that gzip can do nothing about.
pub fn noise() -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..3_000_000).map(|_| next()).collect()
}

/// A small version 1.0.0 and a large version 1.0.1, published.
fn small_and_large() -> Env {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.write("project/models/bert/pytorch_model.bin", noise());
    env.publish("1.0.1");
    env
}

#[test]
fn a_root_on_a_full_disk() {
    let env = small_and_large();
    let script = r#"
        "$TOOL" deploy model@1.0.0 --root "$SMALL/app" >"$SMALL/../log"
        (cd "$SMALL/app" && find . ! -name lock -printf '%p %T@ %l\n' | sort) >"$SMALL/../before"
        status=0
        "$TOOL" deploy model@1.0.1 --root "$SMALL/app" || status=$?
        "$TOOL" links verify --root "$SMALL/app" >"$SMALL/../log"
        (cd "$SMALL/app" && find . ! -name lock -printf '%p %l\n' | sort) >"$SMALL/../after"
        sed -i 's/ [0-9.]* / /' "$SMALL/../before"
        diff "$SMALL/../before" "$SMALL/../after" >&2
        exit "$status"
    "#;
    let Some(ran) = on_small_disk(&env, script) else { return };
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_snapshot!(env.shown(&ran.stderr), @r"
    error: not enough space on `<dir>/small/app`: 2.9 MiB are needed, 696.0 KiB are free; nothing was written

    hint: free some with `deploy-tool version cleanup --dry-run` and `deploy-tool store gc --dry-run`
    ");
}

/// A record of the seed's form for a version, which knows no index.
fn without_index(env: &Env, version: &str) {
    let text = env.read(&format!("project/dist/model-{version}.manifest.json"));
    let mut manifest: Value = serde_json::from_str(&text).expect("JSON");
    manifest.as_object_mut().expect("an object").remove("index").expect("it had one");
    env.write("seed/manifest.json", manifest.to_string());
    let place = env.path(format!("targets/near/model/{version}"));
    let record = json!({
        "component": {"type": "model", "version": version},
        "locations": [{"name": "near", "type": "filesystem", "path": place}],
        "published_at": manifest["component"]["created_at"],
    });
    env.write("seed/record.json", record.to_string());
}

/// How much it needs is known at its end only; what is free is not filled up without a word.
#[test]
fn a_package_that_does_not_say_how_much_it_needs() {
    let env = small_and_large();
    without_index(&env, "1.0.1");
    let script = r#"
        "$TOOL" deploy model@1.0.0 --root "$SMALL/app" >"$SMALL/../log"
        status=0
        "$TOOL" deploy --record ../seed/record.json --root "$SMALL/app" || status=$?
        "$TOOL" links verify --root "$SMALL/app" >"$SMALL/../log"
        [ "$(ls "$SMALL/app/components/model")" = "$(printf '1.0.0\ncurrent')" ] || exit 98
        [ -z "$(ls "$SMALL/app/.deploy-tool/staging")" ] || exit 99
        exit "$status"
    "#;
    let Some(ran) = on_small_disk(&env, script) else { return };
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_snapshot!(env.shown(&ran.stderr), @r"
    error: not enough space on `<dir>/small/app`: 692.0 KiB are free, and model@1.0.1 unpacks to more; it has no index that says how much; nothing was changed

    hint: free some with `deploy-tool version cleanup --dry-run` and `deploy-tool store gc --dry-run`
    ");
}

/// A sparse file larger than the disk is made as a hole.
#[test]
fn holes_need_no_room() {
    let env = Env::with_model();
    let script = "mkdir tree && echo small >tree/small && truncate -s 64M tree/hollow && tar -C tree -Scf hollow.tar .";
    let output = env.hermetic("sh").args(["-euc", script]).current_dir(env.path(".")).output().expect("sh runs");
    assert!(output.status.success(), "{output:?}");
    env.ok(&["pack", "--index-only", "../hollow.tar", "--type", "model", "--version", "1"]);
    env.ok(&["publish", "model@1"]);
    without_index(&env, "1");
    let script = r#"
        "$TOOL" deploy model@1 --root "$SMALL/app"
        "$TOOL" deploy --record ../seed/record.json --root "$SMALL/seed"
        for root in app seed; do
            [ "$(stat -c %s "$SMALL/$root/links/model/hollow")" = $((64 << 20)) ]
            [ "$(cat "$SMALL/$root/links/model/small")" = small ]
        done
    "#;
    let Some(ran) = on_small_disk(&env, script) else { return };
    assert_eq!(ran.status, Some(0), "{ran:?}");
}

#[test]
fn a_disk_without_inodes() {
    let env = Env::with_model();
    for n in 0..300 {
        env.write(&format!("project/models/many/{n}"), "");
    }
    env.publish("1.0.0");
    let script = r#"
        status=0
        "$TOOL" deploy model@1.0.0 --root "$SMALL/app" || status=$?
        [ ! -e "$SMALL/app/links/model" ] || exit 99
        exit "$status"
    "#;
    let Some(ran) = on_small_disk(&env, script) else { return };
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let said = env.shown(&ran.stderr);
    let (start, end) = (said.find("needed, ").expect("says what is needed"), said.find(" are free").expect("and free"));
    assert_snapshot!(format!("{}needed, <free>{}", &said[..start], &said[end..]), @r"
    error: not enough inodes on `<dir>/small/app`: 306 are needed, <free> are free; nothing was written

    hint: free some with `deploy-tool version cleanup --dry-run`
    ");
}

#[test]
fn a_store_on_a_full_disk() {
    let env = small_and_large();
    let script = r#"
        status=0
        "$TOOL" pack --type model --version 1.0.2 --store "$SMALL/store" || status=$?
        find "$SMALL/store" -type f ! -name lock ! -name format >&2
        exit "$status"
    "#;
    let Some(ran) = on_small_disk(&env, script) else { return };
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_snapshot!(without_random(&env.shown(&ran.stderr)), @r"error: cannot write `<dir>/small/store`: No space left on device (os error 28)");
    let script = r#"
        status=0
        "$TOOL" deploy model@1.0.1 --store "$SMALL/store" || status=$?
        find "$SMALL/store/tmp" -type f >&2
        exit "$status"
    "#;
    let ran = on_small_disk(&env, script).expect("as before");
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_snapshot!(without_random(&env.shown(&ran.stderr)), @r"
    error: not enough room for the store `<dir>/small/store`: 2.9 MiB to fetch, 1012.0 KiB free, 1.9 MiB missing

    hint: free some with `deploy-tool store gc`, or use a store on another disk with `--store`
    ");
    assert!(!env.path("root/links/model").exists());
}

#[test]
fn a_target_on_a_full_disk() {
    let env = Env::with_model();
    env.write("project/models/bert/pytorch_model.bin", noise());
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    env.configure("far:", &format!("    far: {{type: filesystem, path: {}}}", env.path("small/far").display()));
    let before = env.git("records", &["rev-parse", "HEAD"]);
    let script = r#"
        status=0
        "$TOOL" publish model@1.0.0 --to far || status=$?
        find "$SMALL/far" -type f >&2
        exit "$status"
    "#;
    let Some(ran) = on_small_disk(&env, script) else { return };
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_snapshot!(without_random(&env.shown(&ran.stderr)), @r"
    error: the package lies on 0 of the 1 target it has to: `far`: cannot write `<dir>/small/far/model/1.0.0/.<temporary>`: No space left on device (os error 28)

    hint: mend the targets and publish again, or lower `publish.require`; what was placed stays and is found again
    ");
    assert_eq!(env.git("records", &["rev-parse", "HEAD"]), before);
}

/// A temporary file's name without what is random in it.
fn without_random(text: &str) -> String {
    let word = |word: &str| match word.rsplit_once("/.") {
        Some((dir, _)) if word.contains(".tmp`") => format!("{dir}/.<temporary>`:"),
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Every change of the disk that the command makes says which one had no space, and leaves no record or a whole one. (`crash.rs`
/// does the same for what changes a root.)
fn every_write(env: &Env, args: &[&str], forget: impl Fn()) {
    let start = env.git("records", &["rev-parse", "HEAD"]);
    let trace = env.path("trace");
    let traced = Ran::of(env.command(args).env("DEPLOY_TOOL_FAULT_TRACE", &trace).output().expect("it runs"));
    assert_eq!(traced.status, Some(0), "{traced:?}");
    let done = env.git("records", &["rev-parse", "HEAD"]) != start;
    let points = fs::read_to_string(&trace).expect("traced").lines().count();
    assert!(points > 20, "{points} points: are faults compiled in?");
    for point in Sample::of(&format!("{args:?}"), points).points() {
        forget();
        env.git("records", &["reset", "-q", "--hard", start.trim()]);
        let fault = format!("enospc:{point}");
        let ran = Ran::of(env.command(args).env("DEPLOY_TOOL_FAULT", fault).output().expect("it runs"));
        let committed = env.git("records", &["rev-parse", "HEAD"]) != start;
        match ran.status {
            // What may fail without harm, such as noting when something was last used.
            Some(0) => assert_eq!(committed, done, "{args:?} at {point}: {ran:?}"),
            Some(1) => {
                assert!(ran.stderr.contains("No space left on device"), "{args:?} at {point}: {ran:?}");
                let place = env.path("").display().to_string();
                assert!(
                    ran.stderr.contains(place.trim_end_matches('/')),
                    "{args:?} at {point}: it names no path: {ran:?}"
                );
                assert!(!committed || ran.stderr.contains("the record stands"), "{args:?} at {point}: {ran:?}");
            }
            _ => panic!("{args:?} at {point}: {ran:?}"),
        }
        if ran.status == Some(1) || env.path("records/.git/index.lock").exists() {
            // The same command again puts right what was left, whatever it was.
            env.ok(args);
        }
        assert_eq!(env.git("records", &["status", "--porcelain"]), "", "{args:?} at {point}: {ran:?}");
    }
    forget();
    env.ok(args);
}

#[test]
fn every_write_of_pack() {
    let env = Env::with_model();
    every_write(&env, &["pack", "--type", "model", "--version", "1.0.0"], || {
        for dir in ["store", "project/dist"].map(|dir| env.path(dir)).iter().filter(|dir| dir.exists()) {
            fs::remove_dir_all(dir).expect("removed");
        }
    });
    env.ok(&["publish", "model@1.0.0"]);
}

#[test]
fn every_write_of_publish() {
    let env = Env::with_model();
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    every_write(&env, &["publish", "model@1.0.0"], || {
        if env.path("targets").exists() {
            fs::remove_dir_all(env.path("targets")).expect("removed");
        }
    });
    env.ok(&["deploy", "model@1.0.0"]);
}

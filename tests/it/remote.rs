//! Records repositories by URL: what is fetched, what is pushed, and what is done without a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::Value;

use super::env::Env;
use super::programs::has;

/// The repository that everybody shares, and one that makes it the project's.
pub fn with_remote(url: &str) -> Env {
    let env = Env::with_model();
    bare(&env, "shared.git");
    let url = url.replace("<dir>", env.path("").display().to_string().trim_end_matches('/'));
    env.configure("records:", &format!("records: {{repository: \"{url}\"}}"));
    env
}

/// A bare repository that hands out parts, as hosting does.
pub fn bare(env: &Env, name: &str) {
    env.git("", &["init", "-q", "--bare", name]);
    env.git(name, &["config", "uploadpack.allowFilter", "true"]);
}

const FILE: &str = "file://<dir>/shared.git";

/// The mirror of the one remote that was used.
pub fn mirror(env: &Env) -> String {
    let found = fs::read_dir(env.path("store.records")).expect("a cache");
    let names = found.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mirrors: Vec<_> = names.filter(|name| name.ends_with(".git")).collect();
    assert_eq!(mirrors.len(), 1, "{mirrors:?}");
    format!("store.records/{}", mirrors[0])
}

/// Makes the model of this version another one.
pub fn change(env: &Env, version: &str) {
    env.write("project/models/bert/config.json", version);
}

fn publish(env: &Env, version: &str) {
    change(env, version);
    env.publish(version);
}

fn subjects(env: &Env) -> Vec<String> {
    env.git("shared.git", &["log", "--format=%s", "main"]).lines().map(str::to_owned).collect()
}

/// Objects of this kind in a repository.
fn count(env: &Env, repository: &str, kind: &str) -> usize {
    let all = env.git(repository, &["cat-file", "--batch-check", "--batch-all-objects"]);
    all.lines().filter(|line| line.split(' ').nth(1) == Some(kind)).count()
}

#[test]
fn publish_deploy_list_and_yank_over_file() {
    let env = with_remote(FILE);
    // The first commit of an empty repository, and one on it.
    publish(&env, "1.0.0");
    let first = env.git("shared.git", &["rev-parse", "main"]).trim().to_owned();
    publish(&env, "1.0.1");
    assert_eq!(subjects(&env), ["publish: model 1.0.1", "publish: model 1.0.0"]);
    let message = env.git("shared.git", &["log", "-1", "--format=%an <%ae>%n%B", "main"]);
    assert_snapshot!(env.shown(message.trim()), @r"
    Mei <mei@example.org>
    publish: model 1.0.1

    Size: 610 B (610 bytes)
    Files: 3
    Digest: sha256:<hex>
    Targets: near, far
    ");
    env.git("shared.git", &["fsck", "--strict", "--no-dangling"]);
    env.ok(&["deploy", "model"]);
    assert_eq!(env.link("components/model/current"), "1.0.1");
    // The same content again is nothing new.
    let before = subjects(&env);
    assert!(env.ok(&["publish", "model@1.0.1"]).contains("is published already"));
    assert_eq!(subjects(&env), before);
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    assert_eq!(env.link("components/model/current"), "1.0.0");
    env.ok(&["record", "yank", "model@1.0.1", "--reason", "answers in Latin"]);
    let listed = env.json(&["record", "list", "model"]);
    let states: Vec<_> =
        listed.as_array().expect("a list").iter().map(|v| (&v["version"], &v["yanked"], &v["current"])).collect();
    assert_eq!(serde_json::json!(states), serde_json::json!([["1.0.0", false, true], ["1.0.1", true, false]]));
    env.fails(4, &["deploy", "model@1.0.1"]);
    env.ok(&["deploy", "model@1.0.0", "--at", &first]);
    env.fails(3, &["deploy", "model@1.0.1", "--at", &first]);
    // No reference of the mirror but the fetched branch, and nothing of a lock left.
    let refs = env.git(&mirror(&env), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/main\n");
}

/// As another machine: another store.
fn elsewhere(env: &Env, args: &[&str]) -> Value {
    fs::remove_dir_all(env.path("other-store.records")).unwrap_or_default();
    env.json(&[args, &["--store", "../other-store"]].concat())
}

#[test]
fn a_first_look_brings_one_commit_and_the_path_that_is_asked_for() {
    let env = with_remote(FILE);
    for version in ["1.0.0", "1.0.1", "1.0.2"] {
        publish(&env, version);
    }
    elsewhere(&env, &["record", "show", "model@1.0.1"]);
    let name = mirror(&env).replace("store.", "other-store.");
    let counts = ["commit", "tree", "blob"].map(|kind| count(&env, &name, kind));
    // The tip; top, records, packages, model, 1.0.1; manifest and record.
    assert_eq!(counts, [1, 5, 2]);
    // Later looks bring what came since, with all of the ancestry between.
    publish(&env, "1.0.3");
    publish(&env, "1.0.4");
    env.json(&["record", "show", "model@1.0.4", "--store", "../other-store"]);
    assert_eq!(count(&env, &name, "commit"), 3);
    let ancestry = env.git(&name, &["rev-list", "--count", "main"]);
    assert_eq!(ancestry.trim(), "3");
    // An older commit comes alone, and cuts nothing off.
    let cuts = env.read(&format!("{name}/shallow"));
    let old = env.git("shared.git", &["rev-parse", "main~4"]).trim().to_owned();
    let shown = env.json(&["record", "show", "model@1.0.0", "--at", &old, "--store", "../other-store"]);
    assert_eq!(shown["commit"], old);
    assert_eq!((count(&env, &name, "commit"), env.read(&format!("{name}/shallow"))), (4, cuts));
    // Nor does a branch whose ancestors are not here stand in the way of a push.
    env.git("shared.git", &["branch", "side", "main~3"]);
    elsewhere(&env, &["record", "show", "model@1.0.0", "--at", "side"]);
    env.ok(&["env", "set", "model@1.0.4", "--env", "prod", "--store", "../other-store"]);
    assert_eq!(env.git("shared.git", &["rev-list", "--count", "main"]), "6\n");
}

#[test]
fn a_branch_or_tag_of_the_remote_and_what_is_none() {
    let env = with_remote(FILE);
    publish(&env, "1.0.0");
    env.git("shared.git", &["tag", "-am", "one", "v1", "main"]);
    env.git("shared.git", &["branch", "old", "main"]);
    publish(&env, "1.0.1");
    for at in ["v1", "old", "main~1"] {
        env.ok(&["record", "show", "model@1.0.0", "--at", at]);
        env.fails(3, &["record", "show", "model@1.0.1", "--at", at]);
    }
    env.ok(&["record", "show", "model@1.0.1", "--at", "main"]);
    assert_snapshot!(env.shown(&env.fails(3, &["record", "show", "model@1.0.1", "--at", "nowhere"])), @r"
    error: `nowhere` names no commit in the records repository `file://<dir>/shared.git`

    hint: give a branch, a tag or the full id of a commit; of a commit that was not fetched a short id says nothing
    ");
    let unknown = "0123456789012345678901234567890123456789";
    env.fails(3, &["record", "show", "model@1.0.1", "--at", unknown]);
}

#[test]
fn without_a_network_the_mirror_goes_on_and_says_so() {
    let env = with_remote(FILE);
    publish(&env, "1.0.0");
    let old = env.git("shared.git", &["rev-parse", "main"]).trim().to_owned();
    publish(&env, "1.0.1");
    env.ok(&["deploy", "model"]);
    fs::rename(env.path("shared.git"), env.path("away.git")).expect("moved");
    let ran = env.run(&["record", "show", "model@1.0.1"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_snapshot!(env.shown(&ran.stderr), @r"
    warning: cannot reach the records repository `file://<dir>/shared.git`: '<dir>/shared.git' does not appear to be a git repository; Could not read from remote repository.
    hint: going on with the records as they were fetched last
    ");
    env.ok(&["deploy", "model@1.0.1"]);
    // What was not fetched is not there, and nothing is published.
    assert_snapshot!(env.shown(&env.fails(1, &["deploy", "model@1.0.0", "--store", "../none"])), @r"
    error: cannot reach the records repository `file://<dir>/shared.git`: '<dir>/shared.git' does not appear to be a git repository; Could not read from remote repository.

    hint: `git ls-remote file://<dir>/shared.git` must succeed without asking: give git a credential helper, or ssh an agent or a key without a passphrase
    ");
    env.fails(1, &["env", "set", "model@1.0.0", "--env", "prod"]);
    fs::remove_dir_all(env.path("store.records")).expect("removed");
    env.fails(1, &["record", "show", "model@1.0.1"]);
    fs::rename(env.path("away.git"), env.path("shared.git")).expect("moved");
    env.ok(&["record", "show", "model@1.0.1"]);
    let tip = env.git(&mirror(&env), &["rev-parse", "main"]).trim().to_owned();
    fs::rename(env.path("shared.git"), env.path("away.git")).expect("moved");
    env.ok(&["record", "show", "model@1.0.1", "--at", &tip]);
    env.fails(1, &["record", "show", "model@1.0.0", "--at", &old]);
}

#[test]
fn a_server_without_filters_sends_everything_and_a_warning_says_so() {
    let env = with_remote(FILE);
    publish(&env, "1.0.0");
    publish(&env, "1.0.1");
    env.git("shared.git", &["config", "uploadpack.allowFilter", "false"]);
    let ran = env.run(&["record", "show", "model@1.0.1", "--store", "../other-store"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_snapshot!(env.shown(&ran.stderr), @r"
    warning: the records repository `file://<dir>/shared.git` knows no filters and sends everything
    hint: on a server of your own set `git config uploadpack.allowFilter true` in the repository
    ");
    publish(&env, "1.0.2");
    env.ok(&["deploy", "model"]);
}

#[test]
fn a_branch_of_its_own_and_a_refusing_server() {
    let env = with_remote(FILE);
    publish(&env, "1.0.0");
    let hook = env.write(
        "shared.git/hooks/update",
        "#!/bin/sh\n[ \"$1\" != refs/heads/main ] || { echo 'main is protected'; exit 1; }\n",
    );
    executable(&hook);
    change(&env, "1.0.1");
    env.ok(&["pack", "--type", "model", "--version", "1.0.1"]);
    let main = env.git("shared.git", &["rev-parse", "main"]);
    assert_snapshot!(env.shown(&env.fails(4, &["publish", "model@1.0.1"])), @r"
    error: the records repository `file://<dir>/shared.git` does not take a commit on `main`: main is protected; error: hook declined to update refs/heads/main; hook declined; nothing was committed

    hint: of a protected branch, commit to another with `--branch NAME` and have it merged
    ");
    env.ok(&["publish", "model@1.0.1", "--branch", "release/1.0.1"]);
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod", "--branch", "release/1.0.1"]);
    let log = |range: &str| env.git("shared.git", &["log", "--format=%s", range]);
    assert_eq!(log("main..release/1.0.1"), "env: prod model 1.0.1\npublish: model 1.0.1\n");
    assert_eq!(env.git("shared.git", &["rev-parse", "main"]), main);
    env.fails(3, &["deploy", "model@1.0.1"]);
    env.ok(&["deploy", "model@1.0.1", "--at", "release/1.0.1"]);
}

#[test]
fn a_lock_is_somebody_who_is_faster_and_a_branch_in_the_way_is_not() {
    let env = with_remote(FILE);
    publish(&env, "1.0.0");
    change(&env, "1.0.1");
    env.ok(&["pack", "--type", "model", "--version", "1.0.1"]);
    let lock = env.write("shared.git/refs/heads/main.lock", "");
    let mut publisher = env.command(&["publish", "model@1.0.1"]);
    let mut publisher = publisher.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    std::thread::sleep(Duration::from_secs(2));
    assert!(publisher.try_wait().expect("asked").is_none(), "it goes on trying");
    fs::remove_file(lock).expect("removed");
    assert!(publisher.wait().expect("it ends").success());
    assert_eq!(subjects(&env), ["publish: model 1.0.1", "publish: model 1.0.0"]);
    // `main/next` cannot be as long as `main` is.
    let said = env.fails(4, &["env", "set", "model@1.0.1", "--env", "prod", "--branch", "main/next"]);
    assert!(said.contains("'refs/heads/main' exists; cannot create"), "{said}");
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set");
}

#[test]
fn the_same_version_by_somebody_else_is_a_conflict_only_with_other_content() {
    let env = with_remote(FILE);
    publish(&env, "1.0.0");
    change(&env, "another");
    let other = ["--store", "../other-store"];
    env.ok(&[&["pack", "--type", "model", "--version", "1.0.0"], &other[..]].concat());
    env.fails(5, &[&["publish", "model@1.0.0"], &other[..]].concat());
    assert_eq!(subjects(&env).len(), 1);
}

#[test]
fn push_follows_a_commit_in_a_work_tree_and_without_it_a_hint_says_so() {
    let env = Env::with_model();
    bare(&env, "shared.git");
    env.git("records", &["remote", "add", "origin", "../shared.git"]);
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    let ran = env.run(&["publish", "model@1.0.0"]);
    assert_snapshot!(env.shown(&ran.stderr), @r"
    warning: what is committed to `main` in `<dir>/records` is not pushed to `origin`
    hint: `--push` does that, and so does `git -C <dir>/records push origin main`
    ");
    assert_eq!(env.git("shared.git", &["for-each-ref"]), "");
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod", "--push"]);
    assert_eq!(env.git("shared.git", &["rev-parse", "main"]), env.git("records", &["rev-parse", "main"]));
    // Others pushed meanwhile.
    env.git("", &["clone", "-q", "shared.git", "clone"]);
    env.git("clone", &["commit", "-q", "--allow-empty", "-m", "theirs"]);
    env.git("clone", &["push", "-q"]);
    assert_snapshot!(env.shown(&env.fails(5, &["record", "yank", "model@1.0.0", "--reason", "bad", "--push"])), @r"
    error: committed <hex>, but others have pushed to `main` of `origin` meanwhile

    hint: the commit stands on this machine: `git -C <dir>/records pull --rebase origin main`, then `git -C <dir>/records push origin main`
    ");
    assert_eq!(env.git("records", &["log", "-1", "--format=%s"]), "yank: model 1.0.0\n");
    env.git("records", &["remote", "remove", "origin"]);
    env.fails(2, &["env", "set", "--remove", "model", "--env", "prod", "--push"]);
}

/// Tells git to sign commits, and whose key that is; returns the key.
pub fn sign_commits(env: &Env) -> PathBuf {
    let key = env.path("home/key");
    let made = env.hermetic("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).output();
    assert!(made.expect("ssh-keygen runs").status.success());
    for (name, value) in [
        ("commit.gpgsign", "true"),
        ("gpg.format", "ssh"),
        ("user.signingkey", &format!("{}.pub", key.display())),
        ("gpg.ssh.allowedSignersFile", &env.path("home/allowed").display().to_string()),
    ] {
        env.git("", &["config", "--global", name, value]);
    }
    env.write("home/allowed", format!("mei@example.org {}", env.read("home/key.pub")));
    key
}

#[test]
fn a_commit_is_signed_where_git_is_told_to() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = with_remote(FILE);
    let key = sign_commits(&env);
    publish(&env, "1.0.0");
    publish(&env, "1.0.1");
    assert_eq!(
        env.git("shared.git", &["log", "--format=%G? %s", "main"]),
        "G publish: model 1.0.1\nG publish: model 1.0.0\n"
    );
    // Whatever is committed, and in a work tree, too.
    let sign = ["record", "heartbeat", "--sign", &key.display().to_string()].map(str::to_owned);
    let all = [
        &["env", "set", "model@1.0.1", "--env", "prod"][..],
        &["record", "yank", "model@1.0.0", "--reason", "old"],
        &sign.each_ref().map(String::as_str),
    ];
    all.into_iter().for_each(|args| drop(env.ok(args)));
    env.ok(&["publish", "model@1.0.0", "--records", "../records"]);
    assert_eq!(env.git("records", &["log", "-1", "--format=%G? %s"]), "G publish: model 1.0.0\n");
    all[1..].iter().for_each(|args| drop(env.ok(&[args, &["--records", "../records"][..]].concat())));
    for (repository, count) in [("shared.git", 5), ("records", 3)] {
        let signed = env.git(repository, &["log", "--format=%G?", "-n", &count.to_string(), "main"]);
        assert_eq!(signed, "G\n".repeat(count), "{repository}");
    }
    assert_eq!(env.git("records", &["status", "--porcelain"]), "");
    // One that cannot be signed is not made.
    fs::remove_file(&key).expect("removed");
    change(&env, "1.0.2");
    env.ok(&["pack", "--type", "model", "--version", "1.0.2"]);
    let before = subjects(&env);
    assert!(env.fails(1, &["publish", "model@1.0.2"]).contains("cannot sign"));
    assert_eq!(subjects(&env), before);
}

#[test]
fn doctor_fetches_nothing_and_asks_whether_the_remote_answers() {
    let env = with_remote(FILE);
    publish(&env, "1.0.0");
    env.ok(&["deploy", "model"]);
    let finding = |args: &[&str], id: &str| {
        let report: Value = serde_json::from_str(&env.run(&[args, &["--json"]].concat()).stdout).expect("JSON");
        report["findings"].as_array().expect("a list").iter().any(|finding| finding["id"] == id)
    };
    assert!(finding(&["doctor"], "remote-ok") && finding(&["doctor"], "records-ok"));
    let fresh = ["doctor", "--store", "../fresh"];
    let before = env.listing();
    assert!(finding(&fresh, "records-not-fetched") && finding(&fresh, "remote-ok"));
    env.assert_unchanged(&before, &fresh);
    fs::rename(env.path("shared.git"), env.path("away.git")).expect("moved");
    assert!(finding(&["doctor"], "remote-unreachable") && finding(&["doctor"], "records-ok"));
    assert!(!finding(&["doctor", "--offline"], "remote-unreachable"));
}

#[test]
fn a_watch_follows_the_remote() {
    let env = with_remote(FILE);
    publish(&env, "1.0.0");
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    let mut watch = env.command(&["deploy", "--env", "prod", "--watch", "200ms"]).spawn().expect("it runs");
    let until = |version: &str| {
        let start = std::time::Instant::now();
        while fs::read_link(env.path("root/components/model/current")).ok().as_deref() != Some(Path::new(version)) {
            assert!(start.elapsed().as_secs() < 60, "{version} never came");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    until("1.0.0");
    // Published from another machine.
    change(&env, "1.0.1");
    let other = ["--store", "../other-store"];
    env.ok(&[&["pack", "--type", "model", "--version", "1.0.1"], &other[..]].concat());
    env.ok(&[&["publish", "model@1.0.1"], &other[..]].concat());
    env.ok(&[&["env", "set", "model@1.0.1", "--env", "prod"], &other[..]].concat());
    until("1.0.1");
    watch.kill().expect("killed");
    watch.wait().expect("ended");
}

#[test]
fn the_same_content_at_the_same_moment_is_published_once() {
    let env = with_remote(FILE);
    publish(&env, "1.0.0");
    change(&env, "1.0.1");
    let stores: Vec<_> = (0..4).map(|number| format!("../store-{number}")).collect();
    for store in &stores {
        env.ok(&["pack", "--type", "model", "--version", "1.0.1", "--store", store, "--output", store]);
    }
    std::thread::scope(|scope| {
        let publish = |store| env.run(&["publish", "model@1.0.1", "--store", store]);
        let racing: Vec<_> = stores.iter().map(|store| scope.spawn(move || publish(store))).collect();
        for one in racing {
            let ran = one.join().expect("a publisher");
            assert_eq!(ran.status, Some(0), "{ran:?}");
        }
    });
    assert_eq!(subjects(&env).iter().filter(|subject| *subject == "publish: model 1.0.1").count(), 1);
    env.ok(&["deploy", "model@1.0.1", "--store", "../another"]);
    // Two who withdraw it are no conflict either: the first note stands.
    std::thread::scope(|scope| {
        let yank = |store| env.run(&["record", "yank", "model@1.0.1", "--reason", store, "--store", store]);
        let racing: Vec<_> = stores.iter().map(|store| scope.spawn(move || yank(store))).collect();
        let ran: Vec<_> = racing.into_iter().map(|one| one.join().expect("it ran")).collect();
        assert!(ran.iter().all(|ran| ran.status == Some(0)), "{ran:?}");
    });
    assert_eq!(subjects(&env).iter().filter(|subject| *subject == "yank: model 1.0.1").count(), 1);
}

/// The model published and named by an environment, and a mirror that has read all of it.
fn followed() -> Env {
    let env = with_remote(FILE);
    publish(&env, "1.0.0");
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    env
}

#[test]
fn a_mirror_that_is_damaged_is_made_anew() {
    let env = followed();
    publish(&env, "1.0.1");
    let dir = mirror(&env);
    let each_pack = |change: &dyn Fn(&Path)| {
        let packs = fs::read_dir(env.path(format!("{dir}/objects/pack"))).expect("packs");
        packs.map(|entry| entry.expect("an entry").path()).for_each(|path| change(&path));
    };
    let is_sound = || {
        env.ok(&["record", "show", "model@1.0.1"]);
        env.ok(&["env", "show", "prod"]);
        assert_eq!(mirror(&env), dir);
        assert!(!env.path(format!("{dir}/damaged")).exists() && !env.path(format!("{dir}.old")).exists());
    };
    // No repository any more.
    fs::remove_file(env.path(format!("{dir}/HEAD"))).expect("removed");
    is_sound();
    // Locks of a git that was killed.
    for lock in ["refs/heads/main.lock", "shallow.lock"] {
        env.write(&format!("{dir}/{lock}"), "");
    }
    publish(&env, "1.0.2");
    is_sound();
    // Objects that cannot be read: who meets one says so, and the next one fetches them again.
    env.ok(&["record", "list"]);
    each_pack(&|path| {
        let mut bytes = fs::read(path).expect("read");
        if path.extension().is_some_and(|end| end == "pack") {
            let length = bytes.len();
            bytes[12..length - 20].fill(0x55);
            fs::remove_file(path).expect("removed");
            fs::write(path, bytes).expect("written");
        }
    });
    for loose in fs::read_dir(env.path(format!("{dir}/objects"))).expect("objects") {
        let loose = loose.expect("an entry").path();
        if loose.file_name().is_some_and(|name| name.len() == 2) {
            fs::remove_dir_all(loose).expect("removed");
        }
    }
    let first = env.run(&["record", "show", "model@1.0.1"]);
    assert!(first.status == Some(0) || first.stderr.contains("is damaged"), "{first:?}");
    is_sound();
    // All of its packs are gone.
    each_pack(&|path| fs::remove_file(path).expect("removed"));
    let first = env.run(&["record", "show", "model@1.0.1"]);
    assert!(first.status == Some(0) || first.stderr.contains("is damaged"), "{first:?}");
    is_sound();
}

#[test]
fn where_the_remote_is_away_a_damaged_mirror_stays_and_gives_what_it_can() {
    let env = followed();
    fs::rename(env.path("shared.git"), env.path("away.git")).expect("moved");
    let dir = mirror(&env);
    env.write(&format!("{dir}/damaged"), "");
    env.write(&format!("{dir}/refs/heads/main.lock"), "");
    env.ok(&["record", "show", "model@1.0.0"]);
    env.ok(&["deploy", "--env", "prod"]);
    fs::rename(env.path("away.git"), env.path("shared.git")).expect("moved");
    env.ok(&["record", "show", "model@1.0.0"]);
    assert!(!env.path(format!("{dir}/damaged")).exists());
}

/// Makes git stop at a moment of its work with the remote, until `go` is there; says that it came by `at`.
fn stopping(env: &Env, name: &str, then: &str) -> PathBuf {
    let (at, go) = (env.path("at"), env.path("go"));
    let script = format!(
        "#!/bin/sh\n: >{at}\nfor i in $(seq 600); do [ -e {go} ] && break; sleep 0.1; done\n{then}\n",
        at = at.display(),
        go = go.display()
    );
    let path = env.write(name, script);
    executable(&path);
    path
}

#[test]
fn killed_while_it_fetches_or_pushes_the_next_command_goes_on() {
    let env = followed();
    change(&env, "1.0.1");
    env.ok(&["pack", "--type", "model", "--version", "1.0.1"]);
    let kill_at_the_stop = |args: &[&str]| {
        let mut child = env.command(args).spawn().expect("it runs");
        let start = std::time::Instant::now();
        while !env.path("at").exists() {
            assert!(start.elapsed().as_secs() < 60, "{args:?} never came to the stop");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
    };
    let reset = || {
        env.write("go", "");
        // What git was doing for the one that was killed, it does to its end.
        std::thread::sleep(std::time::Duration::from_millis(500));
        fs::remove_file(env.path("go")).expect("removed");
        fs::remove_file(env.path("at")).expect("removed");
    };
    // While it fetches, from nothing.
    let hook = stopping(&env, "home/pack-objects", "exec \"$@\"");
    env.git("", &["config", "--global", "uploadpack.packObjectsHook", &hook.display().to_string()]);
    kill_at_the_stop(&["record", "show", "model@1.0.0", "--store", "../fresh"]);
    env.git("", &["config", "--global", "--unset", "uploadpack.packObjectsHook"]);
    reset();
    env.ok(&["record", "show", "model@1.0.0", "--store", "../fresh"]);
    // While it pushes: nobody tells it what became of that.
    let hook = stopping(&env, "shared.git/hooks/pre-receive", "exit 0");
    kill_at_the_stop(&["publish", "model@1.0.1"]);
    fs::remove_file(hook).expect("removed");
    reset();
    env.ok(&["publish", "model@1.0.1"]);
    assert_eq!(subjects(&env).iter().filter(|subject| *subject == "publish: model 1.0.1").count(), 1);
    env.git("shared.git", &["fsck", "--strict", "--no-dangling"]);
    env.ok(&["deploy", "model@1.0.1"]);
}

#[test]
fn an_import_goes_to_a_branch_and_is_pushed() {
    let env = Env::with_model();
    env.publish("1.0.0");
    bare(&env, "shared.git");
    env.git_init("rebuilt");
    env.git("rebuilt", &["remote", "add", "origin", "../shared.git"]);
    let import = ["record", "import", "--from", "near", "--records", "../rebuilt", "--push"];
    env.ok(&[&import[..], &["--branch", "rebuilt"]].concat());
    let log = |branch| env.git("shared.git", &["log", "-1", "--format=%s", branch]);
    assert_eq!(log("rebuilt"), "import records from near\n");
    assert_eq!(env.git("shared.git", &["for-each-ref", "--format=%(refname)"]), "refs/heads/rebuilt\n");
    env.ok(&import);
    assert_eq!(log("main"), "import records from near\n");
    let url = format!("file://{}", env.path("shared.git").display());
    env.git("shared.git", &["update-ref", "-d", "refs/heads/rebuilt"]);
    env.ok(&["deploy", "model@1.0.0", "--records", &url, "--store", "../other"]);
}

#[test]
fn a_promotion_goes_to_a_branch() {
    let env = followed();
    let main = env.git("shared.git", &["rev-parse", "main"]);
    env.ok(&["env", "promote", "prod", "staging", "--branch", "next"]);
    assert_eq!(env.git("shared.git", &["log", "--format=%s", "main..next"]), "env: staging model 1.0.0\n");
    assert_eq!(env.git("shared.git", &["rev-parse", "main"]), main);
    env.fails(3, &["env", "show", "staging"]);
    env.ok(&["deploy", "--env", "staging", "--at", "next"]);
}

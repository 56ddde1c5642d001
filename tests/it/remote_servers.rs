//! Records repositories on real servers: over ssh, and over smart HTTP with a login; publishers that race; and what a first
//! look transfers, beside git itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::thread;

use serde_json::json;

use super::env::{Env, Ran};
use super::relay::Relay;
use super::remote::{bare, change};
use super::sample::is_whole;
use super::servers::smart_http::{PASSWORD, SmartHttp, USERNAME};
use super::servers::sshd::Sshd;

/// A project whose records are at a server, which runs as long as this lives.
struct Served<S> {
    env: Env,
    server: S,
    url: String,
}

fn over_ssh() -> Option<Served<Sshd>> {
    let server = Sshd::start()?;
    let env = Env::with_model();
    bare(&env, "shared.git");
    env.git("", &["config", "--global", "core.sshCommand", &server.client(server.port).display().to_string()]);
    let url = server.url(server.port, &env.path("shared.git"));
    env.configure("records:", &format!("records: {{repository: \"{url}\"}}"));
    Some(Served { env, server, url })
}

fn over_http() -> Option<Served<SmartHttp>> {
    let env = Env::with_model();
    bare(&env, "shared.git");
    env.git("shared.git", &["config", "http.receivepack", "true"]);
    let server = SmartHttp::serving(&env.path(""))?;
    let url = server.url(server.port, "shared.git");
    env.configure("records:", &format!("records: {{repository: \"{url}\"}}"));
    Some(Served { env, server, url })
}

/// Gives git a login by a program, as a token of a service is given.
fn with_helper(env: &Env, password: &str) {
    let helper = env.write(
        "home/helper",
        format!("#!/bin/sh\n[ \"$1\" != get ] || printf 'username={USERNAME}\\npassword={password}\\n'\n"),
    );
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("set");
    env.git("", &["config", "--global", "credential.helper", &helper.display().to_string()]);
}

/// Publishes two versions, one on a branch of its own, pins one, withdraws one, and deploys as of a commit.
fn everything(env: &Env) {
    env.publish("1.0.0");
    let first = env.git("shared.git", &["rev-parse", "main"]).trim().to_owned();
    change(env, "1.0.1");
    env.publish("1.0.1");
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    assert_eq!(env.link("components/model/current"), "1.0.1");
    change(env, "1.1.0");
    env.ok(&["pack", "--type", "model", "--version", "1.1.0"]);
    env.ok(&["publish", "model@1.1.0", "--branch", "release"]);
    env.fails(3, &["deploy", "model@1.1.0"]);
    env.ok(&["deploy", "model@1.1.0", "--at", "release"]);
    env.ok(&["record", "yank", "model@1.0.1", "--reason", "answers in Latin"]);
    proposals(env);
    // From another machine, which has only the URL and a commit.
    env.ok(&["deploy", "model@1.0.0", "--at", &first, "--store", "../other", "--root", "../other-root"]);
    env.fails(3, &["deploy", "model@1.0.1", "--at", &first, "--store", "../other", "--root", "../other-root"]);
    env.fails(4, &["deploy", "model@1.0.1", "--store", "../other", "--root", "../other-root"]);
    let log = env.git("shared.git", &["log", "--format=%s", "main"]);
    assert_eq!(
        log.lines().collect::<Vec<_>>(),
        ["yank: model 1.0.1", "env: prod model 1.0.1", "publish: model 1.0.1", "publish: model 1.0.0"]
    );
    env.git("shared.git", &["fsck", "--strict", "--no-dangling"]);
}

/// Proposes a version and an environment, each twice, and deploys them from their branches before anybody has merged them.
fn proposals(env: &Env) {
    change(env, "1.2.0");
    env.ok(&["pack", "--type", "model", "--version", "1.2.0"]);
    for (args, branch) in [
        (&["publish", "model@1.2.0", "--pr"][..], "deploy-tool/publish/model-1.2.0"),
        (&["env", "set", "model@1.0.0", "--env", "staging", "--pr"][..], "deploy-tool/staging/model-1.0.0"),
    ] {
        let (first, again) = (env.json(args), env.json(args));
        assert_eq!((&first["branch"], &first["pushed"]), (&json!(branch), &json!(true)), "{first}");
        assert_eq!((&again["commit"], &again["pushed"]), (&first["commit"], &json!(false)), "{again}");
        assert_eq!(env.git("shared.git", &["rev-list", "--count", &format!("main..{branch}")]), "1\n");
    }
    env.fails(3, &["deploy", "model@1.2.0"]);
    env.ok(&["deploy", "model@1.2.0", "--at", "deploy-tool/publish/model-1.2.0"]);
    env.ok(&["deploy", "--env", "staging", "--at", "deploy-tool/staging/model-1.0.0"]);
    assert_eq!(env.link("components/model/current"), "1.0.0");
}

#[test]
fn publish_branch_and_deploy_over_ssh() {
    let Some(served) = over_ssh() else { return };
    everything(&served.env);
    // Nobody is asked: a host that is not known is an error at once.
    served.env.git("", &["config", "--global", "core.sshCommand", "ssh -F none -o UserKnownHostsFile=none"]);
    let said = served.env.fails(1, &["record", "list", "--store", "../new"]);
    assert!(said.contains("Host key verification failed"), "{said}");
    assert!(said.contains(&format!("127.0.0.1:{}", served.server.port)), "{said}");
}

#[test]
fn publish_branch_and_deploy_over_http_with_a_login() {
    let Some(served) = over_http() else { return };
    let env = &served.env;
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    let said = env.fails(1, &["publish", "model@1.0.0"]);
    assert!(said.contains("Authentication failed"), "{said}");
    with_helper(env, "wrong-password");
    let said = env.fails(1, &["publish", "model@1.0.0"]);
    assert!(said.contains("Authentication failed") && !said.contains("wrong-password"), "{said}");
    with_helper(env, PASSWORD);
    everything(env);
    // The login is nowhere but in the helper.
    let everywhere = Command::new("grep").arg("-rl").arg(PASSWORD).arg(env.path("")).output().expect("grep runs");
    let found = String::from_utf8_lossy(&everywhere.stdout).into_owned();
    assert_eq!(found.trim(), env.path("home/helper").display().to_string());
}

const PUBLISHERS: usize = 8;

/// How many versions each of them publishes. Two are a race already: the second is put on what the others have changed.
fn each() -> usize {
    if is_whole() { 50 } else { 2 }
}

/// What one publisher does: every one of its versions, from a store of its own as on a machine of its own. Half of them
/// publish one component, the others one each.
fn publisher(env: &Env, number: usize, each: usize) -> Vec<String> {
    let component = if number.is_multiple_of(2) { "model".to_owned() } else { format!("part{number}") };
    let (source, store, dist) = (format!("src-{number}"), format!("../store-{number}"), format!("../dist-{number}"));
    let mut published = Vec::new();
    for version in 0..each {
        let version = format!("{number}.{version}");
        env.write(&format!("{source}/weights"), &version);
        let source = format!("../{source}");
        let pack = ["pack", &source, "--type", &component, "--version", &version, "--store", &store, "--output", &dist];
        env.ok(&pack);
        let what = format!("{component}@{version}");
        let ran =
            Ran::of(env.command(&["publish", &what, "--store", &store, "--to", "near"]).output().expect("it runs"));
        assert_eq!(ran.status, Some(0), "{what}: {ran:?}");
        published.push(what);
    }
    published
}

fn race(env: &Env, each: usize) {
    let mut published: Vec<_> = thread::scope(|scope| {
        let racing: Vec<_> = (0..PUBLISHERS).map(|number| scope.spawn(move || publisher(env, number, each))).collect();
        racing.into_iter().flat_map(|one| one.join().expect("a publisher")).collect()
    });
    published.sort();
    assert_eq!(published.len(), PUBLISHERS * each);
    // Every one is there, once, each by a commit of its own on the one before.
    let mut subjects: Vec<_> = env.git("shared.git", &["log", "--format=%s", "main"]).lines().map(named).collect();
    subjects.sort();
    assert_eq!(subjects, published);
    let parents = env.git("shared.git", &["log", "--format=%p", "main"]);
    assert!(parents.lines().all(|line| line.split(' ').count() == 1), "a commit with two parents");
    env.git("shared.git", &["fsck", "--strict", "--no-dangling"]);
    let listed = env.json(&["record", "list", "--store", "../reader"]);
    let name = |v: &serde_json::Value| Some(format!("{}@{}", v["type"].as_str()?, v["version"].as_str()?));
    let mut listed: Vec<_> = listed.as_array().expect("a list").iter().filter_map(name).collect();
    listed.sort();
    assert_eq!(listed, published);
}

/// `publish: model 1.0.0` as `model@1.0.0`.
fn named(subject: &str) -> String {
    subject.trim_start_matches("publish: ").replace(' ', "@")
}

#[test]
fn eight_publishers_race_over_ssh_and_nothing_is_lost() {
    let Some(served) = over_ssh() else { return };
    race(&served.env, each());
}

#[test]
fn eight_publishers_race_over_http_and_nothing_is_lost() {
    let Some(served) = over_http() else { return };
    with_helper(&served.env, PASSWORD);
    race(&served.env, each());
}

/// A repository of many versions.
fn with_history(env: &Env, types: usize, versions: usize) {
    let mut import = String::new();
    import.push_str("commit refs/heads/main\ncommitter Mei <mei@example.org> 1700000000 +0000\ndata 4\nmany\n");
    for kind in 0..types {
        for version in 0..versions {
            for file in ["manifest.json", "record.json"] {
                let text =
                    format!("{kind} {version} {file} {}\n", blake3::hash(format!("{kind} {version}").as_bytes()));
                let path = format!("records/packages/type{kind}/1.0.{version}/{file}");
                import.push_str(&format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len()));
            }
        }
    }
    env.write("import", import);
    let input = fs::File::open(env.path("import")).expect("there");
    let mut git = env.hermetic("git");
    git.args(["fast-import", "--quiet"]).current_dir(env.path("shared.git")).stdin(input);
    assert!(git.status().expect("git runs").success());
}

#[test]
#[allow(clippy::print_stdout)]
fn a_first_look_transfers_at_most_twice_what_git_does() {
    let Some(served) = over_ssh() else { return };
    let env = &served.env;
    with_history(env, 50, 400);
    env.publish("1.0.0");
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    let relay = Relay::start(served.server.port, None, u64::MAX, || {});
    env.git("", &["config", "--global", "core.sshCommand", &served.server.client(relay.port).display().to_string()]);
    let url = served.server.url(relay.port, &env.path("shared.git"));
    assert_ne!(url, served.url);
    let records = ["--records", &url, "--store", "../first"];
    env.ok(&[&["env", "show", "prod"], &records[..]].concat());
    let ours = relay.passed();
    // git itself: the least it can be asked for, tree by tree and file by file, by a client that knows every path.
    let git = |args: &[&str]| env.git("", &[&["--git-dir=least.git"], args].concat());
    env.git("", &["init", "-q", "--bare", "least.git"]);
    git(&["fetch", "-q", "--depth=1", "--filter=tree:0", &url, "main"]);
    for path in ["", "records", "records/environments", "records/environments/prod.json", "records/packages"]
        .into_iter()
        .chain(["model", "model/1.0.0", "model/1.0.0/manifest.json", "model/1.0.0/record.json"])
    {
        let path = if path.starts_with("model") { format!("records/packages/{path}") } else { path.to_owned() };
        let id = env.git("shared.git", &["rev-parse", &format!("main:{path}")]).trim().to_owned();
        let filter = ["-c", "fetch.negotiationAlgorithm=noop", "fetch", "-q", "--filter=tree:0", &url, &id];
        git(&filter);
    }
    let theirs = relay.passed() - ours;
    // And as git users do: a clone without files, then the paths.
    env.git("", &["clone", "-q", "--bare", "--depth=1", "--filter=blob:none", &url, "users.git"]);
    for path in ["records/packages/model/1.0.0/manifest.json", "records/packages/model/1.0.0/record.json"] {
        env.git("users.git", &["show", &format!("main:{path}")]);
    }
    let users = relay.passed() - ours - theirs;
    println!("first look: {ours} bytes; git, path by path: {theirs}; a clone without files: {users}");
    assert!(ours <= theirs * 2, "{ours} bytes, git {theirs}");
    assert!(ours <= users * 2, "{ours} bytes, a clone {users}");
}

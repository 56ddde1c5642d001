//! `doctor`: one defect at a time, each found for what it is, with a command that mends it; and what looking must not do.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::{Value, json};

use super::bad_disk::Ordinary;
use super::env::{CONFIG, Env, PROGRAM, Ran};
use super::fault_server::{Server, Way};
use super::full_disk::{noise, on_small_disk};

/// Versions 1.0.0 and 1.0.1 of a model and one configuration, all published, the later ones current as release 2.
fn healthy() -> Env {
    let env = Env::with_model();
    env.write("project/configs/app.conf", "threshold = 0.5\n");
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["pack", "--type", "config", "--version", "2"]);
    env.ok(&["publish", "config@2"]);
    env.ok(&["deploy", "model@1.0.0"]);
    env.ok(&["deploy", "model@1.0.1", "config@2"]);
    env
}

/// The report, and whether it says that there are errors.
fn report(env: &Env, args: &[&str]) -> Value {
    let ran = env.run(&[&["doctor", "--json"], args].concat());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let errors = report["counts"]["error"].as_u64().expect("a number");
    assert_eq!(ran.status, Some(i32::from(errors > 0)), "{ran:?}");
    report
}

fn findings(report: &Value) -> Vec<Value> {
    let all = report["findings"].as_array().expect("a list").iter();
    all.filter(|finding| finding["severity"] != "ok").cloned().collect()
}

/// What is found that is not as it should be: ids with severities. Looking changes nothing, and no sentence has a gap.
fn found(env: &Env, args: &[&str]) -> Vec<(String, String)> {
    let before = env.listing();
    let report = report(env, args);
    let text = env.run(&[&["doctor", "-v"], args].concat()).stdout;
    env.assert_unchanged(&before, args);
    assert!(!text.contains('{') || text.contains("${"), "{text}");
    let field = |finding: &Value, name: &str| finding[name].as_str().expect("text").to_owned();
    for finding in findings(&report) {
        // The two looks may be in two seconds.
        let now = finding["facts"]["now"].as_str().unwrap_or("\n");
        let mut parts = finding["what"].as_str().expect("text").split(now);
        assert!(parts.all(|part| text.contains(part)), "{finding}: {text}");
    }
    findings(&report).iter().map(|finding| (field(finding, "id"), field(finding, "severity"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, severity)| ((*id).to_owned(), (*severity).to_owned())).collect()
}

/// Runs a command in the project's directory, as a user would who copied it.
fn shell(env: &Env, command: &str) -> Ran {
    let bin = Path::new(PROGRAM).parent().expect("a directory");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    Ran::of(env.hermetic("sh").args(["-c", command]).env("PATH", path).output().expect("sh runs"))
}

/// Exactly this is wrong, and the command that is named mends it.
fn mended(env: &Env, args: &[&str], id: &str, severity: &str) -> Value {
    assert_eq!(found(env, args), pairs(&[(id, severity)]));
    let finding = findings(&report(env, args)).remove(0);
    assert!(finding["why"].as_str().is_some_and(|why| !why.is_empty()), "{finding}");
    let command = finding["mend"].as_str().unwrap_or_else(|| panic!("no command: {finding}"));
    let ran = shell(env, command);
    assert_eq!(ran.status, Some(0), "{command}: {ran:?}");
    assert_eq!(found(env, args), [], "after `{command}`");
    finding
}

/// Exactly this is wrong, there is no command for it but an advice; `mend` is what a user then does.
fn advised(env: &Env, args: &[&str], id: &str, severity: &str, mend: impl FnOnce()) -> Value {
    assert_eq!(found(env, args), pairs(&[(id, severity)]));
    let finding = findings(&report(env, args)).remove(0);
    let text = |name: &str| finding[name].as_str().is_some_and(|text| !text.is_empty());
    assert!(text("why") && text("hint") && finding["mend"].is_null(), "{finding}");
    mend();
    assert_eq!(found(env, args), [], "after the advice of {finding}");
    finding
}

fn remove(env: &Env, sub: &str) {
    let path = env.path(sub);
    let removed = if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    removed.unwrap_or_else(|e| panic!("{sub}: {e}"));
}

fn mode(env: &Env, sub: &str, mode: u32) {
    fs::set_permissions(env.path(sub), Permissions::from_mode(mode)).expect("set");
}

/// Replaces a text in a file of the records and commits it.
fn commit(env: &Env, file: &str, content: &str) {
    env.write(&format!("records/{file}"), content);
    env.git("records", &["add", "-A"]);
    env.git("records", &["commit", "-qm", "by hand"]);
}

const OFFLINE: &[&str] = &["--offline"];

#[test]
fn nothing_is_wrong_with_a_healthy_root() {
    let env = healthy();
    assert_eq!(found(&env, &[]), []);
    assert_eq!(found(&env, &["--deep"]), []);
    let said = env.ok(&["doctor"]);
    assert!(said.starts_with("nothing is wrong: ") && said.lines().count() == 1, "{said}");
    let all = env.ok(&["health", "-v"]);
    for about in ["configuration", "root", "links", "versions", "clock", "records", "store", "free", "`near`", "`far`"]
    {
        assert!(all.contains(about), "{about}: {all}");
    }
    assert!(!env.ok(&["doctor", "--offline", "-v"]).contains("`near`"));

    // Of a package that is large enough the speed is told, too.
    env.write("project/models/bert/pytorch_model.bin", noise());
    env.publish("1.0.2");
    env.ok(&["deploy", "model@1.0.2"]);
    let all = report(&env, &[]);
    let speeds = all["findings"].as_array().expect("a list").iter().filter(|f| f["id"] == "target-ok");
    assert!(speeds.clone().all(|f| f["facts"]["speed"].as_u64() > Some(0) && f["facts"]["read"] == 1 << 20), "{all}");
    assert_eq!(speeds.count(), 2, "{all}");
}

#[test]
fn a_project_that_was_never_used_is_no_error() {
    let env = Env::with_model();
    env.write("project/.deploy-tool.yaml", "");
    assert_eq!(found(&env, &[]), pairs(&[("no-root", "info")]));
    fs::remove_file(env.path("project/.deploy-tool.yaml")).expect("removed");
    assert_eq!(found(&env, &[]), pairs(&[("no-root", "info")]));
}

#[test]
fn links() {
    let env = healthy();
    for link in ["links/model", "components/model/current", "releases/current", "releases/2/config"] {
        let link = format!("root/{link}");
        remove(&env, &link);
        mended(&env, OFFLINE, "link-missing", "error");
        remove(&env, &link);
        symlink("elsewhere", env.path(&link)).expect("linked");
        mended(&env, OFFLINE, "link-wrong", "error");
        remove(&env, &link);
        env.write(&link, "mine\n");
        mended(&env, OFFLINE, "link-replaced", "error");
    }
    env.ok(&["undeploy", "config"]);
    symlink("2", env.path("root/components/config/current")).expect("linked");
    mended(&env, OFFLINE, "link-stray", "warning");
}

#[test]
fn custom_links() {
    let env = healthy();
    fs::create_dir(env.path("app")).expect("made");
    let configured = |target: &str| {
        let (link, target) = (env.path("app/models"), env.path(target));
        let with = format!("deploy: {{root: ../root, custom_links: {{{}: {}}}}}", link.display(), target.display());
        env.write("project/.deploy-tool.yaml", CONFIG.replace("deploy: {root: ../root}", &with));
    };
    configured("root/links/model");
    mended(&env, OFFLINE, "link-missing", "error");
    remove(&env, "app/models");
    symlink("/elsewhere", env.path("app/models")).expect("linked");
    mended(&env, OFFLINE, "link-foreign", "error");
    remove(&env, "root/links/model");
    mended(&env, OFFLINE, "link-missing", "error");
    env.write("other/file", "");
    configured("other");
    env.ok(&["links", "repair"]);
    remove(&env, "other");
    advised(&env, OFFLINE, "link-dangling", "warning", || {
        configured("root/links/model");
        env.ok(&["links", "repair"]);
    });
}

#[test]
fn versions_that_are_gone_or_nobodys() {
    let env = healthy();
    remove(&env, "root/components/model/1.0.1");
    let finding = mended(&env, OFFLINE, "version-gone", "error");
    assert_eq!(finding["facts"]["version"], "1.0.1");
    remove(&env, "root/components/model/1.0.0");
    let finding = mended(&env, OFFLINE, "release-lacks", "warning");
    assert_eq!((&finding["facts"]["version"], &finding["facts"]["release"]), (&json!("1.0.0"), &json!(1)));
    fs::create_dir(env.path("root/components/model/9.9")).expect("made");
    mended(&env, OFFLINE, "version-unknown", "warning");
    let receipt = env.read("root/.deploy-tool/receipts/model/1.0.0.json");
    env.write("root/.deploy-tool/receipts/model/0.9.json", receipt.replace("1.0.0", "0.9"));
    mended(&env, OFFLINE, "receipt-left", "info");
    env.write("root/.deploy-tool/receipts/model/1.0.0.json", "{\"type\": \"mod");
    mended(&env, OFFLINE, "receipt-damaged", "error");
    env.write("root/releases/1/notes.txt", "mine\n");
    mended(&env, OFFLINE, "release-damaged", "warning");
}

#[test]
fn pins() {
    let env = healthy();
    env.write("root/.deploy-tool/pins/model/7.0.0", "");
    mended(&env, OFFLINE, "pin-not-installed", "warning");
    env.write("root/.deploy-tool/pins/runtime/1", "");
    mended(&env, OFFLINE, "pin-not-installed", "warning");
    env.ok(&["version", "pin", "model", "1.0.0"]);
    assert_eq!(found(&env, OFFLINE), []);
    env.git("records", &["rm", "-rq", "records/packages/model/1.0.0"]);
    env.git("records", &["commit", "-qm", "gone"]);
    mended(&env, OFFLINE, "pin-not-recorded", "info");
}

#[test]
fn needs_and_cleanup() {
    let env = Env::with_model();
    env.configure("model:", "  model: {source: ./models, depends: {config: \">=2\"}}");
    env.publish("1.0.0");
    for version in ["1.0.0", "2.0.0"] {
        env.write("project/configs/app.conf", version);
        env.ok(&["pack", "--type", "config", "--version", version]);
        env.ok(&["publish", &format!("config@{version}")]);
        env.ok(&["deploy", &format!("config@{version}")]);
    }
    env.ok(&["deploy", "model@1.0.0"]);
    assert_eq!(found(&env, OFFLINE), []);
    env.ok(&["rollback", "config"]);
    let finding = mended(&env, OFFLINE, "need-unmet", "warning");
    assert_eq!((&finding["facts"]["need"], &finding["facts"]["is"]), (&json!("config"), &json!("1.0.0")));

    env.ok(&["undeploy", "model"]);
    env.configure("deploy:", "deploy: {root: ../root, keep: {last: 1}}");
    let finding = mended(&env, OFFLINE, "versions-to-clean", "info");
    assert_eq!(finding["facts"]["count"], 1);
}

#[test]
fn unfinished_work() {
    let env = healthy();
    for point in [5, 12] {
        let mut command = env.command(&["version", "switch", "model", if point == 5 { "1.0.0" } else { "1.0.1" }]);
        let killed = command.env("DEPLOY_TOOL_FAULT", format!("kill:{point}")).output().expect("it runs");
        assert_eq!(killed.status.code(), None, "{killed:?}");
        mended(&env, OFFLINE, "unfinished-release", "warning");
        env.ok(&["version", "switch", "model", "1.0.0"]);
    }
    env.write("root/.deploy-tool/journal/cleanup.json", "{}");
    mended(&env, OFFLINE, "unfinished-cleanup", "warning");
    env.write("root/.deploy-tool/staging/model@9/bert/part", "half");
    mended(&env, OFFLINE, "leftovers", "warning");
    symlink("9", env.path("root/releases/.current.deploy-tool-new")).expect("linked");
    mended(&env, OFFLINE, "leftovers", "warning");
    let current = env.link("releases/current");
    env.write(&format!("root/.deploy-tool/journal/{current}.json"), "{\"ent");
    mended(&env, OFFLINE, "journal-torn", "error");
}

#[test]
fn a_history_that_cannot_be_read() {
    let env = healthy();
    let history = env.read("root/.deploy-tool/history.jsonl");
    env.write("root/.deploy-tool/history.jsonl", format!("scratched\n{history}"));
    advised(&env, OFFLINE, "history-unreadable", "error", || {
        shell(&env, "sed -i 1d ../root/.deploy-tool/history.jsonl");
    });

    // An edit that can be read is seen by the chain of digests.
    let history = env.read("root/.deploy-tool/history.jsonl");
    env.write("root/.deploy-tool/history.jsonl", history.replacen("mei@", "joe@", 1));
    advised(&env, OFFLINE, "history-edited", "error", || drop(env.write("root/.deploy-tool/history.jsonl", &history)));

    // The last line says what is current: without it nothing that needs to know can be looked at, and all of it says so.
    let env = healthy();
    env.write("root/.deploy-tool/history.jsonl", format!("{history}scratched\n"));
    let ids = found(&env, OFFLINE);
    assert!(ids.iter().any(|(id, severity)| id == "history-unreadable" && severity == "error"), "{ids:?}");
    shell(&env, "mv ../root/.deploy-tool/history.jsonl ../root/.deploy-tool/history.jsonl.damaged");
    let ids: Vec<_> = found(&env, OFFLINE).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["versions-to-clean"], "what was current before is not known any more");
    env.ok(&["version", "switch", "model", "1.0.0"]);
}

#[test]
fn who_may_write_to_the_root() {
    let env = healthy();
    mode(&env, "root/components/model", 0o777);
    let finding = mended(&env, OFFLINE, "root-open-to-all", "error");
    assert!(finding["facts"]["path"].as_str().is_some_and(|path| path.ends_with("root/components/model")));
    fs::create_dir_all(env.path("root/.deploy-tool/rejected")).expect("made");
    env.write("root/.deploy-tool/rejected/model.part", "wrong");
    mended(&env, OFFLINE, "rejected-kept", "info");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(env.path("root/releases"), Some(1234), None).expect("given");
        mended(&env, OFFLINE, "root-other-owner", "warning");
    }

    let user = Ordinary::new(env);
    mode(&user.env, "root/links", 0o555);
    let looked = |user: &Ordinary| -> Value {
        let ran = user.run(&["doctor", "--offline", "--json"]);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
    };
    let finding = &findings(&looked(&user))[0];
    assert_eq!((&finding["id"], &finding["severity"]), (&json!("root-not-writable"), &json!("error")));
    let command = finding["mend"].as_str().expect("a command");
    assert!(command.starts_with("chmod u+w ") && command.ends_with("root/links"), "{command}");
    shell(&user.env, command);
    assert_eq!(findings(&looked(&user)), Vec::<Value>::new());
}

#[test]
fn another_user_may_look_and_changes_nothing() {
    let env = healthy();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let user = Ordinary::new(env);
    let given = std::process::Command::new("chown").args(["-R", "1234:1234"]).arg(user.env.path("root")).status();
    assert!(given.expect("chown runs").success());
    let before = user.env.listing();
    let ran = user.run(&["doctor", "--json"]);
    user.env.assert_unchanged(&before, &["doctor"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let ids: Vec<_> = findings(&report).iter().map(|f| f["id"].clone()).collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| id == "root-of-another"), "{ids:?}");
    // What may not even be read is said, and the rest is looked at.
    mode(&user.env, "root/releases", 0o700);
    let ran = user.run(&["doctor", "--json"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert!(findings(&report).iter().any(|f| f["id"] == "root-unreadable"), "{report}");
    assert!(report["findings"].as_array().expect("a list").iter().any(|f| f["id"] == "store-ok"), "{report}");
}

#[test]
fn what_is_no_root_or_a_newer_one() {
    let env = healthy();
    env.write("root/.deploy-tool/format", "9\n");
    advised(&env, OFFLINE, "root-newer", "error", || drop(env.write("root/.deploy-tool/format", "1\n")));
    remove(&env, "root/.deploy-tool/format");
    let finding = findings(&report(&env, OFFLINE)).remove(0);
    let hint = finding["hint"].as_str().expect("an advice").to_owned();
    let command = hint.split('`').find(|part| part.starts_with("echo ")).expect("a command").to_owned();
    advised(&env, OFFLINE, "not-a-root", "error", || drop(shell(&env, &command)));
}

#[test]
fn clocks() {
    let env = healthy();
    let history = env.read("root/.deploy-tool/history.jsonl");
    let touch = |when: &str| shell(&env, &format!("touch -d '{when}' ../root/.deploy-tool/history.jsonl"));
    let at = history.rsplit_once("\"at\":\"").and_then(|(_, rest)| rest.split('"').next()).expect("a time");
    let (before, last) = history.trim_end().rsplit_once('\n').expect("two lines");
    let last = last.replace(at, "2099-01-01T00:00:00Z");
    env.write("root/.deploy-tool/history.jsonl", format!("{before}\n{last}\n"));
    advised(&env, OFFLINE, "clock-behind-history", "warning", || {
        env.write("root/.deploy-tool/history.jsonl", &history);
    });
    touch("2099-01-01");
    advised(&env, OFFLINE, "clock-behind-files", "warning", || drop(touch("now")));
    touch("2001-01-01");
    advised(&env, OFFLINE, "clock-ahead-of-files", "warning", || drop(env.ok(&["rollback"])));
}

#[test]
fn records() {
    let env = healthy();
    let model = "records/packages/model/1.0.1";
    let (manifest, record) = (
        env.committed("records", &format!("{model}/manifest.json")),
        env.committed("records", &format!("{model}/record.json")),
    );
    commit(&env, &format!("{model}/manifest.json"), &format!("{manifest}\n"));
    let restore = || commit(&env, &format!("{model}/manifest.json"), &manifest);
    advised(&env, OFFLINE, "record-damaged", "error", restore);
    commit(&env, &format!("{model}/record.json"), "{}");
    advised(&env, OFFLINE, "record-damaged", "error", || commit(&env, &format!("{model}/record.json"), &record));

    // Of versions that are not current only with `--deep`.
    let old = "records/packages/model/1.0.0/record.json";
    let was = env.committed("records", old);
    commit(&env, old, "{}");
    assert_eq!(found(&env, OFFLINE), []);
    advised(&env, &["--offline", "--deep"], "record-damaged", "error", || commit(&env, old, &was));

    env.git("records", &["rm", "-rq", model]);
    env.git("records", &["commit", "-qm", "gone"]);
    advised(&env, OFFLINE, "current-not-recorded", "warning", || {
        env.ok(&["record", "import", "--from", "near"]);
    });

    // The record of another content under the version: as if another repository were read.
    env.git_init("another");
    env.write("project/models/bert/config.json", "{\"layers\": 99}\n");
    let places = ["--records", "../another", "--store", "../store2"];
    env.ok(&[&["pack", "--type", "model", "--version", "1.0.1"][..], &places].concat());
    env.ok(&[&["publish", "model@1.0.1", "--to", "near"][..], &places].concat());
    let ids: Vec<_> = found(&env, &["--offline", "--records", "../another"]).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["current-not-recorded", "current-differs"]);

    env.write(
        &format!("records/{model}/yanked.json"),
        "{\"at\": \"2026-01-01T00:00:00Z\", \"reason\": \"wrong labels\", \"by\": \"mei\"}\n",
    );
    env.git("records", &["add", "-A"]);
    env.git("records", &["commit", "-qm", "yank"]);
    let finding = mended(&env, OFFLINE, "current-yanked", "warning");
    assert!(finding["what"].as_str().is_some_and(|what| what.contains("wrong labels")), "{finding}");
    assert_eq!(env.link("components/model/current"), "1.0.0");
}

#[test]
fn the_records_repository() {
    let env = healthy();
    env.write("records/.git/index.lock", "");
    mended(&env, OFFLINE, "records-locked", "warning");

    let config = env.read("project/.deploy-tool.yaml");
    let configured = |path: &str| {
        let text = config.replace("records: {repository: ../records}", &format!("records: {{repository: {path}}}"));
        env.write("project/.deploy-tool.yaml", text)
    };
    configured("../nowhere");
    advised(&env, OFFLINE, "records-missing", "error", || drop(configured("../records")));
    configured("./models");
    advised(&env, OFFLINE, "records-unusable", "error", || drop(configured("../records")));

    env.git("", &["init", "-q", "--bare", "hub"]);
    env.git("records", &["remote", "add", "origin", "../hub"]);
    env.git("records", &["push", "-qu", "origin", "main"]);
    assert_eq!(found(&env, &[]), []);
    assert!(env.ok(&["doctor", "-v"]).contains("the remote `origin` of the records answers"));
    env.write("project/models/bert/config.json", "{\"layers\": 3}\n");
    env.publish("1.0.2");
    let finding = mended(&env, OFFLINE, "records-unpushed", "info");
    assert_eq!(finding["facts"]["count"], 1);

    fs::rename(env.path("hub"), env.path("moved")).expect("moved");
    assert_eq!(found(&env, &[]), pairs(&[("remote-unreachable", "warning")]));
    assert_eq!(found(&env, OFFLINE), []);
    let finding = findings(&report(&env, &[])).remove(0);
    let refused = shell(&env, finding["mend"].as_str().expect("a command"));
    assert!(refused.status != Some(0) && refused.stderr.contains("hub"), "git says why: {refused:?}");
}

#[test]
fn the_store() {
    let env = healthy();
    let list = env.json(&["store", "list"]);
    let largest = list.as_array().expect("a list").iter().max_by_key(|entry| entry["size"].as_u64()).expect("one");
    let digest = largest["sha256"].as_str().expect("a digest").to_owned();
    let content = format!("store/sha256/{}/{digest}", &digest[..2]);

    mode(&env, &content, 0o644);
    mended(&env, OFFLINE, "store-content-writable", "warning");
    env.write("store/sha256/ab/notes.txt", "mine\n");
    mended(&env, OFFLINE, "store-foreign", "warning");
    env.write("store/tmp/.incoming.1-0.tmp", "half");
    mended(&env, OFFLINE, "store-leftovers", "info");
    env.configure("store:", "store: {path: ../store, max_size: 1000}");
    mended(&env, OFFLINE, "store-over-size", "info");
    env.configure("store:", "store: {path: ../store}");

    env.ok(&["pack", "--type", "model", "--version", "3.0.0"]);
    let list = env.json(&["store", "list"]);
    let held =
        list.as_array().expect("a list").iter().find(|entry| entry["unpublished"] == "model@3.0.0").expect("held");
    let digest = held["sha256"].as_str().expect("a digest");
    remove(&env, &format!("store/sha256/{}/{digest}", &digest[..2]));
    mended(&env, OFFLINE, "store-lacks", "warning");

    env.configure("store:", "store: {path: ./models}");
    advised(&env, OFFLINE, "not-a-store", "error", || env.configure("store:", "store: {path: ../store}"));
}

#[test]
fn corrupt_content() {
    let env = healthy();
    let current = env.json(&["record", "show", "model@1.0.1"]);
    let digest = current["manifest"]["package"]["checksum"]["value"].as_str().expect("a digest").to_owned();
    let path = env.path(format!("store/sha256/{}/{digest}", &digest[..2]));
    let bytes = fs::read(&path).expect("read");
    let put = |bytes: &[u8]| {
        fs::remove_file(&path).expect("removed");
        fs::write(&path, bytes).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o444)).expect("set");
    };
    // Set aside it is worth knowing, until it is removed.
    let set_aside = |args: &[&str]| {
        assert_eq!(found(&env, args), pairs(&[("store-corrupt", "error")]));
        let finding = findings(&report(&env, args)).remove(0);
        // It ends as `store verify` does that found something.
        assert_eq!(shell(&env, finding["mend"].as_str().expect("a command")).status, Some(4));
        mended(&env, args, "store-set-aside", "info");
    };
    put(&bytes[..bytes.len() - 1]);
    set_aside(OFFLINE);
    env.ok(&["deploy", "model@1.0.1"]);
    fs::write(&path, &bytes).expect("written");
    let mut flipped = bytes.clone();
    flipped[40] ^= 1;
    put(&flipped);
    assert_eq!(found(&env, OFFLINE), [], "a quick look reads no content");
    set_aside(&["--offline", "--deep"]);
}

#[test]
fn targets() {
    let env = healthy();
    let package = "targets/far/model/1.0.1/model-1.0.1.tar.gz";
    remove(&env, package);
    mended(&env, &[], "target-lacks", "warning");
    mode(&env, package, 0o644);
    let bytes = fs::read(env.path(package)).expect("read");
    env.write(package, &bytes[1..]);
    let finding = advised(&env, &[], "target-other-size", "error", || {
        remove(&env, package);
        env.ok(&["publish", "model@1.0.1", "--to", "far"]);
    });
    assert_eq!(finding["facts"]["expected"].as_u64(), Some(bytes.len() as u64));

    // A target that is no directory; then none is left.
    let away = |name: &str| {
        fs::rename(env.path(format!("targets/{name}")), env.path(name)).expect("moved");
        env.write(&format!("targets/{name}"), "no directory\n");
    };
    let back = |name: &str| {
        remove(&env, &format!("targets/{name}"));
        fs::rename(env.path(name), env.path(format!("targets/{name}"))).expect("moved");
    };
    away("far");
    assert_eq!(found(&env, &[]), pairs(&[("target-unreachable", "warning")]));
    away("near");
    assert_eq!(found(&env, &[]), pairs(&[("target-unreachable", "error"), ("target-unreachable", "error")]));
    assert_eq!(found(&env, OFFLINE), []);
    back("near");
    advised(&env, &[], "target-unreachable", "warning", || back("far"));
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    let env = healthy();
    let server = Server::start(&[]);
    let record = "records/packages/model/1.0.1/record.json";
    let mut changed: Value = serde_json::from_str(&env.committed("records", record)).expect("JSON");
    let place = json!({"name": "web", "type": "http", "url": server.url("/model/model-1.0.1.tar.gz")});
    changed["locations"].as_array_mut().expect("a list").push(place);
    commit(&env, record, &format!("{changed:#}\n"));
    let far = "    far: {type: filesystem, path: ../targets/far}";
    let web = format!("{far}\n    web: {{type: http, url: \"{}\"}}", server.url("/"));
    env.configure("far:", &web);
    env.configure("default:", "  default: [near, far]");
    env.configure("deploy:", "deploy: {root: ../root, stall_timeout: 1s}");
    assert_eq!(found(&env, &[]), pairs(&[("target-lacks", "warning")]), "it answers that it has none");
    server.misbehave(Way::Silence, usize::MAX).to_all();
    let started = std::time::Instant::now();
    assert_eq!(findings(&report(&env, &[]))[0]["id"], "target-unreachable");
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
    drop(server);
    let finding = findings(&report(&env, &[])).remove(0);
    assert_eq!((&finding["id"], &finding["severity"]), (&json!("target-unreachable"), &json!("warning")));
    assert!(finding["what"].as_str().is_some_and(|what| what.contains("`web`")), "{finding}");
}

#[test]
fn a_configuration_that_cannot_be_used_is_a_finding() {
    let env = healthy();
    let config = env.read("project/.deploy-tool.yaml");
    env.write("project/.deploy-tool.yaml", config.replace("  default:", "  defualt:"));
    env.fails(2, &["status"]);
    assert_eq!(found(&env, &[]), pairs(&[("configuration-invalid", "error"), ("not-looked-at", "info")]));
    let finding = findings(&report(&env, &[])).remove(0);
    let what = finding["what"].as_str().expect("text");
    assert!(
        what.contains(".deploy-tool.yaml:8:3") && what.contains("`publish.defualt`") && what.contains("`default`"),
        "{what}"
    );
    // What is given all the same is looked at, and the commands that mend go there.
    remove(&env, "root/links/model");
    let given = ["--root", "../root", "--records", "../records", "--store", "../store"];
    let expected = [("configuration-invalid", "error"), ("not-looked-at", "info"), ("link-missing", "error")];
    assert_eq!(found(&env, &given), pairs(&expected));
    let mend = findings(&report(&env, &given)).remove(2)["mend"].clone();
    assert_eq!(mend, "deploy-tool --root ../root --records ../records --store ../store links repair");
    env.write("project/.deploy-tool.yaml", &config);
    env.ok(&["links", "repair"]);

    let secret = "    web: {type: http, url: \"http://127.0.0.1:1/\", token: s3cret}\n";
    env.write("project/.deploy-tool.yaml", config.replace("    near:", &format!("{secret}    near:")));
    let finding =
        advised(&env, OFFLINE, "literal-secret", "warning", || drop(env.write("project/.deploy-tool.yaml", &config)));
    assert!(!finding.to_string().contains("s3cret"));
    assert_eq!(finding["facts"]["key"], "publish.targets.web.token");
}

#[test]
fn little_room() {
    let env = healthy();
    let script = r#"
        deploy() { "$TOOL" deploy --root "$SMALL/app" --store "$SMALL/store" "$@" >"$SMALL/../log"; }
        deploy config@2
        doctor() { "$TOOL" doctor --offline --json --root "$SMALL/app" --store "$SMALL/store" >"$SMALL/../$1" || true; }
        doctor roomy
        head -c 1000k /dev/zero >"$SMALL/fill" 2>"$SMALL/../log" || true
        doctor full
        rm "$SMALL/fill"
        mkdir "$SMALL/many"
        n=0; while [ $n -lt 200 ]; do touch "$SMALL/many/$n" 2>"$SMALL/../log" || break; n=$((n + 1)); done
        doctor many
        rm -r "$SMALL/many"
        mount -o remount,ro "$SMALL"
        doctor readonly
    "#;
    let Some(ran) = on_small_disk(&env, script) else { return };
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let ids = |name: &str| -> Vec<(String, String)> {
        let report: Value = serde_json::from_str(&env.read(name)).expect("JSON");
        let text = |finding: &Value, name: &str| finding[name].as_str().expect("text").to_owned();
        findings(&report).iter().map(|finding| (text(finding, "id"), text(finding, "severity"))).collect()
    };
    assert_eq!(ids("roomy"), []);
    assert_eq!(ids("full"), pairs(&[("space-short", "error")]));
    assert_eq!(ids("many"), pairs(&[("inodes-short", "error")]));
    let readonly = ids("readonly");
    assert!(readonly.iter().any(|(id, severity)| id == "root-read-only" && severity == "error"), "{readonly:?}");
    assert!(readonly.iter().any(|(id, _)| id == "store-not-writable"), "{readonly:?}");
}

#[test]
fn fixing_does_what_is_safe_and_says_so() {
    let env = healthy();
    env.write("root/.deploy-tool/staging/model@9/part", "half");
    env.write("store/tmp/.incoming.1-0.tmp", "half");
    remove(&env, "root/links/model");
    fs::create_dir(env.path("root/components/model/9.9")).expect("made");
    let before = env.listing();
    let planned = env.run(&["doctor", "--offline", "--fix", "--dry-run", "--json"]);
    env.assert_unchanged(&before, &["doctor", "--fix", "--dry-run"]);
    let planned: Value = serde_json::from_str(&planned.stdout).expect("JSON");
    assert_eq!(planned["would_fix"], json!(["recover", "links", "store"]));
    let fixed = report(&env, &["--offline", "--fix"]);
    let expected = json!([
        {"fix": "swept", "count": 1},
        {"fix": "links", "count": 1},
        {"fix": "store", "count": 1, "bytes": 4},
    ]);
    assert_eq!(fixed["fixed"], expected);
    let left: Vec<_> = findings(&fixed).iter().map(|f| f["id"].clone()).collect();
    assert_eq!(left, ["version-unknown"], "what is left needs somebody to look at it");
    assert!(env.path("root/components/model/9.9").exists(), "no version is deleted");
    env.ok(&["links", "verify"]);

    // Where there is nothing to fix no lock is taken, and where somebody is at work nothing is fixed.
    remove(&env, "root/components/model/9.9");
    let before = env.listing();
    assert_eq!(report(&env, &["--fix"])["fixed"], json!([]));
    env.assert_unchanged(&before, &["doctor", "--fix"]);
    remove(&env, "root/links/model");
    let lock = fs::File::open(env.path("root/.deploy-tool/lock")).expect("there");
    lock.lock().expect("locked");
    let said = env.fails(5, &["doctor", "--offline", "--fix"]);
    assert!(said.contains("locked"), "{said}");
    assert_eq!(found(&env, OFFLINE), pairs(&[("link-missing", "error")]), "looking needs no lock");
    drop(lock);
    let said = env.ok(&["doctor", "--offline", "--fix"]);
    assert!(said.starts_with("fixed: mended 1 link\nnothing is wrong: "), "{said}");
}

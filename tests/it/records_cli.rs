//! Reading the records, and deploying by every kind of reference.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::env::{CONFIG, Env};

/// Versions 1.0.0, 1.2.0 and 2.0.0-rc.1, each with another configuration. Returns the commit of the first.
fn three_versions(env: &Env) -> String {
    let mut first = String::new();
    for (layers, version) in [(12, "1.0.0"), (6, "1.2.0"), (24, "2.0.0-rc.1")] {
        env.write("project/models/bert/config.json", format!("{{\"layers\": {layers}}}\n"));
        env.publish(version);
        if first.is_empty() {
            first = env.git("records", &["rev-parse", "HEAD"]).trim().to_owned();
        }
    }
    first
}

fn current(env: &Env) -> String {
    env.link("components/model/current")
}

/// A text with `<time>` for every time and without runs of blanks.
fn timeless(text: &str) -> String {
    let word = |word: &str| if word.len() == 20 && word.ends_with('Z') { "<time>".to_owned() } else { word.to_owned() };
    let line = |line: &str| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Rewrites one committed file of a version and commits.
fn commit(env: &Env, version: &str, file: &str, change: impl FnOnce(&mut Value)) {
    let path = format!("records/records/packages/model/{version}/{file}");
    let mut value = serde_json::from_str(&env.read(&path)).expect("JSON");
    change(&mut value);
    env.write(&path, serde_json::to_string_pretty(&value).expect("JSON"));
    env.git("records", &["add", "."]);
    env.git("records", &["commit", "-qm", "by hand"]);
}

fn yank(env: &Env, version: &str) {
    let yanked = json!({"at": "2026-01-02T03:04:05Z", "reason": "answers in Latin", "by": "Li"});
    env.write(&format!("records/records/packages/model/{version}/yanked.json"), yanked.to_string());
    env.git("records", &["add", "."]);
    env.git("records", &["commit", "-qm", "yank"]);
}

#[test]
fn list_and_show() {
    let env = Env::with_model();
    let first = three_versions(&env);
    yank(&env, "1.2.0");
    let digest = |version: &str| {
        let shown = env.json(&["record", "show", &format!("model@{version}")]);
        shown["manifest"]["package"]["checksum"]["value"].as_str().expect("a digest").to_owned()
    };
    let mut listed = timeless(&env.ok(&["record", "list"]));
    for version in ["1.0.0", "1.2.0", "2.0.0-rc.1"] {
        listed = listed.replace(&digest(version)[..16], "<digest>");
    }
    for seconds in 0..60 {
        listed = listed.replace(&format!(" {seconds}s near"), " <age> near");
    }
    assert_snapshot!(listed, @r"
    COMPONENT VERSION STATE SIZE PACKAGE PUBLISHED AGE LOCATIONS
    model 1.0.0 626 B <digest> <time> <age> near, far
    model 1.2.0 yanked 626 B <digest> <time> <age> near, far
    model 2.0.0-rc.1 626 B <digest> <time> <age> near, far
    ");
    let all = env.json(&["record", "list", "model"]);
    let versions: Vec<_> = all.as_array().expect("a list").iter().map(|v| (&v["version"], &v["yanked"])).collect();
    assert_eq!(json!(versions), json!([["1.0.0", false], ["1.2.0", true], ["2.0.0-rc.1", false]]));
    assert_eq!(all[0]["package"], digest("1.0.0"));
    assert_eq!(env.json(&["record", "list", "--at", &first]).as_array().map(Vec::len), Some(1));
    env.fails(3, &["record", "show", "model@1.2.0", "--at", &first]);

    assert_snapshot!(timeless(&env.shown(&env.ok(&["record", "show", "model@1.2.0"]))), @r"
    model@1.2.0
    package model-1.2.0.tar.gz (626 B, gzip)
    sha256 <hex>
    tree <hex>
    manifest <hex>
    created <time>
    published <time>
    commit <hex>
    location near: file://<dir>/targets/near/model/1.2.0/model-1.2.0.tar.gz
    location far: file://<dir>/targets/far/model/1.2.0/model-1.2.0.tar.gz
    yanked <time> by Li: answers in Latin
    ");
    let shown = env.json(&["record", "show", "model@1.2.0"]);
    let committed = |file: &str| -> Value {
        let path = format!("records/packages/model/1.2.0/{file}");
        serde_json::from_str(&env.committed("records", &path)).expect("JSON")
    };
    assert_eq!(shown["manifest"], committed("manifest.json"));
    assert_eq!(shown["record"], committed("record.json"));
    assert_eq!(shown["yanked"], committed("yanked.json"));
    assert_eq!(shown["commit"], env.git("records", &["rev-parse", "HEAD"]).trim());
}

/// What `record list` with these arguments names, in its order.
fn listed(env: &Env, args: &[&str]) -> Vec<String> {
    let report = env.json(&[&["record", "list"][..], args].concat());
    let name = |v: &Value| Some(format!("{}@{}", v["type"].as_str()?, v["version"].as_str()?));
    report.as_array().expect("a list").iter().filter_map(name).collect()
}

#[test]
fn a_list_is_filtered_and_sorted() {
    let env = Env::with_model();
    three_versions(&env);
    env.write("project/configs/app.conf", vec![b'#'; 9_000]);
    env.ok(&["pack", "--type", "config", "--version", "1.1.0"]);
    env.ok(&["publish", "config@1.1.0", "--to", "near"]);
    commit(&env, "1.0.0", "record.json", |record| record["published_at"] = json!("2025-06-01T00:00:00Z"));
    commit(&env, "1.2.0", "record.json", |record| record["published_at"] = json!("2024-01-20T10:30:00Z"));
    let [config, first, second, third] = ["config@1.1.0", "model@1.0.0", "model@1.2.0", "model@2.0.0-rc.1"];
    assert_eq!(listed(&env, &[]), [config, first, second, third]);
    assert_eq!(listed(&env, &["model"]), [first, second, third]);
    assert_eq!(listed(&env, &["--match", "1.*"]), [config, first, second]);
    assert_eq!(listed(&env, &["model", "--match", "{1.0.0,2*}"]), [first, third]);
    assert_eq!(listed(&env, &["--target", "near"]).len(), 4);
    assert_eq!(listed(&env, &["--target", "far"]), [first, second, third]);
    assert_eq!(listed(&env, &["--target", "elsewhere"]), [""; 0]);
    assert_eq!(listed(&env, &["--since", "2024-01-20T10:30:00Z"]).len(), 4, "that moment counts");
    assert_eq!(listed(&env, &["--since", "2024-01-20T10:30:01Z"]), [config, first, third]);
    assert_eq!(listed(&env, &["--since", "1d"]), [config, third]);
    assert_eq!(listed(&env, &["--yanked"]), [""; 0]);
    env.ok(&["record", "yank", second, "--reason", "answers in Latin"]);
    assert_eq!(listed(&env, &["--yanked"]), [second]);
    assert_eq!(listed(&env, &["--yanked", "--since", "2025-01-01T00:00:00Z"]), [""; 0]);
    // What is the same in that order stays in the usual one.
    assert_eq!(listed(&env, &["model", "--sort", "date"]), [second, first, third]);
    assert_eq!(listed(&env, &["model", "--sort", "date", "--reverse"]), [third, first, second]);
    let sizes: Vec<_> = env.json(&["record", "list", "--sort", "size"]).as_array().expect("a list").clone();
    let sizes: Vec<_> = sizes.iter().map(|v| v["size"].as_u64().expect("a size")).collect();
    assert!(sizes.is_sorted() && sizes[0] < sizes[3], "{sizes:?}");
    for args in [["--sort", "name"], ["--since", "yesterday"], ["--match", "["]] {
        env.fails(2, &[&["record", "list"][..], &args[..]].concat());
    }
    env.fails(3, &["record", "list", "nothing"]);
}

#[test]
fn a_list_says_what_this_root_has_and_how_old_each_is() {
    let env = Env::with_model();
    three_versions(&env);
    commit(&env, "1.0.0", "record.json", |record| record["published_at"] = json!("2024-01-20T10:30:00Z"));
    let states = |more: &[&str]| {
        let report = env.json(&[&["record", "list"][..], more].concat());
        let state = |v: &Value| (v["installed"] == true, v["current"] == true);
        report.as_array().expect("a list").iter().map(state).collect::<Vec<_>>()
    };
    assert_eq!(states(&[]), [(false, false); 3], "there is no root yet");
    env.ok(&["deploy", "model@1.0.0"]);
    env.ok(&["deploy", "model@1.2.0"]);
    assert_eq!(states(&[]), [(true, false), (true, true), (false, false)]);
    assert_eq!(states(&["--root", "../another"]), [(false, false); 3]);
    let report = env.json(&["record", "list"]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now").as_secs();
    let published = 1_705_746_600;
    let age = report[0]["age"].as_u64().expect("seconds");
    assert!((now - published - 60..=now - published).contains(&age), "{age}");
    assert!(report[1]["age"].as_u64().expect("seconds") < 600);
    let shown = timeless(&env.ok(&["record", "list", "--match", "1.0.0"]));
    let days = (now - published) / 86_400;
    assert!(shown.contains(" installed ") && shown.contains(&format!(" {days}d ")), "{shown}");
}

#[test]
fn by_every_kind_of_reference() {
    let env = Env::with_model();
    let first = three_versions(&env);
    let digest = env.json(&["record", "show", "model@1.0.0"]);
    let digest = digest["manifest"]["package"]["checksum"]["value"].as_str().expect("a digest").to_owned();
    let deploys = |reference: &str, more: &[&str], version: &str| {
        env.ok(&[&["deploy", reference], more].concat());
        assert_eq!(current(&env), version, "{reference} {more:?}");
    };
    deploys("model", &[], "1.2.0");
    deploys(&format!("model@sha256:{digest}"), &[], "1.0.0");
    deploys("model@latest", &[], "1.2.0");
    deploys(&format!("model@sha256:{}", &digest[..8]), &[], "1.0.0");
    deploys("model@^1.0", &[], "1.2.0");
    deploys("model@latest", &["--at", &first], "1.0.0");
    deploys("model@2.0.0-rc.1", &[], "2.0.0-rc.1");
    deploys("model@~1.0", &[], "1.0.0");
    let status = env.json(&["status"]);
    assert_eq!(status["components"][0]["package"], digest);
    // A checkout says nothing: only what is committed counts.
    fs::remove_dir_all(env.path("records/records")).expect("removed");
    deploys("model", &[], "1.2.0");
}

#[test]
fn a_record_file_needs_no_git() {
    let env = Env::with_model();
    env.publish("1.0.0");
    fs::create_dir(env.path("mail")).expect("made");
    for file in ["record.json", "manifest.json"] {
        let from = env.path("records/records/packages/model/1.0.0").join(file);
        fs::copy(from, env.path("mail").join(file)).expect("copied");
    }
    fs::remove_dir_all(env.path("records")).expect("removed");
    fs::remove_dir_all(env.path("store")).expect("removed");
    env.ok(&["deploy", "--record", "../mail/record.json"]);
    assert_eq!(current(&env), "1.0.0");
    fs::remove_file(env.path("mail/manifest.json")).expect("removed");
    assert_snapshot!(env.refused(4, &["deploy", "--record", "../mail/record.json"]), @r"
    error: refused a record without its manifest: `<dir>/mail/manifest.json` is missing, and nothing else says what the package's bytes are

    hint: put the `manifest.json` that was made by `pack` beside the record
    ");
    assert_snapshot!(env.refused(3, &["deploy", "--record", "../mail/recrod.json"]), @r"
    error: no record file `<dir>/mail/recrod.json`

    hint: give the path of a `record.json` that has its `manifest.json` beside it
    ");
}

#[test]
fn a_withdrawn_version_is_refused() {
    let env = Env::with_model();
    three_versions(&env);
    env.ok(&["deploy", "model@1.0.0"]);
    yank(&env, "1.2.0");
    assert_snapshot!(env.refused(4, &["deploy", "model@1.2.0"]), @r"
    error: model@1.2.0 is withdrawn: answers in Latin

    hint: deploy another version: `deploy-tool version list model`
    ");
    assert_eq!(env.refused(4, &["deploy", "model@1.2.0", "--dry-run"]), env.refused(4, &["deploy", "model@1.2.0"]));
    // What asks for no version in particular goes past it.
    env.ok(&["deploy", "model"]);
    assert_eq!(current(&env), "1.0.0");
    yank(&env, "1.0.0");
    assert_snapshot!(env.refused(3, &["deploy", "model@^1"]), @r"
    error: no version answers to `model@^1`: all that would were yanked, the highest is `1.2.0`

    hint: `deploy-tool record show model@1.2.0` says why
    ");
}

#[test]
fn dependencies_are_met_within_the_release() {
    let env = Env::with_model();
    env.write("project/configs/app.conf", "threshold = 0.5\n");
    for version in ["1.4.0", "2.1.0"] {
        env.ok(&["pack", "--type", "config", "--version", version]);
        env.ok(&["publish", &format!("config@{version}")]);
    }
    env.configure("model:", "  model: {source: ./models, depends: {config: \">=2\"}}");
    env.publish("1.0.0");
    assert_snapshot!(env.refused(4, &["deploy", "model@1.0.0"]), @r"
    error: model@1.0.0 needs config >=2, and no config would be deployed (recorded: 2.1.0)

    hint: deploy what fits together: `deploy-tool deploy config@2.1.0 model@1.0.0`
    ");
    assert_snapshot!(env.refused(4, &["deploy", "model@1.0.0", "config@1.4.0"]), @r"
    error: model@1.0.0 needs config >=2, and config would be 1.4.0 (recorded: 2.1.0)

    hint: deploy what fits together: `deploy-tool deploy config@2.1.0 model@1.0.0`
    ");
    // What the hint says.
    env.ok(&["deploy", "config@2.1.0", "model@1.0.0"]);
    // And it cannot be taken away afterwards.
    let said = env.refused(4, &["deploy", "config@1.4.0"]);
    assert_snapshot!(said, @r"
    error: model@1.0.0 needs config >=2, and config would be 1.4.0 (installed here: 2.1.0) (recorded: 2.1.0)

    hint: deploy what fits together: `deploy-tool deploy config@2.1.0`
    ");
}

#[test]
fn another_platform_is_refused() {
    let env = Env::with_model();
    env.configure("model:", "  model: {source: ./models, platform: {os: plan9, arch: x86_64}}");
    env.publish("1.0.0");
    let said = env.refused(4, &["deploy", "model"]);
    let host = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
    assert_snapshot!(said.replace(&host, "<host>"), @r"
    error: model@1.0.0 is made for plan9/x86_64, and this host is <host>

    hint: deploy a version that is made for this host
    ");
    let this = format!("  model: {{source: ./models, platform: {{os: {}}}}}", std::env::consts::OS);
    env.configure("model:", &this);
    env.publish("1.0.1");
    env.ok(&["deploy", "model"]);
}

#[test]
fn a_record_in_the_seeds_own_form() {
    let env = Env::with_model();
    env.publish("1.0.0");
    commit(&env, "1.0.0", "record.json", |record| {
        let record = record.as_object_mut().expect("an object");
        record.remove("manifest");
        record.remove("package");
    });
    env.ok(&["deploy", "model@1.0.0"]);
    assert_eq!(current(&env), "1.0.0");
    // Without its manifest nothing says what the bytes are.
    env.git("records", &["rm", "-q", "records/packages/model/1.0.0/manifest.json"]);
    env.git("records", &["commit", "-qm", "no manifest"]);
    assert_snapshot!(env.refused(4, &["deploy", "model@1.0.0"]), @r"
    error: refused a record without its manifest: `<hex>:records/packages/model/1.0.0/manifest.json` is missing, and nothing else says what the package's bytes are

    hint: put the `manifest.json` that was made by `pack` beside the record
    ");
}

#[test]
fn a_manifest_that_is_not_the_pinned_one_is_refused() {
    let env = Env::with_model();
    env.publish("1.0.0");
    commit(&env, "1.0.0", "manifest.json", |manifest| manifest["package"]["size"] = json!(7));
    assert_snapshot!(env.refused(4, &["deploy", "model@1.0.0"]), @r"
    error: refused `<hex>:records/packages/model/1.0.0/manifest.json`: its sha256 is <hex>, but the record pins <hex>

    hint: a manifest never changes once published: restore the bytes that were published (a checkout with converted line ends changes them too)
    ");
}

#[test]
fn a_fresh_clone_with_packages_inside_needs_no_configuration() {
    let env = Env::with_model();
    let inside = CONFIG.replace("../targets/near", "../records/packages").replace("[near, far]", "[near]");
    env.write("project/.deploy-tool.yaml", inside);
    env.publish("1.0.0");
    let record = env.committed("records", "records/packages/model/1.0.0/record.json");
    let record: Value = serde_json::from_str(&record).expect("JSON");
    assert_eq!(
        record["locations"],
        json!([{"name": "near", "type": "filesystem", "path": "packages/model/1.0.0/"}]),
        "relative, so that it is right in every clone"
    );
    env.git("records", &["add", "packages"]);
    env.git("records", &["commit", "-qm", "packages"]);
    env.git("", &["clone", "-q", "records", "elsewhere/clone"]);
    for gone in ["project", "records", "store"] {
        fs::remove_dir_all(env.path(gone)).expect("removed");
    }
    let args = ["deploy", "model", "--records", ".", "--root", "../root"];
    let output = env.command(&args).current_dir(env.path("elsewhere/clone")).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        fs::read_to_string(env.path("elsewhere/root/links/model/tokenizer/vocab.txt")).expect("there"),
        "a\nb\nc\n"
    );
    assert_eq!(env.git("elsewhere/clone", &["status", "--porcelain"]), "", "nothing is left in the clone");
}

#[test]
fn a_location_outside_every_target_is_refused() {
    let env = Env::with_model();
    env.publish("1.0.0");
    fs::remove_dir_all(env.path("store")).expect("removed");
    let elsewhere = CONFIG.replace("../targets/", "../other/");
    env.write("project/.deploy-tool.yaml", elsewhere);
    assert_snapshot!(env.shown(&env.fails(4, &["deploy", "model@1.0.0"])), @r"
    error: this host may read no location of model@1.0.0: location `near` is not read: `<dir>/targets/near/model/1.0.0/` lies in no filesystem target of this host's configuration; location `far` is not read: `<dir>/targets/far/model/1.0.0/` lies in no filesystem target of this host's configuration

    hint: configure the target under `publish.targets` on this host, or give `--records` the work tree that holds the packages
    ");
    commit(&env, "1.0.0", "record.json", |record| {
        record["locations"] = json!([{"name": "evil", "type": "filesystem", "path": "../../etc/"}]);
    });
    assert_snapshot!(env.shown(&env.fails(4, &["deploy", "model@1.0.0"])), @r"
    error: this host may read no location of model@1.0.0: location `evil` is not read: `../../etc/` contains `..`

    hint: configure the target under `publish.targets` on this host, or give `--records` the work tree that holds the packages
    ");
    assert!(!env.path("root/links/model").exists());
}

//! Links: what can go wrong with them and how it is mended, links outside the root, and roots that are moved, locked or
//! of a newer format.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::env::{CONFIG, Env};
use super::tree;

/// A root with versions 1.0.0 and 1.0.1, the latter current as release 2.
pub fn deployed() -> Env {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["deploy", "model@1.0.0"]);
    env.ok(&["deploy", "model@1.0.1"]);
    env
}

/// Every symbolic link below `dir`.
fn links_below(dir: &Path) -> Vec<PathBuf> {
    let all = tree::snapshot(dir);
    all.iter().filter(|(_, what)| what.starts_with("-> ")).map(|(name, _)| dir.join(name)).collect()
}

/// The state of one link, as `links verify --json` says it; `None` where it is as it should be.
fn state(env: &Env, link: &str) -> Option<Value> {
    let ran = env.run(&["links", "verify", "--json"]);
    let document: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let wrong = document["wrong"].as_array().expect("a list");
    assert_eq!(ran.status, Some(if wrong.is_empty() { 0 } else { 1 }), "{ran:?}");
    let path = env.path(link).display().to_string();
    wrong.iter().find(|check| check["path"] == path).map(|check| check["state"].clone())
}

#[test]
fn list_names_every_link_and_what_it_holds() {
    let env = deployed();
    let listed = env.json(&["links", "list"]);
    let found: Vec<_> = listed.as_array().expect("a list").iter().map(|link| link["target"].clone()).collect();
    assert_eq!(found, ["2", "../../components/model/1.0.1", "1.0.1", "../components/model/current"]);
    let text = env.ok(&["links", "list"]);
    assert_eq!(text.lines().count(), 5, "{text}");
    assert_eq!(env.ok(&["links", "verify"]), "all 4 links are as they should be\n");
}

#[test]
fn what_is_wrong_is_named_and_mended() {
    let env = deployed();
    let before = tree::unlogged(&env.path("root"));
    let path = |link: &str| env.path(link);
    let remove = |link: &str| fs::remove_file(path(link)).expect("removed");
    let every = ["root/links/model", "root/components/model/current", "root/releases/current", "root/releases/2/model"];
    for link in every {
        remove(link);
        assert_eq!(state(&env, link), Some(json!("missing")), "{link}");
        assert!(env.ok(&["links", "repair"]).starts_with("mended "), "{link}");
        assert_eq!(tree::unlogged(&path("root")), before, "{link}");

        remove(link);
        symlink("elsewhere", path(link)).expect("linked");
        assert_eq!(state(&env, link), Some(json!({"wrong-target": {"found": "elsewhere"}})), "{link}");
        let seen = tree::root(&path("root"));
        let planned = env.ok(&["links", "repair", "--dry-run"]);
        assert!(planned.starts_with("would mend ") && planned.lines().count() == 1, "{link}: {planned}");
        assert_eq!(tree::root(&path("root")), seen, "a dry run");
        env.ok(&["links", "repair"]);
        assert_eq!(tree::unlogged(&path("root")), before, "{link}");
    }
    for directory in ["root/links", "root/releases/2"] {
        fs::remove_dir_all(path(directory)).expect("removed");
        env.ok(&["links", "repair"]);
        assert_eq!(tree::unlogged(&path("root")), before, "{directory}");
    }
    // `releases/current` at an earlier release, with nothing unfinished, is somebody's doing and no rollback.
    remove("root/releases/current");
    symlink("1", path("root/releases/current")).expect("linked");
    assert_eq!(env.json(&["status"])["components"][0]["version"], "1.0.1");
    env.ok(&["links", "repair"]);
    assert_eq!(tree::unlogged(&path("root")), before);
}

#[test]
fn a_real_file_or_directory_is_never_taken_away() {
    for (link, is_directory) in [("root/links/model", false), ("root/components/model/current", true)] {
        let env = deployed();
        fs::remove_file(env.path(link)).expect("removed");
        match is_directory {
            false => drop(env.write(link, "mine\n")),
            true => drop(env.write(&format!("{link}/mine.txt"), "mine\n")),
        }
        assert_eq!(state(&env, link), Some(json!("replaced")), "{link}");
        let before = tree::root(&env.path("root"));
        let repaired = env.run(&["links", "repair"]);
        assert_eq!(repaired.status, Some(1), "{repaired:?}");
        assert!(repaired.stdout.contains("a real file or directory is in its place"), "{repaired:?}");
        let error = env.fails(5, &["version", "switch", "model", "1.0.0"]);
        assert!(error.contains(&format!("`{}`", env.path(link).display())), "{error}");
        assert_eq!(tree::root(&env.path("root")), before, "{link}");
        match is_directory {
            false => fs::remove_file(env.path(link)).expect("removed"),
            true => fs::remove_dir_all(env.path(link)).expect("removed"),
        }
        env.ok(&["links", "repair"]);
        env.ok(&["version", "switch", "model", "1.0.0"]);
        env.ok(&["links", "verify"]);
    }
}

#[test]
fn a_version_directory_that_is_gone_leaves_dangling_links_until_it_is_deployed_again() {
    let env = deployed();
    let version = env.path("root/components/model/1.0.1");
    fs::remove_dir_all(&version).expect("removed");
    assert_eq!(state(&env, "root/components/model/current"), Some(json!("dangling")));
    let repaired = env.run(&["links", "repair"]);
    assert_eq!(repaired.status, Some(1), "{repaired:?}");
    assert!(repaired.stdout.contains("deploy what they lead to"), "{repaired:?}");
    env.ok(&["deploy", "model@1.0.1"]);
    assert_eq!(env.read("root/links/model/bert/config.json"), "{\"layers\": 6}\n");
    env.ok(&["links", "verify"]);
}

#[test]
fn links_of_a_component_that_is_not_deployed_are_strays() {
    let env = deployed();
    env.write("project/configs/app.conf", "a = 1\n");
    env.ok(&["pack", "--type", "config", "--version", "1"]);
    env.ok(&["publish", "config@1"]);
    env.ok(&["deploy", "config"]);
    env.ok(&["rollback"]);
    assert!(!env.path("root/links/config").exists());
    symlink("../components/config/current", env.path("root/links/config")).expect("linked");
    let stray = json!({"stray": {"found": "../components/config/current"}});
    assert_eq!(state(&env, "root/links/config"), Some(stray));
    env.ok(&["links", "repair"]);
    assert!(fs::symlink_metadata(env.path("root/links/config")).is_err());
}

#[test]
fn a_moved_root_works_since_every_link_is_relative() {
    let env = deployed();
    for link in links_below(&env.path("root")) {
        let target = fs::read_link(&link).expect("a link");
        assert!(target.is_relative(), "{}: {}", link.display(), target.display());
    }
    fs::create_dir_all(env.path("srv/deep")).expect("made");
    fs::rename(env.path("root"), env.path("srv/deep/moved")).expect("moved");
    let moved = env.path("srv/deep/moved").display().to_string();
    let ok = |args: &[&str]| env.ok(&[args, &["--root", &moved]].concat());
    ok(&["links", "verify"]);
    ok(&["version", "switch", "model", "1.0.0"]);
    assert_eq!(env.read("srv/deep/moved/links/model/bert/config.json"), "{\"layers\": 12}\n");
    ok(&["rollback"]);
    assert_eq!(env.read("srv/deep/moved/links/model/bert/config.json"), "{\"layers\": 6}\n");
    ok(&["links", "verify"]);
    assert!(!env.path("root").exists(), "nothing is made at the old place");
}

#[test]
fn deployed_files_cannot_be_written_but_those_of_a_mutable_component_can() {
    let env = Env::with_model();
    env.write("project/.deploy-tool.yaml", CONFIG.replace("./configs}", "./configs, mutable: true}"));
    let script = env.write("project/configs/run.sh", "#!/bin/sh\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o775)).expect("allowed");
    env.write("project/configs/app.conf", "a = 1\n");
    env.publish("1.0.0");
    env.ok(&["pack", "--type", "config", "--version", "1"]);
    env.ok(&["publish", "config@1"]);
    env.ok(&["deploy", "model", "config"]);
    let mode = |path: &str| fs::metadata(env.path("root/links").join(path)).expect("there").mode() & 0o7777;
    assert_eq!(mode("model/bert/config.json"), 0o444);
    assert_eq!(mode("config/app.conf"), 0o644);
    assert_eq!(mode("config/run.sh"), 0o755);
    let writable = |what: &&String| what.starts_with("file ") && !what.starts_with("file 444 ");
    assert_eq!(tree::snapshot(&env.path("root/components/model")).values().filter(writable).count(), 0);
    assert_eq!(mode("model/bert") & 0o500, 0o500);
}

/// The project's configuration with these custom links, from below the test's directory to below it.
fn custom_links(env: &Env, links: &[(&str, &str)]) {
    let entry = |(from, to): &(&str, &str)| format!("{}: {}", env.path(from).display(), env.path(to).display());
    let entries: Vec<_> = links.iter().map(entry).collect();
    let deploy = format!("deploy: {{root: ../root, custom_links: {{{}}}}}", entries.join(", "));
    env.write("project/.deploy-tool.yaml", CONFIG.replace("deploy: {root: ../root}", &deploy));
}

#[test]
fn custom_links_follow_the_configuration() {
    let env = deployed();
    env.write("project/configs/app.conf", "a = 1\n");
    env.ok(&["pack", "--type", "config", "--version", "1"]);
    env.ok(&["publish", "config@1"]);
    fs::create_dir_all(env.path("app")).expect("made");
    custom_links(&env, &[("app/models", "root/links/model"), ("app/conf", "root/links/config")]);
    assert_eq!(state(&env, "app/models"), Some(json!("missing")));
    env.ok(&["version", "switch", "model", "1.0.0"]);
    assert_eq!(env.read("app/models/bert/config.json"), "{\"layers\": 12}\n");
    // What is not deployed has no link that would lead nowhere.
    assert!(fs::symlink_metadata(env.path("app/conf")).is_err());
    env.ok(&["links", "verify"]);
    env.ok(&["deploy", "config"]);
    assert_eq!(env.read("app/conf/app.conf"), "a = 1\n");

    // Removed or led elsewhere: mended, the latter only as long as the link is the one that was made.
    fs::remove_file(env.path("app/models")).expect("removed");
    assert_eq!(state(&env, "app/models"), Some(json!("missing")));
    env.ok(&["links", "repair"]);
    assert_eq!(fs::read_link(env.path("app/models")).expect("there"), env.path("root/links/model"));
    custom_links(&env, &[("app/models", "root/releases/current/model"), ("app/conf", "root/links/config")]);
    env.ok(&["links", "repair"]);
    assert_eq!(fs::read_link(env.path("app/models")).expect("there"), env.path("root/releases/current/model"));
    env.ok(&["links", "verify"]);

    // A component that leaves takes its link with it; so does the configuration.
    env.ok(&["rollback"]);
    assert!(fs::symlink_metadata(env.path("app/conf")).is_err());
    custom_links(&env, &[]);
    assert!(state(&env, "app/models").expect("reported")["stray"].is_object());
    env.ok(&["links", "repair"]);
    assert!(fs::symlink_metadata(env.path("app/models")).is_err());
    env.ok(&["links", "verify"]);
}

#[test]
fn a_custom_link_that_a_repair_made_is_removed_by_the_next_release_without_it() {
    let env = deployed();
    fs::create_dir_all(env.path("app")).expect("made");
    custom_links(&env, &[("app/models", "root/links/model")]);
    env.ok(&["links", "repair"]);
    assert!(env.path("app/models/bert").exists());
    custom_links(&env, &[]);
    env.ok(&["version", "switch", "model", "1.0.0"]);
    assert!(fs::symlink_metadata(env.path("app/models")).is_err());
}

#[test]
fn custom_links_never_take_the_place_of_what_is_not_ours() {
    let env = deployed();
    env.write("app/file", "mine\n");
    env.write("app/directory/file", "mine\n");
    symlink("/somewhere/else", env.path("app/link")).expect("linked");
    for (name, expected) in [
        ("file", json!("replaced")),
        ("directory", json!("replaced")),
        ("link", json!({"foreign": {"found": "/somewhere/else"}})),
    ] {
        let link = format!("app/{name}");
        custom_links(&env, &[(&link, "root/links/model")]);
        assert_eq!(state(&env, &link), Some(expected), "{link}");
        let before = (tree::root(&env.path("root")), tree::snapshot(&env.path("app")));
        let error = env.fails(5, &["version", "switch", "model", "1.0.0"]);
        assert!(error.contains(&format!("`{}`", env.path(&link).display())), "{error}");
        let repaired = env.run(&["links", "repair"]);
        assert_eq!(repaired.status, Some(1), "{repaired:?}");
        assert_eq!((tree::root(&env.path("root")), tree::snapshot(&env.path("app"))), before, "{link}");
    }
    // One that was ours and that somebody replaced is not ours any more, and stays when it leaves the configuration.
    custom_links(&env, &[("app/models", "root/links/model")]);
    env.ok(&["links", "repair"]);
    fs::remove_file(env.path("app/models")).expect("removed");
    symlink("/somewhere/else", env.path("app/models")).expect("linked");
    env.fails(5, &["version", "switch", "model", "1.0.0"]);
    custom_links(&env, &[]);
    env.ok(&["version", "switch", "model", "1.0.0"]);
    assert_eq!(fs::read_link(env.path("app/models")).expect("there"), Path::new("/somewhere/else"));
}

#[test]
fn a_locked_root_names_its_holder_and_can_be_read() {
    let env = deployed();
    let lock = File::options().write(true).open(env.path("root/.deploy-tool/lock")).expect("there");
    lock.lock().expect("locked");
    fs::write(env.path("root/.deploy-tool/lock"), "pid 4711 (mei@gpu-7), deploy, since now\n").expect("written");
    let before = tree::root(&env.path("root"));
    for args in [
        ["deploy", "model@1.0.0"].as_slice(),
        &["version", "switch", "model", "1.0.0"],
        &["rollback"],
        &["links", "repair"],
        &["version", "pin", "model", "1.0.0"],
        &["version", "cleanup", "--keep", "0"],
    ] {
        let error = env.fails(5, args);
        assert!(error.contains("locked by pid 4711 (mei@gpu-7), deploy, since now"), "{args:?}: {error}");
        assert!(error.contains("\nhint: wait"), "{args:?}: {error}");
        assert_eq!(tree::root(&env.path("root")), before, "{args:?}");
    }
    for args in [["status"].as_slice(), &["history"], &["links", "verify"], &["version", "list"]] {
        env.ok(args);
    }
    env.ok(&["deploy", "model@1.0.0", "--dry-run"]);
    lock.unlock().expect("unlocked");
    env.ok(&["deploy", "model@1.0.0"]);
}

#[test]
fn a_root_of_a_newer_program_and_a_directory_that_is_none_are_left_alone() {
    let env = deployed();
    env.write("root/.deploy-tool/format", "2\n");
    let before = tree::snapshot(&env.path("root"));
    for args in [["status"].as_slice(), &["deploy", "model@1.0.0"], &["rollback"], &["links", "repair"]] {
        let error = env.fails(1, args);
        assert!(error.contains("its format is 2, and this build knows format 1"), "{args:?}: {error}");
    }
    assert_eq!(tree::snapshot(&env.path("root")), before);
    fs::create_dir(env.path("empty")).expect("made");
    let empty = env.path("empty").display().to_string();
    for args in [["status"].as_slice(), &["links", "repair"], &["rollback"], &["version", "switch", "model", "1.0.0"]] {
        let error = env.fails(3, &[args, &["--root", &empty]].concat());
        assert!(error.contains(&format!("`{empty}` is not a deployment root")), "{args:?}: {error}");
        assert_eq!(fs::read_dir(env.path("empty")).expect("there").count(), 0, "{args:?}");
    }
}

#[test]
fn a_link_that_leads_out_of_the_root_is_escaped_and_brought_back() {
    let env = deployed();
    let elsewhere =
        env.write("elsewhere/bert/config.json", "not ours\n").parent().and_then(Path::parent).expect("it").to_owned();
    let before = tree::unlogged(&env.path("root"));
    for link in ["root/components/model/current", "root/links/model", "root/releases/2/model"] {
        fs::remove_file(env.path(link)).expect("removed");
        symlink(&elsewhere, env.path(link)).expect("linked");
        let expected = json!({"escaped": {"found": elsewhere, "leads_to": elsewhere}});
        assert_eq!(state(&env, link), Some(expected), "{link}");
        let planned = env.json(&["links", "repair", "--dry-run"]);
        assert_eq!(planned["left"], json!([]), "{link}: {planned}");
        env.ok(&["links", "repair"]);
        assert_eq!(tree::unlogged(&env.path("root")), before, "{link}");
    }
    // A place that is not there yet may come to be one.
    fs::remove_file(env.path("root/links/model")).expect("removed");
    symlink("/nowhere/else", env.path("root/links/model")).expect("linked");
    let expected = json!({"escaped": {"found": "/nowhere/else", "leads_to": "/nowhere/else"}});
    assert_eq!(state(&env, "root/links/model"), Some(expected));
    env.ok(&["links", "repair"]);
    // The link is right and the way is not: that is for people.
    let component = env.path("root/components/model");
    fs::rename(&component, env.path("away")).expect("moved");
    symlink(env.path("away"), &component).expect("linked");
    let listed = env.ok(&["links", "list"]);
    assert!(listed.contains(&format!("leads out of the root, to {}", env.path("away/1.0.1").display())), "{listed}");
    let ran = env.run(&["links", "repair"]);
    assert!(ran.status == Some(1) && ran.stdout.contains("cannot be mended"), "{ran:?}");
}

/// The project with this custom link to the model.
fn with_link(env: &Env, link: &Path) {
    let target = env.path("root/links/model");
    let custom = format!("deploy: {{root: ../root, custom_links: {{{}: {}}}}}", link.display(), target.display());
    env.write("project/.deploy-tool.yaml", CONFIG.replace("deploy: {root: ../root}", &custom));
}

#[test]
fn a_custom_link_in_a_place_that_cannot_be_used_is_refused_before_anything_is_changed() {
    let env = deployed();
    let before = tree::root(&env.path("root"));
    with_link(&env, &env.path("none/model"));
    for args in [&["version", "switch", "model", "1.0.0"][..], &["deploy", "model@1.0.0"], &["links", "repair"]] {
        let error = env.fails(1, args);
        let words = format!(
            "cannot make the link `{}`: `{}` is no directory",
            env.path("none/model").display(),
            env.path("none").display()
        );
        assert!(error.contains(&words), "{error}");
        assert_eq!(tree::root(&env.path("root")), before, "{args:?}");
    }
    // Below `/proc` nobody makes a directory entry, root neither.
    with_link(&env, Path::new("/proc/self/model"));
    let error = env.fails(1, &["version", "switch", "model", "1.0.0"]);
    assert!(error.contains("`/proc/self`") && error.contains("/proc/self/model"), "{error}");
    assert_eq!(tree::root(&env.path("root")), before);
}

#[test]
fn a_custom_link_lies_on_another_file_system() {
    let (env, memory) = (deployed(), Path::new("/dev/shm"));
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    if device(memory).is_none() || device(memory) == device(&env.path("root")) {
        return;
    }
    let place = tempfile::tempdir_in(memory).expect("a directory");
    let link = place.path().join("model");
    with_link(&env, &link);
    env.ok(&["version", "switch", "model", "1.0.0"]);
    assert_eq!(fs::read_to_string(link.join("bert/config.json")).expect("read"), "{\"layers\": 12}\n");
    fs::remove_file(&link).expect("removed");
    env.ok(&["links", "repair"]);
    env.ok(&["rollback"]);
    assert_eq!(fs::read_to_string(link.join("bert/config.json")).expect("read"), "{\"layers\": 6}\n");
    env.write("project/.deploy-tool.yaml", CONFIG);
    env.ok(&["version", "switch", "model", "1.0.0"]);
    assert!(!link.is_symlink(), "it left the configuration");
    assert_eq!(fs::read_dir(place.path()).expect("listed").count(), 0);
}

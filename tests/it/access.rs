//! Who may write in a root, and who may read what is deployed.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Output};

use super::env::{CONFIG, Env, PROGRAM, Ran};
use super::tree;

fn deployed() -> Env {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    env
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("there").mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A group that is nobody's own.
const OTHERS: u32 = 54_321;

#[test]
fn a_root_that_others_may_write_is_refused_unless_that_is_allowed() {
    let env = deployed();
    let parts =
        ["root", "root/.deploy-tool", "root/components", "root/components/model", "root/links", "root/releases"];
    for part in parts {
        let path = env.path(part);
        let was = mode(&path);
        set_mode(&path, 0o777);
        let before = tree::root(&env.path("root"));
        let error = env.fails(4, &["version", "pin", "model", "1.0.0"]);
        assert!(
            error
                .contains(&format!("everybody may change what is deployed there (`{}` has mode 0777)", path.display())),
            "{error}"
        );
        assert!(error.contains("`chmod go-w ") && error.contains("deploy.allow_shared_root: true"), "{error}");
        assert_eq!(tree::root(&env.path("root")), before);
        env.ok(&["status"]);
        set_mode(&path, 0o1777);
        env.ok(&["links", "repair"]);
        set_mode(&path, was);
    }
    set_mode(&env.path("root"), 0o777);
    env.write(
        "project/.deploy-tool.yaml",
        CONFIG.replace("{root: ../root}", "{root: ../root, allow_shared_root: true}"),
    );
    env.ok(&["version", "pin", "model", "1.0.0"]);
    // What the root itself says of it anybody might have written there.
    fs::copy(env.path("project/.deploy-tool.yaml"), env.path("root/.deploy-tool.yaml")).expect("copied");
    let config = env.path("root/.deploy-tool.yaml").display().to_string();
    env.fails(4, &["version", "unpin", "model", "1.0.0", "--config", &config]);
    if is_root() {
        env.write("project/.deploy-tool.yaml", CONFIG);
        set_mode(&env.path("root"), 0o775);
        chown(env.path("root"), None, Some(OTHERS)).expect("given");
        let error = env.fails(4, &["version", "unpin", "model", "1.0.0"]);
        assert!(error.contains(&format!("whoever is in the group `{OTHERS}` may change")), "{error}");
    }
}

#[test]
fn a_root_of_somebody_else_is_refused() {
    if !is_root() {
        return;
    }
    let env = deployed();
    for part in ["root", "root/components/model"] {
        chown(env.path(part), Some(12_345), None).expect("given");
        let error = env.fails(4, &["version", "pin", "model", "1.0.0"]);
        assert!(error.contains("belongs to `12345`"), "{error}");
        chown(env.path(part), Some(0), None).expect("taken back");
    }
    env.ok(&["version", "pin", "model", "1.0.0"]);
}

/// Whatever the umask gives away, what is made in a directory of one's own stays so; in a shared one it is shared.
#[test]
fn a_loose_umask_opens_nothing() {
    let env = Env::with_model();
    env.publish("1.0.0");
    let loose = |args: &str| -> Output {
        let mut shell = env.hermetic("sh");
        shell.args(["-c", &format!("umask 000; exec {PROGRAM} {args}")]);
        shell.output().expect("it runs")
    };
    let output = loose("deploy model@1.0.0");
    assert!(output.status.success(), "{output:?}");
    for (path, what) in tree::snapshot(&env.path("root")) {
        let path = env.path("root").join(path);
        assert!(path.is_symlink() || mode(&path) & 0o022 == 0, "{}: {what}", path.display());
    }
    assert!(loose("version pin model 1.0.0").status.success());
    let shared = env.path("shared");
    fs::create_dir(&shared).expect("made");
    set_mode(&shared, 0o777);
    env.write(
        "project/.deploy-tool.yaml",
        CONFIG.replace("{root: ../root}", "{root: ../shared/root, allow_shared_root: true}"),
    );
    assert!(loose("deploy model@1.0.0").status.success());
    assert_eq!(mode(&shared.join("root/components")), 0o777);
    assert_eq!(mode(&shared.join("root/.deploy-tool/history.jsonl")), 0o666);
}

/// A model that only its owner and a group may read.
fn restricted(access: &str) -> Env {
    let env = Env::with_model();
    let source = format!("{{source: ./models, {access}}}");
    env.write("project/.deploy-tool.yaml", CONFIG.replace("{source: ./models}", &source));
    env.publish("1.0.0");
    env
}

/// The store's copy of the one package.
fn stored(env: &Env) -> std::path::PathBuf {
    let manifest = env.committed("records", "records/packages/model/1.0.0/manifest.json");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    let sha256 = manifest["package"]["checksum"]["value"].as_str().expect("a digest").to_owned();
    let shards = fs::read_dir(env.path("store/sha256")).expect("listed").map(|e| e.expect("read").path());
    let found = shards.flat_map(|shard| fs::read_dir(shard).expect("listed").map(|e| e.expect("read").path()));
    let mut found = found.filter(|path| path.display().to_string().replace('/', "").ends_with(&sha256));
    found.next().expect("it is in the store")
}

#[test]
fn mode_and_group_hold_for_what_is_deployed_and_for_the_stores_copy() {
    let group = if is_root() { OTHERS } else { rustix::process::getegid().as_raw() };
    let env = restricted(&format!("mode: '0750', group: '{group}'"));
    let manifest = env.committed("records", "records/packages/model/1.0.0/manifest.json");
    assert!(
        manifest.contains("\"mode\": \"0750\"") && manifest.contains(&format!("\"group\": \"{group}\"")),
        "{manifest}"
    );
    assert_eq!(mode(&stored(&env)), 0o440, "where it was packed");
    fs::remove_dir_all(env.path("store")).expect("removed");
    env.ok(&["deploy", "model@1.0.0"]);
    let copy = stored(&env);
    assert_eq!((mode(&copy), fs::metadata(&copy).expect("there").gid()), (0o440, group), "where it was fetched");
    let version = env.path("root/components/model/1.0.0");
    for (path, bits) in [("", 0o750), ("bert", 0o750), ("bert/config.json", 0o440), ("tokenizer/vocab.txt", 0o440)] {
        let path = version.join(path);
        assert_eq!((mode(&path), fs::metadata(&path).expect("there").gid()), (bits, group), "{}", path.display());
    }
    env.ok(&["status", "--verify"]);
    // The next version shares what is the same; one with other bits takes nothing that has the old ones.
    let next = |version: &str, access: &str| {
        let source = format!("{{source: ./models, {access}}}");
        env.write("project/.deploy-tool.yaml", CONFIG.replace("{source: ./models}", &source));
        env.write("project/models/bert/config.json", version);
        env.publish(version);
        env.ok(&["deploy", &format!("model@{version}")]);
        let file = fs::metadata(env.path("root/links/model/bert/pytorch_model.bin")).expect("there");
        (file.mode() & 0o7777, file.gid())
    };
    assert_eq!(next("1.0.1", &format!("mode: '0750', group: '{group}'")), (0o440, group));
    assert_eq!(next("1.0.2", "mode: '0700'"), (0o400, rustix::process::getegid().as_raw()));
    assert_eq!(next("1.0.3", "description: for all"), (0o444, rustix::process::getegid().as_raw()));
    assert_eq!(mode(&version.join("bert/config.json")), 0o440, "what was there is as it was");
    env.ok(&["status", "--verify"]);
}

#[test]
fn a_group_that_is_not_here_or_not_ours_is_refused_before_the_first_byte() {
    let env = restricted("group: no-such-group-here");
    let error = env.refused(4, &["deploy", "model@1.0.0"]);
    assert!(error.contains("it is for the group `no-such-group-here`, which this machine does not have"), "{error}");
    assert!(!env.path("root").exists());
    if !is_root() {
        return;
    }
    // As another user, who is not in it.
    let env = restricted(&format!("group: '{OTHERS}'"));
    let trusting = format!("{}[safe]\n\tdirectory = *\n", env.read("home/.gitconfig"));
    env.write("home/.gitconfig", trusting);
    for dir in ["store", "home", "project"] {
        let status = Command::new("chown").args(["-R", "12345:12345"]).arg(env.path(dir)).status().expect("chown runs");
        assert!(status.success());
    }
    let mut setpriv = env.hermetic("setpriv");
    setpriv.args(["--reuid=12345", "--regid=12345", "--clear-groups", PROGRAM, "deploy", "model@1.0.0"]);
    setpriv.args(["--root"]).arg(env.path("project/root"));
    let ran = Ran::of(setpriv.output().expect("setpriv runs"));
    assert!(ran.status == Some(4) && ran.stderr.contains("is not in it"), "{ran:?}");
    assert!(!env.path("project/root").exists());
}

//! What `publish` promises: copies that are what was packed, one record in git, and nothing of anybody's overwritten.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::env::{Env, Listing, listing};
use super::full_disk::noise;

const RECORD: &str = "records/packages/model/1.0.0/record.json";
const MANIFEST: &str = "records/packages/model/1.0.0/manifest.json";
const PACKAGE: &str = "model-1.0.0.tar.gz";

fn head(env: &Env) -> String {
    env.git("records", &["rev-parse", "HEAD"])
}

fn record(env: &Env) -> Value {
    serde_json::from_str(&env.committed("records", RECORD)).expect("JSON")
}

fn locations(env: &Env) -> Vec<String> {
    let record = record(env);
    let locations = record["locations"].as_array().expect("a list").iter();
    locations.map(|location| location["name"].as_str().expect("a name").to_owned()).collect()
}

/// What others rely on: the targets and what git says.
fn public(env: &Env) -> (Listing, String) {
    let git = ["rev-parse HEAD", "status --porcelain=v2", "ls-files --stage", "for-each-ref"];
    let git = git.map(|args| env.git("records", &args.split(' ').collect::<Vec<_>>())).join("\n");
    (listing(&env.path("targets")), git)
}

fn pack(env: &Env, more: &[&str]) {
    env.ok(&[&["pack", "--type", "model", "--version", "1.0.0"], more].concat());
}

#[test]
fn to_two_targets_each_is_what_was_packed() {
    let env = Env::with_model();
    env.publish("1.0.0");
    let package = fs::read(env.path("project/dist").join(PACKAGE)).expect("packed");
    let manifest = fs::read(env.path("project/dist/model-1.0.0.manifest.json")).expect("packed");
    let index = fs::read(env.path("project/dist/model-1.0.0.index.zst")).expect("packed");
    for target in ["near", "far"] {
        let at = env.path("targets").join(target).join("model/1.0.0");
        assert_eq!(fs::read(at.join(PACKAGE)).expect("there"), package);
        assert_eq!(fs::read(at.join("manifest.json")).expect("there"), manifest);
        assert_eq!(fs::read(at.join("model-1.0.0.index.zst")).expect("there"), index);
        assert_eq!(fs::read_dir(at).expect("listed").count(), 3, "nothing else is there");
    }
    assert_eq!(env.committed("records", MANIFEST).as_bytes(), manifest);
    let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let record = record(&env);
    assert_eq!(record["manifest"]["sha256"], hex(&manifest));
    assert_eq!(record["package"]["checksum"]["value"], hex(&package));
    assert_eq!(record["package"]["size"], package.len());
    assert_eq!(locations(&env), ["near", "far"]);
    assert_eq!(env.git("records", &["status", "--porcelain"]), "", "the work tree is as the commit");
}

#[test]
fn the_same_content_again_is_nothing() {
    let env = Env::with_model();
    env.publish("1.0.0");
    let before = public(&env);
    let again = |how: &str| {
        let out = env.ok(&["publish", "model@1.0.0"]);
        assert!(out.contains("model@1.0.0 is published already"), "{how}: {out}");
        assert_eq!(public(&env), before, "{how}");
    };
    again("at once");
    let times = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    let file = fs::File::options().write(true).open(env.path("project/models/bert/config.json")).expect("opened");
    file.set_times(times).expect("set");
    pack(&env, &[]);
    again("after touching a file");
    pack(&env, &["--compression", "none"]);
    again("packed without compression");
    let packing = ["pack", "--type", "model", "--version", "1.0.0", "--level", "1"];
    let packed = env.command(&packing).env("SOURCE_DATE_EPOCH", "1500000000").output().expect("it runs");
    assert!(packed.status.success(), "{packed:?}");
    again("packed at another time and level");
    env.ok(&["store", "gc", "--max-size", "0"]);
    again("with nothing in the store");
    let output = env.json(&["publish", "model@1.0.0"]);
    assert_eq!(output["unchanged"], true);
}

#[test]
fn other_content_is_refused() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 13}\n");
    pack(&env, &[]);
    assert_snapshot!(env.refused(5, &["publish", "model@1.0.0"]), @r"
    error: model@1.0.0 is published with other content: published <hex>, this is <hex>

    hint: a published version never changes: publish this as a new version, such as 1.0.1
    ");
    assert_eq!(env.refused(5, &["publish", "model@1.0.0", "--dry-run"]), env.refused(5, &["publish", "model@1.0.0"]));
    env.refused(5, &["publish", &format!("dist/{PACKAGE}"), "--to", "far"]);
}

#[test]
fn a_target_is_added_from_the_committed_bytes() {
    let env = Env::with_model();
    pack(&env, &[]);
    env.ok(&["publish", "model@1.0.0", "--to", "near"]);
    assert_eq!(locations(&env), ["near"]);
    let first = head(&env);
    let manifest = env.committed("records", MANIFEST);
    // A repack of equal content, which must not be what the other target gets.
    pack(&env, &["--compression", "none"]);
    env.ok(&["publish", "model@1.0.0", "--to", "far"]);
    assert_eq!(locations(&env), ["near", "far"]);
    assert_eq!(env.committed("records", MANIFEST), manifest);
    let at = |target: &str| {
        let below = listing(&env.path("targets").join(target).join("model/1.0.0"));
        let name = |path: &String| path.rsplit('/').next().unwrap_or_default().to_owned();
        let content = |is: &String| is.rsplit(' ').next().unwrap_or_default().to_owned();
        below.iter().map(|(path, is)| (name(path), content(is))).collect::<Vec<_>>()
    };
    assert_eq!(at("near"), at("far"));
    let changed = env.git("records", &["diff", "--name-only", first.trim(), "HEAD"]);
    assert_eq!(changed.trim(), RECORD);
    assert_eq!(env.git("records", &["rev-list", "--count", &format!("{}..HEAD", first.trim())]).trim(), "1");
}

#[test]
fn a_target_is_added_on_a_machine_that_never_packed_it() {
    let env = Env::with_model();
    pack(&env, &[]);
    env.ok(&["publish", "model@1.0.0", "--to", "near"]);
    env.ok(&["publish", "model@1.0.0", "--to", "far", "--store", "../other-store"]);
    assert_eq!(locations(&env), ["near", "far"]);
    let package = |target: &str| fs::read(env.path("targets").join(target).join("model/1.0.0").join(PACKAGE));
    assert_eq!(package("near").expect("there"), package("far").expect("there"));
}

#[test]
fn gc_takes_what_is_published_and_nothing_else() {
    let env = Env::with_model();
    pack(&env, &[]);
    let kept = env.json(&["store", "gc", "--max-size", "0"]);
    assert_eq!(kept["removed"], Value::Array(vec![]));
    assert_eq!(kept["kept"].as_array().map(Vec::len), Some(3), "package, index and manifest");
    env.ok(&["publish", "model@1.0.0"]);
    let collected = env.json(&["store", "gc", "--max-size", "0"]);
    assert_eq!(collected["kept"], Value::Array(vec![]));
    assert_eq!(env.json(&["store", "list"]), Value::Array(vec![]));
    env.ok(&["deploy", "model@1.0.0"]);
}

#[test]
fn a_file_with_its_manifest_beside_it() {
    let env = Env::with_model();
    pack(&env, &[]);
    fs::rename(env.path("project/dist"), env.path("mail")).expect("moved");
    fs::remove_dir_all(env.path("store")).expect("removed");
    env.ok(&["publish", &format!("../mail/{PACKAGE}")]);
    assert_eq!(locations(&env), ["near", "far"]);
    env.ok(&["deploy", "model@1.0.0"]);
}

#[test]
fn a_file_that_is_not_what_its_manifest_says_is_refused() {
    let env = Env::with_model();
    pack(&env, &["--compression", "none"]);
    let file = "dist/model-1.0.0.tar";
    let manifest = env.read("project/dist/model-1.0.0.manifest.json");
    let mut package = fs::read(env.path("project").join(file)).expect("packed");
    let middle = package.len() / 2;
    package[middle] ^= 1;
    // It is written without write bits, since it may be one file with the store's.
    fs::set_permissions(env.path("project").join(file), fs::Permissions::from_mode(0o644)).expect("allowed");
    env.write(&format!("project/{file}"), &package);
    let before = (public(&env), contents(&env));
    let said = env.fails(4, &["publish", file]);
    assert_snapshot!(env.shown(&said), @r"
    error: `<dir>/project/dist/model-1.0.0.tar` is not what its manifest says: 304640 bytes with sha256 <hex>, not 304640 bytes with sha256 <hex>

    hint: pack it again: a package never changes after its manifest is written
    ");
    assert_eq!((public(&env), contents(&env)), before);
    // Somebody who forges the manifest as well does not get past the index.
    let old: Value = serde_json::from_str(&manifest).expect("JSON");
    let old = old["package"]["checksum"]["value"].as_str().expect("a digest").to_owned();
    let new = Sha256::digest(&package).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    env.write("project/dist/model-1.0.0.manifest.json", manifest.replace(&old, &new));
    let said = env.fails(4, &["publish", file]);
    assert_snapshot!(env.shown(&said), @r"
    error: cannot use the package `<dir>/store/sha256/cd/<hex>` of model@1.0.0: piece 0 of the package (304640 bytes at 0) is refused: its digest is <hex>, not <hex>

    hint: nothing was changed; publish the content again under a new version, or restore the package
    ");
    assert_eq!(public(&env), before.0);
    env.write("project/dist/model-1.0.0.manifest.json", "{\"component\": 7}");
    assert_snapshot!(env.refused(4, &["publish", file]), @r"
    error: cannot read the manifest `<dir>/project/dist/model-1.0.0.manifest.json`: invalid type: integer `7`, expected struct ManifestComponent at line 1 column 15

    hint: restore the file that `deploy-tool pack` wrote
    ");
    fs::remove_file(env.path("project/dist/model-1.0.0.manifest.json")).expect("removed");
    assert_snapshot!(env.refused(3, &["publish", file]), @r"
    error: cannot publish `<dir>/project/dist/model-1.0.0.tar`: it has no manifest, looked for `<dir>/project/dist/model-1.0.0.manifest.json` and `manifest.json`

    hint: keep the manifest that `deploy-tool pack` wrote beside the package
    ");
}

#[test]
fn a_package_that_rotted_here_since_it_was_packed_is_refused_wherever_it_did() {
    let env = Env::with_model();
    env.write("project/models/bert/weights", noise().repeat(2));
    for compression in ["none", "gzip", "zstd", "xz"] {
        env.ok(&["pack", "--type", "model", "--version", "1.0.0", "--compression", compression]);
        let packed: Value = serde_json::from_str(&env.read("store/packed/model/1.0.0.json")).expect("JSON");
        let hex = packed["package"].as_str().expect("a digest");
        let path = env.path(format!("store/sha256/{}/{hex}", &hex[..2]));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("allowed");
        let good = fs::read(&path).expect("packed");
        let before = public(&env);
        // In headers, and amid the pieces of a big file, which were proved when they were packed.
        for at in [40, good.len() / 2] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).expect("written");
            let said = env.fails(4, &["publish", "model@1.0.0"]);
            let name = format!("content of model@1.0.0 in the store is not what its name says: `{}`", path.display());
            assert!(said.contains(&name), "{compression}, {at}: {said}");
            assert_eq!(public(&env).1, before.1, "{compression}, {at}: a record");
            let files = listing(&env.path("targets")).into_iter().filter(|(_, is)| is.starts_with("100"));
            assert_eq!(files.count(), 0, "{compression}, {at}: something is shown at a target");
        }
    }
}

/// The files of the store.
fn contents(env: &Env) -> Vec<String> {
    let files = listing(&env.path("store")).into_iter().filter(|(_, is)| is.starts_with("100"));
    files.map(|(path, _)| path).collect()
}

/// Makes the target `far` impossible to write, for root too: a file stands where its directory belongs.
fn break_far(env: &Env) {
    env.write("targets/far", "not a directory\n");
}

#[test]
fn one_target_of_two_may_fail_where_one_is_enough() {
    let env = Env::with_model();
    env.configure("default:", "  require: 1\n  default: [near, far]");
    break_far(&env);
    pack(&env, &[]);
    let ran = env.run(&["publish", "model@1.0.0"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_snapshot!(env.shown(&ran.stderr), @r"
    warning: target `far` does not hold the package: cannot look at `<dir>/targets/far/model/1.0.0`: Not a directory (os error 20)
    hint: mend the target, then run the command again: only what is missing is added
    ");
    assert_snapshot!(env.shown(&ran.stdout), @r"
    target `near` has it: `<dir>/targets/near/model/1.0.0`
    published model@1.0.0 (626 B, sha256 <hex>): commit <hex> on `main`
    ");
    assert_eq!(locations(&env), ["near"]);
    let report = env.json(&["publish", "model@1.0.0"]);
    assert_eq!(report["targets"][0]["failure"], Value::Null);
    assert!(report["targets"][1]["failure"].as_str().is_some_and(|why| why.contains("targets/far")), "{report}");
    // Mended, the same command adds what is missing.
    fs::remove_file(env.path("targets/far")).expect("removed");
    env.ok(&["publish", "model@1.0.0"]);
    assert_eq!(locations(&env), ["near", "far"]);
}

#[test]
fn too_few_targets_and_no_record() {
    let env = Env::with_model();
    env.configure("default:", "  require: 2\n  default: [near, far]");
    break_far(&env);
    pack(&env, &[]);
    let before = head(&env);
    let said = env.fails(1, &["publish", "model@1.0.0"]);
    assert_snapshot!(env.shown(&said), @r"
    error: the package lies on 1 of the 2 targets it has to: `far`: cannot look at `<dir>/targets/far/model/1.0.0`: Not a directory (os error 20)

    hint: mend the targets and publish again, or lower `publish.require`; what was placed stays and is found again
    ");
    assert_eq!(head(&env), before);
    assert_eq!(env.git("records", &["status", "--porcelain"]), "");
    env.fails(3, &["deploy", "model@1.0.0"]);
    // Nothing is lost: gc keeps it, and mended, the same command goes on.
    env.ok(&["store", "gc", "--max-size", "0"]);
    fs::remove_file(env.path("targets/far")).expect("removed");
    env.ok(&["publish", "model@1.0.0"]);
    assert_eq!(locations(&env), ["near", "far"]);
}

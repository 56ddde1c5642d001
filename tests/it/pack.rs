//! `pack`: equal trees give equal bytes; what is left out, warned about and refused; what is written and where.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::env::{CONFIG, Env, PROGRAM, Ran};
use super::sample::Sample;
use super::tree;

fn files(env: &Env, dir: &str) -> [Vec<u8>; 2] {
    ["tar.gz", "index.zst"].map(|end| fs::read(env.path(format!("{dir}/model-1.0.0.{end}"))).expect("made"))
}

fn manifest(env: &Env, file: &str) -> Value {
    serde_json::from_str(&env.read(file)).expect("JSON")
}

fn pack(env: &Env, more: &[&str]) -> Value {
    env.json(&[&["pack", "--type", "model", "--version", "1.0.0"], more].concat())
}

/// The members of the package, by the reader everybody has.
fn members(env: &Env) -> Vec<String> {
    let output = env.hermetic("tar").args(["-tf", "dist/model-1.0.0.tar.gz"]).output().expect("tar runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

#[test]
fn equal_trees_give_equal_bytes() {
    let env = Env::with_model();
    env.write("project/models/bert/big", vec![3u8; 6_000_000]);
    std::os::unix::fs::symlink("bert", env.path("project/models/link")).expect("linked");
    pack(&env, &["--threads", "1"]);
    let first = files(&env, "project/dist");
    pack(&env, &["--threads", "8", "--output", "eight"]);
    assert!(first == files(&env, "project/eight"), "8 threads");

    // The same content written on another day, elsewhere, in another order, by somebody with another umask.
    let other = Env::with_model();
    other.write("elsewhere/bert/big", vec![3u8; 6_000_000]);
    std::os::unix::fs::symlink("bert", other.path("elsewhere/link")).expect("linked");
    for file in ["tokenizer/vocab.txt", "bert/pytorch_model.bin", "bert/config.json"] {
        other.write(&format!("elsewhere/{file}"), fs::read(env.path("project/models").join(file)).expect("read"));
    }
    age(&other.path("elsewhere"), Duration::from_secs(400 * 86_400));
    let script = "umask 077 && exec \"$0\" pack ../elsewhere --type model --version 1.0.0 --output \"$1\"";
    let output = other.hermetic("sh").args(["-c", script, PROGRAM, "dist"]).env("SOURCE_DATE_EPOCH", "86400").output();
    let ran = Ran::of(output.expect("it runs"));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(first == files(&other, "project/dist"), "another day, directory, order and umask");

    // `SOURCE_DATE_EPOCH` is the manifest's time and nothing else.
    let [mine, theirs] = [&env, &other].map(|env| manifest(env, "project/dist/model-1.0.0.manifest.json"));
    assert_eq!(theirs["component"]["created_at"], "1970-01-02T00:00:00Z");
    assert_ne!(mine["component"]["created_at"], theirs["component"]["created_at"]);
    assert_eq!(mine["package"], theirs["package"]);
    assert_eq!(mine["index"], theirs["index"]);
}

/// Takes all but the owner's rights away and puts every time back.
fn age(dir: &Path, by: Duration) {
    let then = SystemTime::now() - by;
    for entry in fs::read_dir(dir).expect("listed") {
        let path = entry.expect("an entry").path();
        let meta = fs::symlink_metadata(&path).expect("there");
        if meta.is_symlink() {
            continue;
        }
        if meta.is_dir() {
            age(&path, by);
        }
        let file = fs::File::open(&path).expect("opened");
        file.set_modified(then).expect("set");
        file.set_permissions(fs::Permissions::from_mode(meta.mode() & 0o700)).expect("set");
    }
}

#[test]
fn source_date_epoch_must_be_a_number() {
    let env = Env::with_model();
    let mut command = env.command(&["pack", "--type", "model", "--version", "1.0.0"]);
    let ran = Ran::of(command.env("SOURCE_DATE_EPOCH", "yesterday").output().expect("it runs"));
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("`SOURCE_DATE_EPOCH` is `yesterday`"), "{ran:?}");
}

#[test]
fn only_the_listed_patterns_leave_anything_out() {
    let env = Env::with_model();
    env.write("project/.deploy-tool.yaml", format!("{CONFIG}pack: {{exclude: [\"*.tmp\"]}}\n"));
    for (name, content) in [
        (".gitignore", "*.bin\n"),
        (".hidden", "kept\n"),
        ("bert/.ignore", "*\n"),
        ("__pycache__/a.pyc", "cache"),
        (".git/HEAD", "ref\n"),
        ("scratch.tmp", "left out\n"),
        ("bert/notes.md", "left out by --exclude\n"),
    ] {
        env.write(&format!("project/models/{name}"), content);
    }
    env.git("project", &["init", "-q"]);
    env.write("project/.gitignore", "models\n");
    let report = pack(&env, &["--exclude", "*.md"]);
    assert_eq!(report["excluded"], 4);
    let members = members(&env);
    let expected = [
        ".gitignore",
        ".hidden",
        "bert/",
        "bert/.ignore",
        "bert/config.json",
        "bert/pytorch_model.bin",
        "tokenizer/",
        "tokenizer/vocab.txt",
    ];
    assert_eq!(members, expected);
    let text = env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    assert!(text.contains(", 3 excluded\n"), "{text}");
    let error = env.fails(2, &["pack", "--type", "model", "--version", "1.0.0", "--exclude", "{a"]);
    assert!(error.contains("`{a`"), "{error}");
}

#[test]
fn traps_of_relocation_are_warned_about() {
    let env = Env::with_model();
    let pyc = [0x0a0d_0dcbu32, 0, 1_700_000_000, 3].map(u32::to_le_bytes).concat();
    let traps: [(&str, &[u8], &str); 5] = [
        ("venv/pyvenv.cfg", b"home = /opt/python\n", "virtual environment"),
        ("bin/train", b"#!/home/mei/venv/bin/python\n", "interpreter"),
        ("weights.bin", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "git-LFS"),
        ("data.dvc", b"outs:\n- md5: 0\n  path: data\n", "DVC"),
        ("lib/module.pyc", &pyc, "bytecode"),
    ];
    for (name, content, _) in traps {
        let path = env.write(&format!("project/models/{name}"), content);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("allowed");
    }
    let ran = env.run(&["pack", "--type", "model", "--version", "1.0.0"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let warnings: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    for (name, _, why) in traps {
        let warned = warnings.iter().any(|line| line.contains(&format!("`{name}`")) && line.contains(why));
        assert!(warned, "{name}: {warnings:?}");
    }
    let hints = ran.stderr.lines().filter(|line| line.starts_with("hint: ")).count();
    assert_eq!(hints, 5, "{ran:?}");
    assert_eq!(env.run(&["pack", "--type", "model", "--version", "1.0.0", "--quiet"]).stderr, "");
}

#[test]
fn a_link_that_leaves_the_tree_is_refused_or_followed() {
    let env = Env::with_model();
    env.write("shared/weights.bin", "weights\n");
    for (target, name) in [("../../shared", "bert/shared"), ("config.json", "bert/inside")] {
        std::os::unix::fs::symlink(target, env.path("project/models").join(name)).expect("linked");
    }
    fs::rename(env.path("shared"), env.path("project/shared")).expect("moved");
    let error = env.fails(1, &["pack", "--type", "model", "--version", "1.0.0"]);
    assert!(error.contains("models/bert/shared` -> `../../shared`"), "{error}");
    assert!(error.contains("--dereference"), "{error}");
    nothing_made(&env);
    pack(&env, &["--dereference"]);
    env.ok(&["publish", "model@1.0.0"]);
    env.ok(&["deploy", "model"]);
    assert_eq!(env.read("root/links/model/bert/shared/weights.bin"), "weights\n");
    let inside = env.path("root/links/model/bert/inside");
    assert!(fs::symlink_metadata(inside).expect("there").is_file(), "links within are followed, too");

    // Followed links that never end are no tree.
    std::os::unix::fs::symlink("..", env.path("project/models/bert/round")).expect("linked");
    let error = env.fails(1, &["pack", "--type", "model", "--version", "1.0.1", "--dereference"]);
    assert!(error.contains("models/bert/round`"), "{error}");
}

/// A pack that failed leaves nothing under a final name, and nothing unfinished.
fn nothing_made(env: &Env) {
    assert!(!env.path("project/dist/model-1.0.0.tar.gz").exists());
    assert_eq!(env.json(&["store", "list"]), serde_json::json!([]));
    assert_eq!(fs::read_dir(env.path("store/tmp")).expect("there").count(), 0);
}

#[test]
fn what_cannot_be_packed_is_named() {
    let env = Env::with_model();
    let fails = |name: &str| {
        let error = env.fails(1, &["pack", "--type", "model", "--version", "1.0.0"]);
        assert!(error.contains(&format!("models/bert/{name}`")), "{error}");
        nothing_made(&env);
        fs::remove_file(env.path("project/models/bert").join(name)).expect("removed");
    };
    let _socket = std::os::unix::net::UnixListener::bind(env.path("project/models/bert/socket")).expect("bound");
    fails("socket");
    let made = env.hermetic("mkfifo").arg(env.path("project/models/bert/pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    fails("pipe");
    pack(&env, &[]);
}

#[test]
fn an_unreadable_file_is_named() {
    let env = Env::with_model();
    let path = env.write("project/models/bert/secret.bin", "secret\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).expect("allowed");
    // The superuser reads everything, so it has to do without that right.
    let mut command = match fs::read(&path) {
        Err(_) => env.command(&[]),
        Ok(_) => {
            let mut command = env.hermetic("setpriv");
            command.args(["--bounding-set=-dac_override,-dac_read_search", PROGRAM]);
            command
        }
    };
    let ran = Ran::of(command.args(["pack", "--type", "model", "--version", "1.0.0"]).output().expect("it runs"));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("models/bert/secret.bin`: Permission denied"), "{ran:?}");
    nothing_made(&env);
}

#[test]
fn a_file_that_grows_while_it_is_read_fails_the_pack() {
    use std::io::Write as _;
    let env = Env::with_model();
    let path = env.write("project/models/bert/log", vec![b'x'; 30_000_000]);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::OpenOptions::new().append(true).open(&path).expect("opened");
            while !stop.load(Ordering::Relaxed) {
                file.write_all(b"one more line\n").expect("written");
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let ran = env.run(&["pack", "--type", "model", "--version", "1.0.0"]);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("models/bert/log`: it changed while it was read"), "{ran:?}");
    });
    nothing_made(&env);
}

#[test]
fn a_manifest_has_the_fields_of_the_design_and_no_others() {
    let env = Env::with_model();
    let config = CONFIG.replace("config: {source: ./configs}", "config: {source: ./configs, mutable: true}");
    let config = config.replace("{source: ./models}", "{source: ./models, depends: {config: \">=1.0\"}}");
    env.write("project/.deploy-tool.yaml", config);
    env.git_init("project");
    let report = pack(&env, &[]);
    let manifest = manifest(&env, "project/dist/model-1.0.0.manifest.json");
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&manifest), ["component", "package", "index", "dependencies", "project", "metadata"]);
    assert_eq!(keys(&manifest["component"]), ["type", "version", "created_at"]);
    assert_eq!(keys(&manifest["package"]), ["file", "size", "algorithm", "checksum", "tree"]);
    assert_eq!(keys(&manifest["package"]["checksum"]), ["algorithm", "value"]);
    assert_eq!(keys(&manifest["index"]), ["file", "size", "checksum"]);
    assert_eq!(keys(&manifest["metadata"]), ["source_path", "pack_version", "tool", "codec", "source"]);
    assert_eq!(keys(&manifest["metadata"]["source"]), ["commit", "dirty"]);
    assert_eq!(manifest["metadata"]["source_path"], "./models");
    assert_eq!(manifest["metadata"]["source"]["commit"], env.git("project", &["rev-parse", "HEAD"]).trim());
    assert_eq!(manifest["dependencies"][0]["type"], "config");
    assert_eq!(manifest["project"], "demo");
    assert_eq!(manifest["package"]["file"], "model-1.0.0.tar.gz");
    assert_eq!(manifest["package"]["algorithm"], "gzip");
    let package = fs::read(env.path("project/dist/model-1.0.0.tar.gz")).expect("made");
    let sha256 = deploy_tool::model::Sha256::of(&package).to_string();
    assert_eq!(manifest["package"]["checksum"], serde_json::json!({"algorithm": "sha256", "value": sha256}));
    assert_eq!(manifest["package"]["size"], package.len());
    assert_eq!(report["sha256"], sha256);
    assert_eq!(report["tree"], manifest["package"]["tree"]);
}

#[test]
fn files_are_named_by_type_and_version_and_stay_in_the_store() {
    let env = Env::with_model();
    pack(&env, &[]);
    let made = tree::content(&env.path("project/dist"));
    let names: Vec<_> = made.keys().map(String::as_str).collect();
    assert_eq!(names, ["model-1.0.0.index.zst", "model-1.0.0.manifest.json", "model-1.0.0.tar.gz"]);
    let listed = env.json(&["store", "list"]);
    let held: Vec<_> = listed.as_array().expect("a list").iter().map(|entry| &entry["unpublished"]).collect();
    assert_eq!(held, ["model@1.0.0"; 3]);
    let in_store = fs::read_dir(env.path("store/sha256")).expect("there").count();
    assert!((1..=3).contains(&in_store), "sha256/ab/<hex>");
    // Publishing needs the store only.
    fs::remove_dir_all(env.path("project/dist")).expect("removed");
    fs::remove_dir_all(env.path("project/models")).expect("removed");
    env.ok(&["publish", "model@1.0.0"]);
    env.ok(&["deploy", "model"]);
}

#[test]
fn the_directory_is_the_configured_source_or_the_one_named() {
    let env = Env::with_model();
    env.write("project/other/only.txt", "other\n");
    pack(&env, &[]);
    assert!(members(&env).contains(&"bert/config.json".to_owned()));
    pack(&env, &["other"]);
    assert_eq!(members(&env), ["only.txt"]);
    assert_eq!(manifest(&env, "project/dist/model-1.0.0.manifest.json")["metadata"]["source_path"], "other");
    let error = env.fails(2, &["pack", "--type", "config", "--version", "1.0.0"]);
    assert!(error.contains("cannot pack `config`") && error.contains("configs` is not a directory"), "{error}");
}

#[test]
fn a_dry_run_says_the_same_and_writes_nothing() {
    let env = Env::with_model();
    let before = tree::snapshot(&env.path(""));
    let planned = pack(&env, &["--dry-run"]);
    assert_eq!(tree::snapshot(&env.path("")), before);
    let done = pack(&env, &[]);
    for field in ["size", "sha256", "tree", "files", "bytes", "excluded"] {
        assert_eq!(planned[field], done[field], "{field}");
    }
}

#[test]
fn an_output_directory_that_is_a_file_is_named_and_the_package_is_not_lost() {
    let env = Env::with_model();
    env.write("project/dist", "in the way\n");
    let error = env.fails(1, &["pack", "--type", "model", "--version", "1.0.0"]);
    assert!(error.contains("project/dist`"), "{error}");
    env.ok(&["publish", "model@1.0.0"]);
    assert_eq!(env.read("project/dist"), "in the way\n");
}

/// Killed before any change of the disk, a pack has made whole files or none, and the next one works.
#[test]
fn a_killed_pack_leaves_no_half_file() {
    let env = Env::with_model();
    let run = |name: &str, value: &str| {
        for dir in ["project/dist", "store"] {
            let _ = fs::remove_dir_all(env.path(dir));
        }
        let mut command = env.command(&["pack", "--type", "model", "--version", "1.0.0"]);
        command.env("SOURCE_DATE_EPOCH", "86400").env(name, value).output().expect("it runs").status.success()
    };
    let trace = env.path("trace");
    assert!(run("DEPLOY_TOOL_FAULT_TRACE", trace.to_str().expect("UTF-8")));
    let whole = tree::snapshot(&env.path("project/dist"));
    let points = fs::read_to_string(trace).expect("traced").lines().count();
    assert!(points > 20, "only {points} points: are faults compiled in?");
    for point in Sample::of("pack", points).points() {
        assert!(!run("DEPLOY_TOOL_FAULT", &format!("kill:{point}")), "{point}");
        fs::create_dir_all(env.path("store")).expect("made");
        if env.path("project/dist").exists() {
            for (name, what) in tree::snapshot(&env.path("project/dist")) {
                assert!(name.starts_with('.') || whole.get(&name) == Some(&what), "killed at {point}: {name}: {what}");
            }
        }
        for (name, what) in tree::snapshot(&env.path("store")) {
            let digest = name.strip_prefix("sha256/").and_then(|name| name.split_once('/'));
            assert!(digest.is_none_or(|(_, hex)| what.contains(hex)), "killed at {point}: {name}: {what}");
        }
    }
    pack(&env, &[]);
    env.ok(&["publish", "model@1.0.0"]);
    env.ok(&["store", "gc"]);
    assert_eq!(fs::read_dir(env.path("store/tmp")).expect("there").count(), 0);
}

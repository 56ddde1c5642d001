//! Updates by ranges where something is not what it was said to be: the index, a piece that comes, or a file of the version
//! that is there, at any moment.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, UNIX_EPOCH};

use deploy_tool::model::Sha256;
use serde_json::Value;

use super::env::{Env, Ran};
use super::fault_server::Way;
use super::ranges::{BIG, check, first, index, located, longest, number, second, server, taken, two_versions};

/// What readers of the root see: the first version, whole, and no trace of the second.
fn is_old(env: &Env) {
    assert_eq!(env.link("components/model/current"), "1.0.0");
    assert!(!env.path("root/components/model/2.0.0").exists());
    env.ok(&["links", "verify"]);
    env.ok(&["status", "--deep"]);
}

/// One byte of a published file is another.
fn flip(env: &Env, target: &str, file: &str) {
    let path = env.path(format!("targets/{target}/model/2.0.0/{file}"));
    let mut bytes = fs::read(&path).expect("published");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&path).expect("removed");
    fs::write(&path, bytes).expect("written");
}

#[test]
fn a_flipped_byte_in_the_index_is_caught_wherever_it_is() {
    let env = two_versions();
    first(&env);
    let file = "model-2.0.0.index.zst";
    flip(&env, "near", file);
    flip(&env, "far", file);
    let said = env.fails(4, &["deploy", "model@2.0.0", "--store", "../fresh"]);
    assert!(said.contains("near") && said.contains("far"), "{said}");
    is_old(&env);
    flip(&env, "far", file);
    // One source has it as it was; the update fetches no more for that.
    let done = second(&env);
    assert_eq!(taken(&done)["way"], "ranges", "{done}");
    assert!(number(&done, "fetched") < index(&env).size / 2, "{done}");
}

/// These bytes of a file become others; its length and times are what they were.
fn touch(path: &Path, places: &[u64]) {
    let before = fs::metadata(path).expect("there");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("opened");
    let file = fs::File::options().read(true).write(true).open(path).expect("opened");
    for place in places {
        let mut byte = [0];
        file.read_exact_at(&mut byte, *place).expect("read");
        file.write_all_at(&[!byte[0]], *place).expect("written");
    }
    file.set_permissions(before.permissions()).expect("closed");
    file.set_modified(UNIX_EPOCH + Duration::new(before.mtime() as u64, before.mtime_nsec() as u32)).expect("set");
    let after = fs::metadata(path).expect("there");
    assert_eq!((before.len(), before.modified().ok()), (after.len(), after.modified().ok()));
}

/// The update to the second version; `meddle` is called before each change of the disk, with what is about to be done.
fn stepwise(env: &Env, mut meddle: impl FnMut(&str)) -> Value {
    let socket = env.path("steps");
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).expect("a socket");
    let mut command = env.command(&["deploy", "model@2.0.0", "--store", "../fresh", "--json"]);
    let child = command.env("DEPLOY_TOOL_FAULT_TRACE", &socket).stdout(Stdio::piped()).spawn().expect("it runs");
    let (program, _) = listener.accept().expect("it connects");
    let mut answers = program.try_clone().expect("both ways");
    for line in BufReader::new(program).lines() {
        meddle(&line.expect("a line"));
        answers.write_all(b".").expect("it goes on");
    }
    let ran = Ran::of(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let done: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    check(env);
    done["components"][0].clone()
}

/// The index of this version in the store that is deployed from.
fn stored_index(env: &Env, version: &str) -> PathBuf {
    let bytes = fs::read(env.path(format!("project/dist/model-{version}.index.zst"))).expect("packed");
    let hex = Sha256::of(&bytes).to_string();
    env.path("fresh/sha256").join(&hex[..2]).join(hex)
}

#[test]
fn indexes_that_rot_in_the_store_during_an_update_harm_neither_it_nor_the_next() {
    let env = two_versions();
    first(&env);
    touch(&stored_index(&env, "1.0.0"), &[100]);
    let mut seen = false;
    // The old version's was fetched again, since it says what lies where; both are in use now.
    let done = stepwise(&env, |step| {
        if step.contains("/partial/") && !std::mem::replace(&mut seen, true) {
            touch(&stored_index(&env, "1.0.0"), &[100]);
            touch(&stored_index(&env, "2.0.0"), &[100]);
        }
    });
    assert!(seen);
    assert_eq!(taken(&done)["way"], "ranges", "{done}");
    let next = env.json(&["deploy", "model@2.0.0", "--store", "../fresh", "--root", "../other"]);
    let sidecar = fs::metadata(env.path("project/dist/model-2.0.0.index.zst")).expect("packed").len();
    assert!(number(&next["components"][0], "fetched") > sidecar, "{next}");
    let weights = |root: &str| fs::read(env.path(format!("{root}/links/model/{BIG}"))).expect("deployed");
    assert!(weights("root") == weights("other"));
}

#[test]
fn wrong_bytes_in_a_piece_are_thrown_away_before_they_are_decoded() {
    let version = || {
        let env = two_versions();
        first(&env);
        let index = index(&env);
        let entry = index.entries.iter().find(|item| item.entry.path.to_string() == BIG).expect("listed");
        let changed = entry.offset + 7_100_000;
        let piece = index.pieces.iter().find(|piece| piece.tar_offset + piece.tar_length > changed).expect("a piece");
        (env, Way::WrongByte((piece.offset + piece.length / 2) as usize))
    };
    let ranges = |done: &Value, size: u64| {
        assert_eq!(taken(done)["way"], "ranges", "{done}");
        assert!(number(done, "fetched") < size / 2, "{done}");
    };
    // Ever wrong, and alone.
    let (env, wrong) = version();
    let web = server(&env);
    web.misbehave(wrong, usize::MAX);
    located(&env, &[("web", &web)]);
    let said = env.fails(4, &["deploy", "model@2.0.0", "--store", "../fresh"]);
    assert!(said.contains("`web` has wrong bytes in piece"), "{said}");
    is_old(&env);
    drop(web);
    // Ever wrong, beside one that is right.
    let (env, wrong) = version();
    let (bad, good) = (server(&env), server(&env));
    bad.misbehave(wrong, usize::MAX);
    located(&env, &[("bad", &bad), ("good", &good)]);
    ranges(&second(&env), index(&env).size);
    // Wrong once: what came before it stays.
    let (env, wrong) = version();
    let web = server(&env);
    web.misbehave(wrong, 1);
    located(&env, &[("web", &web)]);
    ranges(&second(&env), index(&env).size);
}

#[test]
fn a_base_that_is_changed_during_the_update_is_found_out_at_any_moment() {
    let env = two_versions();
    first(&env);
    let clean = number(&stepwise(&env, |_| {}), "fetched");
    let mut steps = 0;
    let again = |env: &Env| {
        for sub in ["fresh", "root"] {
            fs::remove_dir_all(env.path(sub)).expect("removed");
        }
        first(env);
    };
    again(&env);
    stepwise(&env, |_| steps += 1);
    let base = env.path(format!("root/components/model/1.0.0/{BIG}"));
    let mut more = Vec::new();
    for moment in (0..steps).step_by((steps / 12).max(1)) {
        again(&env);
        let mut step = 0;
        let done = stepwise(&env, |_| {
            if step == moment {
                touch(&base, &[3_000_000, 10_000_000]);
            }
            step += 1;
        });
        assert_eq!(taken(&done)["way"], "ranges", "{done}");
        more.push(number(&done, "fetched") - clean);
    }
    // What was read before is right; what was not is fetched, and no more than that.
    let most = 2 * longest(&index(&env));
    assert!(more.iter().all(|more| *more <= most) && more[0] > 500_000 && more.last() == Some(&0), "{more:?}");
}

#[test]
fn a_base_that_goes_away_during_the_update_is_no_loss() {
    let env = two_versions();
    first(&env);
    let base = env.path(format!("root/components/model/1.0.0/{BIG}"));
    let mut seen = false;
    stepwise(&env, |step| {
        if step.contains("/partial/") && !std::mem::replace(&mut seen, true) {
            fs::rename(&base, env.path("elsewhere")).expect("moved");
            fs::write(&base, [0; 1000]).expect("written");
        }
    });
    assert!(seen);
}

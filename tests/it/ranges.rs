//! Updates that fetch the pieces that changed and no others, and what happens when something is wrong with what is here, what
//! comes, or the machine.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;

use deploy_tool::model::Index;
use serde_json::{Value, json};

use super::env::{Env, Ran};
use super::fault_server::{Server, Way};
use super::relay::Relay;

pub const BIG: &str = "bert/pytorch_model.bin";

pub fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

/// Two versions of a model of 12 MB that no codec makes smaller: the second has a longer header and other bytes in one place.
pub fn two_versions() -> Env {
    let env = Env::new();
    env.model_in_place();
    let mut weights = noise(1, 12_000_000);
    env.write(&format!("project/models/{BIG}"), &weights);
    env.publish("1.0.0");
    weights[7_000_000..7_200_000].copy_from_slice(&noise(2, 200_000));
    weights.splice(8..8, [7; 60]);
    env.write(&format!("project/models/{BIG}"), &weights);
    env.publish("2.0.0");
    env
}

/// Installs the first version, with a store that is not the one that was packed into.
pub fn first(env: &Env) {
    env.ok(&["deploy", "model@1.0.0", "--store", "../fresh"]);
}

pub fn second(env: &Env) -> Value {
    let component = env.json(&["deploy", "model@2.0.0", "--store", "../fresh"])["components"][0].clone();
    check(env);
    component
}

/// The second version is there, each byte of it.
pub fn check(env: &Env) {
    let (there, here) = (format!("project/models/{BIG}"), format!("root/links/model/{BIG}"));
    assert!(fs::read(env.path(there)).expect("packed") == fs::read(env.path(here)).expect("deployed"));
    env.ok(&["links", "verify"]);
}

pub fn index(env: &Env) -> Index {
    let bytes = fs::read(env.path("project/dist/model-2.0.0.index.zst")).expect("packed");
    Index::parse(&bytes).expect("an index")
}

pub fn number(component: &Value, field: &str) -> u64 {
    component[field].as_u64().unwrap_or_else(|| panic!("{field}: {component}"))
}

pub fn longest(index: &Index) -> u64 {
    index.pieces.iter().map(|piece| piece.length).max().expect("pieces")
}

/// What the way that is taken costs.
pub fn taken(component: &Value) -> &Value {
    let cost = &component["cost"];
    &cost["candidates"][cost["chosen"].as_u64().unwrap_or_else(|| panic!("{component}")) as usize]
}

#[test]
fn only_what_changed_is_fetched_and_a_dry_run_says_so_before() {
    let env = two_versions();
    first(&env);
    let before = env.listing();
    let dry = env.json(&["deploy", "model@2.0.0", "--store", "../fresh", "--dry-run"])["components"][0].clone();
    env.assert_unchanged(&before, &["dry run"]);
    assert_eq!(taken(&dry)["way"], "ranges", "{dry}");
    let done = second(&env);
    let (index, package) = (index(&env), index(&env).size);
    let fetched = number(&done, "fetched");
    assert_eq!(taken(&done), taken(&dry));
    assert_eq!(number(taken(&done), "bytes"), number(&dry, "fetched"));
    // The header's piece and those that the change lies in; the index besides.
    let sidecar = fs::metadata(env.path("project/dist/model-2.0.0.index.zst")).expect("packed").len();
    assert_eq!(fetched, number(&dry, "fetched") + sidecar);
    assert!(number(&dry, "fetched") <= 5 * longest(&index) && fetched < package / 2, "{fetched} of {package}");
    let said = env.ok(&["deploy", "model@2.0.0", "--root", "../other", "--store", "../none", "--dry-run"]);
    assert!(said.contains("to fetch: ") && said.contains("whole package"), "{said}");
}

#[test]
fn a_local_file_that_was_changed_is_found_by_its_digest_and_its_piece_is_fetched() {
    let env = two_versions();
    first(&env);
    let clean =
        number(&env.json(&["deploy", "model@2.0.0", "--store", "../fresh", "--dry-run"])["components"][0], "fetched");
    let path = env.path(format!("root/components/model/1.0.0/{BIG}"));
    let meta = fs::metadata(&path).expect("there");
    let mut bytes = fs::read(&path).expect("there");
    for at in [3_000_000, 10_000_000] {
        bytes[at] ^= 1;
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opened");
    fs::write(&path, &bytes).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("closed");
    let file = fs::File::options().read(true).open(&path).expect("opened");
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(meta.mtime() as u64)).expect("set");
    let done = second(&env);
    let more = number(&done, "fetched") - clean;
    assert!(more > 500_000 && more <= 3 * longest(&index(&env)), "{more}");
}

#[test]
fn a_flipped_byte_in_a_piece_is_caught_and_another_source_is_asked() {
    let env = two_versions();
    first(&env);
    let index = index(&env);
    let changed =
        index.entries.iter().find(|item| item.entry.path.to_string() == BIG).expect("listed").offset + 7_100_000;
    let piece = index.pieces.iter().find(|piece| piece.tar_offset + piece.tar_length > changed).expect("a piece");
    let flip = |target: &str| {
        let path = env.path(format!("targets/{target}/model/2.0.0/model-2.0.0.tar.gz"));
        let mut bytes = fs::read(&path).expect("published");
        bytes[(piece.offset + piece.length / 2) as usize] ^= 1;
        fs::remove_file(&path).expect("removed");
        fs::write(&path, bytes).expect("written");
    };
    flip("near");
    flip("far");
    let said = env.fails(4, &["deploy", "model@2.0.0", "--store", "../fresh"]);
    assert!(said.contains("near") && said.contains("far"), "{said}");
    assert!(env.link("links/model").contains("current") && !env.path("root/components/model/2.0.0").exists());
    flip("far");
    second(&env);
}

#[test]
fn a_kill_at_any_write_is_gone_on_with() {
    let env = two_versions();
    let trace = env.path("trace");
    let run = |point: Option<usize>| {
        for sub in ["fresh", "root"] {
            let _ = fs::remove_dir_all(env.path(sub));
        }
        first(&env);
        let mut command = env.command(&["deploy", "model@2.0.0", "--store", "../fresh"]);
        command.env("DEPLOY_TOOL_FAULT_TRACE", &trace);
        if let Some(point) = point {
            command.env("DEPLOY_TOOL_FAULT", format!("kill:{point}"));
        }
        let ran = Ran::of(command.output().expect("it runs"));
        assert_eq!(ran.status, if point.is_some() { None } else { Some(0) }, "{ran:?}");
        fs::read_to_string(&trace).expect("traced")
    };
    let points: Vec<usize> = run(None)
        .lines()
        .filter(|line| line.contains("/partial/") || line.contains("/staging/"))
        .map(|line| line.split(' ').next().and_then(|number| number.parse().ok()).expect("a number"))
        .collect();
    let mut resumed = 0;
    for point in points.iter().step_by((points.len() / 8).max(1)).chain(points.last()) {
        run(Some(*point));
        resumed += number(&second(&env), "resumed");
    }
    assert!(resumed > 0, "nothing that was fetched before a kill was used again");
}

#[test]
fn with_verify_whole_every_byte_of_the_package_is_fetched() {
    let env = two_versions();
    first(&env);
    env.configure("deploy:", "deploy: {root: ../root, verify: whole}");
    let dry = env.json(&["deploy", "model@2.0.0", "--store", "../fresh", "--dry-run"])["components"][0].clone();
    let done = second(&env);
    for said in [&dry, &done] {
        assert_eq!(taken(said)["way"], "whole", "{said}");
        assert!(number(said, "fetched") >= index(&env).size, "{said}");
    }
}

#[test]
fn what_ranges_left_in_the_store_serves_a_fetch_of_the_whole_and_goes_with_gc() {
    let env = two_versions();
    first(&env);
    let fetched = number(taken(&second(&env)), "bytes");
    assert_eq!(fs::read_dir(env.path("fresh/partial")).expect("there").count(), 1);
    let other =
        env.json(&["deploy", "model@2.0.0", "--store", "../fresh", "--root", "../other"])["components"][0].clone();
    assert_eq!(taken(&other)["way"], "whole", "{other}");
    assert!(number(&other, "resumed") >= fetched, "{other}");
    assert_eq!(fs::read_dir(env.path("fresh/partial")).expect("there").count(), 0);
    env.ok(&["store", "verify", "--store", "../fresh"]);
}

/// The second version's locations become these, with no other.
pub fn located(env: &Env, servers: &[(&str, &Server)]) {
    let path = "records/records/packages/model/2.0.0/record.json";
    let mut record: Value = serde_json::from_str(&env.read(path)).expect("JSON");
    let file = "model/2.0.0/model-2.0.0.tar.gz";
    let location = |(name, server): &(&str, &Server)| json!({"name": name, "type": "http", "url": server.url(&format!("/{file}"))});
    record["locations"] = servers.iter().map(location).collect();
    env.write(path, serde_json::to_vec_pretty(&record).expect("JSON"));
    env.git("records", &["commit", "-qam", "served"]);
    let targets: String = servers
        .iter()
        .map(|(name, server)| format!("    {name}: {{type: http, url: '{}'}}\n", server.url("/")))
        .collect();
    let config = env.read("project/.deploy-tool.yaml").replace("default: [near, far]", "default: []");
    env.write("project/.deploy-tool.yaml", config.replace("  targets:\n", &format!("  targets:\n{targets}")));
}

pub fn server(env: &Env) -> Server {
    let read = |name: &str| fs::read(env.path(format!("targets/near/model/2.0.0/{name}"))).expect("published");
    let (package, index) = (read("model-2.0.0.tar.gz"), read("model-2.0.0.index.zst"));
    Server::start(&[("/model/2.0.0/model-2.0.0.tar.gz", &package), ("/model/2.0.0/model-2.0.0.index.zst", &index)])
}

#[test]
fn a_server_that_knows_no_ranges_is_read_through_and_then_remembered() {
    let env = two_versions();
    first(&env);
    let web = server(&env);
    web.misbehave(Way::Whole, 1000);
    located(&env, &[("web", &web)]);
    let done = second(&env);
    assert_eq!(taken(&done)["way"], "ranges", "nobody knew: {done}");
    fs::remove_dir_all(env.path("root")).expect("removed");
    first(&env);
    fs::remove_dir_all(env.path("fresh/partial")).expect("removed");
    // It is read from its beginning up to the last piece that is missing, which is the header's neighbour no more.
    let known = second(&env);
    assert_eq!(number(taken(&known), "requests"), 1, "{known}");
    assert!(number(taken(&known), "bytes") > 2 * number(taken(&done), "bytes"), "{known}");
}

#[test]
fn two_sources_give_the_missing_pieces_together_and_one_that_fails_is_made_good() {
    let env = two_versions();
    first(&env);
    let (one, two) = (server(&env), server(&env));
    one.misbehave(Way::ResetAfter(100_000), 2);
    located(&env, &[("one", &one), ("two", &two)]);
    let done = second(&env);
    assert_eq!(taken(&done)["way"], "ranges", "{done}");
    assert!(number(&done, "fetched") < index(&env).size / 2, "{done}");
}

#[test]
fn one_line_in_one_file_costs_its_piece() {
    let env = Env::new();
    env.model_in_place();
    for number in 0..600u16 {
        let text: String = noise(3, 8_000).iter().map(|byte| format!("{byte:02x} {number}\n")).collect();
        env.write(&format!("project/models/configs/{:02}/{number:03}.yaml", number / 50), text);
    }
    env.publish("1.0.0");
    let path = "project/models/configs/07/370.yaml";
    let text = env.read(path);
    env.write(path, format!("{text}threshold: 0.7\n"));
    env.publish("2.0.0");
    first(&env);
    let done = env.json(&["deploy", "model@2.0.0", "--store", "../fresh"])["components"][0].clone();
    let index = index(&env);
    let offset =
        index.entries.iter().find(|item| item.entry.path.to_string().ends_with("370.yaml")).expect("listed").offset;
    let piece = index.pieces.iter().find(|piece| piece.tar_offset + piece.tar_length > offset).expect("a piece");
    assert!(index.pieces.len() > 8, "{}", index.pieces.len());
    assert_eq!((&taken(&done)["way"], number(taken(&done), "bytes")), (&json!("ranges"), piece.length), "{done}");
    assert_eq!(env.read(path), env.read("root/links/model/configs/07/370.yaml"));
}

#[test]
fn over_a_slow_link_no_more_bytes_come_than_were_said() {
    let env = two_versions();
    first(&env);
    let web = server(&env);
    let link = Relay::shaped(web.port, Some(20_000_000), Duration::from_millis(30));
    located(&env, &[("web", &Server::start(&[]))]);
    let path = "records/records/packages/model/2.0.0/record.json";
    let at = |port: u16| format!("http://127.0.0.1:{port}/");
    let place = env.read("project/.deploy-tool.yaml");
    let old = place.split("url: '").nth(1).and_then(|rest| rest.split('\'').next()).expect("a URL").to_owned();
    for path in [path, "project/.deploy-tool.yaml"] {
        let text = env.read(path).replace(&old, &at(link.port));
        env.write(path, text);
    }
    env.git("records", &["commit", "-qam", "through the link"]);
    let done = second(&env);
    assert_eq!(taken(&done)["way"], "ranges", "{done}");
    // Heads of answers, and what a connection had asked for when another brought it.
    let (fetched, came) = (number(&done, "fetched"), link.down());
    assert!(came < fetched + fetched / 10 + 100_000, "{came} for {fetched}");
}

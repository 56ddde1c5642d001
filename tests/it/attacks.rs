//! Packages that mean harm, through the whole program: records and targets in other people's hands can make `deploy`
//! refuse, naming the entry, and nothing else. Afterwards nothing is left behind and a good version deploys.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};

use deploy_tool::model::{Index, Sha256};
use serde_json::{Value, json};

use super::env::Env;
use super::raw_tar::{Raw, file, link, tar};
use super::tree;

fn directory(name: &[u8]) -> Raw<'_> {
    Raw { kind: b'5', mode: 0o755, content: b"", ..file(name) }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("written");
    encoder.finish().expect("finished")
}

/// How a record is written: in the seed's own form, or pinning what it belongs to.
#[derive(Clone, Copy, Debug)]
enum Form {
    Seed,
    Pinned,
}

/// A host that has one good version, and hands that can write anything to its target and its records.
struct Host {
    env: Env,
    number: std::cell::Cell<u32>,
}

impl Host {
    fn new() -> Self {
        let env = Env::with_model();
        env.publish("1.0.0");
        env.ok(&["deploy", "model@1.0.0"]);
        Self { env, number: 0.into() }
    }

    fn manifest(&self, version: &str, package: &[u8]) -> Value {
        json!({
            "component": {"type": "model", "version": version, "created_at": "2024-01-20T10:00:00Z"},
            "package": {
                "file": format!("model-{version}.tar.gz"),
                "size": package.len(),
                "algorithm": "gzip",
                "checksum": {"algorithm": "sha256", "value": Sha256::of(package)}
            },
            "metadata": {"source_path": "./models", "pack_version": "1.0"}
        })
    }

    /// Puts a package with its manifest and record where a publisher would have.
    fn plant(&self, version: &str, package: &[u8], manifest: &Value, form: Form) {
        let (env, place) = (&self.env, format!("targets/near/model/{version}"));
        let name = manifest["package"]["file"].as_str().expect("a name");
        env.write(&format!("{place}/{name}"), package);
        let manifest_bytes = format!("{manifest:#}\n");
        let mut record = json!({
            "component": {"type": "model", "version": version},
            "locations": [{"name": "near", "type": "filesystem", "path": format!("{}/", env.path(&place).display())}],
            "published_at": "2024-01-20T10:05:00Z"
        });
        if matches!(form, Form::Pinned) {
            record["manifest"] = json!({"sha256": Sha256::of(manifest_bytes.as_bytes())});
            let package = &manifest["package"];
            record["package"] =
                json!({"file": package["file"], "size": package["size"], "checksum": package["checksum"]});
        }
        let records = format!("records/records/packages/model/{version}");
        env.write(&format!("{records}/manifest.json"), &manifest_bytes);
        env.write(&format!("{records}/record.json"), format!("{record:#}\n"));
        env.git("records", &["add", "-A"]);
        env.git("records", &["commit", "-qm", version]);
    }

    fn next_version(&self) -> String {
        self.number.set(self.number.get() + 1);
        format!("6.6.{}", self.number.get())
    }

    /// Deploys `version`, which must be refused in words that have all of `words`, with nothing left behind.
    fn refuses(&self, version: &str, words: &[&str]) {
        let env = &self.env;
        let root = env.path("root");
        let before = tree::unlogged(&root);
        let outside = self.beside_the_root();
        let error = env.fails(4, &["deploy", &format!("model@{version}")]);
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
        assert!(error.contains("\nhint: "), "{error}");
        assert_eq!(tree::unlogged(&root), before, "{words:?}: left behind");
        for sub in ["staging", "journal"] {
            assert_eq!(fs::read_dir(root.join(".deploy-tool").join(sub)).expect("there").count(), 0, "{sub}");
        }
        let store = fs::read_dir(env.path("store/tmp")).expect("there").count();
        assert_eq!(store, 0, "unfinished writes in the store");
        assert_eq!(self.beside_the_root(), outside, "written beside the root");
    }

    fn beside_the_root(&self) -> BTreeSet<std::ffi::OsString> {
        let entries = fs::read_dir(self.env.path("")).expect("listed");
        entries.map(|entry| entry.expect("read").file_name()).filter(|name| name != "store").collect()
    }

    /// A package of these entries is refused in both forms of record.
    fn refuses_entries(&self, entries: &[Raw<'_>], words: &[&str]) {
        let package = gzip(&tar(entries));
        for form in [Form::Seed, Form::Pinned] {
            let version = self.next_version();
            self.plant(&version, &package, &self.manifest(&version, &package), form);
            self.refuses(&version, words);
        }
    }

    /// The same host deploys a good version, and the links are as they should be.
    fn still_works(self) {
        self.env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
        self.env.publish("1.0.1");
        self.env.ok(&["deploy", "model@1.0.1"]);
        assert_eq!(self.env.read("root/links/model/bert/config.json"), "{\"layers\": 6}\n");
        self.env.ok(&["links", "verify"]);
    }
}

#[test]
fn a_harmless_package_of_the_same_making_deploys() {
    let host = Host::new();
    let entries = [directory(b"d/"), file(b"d/x"), Raw { mode: 0o755, ..file(b"y") }, link(b"z", b"d/x")];
    let package = gzip(&tar(&entries));
    for form in [Form::Seed, Form::Pinned] {
        let version = host.next_version();
        host.plant(&version, &package, &host.manifest(&version, &package), form);
        host.env.ok(&["deploy", &format!("model@{version}")]);
        assert_eq!(host.env.read("root/links/model/z"), "evil");
    }
    host.still_works();
}

#[test]
fn paths_that_lead_out() {
    let host = Host::new();
    let absolute = host.env.path("absolute").display().to_string();
    for name in [&b"../x"[..], b"../../../x", b"/etc/x", absolute.as_bytes(), b"d/../../x", b"d/.."] {
        let shown = String::from_utf8_lossy(name);
        host.refuses_entries(&[file(b"fine"), file(name)], &[&shown]);
    }
    assert!(!host.env.path("absolute").exists());
    host.still_works();
}

#[test]
fn links_that_lead_out() {
    let host = Host::new();
    for target in [&b"/etc"[..], b"..", b"../x", b"d/../../x"] {
        host.refuses_entries(&[link(b"trap", target)], &["`trap`"]);
    }
    // `up` leads to the top, so that `up/..` would be above it.
    let through_a_link =
        [directory(b"d/"), directory(b"d/e/"), link(b"d/e/up", b"../.."), link(b"d/e/trap", b"up/../x")];
    host.refuses_entries(&through_a_link, &["`d/e/trap`"]);
    let hard = |to| Raw { kind: b'1', ..link(b"trap", to) };
    for to in [&b"../x"[..], b"/etc/passwd", b"absent"] {
        host.refuses_entries(&[file(b"f"), hard(to)], &["`trap`"]);
    }
    host.still_works();
}

#[test]
fn entries_below_what_is_no_directory_and_duplicates() {
    let host = Host::new();
    host.refuses_entries(&[directory(b"d/"), link(b"l", b"d"), file(b"l/x")], &["`l/x`", "`l`"]);
    host.refuses_entries(&[file(b"f"), file(b"f/x")], &["`f/x`", "`f`"]);
    host.refuses_entries(&[file(b"twice"), file(b"twice")], &["`twice`"]);
    host.refuses_entries(&[link(b"twice", b"d"), directory(b"twice/")], &["`twice`"]);
    host.refuses_entries(&[file(b"twice"), file(b"./twice")], &["`twice`"]);
    host.still_works();
}

#[test]
fn devices_pipes_and_borrowed_rights() {
    let host = Host::new();
    for kind in [b'3', b'4', b'6'] {
        host.refuses_entries(&[Raw { kind, content: b"", ..file(b"dev") }], &["`dev`"]);
    }
    for mode in [0o4755, 0o2755] {
        host.refuses_entries(&[Raw { mode, ..file(b"rights") }], &["`rights`"]);
    }
    host.still_works();
}

/// The package that `pack` made of the model, its manifest and its index.
fn packed(host: &Host, version: &str) -> (Vec<u8>, Value, Vec<u8>) {
    host.env.ok(&["pack", "--type", "model", "--version", version]);
    let bytes = |name: &str| fs::read(host.env.path(format!("project/dist/model-{version}{name}"))).expect("packed");
    let manifest = serde_json::from_slice(&bytes(".manifest.json")).expect("JSON");
    (bytes(".tar.gz"), manifest, bytes(".index.zst"))
}

/// Another store knows none of what was packed here.
fn forget_the_store(host: &Host) {
    fs::remove_dir_all(host.env.path("store")).expect("removed");
}

#[test]
fn bytes_that_are_cut_or_flipped_on_the_target() {
    let host = Host::new();
    host.env.write("project/models/bert/noise", noise(3_000_000));
    let (package, manifest, index) = packed(&host, "7.0.0");
    forget_the_store(&host);
    host.plant("7.0.0", &package, &manifest, Form::Pinned);
    let at = |name: &str| format!("targets/near/model/7.0.0/{name}");
    let (index_name, name) = (at("model-7.0.0.index.zst"), at("model-7.0.0.tar.gz"));
    host.env.write(&index_name, &index);
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    for cut in [0, 10, package.len() / 2, package.len() - 1] {
        host.env.write(&name, &package[..cut]);
        host.refuses("7.0.0", &["near", "model-7.0.0.tar.gz"]);
    }
    for at in [0, 9, 10, package.len() / 2, package.len() - 9, package.len() - 1] {
        host.env.write(&name, flipped(&package, at));
        host.refuses("7.0.0", &["near", "model-7.0.0.tar.gz"]);
    }
    host.env.write(&name, [&package[..], b"more"].concat());
    host.refuses("7.0.0", &["near", "model-7.0.0.tar.gz"]);
    host.env.write(&name, &package);
    // The index was good until now, so the store has it.
    forget_the_store(&host);
    host.env.write(&index_name, flipped(&index, index.len() / 2));
    host.refuses("7.0.0", &["near", "model-7.0.0.index.zst"]);
    host.env.write(&index_name, &index);
    host.env.ok(&["deploy", "model@7.0.0"]);
    host.still_works();
}

#[test]
fn packages_that_were_broken_before_they_were_pinned() {
    let host = Host::new();
    let content = noise(200_000);
    let whole = gzip(&tar(&[file(b"before"), Raw { content: &content, ..file(b"cut-here") }]));
    let middle = whole.len() / 2;
    let flip = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let broken = [vec![], whole[..10].to_vec(), whole[..middle].to_vec(), whole[..whole.len() - 4].to_vec()];
    for package in broken.into_iter().chain([flip(0), flip(middle), flip(whole.len() - 6), flip(whole.len() - 2)]) {
        for form in [Form::Seed, Form::Pinned] {
            let version = host.next_version();
            host.plant(&version, &package, &host.manifest(&version, &package), form);
            host.refuses(&version, &[&format!("model@{version}")]);
        }
    }
    // A tar stream that ends in the middle of an entry, in a sound gzip member.
    let stream = tar(&[Raw { content: &content, ..file(b"cut-here") }]);
    let version = host.next_version();
    let package = gzip(&stream[..100_000]);
    host.plant(&version, &package, &host.manifest(&version, &package), Form::Pinned);
    host.refuses(&version, &[&version, "cut short"]);
    host.still_works();
}

#[test]
fn a_manifest_that_lies() {
    let host = Host::new();
    let good = gzip(&tar(&[file(b"f")]));
    let lies: [(&str, Value, &str); 5] = [
        ("/package/size", json!(good.len() - 1), "has more than"),
        ("/package/size", json!(good.len() + 1), "ends after"),
        ("/package/checksum/value", json!(Sha256::of(b"other")), "has sha256"),
        ("/package/tree", json!("0".repeat(64)), "unpacks to another tree"),
        ("/package/algorithm", json!("zstd"), "cannot decode"),
    ];
    for (pointer, lie, words) in lies {
        for form in [Form::Seed, Form::Pinned] {
            let version = host.next_version();
            let mut manifest = host.manifest(&version, &good);
            manifest["package"]["tree"] = Value::Null;
            *manifest.pointer_mut(pointer).expect("a field") = lie.clone();
            if manifest["package"]["tree"].is_null() {
                manifest["package"].as_object_mut().expect("an object").remove("tree");
            }
            host.plant(&version, &good, &manifest, form);
            host.refuses(&version, &[&version, words]);
        }
    }
    host.still_works();
}

#[test]
fn a_record_that_pins_another_manifest() {
    let host = Host::new();
    let good = gzip(&tar(&[file(b"f")]));
    host.plant("6.6.6", &good, &host.manifest("6.6.6", &good), Form::Pinned);
    let path = "records/records/packages/model/6.6.6/manifest.json";
    let altered = host.env.read(path).replace("./models", "./elsewhere");
    host.env.write(path, altered);
    host.env.git("records", &["commit", "-qam", "altered"]);
    host.refuses("6.6.6", &["manifest.json"]);
    host.still_works();
}

#[test]
fn an_index_that_disagrees_with_the_archive() {
    let host = Host::new();
    // What the host has already is made as the index says, whose digest git pins; the package is not asked, unless one says so.
    host.env.configure("deploy:", "deploy: {root: ../root, verify: whole}");
    let (package, manifest, index) = packed(&host, "7.0.0");
    forget_the_store(&host);
    let mut lines = String::new();
    zstd::Decoder::new(&index[..]).expect("zstd").read_to_string(&mut lines).expect("UTF-8");
    let config = lines.lines().find(|line| line.contains("\"bert/config.json\"")).expect("listed");
    let digest = config.split("\"blake3\":\"").nth(1).expect("a digest").split('"').next().expect("a digest");
    let lies = [
        config.replace("\"0644\"", "\"0755\""),
        config.replace("bert/config.json", "bert/confih.json"),
        config.replace(digest, &digest.chars().rev().collect::<String>()),
        config.replace("\"mtime\":3", "\"mtime\":4"),
    ];
    for lie in lies {
        assert_ne!(lie, config);
        // The tree digest is pinned as the lying index gives it.
        let index = zstd::encode_all(lines.replace(config, &lie).as_bytes(), 3).expect("packed");
        let version = host.next_version();
        let mut manifest = manifest.clone();
        manifest["component"]["version"] = json!(version);
        manifest["package"]["tree"] = json!(Index::parse(&index).expect("it fits").tree_digest());
        manifest["index"]["size"] = json!(index.len());
        manifest["index"]["checksum"]["value"] = json!(Sha256::of(&index));
        host.plant(&version, &package, &manifest, Form::Pinned);
        let name = manifest["index"]["file"].as_str().expect("a name");
        host.env.write(&format!("targets/near/model/{version}/{name}"), &index);
        host.refuses(&version, &["bert/conf"]);
    }
    host.still_works();
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..length).map(step).collect()
}

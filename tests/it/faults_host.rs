//! A version that was published once, and hosts that deploy it from the web servers of a test.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::{Value, json};

use super::env::{Env, Ran};
use super::fault_server::{Certificate, Seen, Server};
use super::scene::{Scene, State, differences};

/// Where servers have the package; the index lies beside it.
pub const PACKAGE: &str = "/packages/model/1.0.0/model-1.0.0.tar.gz";
/// The login that is configured for the server `bad`.
pub const TOKEN: &str = "t0ken-of-bad-5ec7e7";
const INDEX: &str = "/packages/model/1.0.0/model-1.0.0.index.zst";
const MANIFEST: &str = "records/packages/model/1.0.0/manifest.json";
const RECORD: &str = "records/packages/model/1.0.0/record.json";
const REJECTED: &str = "root/.deploy-tool/rejected";

/// The version, and the roots it is deployed to.
pub struct Version {
    env: Env,
    package: Vec<u8>,
    index: Vec<u8>,
    record: Value,
    manifest: String,
    /// What a deploy from a good server makes of a root.
    new: State,
}

/// Published by whoever comes first, for all who are here at the same time; gone with the last of them.
pub fn version() -> Arc<Version> {
    static VERSION: Mutex<Weak<Version>> = Mutex::new(Weak::new());
    let mut shared = VERSION.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(version) = shared.upgrade() {
        return version;
    }
    let version = Arc::new(Version::publish());
    *shared = Arc::downgrade(&version);
    version
}

impl Version {
    fn publish() -> Self {
        let env = Env::new();
        env.model_in_place();
        env.publish("0.9.0");
        env.ok(&["deploy", "model@0.9.0", "--store", "../old-store"]);
        // A small piece, and several of about half a megabyte.
        fs::remove_dir_all(env.path("project/models")).expect("removed");
        let mut noise = vec![0; 5_000_000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        env.write("project/models/weights.bin", noise);
        env.publish("1.0.0");
        let packed = |path: &str| {
            let name = path.rsplit('/').next().expect("a name");
            fs::read(env.path("project/dist").join(name)).expect("packed")
        };
        let (package, index) = (packed(PACKAGE), packed(INDEX));
        let record = serde_json::from_str(&env.committed("records", RECORD)).expect("JSON");
        let manifest = env.committed("records", MANIFEST);
        let mut version = Self { env, package, index, record, manifest, new: State::new() };
        let server = version.server();
        let host = version.host(&[("good", &server)], "");
        let ran = host.deploy(&[]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        version.new = host.state();
        version
    }

    /// A server that has the version.
    pub fn server(&self) -> Server {
        Server::start(&self.files())
    }

    /// The same behind TLS.
    pub fn server_tls(&self, certificate: &Certificate) -> Server {
        Server::start_tls(&self.files(), certificate)
    }

    fn files(&self) -> [(&str, &[u8]); 2] {
        [(PACKAGE, &self.package), (INDEX, &self.index)]
    }

    /// A host that has the version before this one, and of this one nothing but its record. Record and configuration name
    /// these servers; `deploy` stands below the configuration's `deploy`.
    pub fn host(&self, servers: &[(&str, &Server)], deploy: &str) -> Host {
        let env = Env::new();
        let copied = Command::new("cp").arg("-a").args([self.env.path("root"), env.path("root")]).status();
        assert!(copied.expect("cp runs").success());
        let mut record = self.record.clone();
        let location =
            |(name, server): &(&str, &Server)| json!({"name": name, "type": "http", "url": server.url(PACKAGE)});
        record["locations"] = servers.iter().map(location).collect();
        env.write("record/record.json", record.to_string());
        env.write("record/manifest.json", &self.manifest);
        let target = |(name, server): &(&str, &Server)| {
            let token = if *name == "bad" { ", token: \"${BAD_TOKEN}\"" } else { "" };
            format!("    {name}: {{type: http, url: \"{}\"{token}}}\n", server.url("/packages/"))
        };
        let targets: String = servers.iter().map(target).collect();
        let config = format!(
            "version: 1\nstore: {{path: ../store}}\npublish:\n  targets:\n{targets}deploy: {{root: ../root, {deploy}}}\n"
        );
        env.write("project/.deploy-tool.yaml", config);
        Host { scene: Scene::of(env, &["root"]), new: self.new.clone(), trusted: None }
    }
}

/// The requests for the package among those that a server saw, in the order they came.
pub fn for_package(server: &Server) -> Vec<Seen> {
    server.seen().into_iter().filter(|seen| seen.path.starts_with(PACKAGE)).collect()
}

/// A host; see [`Version::host`].
pub struct Host {
    scene: Scene,
    new: State,
    trusted: Option<String>,
}

impl Host {
    /// Its system trusts this authority and no other.
    pub fn trusting(mut self, certificate: &Certificate) -> Self {
        let path = self.scene.env.write("authority.pem", certificate.authority());
        self.trusted = Some(path.display().to_string());
        self
    }

    /// Deploys the new version. What it says has the login in it nowhere, and neither has what it leaves.
    pub fn deploy(&self, more: &[&str]) -> Ran {
        let mut command = self.scene.env.command(&["deploy", "--record", "../record/record.json"]);
        command.args(more).env("BAD_TOKEN", TOKEN);
        if let Some(path) = &self.trusted {
            command.env("SSL_CERT_FILE", path);
        }
        let ran = Ran::of(command.output().expect("it runs"));
        let said = [&ran.stdout, &ran.stderr];
        assert!(!said.iter().any(|said| said.contains(TOKEN)), "{ran:?}");
        assert!(!self.scene.names().values().any(|held| held.contains(TOKEN)), "{ran:?}");
        ran
    }

    /// The root, without bytes that were kept aside and without times.
    fn state(&self) -> State {
        timeless(self.scene.names().into_iter().filter(|(name, _)| !name.starts_with(REJECTED)))
    }

    /// Whether the root is what it was.
    pub fn assert_old(&self, what: &str) {
        self.assert_is(&timeless(self.scene.saved().into_iter()), what);
    }

    /// Whether the root is what a deploy from a good server makes of it.
    pub fn assert_new(&self, what: &str) {
        self.assert_is(&self.new, what);
    }

    fn assert_is(&self, expected: &State, what: &str) {
        let found = self.state();
        let differences = differences(&found, expected);
        assert!(differences.is_empty(), "{what}: {differences:#?}");
        self.scene.env.ok(&["links", "verify"]);
    }

    /// What is kept aside.
    pub fn rejected(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.scene.env.path(REJECTED)) else { return Vec::new() };
        entries.map(|entry| fs::read(entry.expect("an entry").path()).expect("read")).collect()
    }
}

/// Without what follows `"at":` and the like.
fn timeless(state: impl Iterator<Item = (String, String)>) -> State {
    let without = |held: String| {
        let mut parts = held.split_inclusive("at\":");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + part.split_once(',').map_or(part, |(_, rest)| rest))
    };
    // The history has a line for what failed, too, and an inventory names inodes.
    let compared = |name: &str| !name.ends_with("history.jsonl") && !name.ends_with(".files");
    state.filter(|(name, _)| compared(name)).map(|(name, held)| (name, without(held))).collect()
}

//! Publishing and deploying over real servers: Garage, Debian's `docker-registry`, nginx; and what losing a node means.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::env::{Env, Ran};
use super::relay::Relay;
use super::servers::garage::{self, Garage};
use super::servers::nginx::Nginx;
use super::servers::registry::{self, Registry};
use super::servers::{find, output, plain};
use super::tree;

/// A project, and what its commands find in the environment.
struct Host {
    env: Env,
    variables: Vec<(&'static str, String)>,
}

impl Host {
    /// Publishes to and deploys from `targets`, lines of YAML.
    fn new(targets: &[String]) -> Self {
        let env = Env::with_model();
        let targets: String = targets.iter().map(|line| format!("    {line}\n")).collect();
        let config = format!(
            "version: 1\n\
             project: {{name: demo}}\n\
             components: {{model: {{source: ./models}}}}\n\
             records: {{repository: ../records}}\n\
             publish:\n  \
               targets:\n\
             {targets}\
             deploy: {{root: ../root}}\n\
             store: {{path: ../store}}\n"
        );
        env.write("project/.deploy-tool.yaml", config);
        let login = [("GARAGE_KEY", garage::ACCESS_KEY), ("GARAGE_SECRET", garage::SECRET_KEY)];
        Self { env, variables: login.map(|(name, value)| (name, value.to_owned())).into() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("the program runs"))
    }

    /// Runs a command that must succeed.
    fn ok(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
        ran
    }

    fn publish(&self, version: &str) -> Ran {
        self.ok(&["pack", "--type", "model", "--version", version]);
        self.ok(&["publish", &format!("model@{version}")])
    }

    /// Deploys as another machine would: without the store's packages and with a root of its own.
    fn deploy_elsewhere(&self, reference: &str) -> Ran {
        self.forget();
        let ran = self.ok(&["deploy", reference]);
        self.assert_deployed();
        ran
    }

    fn forget(&self) {
        for dir in ["store", "root"] {
            if self.env.path(dir).exists() {
                make_writable(&self.env.path(dir));
                fs::remove_dir_all(self.env.path(dir)).expect("removed");
            }
        }
    }

    fn assert_deployed(&self) {
        let source = tree::content(&self.env.path("project/models"));
        assert_eq!(tree::content(&self.env.path("root/links/model")), source);
    }

    /// Bytes that do not compress, so that a transfer takes a while.
    fn big_model(&self, bytes: usize) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut content = Vec::with_capacity(bytes);
        while content.len() < bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            content.extend_from_slice(&state.to_le_bytes());
        }
        self.env.write("project/models/bert/pytorch_model.bin", content);
    }

    fn record(&self, version: &str) -> serde_json::Value {
        let path = format!("records/packages/model/{version}/record.json");
        serde_json::from_str(&self.env.committed("records", &path)).expect("JSON")
    }
}

/// Directories of a version are not made read-only, but this does not depend on it.
fn make_writable(dir: &Path) {
    let status = Command::new("chmod").args(["-R", "u+w"]).arg(dir).status();
    assert!(status.expect("chmod runs").success());
}

/// A target of a Garage node, or of a relay before it.
fn garage_target(name: &str, port: u16) -> String {
    format!(
        "{name}: {{type: s3, endpoint: 'http://127.0.0.1:{port}', region: {}, bucket: {}, prefix: 模型/demo, \
         access_key: '${{GARAGE_KEY}}', secret_key: '${{GARAGE_SECRET}}'}}",
        garage::REGION,
        garage::BUCKET
    )
}

/// A location of a record, by its target's name.
fn location<'r>(record: &'r serde_json::Value, name: &str) -> Option<&'r serde_json::Value> {
    record["locations"].as_array().expect("a list").iter().find(|location| location["name"] == name)
}

#[test]
fn garage_keeps_what_is_published_and_gives_it_to_another_machine() {
    let Some(garage) = Garage::single() else { return };
    let mut host = Host::new(&[garage_target("cloud", garage.nodes[0].port)]);
    host.publish("1.0.0");
    let record = host.record("1.0.0");
    let place = location(&record, "cloud").expect("a location");
    let key = place["object_key"].as_str().expect("a key");
    let digest = record["package"]["checksum"]["value"].as_str().expect("a digest");
    assert_eq!(key, format!("模型/demo/model/1.0.0/{}/model-1.0.0.tar.gz", &digest[..16]));
    assert!(!record.to_string().contains(garage::SECRET_KEY));
    host.deploy_elsewhere("model@1.0.0");

    // The same again changes nothing, from a machine that has no package, too.
    let head = host.env.git("records", &["rev-parse", "HEAD"]);
    host.forget();
    host.ok(&["publish", "model@1.0.0"]);
    assert_eq!(host.env.git("records", &["rev-parse", "HEAD"]), head);

    host.forget();
    host.variables[1].1 = garage::SECRET_KEY.replace('0', "1");
    let refused = host.run(&["deploy", "model@1.0.0"]);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("cloud") && refused.stderr.contains("hint: "), "{refused:?}");
    assert!(!host.env.path("root/links/model").exists());
}

#[test]
fn a_package_of_many_parts_arrives_in_garage() {
    let Some(garage) = Garage::single() else { return };
    let host = Host::new(&[garage_target("cloud", garage.nodes[0].port)]);
    host.big_model(70 << 20);
    host.publish("1.0.0");
    host.deploy_elsewhere("model@1.0.0");
}

/// More than one part, small enough for a test without optimization.
const SOME_PARTS: usize = 40 << 20;
const A_THIRD: u64 = SOME_PARTS as u64 / 3;

#[test]
fn publishing_goes_on_while_a_node_that_is_not_asked_dies() {
    let Some(garage) = Garage::three() else { return };
    let third = garage.nodes[2].process.clone();
    let relay = Relay::start(garage.nodes[0].port, None, A_THIRD, move || third.kill());
    let host = Host::new(&[garage_target("cloud", relay.port)]);
    host.big_model(SOME_PARTS);
    host.publish("1.0.0");
    host.deploy_elsewhere("model@1.0.0");
}

#[test]
fn deploying_goes_on_while_a_node_that_is_not_asked_dies() {
    let Some(garage) = Garage::three() else { return };
    let host = Host::new(&[garage_target("cloud", garage.nodes[0].port)]);
    host.big_model(SOME_PARTS);
    host.publish("1.0.0");
    let third = garage.nodes[2].process.clone();
    let relay = Relay::start(garage.nodes[0].port, None, A_THIRD, move || third.kill());
    move_location(&host, "1.0.0", garage.nodes[0].port, relay.port);
    host.deploy_elsewhere("model@1.0.0");
    assert!(relay.passed() > A_THIRD, "the relay was used");
}

#[test]
fn publishing_needs_nobody_when_the_node_it_talks_to_dies() {
    let Some(garage) = Garage::three() else { return };
    let first = garage.nodes[0].process.clone();
    let relay = Relay::start(garage.nodes[0].port, None, A_THIRD, move || first.kill());
    let host = Host::new(&[garage_target("one", relay.port), garage_target("two", garage.nodes[1].port)]);
    host.env.configure("targets:", "  require: 1\n  targets:");
    host.big_model(SOME_PARTS);
    let published = host.publish("1.0.0");
    assert!(location(&host.record("1.0.0"), "two").is_some(), "{published:?}");
    host.deploy_elsewhere("model@1.0.0");
}

#[test]
fn deploying_needs_nobody_when_the_node_it_talks_to_dies() {
    let Some(garage) = Garage::three() else { return };
    let host = Host::new(&[garage_target("one", garage.nodes[0].port), garage_target("two", garage.nodes[1].port)]);
    host.env.configure("deploy:", "deploy: {root: ../root, sources: [one, two]}");
    host.big_model(SOME_PARTS);
    // A node may not know of the bucket yet; publishing again adds what is missing.
    for _ in 0..20 {
        host.publish("1.0.0");
        if host.record("1.0.0")["locations"].as_array().is_some_and(|locations| locations.len() == 2) {
            break;
        }
    }
    let first = garage.nodes[0].process.clone();
    let relay = Relay::start(garage.nodes[0].port, None, A_THIRD, move || first.kill());
    move_location(&host, "1.0.0", garage.nodes[0].port, relay.port);
    host.deploy_elsewhere("model@1.0.0");
    assert!(relay.passed() > A_THIRD, "the relay was used");
}

/// From now on a target, and the record's location in it, is behind another port.
fn move_location(host: &Host, version: &str, from: u16, to: u16) {
    let (from, to) = (format!("127.0.0.1:{from}"), format!("127.0.0.1:{to}"));
    for file in ["project/.deploy-tool.yaml".to_owned(), record_path(version)] {
        let text = host.env.read(&file);
        assert!(text.contains(&from), "{text}");
        host.env.write(&file, text.replace(&from, &to));
    }
    host.env.git("records", &["commit", "-qam", "moved"]);
}

fn record_path(version: &str) -> String {
    format!("records/records/packages/model/{version}/record.json")
}

#[test]
fn a_registry_keeps_what_is_published_and_skopeo_reads_it() {
    let Some(registry) = Registry::open() else { return };
    let target = format!("hub: {{type: oci, registry: 'http://{}', repository: ml/demo}}", registry.host());
    let host = Host::new(&[target]);
    host.publish("1.0.0+cu12.1");
    let record = host.record("1.0.0+cu12.1");
    let place = location(&record, "hub").expect("a location");
    assert_eq!(place["tag"], "1.0.0_cu12.1");
    host.deploy_elsewhere("model@1.0.0+cu12.1");

    let Some(skopeo) = find("skopeo", "Debian package `skopeo`") else { return };
    let image = format!("docker://{}/ml/demo/model:1.0.0_cu12.1", registry.host());
    let run = |args: &[&str]| output(plain(&skopeo, &host.env.path("home")).args(args));
    let manifest = run(&["inspect", "--raw", "--tls-verify=false", &image]);
    let digest = deploy_tool::model::Sha256::of(manifest.as_bytes());
    assert_eq!(place["digest"], format!("sha256:{digest}"), "the record pins the OCI manifest");

    let copy = host.env.path("copy");
    run(&["copy", "--quiet", "--src-tls-verify=false", &image, &format!("dir:{}", copy.display())]);
    let package = record["package"]["checksum"]["value"].as_str().expect("a digest");
    let copied = fs::read(copy.join(package)).expect("the package is a blob named by its digest");
    assert_eq!(deploy_tool::model::Sha256::of(&copied).to_string(), package);
    let unpacked = host.env.path("unpacked");
    fs::create_dir(&unpacked).expect("made");
    output(plain("tar", &unpacked).arg("-xzf").arg(copy.join(package)));
    assert_eq!(tree::content(&unpacked), tree::content(&host.env.path("project/models")));
}

#[test]
fn a_registry_that_asks_for_a_login_gets_it_from_the_configuration_or_from_docker() {
    let Some(registry) = Registry::with_login() else { return };
    let place = format!("type: oci, registry: 'http://{}', repository: demo", registry.host());
    let mut host = Host::new(&[format!("hub: {{{place}, username: mei, password: '${{HUB_PASSWORD:-}}'}}")]);
    host.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    let refused = host.run(&["publish", "model@1.0.0"]);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("hub") && refused.stderr.contains("hint: "), "{refused:?}");

    host.variables.push(("HUB_PASSWORD", registry::PASSWORD.to_owned()));
    host.ok(&["publish", "model@1.0.0"]);
    host.deploy_elsewhere("model@1.0.0");

    host.variables.pop();
    let Some(skopeo) = find("skopeo", "Debian package `skopeo`") else { return };
    let auth = host.env.write("home/.docker/config.json", "{}");
    let mut login = plain(skopeo, &host.env.path("home"));
    login.args(["login", "--tls-verify=false", "--authfile"]).arg(auth);
    output(login.args(["-u", registry::USERNAME, "-p", registry::PASSWORD, &registry.host()]));
    host.deploy_elsewhere("model@1.0.0");
}

#[test]
fn nginx_gives_packages_with_ranges_and_without() {
    let env = Env::with_model();
    let served = env.path("served");
    fs::create_dir(&served).expect("made");
    let Some(nginx) = Nginx::serving(&served) else { return };
    let target = |location: &str| format!("{location}: {{type: http, url: '{}'}}", nginx.url(location));
    let shared = format!("shared: {{type: filesystem, path: '{}'}}", served.display());
    let host = Host::new(&[shared, target("ranges"), target("whole")]);
    host.env.configure("targets:", "  default: [shared]\n  targets:");
    host.big_model(12 << 20);
    host.publish("1.0.0");
    let record = host.record("1.0.0");
    for name in ["ranges", "whole"] {
        host.env.configure("deploy:", &format!("deploy: {{root: ../root, sources: [{name}]}}"));
        let mut here = record.clone();
        let url = format!("{}model/1.0.0/model-1.0.0.tar.gz", nginx.url(name));
        here["locations"] = serde_json::json!([{"name": name, "type": "http", "url": url}]);
        host.env.write(&record_path("1.0.0"), serde_json::to_vec_pretty(&here).expect("JSON"));
        host.env.git("records", &["commit", "-qam", name]);
        host.deploy_elsewhere("model@1.0.0");
    }
}

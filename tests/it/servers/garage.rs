//! Garage, an object store that speaks S3: one node, or three that keep everything three times.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use super::{Process, directory, find, free_port, output, plain};

/// The version the tests are made for.
const FROM: &str = "cargo install garage --version 2.5.0 --locked";

pub const REGION: &str = "garage";
pub const BUCKET: &str = "ml-artifacts";
pub const ACCESS_KEY: &str = "GK5ca1ab1e5ca1ab1e5ca1ab1e";
pub const SECRET_KEY: &str = "0ddba110ddba110ddba110ddba110ddba110ddba110ddba110ddba110ddba110";

/// What the nodes of one store know each other by.
const RPC_SECRET: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// A store with the bucket [`BUCKET`], which the key may read and write.
#[derive(Debug)]
pub struct Garage {
    pub nodes: Vec<Node>,
    _dir: tempfile::TempDir,
}

/// One node.
#[derive(Debug)]
pub struct Node {
    pub process: Arc<Process>,
    pub port: u16,
    rpc: u16,
    program: PathBuf,
    dir: PathBuf,
}

impl Garage {
    /// One node.
    pub fn single() -> Option<Self> {
        let program = find("garage", FROM)?;
        let dir = directory();
        let node = Node::start(program, dir.path().join("a"), 1);
        Some(Self { nodes: vec![node], _dir: dir })
    }

    /// Three nodes; whatever one holds the other two hold as well, and two of them are enough to read and write.
    pub fn three() -> Option<Self> {
        let program = find("garage", FROM)?;
        let dir = directory();
        let nodes: Vec<_> =
            ["a", "b", "c"].iter().map(|name| Node::start(program.clone(), dir.path().join(name), 3)).collect();
        let ids: Vec<_> = nodes.iter().map(Node::id).collect();
        let first = &nodes[0];
        for (node, id) in nodes.iter().zip(&ids).skip(1) {
            first.command(&["node", "connect", &format!("{id}@127.0.0.1:{}", node.rpc)]);
        }
        let assign: Vec<_> = ["layout", "assign", "-z", "here", "-c", "10G"].map(str::to_owned).into();
        first.command(&[assign, ids].concat());
        first.command(&["layout", "apply", "--version", "1"]);
        let healthy = |node: &Node| {
            let health = output(node.cli().args(["json-api", "GetClusterHealth"]));
            let health: serde_json::Value = serde_json::from_str(&health).expect("JSON");
            health["status"] == "healthy" && health["storageNodesUp"] == 3
        };
        first.command(&["key", "import", "--yes", "-n", "tests", ACCESS_KEY, SECRET_KEY]);
        first.command(&["bucket", "create", BUCKET]);
        first.command(&["bucket", "allow", "--read", "--write", "--owner", BUCKET, "--key", ACCESS_KEY]);
        for node in &nodes {
            node.process.until("all three are healthy", || healthy(node));
        }
        Some(Self { nodes, _dir: dir })
    }
}

impl Node {
    fn start(program: PathBuf, dir: PathBuf, copies: u8) -> Self {
        fs::create_dir_all(&dir).expect("made");
        let (port, rpc) = (free_port(), free_port());
        let config = format!(
            "metadata_dir = \"{dir}/meta\"\n\
             data_dir = \"{dir}/data\"\n\
             db_engine = \"lmdb\"\n\
             lmdb_map_size = \"1G\"\n\
             compression_level = \"none\"\n\
             replication_factor = {copies}\n\
             rpc_secret = \"{RPC_SECRET}\"\n\
             rpc_bind_addr = \"127.0.0.1:{rpc}\"\n\
             rpc_public_addr = \"127.0.0.1:{rpc}\"\n\
             allow_world_readable_secrets = true\n\
             [s3_api]\n\
             s3_region = \"{REGION}\"\n\
             api_bind_addr = \"127.0.0.1:{port}\"\n",
            dir = dir.display()
        );
        fs::write(dir.join("garage.toml"), config).expect("written");
        let mut command = plain(&program, &dir);
        command.args(["-c", "garage.toml", "server"]).env("RUST_LOG", "warn");
        if copies == 1 {
            command.args(["--single-node", "--default-bucket"]);
            command.env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY).env("GARAGE_DEFAULT_SECRET_KEY", SECRET_KEY);
            command.env("GARAGE_DEFAULT_BUCKET", BUCKET);
        }
        let process = Process::start(&mut command, &dir.join("log"), &[port, rpc]);
        Self { process: Arc::new(process), port, rpc, program, dir }
    }

    fn cli(&self) -> Command {
        let mut command = plain(&self.program, &self.dir);
        command.args(["-c", "garage.toml"]).env("RUST_LOG", "error");
        command
    }

    fn command(&self, args: &[impl AsRef<std::ffi::OsStr>]) {
        output(self.cli().args(args));
    }

    /// The name the other nodes know it by.
    fn id(&self) -> String {
        let id = output(self.cli().args(["node", "id", "-q"]));
        id.trim().split('@').next().unwrap_or_default().to_owned()
    }
}

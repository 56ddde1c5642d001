//! Debian's `docker-registry`: an OCI registry that keeps its blobs in a directory.

use std::fs;

use super::{Process, directory, find, free_port, plain};

/// Who may use a registry that asks for a login.
pub const USERNAME: &str = "mei";
pub const PASSWORD: &str = "correct horse battery staple";

/// The password's hash (bcrypt, 2^4 rounds), as `htpasswd -nbBC 4` makes it.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG";

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    pub port: u16,
    _process: Process,
    _dir: tempfile::TempDir,
}

impl Registry {
    /// One that anybody may read and write.
    pub fn open() -> Option<Self> {
        Self::start("")
    }

    /// One for [`USERNAME`] alone.
    pub fn with_login() -> Option<Self> {
        Self::start("auth: {htpasswd: {realm: tests, path: users}}\n")
    }

    fn start(auth: &str) -> Option<Self> {
        let program = find("docker-registry", "Debian package `docker-registry`")?;
        let (dir, port) = (directory(), free_port());
        let config = format!(
            "version: 0.1\n\
             log: {{level: warn, accesslog: {{disabled: true}}}}\n\
             storage:\n  \
               filesystem: {{rootdirectory: blobs}}\n  \
               delete: {{enabled: true}}\n\
             http: {{addr: '127.0.0.1:{port}'}}\n\
             {auth}"
        );
        fs::write(dir.path().join("config.yml"), config).expect("written");
        fs::write(dir.path().join("users"), format!("{USERNAME}:{HASH}\n")).expect("written");
        let mut command = plain(program, dir.path());
        let process = Process::start(command.args(["serve", "config.yml"]), &dir.path().join("log"), &[port]);
        Some(Self { port, _process: process, _dir: dir })
    }

    /// Its host with its port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

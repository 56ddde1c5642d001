//! OpenSSH's `sshd`, run as whoever runs the tests, for that user alone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{Process, directory, find, free_port, output, plain};

/// The key exchange: the default is with a post-quantum one on top, whose keys take ten times the processor time of all that
/// is done over the connection.
const KEX: &str = "curve25519-sha256";

/// A running sshd, and a key that it lets in.
#[derive(Debug)]
pub struct Sshd {
    pub port: u16,
    _process: Process,
    dir: tempfile::TempDir,
}

impl Sshd {
    /// Starts one. As root it wants the directory `/run/sshd`, which a service would make.
    pub fn start() -> Option<Self> {
        let program = find("sshd", "Debian package `openssh-server`")?;
        if rustix::process::geteuid().is_root() {
            let _ = fs::create_dir_all("/run/sshd");
        }
        let (dir, port) = (directory(), free_port());
        for key in ["host", "key"] {
            output(plain("ssh-keygen", dir.path()).args(["-q", "-t", "ed25519", "-N", "", "-f", key]));
        }
        fs::copy(dir.path().join("key.pub"), dir.path().join("authorized_keys")).expect("copied");
        let config = format!(
            "Port {port}\n\
             ListenAddress 127.0.0.1\n\
             HostKey {here}/host\n\
             PidFile {here}/pid\n\
             AuthorizedKeysFile {here}/authorized_keys\n\
             PasswordAuthentication no\n\
             KbdInteractiveAuthentication no\n\
             UsePAM no\n\
             StrictModes no\n\
             PermitRootLogin prohibit-password\n\
             AcceptEnv GIT_PROTOCOL\n\
             KexAlgorithms {KEX}\n\
             MaxStartups 200\n\
             PrintMotd no\n",
            here = dir.path().display()
        );
        fs::write(dir.path().join("config"), config).expect("written");
        let mut command = plain(program, dir.path());
        command.args(["-D", "-e", "-f"]).arg(dir.path().join("config"));
        let process = Process::start(&mut command, &dir.path().join("log"), &[port]);
        Some(Self { port, _process: process, dir })
    }

    /// What `ssh` is told to reach it as `port`, which may be a relay's.
    pub fn client(&self, port: u16) -> PathBuf {
        let host = fs::read_to_string(self.dir.path().join("host.pub")).expect("a key");
        let known = self.dir.path().join(format!("known-{port}"));
        fs::write(&known, format!("[127.0.0.1]:{port} {host}")).expect("written");
        let script = self.dir.path().join(format!("ssh-{port}"));
        let text = format!(
            "#!/bin/sh\nexec ssh -F none -o KexAlgorithms={KEX} -o IdentitiesOnly=yes -o IdentityFile={here}/key \
             -o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes \"$@\"\n",
            here = self.dir.path().display(),
            known = known.display(),
        );
        fs::write(&script, text).expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("set");
        script
    }

    /// The URL of a repository.
    pub fn url(&self, port: u16, path: &Path) -> String {
        format!("ssh://127.0.0.1:{port}{}", path.display())
    }
}

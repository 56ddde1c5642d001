//! Real servers: started on free ports of loopback with directories of their own, killed when dropped.
//!
//! They are looked for in `PATH`, then in the directories of `DEPLOY_TOOL_TEST_SERVERS` (same form), or where that is not
//! set in `~/.cache/deploy-tool-ci/bin`, where `.ci/run` puts those that Debian has not. In CI every one must be there;
//! elsewhere a test goes without it, and says so.

pub mod garage;
pub mod nginx;
pub mod registry;
pub mod smart_http;
pub mod sshd;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a server may take to come up on a machine that is busy with other tests.
const START: Duration = Duration::from_secs(120);

/// The path of a program, or `None` after saying so; `from` says where it comes from.
#[allow(clippy::print_stderr)]
pub fn find(program: &str, from: &str) -> Option<PathBuf> {
    let own = std::env::var_os("DEPLOY_TOOL_TEST_SERVERS").or_else(|| {
        let home = PathBuf::from(std::env::var_os("HOME")?);
        Some(home.join(".cache/deploy-tool-ci/bin").into_os_string())
    });
    let paths = [std::env::var_os("PATH"), own, Some("/usr/sbin".into())];
    let paths = paths.iter().flatten().flat_map(std::env::split_paths);
    let found = paths.map(|dir| dir.join(program)).find(|path| path.is_file());
    assert!(found.is_some() || std::env::var_os("CI").is_none(), "no {program}: {from}");
    if found.is_none() {
        eprintln!("not tried, since it is not installed: {program} ({from})");
    }
    found
}

/// A port of loopback that nobody listens on. It lies below those the kernel gives to clients, so that none of them takes
/// it before the server does.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 15_000 + u16::try_from(std::process::id() % 800).unwrap_or(0) * 20;
    let mut tries = (0..5_000).map(|_| start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)));
    tries.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// A directory for what a server keeps, in memory where the machine has such a place.
pub fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("deploy-tool-server-").tempdir_in(parent).expect("a directory")
}

/// A running server.
#[derive(Debug)]
pub struct Process {
    child: Mutex<Child>,
    log: PathBuf,
}

impl Process {
    /// Starts a server that writes its log to the file `log`, and waits until it listens on all `ports`.
    pub fn start(command: &mut Command, log: &Path, ports: &[u16]) -> Self {
        let out = File::create(log).expect("a log");
        let err = out.try_clone().expect("a log");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0).spawn();
        let child = child.unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let process = Self { child: Mutex::new(child), log: log.to_owned() };
        for port in ports {
            process.until("it listens", || TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], *port))).is_ok());
        }
        process
    }

    /// Waits for something the server does; fails with its log if it ends or takes too long.
    pub fn until(&self, what: &str, done: impl Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            let ended = self.child.lock().expect("no panic").try_wait().expect("a status");
            let log = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none(), "the server ended before {what}: {ended:?}\n{}", log());
            assert!(start.elapsed() < START, "the server runs, but not so that {what}\n{}", log());
            sleep(Duration::from_millis(20));
        }
    }

    /// Kills it, with the processes that it has started, as a power cut would.
    pub fn kill(&self) {
        let mut child = self.child.lock().expect("no panic");
        // One that was killed before is reaped, and its number may be another's.
        if matches!(child.try_wait(), Ok(None)) {
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process");
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a helper program, which must succeed; returns its stdout.
pub fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The hermetic start of a command: nothing of the caller's environment.
pub fn plain(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("LC_ALL", "C.UTF-8").env("PATH", "/usr/bin:/bin").current_dir(home);
    command
}

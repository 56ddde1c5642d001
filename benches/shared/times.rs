//! Whole processes and how long they take.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_deploy-tool");

/// How long a whole process takes; it must succeed.
pub fn timed(command: &mut Command) -> Duration {
    command.stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().expect("it runs");
    let took = started.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    took
}

pub fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

pub fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// Where benches work: memory, where the machine has such a place.
pub fn parent() -> PathBuf {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() }
}

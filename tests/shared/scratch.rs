//! Where tests keep their files. Unit tests and integration tests both include this file.

use std::path::PathBuf;

/// Room in memory-backed storage, in bytes, that is enough for all tests that run at once.
const ROOM: u64 = 2 << 30;

/// Memory-backed storage where the machine has enough of it: a disk makes each of thousands of files slow, and few tests ask
/// what a disk makes of them. Those name a place themselves.
pub fn place() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let room = rustix::fs::statvfs(&memory).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    if room >= ROOM { memory } else { std::env::temp_dir() }
}

//! Programs that tests use and this project does not need. Unit tests and integration tests both include this file.

use std::process::Command;

/// Whether a program is there that a test needs and this project does not. In CI it must be; elsewhere the test goes
/// without it, and says so.
#[allow(clippy::print_stderr)]
pub fn has(program: &str, debian_package: &str) -> bool {
    let look = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output();
    let found = look.is_ok_and(|output| output.status.success());
    assert!(found || std::env::var_os("CI").is_none(), "no {program}: install the Debian package `{debian_package}`");
    if !found {
        eprintln!("not tried, since it is not installed: {program} (Debian package `{debian_package}`)");
    }
    found
}

//! Running a program to its end and saying what it used.

use std::io::{Read as _, Seek as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use wait4::Wait4 as _;

/// What a process and the children it waited for used.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Seconds from start to end.
    pub wall: f64,
    /// Seconds of processor time, user and system.
    pub cpu: f64,
    /// The most memory the process held, in bytes. The kernel counts the starting process too (until exec), so this
    /// program keeps itself small.
    pub peak: u64,
}

/// Runs a command that must succeed. What it prints is shown only if it fails.
pub fn run(command: &mut Command) -> Result<Used, String> {
    wait(command, Stdio::null())
}

/// The same, and what it prints.
pub fn said(command: &mut Command) -> Result<(Used, String), String> {
    let failed = |e: std::io::Error| format!("what a command prints: {e}");
    let mut file = tempfile::tempfile().map_err(failed)?;
    let used = wait(command, file.try_clone().map_err(failed)?.into())?;
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).map_err(failed)?;
    Ok((used, text))
}

fn wait(command: &mut Command, stdout: Stdio) -> Result<Used, String> {
    let start = Instant::now();
    let line = command_line(command);
    let failed = |why: String| format!("`{line}` failed: {why}");
    let mut log = tempfile::tempfile().map_err(|e| format!("cannot make a temporary file: {e}"))?;
    let output = log.try_clone().map_err(|e| format!("cannot copy a file handle: {e}"))?;
    let child = command.stdin(Stdio::null()).stdout(stdout).stderr(output).spawn();
    let ended = child.and_then(|mut child| child.wait4()).map_err(|e| failed(e.to_string()))?;
    let wall = start.elapsed().as_secs_f64();
    if !ended.status.success() {
        let mut text = String::new();
        let _ = log.rewind().and_then(|()| log.read_to_string(&mut text));
        return Err(failed(format!("{}\n{text}", ended.status)));
    }
    let cpu = (ended.rusage.utime + ended.rusage.stime).as_secs_f64();
    Ok(Used { wall, cpu, peak: ended.rusage.maxrss })
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Whether a program can be found.
pub fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

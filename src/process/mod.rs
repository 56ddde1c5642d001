//! Running programs of the user: hooks and health checks. The only room that waits for them.
//!
//! Promises: a program gets exactly the environment and input it is given; it leads a process group of its own, and
//! when its time is over the whole group is killed; of what it says (stdout and stderr, in the order it was written) the
//! last [`KEPT`] bytes are kept, however much it is. What a program leaves running when it ends is left running: a hook
//! may start a service. Must not know: why it is run.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

/// How many bytes of what a program says are kept.
pub const KEPT: usize = 64 << 10;

/// How many bytes are taken at once.
const PART: usize = 8 << 10;

/// The longest time between two looks whether a program has ended.
const TICK: Duration = Duration::from_millis(10);

/// What is run.
#[derive(Debug, Clone)]
pub struct Command<'a> {
    /// A path, or a name that is looked for in the `PATH` of `environment`.
    pub program: &'a Path,
    /// Its arguments.
    pub args: &'a [String],
    /// Where it is run.
    pub dir: &'a Path,
    /// All that is in its environment.
    pub environment: &'a BTreeMap<String, String>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exit(i32),
    /// By this signal, which was not ours.
    Signal(i32),
    /// Its time was over, and it was killed.
    TimedOut,
}

/// What came of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// The last [`KEPT`] bytes of what it said.
    pub output: Vec<u8>,
    /// How long it took.
    pub took: Duration,
}

/// A program that could not be run.
#[derive(Debug, thiserror::Error)]
#[error("cannot run `{}`: {source}", program.display())]
pub struct Error {
    /// The program.
    pub program: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Runs a program to its end, or until `limit` is over.
///
/// # Errors
///
/// It cannot be started: it is not there, is no program, or there are too many.
pub fn run(command: &Command<'_>, limit: Duration) -> Result<Ran, Error> {
    wait_for(command, None, limit)
}

/// The same, with `input` on its standard input. What it does not read is nobody's loss.
///
/// # Errors
///
/// As [`run`].
pub fn run_with_input(command: &Command<'_>, input: &[u8], limit: Duration) -> Result<Ran, Error> {
    wait_for(command, Some(input), limit)
}

fn wait_for(command: &Command<'_>, input: Option<&[u8]>, limit: Duration) -> Result<Ran, Error> {
    let begun = Instant::now();
    let error = |source| Error { program: command.program.to_owned(), source };
    let (mut child, pipe) = start(command, input).map_err(error)?;
    let mut output = Output { pipe: Some(pipe), kept: Vec::new() };
    let status = loop {
        if let Some(status) = child.try_wait().map_err(error)? {
            break Some(status);
        }
        let Some(left) = limit.checked_sub(begun.elapsed()) else { break None };
        output.wait(left.min(TICK)).map_err(error)?;
    };
    let ended = match status {
        Some(status) => status.code().map_or_else(|| Ended::Signal(status.signal().unwrap_or(0)), Ended::Exit),
        None => {
            kill(&mut child).map_err(error)?;
            Ended::TimedOut
        }
    };
    output.rest().map_err(error)?;
    Ok(Ran { ended, output: output.kept, took: begun.elapsed() })
}

fn start(command: &Command<'_>, input: Option<&[u8]>) -> io::Result<(Child, PipeReader)> {
    // One pipe for both, so that the lines stay in order. It is ours alone to close: `writer` goes with this function.
    let (reader, writer) = io::pipe()?;
    let mut child = std::process::Command::new(command.program);
    child.args(command.args).current_dir(command.dir).env_clear().envs(command.environment);
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    child.stdin(stdin).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let mut child = child.spawn()?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // Beside us, since it may read late or never; a write then ends with the last reader of the pipe.
        let input = input.to_vec();
        std::thread::spawn(move || stdin.write_all(&input));
    }
    Ok((child, reader))
}

/// Kills the group that `child` leads. It is not reaped before, so its number cannot be another's.
fn kill(child: &mut Child) -> io::Result<()> {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        kill_process_group(group, Signal::KILL)?;
    }
    child.wait().map(|_| ())
}

/// What a program says, as far as it is kept.
struct Output {
    /// `None` once nobody can write to it any more.
    pipe: Option<PipeReader>,
    kept: Vec<u8>,
}

impl Output {
    /// Takes what is there, or comes within `limit`.
    fn wait(&mut self, limit: Duration) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else {
            // It has closed its output and goes on.
            std::thread::sleep(limit);
            return Ok(());
        };
        let limit = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: i64::from(limit.subsec_nanos()) };
        match poll(&mut [PollFd::new(&*pipe, PollFlags::IN)], Some(&limit)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(e) => return Err(e.into()),
        }
        let mut part = [0; PART];
        match pipe.read(&mut part)? {
            0 => self.pipe = None,
            count => {
                self.kept.extend_from_slice(&part[..count]);
                let over = self.kept.len().saturating_sub(KEPT);
                self.kept.drain(..over);
            }
        }
        Ok(())
    }

    /// Takes what is left in the pipe, and waits for no more: what the program left running may hold it open.
    fn rest(&mut self) -> io::Result<()> {
        // And for no more than a pipe holds: it may even go on writing.
        for _ in 0..=KEPT / PART {
            let Some(pipe) = &self.pipe else { break };
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            if poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&now))? == 0 {
                break;
            }
            self.wait(Duration::ZERO)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration, environment: &[(&str, &str)]) -> Result<Ran, Error> {
        let path = ("PATH", "/usr/local/bin:/usr/bin:/bin");
        let pairs = environment.iter().copied().chain([path]);
        let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let args = ["-c".to_owned(), script.to_owned()];
        let command = Command { program: Path::new("sh"), args: &args, dir: Path::new("/"), environment: &environment };
        run(&command, limit)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_it_says_comes_in_order_and_how_it_ended() {
        let ran = shell("echo one; echo two >&2; echo three; exit 3", LONG, &[]).expect("run");
        assert_eq!((ran.ended, ran.output.as_slice()), (Ended::Exit(3), b"one\ntwo\nthree\n".as_slice()));
        assert_eq!(shell("kill -TERM $$", LONG, &[]).expect("run").ended, Ended::Signal(15));
        let silent = shell("exec >&- 2>&-; sleep 0.1; exit 4", LONG, &[]).expect("run");
        assert_eq!(silent.ended, Ended::Exit(4));
    }

    #[test]
    fn it_has_no_input_and_no_environment_but_the_given_one() {
        let ran = shell("cat; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= | sort", LONG, &[("A", "1")]).expect("run");
        assert_eq!(String::from_utf8_lossy(&ran.output), "A=1\nPATH=/usr/local/bin:/usr/bin:/bin\n");
    }

    #[test]
    fn input_is_given_whole_and_not_waited_for() {
        let environment = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
        let sh = |script: &str| {
            let args = ["-c".to_owned(), script.to_owned()];
            let (program, dir) = (Path::new("sh"), Path::new("/"));
            run_with_input(&Command { program, args: &args, dir, environment: &environment }, &[b'x'; 300_000], LONG)
        };
        let ran = sh("sleep 0.1; wc -c").expect("run");
        assert_eq!((ran.ended, String::from_utf8_lossy(&ran.output).trim()), (Ended::Exit(0), "300000"));
        assert_eq!(sh("exit 3").expect("run").ended, Ended::Exit(3));
    }

    #[test]
    fn the_end_of_much_output_is_kept() {
        let ran = shell("yes | head -c 3000000; echo end", LONG, &[]).expect("run");
        assert_eq!((ran.ended, ran.output.len()), (Ended::Exit(0), KEPT));
        assert!(ran.output.ends_with(b"y\nend\n"));
    }

    #[test]
    fn when_its_time_is_over_the_whole_group_is_killed() {
        let dir = tempfile::tempdir().expect("a directory");
        let mark = dir.path().join("mark");
        let script = format!("echo $$; (trap '' TERM; sleep 5; echo >{}) & wait", mark.display());
        let ran = shell(&script, Duration::from_millis(300), &[]).expect("run");
        assert_eq!(ran.ended, Ended::TimedOut);
        assert!(ran.took < Duration::from_secs(4), "{:?}", ran.took);
        // No process of the group is left.
        let group = String::from_utf8_lossy(&ran.output).trim().parse().expect("a number");
        let group = Pid::from_raw(group).expect("a number");
        let gone = || rustix::process::test_kill_process_group(group) == Err(rustix::io::Errno::SRCH);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !gone() {
            assert!(Instant::now() < deadline, "the group lives");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!mark.exists());
    }

    #[test]
    fn what_it_leaves_running_is_not_waited_for() {
        let ran = shell("sleep 3 & echo started", LONG, &[]).expect("run");
        assert_eq!((ran.ended, ran.output.as_slice()), (Ended::Exit(0), b"started\n".as_slice()));
        assert!(ran.took < Duration::from_secs(2), "{:?}", ran.took);
    }

    #[test]
    fn what_is_not_there_is_no_program() {
        let environment = BTreeMap::new();
        let program = Path::new("/nowhere/at/all");
        let command = Command { program, args: &[], dir: Path::new("/"), environment: &environment };
        assert_eq!(run(&command, LONG).expect_err("nothing").source.kind(), io::ErrorKind::NotFound);
    }
}

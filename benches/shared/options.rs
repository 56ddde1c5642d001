//! What the benches that compare whole processes are told, and how they end.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub struct Options {
    /// Where inputs lie; without it they are made.
    pub inputs: Option<PathBuf>,
    /// How often each is run.
    pub runs: usize,
    /// Only rows with this in their name.
    pub only: String,
    /// Where the work is done, if not where it is done by default.
    pub work: Option<PathBuf>,
    /// Whether the bench's own flag was given.
    pub flagged: bool,
}

impl Options {
    /// Reads the arguments of this process: `[DIR] [--runs N] [--only TEXT] [--work DIR]` and the bench's own flag, if it has one.
    pub fn read(usage: &str, runs: usize, flag: Option<&str>) -> Result<Self, String> {
        let mut options = Self { inputs: None, runs, only: String::new(), work: None, flagged: false };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("`{arg}` wants a value\n{usage}"));
            match arg.as_str() {
                "--bench" => {} // cargo says it to every bench
                "--runs" => options.runs = value()?.parse().map_err(|_| usage.to_owned())?,
                "--only" => options.only = value()?,
                "--work" => options.work = Some(PathBuf::from(value()?)),
                own if Some(own) == flag => options.flagged = true,
                dir if !dir.starts_with('-') && options.inputs.is_none() => options.inputs = Some(PathBuf::from(dir)),
                _ => return Err(usage.to_owned()),
            }
        }
        if options.runs == 0 {
            return Err(usage.to_owned());
        }
        Ok(options)
    }

    /// Where the work is done: in memory, unless told otherwise.
    pub fn work(&self) -> &Path {
        self.work.as_deref().unwrap_or(Path::new("/dev/shm"))
    }
}

/// Says why a bench failed.
pub fn end(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

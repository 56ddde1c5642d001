//! The command line: arguments, words, JSON, exit status. The only room that knows the terminal, the environment and
//! the clock.
//!
//! ```text
//! arguments ── args ──▶ environment, configuration ── settings ──▶ Site ── commands ──▶ report ── output ──▶ stdout
//!                                                                               └ Error ── explain, words ──▶ stderr, status
//! ```
//!
//! Promises: data goes to stdout and everything else to stderr; with `--json` stdout holds one JSON document, also for a
//! failure; one function turns a kind of failure into an exit status.

#![allow(clippy::disallowed_methods)]

mod args;
mod ask;
mod commands;
mod complete;
mod explain;
mod failure;
mod faults;
mod interrupt;
mod log;
mod man;
mod output;
mod paint;
mod progress;
mod report;
mod settings;
mod usage;
mod words;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use args::Cli;
use failure::Failure;
use log::Log;
use paint::Color;
use words::Language;

/// The exit status for arguments that cannot be read.
const USAGE: u8 = 2;

/// Runs the program with the process's arguments and environment.
pub fn main() -> ExitCode {
    if complete::answered() {
        return ExitCode::SUCCESS;
    }
    let variable = |name: &str| std::env::var_os(name);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Has no words in it, and whoever asks for it may ask often.
        Err(version) if version.kind() == ErrorKind::DisplayVersion => return print_version(&version),
        Err(_) => {
            words::choose(Language::asked_for(std::env::args_os()), variable);
            return explain_usage();
        }
    };
    words::choose(cli.global.lang, variable);
    cli.global.color.use_everywhere();
    let (json, quiet, log) = (cli.global.json, cli.global.quiet, Log::new(&cli.global));
    match faults::arm().map_err(Failure::from).and_then(|()| commands::run(cli, &log)) {
        Ok(code) => code,
        Err(failure) => failure.tell(json, quiet, &log),
    }
}

fn print_version(version: &clap::Error) -> ExitCode {
    // Nobody is left to tell that stdout is closed.
    let _ = version.print();
    ExitCode::SUCCESS
}

/// Prints help, or what is wrong with the arguments. Only now the words are put into the arguments: with them
/// every command would start half a millisecond later.
fn explain_usage() -> ExitCode {
    let color = Color::of_args();
    color.use_everywhere();
    match args::command().color(color.for_help()).try_get_matches() {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            let error = error.apply::<usage::Told>();
            // Help and version are no failures; clap prints them to stdout and the rest to stderr.
            match error.use_stderr() && log::is_json_asked_for() {
                true => log::usage(&usage::plain(&error)),
                false => drop(error.print()),
            }
            if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
                failure::print_json(USAGE, &usage::plain(&error), None);
            }
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
        }
    }
}

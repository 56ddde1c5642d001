//! One short file per command: arguments to an operation, its report to text.

mod check;
mod confirm;
mod deploy;
pub(super) mod doctor;
mod env;
mod heartbeat;
pub(super) mod history;
mod import;
mod init;
mod links;
mod list;
mod metrics;
mod pack;
mod processes;
mod propose;
mod publish;
mod record;
mod release;
mod repair;
mod report;
mod shell;
mod ship;
mod status;
mod store;
mod told;
mod trust;
mod undeploy;
mod url;
pub(super) mod version;
mod watch;
mod yank;

use std::process::ExitCode;

use super::args::{Cli, Commands, Global, Onto};
use super::explain;
use super::failure::Failure;
use super::interrupt::{self, Interrupt};
use super::log::Log;
use super::output::Output;
use super::progress::Lines;
use super::settings;
use super::words::Phrase;
use crate::deploy::Recovery;
use crate::ops::Site;
use told::Told;

/// Runs the command that was asked for.
pub(super) fn run(cli: Cli, log: &Log) -> Result<ExitCode, Failure> {
    let lines = Lines::new(&cli.global, log);
    let output = Output::new(cli.global.json, cli.global.quiet, log.clone(), lines.clone());
    let interrupt = Interrupt::watch(&cli.command, lines.all(), log);
    let is_of_root = interrupt::changes_root(&cli.command);
    let here = |command: &str| {
        let site = site_here(&cli.global, command, &output)?;
        if is_of_root {
            interrupt.at(&site);
        }
        Ok::<_, Failure>(site)
    };
    let told = Told::begin(&cli.command, log);
    let ended = dispatch(&cli.global, cli.command, here, &interrupt, &lines, &output);
    if ended.is_err() {
        interrupt.end_if_seen();
    }
    if told.changes() {
        metrics::publish(&output);
    }
    ended.inspect(|_| told.end(log))
}

fn dispatch(
    global: &Global,
    command: Commands,
    here: impl Fn(&str) -> Result<Site, Failure>,
    interrupt: &Interrupt,
    lines: &Lines,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let done = match command {
        Commands::Completions(args) => shell::completions(&args, output),
        Commands::Man(args) => shell::man(&args, output),
        Commands::Init(args) => init::run(&args, output),
        Commands::Pack(args) => pack::run(&here("pack")?, &args, lines, output),
        Commands::Publish(args) => publish::run(here("publish")?, &args, lines, output),
        Commands::Deploy(args) if args.repair => repair::run(&here("deploy")?, &args, lines, output),
        Commands::Deploy(args) => deploy::run(here("deploy")?, &args, lines, output),
        Commands::Ship(args) => ship::run(global, &args, interrupt, lines, output),
        Commands::Rollback(args) => release::rollback(&here("rollback")?, &args, output),
        Commands::Confirm(args) => confirm::run(&here("confirm")?, &args, output),
        Commands::Undeploy(args) => undeploy::run(&here("undeploy")?, &args, output),
        Commands::Status(args) => return status::run(&here("status")?, &args, lines, output),
        Commands::History(args) => history::run(&here("history")?, &args, output),
        Commands::Version(args) => version::run(here("version")?, &args, lines, output),
        Commands::Links(args) => return links::run(&here("links")?, &args, output),
        Commands::Env(args) => env::run(here("env")?, &args, output),
        Commands::Record(args) => return record::run(here("record")?, &args, lines, output),
        Commands::Report(args) => report::run(global, &args, output),
        Commands::Metrics => metrics::run(&here("metrics")?, output),
        Commands::Doctor(args) => return doctor::run(global, &args, lines, output),
        Commands::Store(args) => return store::run(&here("store")?, &args, lines, output),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn site_here(global: &Global, command: &str, output: &Output) -> Result<Site, Failure> {
    settings::site(global, &settings::working_directory()?, command, output)
}

/// The site with what is said about commits.
fn onto(site: Site, args: &Onto) -> Site {
    site.publishing(args.branch.as_deref(), args.push)
}

/// Says what an earlier run had left unfinished and what was done about it.
fn tell_recovery(recovery: Recovery, output: &Output) {
    match recovery {
        Recovery::Clean => {}
        Recovery::Undone { release } => output.note("recovery.undone", &[("release", release.to_string())]),
        Recovery::Finished { release } => output.note("recovery.finished", &[("release", release.to_string())]),
        Recovery::CleanedUp => output.note("recovery.cleaned-up", &[]),
        Recovery::Checked { release, passed: true } => {
            output.note("recovery.checked", &[("release", release.to_string())]);
        }
        Recovery::Checked { release, passed: false } => {
            output.warn(&Phrase::unhealthy("recovery.unhealthy").with("release", release));
        }
        Recovery::RolledBack { release, by, why } => {
            let phrase = Phrase::unhealthy("recovery.rolled-back").with("release", release).with("by", by);
            output.warn(&phrase.with("why", explain::why(why)));
        }
    }
}

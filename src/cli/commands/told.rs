//! The log's lines around a command that changes something.

use std::time::Instant;

use crate::cli::args::{Commands, EnvCommands, LinksCommands, RecordCommands, StoreCommands, VersionCommands};
use crate::cli::log::{Line, Log};

/// A command that was begun.
pub(super) struct Told {
    /// What it is called in its lines; `None` where it has none, or lines of its own.
    named: Option<(&'static str, Instant)>,
    changes: bool,
}

impl Told {
    /// Logs that the command begins.
    pub fn begin(command: &Commands, log: &Log) -> Self {
        let name = name(command);
        if let Some(name) = name {
            log.begin(line("log.begin", name));
        }
        let deploys = matches!(command, Commands::Deploy(args) if !args.dry.dry_run);
        Self { named: name.map(|name| (name, Instant::now())), changes: deploys || name.is_some() }
    }

    /// Whether the command may change the root or the store.
    pub fn changes(&self) -> bool {
        self.changes
    }

    /// Logs that it is done. One that failed ends with the line about the failure.
    pub fn end(self, log: &Log) {
        if let Some((name, began)) = self.named {
            log.write(&line("log.done", name).with_duration("duration", began.elapsed()));
        }
    }
}

fn line(key: &'static str, name: &'static str) -> Line {
    Line::said(key, &[("command", name.to_owned())]).with("command", name)
}

/// What the command is called, where it changes something. A deploy has lines of its own, a version each.
fn name(command: &Commands) -> Option<&'static str> {
    let (name, dry_run) = match command {
        Commands::Init(args) => ("init", args.dry.dry_run),
        Commands::Pack(args) => ("pack", args.dry.dry_run),
        Commands::Publish(args) => ("publish", args.dry.dry_run),
        Commands::Deploy(args) if args.repair => ("deploy --repair", args.dry.dry_run),
        Commands::Ship(args) => ("ship", args.dry.dry_run),
        Commands::Rollback(args) => ("rollback", args.dry.dry_run),
        Commands::Undeploy(args) => ("undeploy", args.dry.dry_run),
        Commands::Confirm(args) => ("confirm", args.dry.dry_run),
        Commands::Version(VersionCommands::Switch(args)) => ("version switch", args.to.dry.dry_run),
        Commands::Version(VersionCommands::Pin(args)) => ("version pin", args.dry.dry_run),
        Commands::Version(VersionCommands::Unpin(args)) => ("version unpin", args.dry.dry_run),
        Commands::Version(VersionCommands::Cleanup(args)) => ("version cleanup", args.dry.dry_run),
        Commands::Links(LinksCommands::Repair(dry)) => ("links repair", dry.dry_run),
        Commands::Env(EnvCommands::Set(args)) => ("env set", args.dry.dry_run),
        Commands::Env(EnvCommands::Promote(args)) => ("env promote", args.dry.dry_run),
        Commands::Record(RecordCommands::Import(args)) => ("record import", args.dry.dry_run),
        Commands::Record(RecordCommands::Yank(args)) => ("record yank", args.dry.dry_run),
        Commands::Record(RecordCommands::Sign(args)) => ("record sign", args.dry.dry_run),
        Commands::Record(RecordCommands::Heartbeat(args)) => ("record heartbeat", args.dry.dry_run),
        Commands::Store(StoreCommands::Gc(args)) => ("store gc", args.dry.dry_run),
        Commands::Store(StoreCommands::Verify(args)) if args.set_aside => ("store verify", args.dry.dry_run),
        Commands::Doctor(args) if args.fix => ("doctor --fix", args.dry_run),
        _ => return None,
    };
    (!dry_run).then_some(name)
}

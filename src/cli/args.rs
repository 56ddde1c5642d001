//! The arguments of every command, as types. Their words are in the catalogue (`help.…`), put in by [`command`].

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

mod env;
mod help;
mod logging;
mod record;
mod shell;
mod store;

pub(super) use env::EnvCommands;
pub(super) use help::command;
pub(super) use logging::{LogFormat, Logging};
pub(super) use record::{
    CheckFormat, DiffFormat, RecordCheck, RecordCommands, RecordHeartbeat, RecordImport, RecordList, RecordSign,
    RecordUrl, RecordVerify, RecordYank, Since,
};
pub(super) use shell::{Completions, Man};
pub(super) use store::StoreCommands;

use super::explain::Explain as _;
use super::paint::Color;
use super::words::{Language, say, say_opt};
use crate::model::{Choice, ComponentType, EnvironmentName, Reference, Span, SpanError, Timestamp, Version};
use crate::ops::trust::Rewrite;

#[derive(Debug, Parser)]
#[command(name = "deploy-tool", version, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Commands,
}

#[derive(Debug, Default, Args)]
pub(super) struct Global {
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    #[arg(long, global = true, value_name = "DIR")]
    pub records: Option<PathBuf>,
    #[arg(long, global = true, value_name = "DIR")]
    pub store: Option<PathBuf>,
    #[arg(long, global = true, value_name = "SPAN")]
    pub wait: Option<Span>,
    #[arg(long, global = true, value_name = "LANGUAGE", value_parser = language)]
    pub lang: Option<Language>,
    #[arg(long, global = true)]
    pub json: bool,
    #[arg(long, short, global = true)]
    pub quiet: bool,
    #[command(flatten)]
    pub logging: Logging,
    #[arg(long, global = true)]
    pub no_progress: bool,
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value = "auto")]
    pub color: Color,
}

/// For every command that takes away what no other command brings back as it was.
#[derive(Debug, Args)]
pub(super) struct Sure {
    #[arg(long, short)]
    pub yes: bool,
}

/// For every command that changes something.
#[derive(Debug, Args)]
pub(super) struct DryRun {
    #[arg(long)]
    pub dry_run: bool,
}

/// For every command that commits to the records.
#[derive(Debug, Args)]
pub(super) struct Onto {
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    #[arg(long)]
    pub push: bool,
}

/// For every command whose change of the records can be proposed instead.
#[derive(Debug, Args)]
pub(super) struct Propose {
    #[arg(long, conflicts_with = "push")]
    pub pr: bool,
    #[command(flatten)]
    pub onto: Onto,
}

#[derive(Debug, Subcommand)]
pub(super) enum Commands {
    Init(Init),
    Pack(Pack),
    Publish(Publish),
    Deploy(Deploy),
    Ship(Ship),
    Rollback(Rollback),
    Undeploy(Undeploy),
    Confirm(Confirm),
    Status(Status),
    History(History),
    #[command(subcommand)]
    Version(VersionCommands),
    #[command(subcommand)]
    Links(LinksCommands),
    #[command(subcommand)]
    Env(EnvCommands),
    #[command(subcommand)]
    Record(RecordCommands),
    #[command(subcommand)]
    Store(StoreCommands),
    #[command(alias = "health")]
    Doctor(Doctor),
    Metrics,
    Report(Report),
    Completions(Completions),
    Man(Man),
}

#[derive(Debug, Args)]
pub(super) struct Init {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Pack {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    #[arg(long = "type", value_name = "TYPE")]
    pub component: ComponentType,
    #[arg(long, value_name = "VERSION")]
    pub version: Version,
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["dir", "compression", "level", "exclude", "dereference", "threads"]
    )]
    pub index_only: Option<PathBuf>,
    #[arg(long, value_name = "NAME", value_parser = compression)]
    pub compression: Option<Choice>,
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub level: Option<i32>,
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    #[arg(long)]
    pub dereference: bool,
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[arg(long, value_name = "previous|VERSION|current-of-ENV|DIR", conflicts_with = "index_only")]
    pub delta_from: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Publish {
    #[command(flatten)]
    pub dry: DryRun,
    #[command(flatten)]
    pub propose: Propose,
    #[arg(value_name = "TYPE@VERSION|FILE")]
    pub what: String,
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub to: Vec<String>,
    #[arg(long, value_name = "previous|VERSION|current-of-ENV")]
    pub delta_from: Option<crate::ops::delta::From>,
    // With `=`, so that what stands behind it is never taken for a key.
    #[arg(long, value_name = "KEY", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub sign: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Deploy {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(value_name = "TYPE@VERSION", required_unless_present_any = ["record", "repair", "env"])]
    pub references: Vec<Reference>,
    #[arg(long, value_name = "NAME", conflicts_with_all = ["references", "record", "url", "repair"])]
    pub env: Option<EnvironmentName>,
    // What conflicts with `env` lifts what requires it, so both are said.
    #[arg(long, requires = "env", conflicts_with_all = ["references", "record", "repair"])]
    pub prune: bool,
    #[arg(long, requires = "env", conflicts_with_all = ["references", "record", "repair"])]
    pub resume: bool,
    #[arg(
        long,
        value_name = "SPAN",
        requires = "env",
        conflicts_with_all = ["references", "record", "repair", "at", "dry_run"],
        value_parser = interval
    )]
    pub watch: Option<Span>,
    #[arg(long, value_name = "COMMIT")]
    pub at: Option<String>,
    #[arg(long, value_name = "FILE", conflicts_with_all = ["references", "at"])]
    pub record: Vec<PathBuf>,
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    #[arg(long, value_name = "SPAN")]
    pub confirm: Option<Span>,
    #[arg(long)]
    pub force: bool,
    #[arg(long, value_name = "OLD..NEW", conflicts_with_all = ["at", "record", "repair", "watch"], value_parser = rewrite)]
    pub accept_rewrite: Option<Rewrite>,
    #[arg(long, conflicts_with_all = ["at", "record", "url"])]
    pub repair: bool,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    #[arg(long)]
    pub verify: bool,
    #[arg(long)]
    pub deep: bool,
}

#[derive(Debug, Args)]
pub(super) struct Ship {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Rollback {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(value_name = "TYPE")]
    pub component: Option<ComponentType>,
    #[arg(long, value_name = "N", conflicts_with = "component")]
    pub to: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Undeploy {
    #[command(flatten)]
    pub dry: DryRun,
    #[command(flatten)]
    pub sure: Sure,
    #[arg(value_name = "TYPE")]
    pub component: ComponentType,
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(super) struct Confirm {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(long)]
    pub expire: bool,
}

#[derive(Debug, Args)]
pub(super) struct History {
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[arg(long, conflicts_with = "at")]
    pub all: bool,
    #[arg(long, conflicts_with_all = ["at", "limit", "all"])]
    pub verify: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum VersionCommands {
    List(VersionList),
    Switch(Switch),
    Pin(OneVersion),
    Unpin(OneVersion),
    Cleanup(Cleanup),
}

#[derive(Debug, Args)]
pub(super) struct VersionList {
    #[arg(value_name = "TYPE")]
    pub component: Option<ComponentType>,
}

#[derive(Debug, Args)]
pub(super) struct Switch {
    #[command(flatten)]
    pub to: OneVersion,
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(super) struct OneVersion {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(value_name = "TYPE")]
    pub component: ComponentType,
    #[arg(value_name = "VERSION")]
    pub version: Version,
}

#[derive(Debug, Args)]
pub(super) struct Cleanup {
    #[command(flatten)]
    pub dry: DryRun,
    #[command(flatten)]
    pub sure: Sure,
    #[arg(value_name = "TYPE")]
    pub component: Option<ComponentType>,
    #[arg(long, value_name = "N")]
    pub keep: Option<usize>,
    #[arg(long, value_name = "SPAN")]
    pub older_than: Option<Span>,
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum LinksCommands {
    List,
    Verify,
    Repair(DryRun),
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[arg(long)]
    pub deep: bool,
    #[arg(long)]
    pub offline: bool,
    #[arg(long)]
    pub fix: bool,
    #[arg(long, requires = "fix")]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct Report {
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

fn compression(text: &str) -> Result<Choice, String> {
    Choice::named(text).ok_or_else(|| Choice::names().collect::<Vec<_>>().join(", "))
}

fn language(text: &str) -> Result<Language, String> {
    Language::named(text).ok_or_else(|| say("cli.languages", &[("known", Language::NAMES.to_owned())]))
}

fn rewrite(text: &str) -> Result<Rewrite, String> {
    text.parse().map_err(|_| say_opt("deploy.rewrite").unwrap_or_default())
}

/// How often to look: never without a pause.
fn interval(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|e: SpanError| e.explain().text())?;
    if span.0.is_zero() { Err(say_opt("watch.interval").unwrap_or_default()) } else { Ok(span) }
}

/// How long a URL may be good for: object stores sign for a week at most.
fn expiry(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|e: SpanError| e.explain().text())?;
    let week = Duration::from_secs(7 * 86_400);
    let bounds = || say_opt("url.expiry").unwrap_or_default();
    if span.0 < Duration::from_secs(1) || span.0 > week { Err(bounds()) } else { Ok(span) }
}

//! The arguments of `record`.

use clap::{Args, Subcommand, ValueEnum};
use globset::{Glob, GlobMatcher};

use super::{DryRun, Onto, Sure, expiry};
use crate::cli::words::say_opt;
use crate::model::{ComponentType, EnvironmentName, Reference, Span, Timestamp};
use crate::ops::check::Range;
use crate::ops::record::Order;

/// The orders of `record list` by their words.
const ORDERS: [(&str, Order); 3] = [("version", Order::Version), ("date", Order::Date), ("size", Order::Size)];

/// A time, or how long ago it was.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) enum Since {
    Time(Timestamp),
    Ago(Span),
}

fn since(text: &str) -> Result<Since, String> {
    let ago = || text.parse().ok().map(Since::Ago);
    text.parse().ok().map(Since::Time).or_else(ago).ok_or_else(|| say_opt("record.since").unwrap_or_default())
}

fn pattern(text: &str) -> Result<GlobMatcher, String> {
    Glob::new(text).map(|glob| glob.compile_matcher()).map_err(|error| error.kind().to_string())
}

fn order(text: &str) -> Result<Order, String> {
    let found = ORDERS.iter().find(|(word, _)| *word == text).map(|(_, order)| *order);
    found.ok_or_else(|| ORDERS.map(|(word, _)| word).join(", "))
}

/// `BASE..HEAD`, where an empty side is HEAD as in git, or what is looked at as a whole.
fn range(text: &str) -> Result<Range, String> {
    let side = |text: &str| if text.is_empty() { "HEAD".to_owned() } else { text.to_owned() };
    let (base, head) = match text.split_once("..") {
        Some((base, head)) => (Some(side(base)), side(head.trim_start_matches('.'))),
        None => (None, text.to_owned()),
    };
    let bad = |name: &str| name.is_empty() || name.starts_with('-') || name.contains("..");
    match bad(&head) || base.as_deref().is_some_and(bad) || text == ".." {
        true => Err(say_opt("record.range").unwrap_or_default()),
        false => Ok(Range { base, head }),
    }
}

/// A reason that says something.
fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err(say_opt("yank.reason").unwrap_or_default()),
        text => Ok(text.to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RecordCommands {
    List(RecordList),
    Show(RecordShow),
    Diff(RecordDiff),
    Url(RecordUrl),
    Import(RecordImport),
    Yank(RecordYank),
    Sign(RecordSign),
    Verify(RecordVerify),
    Check(RecordCheck),
    Heartbeat(RecordHeartbeat),
}

/// What findings are printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CheckFormat {
    Text,
    Github,
    Markdown,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordCheck {
    #[arg(value_name = "BASE..HEAD", value_parser = range)]
    pub range: Option<Range>,
    #[arg(long)]
    pub fetch: bool,
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: CheckFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordHeartbeat {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(long, value_name = "KEY")]
    pub sign: Option<String>,
    #[command(flatten)]
    pub onto: Onto,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordSign {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(value_name = "TYPE@VERSION", required_unless_present_any = ["env", "policy"])]
    pub reference: Option<Reference>,
    #[arg(long, requires = "reference")]
    pub yank: bool,
    #[arg(long, value_name = "NAME", conflicts_with_all = ["reference", "policy"])]
    pub env: Option<EnvironmentName>,
    #[arg(long, conflicts_with = "reference")]
    pub policy: bool,
    #[arg(long, value_name = "KEY")]
    pub sign: Option<String>,
    #[command(flatten)]
    pub onto: Onto,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordVerify {
    #[arg(value_name = "TYPE@VERSION", required_unless_present = "all")]
    pub references: Vec<Reference>,
    #[arg(long, conflicts_with = "references")]
    pub all: bool,
    #[arg(long, value_name = "COMMIT")]
    pub at: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordList {
    #[arg(value_name = "TYPE")]
    pub component: Option<ComponentType>,
    #[arg(long = "match", value_name = "PATTERN", value_parser = pattern)]
    pub pattern: Option<GlobMatcher>,
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    #[arg(long, value_name = "SPAN|TIME", value_parser = since)]
    pub since: Option<Since>,
    #[arg(long)]
    pub yanked: bool,
    #[arg(long, value_name = "ORDER", default_value = "version", value_parser = order)]
    pub sort: Order,
    #[arg(long)]
    pub reverse: bool,
    #[arg(long, value_name = "COMMIT")]
    pub at: Option<String>,
}

/// What a comparison is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DiffFormat {
    Text,
    Markdown,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordDiff {
    #[arg(value_name = "TYPE@VERSION")]
    pub from: Reference,
    #[arg(value_name = "TYPE@VERSION")]
    pub to: Reference,
    #[arg(long, value_name = "COMMIT")]
    pub at: Option<String>,
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: DiffFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordUrl {
    #[arg(value_name = "TYPE@VERSION")]
    pub reference: Reference,
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = expiry)]
    pub expires: Span,
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    #[arg(long, value_name = "COMMIT")]
    pub at: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordImport {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(long, value_name = "NAME")]
    pub from: String,
    #[arg(long = "type", value_name = "TYPE")]
    pub component: Option<ComponentType>,
    // With `=`, so that what stands behind it is never taken for a key.
    #[arg(long, value_name = "KEY", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub sign: Option<String>,
    #[command(flatten)]
    pub onto: Onto,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordYank {
    #[command(flatten)]
    pub dry: DryRun,
    #[command(flatten)]
    pub sure: Sure,
    #[arg(value_name = "TYPE@VERSION")]
    pub reference: Reference,
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    #[arg(long, value_name = "KEY", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub sign: Option<String>,
    #[command(flatten)]
    pub onto: Onto,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordShow {
    #[arg(long)]
    pub files: bool,
    #[arg(value_name = "TYPE@VERSION")]
    pub reference: Reference,
    #[arg(long, value_name = "COMMIT")]
    pub at: Option<String>,
}

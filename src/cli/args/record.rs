//! The arguments of `record`.

use clap::{Args, Subcommand, ValueEnum};

use super::{DryRun, expiry};
use crate::model::{ComponentType, EnvironmentName, Reference, Span};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RecordCommands {
    List(RecordList),
    Show(RecordShow),
    Diff(RecordDiff),
    Url(RecordUrl),
    Import(RecordImport),
    Sign(RecordSign),
    Verify(RecordVerify),
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

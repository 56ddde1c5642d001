//! The arguments of `env`.

use clap::{Args, Subcommand};

use super::{DryRun, Onto};
use crate::model::{ComponentType, EnvironmentName, Reference};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum EnvCommands {
    List(EnvList),
    Show(EnvShow),
    Diff(EnvDiff),
    Set(EnvSet),
    Promote(EnvPromote),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EnvList {
    #[arg(long, value_name = "COMMIT")]
    pub at: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EnvShow {
    #[arg(value_name = "NAME")]
    pub name: EnvironmentName,
    #[arg(long, value_name = "COMMIT")]
    pub at: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EnvDiff {
    #[arg(value_name = "NAME")]
    pub name: EnvironmentName,
    #[arg(value_name = "OTHER")]
    pub other: Option<EnvironmentName>,
    #[arg(long, value_name = "COMMIT")]
    pub at: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EnvSet {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(value_name = "TYPE@VERSION", required_unless_present = "remove")]
    pub references: Vec<Reference>,
    #[arg(long, value_name = "NAME")]
    pub env: EnvironmentName,
    #[arg(long, value_name = "TYPE")]
    pub remove: Vec<ComponentType>,
    #[command(flatten)]
    pub onto: Onto,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EnvPromote {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(value_name = "FROM")]
    pub from: EnvironmentName,
    #[arg(value_name = "TO")]
    pub to: EnvironmentName,
    #[arg(value_name = "TYPE")]
    pub components: Vec<ComponentType>,
    #[command(flatten)]
    pub onto: Onto,
}

//! The arguments of `store`.

use clap::{Args, Subcommand};

use super::{DryRun, Sure};
use crate::model::ByteSize;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum StoreCommands {
    List,
    Verify(StoreVerify),
    Gc(StoreGc),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StoreVerify {
    #[command(flatten)]
    pub dry: DryRun,
    #[arg(long)]
    pub set_aside: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StoreGc {
    #[command(flatten)]
    pub dry: DryRun,
    #[command(flatten)]
    pub sure: Sure,
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<ByteSize>,
}

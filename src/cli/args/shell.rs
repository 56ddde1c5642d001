//! The arguments of `completions` and `man`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::complete::Shell;

#[derive(Debug, Args)]
pub(in crate::cli) struct Completions {
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Man {
    // What is printed is written nowhere.
    #[arg(long, requires = "output")]
    pub dry_run: bool,
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub output: Option<PathBuf>,
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

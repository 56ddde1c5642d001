//! `undeploy`

use super::release;
use crate::cli::args::Undeploy;
use crate::cli::ask;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::words::say;
use crate::ops::{Site, undeploy};

pub(super) fn run(site: &Site, args: &Undeploy, output: &Output) -> Result<(), Failure> {
    let question = || Ok(Some(say("ask.undeploy", &[("component", args.component.to_string())])));
    ask::confirmed(&args.sure, &args.dry, question)?;
    release::tell(site, undeploy::undeploy(site, &args.component, args.force, args.dry.dry_run)?, output);
    Ok(())
}

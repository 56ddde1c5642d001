//! `undeploy`

use super::release;
use crate::cli::args::Undeploy;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::ops::{Site, undeploy};

pub(super) fn run(site: &Site, args: &Undeploy, output: &Output) -> Result<(), Failure> {
    release::tell(site, undeploy::undeploy(site, &args.component, args.force, args.dry.dry_run)?, output);
    Ok(())
}

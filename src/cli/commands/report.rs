//! `report`

use crate::cli::args::{Global, Report};
use crate::cli::commands::doctor::{Told, tool};
use crate::cli::explain::Explain as _;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::report::{document, page};
use crate::cli::settings;
use crate::cli::words::say;
use crate::fsx;
use crate::ops::report;

pub(super) fn run(global: &Global, args: &Report, output: &Output) -> Result<(), Failure> {
    let here = settings::working_directory()?;
    let (site, mut configured) = settings::survey(global, &here, "report")?;
    if let Some(broken) = configured.broken.take() {
        return Err(broken.into());
    }
    configured.warnings.iter().for_each(|warning| output.warn(&warning.explain()));
    // It takes no lock and fetches nothing.
    let site = site.unfetched();
    output.follow(&site.notices);
    let report = report::report(&site, &configured)?;
    let tool = tool(global);
    let told: Vec<_> = report.doctor.findings.iter().map(|finding| Told::of(finding, &tool)).collect();
    let written = args.output.as_ref().map(|file| here.join(file));
    if let Some(file) = &written {
        fsx::write_atomic(file, page(&report, &told).as_bytes())?;
    }
    output.report(&document(&report, &told), |_| match &written {
        Some(file) => say("report.written", &[("path", file.display().to_string())]),
        None => page(&report, &told),
    });
    Ok(())
}

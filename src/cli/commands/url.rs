//! `record url`

use crate::cli::args::RecordUrl;
use crate::cli::explain::Explain as _;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::words::Phrase;
use crate::ops::{Site, url};

pub(super) fn run(site: &Site, args: &RecordUrl, output: &Output) -> Result<(), Failure> {
    let report = url::url(site, &args.reference, args.at.as_deref(), args.target.as_deref(), args.expires.0)?;
    for (name, error) in &report.failed {
        output.warn(&Phrase::failed("url.failed").with("name", name).with("reason", error.explain().text()));
    }
    for broken in &report.broken {
        output.warn(&broken.explain());
    }
    // Bare lines, so that a shell can take them as they are.
    output.report(&report, |report| report.urls.iter().map(|url| format!("{}\n", url.url)).collect());
    Ok(())
}

//! `init`

use serde_json::json;

use crate::cli::args::Init;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::settings::working_directory;
use crate::cli::words::say;
use crate::ops::init;

pub(super) fn run(args: &Init, output: &Output) -> Result<(), Failure> {
    let dir: std::path::PathBuf = working_directory()?.join(&args.dir).components().collect();
    let report = init::init(&dir, args.dry.dry_run)?;
    let names: Vec<_> = report.components.iter().map(|(kind, _)| kind.to_string()).collect();
    let json = json!({"path": report.path, "components": names, "dry_run": args.dry.dry_run});
    output.report(&json, |_| {
        if args.dry.dry_run {
            return report.text.clone();
        }
        let path = ("path", report.path.display().to_string());
        match names.is_empty() {
            true => say("init.wrote-empty", &[path]),
            false => say("init.wrote", &[path, ("components", names.join(", "))]),
        }
    });
    Ok(())
}

//! Deploys versions as the records of a configuration have them: what `deploy-tool deploy` does.
//!
//! `cargo run --example deploy -- .deploy-tool.yaml model@1.0.1 config`

#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use deploy_tool::config;
use deploy_tool::model::Timestamp;
use deploy_tool::ops::deploy::{What, deploy};
use deploy_tool::ops::{Caller, Overrides, Site};
use deploy_tool::target::Ambient;

/// Makes these versions current together, or none of them. Returns what changed, one component a line.
pub fn run(file: &Path, home: Option<&Path>, references: &[String]) -> Result<String, Box<dyn Error>> {
    // The library reads no file, environment or clock by itself.
    let file = std::path::absolute(file)?;
    let variable = |name: &str| std::env::var(name).ok();
    let (config, warnings) = config::parse(&std::fs::read_to_string(&file)?, &file, &variable, home)?;
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let caller = Caller {
        by: "example@localhost".to_owned(),
        name: "Example".to_owned(),
        email: "example@localhost".to_owned(),
        process: "the example".to_owned(),
        now: Timestamp::from_unix(i64::try_from(seconds)?).ok_or("a time far away")?,
        began: Instant::now(),
    };
    let site = Site::new(config, Overrides::default(), Ambient::default(), caller);

    let references = references.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let report = deploy(&site, &What::References(references, None), false, &|_| {})?;

    let mut lines: String = warnings.iter().map(|warning| format!("warning: {warning:?}\n")).collect();
    for component in &report.components {
        lines += &format!("{}@{}: {} files\n", component.component, component.version, component.files);
    }
    match report.change.release {
        Some(number) => lines += &format!("release {number} is current\n"),
        None => lines += "nothing had to change\n",
    }
    Ok(lines)
}

#[allow(dead_code)]
fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("usage: deploy CONFIGURATION REFERENCE…")?;
    let home = std::env::var_os("HOME").map(PathBuf::from);
    print!("{}", run(Path::new(&file), home.as_deref(), &args.collect::<Vec<_>>())?);
    Ok(())
}

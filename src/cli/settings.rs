//! From arguments, environment and configuration files to a [`Site`]: the one place that reads them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::args::Global;
use super::explain::Explain;
use super::failure::Failure;
use super::output::Output;
use super::words::Phrase;
use crate::config::{self, Config, RepositoryPlace};
use crate::fsx;
use crate::model::{RepositoryUrl, RepositoryUrlError, Timestamp};
use crate::ops::doctor::{Broken, Configured};
use crate::ops::{Caller, Overrides, Site};
use crate::target::Ambient;

/// The configuration of a host, where none is found upward or in the root.
const HOST_CONFIG: &str = "/etc/deploy-tool.yaml";

/// The directory the program was started in.
pub(super) fn working_directory() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|e| fsx::Error::new(fsx::Action::Inspect, ".", e).into())
}

/// Joins arguments, environment and the configuration that is found from `start` upward.
pub(super) fn site(global: &Global, start: &Path, command: &str, output: &Output) -> Result<Site, Failure> {
    let (mut site, configured) = survey(global, start, command)?;
    output.log().configure(&site.config.log);
    site.events = output.log().events();
    output.measure(&site);
    if let Some(broken) = configured.broken {
        return Err(broken.into());
    }
    configured.warnings.iter().for_each(|warning| output.warn(&warning.explain()));
    output.follow(&site.notices);
    Ok(site)
}

/// The same, also where the configuration cannot be used: then the site has the embedded defaults and the places that were
/// given, and it is said why.
pub(super) fn survey(global: &Global, start: &Path, command: &str) -> Result<(Site, Configured), Failure> {
    let here = working_directory()?;
    let absolute = |path: &PathBuf| here.join(path).components().collect::<PathBuf>();
    let given = Overrides {
        root: global.root.as_ref().map(absolute),
        records: global.records.as_ref().map(|given| place(given, &here)).transpose()?,
        store: global.store.as_ref().map(absolute),
        wait: global.wait.map_or(Duration::ZERO, |span| span.0),
    };
    let file = match &global.config {
        Some(file) => Some(named(absolute(file))?),
        None => find(start, given.root.as_deref())?,
    };
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let variable = |name: &str| std::env::var(name).ok();
    let defaults = || Config::default_for(start, &variable, home.as_deref());
    let read = file.as_deref().map(|file| {
        let text = fsx::read_text(file).map_err(Broken::Unreadable)?;
        config::parse(&text, file, &variable, home.as_deref()).map_err(Broken::Invalid)
    });
    let (config, warnings, broken) = match read {
        Some(Ok((config, warnings))) => (config, warnings, None),
        Some(Err(broken)) => (defaults(), Vec::new(), Some(broken)),
        None => (defaults(), Vec::new(), None),
    };
    let variables = std::env::vars_os().filter_map(text).collect();
    let ambient = Ambient { variables, home, stall_timeout: config.deploy.stall_timeout };
    let site = Site::new(config, given.clone(), ambient, caller(command)?);
    Ok((site, Configured { file, warnings, broken, given }))
}

/// Where `--records` leads: a URL, else a path.
fn place(given: &Path, here: &Path) -> Result<RepositoryPlace, Failure> {
    match given.to_str().map(RepositoryUrl::parse) {
        Some(Ok(Some(url))) => Ok(RepositoryPlace::Url(url)),
        Some(Err(reason)) => Err(Failure::of(match reason {
            RepositoryUrlError::Scheme => Phrase::usage("cli.records-scheme"),
            RepositoryUrlError::Password => Phrase::usage("cli.records-password"),
            RepositoryUrlError::Malformed => Phrase::usage("cli.records-url"),
        })),
        Some(Ok(None)) | None => Ok(RepositoryPlace::Path(here.join(given).components().collect())),
    }
}

/// A variable whose name and value are text; others mean nothing to a target.
fn text((name, value): (OsString, OsString)) -> Option<(String, String)> {
    name.into_string().ok().zip(value.into_string().ok())
}

/// The configuration that `--config` names, which must be there.
fn named(file: PathBuf) -> Result<PathBuf, Failure> {
    match fsx::inspect_followed(&file)? {
        Some(_) => Ok(file),
        None => Err(Failure::of(Phrase::usage("cli.no-config").path("path", &file))),
    }
}

/// The nearest configuration: upward from `start`, then the root's own, then the host's.
fn find(start: &Path, root: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let candidates = config::find_upward(start)
        .chain(root.map(|root| root.join(config::FILE_NAME)))
        .chain([PathBuf::from(HOST_CONFIG)]);
    for candidate in candidates {
        if fsx::inspect_followed(&candidate)?.is_some() {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

fn caller(command: &str) -> Result<Caller, Failure> {
    let now = now()?;
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).filter(|name| !name.is_empty());
    let user = named.unwrap_or_else(|| format!("uid {}", fsx::user()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Ok(Caller {
        by: format!("{user}@{host}"),
        process: format!("pid {} ({user}@{host}), {command}, since {now}", std::process::id()),
        email: format!("{}@{host}", user.replace(' ', "")),
        name: user,
        now,
        began: Instant::now(),
    })
}

/// The time by the clock of this machine.
pub(super) fn now() -> Result<Timestamp, Failure> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let time = i64::try_from(seconds).ok().and_then(Timestamp::from_unix);
    time.ok_or_else(|| Failure::of(Phrase::failed("cli.clock").with("seconds", seconds)))
}

/// When a package counts as made: `SOURCE_DATE_EPOCH` where it is set, else now.
pub(super) fn created_at(site: &Site) -> Result<Timestamp, Failure> {
    let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") else { return Ok(site.caller.now) };
    let time = text.parse().ok().and_then(Timestamp::from_unix);
    time.ok_or_else(|| Failure::of(Phrase::usage("cli.source-date-epoch").with("value", text)))
}

//! `deploy.hooks` and `deploy.health`: who is asked before a switch, what is run after it, and what has to answer before
//! the new versions count as good.
//!
//! ```text
//! hooks:
//!   pre_switch:  [[./may-i]]                                   a list is a program and its arguments, no shell
//!   post_switch: [{run: [systemctl, --user, reload, app], timeout: 10s}, {shell: "pkill -HUP app || true"}]
//! health: {http: "http://127.0.0.1:8080/healthz", timeout: 30s, healthy_for: 5s, interval: 1s}
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{Error, Problem, Shape};
use super::places::span;
use super::reader::{Item, keys};
use crate::model::Span;

const DEFAULT_HOOK_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_HEALTH_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_HEALTHY_FOR: Duration = Duration::from_secs(5);
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// `deploy.hooks`; each list is run in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Asked before the links move: one that fails stops the switch.
    pub pre_switch: Vec<Hook>,
    /// Run after the links have moved.
    pub post_switch: Vec<Hook>,
}

/// One hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// What is run.
    pub program: Program,
    /// How long it may take; 60 seconds where none is given.
    pub timeout: Duration,
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// A name that is looked for in `PATH`, or a path.
    pub name: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// The same as the file spells it, variables and all: for messages, which hold no values of variables.
    pub shown: String,
}

/// `deploy.health`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What has to answer.
    pub probe: Probe,
    /// How long it may take until it has been healthy for `healthy_for`; 30 seconds where none is given.
    pub timeout: Duration,
    /// For how long it has to be healthy without a break, less than `timeout`; 5 seconds where none is given, or half of
    /// `timeout` where that is less.
    pub healthy_for: Duration,
    /// The time between two looks; a second where none is given.
    pub interval: Duration,
}

/// What has to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A web address, with a status from 200 to 299.
    Http {
        /// The URL, without user and password.
        url: String,
        /// The same as the file spells it, without its query.
        shown: String,
    },
    /// A port that takes connections: `host:port`.
    Tcp(String),
    /// A program that ends with status 0.
    Command(Program),
}

impl Probe {
    /// The URL, address or command, as the file spells it.
    pub fn shown(&self) -> &str {
        match self {
            Probe::Http { shown, .. } => shown,
            Probe::Tcp(address) => address,
            Probe::Command(program) => &program.shown,
        }
    }
}

/// `deploy.hooks`; a program's path is below `base` where it is relative.
pub(super) fn hooks(item: Option<Item<'_>>, base: &Path) -> Result<Hooks, Error> {
    let [pre_switch, post_switch] = keys(item, ["pre_switch", "post_switch"])?;
    let list = |item: Option<Item<'_>>| -> Result<Vec<Hook>, Error> {
        let items = item.map(Item::list).transpose()?.unwrap_or_default();
        items.into_iter().map(|item| hook(item, base)).collect()
    };
    Ok(Hooks { pre_switch: list(pre_switch)?, post_switch: list(post_switch)? })
}

fn hook(item: Item<'_>, base: &Path) -> Result<Hook, Error> {
    if item.is_list() {
        return Ok(Hook { program: program(item, base)?, timeout: DEFAULT_HOOK_TIMEOUT });
    }
    if !item.is_mapping() {
        // A text might mean a program or a line of shell: the file has to say which.
        return Err(item.error(Problem::Shape { wanted: Shape::List, found: Shape::Scalar }));
    }
    let one_of = item.error(Problem::OneOf { names: &["run", "shell"] });
    let [run, shell, timeout] = keys(Some(item), ["run", "shell", "timeout"])?;
    let program = match (run, shell) {
        (Some(run), None) => program(run, base)?,
        (None, Some(line)) => Program {
            name: "sh".into(),
            args: vec!["-c".to_owned(), line.text()?],
            shown: line.text_as_written().to_owned(),
        },
        _ => return Err(one_of),
    };
    let timeout = timeout.map(|item| span(&item)).transpose()?.unwrap_or(DEFAULT_HOOK_TIMEOUT);
    Ok(Hook { program, timeout })
}

fn program(item: Item<'_>, base: &Path) -> Result<Program, Error> {
    let empty = item.error(Problem::Empty);
    let items = item.list()?;
    let shown = items.iter().map(Item::text_as_written).collect::<Vec<_>>().join(" ");
    let mut items = items.into_iter();
    let first = items.next().ok_or(empty)?;
    let name = first.text()?;
    let name = if name.contains('/') { first.path(base)? } else { name.into() };
    Ok(Program { name, args: items.map(|item| item.text_or_empty()).collect::<Result<_, _>>()?, shown })
}

/// `deploy.health`
pub(super) fn health(item: Option<Item<'_>>, base: &Path) -> Result<Option<Health>, Error> {
    let Some(item) = item else { return Ok(None) };
    let one_of = item.error(Problem::OneOf { names: &["http", "command", "tcp"] });
    let known = ["http", "command", "tcp", "timeout", "healthy_for", "interval"];
    let [http, command, tcp, timeout, healthy_for, interval] = keys(Some(item), known)?;
    let probe = match (http, command, tcp) {
        (Some(item), None, None) => Probe::Http {
            url: url(&item)?,
            shown: item.text_as_written().split('?').next().unwrap_or_default().to_owned(),
        },
        (None, Some(item), None) => Probe::Command(program(item, base)?),
        (None, None, Some(item)) => Probe::Tcp(address(&item)?),
        _ => return Err(one_of),
    };
    let timeout = timeout.map(|item| span(&item)).transpose()?.unwrap_or(DEFAULT_HEALTH_TIMEOUT);
    let healthy_for = match healthy_for {
        Some(item) => match item.parse(|value, _| Problem::Span { value })? {
            Span(span) if span < timeout => span,
            _ => return Err(item.error(Problem::NotShorter { value: item.shown(), than: "timeout" })),
        },
        None => DEFAULT_HEALTHY_FOR.min(timeout / 2),
    };
    let interval = interval.map(|item| span(&item)).transpose()?.unwrap_or(DEFAULT_INTERVAL);
    Ok(Some(Health { probe, timeout, healthy_for, interval }))
}

/// `http://…` or `https://…`, without user, password and fragment.
fn url(item: &Item<'_>) -> Result<String, Error> {
    let text = item.text()?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    let plain = !host.is_empty() && !host.contains('@') && !text.contains(['#', ' ', '\\']);
    if plain { Ok(text) } else { Err(item.error(Problem::HealthUrl { value: item.shown() })) }
}

/// `host:port`
fn address(item: &Item<'_>) -> Result<String, Error> {
    let text = item.text()?;
    let parts =
        text.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0));
    match parts {
        Some(_) => Ok(text),
        None => Err(item.error(Problem::Address { value: item.shown() })),
    }
}

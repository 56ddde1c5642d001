//! `log` and `metrics`: what this machine writes about runs.

use std::path::{Path, PathBuf};

use super::error::{Error, Problem};
use super::reader::{Item, keys, path};
use crate::model::ByteSize;

/// The most old log files that may be asked for.
const MOST_KEPT: i64 = 1000;

/// `log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The style of log lines on stderr; `None` where notes and warnings are printed instead.
    pub stderr: Option<LogStyle>,
    /// The file that lines are appended to; `None` for no file.
    pub file: Option<PathBuf>,
    /// The style of its lines; text where none is given.
    pub format: LogStyle,
    /// The size at which it gets another name; 10 MiB where none is given.
    pub max_size: ByteSize,
    /// How many of those are kept, at least one; 5 where none is given.
    pub keep: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { stderr: None, file: None, format: LogStyle::default(), max_size: ByteSize(10 << 20), keep: 5 }
    }
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogStyle {
    /// `2024-01-20 10:00:00 [INFO] …`
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// `metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metrics {
    /// The file that is replaced after each run that changes the root; `None` for none.
    pub textfile: Option<PathBuf>,
}

/// The section `log`.
pub(super) fn log(item: Option<Item<'_>>, base: &Path) -> Result<Log, Error> {
    let [stderr, file, format, max_size, keep] = keys(item, ["stderr", "file", "format", "max_size", "keep"])?;
    let style = |item: Item<'_>| item.choice(&[("text", LogStyle::Text), ("json", LogStyle::Json)]);
    let mut log = Log { stderr: stderr.map(style).transpose()?, file: path(file, base)?, ..Log::default() };
    if let Some(item) = format {
        log.format = style(item)?;
    }
    if let Some(item) = max_size {
        log.max_size = item.parse(|value, _| Problem::Size { value })?;
    }
    if let Some(item) = keep {
        log.keep = u32::try_from(item.number(1, MOST_KEPT)?).unwrap_or(log.keep);
    }
    Ok(log)
}

/// The section `metrics`.
pub(super) fn metrics(item: Option<Item<'_>>, base: &Path) -> Result<Metrics, Error> {
    let [textfile] = keys(item, ["textfile"])?;
    Ok(Metrics { textfile: path(textfile, base)? })
}

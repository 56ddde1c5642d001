//! A log file of bounded size, which several processes may write to.
//!
//! ```text
//! deploy-tool.log       lines are appended, each in one write
//! deploy-tool.log.1     what was before, then .2, .3 …, as many as are kept
//! deploy-tool.log.lock  held while they are renamed
//! ```
//!
//! A line that another process writes while the files are renamed ends up in the old file: none is lost or torn.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::LogStyle;
use crate::fsx::{self, Lock, Mode};

/// How long to wait for another process that renames.
const WAIT: Duration = Duration::from_secs(1);

/// Where lines are appended.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    style: LogStyle,
    max_size: u64,
    keep: u32,
}

impl File {
    /// A file that gets a new name before it is longer than `max_size` bytes, and of whose old ones `keep` are kept.
    pub fn new(path: &Path, style: LogStyle, max_size: u64, keep: u32) -> Self {
        Self { path: path.to_owned(), style, max_size, keep }
    }

    /// The same with other bounds.
    pub fn bound(&mut self, max_size: u64, keep: u32) {
        (self.max_size, self.keep) = (max_size, keep);
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn style(&self) -> LogStyle {
        self.style
    }

    /// Appends a line, which ends with a line break.
    pub fn write(&self, line: &str) -> Result<(), fsx::Error> {
        if self.is_full(line)? {
            self.rotate(line)?;
        }
        fsx::append(&self.path, line.as_bytes())
    }

    fn is_full(&self, line: &str) -> Result<bool, fsx::Error> {
        let size = fsx::inspect_followed(&self.path)?.map_or(0, |stat| stat.size);
        Ok(size > 0 && size.saturating_add(line.len() as u64) > self.max_size)
    }

    /// Whoever cannot have the lock in time appends to the file as it is: better too long than without the line.
    fn rotate(&self, line: &str) -> Result<(), fsx::Error> {
        let Ok(_lock) = Lock::take(&self.old("lock"), Mode::Exclusive, "", WAIT) else { return Ok(()) };
        // Another process may have been quicker.
        if !self.is_full(line)? {
            return Ok(());
        }
        for number in (1..self.keep).rev() {
            let from = self.old(&number.to_string());
            if fsx::inspect(&from)?.is_some() {
                fsx::rename(&from, &self.old(&(number + 1).to_string()))?;
            }
        }
        fsx::rename(&self.path, &self.old("1"))
    }

    fn old(&self, end: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".");
        name.push(end);
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_lines_that_several_write_none_is_torn_or_lost_and_old_files_are_bounded() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let file = |keep| File::new(&path, LogStyle::Text, 4_000, keep);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let file = file(50);
                scope.spawn(move || {
                    for number in 0..200 {
                        file.write(&format!("{writer} {number} {}\n", "x".repeat(80))).expect("written");
                    }
                });
            }
        });
        let all = || fsx::list(dir.path()).expect("listed").into_iter().map(|entry| dir.path().join(entry.name));
        let texts: Vec<String> = all().map(|path| fsx::read_text(&path).expect("text")).collect();
        let mut lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
        assert!(lines.iter().all(|line| line.ends_with(&"x".repeat(80)) && line.len() < 90), "{lines:?}");
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 800);
        assert!(all().count() > 15, "they were renamed");
        for path in all() {
            fsx::remove_file(&path).expect("removed");
        }
        for number in 0..500 {
            file(3).write(&format!("{number} {}\n", "x".repeat(80))).expect("written");
        }
        let mut names: Vec<_> = all().map(|path| path.file_name().map(ToOwned::to_owned)).collect();
        names.sort();
        assert_eq!(names, ["log", "log.1", "log.2", "log.3", "log.lock"].map(|name| Some(name.into())));
        assert!(fsx::read_text(&path).expect("text").ends_with(&format!("499 {}\n", "x".repeat(80))));
    }
}

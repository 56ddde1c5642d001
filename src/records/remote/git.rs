//! The user's `git` program, which knows the user's logins, proxies and ssh configuration. It is given no terminal and asks
//! nobody; whoever needs a password has a credential helper, an agent, or an askpass program of his own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::RemoteError;
use crate::process::{self, Command, Ended};

/// So long one run may take: a server without filters may send much.
const LIMIT: Duration = Duration::from_secs(600);

/// What says which repository is meant, or where its parts are: git is told that by us.
const NOT_INHERITED: [&str; 9] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_SHALLOW_FILE",
    "LANGUAGE",
];

/// What every run is given besides: words that can be compared, nobody asked, nothing fetched that was not asked for. Where
/// the bytes of an HTTP server cease, it is given up.
const SET: [(&str, &str); 4] =
    [("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0"), ("GIT_NO_LAZY_FETCH", "1"), ("SSH_ASKPASS_REQUIRE", "force")];

/// How lines begin that do not say why.
const ADVICE: [&str; 5] = [
    "hint:",
    "warning:",
    "remote: hint:",
    "Please make sure you have the correct access rights",
    "and the repository exists",
];

/// git in one repository.
pub(in crate::records) struct Git<'a> {
    /// Where it is run: paths in its configuration start from there.
    pub top: &'a Path,
    /// The bare repository, or the git directory of the work tree.
    pub dir: &'a Path,
    /// The caller's environment.
    pub environment: &'a BTreeMap<String, String>,
}

/// How a run ended, and what was said.
pub(in crate::records) struct Said {
    pub done: bool,
    pub text: String,
}

impl Git<'_> {
    /// Runs git with these arguments.
    ///
    /// # Errors
    ///
    /// It cannot be started. A failure of its own is in what comes back.
    pub fn run(&self, args: &[&str]) -> Result<Said, RemoteError> {
        self.run_with(args, [])
    }

    /// The same, with more in its environment.
    pub fn run_with<const N: usize>(&self, args: &[&str], more: [(&str, String); N]) -> Result<Said, RemoteError> {
        let mut environment = self.environment.clone();
        NOT_INHERITED.iter().for_each(|name| drop(environment.remove(*name)));
        // A program that answers with nothing: ssh would else ask at the terminal.
        environment.entry("SSH_ASKPASS".to_owned()).or_insert_with(|| "true".to_owned());
        environment.extend(SET.map(|(name, value)| (name.to_owned(), value.to_owned())));
        environment.extend(more.map(|(name, value)| (name.to_owned(), value)));
        let directory = format!("--git-dir={}", self.dir.display());
        let start = [directory.as_str(), "-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=30"];
        let quiet = ["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "fetch.writeCommitGraph=false"];
        let args: Vec<_> = start.iter().chain(&quiet).chain(args).map(|&arg| arg.to_owned()).collect();
        let command = Command { program: Path::new("git"), args: &args, dir: self.top, environment: &environment };
        let ran = process::run(&command, LIMIT)?;
        let mut text = String::from_utf8_lossy(&ran.output).into_owned();
        if ran.ended == Ended::TimedOut {
            text.push_str("\nno answer in time");
        }
        Ok(Said { done: ran.ended == Ended::Exit(0), text })
    }
}

impl Said {
    /// Whether one of these stands in it.
    pub fn has(&self, words: &[&str]) -> bool {
        words.iter().any(|words| self.text.contains(words))
    }

    /// Why it failed, in one line: what git said last, without advice, warnings and logins.
    pub fn reason(&self) -> String {
        let said = |line: &&str| !ADVICE.iter().any(|start| line.starts_with(start));
        let lines: Vec<_> = self.text.lines().map(str::trim).filter(|line| !line.is_empty()).filter(said).collect();
        // What went wrong first explains the most; ssh and the server's hooks say it before git does.
        let last = lines.len().saturating_sub(4);
        let words: Vec<_> = lines[last..].iter().map(|line| line.trim_start_matches("fatal: ")).collect();
        match words.is_empty() {
            true => "git said nothing".to_owned(),
            false => without_logins(&words.join("; ")),
        }
    }
}

/// A text without what stands between `://` and `@` of a URL.
fn without_logins(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c == '/' || c == '\'' || c.is_whitespace()).unwrap_or(part.len());
        let start = part[..end].rfind('@').map_or(0, |at| at + 1);
        out.push_str("://");
        out.push_str(&part[start..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_is_cut_to_what_explains_and_to_no_login() {
        let text =
            "warning: x\nremote: no entry\nfatal: unable to access 'https://mei:s3cret@host/r.git/': 403\nhint: y\n";
        let said = Said { done: false, text: text.to_owned() };
        assert_eq!(said.reason(), "remote: no entry; unable to access 'https://host/r.git/': 403");
        assert_eq!(without_logins("a ssh://git@h:1/x b https://h/y@z"), "a ssh://h:1/x b https://h/y@z");
        assert_eq!(Said { done: false, text: "\n".to_owned() }.reason(), "git said nothing");
    }
}

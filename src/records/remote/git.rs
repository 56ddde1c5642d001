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

/// What a server or git says of a branch that moved, or is being moved, by somebody else.
const LOST: [&str; 8] = [
    "(fetch first)",
    "(non-fast-forward)",
    "(stale info)",
    "cannot lock ref",
    "failed to update ref",
    "incorrect old value",
    "reference already exists",
    ".lock': File exists",
];

/// What it says where a branch of a name above or below stands in the way, for good.
const IN_THE_WAY: &str = "exists; cannot create";

/// The most characters that are repeated of what git says.
const REASON: usize = 1_000;

/// The reason where git said nothing at all.
pub const SILENT: &str = "git said nothing";

/// git in one repository.
pub struct Git<'a> {
    /// Where it is run: paths in its configuration start from there.
    pub top: &'a Path,
    /// The bare repository, or the git directory of the work tree.
    pub dir: &'a Path,
    /// The caller's environment.
    pub environment: &'a BTreeMap<String, String>,
}

/// How a run ended, and what was said.
#[derive(Debug)]
pub struct Said {
    /// Whether it did what was asked.
    pub done: bool,
    /// All that was said, with whatever logins stand in it.
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

    /// Runs a push; `cuts` is what [`Origin::cuts`](super::origin::Origin::cuts) gave. git 2.39 reads trees around what it sends: of
    /// a mirror in part it may fetch those that are not here, as it does by itself elsewhere.
    ///
    /// # Errors
    ///
    /// Those of [`Git::run`].
    pub fn push(&self, args: &[&str], cuts: Option<(&str, String)>) -> Result<Said, RemoteError> {
        self.run_with(args, cuts.into_iter().chain([("GIT_NO_LAZY_FETCH", "0".to_owned())]))
    }

    /// The same as [`Git::run`], with more in its environment.
    ///
    /// # Errors
    ///
    /// Those of [`Git::run`].
    pub fn run_with<'n>(
        &self,
        args: &[&str],
        more: impl IntoIterator<Item = (&'n str, String)>,
    ) -> Result<Said, RemoteError> {
        let mut environment = self.environment.clone();
        NOT_INHERITED.iter().for_each(|name| drop(environment.remove(*name)));
        // A program that answers with nothing: ssh would else ask at the terminal.
        environment.entry("SSH_ASKPASS".to_owned()).or_insert_with(|| "true".to_owned());
        environment.extend(SET.map(|(name, value)| (name.to_owned(), value.to_owned())));
        environment.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
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

    /// The line that says which branch was not pushed.
    pub fn refused(&self) -> Option<&str> {
        self.text.lines().find(|line| line.starts_with("!\t"))
    }

    /// Whether a push failed since somebody moved the branch, or is just about to: a lock is somebody's who moves it.
    pub fn is_lost(&self) -> bool {
        self.refused().is_some() && self.has(&LOST) && !self.has(&[IN_THE_WAY])
    }

    /// Why it failed, in one line without logins: why a push was refused, after what the server's hooks said; else what git said
    /// last, without advice and warnings.
    pub fn reason(&self) -> String {
        let lines = self.text.lines().map(str::trim).filter(|line| !line.is_empty());
        let said: Vec<_> = match self.refused() {
            Some(line) => {
                let reason = line.rsplit_once('(').map_or(line, |(_, reason)| reason.trim_end_matches(')'));
                let hooks = lines.filter_map(|line| line.strip_prefix("remote: ")).map(str::trim);
                hooks.filter(|line| !line.is_empty()).chain([reason]).collect()
            }
            None => {
                let mut said: Vec<_> =
                    lines.filter(|line| !ADVICE.iter().any(|start| line.starts_with(start))).collect();
                // What went wrong first explains the most; ssh says it before git does.
                said.split_off(said.len().saturating_sub(4))
            }
        };
        let words: Vec<_> = said.iter().map(|line| line.trim_start_matches("fatal: ")).collect();
        match words.is_empty() {
            true => SILENT.to_owned(),
            false => {
                let shown = |c: char| if c.is_control() { ' ' } else { c };
                without_logins(&words.join("; ")).chars().map(shown).take(REASON).collect()
            }
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
        assert_eq!(
            without_logins("https://mei:p@ss@host/r.git: 403\nhttps://t0ken@h"),
            "https://host/r.git: 403\nhttps://h"
        );
        let reason = |text: &str| Said { done: false, text: text.to_owned() }.reason();
        assert_eq!((reason("\n").as_str(), reason("x\u{1b}[31m").as_str()), (SILENT, "x [31m"));
        assert_eq!(reason(&"x".repeat(3_000)).len(), REASON);
    }

    #[test]
    fn a_lost_race_is_told_from_what_stays() {
        let is_lost = |text: &str| Said { done: false, text: text.to_owned() }.is_lost();
        assert!(is_lost("To /r\n!\tabc:refs/heads/b\t[rejected] (stale info)\nDone"));
        let refused = "!\tabc:refs/heads/a/b\t[remote rejected]";
        let locked = "remote: error: cannot lock ref 'refs/heads/a/b':";
        assert!(is_lost(&format!("{locked} reference already exists\n{refused} (failed to update ref)")));
        assert!(is_lost(&format!("{locked} Unable to create '/r/refs/heads/a/b.lock': File exists.\n{refused} (x)")));
        let above = "'refs/heads/a' exists; cannot create 'refs/heads/a/b'";
        assert!(!is_lost(&format!("{locked} {above}\n{refused} (failed to update ref)")));
        assert!(!is_lost(&format!("{refused} (pre-receive hook declined)")));
        assert!(!is_lost("fatal: unable to access 'https://h/': cannot lock ref"), "nothing was refused");
    }

    #[test]
    fn git_is_led_nowhere_else_and_asks_nobody() {
        let dir = tempfile::tempdir().expect("a directory");
        let print = ["-c", "alias.env=!env", "env"];
        let variables = [("GIT_INDEX_FILE", "/elsewhere"), ("GIT_ASKPASS", "/own"), ("PATH", "/usr/bin:/bin")];
        let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let git = Git { top: dir.path(), dir: dir.path(), environment: &environment };
        let said = git.run_with(&print, Some(("MORE", "1".to_owned()))).expect("git runs").text;
        let has = |line: &str| said.lines().any(|said| said == line);
        assert!(["GIT_ASKPASS=/own", "MORE=1", "LC_ALL=C", "GIT_TERMINAL_PROMPT=0"].into_iter().all(has), "{said}");
        assert!(has("SSH_ASKPASS=true") && has("SSH_ASKPASS_REQUIRE=force") && has("GIT_NO_LAZY_FETCH=1"), "{said}");
        assert!(!said.contains("/elsewhere"), "{said}");
    }
}

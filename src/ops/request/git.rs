//! The user's own `git`, which knows the user's logins: naming, fetching and pushing branches of a remote.
//!
//! No branch of this repository moves, only what git keeps of the remote's branch that is pushed. git may ask nobody for a login, since nobody may be there: credential helpers, keys,
//! agents and the user's own askpass programs answer, or it fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{Doing, RequestError};
use crate::net::Ambient;
use crate::process::{self, Command, Ended};

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(600);
/// The most characters that are repeated of what git says.
const SAID: usize = 1_000;
/// Variables that would lead git to another repository: they are set where we are run by a hook.
const ELSEWHERE: [&str; 6] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_COMMON_DIR"];

/// A remote of a repository.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    dir: PathBuf,
    /// Its name.
    pub name: String,
    environment: BTreeMap<String, String>,
}

/// What became of a push.
#[derive(Debug)]
pub(super) enum Push {
    /// The branch is there; with what the remote said.
    Done(String),
    /// Somebody moved the branch meanwhile, or is just about to.
    Lost,
    /// The remote takes no options.
    NoOptions,
}

impl Remote {
    /// The remote `name` of the repository at `dir`; of a mirror, the URL. What a mirror has not, git does not need to push.
    pub fn new(dir: &Path, name: String, ambient: &Ambient) -> Self {
        let mut environment = ambient.variables.clone();
        environment.retain(|name, _| !ELSEWHERE.contains(&name.as_str()));
        environment.insert("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned());
        environment.insert("LC_ALL".to_owned(), "C".to_owned());
        environment.insert("GIT_NO_LAZY_FETCH".to_owned(), "1".to_owned());
        if !environment.contains_key("SSH_ASKPASS") {
            environment.insert("SSH_ASKPASS".to_owned(), "false".to_owned());
            environment.insert("SSH_ASKPASS_REQUIRE".to_owned(), "force".to_owned());
        }
        Self { dir: dir.to_owned(), name, environment }
    }

    /// The same, with more in git's environment.
    pub fn with(&self, variable: Option<(&'static str, String)>) -> Self {
        let mut remote = self.clone();
        remote.environment.extend(variable.map(|(name, value)| (name.to_owned(), value)));
        remote
    }

    /// The branch that the remote's HEAD names, where it says so.
    pub fn head(&self) -> Result<Option<String>, RequestError> {
        let said = self.ok(Doing::Ask, &["ls-remote", "--quiet", "--symref", &self.name, "HEAD"])?;
        let line = said.lines().find_map(|line| line.strip_prefix("ref: refs/heads/"));
        Ok(line.and_then(|line| line.split('\t').next()).map(str::to_owned))
    }

    /// The commit at the tip of a branch; `None` where there is no such branch.
    pub fn tip(&self, branch: &str) -> Result<Option<String>, RequestError> {
        let wanted = format!("refs/heads/{branch}");
        let said = self.ok(Doing::Ask, &["ls-remote", "--quiet", &self.name, &wanted])?;
        let mut lines = said.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines.find(|(_, name)| *name == wanted).map(|(commit, _)| commit.to_owned()))
    }

    /// Brings the commits of a branch.
    pub fn fetch(&self, branch: &str) -> Result<(), RequestError> {
        let wanted = format!("refs/heads/{branch}");
        let args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=", &self.name, &wanted];
        self.ok(Doing::Fetch, &args).map(|_| ())
    }

    /// Brings all that lies behind a branch into a clone that was made without it.
    pub fn deepen(&self, branch: &str) -> Result<(), RequestError> {
        let wanted = format!("refs/heads/{branch}");
        let args =
            ["fetch", "--quiet", "--unshallow", "--no-tags", "--no-write-fetch-head", "--refmap=", &self.name, &wanted];
        self.ok(Doing::Fetch, &args).map(|_| ())
    }

    /// Pushes a commit to a branch that has `there` at its tip, or is not there.
    pub fn push(
        &self,
        commit: &str,
        branch: &str,
        there: Option<&str>,
        options: &[String],
    ) -> Result<Push, RequestError> {
        let lease = format!("--force-with-lease=refs/heads/{branch}:{}", there.unwrap_or_default());
        let refspec = format!("{commit}:refs/heads/{branch}");
        let mut args = vec!["push", "--porcelain", "--no-follow-tags", &lease];
        args.extend(options.iter().flat_map(|option| ["-o", option]));
        args.extend([self.name.as_str(), &refspec]);
        let (ended, said) = self.run(&args)?;
        if ended == Ended::Exit(0) {
            return Ok(Push::Done(said));
        }
        if is_lost(&said) {
            return Ok(Push::Lost);
        }
        match !options.is_empty() && said.contains("does not support push options") {
            true => Ok(Push::NoOptions),
            false => Err(self.error(Doing::Push, &said)),
        }
    }

    fn ok(&self, doing: Doing, args: &[&str]) -> Result<String, RequestError> {
        match self.run(args)? {
            (Ended::Exit(0), said) => Ok(said),
            (_, said) => Err(self.error(doing, &said)),
        }
    }

    fn run(&self, args: &[&str]) -> Result<(Ended, String), RequestError> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let git = Command { program: Path::new("git"), args: &args, dir: &self.dir, environment: &self.environment };
        let ran = process::run(&git, LIMIT)?;
        Ok((ran.ended, String::from_utf8_lossy(&ran.output).into_owned()))
    }

    fn error(&self, doing: Doing, said: &str) -> RequestError {
        RequestError::Git { doing, remote: self.name.clone(), output: shown(said) }
    }
}

/// Whether a push failed since somebody moved the branch. A lock is somebody's who moves it, unless a branch of a name above
/// or below stands in the way for good.
fn is_lost(said: &str) -> bool {
    let moved = ["(stale info)", "(fetch first)", "(non-fast-forward)", "reference already exists"];
    let refused = said.lines().any(|line| line.starts_with('!'));
    let locked = said.contains("cannot lock ref") && !said.contains("exists; cannot create");
    refused && (locked || moved.iter().any(|why| said.contains(why)))
}

/// The end of what git said, without the logins that URLs may hold.
fn shown(said: &str) -> String {
    let visible = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    let said: String = said.trim().chars().map(visible).collect();
    let start = said.chars().count().saturating_sub(SAID);
    let mut out = String::new();
    let mut rest: &str = &said;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let authority = after.find(|c: char| c == '/' || c.is_whitespace() || c == '\'').unwrap_or(after.len());
        rest = match after[..authority].rfind('@') {
            Some(login) => &after[login + 1..],
            None => after,
        };
    }
    out.push_str(rest);
    out.chars().skip(start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_is_repeated_without_logins() {
        let said = "fatal: unable to access 'https://mei:p@ss@host/o/r.git/': 403 (see https://docs)\nhttps://t0ken@h";
        assert_eq!(shown(said), "fatal: unable to access 'https://host/o/r.git/': 403 (see https://docs)\nhttps://h");
        assert_eq!(shown(&"x".repeat(3_000)).len(), SAID);
        assert_eq!(shown("ssh://git@host/r\u{1b}[31m"), "ssh://host/r [31m");
    }

    #[test]
    fn a_lost_race_is_told_from_what_stays() {
        let stale = "To /r\n!\tabc:refs/heads/b\t[rejected] (stale info)\nDone";
        let locked = "remote: error: cannot lock ref 'refs/heads/b': reference already exists\n! abc:refs/heads/b [remote rejected] (failed to update ref)";
        assert!(is_lost(stale) && is_lost(locked));
        let above = "remote: error: cannot lock ref 'refs/heads/a/b': 'refs/heads/a' exists; cannot create 'refs/heads/a/b'\n! abc:refs/heads/a/b [remote rejected] (failed to update ref)";
        assert!(!is_lost(above) && !is_lost("! abc:refs/heads/b [remote rejected] (pre-receive hook declined)"));
    }

    #[test]
    fn a_branch_that_was_moved_is_not_overwritten() {
        let dir = tempfile::tempdir().expect("a directory");
        let variables = [
            ("PATH", option_env!("PATH").unwrap_or("/usr/bin:/bin")),
            ("HOME", "/nonexistent"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let ambient = Ambient { variables, ..Ambient::default() };
        let remote = Remote::new(dir.path(), "there".to_owned(), &ambient);
        let git = |args: &[&str]| remote.ok(Doing::Ask, args).expect("git runs").trim().to_owned();
        git(&["init", "-q", "-b", "main", "."]);
        git(&["init", "-q", "--bare", "there.git"]);
        git(&["remote", "add", "there", "./there.git"]);
        let commit = |message: &str| {
            git(&["-c", "user.name=Mei", "-c", "user.email=m@e", "commit", "-q", "--allow-empty", "-m", message]);
            git(&["rev-parse", "HEAD"])
        };
        let (first, second) = (commit("first"), commit("second"));
        let push = |commit: &str, there: Option<&str>| remote.push(commit, "b", there, &[]).expect("git runs");
        assert!(matches!(push(&first, None), Push::Done(_)));
        assert!(matches!(push(&second, None), Push::Lost), "it is there by now");
        assert!(matches!(push(&second, Some(&first)), Push::Done(_)));
        assert!(matches!(push(&first, Some(&first)), Push::Lost), "it is another one by now");
        assert_eq!(remote.tip("b").expect("asked"), Some(second));
    }

    #[test]
    fn git_is_led_nowhere_else_and_asks_nobody() {
        let variables = [("GIT_DIR", "/elsewhere"), ("GIT_ASKPASS", "/own"), ("PATH", "/bin")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let ambient = Ambient { variables, ..Ambient::default() };
        let remote = Remote::new(Path::new("/r"), "origin".to_owned(), &ambient);
        let names: Vec<_> = remote.environment.keys().map(String::as_str).collect();
        let expected = [
            "GIT_ASKPASS",
            "GIT_NO_LAZY_FETCH",
            "GIT_TERMINAL_PROMPT",
            "LC_ALL",
            "PATH",
            "SSH_ASKPASS",
            "SSH_ASKPASS_REQUIRE",
        ];
        assert_eq!(names, expected);
    }
}

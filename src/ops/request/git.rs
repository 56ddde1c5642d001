//! Naming, fetching and pushing branches of a remote by the user's own `git`.
//!
//! No branch of this repository moves, only what git keeps of the remote's branch that is pushed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::{Doing, RequestError};
use crate::records::{Git, Repository, Said};

/// A remote of a repository.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    top: PathBuf,
    dir: PathBuf,
    /// Its name; of a mirror, the URL.
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
    /// The remote `name` of the repository; of a mirror, the URL. What a mirror has not, git does not need to push.
    pub fn new(repository: &Repository, name: String) -> Self {
        let Git { top, dir, environment } = repository.user_git();
        Self { top: top.to_owned(), dir: dir.to_owned(), name, environment: environment.clone() }
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

    /// Pushes a commit to a branch that has `there` at its tip, or is not there. `cuts` is what git needs of a mirror besides.
    pub fn push(
        &self,
        commit: &str,
        branch: &str,
        there: Option<&str>,
        options: &[String],
        cuts: Option<(&str, String)>,
    ) -> Result<Push, RequestError> {
        let lease = format!("--force-with-lease=refs/heads/{branch}:{}", there.unwrap_or_default());
        let refspec = format!("{commit}:refs/heads/{branch}");
        let mut args = vec!["push", "--porcelain", "--no-follow-tags", &lease];
        args.extend(options.iter().flat_map(|option| ["-o", option]));
        args.extend([self.name.as_str(), &refspec]);
        let said = self.git().push(&args, cuts)?;
        if said.done {
            return Ok(Push::Done(said.text));
        }
        if said.is_lost() {
            return Ok(Push::Lost);
        }
        match !options.is_empty() && said.has(&["does not support push options"]) {
            true => Ok(Push::NoOptions),
            false => Err(self.error(Doing::Push, &said)),
        }
    }

    fn ok(&self, doing: Doing, args: &[&str]) -> Result<String, RequestError> {
        match self.git().run(args)? {
            said if said.done => Ok(said.text),
            said => Err(self.error(doing, &said)),
        }
    }

    fn git(&self) -> Git<'_> {
        Git { top: &self.top, dir: &self.dir, environment: &self.environment }
    }

    fn error(&self, doing: Doing, said: &Said) -> RequestError {
        RequestError::Git { doing, remote: self.name.clone(), reason: said.reason() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_that_was_moved_is_not_overwritten() {
        let dir = tempfile::tempdir().expect("a directory");
        let top = dir.path();
        let here = git2::Repository::init(top).expect("made");
        git2::Repository::init_bare(top.join("there.git")).expect("made");
        let tree =
            here.treebuilder(None).and_then(|tree| tree.write()).and_then(|id| here.find_tree(id)).expect("a tree");
        let who = git2::Signature::now("Mei", "mei@example.org").expect("somebody");
        let commit = |message| here.commit(None, &who, &who, message, &tree, &[]).expect("a commit").to_string();
        let (first, second) = (commit("first"), commit("second"));
        let variables =
            [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/nonexistent"), ("GIT_CONFIG_NOSYSTEM", "1")];
        let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let (name, dir) = ("./there.git".to_owned(), here.path().to_owned());
        let remote = Remote { top: top.to_owned(), dir, name, environment };
        let push = |commit: &str, there: Option<&str>| remote.push(commit, "b", there, &[], None).expect("git runs");
        assert!(matches!(push(&first, None), Push::Done(_)));
        assert!(matches!(push(&second, None), Push::Lost), "it is there by now");
        assert!(matches!(push(&second, Some(&first)), Push::Done(_)));
        assert!(matches!(push(&first, Some(&first)), Push::Lost), "it is another one by now");
        assert_eq!(remote.tip("b").expect("asked"), Some(second));
    }
}

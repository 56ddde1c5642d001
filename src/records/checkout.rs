//! A work tree that has the branch checked out: finding all of them, and writing our files into them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{Oid, Repository as Git, Status};

use super::error::{Context as _, Doing, Error};
use super::index::{IndexEdit, IndexLock};
use super::repository::{final_name, head_of, open_git, top_of};
use super::unfinished::Note;
use crate::fsx::{self, FileKind};

/// One file of a commit in the making.
pub(super) struct Pending {
    /// Its path inside the repository.
    pub path: PathBuf,
    /// What the tip of the branch has there.
    pub was: Option<Oid>,
    /// The blob it becomes.
    pub id: Oid,
    /// The bytes it becomes.
    pub now: Vec<u8>,
}

/// A work tree that has the branch checked out, its index locked.
pub(super) struct Checkout {
    pub git: Git,
    pub top: PathBuf,
    lock: IndexLock,
}

impl Checkout {
    /// Locks the index of every work tree that has `branch` (a full reference name) checked out. The locks are taken in one
    /// order by everybody, so that two programs never wait for each other.
    ///
    /// `Ok(None)` where a work tree was switched to or from the branch meanwhile.
    pub fn lock_all(git: &Git, branch: &str, patience: Duration) -> Result<Option<Vec<Self>>, Error> {
        let mut locked = Vec::new();
        for work_tree in work_trees_of(git, branch)? {
            let lock = IndexLock::take(&work_tree, patience)?;
            locked.push(Self { top: top_of(&work_tree), git: work_tree, lock });
        }
        let again = work_trees_of(git, branch)?;
        Ok(again.iter().map(Git::path).eq(locked.iter().map(|c| c.git.path())).then_some(locked))
    }

    /// Notes in the lock what is to be done, writes the files into the work tree, durably, and prepares the new index.
    ///
    /// Everything is looked at before anything is written. Until [`Staged::keep`] all of it can be undone, and is
    /// when the value is dropped.
    ///
    /// # Errors
    ///
    /// Uncommitted or staged changes at our paths, something in the way, an index that libgit2 cannot write.
    pub fn stage(&self, pending: &[Pending], note: &Note) -> Result<Staged, Error> {
        let mut edit = IndexEdit::begin(&self.git, &self.lock)?;
        let mut plans = Vec::new();
        for file in pending {
            plans.push((file, self.plan(&edit, file)?));
        }
        self.lock.note(note)?;
        let mut staged = Staged { undo: Vec::new() };
        for (file, plan) in plans {
            let path = self.top.join(&file.path);
            if let Plan::Write { old } = &plan {
                fsx::create_dir_all(path.parent().unwrap_or(&self.top))?;
                staged.undo.push((path.clone(), old.clone()));
                fsx::write_atomic(&path, &file.now)?;
            }
            let on_disk = (!matches!(plan, Plan::LeaveOut)).then_some(path.as_path());
            edit.set(&file.path, file.id, on_disk)?;
        }
        edit.finish()?;
        Ok(staged)
    }

    /// Makes the prepared index the index.
    pub fn publish(self) -> Result<(), fsx::Error> {
        self.lock.publish()
    }

    /// What has to be done for one file, or why it must not be done.
    fn plan(&self, edit: &IndexEdit, file: &Pending) -> Result<Plan, Error> {
        let path = self.top.join(&file.path);
        let entry = edit.find(&file.path).map_err(|at| Error::Staged { path: self.top.join(at) })?;
        let staged = entry.as_ref().map(|e| e.id);
        if staged != file.was && staged != Some(file.id) {
            return Err(Error::Staged { path });
        }
        self.require_real_parents(&file.path)?;
        let skipped = git2::IndexEntryExtendedFlag::SKIP_WORKTREE.bits();
        match fsx::inspect(&path)?.map(|stat| stat.kind) {
            None if entry.is_some_and(|e| e.flags_extended & skipped != 0) => Ok(Plan::LeaveOut),
            None if file.was.is_none() => Ok(Plan::Write { old: None }),
            None => Err(Error::Uncommitted { path }),
            Some(FileKind::File) => {
                let bytes = fsx::read(&path)?;
                if bytes == file.now {
                    return Ok(Plan::Keep);
                }
                match file.was.is_some() && self.is_clean(&file.path, &bytes, file.was)? {
                    true => Ok(Plan::Write { old: Some(bytes) }),
                    false => Err(Error::Uncommitted { path }),
                }
            }
            Some(_) => Err(Error::InTheWay { path }),
        }
    }

    /// Whether the file in the work tree is what the tip has; git is asked only where the bytes differ, as with converted line ends.
    fn is_clean(&self, path: &Path, bytes: &[u8], was: Option<Oid>) -> Result<bool, Error> {
        if Oid::hash_object(git2::ObjectType::Blob, bytes).ok() == was {
            return Ok(true);
        }
        let changed = Status::WT_NEW | Status::WT_MODIFIED | Status::WT_TYPECHANGE | Status::CONFLICTED;
        let status = self.git.status_file(path).during(Doing::Read, &self.top)?;
        Ok(!status.intersects(changed))
    }

    /// Nothing is written through a symbolic link, as in git.
    fn require_real_parents(&self, path: &Path) -> Result<(), Error> {
        let mut parents: Vec<_> = path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).collect();
        parents.reverse();
        for parent in parents {
            let parent = self.top.join(parent);
            match fsx::inspect(&parent)?.map(|stat| stat.kind) {
                None => return Ok(()),
                Some(FileKind::Directory) => {}
                Some(_) => return Err(Error::InTheWay { path: parent }),
            }
        }
        Ok(())
    }
}

enum Plan {
    /// The file is there already.
    Keep,
    /// A sparse checkout leaves it out.
    LeaveOut,
    /// To be written over these bytes.
    Write { old: Option<Vec<u8>> },
}

/// Files written into a work tree whose commit does not stand yet. Dropping it puts the old ones back.
#[must_use = "dropping it undoes what was written"]
pub(super) struct Staged {
    undo: Vec<(PathBuf, Option<Vec<u8>>)>,
}

impl Staged {
    /// The commit stands: the files stay.
    pub fn keep(mut self) {
        self.undo.clear();
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for (path, old) in self.undo.drain(..).rev() {
            // Nobody is left to tell: the error that led here is on its way already.
            let _ = match old {
                Some(bytes) => fsx::write_atomic(&path, &bytes),
                None => fsx::remove_file_opt(&path).map(|_| ()),
            };
        }
    }
}

/// Every work tree that has `branch` checked out, sorted by git directory: the main one and linked ones.
fn work_trees_of(git: &Git, branch: &str) -> Result<Vec<Git>, Error> {
    let common = git.commondir();
    let mut found = Vec::new();
    let main = open_git(common)?;
    if !main.is_bare() && has_checked_out(&main, branch)? {
        found.push(main);
    }
    let names = git.worktrees().during(Doing::Read, common)?;
    for name in names.iter_bytes().map(String::from_utf8_lossy) {
        let opened = git.find_worktree(&name).and_then(|linked| Git::open_from_worktree(&linked));
        match opened {
            Ok(linked) => {
                if has_checked_out(&linked, branch)? {
                    found.push(linked);
                }
            }
            // Its directory is gone or not mounted. What it has checked out stands in our own git directory.
            Err(_) => {
                let head = fsx::read_opt(&common.join("worktrees").join(&*name).join("HEAD"))?.unwrap_or_default();
                if String::from_utf8_lossy(&head).trim() == format!("ref: {branch}") {
                    return Err(Error::WorkTreeGone { branch: short(branch), name: name.into_owned() });
                }
            }
        }
    }
    found.sort_by(|a, b| a.path().cmp(b.path()));
    Ok(found)
}

fn has_checked_out(git: &Git, branch: &str) -> Result<bool, Error> {
    // A rebase detaches HEAD and moves the branch when it is done, over whatever was committed meanwhile.
    for state in ["rebase-merge", "rebase-apply"] {
        let rebased = fsx::read_opt(&git.path().join(state).join("head-name"))?.unwrap_or_default();
        if String::from_utf8_lossy(&rebased).trim() == branch {
            return Err(Error::Rebasing { branch: short(branch), path: top_of(git) });
        }
    }
    let head = head_of(git).during(Doing::Read, git.path())?;
    let Some(head) = head else { return Ok(false) };
    Ok(final_name(git, head).during(Doing::Read, git.path())? == branch)
}

/// A branch's name as people write it.
pub(super) fn short(branch: &str) -> String {
    branch.strip_prefix("refs/heads/").unwrap_or(branch).to_owned()
}

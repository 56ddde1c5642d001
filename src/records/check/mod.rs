//! What a request to merge brings into the records, and whether it may: the rules that need neither keys nor targets.
//!
//! ```text
//! BASE ──┬── … the branch goes on …
//!        └── merge base ──▶ before ──┐
//! HEAD ──────────────────▶ head ─────┴─ changes ─▶ form, versions, environments ─▶ findings
//! ```
//!
//! | file | what lives there |
//! |---|---|
//! | here | the two sides, and going through what differs |
//! | `changes`, `place` | what differs, level by level; what belongs at a path |
//! | `form` | what every file has to be: expected, a plain file, of its schema, canonical, without secrets |
//! | `versions` | what never changes once published; digests and names agree; requirements can be met |
//! | `deltas` | lead from other recorded versions |
//! | `environments` | pins lead to records, serial numbers rise |
//! | `secrets` | what looks like a password, a key or a token |
//! | `lines`, `finding` | where something stands; what was found |
//!
//! Promises: nothing is read but git objects, and of those what differs and what it speaks of; what somebody brings is never
//! believed: a file that cannot be understood is a finding. What follows from one finding is not told as another.
//! Must not know: whose signature counts and who may do what (`ops` joins that), what lies at targets.

mod changes;
mod deltas;
mod environments;
mod finding;
mod form;
mod lines;
mod place;
mod secrets;
mod versions;

use std::collections::BTreeSet;

pub use changes::Changed;
pub use finding::{Finding, Severity};
pub(super) use lines::line_of;
pub use place::Place;

use super::error::Error;
use super::published::Published;
use super::remote::Depth;
use super::repository::Repository;
use super::signatures::SignatureFile;
use super::snapshot::Snapshot;
use crate::model::{ComponentType, EnvironmentName, Version};

/// What somebody asks to merge.
pub struct Request<'r> {
    /// What it is to be merged into; `None` where there is nothing, and all of `head` is new.
    pub base: Option<Snapshot<'r>>,
    /// Where it comes from: the last commit that both have, or the base.
    before: Option<Snapshot<'r>>,
    /// What it brings.
    pub head: Snapshot<'r>,
    /// Every file that it changes, in order of path.
    pub changes: Vec<Changed>,
}

impl Repository {
    /// What `head` would bring into `base`: what it changed since the last commit that both have. Each names a commit, or a
    /// tree; where there is not exactly one such commit, `head` is compared with `base` itself.
    ///
    /// # Errors
    ///
    /// A name of nothing; damaged objects.
    pub fn request(&self, base: Option<&str>, head: &str) -> Result<Request<'_>, Error> {
        let (head, head_commit) = self.named(head)?;
        let named = base.map(|base| self.named(base)).transpose()?;
        let both = match named.as_ref().and_then(|(_, commit)| *commit).zip(head_commit) {
            Some((base, head)) => self.git.merge_bases(base, head).map_or_else(|_| Vec::new(), |ids| ids.to_vec()),
            None => Vec::new(),
        };
        let before = match both[..] {
            [id] => Some(id.to_string()),
            _ => base.map(str::to_owned),
        };
        let before = before.map(|before| self.named(&before)).transpose()?.map(|(before, _)| before);
        let base = named.map(|(base, _)| base);
        let was = before.as_ref().map(Snapshot::records_tree).transpose()?.flatten();
        let is = head.records_tree()?;
        let changes = changes::changes(self, (was.as_ref(), is.as_ref()), self.directory.is_some())?;
        Ok(Request { base, before, head, changes })
    }

    /// The records in a commit or tree, and the commit where it is one.
    fn named(&self, revision: &str) -> Result<(Snapshot<'_>, Option<git2::Oid>), Error> {
        let named = match &self.origin {
            Some(origin) => &origin.revision(&self.git, revision)?,
            None => revision,
        };
        let no_revision = |e: git2::Error| Error::NoRevision {
            revision: revision.to_owned(),
            path: self.root.clone(),
            reason: e.message().to_owned(),
        };
        let object = self.git.revparse_single(named).map_err(no_revision)?;
        if let Ok(commit) = object.peel_to_commit() {
            let id = commit.id();
            return Ok((Snapshot::new(self, Some(commit))?, Some(id)));
        }
        let tree = object.peel_to_tree().map_err(no_revision)?;
        let top = self.tree(tree.id(), Depth::None)?;
        Ok((Snapshot::of_tree(self, tree.id().to_string(), top)?, None))
    }
}

/// Which of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Before,
    Head,
}

impl Request<'_> {
    /// Everything that is wrong with it, in order of file and line.
    ///
    /// # Errors
    ///
    /// Objects that cannot be read.
    pub fn check(&self) -> Result<Vec<Finding>, Error> {
        let mut found = Vec::new();
        for changed in &self.changes {
            form::check(self, changed, &mut found)?;
        }
        for (component, version) in self.versions() {
            versions::check(self, component, version, &mut found)?;
        }
        for changed in &self.changes {
            match &changed.place {
                Place::Environment(name) => environments::check(self, name, changed, &mut found)?,
                Place::Policy => environments::policy(changed, &mut found),
                Place::Heartbeat => environments::heartbeat(self, changed, &mut found)?,
                _ => {}
            }
        }
        found.sort_by(|left, right| (&left.file, left.line).cmp(&(&right.file, right.line)));
        Ok(found)
    }

    /// Every version of which a file is changed.
    pub fn versions(&self) -> BTreeSet<(&ComponentType, &Version)> {
        self.changes.iter().filter_map(|changed| changed.place.version()).collect()
    }

    /// A version as it will be; `None` where it is not there, or not whole and sound, which is told of where it stands.
    ///
    /// # Errors
    ///
    /// Objects that cannot be read.
    pub fn published(&self, component: &ComponentType, version: &Version) -> Result<Option<Published>, Error> {
        match sound(&self.head, component, version)? {
            Some(published) => Ok(Some(published)),
            // The branch has gone on since.
            None => self.base.as_ref().map_or(Ok(None), |base| sound(base, component, version)),
        }
    }

    /// Whether a version is withdrawn, here or meanwhile.
    fn is_yanked(&self, component: &ComponentType, version: &Version) -> Result<bool, Error> {
        let base = self.base.iter();
        base.chain([&self.head]).try_fold(false, |is, side| Ok(is || side.is_yanked(component, version)?))
    }

    /// The bytes of a file before, or at HEAD; `None` where there is no plain file of a length that is read.
    fn read(&self, at: At, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let side = match at {
            At::Before => self.before.as_ref(),
            At::Head => Some(&self.head),
        };
        side.map_or(Ok(None), |side| side.bytes(path))
    }

    /// The bytes of a file at HEAD; `None` where there is no plain file of a length that is read.
    ///
    /// # Errors
    ///
    /// Objects that cannot be read.
    pub fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        self.read(At::Head, path)
    }

    /// The bytes of a file before.
    ///
    /// # Errors
    ///
    /// Objects that cannot be read.
    pub fn bytes_before(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        self.read(At::Before, path)
    }

    /// The signatures of a file at HEAD that can be read; no more than any reader takes.
    ///
    /// # Errors
    ///
    /// Objects that cannot be read.
    pub fn signatures(&self, path: &str) -> Result<Vec<SignatureFile>, Error> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(top) = self.head.records_tree()? else { return Ok(Vec::new()) };
        let tree = match above {
            "" => Some(top),
            above => self.head.tree_in(&top, std::path::Path::new(above), above)?,
        };
        let found = tree.map_or(Ok(Vec::new()), |tree| self.head.signatures(&tree, above, name));
        match found {
            Err(e) if is_about_content(&e) => Ok(Vec::new()),
            other => other,
        }
    }

    /// The name of an environment that pins this version, of those that this request leaves as they are.
    fn pinned_by(&self, component: &ComponentType, version: &Version) -> Result<Option<EnvironmentName>, Error> {
        for name in self.head.environments()? {
            let Some(bytes) = self.bytes(&environments::path(&name))? else { continue };
            let Ok(environment) = crate::model::Environment::parse(&bytes) else { continue };
            if environment.components.get(component).is_some_and(|pin| pin.version == *version) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

fn sound(side: &Snapshot<'_>, component: &ComponentType, version: &Version) -> Result<Option<Published>, Error> {
    match side.get(component, version) {
        Err(e) if is_about_content(&e) => Ok(None),
        other => other,
    }
}

/// Whether somebody has committed it so, and reading would have gone well else.
fn is_about_content(error: &Error) -> bool {
    matches!(
        error,
        Error::WrongKind { .. }
            | Error::TooBig { .. }
            | Error::Schema { .. }
            | Error::RecordMissing { .. }
            | Error::ManifestMissing { .. }
            | Error::ManifestDigest { .. }
            | Error::PackageDiffers { .. }
            | Error::Misplaced { .. }
    )
}

//! Environments: reading those of one commit from git objects, and the change that sets one.

use git2::ObjectType;

use super::ENVIRONMENTS;
use super::change::Change;
use super::error::Error;
use super::signatures::SignatureFile;
use super::snapshot::Snapshot;
use crate::model::{Environment, EnvironmentName, to_canonical_json};

/// An environment as one commit has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// What it says.
    pub environment: Environment,
    /// The committed bytes.
    pub bytes: Vec<u8>,
    /// Their signatures. Those of former bytes may be among them.
    pub signatures: Vec<SignatureFile>,
}

impl Snapshot<'_> {
    /// Every environment there is, sorted by name. Other things in `environments/` are passed over.
    ///
    /// # Errors
    ///
    /// Damaged objects; a file where the directory belongs.
    pub fn environments(&self) -> Result<Vec<EnvironmentName>, Error> {
        let Some(tree) = self.environments_tree()? else { return Ok(Vec::new()) };
        let files = tree.iter().filter(|entry| entry.kind() == Some(ObjectType::Blob));
        let name = |entry: &git2::TreeEntry<'_>| entry.name().ok()?.strip_suffix(".json")?.parse().ok();
        let mut all: Vec<EnvironmentName> = files.filter_map(|entry| name(&entry)).collect();
        all.sort();
        Ok(all)
    }

    /// One environment; `None` where there is no such file. Whether the records have its versions is not asked here.
    ///
    /// # Errors
    ///
    /// A file that is damaged, too long, or no environment.
    pub fn environment(&self, name: &EnvironmentName) -> Result<Option<EnvironmentFile>, Error> {
        let Some(tree) = self.environments_tree()? else { return Ok(None) };
        let file = self.at(&path(name));
        let Some(bytes) = self.blob(&tree, &format!("{name}.json"), &file)? else { return Ok(None) };
        let environment = Environment::parse(&bytes).map_err(|source| Error::Schema { file, source })?;
        let signatures = self.signatures(&tree, ENVIRONMENTS, &format!("{name}.json"))?;
        Ok(Some(EnvironmentFile { environment, bytes, signatures }))
    }

    fn environments_tree(&self) -> Result<Option<git2::Tree<'_>>, Error> {
        let Some(top) = &self.top else { return Ok(None) };
        self.tree_in(top, &self.repository.inside(ENVIRONMENTS), ENVIRONMENTS)
    }
}

/// The path of an environment inside the records directory.
fn path(name: &EnvironmentName) -> String {
    format!("{ENVIRONMENTS}/{name}.json")
}

/// The change that makes environment `name` what `now` says; `before` is what it was made from, `None` for a new one.
/// `subject` and `body` are the commit's message.
pub fn environment_change(
    name: &EnvironmentName,
    before: Option<&EnvironmentFile>,
    now: &Environment,
    (subject, body): (&str, &str),
) -> Change {
    let was = before.map(|file| file.bytes.clone());
    let change = Change::new(subject, body).file(&path(name), was, to_canonical_json(now));
    change.expect("names of environments are safe names")
}

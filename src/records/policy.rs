//! The policy: reading the one of a commit from git objects.

use super::POLICY;
use super::error::Error;
use super::signatures::Signed;
use super::snapshot::Snapshot;
use crate::model::Policy;

/// The policy as one commit has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// What it says.
    pub policy: Policy,
    /// The committed bytes and their signatures.
    pub signed: Signed,
}

impl Snapshot<'_> {
    /// The policy; `None` where there is none. Whether it is to be believed is not asked here.
    ///
    /// # Errors
    ///
    /// A file that is damaged, too long, or no policy.
    pub fn policy(&self) -> Result<Option<PolicyFile>, Error> {
        let Some(tree) = self.records_tree()? else { return Ok(None) };
        let file = self.at(POLICY);
        let Some(bytes) = self.blob(&tree, POLICY, &file)? else { return Ok(None) };
        let policy = Policy::parse(&bytes).map_err(|source| Error::Schema { file, source })?;
        let signatures = self.signatures(&tree, "", POLICY)?;
        Ok(Some(PolicyFile { policy, signed: Signed { bytes, signatures } }))
    }
}

//! The heartbeat: reading the one of a commit from git objects, and the change that renews it.

use super::HEARTBEAT;
use super::change::Change;
use super::error::Error;
use super::signatures::Signed;
use super::snapshot::Snapshot;
use crate::model::{Heartbeat, to_canonical_json};

/// The heartbeat as one commit has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatFile {
    /// What it says.
    pub heartbeat: Heartbeat,
    /// The committed bytes and their signatures. Those of former bytes may be among them.
    pub signed: Signed,
}

impl Snapshot<'_> {
    /// The heartbeat; `None` where there is none. Whether it is to be believed is not asked here.
    ///
    /// # Errors
    ///
    /// A file that is damaged, too long, or no heartbeat.
    pub fn heartbeat(&self) -> Result<Option<HeartbeatFile>, Error> {
        let Some(tree) = self.records_tree()? else { return Ok(None) };
        let file = self.at(HEARTBEAT);
        let Some(bytes) = self.blob(&tree, HEARTBEAT, &file)? else { return Ok(None) };
        let heartbeat = Heartbeat::parse(&bytes).map_err(|source| Error::Schema { file, source })?;
        let signatures = self.signatures(&tree, "", HEARTBEAT)?;
        Ok(Some(HeartbeatFile { heartbeat, signed: Signed { bytes, signatures } }))
    }
}

/// The change that makes the heartbeat what `now` says; `before` is the one it comes after.
pub fn heartbeat_change(before: Option<&HeartbeatFile>, now: &Heartbeat) -> Change {
    let was = before.map(|file| file.signed.bytes.clone());
    let change = Change::new("heartbeat", &format!("Serial: {}", now.serial));
    change.file(HEARTBEAT, was, to_canonical_json(now)).expect("its name is a safe name")
}

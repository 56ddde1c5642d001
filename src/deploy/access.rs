//! Who may write in a root: nobody but its owner, unless that is allowed. Whoever can rename a link in it, or put a directory
//! of theirs in the place of one of ours, decides what the applications of this host run.

use std::path::Path;

use super::Error;
use crate::fsx;

/// Whether a root may be written by others than the user who works in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// It may not.
    Refused,
    /// It may, as the configuration says.
    Allowed,
}

/// Refuses a directory of a root that group or others may write to, or that is neither this user's nor the system's. One with the
/// sticky bit is everybody's to add to and nobody's to change; a group that only this user is in is no others. One that is
/// not there yet is nobody's.
pub(super) fn check(root: &Path, dir: &Path) -> Result<(), Error> {
    const STICKY: u32 = 0o1000;
    let Some(stat) = fsx::inspect_followed(dir)? else { return Ok(()) };
    if stat.uid != fsx::user() && stat.uid != 0 {
        return Err(Error::OwnedByOther {
            root: root.to_owned(),
            path: dir.to_owned(),
            owner: fsx::user_name(stat.uid),
        });
    }
    let by_all = stat.mode & 0o002 != 0;
    let by_group = stat.mode & 0o020 != 0 && stat.gid != 0 && !fsx::is_private_group(stat.gid);
    if stat.mode & STICKY == 0 && (by_all || by_group) {
        return Err(Error::OthersMayWrite {
            root: root.to_owned(),
            path: dir.to_owned(),
            mode: stat.mode,
            group: (!by_all).then(|| fsx::group_name(stat.gid)),
        });
    }
    Ok(())
}

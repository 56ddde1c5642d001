//! Who may read what a filesystem target holds: the permission bits and the group of published files and their folders.

use std::path::Path;

use super::Result;
use crate::fsx;

/// What published files and their folders are given; nothing where neither is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Access {
    /// The permission bits of files.
    pub mode: Option<u32>,
    /// The number of the group.
    pub group: Option<u32>,
}

impl Access {
    /// Gives them to a file of ours.
    pub fn file(self, path: &Path) -> Result<()> {
        if let Some(group) = self.group {
            fsx::set_group(path, group)?;
        }
        Ok(self.mode.map_or(Ok(()), |mode| fsx::set_mode(path, mode))?)
    }

    /// Gives them to a folder if it is ours and has others: who may read files may search it, and its owner may write it.
    /// A folder of another user is that user's business.
    pub fn folder(self, path: &Path) -> Result<()> {
        let Some(stat) = fsx::inspect_followed(path)?.filter(|stat| stat.uid == fsx::user()) else { return Ok(()) };
        if let Some(group) = self.group.filter(|group| *group != stat.gid) {
            fsx::set_group(path, group)?;
        }
        // The special bits stay: setgid on a shared folder is there for a purpose.
        let wanted = self.mode.map(|mode| stat.mode & 0o7000 | searchable(mode));
        Ok(wanted.filter(|mode| *mode != stat.mode).map_or(Ok(()), |mode| fsx::set_mode(path, mode))?)
    }
}

/// The bits of a folder for files of these bits.
fn searchable(mode: u32) -> u32 {
    mode | (mode & 0o444) >> 2 | 0o700
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_read_may_search() {
        for (file, folder) in [(0o644, 0o755), (0o640, 0o750), (0o664, 0o775), (0o400, 0o700), (0o444, 0o755)] {
            assert_eq!(searchable(file), folder, "{file:o}");
        }
    }
}

//! Reaching many entries of one tree, most of which are beside the one before.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Dir, Result};

/// The directory that one thread worked in last stays open: the next entry is mostly in it too. What is reached stays
/// beneath the tree's top, as [`Dir::below`] has it.
#[derive(Debug)]
pub struct Hand<'d> {
    top: &'d Dir,
    last: Option<(Vec<u8>, Dir)>,
}

impl<'d> Hand<'d> {
    /// A hand for the tree below `top`.
    pub fn new(top: &'d Dir) -> Self {
        Self { top, last: None }
    }

    /// The directory that the entry at `path` is in, and the entry's name there. `path` is relative, with one `/` between
    /// names.
    pub fn place<'h, 'p: 'h>(&'h mut self, path: &'p [u8]) -> Result<(&'h Dir, &'h OsStr)> {
        let Some(slash) = path.iter().rposition(|b| *b == b'/') else {
            return Ok((self.top, OsStr::from_bytes(path)));
        };
        let (above, name) = (&path[..slash], OsStr::from_bytes(&path[slash + 1..]));
        if self.last.as_ref().is_none_or(|(known, _)| known != above) {
            self.last = Some((above.to_vec(), self.top.below(Path::new(OsStr::from_bytes(above)))?));
        }
        Ok((self.last.as_ref().map_or(self.top, |(_, dir)| dir), name))
    }
}

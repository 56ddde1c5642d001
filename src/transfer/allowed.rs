//! Which locations of a record this host reads.
//!
//! A location is an unsigned hint: a record may come from anybody who can open a pull request. So a path in it is read
//! only below the directory of a filesystem target that the host configured, or, if relative, inside the records
//! repository. The check is of the text: a path with `..` is refused, wherever it would lead. Symbolic links below an
//! allowed directory are followed, since moving a folder to another disk that way is common: whoever may make links in
//! the directory could have put the bytes there as well, and bytes are used by their digest only. They are kept aside
//! for inspection, readable as the directory for that is.

use std::path::{Component, Path, PathBuf};

use crate::model::{Location, Place};
use crate::target::{Filesystem, is_file_name};

/// Why a location is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not below any configured filesystem target.
    #[error("location `{name}`: `{}` is in no configured filesystem target", path.display())]
    Outside {
        /// The location's name.
        name: String,
        /// Its path.
        path: PathBuf,
    },
    /// The path has `..` in it.
    #[error("location `{name}`: `{}` climbs with `..`", path.display())]
    Climbs {
        /// The location's name.
        name: String,
        /// Its path.
        path: PathBuf,
    },
    /// A relative path, and there is no work tree of a records repository for it to start from.
    #[error("location `{name}`: `{}` is relative and there is no work tree it could be in", path.display())]
    NoWorkTree {
        /// The location's name.
        name: String,
        /// Its path.
        path: PathBuf,
    },
    /// The package's file name is more, or less, than a name.
    #[error("location `{name}`: `{file}` is not a file name")]
    FileName {
        /// The location's name.
        name: String,
        /// The file name.
        file: String,
    },
    /// A kind of place this build does not read.
    #[error("location `{name}`: places of type `{kind}` are not known")]
    Kind {
        /// The location's name.
        name: String,
        /// Its kind.
        kind: String,
    },
}

/// The file that holds the package `file` at `location`, if the host's configuration allows to read it: below one of
/// `targets`, or, for a relative location, below `records`, the top of the records repository's work tree.
///
/// # Errors
///
/// Why not.
pub fn allowed(
    location: &Location,
    file: &str,
    targets: &[Filesystem],
    records: Option<&Path>,
) -> Result<PathBuf, Refused> {
    let name = || location.name.clone();
    let place = match &location.place {
        Place::Filesystem(place) => place,
        Place::Other(_) => return Err(Refused::Kind { name: name(), kind: location.place.kind().to_owned() }),
    };
    if !is_file_name(file) {
        return Err(Refused::FileName { name: name(), file: file.to_owned() });
    }
    let path = Path::new(&place.path);
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(Refused::Climbs { name: name(), path: path.to_owned() });
    }
    if path.is_relative() {
        let top = records.ok_or_else(|| Refused::NoWorkTree { name: name(), path: path.to_owned() })?;
        return Ok(top.join(path).join(file));
    }
    if !targets.iter().any(|target| path.starts_with(target.path())) {
        return Err(Refused::Outside { name: name(), path: path.to_owned() });
    }
    Ok(path.join(file))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{FilesystemKind, FilesystemPlace};

    fn check(path: &str, file: &str) -> Result<PathBuf, Refused> {
        let place = FilesystemPlace { kind: FilesystemKind::Filesystem, path: path.to_owned(), url: None };
        let location = Location { name: "local".to_owned(), place: Place::Filesystem(place) };
        let target = Filesystem::new("t", Path::new("/data/packages")).expect("absolute");
        allowed(&location, file, &[target], Some(Path::new("/repo")))
    }

    #[test]
    fn only_below_a_target_or_inside_the_records_repository() {
        assert_eq!(check("/data/packages/model/1/", "m.tar"), Ok("/data/packages/model/1/m.tar".into()));
        assert_eq!(check("/data//packages/./model/", "m.tar"), Ok("/data/packages/model/m.tar".into()));
        assert_eq!(check("packages/model/1/", "m.tar"), Ok("/repo/packages/model/1/m.tar".into()));
        let refused = |path, file| check(path, file).expect_err("refused");
        assert!(matches!(refused("/etc/", "passwd"), Refused::Outside { .. }));
        assert!(matches!(refused("/data/packages-of-another/", "m.tar"), Refused::Outside { .. }));
        assert!(matches!(refused("/data/packages/../../etc/", "passwd"), Refused::Climbs { .. }));
        assert!(matches!(refused("packages/../../etc/", "passwd"), Refused::Climbs { .. }));
        assert!(matches!(refused("/data/packages/", "../../etc/passwd"), Refused::FileName { .. }));
        assert!(matches!(refused("/data/packages/", "/etc/passwd"), Refused::FileName { .. }));
    }

    #[test]
    fn relative_places_need_a_work_tree_and_unknown_kinds_are_named() {
        let place = FilesystemPlace { kind: FilesystemKind::Filesystem, path: "packages/".to_owned(), url: None };
        let mut location = Location { name: "local".to_owned(), place: Place::Filesystem(place) };
        assert!(matches!(allowed(&location, "m", &[], None), Err(Refused::NoWorkTree { .. })));
        let fields = [("type".to_owned(), "gopher".into())];
        location.place = Place::Other(fields.into_iter().collect());
        let refused = allowed(&location, "m", &[], None).expect_err("refused");
        assert_eq!(refused, Refused::Kind { name: "local".to_owned(), kind: "gopher".to_owned() });
    }

    proptest! {
        #[test]
        fn what_is_allowed_stays_below(path in "[/.ab]{0,12}|/data/packages[/.ab]{0,12}", file in "[/.ab]{0,6}") {
            if let Ok(found) = check(&path, &file) {
                prop_assert!(found.starts_with("/data/packages") || found.starts_with("/repo"));
                prop_assert!(found.components().all(|part| part != Component::ParentDir));
            }
        }
    }
}

//! Which locations of a record this host reads, and through which target.
//!
//! A location is an unsigned hint: a record may come from anybody who can open a pull request. One that lies in a
//! configured target is read through it, with its login. Any other is read without a login; a directory not at all, since
//! that would read files of this host that nobody published.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::Source;
use crate::model::{Location, Place};
use crate::target::{self, Target, Wanted, is_file_name};

/// Why a location is not read.
#[derive(Debug, thiserror::Error)]
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
    /// A place that makes no target.
    #[error("location `{name}`: {reason}")]
    Place {
        /// The location's name.
        name: String,
        /// Why not.
        reason: Box<target::Error>,
    },
    /// The configured target of this name cannot be used.
    #[error("location `{name}`: {reason}")]
    Broken {
        /// The location's name.
        name: String,
        /// Why not.
        reason: Arc<target::Error>,
    },
}

impl Refused {
    /// The location's name.
    pub fn name(&self) -> &str {
        match self {
            Refused::Outside { name, .. }
            | Refused::Climbs { name, .. }
            | Refused::NoWorkTree { name, .. }
            | Refused::FileName { name, .. }
            | Refused::Kind { name, .. }
            | Refused::Place { name, .. }
            | Refused::Broken { name, .. } => name,
        }
    }
}

/// The targets of this host's configuration.
#[derive(Debug, Default)]
pub struct Targets {
    /// Those that can be used, in order.
    pub usable: Vec<Arc<dyn Target>>,
    /// Those that cannot, by name, and why.
    pub broken: BTreeMap<String, Arc<target::Error>>,
}

/// Makes a target without a login for a place of that name.
pub type Anonymous<'a> = &'a dyn Fn(&str, &Place) -> target::Result<Option<Arc<dyn Target>>>;

/// The source that `location` is for `wanted`: in one of `targets`, in their order, or without a login. One that is called
/// like a target that cannot be used is not read without that target's login.
///
/// # Errors
///
/// Why it is not read.
pub fn source(
    location: &Location,
    wanted: Wanted<'_>,
    targets: &Targets,
    anonymous: Anonymous<'_>,
) -> Result<Source, Refused> {
    let name = || location.name.clone();
    if !is_file_name(wanted.file) {
        return Err(Refused::FileName { name: name(), file: wanted.file.to_owned() });
    }
    let known =
        targets.usable.iter().find_map(|target| Some((target.clone(), target.locate(&location.place, wanted)?)));
    if let Some((target, key)) = known {
        return Ok(Source { name: name(), target, key });
    }
    if let Some(reason) = targets.broken.get(&location.name) {
        return Err(Refused::Broken { name: name(), reason: reason.clone() });
    }
    if let Place::Filesystem(place) = &location.place {
        let path = Path::new(&place.path);
        return Err(match path {
            _ if path.components().any(|part| part == Component::ParentDir) => {
                Refused::Climbs { name: name(), path: path.to_owned() }
            }
            _ if path.is_relative() => Refused::NoWorkTree { name: name(), path: path.to_owned() },
            _ => Refused::Outside { name: name(), path: path.to_owned() },
        });
    }
    let target = anonymous(&location.name, &location.place)
        .map_err(|reason| Refused::Place { name: name(), reason: Box::new(reason) })?;
    let found = target.and_then(|target| Some((target.locate(&location.place, wanted)?, target)));
    match found {
        Some((key, target)) => Ok(Source { name: name(), target, key }),
        None => Err(Refused::Kind { name: name(), kind: location.place.kind().to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{FilesystemPlace, Sha256};
    use crate::target::Filesystem;

    fn check(path: &str, file: &str) -> Result<PathBuf, Refused> {
        let place = FilesystemPlace { path: path.to_owned(), url: None, extra: Default::default() };
        let location = Location { name: "local".to_owned(), place: Place::Filesystem(place) };
        let target = Filesystem::new("t", Path::new("/data/packages")).expect("absolute");
        let target: Arc<dyn Target> = Arc::new(target.with_records(Path::new("/repo"), false));
        let wanted = Wanted { file, sha256: Sha256::of(b"") };
        let targets = Targets { usable: vec![target], broken: BTreeMap::new() };
        source(&location, wanted, &targets, &|_, _| Ok(None)).map(|source| source.key.into())
    }

    #[test]
    fn only_below_a_target_or_inside_the_records_repository() {
        let allowed = |path, file| check(path, file).expect("allowed");
        assert_eq!(allowed("/data/packages/model/1/", "m.tar"), Path::new("/data/packages/model/1/m.tar"));
        assert_eq!(allowed("/data//packages/./model/", "m.tar"), Path::new("/data/packages/model/m.tar"));
        assert_eq!(allowed("packages/model/1/", "m.tar"), Path::new("/repo/packages/model/1/m.tar"));
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
        let place = FilesystemPlace { path: "packages/".to_owned(), url: None, extra: Default::default() };
        let mut location = Location { name: "local".to_owned(), place: Place::Filesystem(place) };
        let wanted = Wanted { file: "m", sha256: Sha256::of(b"") };
        let refused =
            |location: &Location| source(location, wanted, &Targets::default(), &|_, _| Ok(None)).expect_err("refused");
        assert!(matches!(refused(&location), Refused::NoWorkTree { .. }));
        let fields = [("type".to_owned(), "gopher".into())];
        location.place = Place::Other(fields.into_iter().collect());
        let refused = refused(&location);
        assert!(matches!(refused, Refused::Kind { name, kind } if name == "local" && kind == "gopher"));
    }

    #[test]
    fn who_has_the_name_of_a_broken_target_is_not_read_without_its_login() {
        let place = FilesystemPlace { path: "/data/packages/".to_owned(), url: None, extra: Default::default() };
        let location = Location { name: "local".to_owned(), place: Place::Filesystem(place) };
        let wanted = Wanted { file: "m", sha256: Sha256::of(b"") };
        let why = || Arc::new(target::Error::NoList { target: "local".to_owned() });
        let mut targets = Targets { broken: BTreeMap::from([("local".to_owned(), why())]), ..Targets::default() };
        let anonymous = |_: &str, _: &Place| panic!("nobody asks for one");
        let refused = source(&location, wanted, &targets, &anonymous).expect_err("refused");
        assert!(matches!(refused, Refused::Broken { name, .. } if name == "local"));
        // Another target that has it is as good.
        targets.usable.push(Arc::new(Filesystem::new("other", Path::new("/data")).expect("absolute")));
        assert!(source(&location, wanted, &targets, &anonymous).is_ok());
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

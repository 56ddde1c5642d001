//! Uploading one version to several targets at once.

use std::panic::resume_unwind;
use std::sync::Arc;

use super::UploadError;
use crate::target::{self, Parcel, Placed, Target};

/// What came of one target.
#[derive(Debug)]
pub struct Uploaded {
    /// The target's name.
    pub name: String,
    /// Where the package lies there, or why it does not.
    pub outcome: target::Result<Placed>,
}

/// Puts `parcel` on all `targets` at once, a thread each (the first to read the package brings it into the page cache
/// for the others). Says of each, in the order given, what came of it.
///
/// # Errors
///
/// [`UploadError::TooFew`] where fewer than `required` hold it at the end; those that do keep it, and a later upload finds
/// it there.
pub fn upload(
    targets: &[Arc<dyn Target>],
    parcel: &Parcel<'_>,
    required: usize,
    told: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Uploaded>, UploadError> {
    let results: Vec<Uploaded> = std::thread::scope(|scope| {
        let running: Vec<_> = targets.iter().map(|target| scope.spawn(|| target.put(parcel, told))).collect();
        let finished = running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        targets
            .iter()
            .zip(finished)
            .map(|(target, outcome)| Uploaded { name: target.name().to_owned(), outcome })
            .collect()
    });
    let held = results.iter().filter(|uploaded| uploaded.outcome.is_ok()).count();
    if held >= required {
        return Ok(results);
    }
    let failures = results.into_iter().filter_map(|uploaded| Some((uploaded.name, uploaded.outcome.err()?))).collect();
    Err(UploadError::TooFew { held, required, failures })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsx;
    use crate::model::Sha256;
    use crate::target::{Disk, Filesystem, Upload};

    #[test]
    fn each_target_is_reported_and_enough_must_hold_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let source = dir.path().join("m.tar");
        fsx::write_new(&source, b"package").expect("written");
        // A file where the second target's directory should be.
        fsx::write_new(&dir.path().join("b"), b"").expect("written");
        let target = |name: &str| -> Arc<dyn Target> {
            Arc::new(Filesystem::new(name, &dir.path().join(name)).expect("absolute"))
        };
        let targets = [target("a"), target("b"), target("c")];
        let content = Disk::open(&source).expect("there");
        let parcel = Parcel {
            component: &"model".parse().expect("a type"),
            version: &"1.0.0".parse().expect("a version"),
            package: Upload { file: "m.tar", content: &content, sha256: Sha256::of(b"package"), size: 7 },
            beside: &[],
            unfinished: None,
        };
        let results = upload(&targets, &parcel, 2, &|_| {}).expect("two hold it");
        let names: Vec<_> = results.iter().map(|uploaded| (uploaded.name.as_str(), uploaded.outcome.is_ok())).collect();
        assert_eq!(names, [("a", true), ("b", false), ("c", true)]);
        assert_eq!(fsx::read(&dir.path().join("c/model/1.0.0/m.tar")).expect("there"), b"package");
        match upload(&targets, &parcel, 3, &|_| {}) {
            Err(UploadError::TooFew { held: 2, required: 3, failures }) => {
                assert_eq!(failures.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["b"]);
            }
            other => panic!("{other:?}"),
        }
    }
}

//! Uploading one version to several targets at once.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::UploadError;
use super::retry;
use super::together::Group;
use crate::target::{self, Error, Fault, Parcel, Placed, Target, Upload};

/// The wait after the first failure.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What came of one target.
#[derive(Debug)]
pub struct Uploaded {
    /// The target's name.
    pub name: String,
    /// Where the package lies there, or why it does not.
    pub outcome: target::Result<Placed>,
}

/// Puts `parcel` on all `targets` at once, a thread each; the package is read from the disk once for all of them. What
/// fails for a reason that passes is tried again after a while. Says of each target, in the order given, what came of it;
/// then of those that are `broken` and were not asked.
///
/// # Errors
///
/// [`UploadError::TooFew`] where fewer than `required` hold it at the end; those that do keep it, and a later upload finds
/// it there.
pub fn upload(
    targets: &[Arc<dyn Target>],
    broken: Vec<(String, Error)>,
    parcel: &Parcel<'_>,
    required: usize,
    told: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Uploaded>, UploadError> {
    let mut results = put_all(targets, parcel, FIRST_WAIT, told);
    results.extend(broken.into_iter().map(|(name, error)| Uploaded { name, outcome: Err(error) }));
    let held = results.iter().filter(|uploaded| uploaded.outcome.is_ok()).count();
    if held >= required {
        return Ok(results);
    }
    let failures = results.into_iter().filter_map(|uploaded| Some((uploaded.name, uploaded.outcome.err()?))).collect();
    Err(UploadError::TooFew { held, required, failures })
}

fn put_all(
    targets: &[Arc<dyn Target>],
    parcel: &Parcel<'_>,
    first_wait: Duration,
    told: &(dyn Fn(u64) + Sync),
) -> Vec<Uploaded> {
    let group = Group::new(parcel.package.content, parcel.package.size);
    let members: Vec<_> = targets.iter().map(|_| group.join()).collect();
    thread::scope(|scope| {
        let running: Vec<_> = targets
            .iter()
            .zip(members)
            .map(|(target, member)| {
                scope.spawn(move || {
                    let package = Upload { content: &member, ..parcel.package };
                    put(target.as_ref(), &Parcel { package, ..*parcel }, first_wait, told)
                })
            })
            .collect();
        let finished = running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        targets
            .iter()
            .zip(finished)
            .map(|(target, outcome)| Uploaded { name: target.name().to_owned(), outcome })
            .collect()
    })
}

/// Puts the parcel on one target, again and again while the reason it fails for may pass. Each time goes on where the last
/// one stopped, as far as the target can.
fn put(
    target: &dyn Target,
    parcel: &Parcel<'_>,
    first_wait: Duration,
    told: &(dyn Fn(u64) + Sync),
) -> target::Result<Placed> {
    let mut failures = 0;
    loop {
        let error = match target.put(parcel, told) {
            Err(error) if error.is_passing() => error,
            outcome => return outcome,
        };
        failures += 1;
        let asked = match &error {
            Error::Remote { fault: Fault::Busy { retry_after, .. }, .. } => *retry_after,
            _ => None,
        };
        // The hasher's keys are random, which is as much as a wait needs.
        let random = RandomState::new().build_hasher().finish();
        match retry::pause(first_wait, failures, asked, random) {
            Some(wait) => thread::sleep(wait),
            None => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::path::Path;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::fsx;
    use crate::model::{ComponentType, Place, Sha256, Version};
    use crate::target::{Content, Disk, Doing, Filesystem, Listed, Reading, Wanted};

    struct Bench {
        dir: tempfile::TempDir,
        component: ComponentType,
        version: Version,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let component = "model".parse().expect("a type");
            Self { dir, component, version: "1.0.0".parse().expect("a version") }
        }

        fn path(&self, sub: &str) -> std::path::PathBuf {
            self.dir.path().join(sub)
        }

        fn target(&self, name: &str) -> Arc<dyn Target> {
            Arc::new(Filesystem::new(name, &self.path(name)).expect("absolute"))
        }

        fn parcel<'a>(&'a self, content: &'a dyn Content, bytes: &[u8]) -> Parcel<'a> {
            let package = Upload { file: "m.tar", content, sha256: Sha256::of(bytes), size: bytes.len() as u64 };
            Parcel {
                component: &self.component,
                version: &self.version,
                package,
                beside: &[],
                unfinished: None,
                checked: &|| Ok(()),
            }
        }
    }

    fn outcomes(results: &[Uploaded]) -> Vec<(&str, bool)> {
        results.iter().map(|uploaded| (uploaded.name.as_str(), uploaded.outcome.is_ok())).collect()
    }

    #[test]
    fn each_target_is_reported_and_enough_must_hold_it() {
        let bench = Bench::new();
        fsx::write_new(&bench.path("m.tar"), b"package").expect("written");
        // A file where the second target's directory should be.
        fsx::write_new(&bench.path("b"), b"").expect("written");
        let targets = ["a", "b", "c"].map(|name| bench.target(name));
        let content = Disk::open(&bench.path("m.tar")).expect("there");
        let parcel = bench.parcel(&content, b"package");
        let results = upload(&targets, Vec::new(), &parcel, 2, &|_| {}).expect("two hold it");
        assert_eq!(outcomes(&results), [("a", true), ("b", false), ("c", true)]);
        assert_eq!(fsx::read(&bench.path("c/model/1.0.0/m.tar")).expect("there"), b"package");
        match upload(&targets, Vec::new(), &parcel, 3, &|_| {}) {
            Err(UploadError::TooFew { held: 2, required: 3, failures }) => {
                assert_eq!(failures.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["b"]);
            }
            other => panic!("{other:?}"),
        }
    }

    /// A file that counts how many bytes are read from it.
    struct Counting(Disk, AtomicU64);

    impl Content for Counting {
        fn read_at(&self, offset: u64, out: &mut [u8]) -> fsx::Result<()> {
            self.1.fetch_add(out.len() as u64, Ordering::Relaxed);
            self.0.read_at(offset, out)
        }

        fn path(&self) -> &Path {
            self.0.path()
        }
    }

    #[test]
    fn the_package_is_read_once_for_all_targets() {
        let bench = Bench::new();
        let bytes: Vec<u8> = (0..30_000_000u32).map(|n| (n >> 8) as u8).collect();
        fsx::write_new(&bench.path("m.tar"), &bytes).expect("written");
        let targets = ["a", "b", "c"].map(|name| bench.target(name));
        let content = Counting(Disk::open(&bench.path("m.tar")).expect("there"), AtomicU64::new(0));
        let told = AtomicU64::new(0);
        let count = |more| {
            told.fetch_add(more, Ordering::Relaxed);
        };
        upload(&targets, Vec::new(), &bench.parcel(&content, &bytes), 3, &count).expect("all hold it");
        assert_eq!(content.1.load(Ordering::Relaxed), bytes.len() as u64);
        assert_eq!(told.load(Ordering::Relaxed), 3 * bytes.len() as u64);
        assert!(fsx::read(&bench.path("c/model/1.0.0/m.tar")).expect("there") == bytes);
    }

    /// Fails a number of times before it does what the target behind it does.
    #[derive(Debug)]
    struct Flaky {
        behind: Arc<dyn Target>,
        faults: Mutex<Vec<Fault>>,
    }

    impl Target for Flaky {
        fn name(&self) -> &str {
            self.behind.name()
        }

        fn shown(&self, key: &str) -> String {
            self.behind.shown(key)
        }

        fn locate(&self, place: &Place, wanted: Wanted<'_>) -> Option<String> {
            self.behind.locate(place, wanted)
        }

        fn size(&self, key: &str) -> target::Result<Option<u64>> {
            self.behind.size(key)
        }

        fn read(&self, key: &str, range: Option<Range<u64>>) -> target::Result<Reading> {
            self.behind.read(key, range)
        }

        fn put(&self, parcel: &Parcel<'_>, told: &(dyn Fn(u64) + Sync)) -> target::Result<Placed> {
            match self.faults.lock().expect("unpoisoned").pop() {
                None => self.behind.put(parcel, told),
                Some(fault) => {
                    parcel.package.content.read_at(0, &mut [0; 3])?;
                    let target = self.name().to_owned();
                    Err(Error::Remote { target, doing: Doing::Write, place: "x".to_owned(), fault })
                }
            }
        }

        fn list(&self, prefix: &str) -> target::Result<Vec<Listed>> {
            self.behind.list(prefix)
        }

        fn delete(&self, key: &str) -> target::Result<()> {
            self.behind.delete(key)
        }

        fn presign(&self, key: &str, expires: Duration) -> target::Result<Option<String>> {
            self.behind.presign(key, expires)
        }
    }

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_is_not() {
        let bench = Bench::new();
        fsx::write_new(&bench.path("m.tar"), b"package").expect("written");
        let flaky = |name: &str, faults: Vec<Fault>| -> Arc<dyn Target> {
            Arc::new(Flaky { behind: bench.target(name), faults: Mutex::new(faults) })
        };
        let busy = || Fault::Busy { status: 503, retry_after: Some(Duration::ZERO) };
        let targets = [
            flaky("a", vec![busy(), busy(), busy()]),
            flaky("b", vec![Fault::Denied { status: 403 }]),
            flaky("c", std::iter::repeat_with(busy).take(50).collect()),
        ];
        let content = Disk::open(&bench.path("m.tar")).expect("there");
        let results = put_all(&targets, &bench.parcel(&content, b"package"), Duration::ZERO, &|_| {});
        assert_eq!(outcomes(&results), [("a", true), ("b", false), ("c", false)]);
        assert_eq!(fsx::read(&bench.path("a/model/1.0.0/m.tar")).expect("there"), b"package");
    }
}

//! A directory as a target: local, or mounted from elsewhere.
//!
//! ```text
//! <path>/<type>/<version>/<file>                          the seed's path: package and manifest, whoever came first
//! <path>/<type>/<version>/<first 16 of sha256>/<file>     where other bytes stand at the path above
//! <path>/<type>/<version>/.<file>.<process>-<n>.tmp       being written; left behind by a killed publisher
//! ```
//!
//! The package decides the folder. It takes the seed's path if that is free (by a rename that replaces nothing) or holds
//! the same bytes already; else the whole set goes to the folder named by the package's digest. A manifest or index that
//! finds other bytes under its name next to an equal package (the same tree packed at another time) goes to a folder
//! named by its own digest there.
//!
//! What reading back proves: before a file gets its name it is flushed, opened again and hashed, so the file system has
//! taken and gives these bytes; a short write, a lying network or FUSE file system, or a source that changed meanwhile are
//! found. It may be answered from the page cache, so it does not prove what the medium will give after a power cycle:
//! that is what digests in git are for.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{Error, Parcel, Result, Upload, is_file_name};
use crate::fsx::{self, Action, FileKind};
use crate::model::Sha256;

/// A filesystem target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    name: String,
    path: PathBuf,
}

/// Where a `put` placed a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The folder that holds the package.
    pub dir: PathBuf,
    /// Whether every file was there before, with the same bytes.
    pub already_there: bool,
    /// What the publisher should know.
    pub warnings: Vec<Warning>,
}

/// What does not stop a publication and should not be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Every user of the machine may write the directory, and so replace what was published. (Deploying would refuse the
    /// replacement, by its digest.)
    WorldWritable {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Nothing,
    Same,
    Other,
}

/// What came of placing a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    New,
    WasThere,
    Taken,
}

impl Filesystem {
    /// The target `name` at the absolute `path`, which may not exist yet; `..` in it is resolved.
    ///
    /// # Errors
    ///
    /// [`Error::Relative`], [`Error::NotText`]; what stands before a `..` does not exist.
    pub fn new(name: &str, path: &Path) -> Result<Self> {
        if !path.is_absolute() {
            return Err(Error::Relative { name: name.to_owned(), path: path.to_owned() });
        }
        let path = fsx::without_parents(path)?;
        if path.to_str().is_none() {
            return Err(Error::NotText { name: name.to_owned(), path });
        }
        Ok(Self { name: name.to_owned(), path })
    }

    /// The target's name in configuration and records.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The target's directory, without `..`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the files of one version here. Each is copied to a temporary name, flushed, read back and hashed, and
    /// renamed to its own; after `Ok` they survive a power cut. A crash leaves whole files or none under the names
    /// above, and the same `put` goes on from there.
    pub fn put(&self, parcel: &Parcel<'_>) -> Result<Placed> {
        let names = parcel.beside.iter().chain([&parcel.package]);
        if let Some(bad) = names.map(|upload| upload.file).find(|name| !is_file_name(name)) {
            return Err(Error::FileName { file: bad.to_owned() });
        }
        let plain = self.path.join(parcel.component.as_str()).join(parcel.version.as_str());
        fsx::create_dir_all(&plain)?;
        let (dir, package_new) = if self.is_of_another_set(&plain, parcel)? {
            place_aside(&plain, &parcel.package)?
        } else {
            place_or_aside(&plain, &parcel.package)?
        };
        let mut already_there = !package_new;
        for upload in parcel.beside {
            let (_, new) = place_or_aside(&dir, upload)?;
            already_there &= !new;
        }
        let warnings = self.warnings(&dir)?;
        Ok(Placed { dir, already_there, warnings })
    }

    /// Whether the folder has no package of this name, and beside it something of another one.
    fn is_of_another_set(&self, plain: &Path, parcel: &Parcel<'_>) -> Result<bool> {
        if standing(plain, &parcel.package)? != Standing::Nothing {
            return Ok(false);
        }
        for upload in parcel.beside {
            if standing(plain, upload)? == Standing::Other {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn warnings(&self, dir: &Path) -> Result<Vec<Warning>> {
        let mut warnings = Vec::new();
        for path in dir.ancestors().take_while(|path| path.starts_with(&self.path)) {
            if let Some(stat) = fsx::inspect_followed(path)?.filter(|stat| stat.mode & 0o002 != 0) {
                warnings.push(Warning::WorldWritable { path: path.to_owned(), mode: stat.mode });
            }
        }
        Ok(warnings)
    }
}

/// Places a file in `dir`, or, where other bytes stand there, in the folder named by its digest. Says where it is now and
/// whether it is new.
fn place_or_aside(dir: &Path, upload: &Upload<'_>) -> Result<(PathBuf, bool)> {
    match place(dir, upload)? {
        Outcome::Taken => place_aside(dir, upload),
        outcome => Ok((dir.to_owned(), outcome == Outcome::New)),
    }
}

fn place_aside(dir: &Path, upload: &Upload<'_>) -> Result<(PathBuf, bool)> {
    let aside = dir.join(upload.sha256.short());
    fsx::create_dir_all(&aside)?;
    match place(&aside, upload)? {
        Outcome::Taken => Err(Error::Taken { path: aside.join(upload.file) }),
        outcome => Ok((aside, outcome == Outcome::New)),
    }
}

/// Places a file in `dir` unless something is there.
fn place(dir: &Path, upload: &Upload<'_>) -> Result<Outcome> {
    let path = dir.join(upload.file);
    let outcome = match standing(dir, upload)? {
        Standing::Other => return Ok(Outcome::Taken),
        Standing::Same => Outcome::WasThere,
        Standing::Nothing => {
            let (temporary, file) = fsx::create_beside(&path)?;
            let filled = fill(&temporary, file, upload, &path);
            match filled.and_then(|()| Ok(fsx::rename_new(&temporary, &path)?)) {
                Ok(()) => Outcome::New,
                Err(error) => {
                    fsx::remove_file_opt(&temporary)?;
                    match error {
                        // Another publisher was faster.
                        Error::Io(e) if e.is_exists() => match standing(dir, upload)? {
                            Standing::Same => Outcome::WasThere,
                            Standing::Nothing | Standing::Other => return Ok(Outcome::Taken),
                        },
                        error => return Err(error),
                    }
                }
            }
        }
    };
    // Also for what was there: whoever placed it may not have come to flushing yet.
    fsx::flush_dir(dir)?;
    Ok(outcome)
}

/// Copies the source into the temporary file, flushes it and checks what comes back.
fn fill(temporary: &Path, mut file: File, upload: &Upload<'_>, path: &Path) -> Result<()> {
    let mut source = fsx::open(upload.source)?;
    io::copy(&mut source, &mut file).map_err(|e| fsx::Error::new(Action::Write, temporary, e))?;
    fsx::flush_file(&file, temporary)?;
    drop(file);
    let expected = upload.sha256;
    let found = digest(temporary)?;
    if found == expected {
        return Ok(());
    }
    match digest(upload.source)? {
        source if source == expected => Err(Error::ReadBack { path: path.to_owned(), expected, found }),
        found => Err(Error::Source { path: upload.source.to_owned(), expected, found }),
    }
}

fn standing(dir: &Path, upload: &Upload<'_>) -> Result<Standing> {
    let path = dir.join(upload.file);
    let Some(stat) = fsx::inspect_followed(&path)? else { return Ok(Standing::Nothing) };
    let same = stat.kind == FileKind::File && stat.size == upload.size && digest(&path)? == upload.sha256;
    Ok(if same { Standing::Same } else { Standing::Other })
}

fn digest(path: &Path) -> fsx::Result<Sha256> {
    let hashed = Sha256::of_reader(fsx::open(path)?);
    hashed.map(|(sha256, _)| sha256).map_err(|e| fsx::Error::new(Action::Read, path, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ComponentType, Version};

    struct Bench {
        dir: tempfile::TempDir,
        component: ComponentType,
        version: Version,
    }

    /// Package and manifest of one publisher.
    struct Set {
        package: PathBuf,
        manifest: PathBuf,
        bytes: [Vec<u8>; 2],
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let component = "model".parse().expect("a type");
            Self { dir, component, version: "1.0.0".parse().expect("a version") }
        }

        fn target(&self) -> Filesystem {
            Filesystem::new("local", &self.dir.path().join("packages")).expect("absolute")
        }

        fn set(&self, name: &str, package: &[u8], manifest: &[u8]) -> Set {
            let path = |kind: &str| self.dir.path().join(format!("{name}.{kind}"));
            let set =
                Set { package: path("tar"), manifest: path("json"), bytes: [package.to_vec(), manifest.to_vec()] };
            fsx::write_new(&set.package, package).expect("written");
            fsx::write_new(&set.manifest, manifest).expect("written");
            set
        }

        fn put(&self, set: &Set, file: &str) -> Result<Placed> {
            let [package, manifest] = &set.bytes;
            let upload = |file, source, bytes: &[u8]| Upload {
                file,
                source,
                sha256: Sha256::of(bytes),
                size: bytes.len() as u64,
            };
            let beside = [upload("manifest.json", set.manifest.as_path(), manifest)];
            let package = upload(file, set.package.as_path(), package);
            self.target().put(&Parcel { component: &self.component, version: &self.version, package, beside: &beside })
        }

        /// Every file below the target, with its bytes.
        fn files(&self) -> Vec<(String, Vec<u8>)> {
            let top = self.dir.path().join("packages/model/1.0.0");
            let mut found = Vec::new();
            let mut waiting = vec![top.clone()];
            while let Some(dir) = waiting.pop() {
                for entry in fsx::list(&dir).expect("listed") {
                    let path = dir.join(entry.name);
                    if entry.kind == FileKind::Directory {
                        waiting.push(path);
                    } else {
                        let name = path.strip_prefix(&top).expect("below").to_string_lossy().into_owned();
                        found.push((name, fsx::read(&path).expect("readable")));
                    }
                }
            }
            found.sort();
            found
        }
    }

    #[test]
    fn first_at_the_seeds_path_then_by_digest_and_again_is_nothing() {
        let bench = Bench::new();
        let first = bench.set("a", b"package a", b"manifest a");
        let other = bench.set("b", b"package b", b"manifest b");
        let plain = bench.dir.path().join("packages/model/1.0.0");
        let placed = bench.put(&first, "m.tar").expect("placed");
        assert_eq!((placed.dir.as_path(), placed.already_there), (plain.as_path(), false));
        let placed = bench.put(&other, "m.tar").expect("placed");
        let aside = plain.join(Sha256::of(b"package b").short());
        assert_eq!((placed.dir.as_path(), placed.already_there), (aside.as_path(), false));
        let before = bench.files();
        assert_eq!(before.len(), 4);
        for (set, dir) in [(&first, &plain), (&other, &aside)] {
            let placed = bench.put(set, "m.tar").expect("placed again");
            assert_eq!((&placed.dir, placed.already_there), (dir, true));
        }
        assert_eq!(bench.files(), before);
    }

    #[test]
    fn a_set_goes_on_where_a_crash_stopped_it() {
        let bench = Bench::new();
        let set = bench.set("a", b"package", b"manifest");
        bench.put(&set, "m.tar").expect("placed");
        fsx::remove_file(&bench.dir.path().join("packages/model/1.0.0/manifest.json")).expect("removed");
        let placed = bench.put(&set, "m.tar").expect("placed");
        assert!(!placed.already_there);
        let names: Vec<_> = bench.files().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["m.tar", "manifest.json"]);
    }

    #[test]
    fn another_manifest_of_equal_bytes_is_kept_aside_and_of_another_package_moves_the_set() {
        let bench = Bench::new();
        bench.put(&bench.set("a", b"package", b"monday"), "m.tar").expect("placed");
        let again = bench.put(&bench.set("b", b"package", b"tuesday"), "m.tar").expect("placed");
        assert_eq!(again.dir, bench.dir.path().join("packages/model/1.0.0"));
        let tuesday = format!("{}/manifest.json", Sha256::of(b"tuesday").short());
        assert!(bench.files().contains(&(tuesday, b"tuesday".to_vec())));
        let zst = bench.put(&bench.set("c", b"zst package", b"zst"), "m.tar.zst").expect("placed");
        assert!(zst.dir.ends_with(Sha256::of(b"zst package").short()));
        assert_eq!(fsx::read(&zst.dir.join("manifest.json")).expect("beside it"), b"zst");
    }

    #[test]
    fn eight_publishers_at_once_all_land_and_none_is_mixed() {
        let bench = Bench::new();
        let sets: Vec<_> = (0..8u8).map(|n| bench.set(&n.to_string(), &vec![n; 200_000], &[b'm', n])).collect();
        let barrier = std::sync::Barrier::new(sets.len());
        std::thread::scope(|scope| {
            for set in &sets {
                let (bench, barrier) = (&bench, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let placed = bench.put(set, "m.tar").expect("placed");
                    assert_eq!(fsx::read(&placed.dir.join("m.tar")).expect("there"), set.bytes[0]);
                    assert_eq!(fsx::read(&placed.dir.join("manifest.json")).expect("there"), set.bytes[1]);
                });
            }
        });
        let files = bench.files();
        assert_eq!(files.len(), 16, "no temporary file is left: {files:?}");
        assert!(files.iter().any(|(name, _)| name == "m.tar"), "one has the seed's path");
    }

    #[test]
    fn a_source_that_is_not_what_was_announced_is_refused_and_leaves_nothing() {
        let bench = Bench::new();
        let mut set = bench.set("a", b"package", b"manifest");
        set.bytes[0] = b"promise".to_vec();
        match bench.put(&set, "m.tar") {
            Err(Error::Source { path, found, .. }) => {
                assert_eq!((path, found), (set.package.clone(), Sha256::of(b"package")));
            }
            other => panic!("{other:?}"),
        }
        assert!(bench.files().is_empty());
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let bench = Bench::new();
        let set = bench.set("a", b"package", b"manifest");
        for name in ["../m.tar", "a/b", "", ".."] {
            assert!(matches!(bench.put(&set, name), Err(Error::FileName { .. })), "{name}");
        }
        assert!(matches!(Filesystem::new("x", Path::new("packages")), Err(Error::Relative { .. })));
    }

    #[test]
    fn garbage_in_the_digests_folder_is_not_overwritten() {
        let bench = Bench::new();
        let set = bench.set("a", b"package", b"manifest");
        let plain = bench.dir.path().join("packages/model/1.0.0");
        let aside = plain.join(Sha256::of(b"package").short());
        fsx::create_dir_all(&aside).expect("made");
        fsx::write_new(&plain.join("m.tar"), b"other").expect("written");
        fsx::write_new(&aside.join("m.tar"), b"garbage").expect("written");
        assert!(matches!(bench.put(&set, "m.tar"), Err(Error::Taken { path }) if path == aside.join("m.tar")));
        assert_eq!(fsx::read(&aside.join("m.tar")).expect("there"), b"garbage");
    }

    #[test]
    fn a_directory_that_the_world_may_write_is_warned_about() {
        let bench = Bench::new();
        let packages = bench.dir.path().join("packages");
        fsx::create_dir_all(&packages.join("model")).expect("made");
        fsx::set_mode(&packages.join("model"), 0o755).expect("set");
        fsx::set_mode(&packages, 0o777).expect("set");
        let placed = bench.put(&bench.set("a", b"package", b"manifest"), "m.tar").expect("placed");
        assert_eq!(placed.warnings, [Warning::WorldWritable { path: packages, mode: 0o777 }]);
    }
}

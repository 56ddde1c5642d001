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
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use sha2::Digest as _;

use super::access::Access;
use super::{Error, Listed, Parcel, Placed, Reading, Result, Setting, Target, Upload, Wanted, Warning, is_file_name};
use crate::fsx::{self, Action, FileKind};
use crate::model::{Place, Sha256};

/// What is copied at once.
const BUFFER: usize = 1 << 20;

/// A filesystem target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    name: String,
    path: PathBuf,
    records: Option<PathBuf>,
    relative: bool,
    mode: Option<u32>,
    group: Option<String>,
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
        Ok(Self { name: name.to_owned(), path, records: None, relative: false, mode: None, group: None })
    }

    /// Reads places that are relative to `records`, the top of the records repository's work tree, and, if
    /// `relative`, names its own places so where they are in there.
    pub fn with_records(mut self, records: &Path, relative: bool) -> Self {
        self.records = Some(records.to_owned());
        self.relative = relative;
        self
    }

    /// Gives published files these permission bits, and files and folders to this group, by name or number.
    pub fn with_access(mut self, mode: Option<u32>, group: Option<String>) -> Self {
        self.mode = mode;
        self.group = group;
        self
    }

    fn access(&self) -> Result<Access> {
        let number = |group: &String| {
            let reason = Setting::Group(group.clone());
            fsx::group(group).ok_or_else(|| Error::Settings { target: self.name.clone(), reason })
        };
        Ok(Access { mode: self.mode, group: self.group.as_ref().map(number).transpose()? })
    }

    /// Makes a folder of this target. The target's own directory is left as it is where it exists.
    fn folder(&self, dir: &Path, access: Access) -> Result<()> {
        let top_is_new = fsx::inspect_followed(&self.path)?.is_none();
        fsx::create_dir_all(dir)?;
        let ours = |path: &&Path| path.starts_with(&self.path) && (top_is_new || *path != self.path);
        dir.ancestors().take_while(ours).try_for_each(|path| access.folder(path))
    }

    /// The target's directory, without `..`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Each file is copied to a temporary name, flushed, read back and hashed, and renamed to its own; after `Ok` they
    /// survive a power cut. A crash leaves whole files or none under the names above.
    fn place(&self, parcel: &Parcel<'_>, told: &(dyn Fn(u64) + Sync)) -> Result<Placed> {
        let names = parcel.beside.iter().chain([&parcel.package]);
        if let Some(bad) = names.map(|upload| upload.file).find(|name| !is_file_name(name)) {
            return Err(Error::FileName { file: bad.to_owned() });
        }
        (parcel.checked)()?;
        let plain = self.path.join(parcel.component.as_str()).join(parcel.version.as_str());
        let access = self.access()?;
        self.folder(&plain, access)?;
        let (dir, package_new) = if self.is_of_another_set(&plain, parcel)? {
            place_aside(&plain, &parcel.package, access, told)?
        } else {
            place_or_aside(&plain, &parcel.package, access, told)?
        };
        let mut already_there = !package_new;
        for upload in parcel.beside {
            let (_, new) = place_or_aside(&dir, upload, access, told)?;
            already_there &= !new;
        }
        let warnings = self.warnings(&dir)?;
        let records = self.records.as_deref().filter(|_| self.relative);
        let place = super::location::place(&dir, parcel.package.file, records)?;
        Ok(Placed { place: Place::Filesystem(place), already_there, warnings })
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

impl Target for Filesystem {
    fn name(&self) -> &str {
        &self.name
    }

    fn shown(&self, key: &str) -> String {
        key.to_owned()
    }

    /// A key is the file's path. The check is of the text: a path with `..` is in no target, wherever it would lead.
    /// Symbolic links below the directory are followed, since moving a folder to another disk that way is common: whoever
    /// may make links there could have put the bytes there as well, and bytes are used by their digest only.
    fn locate(&self, place: &Place, wanted: Wanted<'_>) -> Option<String> {
        let Place::Filesystem(place) = place else { return None };
        let path = Path::new(&place.path);
        let climbs = path.components().any(|part| part == Component::ParentDir);
        if climbs || !is_file_name(wanted.file) {
            return None;
        }
        let dir = match path.is_relative() {
            true => self.records.as_ref()?.join(path),
            false => path.starts_with(&self.path).then(|| path.to_owned())?,
        };
        dir.join(wanted.file).into_os_string().into_string().ok()
    }

    fn size(&self, key: &str) -> Result<Option<u64>> {
        let stat = fsx::inspect_followed(Path::new(key))?;
        Ok(stat.filter(|stat| stat.kind == FileKind::File).map(|stat| stat.size))
    }

    fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Reading> {
        let path = Path::new(key);
        let Some(size) = self.size(key)? else { return Err(Error::NoFile { path: path.to_owned() }) };
        let mut file = fsx::open(path)?;
        let range = range.unwrap_or(0..u64::MAX);
        file.seek(SeekFrom::Start(range.start)).map_err(|e| fsx::Error::new(Action::Read, path, e))?;
        let body = Box::new(file.take(range.end - range.start));
        Ok(Reading { start: range.start, total: Some(size), body })
    }

    fn is_local(&self) -> bool {
        true
    }

    fn put(&self, parcel: &Parcel<'_>, told: &(dyn Fn(u64) + Sync)) -> Result<Placed> {
        self.place(parcel, told)
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let mut found = Vec::new();
        let mut waiting = vec![self.path.clone()];
        while let Some(dir) = waiting.pop() {
            for entry in fsx::list(&dir)? {
                let path = dir.join(&entry.name);
                match (entry.kind, path.to_str()) {
                    (FileKind::Directory, _) => waiting.push(path),
                    (FileKind::File, Some(key)) if key.starts_with(prefix) && !is_temporary(&path) => {
                        let size = fsx::inspect(&path)?.map_or(0, |stat| stat.size);
                        found.push(Listed { key: key.to_owned(), size });
                    }
                    _ => {}
                }
            }
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    fn delete(&self, key: &str) -> Result<()> {
        let path = Path::new(key);
        fsx::remove_file_opt(path)?;
        Ok(path.parent().map_or(Ok(()), fsx::flush_dir)?)
    }

    fn presign(&self, key: &str, _: Duration) -> Result<Option<String>> {
        Ok(Some(super::location::file_url(Path::new(key))))
    }

    fn place_beside(&self, key: &str, file: &str) -> Option<Place> {
        let records = self.records.as_deref().filter(|_| self.relative);
        let place = super::location::place(Path::new(key).parent()?, file, records);
        place.ok().map(Place::Filesystem)
    }
}

/// Whether it is being written.
fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') && name.ends_with(".tmp")
}

/// Places a file in `dir`, or, where other bytes stand there, in the folder named by its digest. Says where it is now and
/// whether it is new.
fn place_or_aside(
    dir: &Path,
    upload: &Upload<'_>,
    access: Access,
    told: &(dyn Fn(u64) + Sync),
) -> Result<(PathBuf, bool)> {
    match place(dir, upload, access, told)? {
        Outcome::Taken => place_aside(dir, upload, access, told),
        outcome => Ok((dir.to_owned(), outcome == Outcome::New)),
    }
}

fn place_aside(
    dir: &Path,
    upload: &Upload<'_>,
    access: Access,
    told: &(dyn Fn(u64) + Sync),
) -> Result<(PathBuf, bool)> {
    let aside = dir.join(upload.sha256.short());
    fsx::create_dir_all(&aside)?;
    access.folder(&aside)?;
    match place(&aside, upload, access, told)? {
        Outcome::Taken => Err(Error::Taken { place: aside.join(upload.file).display().to_string() }),
        outcome => Ok((aside, outcome == Outcome::New)),
    }
}

/// Places a file in `dir` unless something is there.
fn place(dir: &Path, upload: &Upload<'_>, access: Access, told: &(dyn Fn(u64) + Sync)) -> Result<Outcome> {
    let path = dir.join(upload.file);
    let outcome = match standing(dir, upload)? {
        Standing::Other => return Ok(Outcome::Taken),
        Standing::Same => Outcome::WasThere,
        Standing::Nothing => {
            let (temporary, file) = fsx::create_beside(&path)?;
            // Before the first byte: nobody reads meanwhile who may not read later.
            let filled = access.file(&temporary).and_then(|()| fill(&temporary, file, upload, &path, told));
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

/// Copies the content into the temporary file, flushes it and checks what comes back.
fn fill(temporary: &Path, file: File, upload: &Upload<'_>, path: &Path, told: &(dyn Fn(u64) + Sync)) -> Result<()> {
    read_in_parts(upload, |offset, part| {
        fsx::write_all_at(&file, temporary, part, offset)?;
        told(part.len() as u64);
        Ok(())
    })?;
    fsx::flush_file(&file, temporary)?;
    drop(file);
    let expected = upload.sha256;
    let found = digest(temporary)?;
    if found == expected {
        return Ok(());
    }
    let mut hasher = sha2::Sha256::new();
    read_in_parts(upload, |_, part| {
        hasher.update(part);
        Ok(())
    })?;
    match Sha256::from_bytes(hasher.finalize().into()) {
        source if source == expected => Err(Error::ReadBack { place: path.display().to_string(), expected, found }),
        found => Err(Error::Source { path: upload.content.path().to_owned(), expected, found }),
    }
}

fn read_in_parts(upload: &Upload<'_>, mut take: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = vec![0; BUFFER.min(usize::try_from(upload.size).unwrap_or(BUFFER))];
    let mut at = 0;
    while at < upload.size {
        let length = buffer.len().min(usize::try_from(upload.size - at).unwrap_or(usize::MAX));
        let part = &mut buffer[..length];
        upload.content.read_at(at, part)?;
        take(at, part)?;
        at += length as u64;
    }
    Ok(())
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
    use super::super::Disk;
    use super::*;
    use crate::model::{ComponentType, Version};

    fn dir(placed: &Placed) -> PathBuf {
        match &placed.place {
            Place::Filesystem(place) => Path::new(&place.path).components().collect(),
            other => panic!("{other:?}"),
        }
    }

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
            self.put_on(&self.target(), set, file)
        }

        fn put_on(&self, target: &Filesystem, set: &Set, file: &str) -> Result<Placed> {
            let [package, manifest] = &set.bytes;
            fn upload<'a>(file: &'a str, content: &'a Disk, bytes: &[u8]) -> Upload<'a> {
                Upload { file, content, sha256: Sha256::of(bytes), size: bytes.len() as u64 }
            }
            let disk = [&set.package, &set.manifest].map(|path| Disk::open(path).expect("there"));
            let beside = [upload("manifest.json", &disk[1], manifest)];
            let package = upload(file, &disk[0], package);
            let parcel = Parcel {
                component: &self.component,
                version: &self.version,
                package,
                beside: &beside,
                unfinished: None,
                checked: &|| Ok(()),
            };
            target.put(&parcel, &|_| {})
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
        assert_eq!((dir(&placed).as_path(), placed.already_there), (plain.as_path(), false));
        let placed = bench.put(&other, "m.tar").expect("placed");
        let aside = plain.join(Sha256::of(b"package b").short());
        assert_eq!((dir(&placed).as_path(), placed.already_there), (aside.as_path(), false));
        let before = bench.files();
        assert_eq!(before.len(), 4);
        for (set, dir) in [(&first, &plain), (&other, &aside)] {
            let placed = bench.put(set, "m.tar").expect("placed again");
            assert_eq!((&self::dir(&placed), placed.already_there), (dir, true));
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
        assert_eq!(dir(&again), bench.dir.path().join("packages/model/1.0.0"));
        let tuesday = format!("{}/manifest.json", Sha256::of(b"tuesday").short());
        assert!(bench.files().contains(&(tuesday, b"tuesday".to_vec())));
        let zst = bench.put(&bench.set("c", b"zst package", b"zst"), "m.tar.zst").expect("placed");
        assert!(dir(&zst).ends_with(Sha256::of(b"zst package").short()));
        assert_eq!(fsx::read(&dir(&zst).join("manifest.json")).expect("beside it"), b"zst");
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
                    assert_eq!(fsx::read(&dir(&placed).join("m.tar")).expect("there"), set.bytes[0]);
                    assert_eq!(fsx::read(&dir(&placed).join("manifest.json")).expect("there"), set.bytes[1]);
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
        assert!(
            matches!(bench.put(&set, "m.tar"), Err(Error::Taken { place }) if Path::new(&place) == aside.join("m.tar"))
        );
        assert_eq!(fsx::read(&aside.join("m.tar")).expect("there"), b"garbage");
    }

    #[test]
    fn files_and_folders_get_the_configured_mode_and_group_and_what_was_there_keeps_its_own() {
        let bench = Bench::new();
        let packages = bench.dir.path().join("packages");
        fsx::create_dir_all(&packages).expect("made");
        fsx::set_mode(&packages, 0o2711).expect("set");
        let own = fsx::inspect(&packages).expect("readable").expect("there").gid;
        // Only root may give a file to a group it is not in.
        let group = if fsx::user() == 0 { 4242 } else { own };
        let target = bench.target().with_access(Some(0o640), Some(group.to_string()));
        for set in [bench.set("a", b"package a", b"manifest a"), bench.set("b", b"package b", b"manifest b")] {
            bench.put_on(&target, &set, "m.tar").expect("placed");
        }
        let is = |path: &str| {
            let stat = fsx::inspect(&packages.join(path)).expect("readable").expect("there");
            (stat.mode & 0o777, stat.gid)
        };
        let aside = format!("model/1.0.0/{}", Sha256::of(b"package b").short());
        for folder in ["model", "model/1.0.0", aside.as_str()] {
            assert_eq!(is(folder), (0o750, group), "{folder}");
        }
        for file in ["model/1.0.0/m.tar".to_owned(), "model/1.0.0/manifest.json".to_owned(), format!("{aside}/m.tar")] {
            assert_eq!(is(&file), (0o640, group), "{file}");
        }
        assert_eq!(is(""), (0o711, own));
        let target = bench.target().with_access(None, Some("no-such-group".to_owned()));
        match bench.put_on(&target, &bench.set("c", b"package c", b"manifest c"), "m.tar") {
            Err(Error::Settings { reason, .. }) => assert_eq!(reason, Setting::Group("no-such-group".to_owned())),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn from_a_listed_manifest_its_package_is_found() {
        let bench = Bench::new();
        let placed = bench.put(&bench.set("a", b"package", b"manifest"), "m.tar").expect("placed");
        let target = bench.target();
        let listed = target.list("").expect("listed");
        let names: Vec<_> = listed.iter().map(|file| file.key.rsplit('/').next().unwrap_or_default()).collect();
        assert_eq!(names, ["m.tar", "manifest.json"]);
        assert_eq!(target.place_beside(&listed[1].key, "m.tar"), Some(placed.place.clone()));
        let key = target.locate(&placed.place, Wanted { file: "m.tar", sha256: Sha256::of(b"package") });
        assert_eq!(key.as_deref(), Some(listed[0].key.as_str()));
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

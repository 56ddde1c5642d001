//! The files of one version: what never changes once published, what they say of each other, and what they need.

use super::finding::Finding;
use super::lines::{first_difference, line_of};
use super::{At, Request, deltas};
use crate::model::{ComponentType, Location, Manifest, Place, Record, Sha256, Version};
use crate::records::change::only_adds;
use crate::records::error::Error;
use crate::records::{MANIFEST, PACKAGES, RECORD, YANKED};

/// The kinds of places whose fields are known.
const KINDS: [&str; 7] = ["filesystem", "s3", "bos", "gcs", "azure", "http", "oci"];

/// One file on both sides.
struct File {
    path: String,
    was: Option<Vec<u8>>,
    is: Option<Vec<u8>>,
}

impl File {
    fn read(request: &Request<'_>, path: String) -> Result<Self, Error> {
        let (was, is) = (request.read(At::Before, &path)?, request.read(At::Head, &path)?);
        Ok(Self { path, was, is })
    }

    fn is_changed(&self) -> bool {
        self.was != self.is
    }
}

pub(super) fn check(
    request: &Request<'_>,
    component: &ComponentType,
    version: &Version,
    found: &mut Vec<Finding>,
) -> Result<(), Error> {
    let file = |name: &str| File::read(request, format!("{PACKAGES}/{component}/{version}/{name}"));
    let (manifest, record, yank) = (file(MANIFEST)?, file(RECORD)?, file(YANKED)?);
    let belongs = (component, version);
    self::yank(request, belongs, &yank, found)?;
    let gone: Vec<_> =
        [&manifest, &record].into_iter().filter(|file| file.was.is_some() && file.is.is_none()).collect();
    for file in &gone {
        if !request.changes.iter().any(|changed| changed.path == file.path && changed.is.is_some()) {
            found.push(Finding::error("deleted", &file.path, 1).with("version", format!("{component}@{version}")));
        }
    }
    if !gone.is_empty() {
        return Ok(());
    }
    let (Some(manifest_bytes), Some(record_bytes)) = (&manifest.is, &record.is) else {
        let (there, lacks) = match (&manifest.is, &record.is) {
            (Some(_), _) => (manifest.path, RECORD),
            (_, Some(_)) => (record.path, MANIFEST),
            (None, None) if yank.is.is_some() => (yank.path, RECORD),
            // What is only signed is told of there.
            (None, None) => return Ok(()),
        };
        // What cannot be read there is told of already.
        if !request.changes.iter().any(|changed| changed.path.ends_with(&format!("{component}/{version}/{lacks}"))) {
            found.push(Finding::error("incomplete", &there, 1).with("lacks", lacks));
        }
        return Ok(());
    };
    let (Ok(says), Ok(record_says)) = (Manifest::parse(manifest_bytes), Record::parse(record_bytes)) else {
        return Ok(());
    };
    let misplaced = [
        misplaced(belongs, &manifest, manifest_bytes, (&says.component.kind, &says.component.version)),
        misplaced(belongs, &record, record_bytes, (&record_says.component.kind, &record_says.component.version)),
    ];
    if misplaced.iter().any(Option::is_some) {
        found.extend(misplaced.into_iter().flatten());
        return Ok(());
    }
    if manifest.is_changed() {
        if let Some(was) = &manifest.was {
            let (line, _) = first_difference(was, manifest_bytes);
            let finding = Finding::error("manifest-changed", &manifest.path, line);
            found.push(finding.with("version", format!("{component}@{version}")));
            return Ok(());
        }
        names(&manifest.path, manifest_bytes, &says, found);
        requirements(request, &manifest.path, manifest_bytes, &says, found)?;
    }
    if record.is_changed() {
        if let Some(Ok(was)) = record.was.as_deref().map(Record::parse)
            && let Some(finding) = changed(&record, record_bytes, &was, &record_says)
        {
            found.push(finding);
            return Ok(());
        }
        for (number, location) in record_says.locations.iter().enumerate() {
            found.extend(location_of(&record.path, record_bytes, number, location));
        }
        deltas::check(request, belongs, (&record.path, record_bytes), (&says, &record_says), found)?;
    }
    agreement(&record, record_bytes, manifest_bytes, (&says, &record_says), found);
    Ok(())
}

fn yank(
    request: &Request<'_>,
    (component, version): (&ComponentType, &Version),
    yank: &File,
    found: &mut Vec<Finding>,
) -> Result<(), Error> {
    match (&yank.was, &yank.is) {
        (Some(was), Some(is)) if was != is => {
            found.push(Finding::error("yank-changed", &yank.path, first_difference(was, is).0));
        }
        (Some(_), None) => {
            found.push(
                Finding::warning("yank-removed", &yank.path, 1).with("version", format!("{component}@{version}")),
            );
        }
        (None, Some(_)) => {
            if let Some(name) = request.pinned_by(component, version)? {
                let finding = Finding::warning("yank-pinned", &yank.path, 1).with("environment", name);
                found.push(finding.with("version", format!("{component}@{version}")));
            }
        }
        _ => {}
    }
    Ok(())
}

fn misplaced(
    (component, version): (&ComponentType, &Version),
    file: &File,
    bytes: &[u8],
    (kind, says): (&ComponentType, &Version),
) -> Option<Finding> {
    let member = match (kind == component, says == version) {
        (true, true) => return None,
        (false, _) => "type",
        (true, false) => "version",
    };
    let finding = Finding::error("misplaced", &file.path, line_of(bytes, &["component", member]));
    Some(finding.with("says", format!("{kind}@{says}")).with("belongs", format!("{component}@{version}")))
}

/// Names of files are names and no paths: they are put behind whatever a location says.
fn names(path: &str, bytes: &[u8], manifest: &Manifest, found: &mut Vec<Finding>) {
    let index = manifest.index.as_ref().map(|index| ("index", &index.file));
    for (member, name) in [("package", &manifest.package.file)].into_iter().chain(index) {
        if !is_file_name(name) {
            found.push(Finding::error("file-name", path, line_of(bytes, &[member, "file"])).with("name", name));
        }
    }
}

pub(super) fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

/// Each requirement can be met by a version that is recorded and not withdrawn.
fn requirements(
    request: &Request<'_>,
    path: &str,
    bytes: &[u8],
    manifest: &Manifest,
    found: &mut Vec<Finding>,
) -> Result<(), Error> {
    for (number, need) in manifest.dependencies.iter().enumerate() {
        let mut is_met = false;
        for side in [Some(&request.head), request.base.as_ref()].into_iter().flatten() {
            for version in side.versions(&need.kind)?.into_iter().rev() {
                let fits = version.to_semver().is_some_and(|version| need.version.matches(&version));
                is_met = is_met || fits && !request.is_yanked(&need.kind, &version)?;
            }
        }
        if !is_met {
            let line = line_of(bytes, &["dependencies", &number.to_string()]);
            let finding = Finding::error("dependency-missing", path, line).with("component", &need.kind);
            found.push(finding.with("version", &need.version));
        }
    }
    Ok(())
}

/// What of a record is not what it was, though it may only grow.
fn changed(record: &File, bytes: &[u8], was: &Record, is: &Record) -> Option<Finding> {
    if only_adds(was, is) {
        return None;
    }
    if let Some((number, gone)) = was.locations.iter().enumerate().find(|(_, old)| !is.locations.contains(old)) {
        // Where it stood, or where another of its name stands.
        let number = is.locations.iter().position(|location| location.name == gone.name).unwrap_or(number);
        let line = line_of(bytes, &["locations", &number.to_string()]);
        return Some(Finding::error("location-removed", &record.path, line).with("name", &gone.name));
    }
    if let Some((number, gone)) = was.deltas.iter().enumerate().find(|(_, old)| !is.deltas.contains(old)) {
        let number = is.deltas.iter().position(|delta| delta.from == gone.from).unwrap_or(number);
        let line = line_of(bytes, &["deltas", &number.to_string()]);
        return Some(Finding::error("delta-removed", &record.path, line).with("from", &gone.from));
    }
    let member = match () {
        () if was.manifest != is.manifest => "manifest",
        () if was.package != is.package => "package",
        () if was.published_at != is.published_at => "published_at",
        () if was.schema != is.schema => "schema",
        () => was.extra.iter().find(|(name, value)| is.extra.get(*name) != Some(value)).map_or("", |(name, _)| name),
    };
    let line = line_of(bytes, &[member]);
    Some(Finding::error("record-changed", &record.path, line).with("member", member))
}

fn location_of(path: &str, bytes: &[u8], number: usize, location: &Location) -> Option<Finding> {
    let bad = match &location.place {
        Place::Other(_) => KINDS.contains(&location.place.kind()),
        Place::Filesystem(place) => place.path.split('/').any(|name| name == ".."),
        _ => false,
    };
    let line = || line_of(bytes, &["locations", &number.to_string()]);
    let finding = || Finding::error("location-malformed", path, line()).with("name", &location.name);
    bad.then(|| finding().with("kind", location.place.kind()))
}

/// What record and manifest say of the same things.
fn agreement(
    record: &File,
    bytes: &[u8],
    manifest_bytes: &[u8],
    (manifest, says): (&Manifest, &Record),
    found: &mut Vec<Finding>,
) {
    let sha256 = Sha256::of(manifest_bytes);
    match &says.manifest {
        Some(pinned) if pinned.sha256 != sha256 => {
            let line = line_of(bytes, &["manifest", "sha256"]);
            let finding = Finding::error("manifest-digest", &record.path, line).with("pinned", pinned.sha256);
            found.push(finding.with("found", sha256));
        }
        None if record.is_changed() => found.push(Finding::warning("unpinned", &record.path, 1)),
        _ => {}
    }
    let named = &manifest.package;
    let differs = says.package.as_ref().and_then(|package| match () {
        () if package.file != named.file => Some(&["package", "file"][..]),
        () if package.size != named.size => Some(&["package", "size"]),
        () if package.checksum != named.checksum => Some(&["package", "checksum", "value"]),
        () => None,
    });
    if let Some(member) = differs {
        let finding = Finding::error("package-differs", &record.path, line_of(bytes, member));
        found.push(finding.with("member", member.join(".")));
    }
}

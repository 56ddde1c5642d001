//! What every file has to be, whatever it says: one that belongs there, plain, of its schema, canonical, without secrets.

use super::changes::Changed;
use super::finding::Finding;
use super::lines::first_difference;
use super::place::Place;
use super::{At, Request, secrets};
use crate::model::{Environment, Heartbeat, Manifest, Policy, Record, SchemaError, Yank, to_canonical_json};
use crate::records::error::{Context as _, Doing, Error};
use crate::records::{published, signatures};

/// The most of a line that a message repeats.
const SHOWN: usize = 80;

pub(super) fn check(request: &Request<'_>, changed: &Changed, found: &mut Vec<Finding>) -> Result<(), Error> {
    let Some(is) = changed.is else { return Ok(()) };
    let path = changed.path.as_str();
    if changed.place == Place::Nothing {
        found.push(Finding::error("unexpected-file", path, 1));
        return Ok(());
    }
    if !is.is_file() {
        found.push(Finding::error("not-a-file", path, 1));
        return Ok(());
    }
    if is.is_executable() {
        found.push(Finding::error("executable", path, 1));
    }
    let repository = request.head.repository;
    repository.bring(&[is.id], crate::records::remote::Depth::None)?;
    let header = repository.git.odb().and_then(|odb| odb.read_header(is.id));
    let size = header.during(Doing::Read, &repository.root)?.0 as u64;
    let limit = match changed.place {
        Place::Signature(_) => signatures::MAX_BYTES,
        _ => published::MAX_BYTES,
    };
    if size > limit {
        found.push(Finding::error("too-large", path, 1).with("size", size).with("limit", limit));
        return Ok(());
    }
    if let (Place::Signature(_), Some((signed, _))) = (&changed.place, path.rsplit_once(".sigs/"))
        && request.head.is_nothing(signed)?
    {
        let lacks = signed.rsplit('/').next().unwrap_or_default();
        found.push(Finding::error("incomplete", path, 1).with("lacks", lacks));
    }
    let Some(bytes) = request.bytes(path)? else { return Ok(()) };
    let before = request.read(At::Before, path)?.unwrap_or_default();
    secrets::check(path, &bytes, &before, matches!(changed.place, Place::Signature(_)), found);
    match canonical(&changed.place, &bytes) {
        None => {}
        Some(Ok(canonical)) if canonical == bytes => {}
        Some(Ok(canonical)) => {
            let (line, expected) = first_difference(&bytes, &canonical);
            let expected: String = String::from_utf8_lossy(expected).chars().take(SHOWN).collect();
            found.push(Finding::error("not-canonical", path, line).with("expected", expected));
        }
        Some(Err(SchemaError::Newer { found: schema })) => {
            let line = super::lines::line_of(&bytes, &["schema"]);
            found.push(Finding::error("newer-schema", path, line).with("schema", schema));
        }
        Some(Err(SchemaError::Json(reason))) => {
            let line = reason.line().max(1);
            found.push(Finding::error("malformed", path, line).with("reason", reason));
        }
    }
    Ok(())
}

/// The one spelling of what a file says; `None` for files that have no schema.
fn canonical(place: &Place, bytes: &[u8]) -> Option<Result<Vec<u8>, SchemaError>> {
    Some(match place {
        Place::Manifest(..) => Manifest::parse(bytes).map(|read| to_canonical_json(&read)),
        Place::Record(..) => Record::parse(bytes).map(|read| to_canonical_json(&read)),
        Place::Yank(..) => {
            serde_json::from_slice::<Yank>(bytes).map(|read| to_canonical_json(&read)).map_err(SchemaError::Json)
        }
        Place::Environment(_) => Environment::parse(bytes).map(|read| to_canonical_json(&read)),
        Place::Policy => Policy::parse(bytes).map(|read| to_canonical_json(&read)),
        Place::Heartbeat => Heartbeat::parse(bytes).map(|read| to_canonical_json(&read)),
        Place::Signature(_) | Place::Beside | Place::Nothing => return None,
    })
}

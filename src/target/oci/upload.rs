//! Bringing one blob into a registry.
//!
//! A small one goes in one request. A large one goes in parts, as the distribution-spec has it, and an interrupted upload
//! goes on where the registry says it is; where a registry takes no parts, in one long request that is fed while the file
//! is read. Either way no more than one part is in memory.

use std::cell::Cell;

use bytes::Bytes;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::web::protocol;
use super::super::{Error, Fault, Nonsense, Result, Unfinished, Upload};
use super::registry::Registry;
use crate::model::Sha256;
use crate::net::{block_on, spawn};

/// The bytes of one part. Some registries take no part under 5 MiB but the last.
const PART: u64 = 16 << 20;
/// What is handed to a long request at once.
const PIECE: u64 = 1 << 20;

/// Says what the fault of a blob with this digest means.
type Remote<'a> = &'a dyn Fn(&Sha256, Fault) -> Error;

/// What is noted of an upload in parts.
#[derive(Serialize, Deserialize)]
struct Note {
    /// Of what.
    sha256: Sha256,
    /// Where it goes on, at the registry itself. (Where another server takes the bytes, its URL may be signed: a secret, and
    /// not noted.)
    to: String,
}

/// The note about one upload.
struct Noted<'a> {
    notes: Option<&'a dyn Unfinished>,
    place: &'a str,
    sha256: Sha256,
}

impl Noted<'_> {
    fn load(&self, registry: &Registry) -> Option<Url> {
        let note: Note = serde_json::from_slice(&self.notes?.load(self.place)?).ok()?;
        let to = Url::parse(&note.to).ok()?;
        (note.sha256 == self.sha256 && to.origin() == registry.base().origin()).then_some(to)
    }

    fn save(&self, registry: &Registry, to: &Url) {
        let note = Note { sha256: self.sha256, to: to.to_string() };
        let own = to.origin() == registry.base().origin();
        if let (Some(notes), true, Ok(bytes)) = (self.notes, own, serde_json::to_vec(&note)) {
            notes.save(self.place, &bytes);
        }
    }

    fn clear(&self) {
        if let Some(notes) = self.notes {
            notes.clear(self.place);
        }
    }
}

/// Sends a blob, unless it is there, and checks that it is there afterwards. Says whether it was there before. In
/// `unfinished` is noted, as `place`, how an interrupted upload goes on.
pub(super) fn blob(
    registry: &Registry,
    repository: &str,
    upload: &Upload<'_>,
    (unfinished, place): (Option<&dyn Unfinished>, &str),
    told: &(dyn Fn(u64) + Sync),
    remote: Remote<'_>,
) -> Result<bool> {
    let there = || registry.run(registry.blob_size(repository, &upload.sha256)).map_err(|f| remote(&upload.sha256, f));
    if there()? == Some(upload.size) {
        return Ok(true);
    }
    let noted = Noted { notes: unfinished, place, sha256: upload.sha256 };
    let sent = send(registry, repository, upload, &noted, told, remote);
    if sent.as_ref().is_err_and(|error| !error.is_passing()) {
        return sent.map(|()| false);
    }
    // A registry may stumble over two publishers of the same bytes; then they are there all the same.
    match there()? {
        Some(size) if size == upload.size => Ok(false),
        None if sent.is_err() => sent.map(|()| false),
        _ => Err(remote(&upload.sha256, protocol(Nonsense::LostPart))),
    }
}

/// Sends a blob of a few bytes, unless it is there.
pub(super) async fn small(
    registry: &Registry,
    repository: &str,
    bytes: &'static [u8],
) -> std::result::Result<(), Fault> {
    let sha256 = Sha256::of(bytes);
    if registry.blob_size(repository, &sha256).await? == Some(bytes.len() as u64) {
        return Ok(());
    }
    let to = registry.begin(repository).await?;
    let sent = registry.end(repository, &to, &sha256, Bytes::from_static(bytes)).await;
    match registry.blob_size(repository, &sha256).await? {
        Some(_) => Ok(()),
        None => sent.and(Err(protocol(Nonsense::Lost))),
    }
}

fn send(
    registry: &Registry,
    repository: &str,
    upload: &Upload<'_>,
    noted: &Noted<'_>,
    told: &(dyn Fn(u64) + Sync),
    remote: Remote<'_>,
) -> Result<()> {
    let failed = |fault| match fault {
        // What a registry says of bytes that have another digest.
        Fault::Status { status: 400 } => match found(upload) {
            Err(error) => error,
            Ok(found) if found == upload.sha256 => remote(&upload.sha256, fault),
            Ok(found) => {
                let path = upload.content.path().to_owned();
                Error::Source { path, expected: upload.sha256, found }
            }
        },
        fault => remote(&upload.sha256, fault),
    };
    let begin = || registry.run(registry.begin(repository)).map_err(failed);
    let end = |to: &_, bytes| registry.run(registry.end(repository, to, &upload.sha256, bytes)).map_err(failed);
    if upload.size <= PART {
        let bytes = read(upload, 0, PART)?;
        end(&begin()?, bytes)?;
        told(upload.size);
        return Ok(());
    }
    // What is sent a second time is not told of again.
    let reached = Cell::new(0);
    let tell = |at: u64| told(at - reached.replace(at.max(reached.get())).min(at));
    let parts = |mut to: Url, mut at: u64| {
        tell(at);
        while at < upload.size {
            let bytes = read(upload, at, PART)?;
            let length = bytes.len() as u64;
            match registry.run(registry.part(repository, &to, at, bytes)) {
                Ok(next) => to = next,
                Err(fault) if at == 0 && takes_no_parts(&fault) => {
                    noted.clear();
                    return whole(registry, repository, upload, &begin()?, told, &failed);
                }
                Err(fault) => return Err(failed(fault)),
            }
            noted.save(registry, &to);
            at += length;
            tell(at);
        }
        end(&to, Bytes::new()).inspect(|()| noted.clear())
    };
    let held = |to: Url| registry.run(registry.held(repository, &to)).ok().filter(|(_, held)| *held <= upload.size);
    if let Some((to, at)) = noted.load(registry).and_then(held) {
        match parts(to, at) {
            // What the earlier run sent may be what is wrong.
            Err(Error::Remote { fault, .. }) if !fault.is_passing() => {}
            outcome => return outcome,
        }
    }
    noted.clear();
    parts(begin()?, 0)
}

/// Whether the refusal of the first part may be about parts as such.
fn takes_no_parts(fault: &Fault) -> bool {
    matches!(fault, Fault::Status { .. } | Fault::Missing | Fault::Protocol { .. } | Fault::Server { status: 501 })
}

/// Sends all in one request. This thread reads the file; a task sends what it is handed.
fn whole(
    registry: &Registry,
    repository: &str,
    upload: &Upload<'_>,
    to: &reqwest::Url,
    told: &(dyn Fn(u64) + Sync),
    failed: &dyn Fn(Fault) -> Error,
) -> Result<()> {
    let (hand, handed) = mpsc::channel::<std::io::Result<Bytes>>(4);
    let stream = futures_util::stream::unfold(handed, |mut handed| async { Some((handed.recv().await?, handed)) });
    let body = reqwest::Body::wrap_stream(stream);
    let broken = |reason: String| failed(Fault::Connection { reason });
    let request = registry.whole(repository, to, &upload.sha256, upload.size, body);
    let request = spawn(request).map_err(|e| broken(e.to_string()))?;
    let stall = registry.stall();
    let mut at = 0;
    while at < upload.size {
        let bytes = read(upload, at, PIECE)?;
        let length = bytes.len() as u64;
        let given =
            block_on(async { timeout(stall, hand.send(Ok(bytes))).await }).map_err(|e| broken(e.to_string()))?;
        match given {
            Ok(Ok(())) => {}
            // The registry answered before it had all: the answer says why.
            Ok(Err(_)) => break,
            Err(_) => {
                request.abort();
                return Err(failed(Fault::Stalled { after: stall }));
            }
        }
        at += length;
        told(length);
    }
    drop(hand);
    let answer = block_on(request).map_err(|e| broken(e.to_string()))?;
    answer.map_err(|e| broken(e.to_string()))?.map_err(failed)
}

/// At most `most` bytes from `at` on.
fn read(upload: &Upload<'_>, at: u64, most: u64) -> Result<Bytes> {
    let length = usize::try_from((upload.size - at).min(most)).unwrap_or_default();
    let mut bytes = vec![0; length];
    upload.content.read_at(at, &mut bytes)?;
    Ok(bytes.into())
}

/// The digest of the bytes as they are.
fn found(upload: &Upload<'_>) -> Result<Sha256> {
    let mut hasher = sha2::Sha256::new();
    let mut at = 0;
    while at < upload.size {
        let bytes = read(upload, at, PIECE)?;
        hasher.update(&bytes);
        at += bytes.len() as u64;
    }
    Ok(Sha256::from_bytes(hasher.finalize().into()))
}

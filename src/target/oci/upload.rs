//! Bringing one blob into a registry.
//!
//! A small one goes in one request. A large one goes in parts, as the distribution-spec has it; where a registry takes no
//! parts, in one long request that is fed while the file is read. Either way no more than one part is in memory.

use bytes::Bytes;
use sha2::Digest as _;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::web::protocol;
use super::super::{Error, Fault, Result, Upload};
use super::registry::Registry;
use crate::model::Sha256;
use crate::net::{block_on, spawn};

/// The bytes of one part. Some registries take no part under 5 MiB but the last.
const PART: u64 = 16 << 20;
/// What is handed to a long request at once.
const PIECE: u64 = 1 << 20;

/// Says what the fault of a blob with this digest means.
type Remote<'a> = &'a dyn Fn(&Sha256, Fault) -> Error;

/// Sends a blob, unless it is there, and checks that it is there afterwards. Says whether it was there before.
pub(super) fn blob(
    registry: &Registry,
    repository: &str,
    upload: &Upload<'_>,
    told: &(dyn Fn(u64) + Sync),
    remote: Remote<'_>,
) -> Result<bool> {
    let there = || registry.run(registry.blob_size(repository, &upload.sha256)).map_err(|f| remote(&upload.sha256, f));
    if there()? == Some(upload.size) {
        return Ok(true);
    }
    let sent = send(registry, repository, upload, told, remote);
    if sent.as_ref().is_err_and(|error| !error.is_passing()) {
        return sent.map(|()| false);
    }
    // A registry may stumble over two publishers of the same bytes; then they are there all the same.
    match there()? {
        Some(size) if size == upload.size => Ok(false),
        None if sent.is_err() => sent.map(|()| false),
        _ => Err(remote(&upload.sha256, protocol("it took the file and does not have all of it"))),
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
        None => sent.and(Err(protocol("it took a file and does not have it"))),
    }
}

fn send(
    registry: &Registry,
    repository: &str,
    upload: &Upload<'_>,
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
    let mut to = begin()?;
    if upload.size <= PART {
        let bytes = read(upload, 0, PART)?;
        end(&to, bytes)?;
        told(upload.size);
        return Ok(());
    }
    let mut at = 0;
    while at < upload.size {
        let bytes = read(upload, at, PART)?;
        let length = bytes.len() as u64;
        match registry.run(registry.part(repository, &to, at, bytes)) {
            Ok(next) => to = next,
            Err(fault) if at == 0 && takes_no_parts(&fault) => {
                return whole(registry, repository, upload, &begin()?, told, &failed);
            }
            Err(fault) => return Err(failed(fault)),
        }
        at += length;
        told(length);
    }
    end(&to, Bytes::new())
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

//! A bucket reached through the crate `object_store`: S3, Google, Azure.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::{Method, Signer};
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};

use super::bce;
use super::bucket::{Answer, Bucket};
use crate::net::{Body, block_on};
use crate::target::{Fault, Listed, Nonsense, Reading};

/// What is handed to the network at once: progress is seen in such steps.
const STEP: usize = 256 << 10;

/// All of a store's interfaces.
pub trait Store: ObjectStore + MultipartStore + PaginatedListStore + Signer {}

impl<S: ObjectStore + MultipartStore + PaginatedListStore + Signer> Store for S {}

/// See the module.
pub struct Library {
    store: Box<dyn Store>,
    stall: Duration,
    signs: bool,
    checks: bool,
    encode: bool,
}

impl fmt::Debug for Library {
    /// The crate's own text is not shown: it would have to be searched for secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("signs", &self.signs).field("checks", &self.checks).finish_non_exhaustive()
    }
}

impl Library {
    /// A store that signs its requests or does not, and that checks or does not check what it takes
    /// ([`Bucket::checks`]). Reading fails once nothing has come for `stall`.
    pub fn new(store: impl Store, stall: Duration, signs: bool, checks: bool) -> Self {
        Self { store: Box::new(store), stall, signs, checks, encode: false }
    }

    /// For a store whose part of the crate puts keys into signed URLs as they are.
    pub fn with_encoding(self) -> Self {
        Self { encode: true, ..self }
    }
}

/// No retries: they are decided elsewhere.
pub fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// The key in the crate's terms.
fn path(key: &str) -> Answer<Path> {
    let path = Path::parse(key).ok().filter(|path| path.as_ref() == key);
    path.ok_or_else(|| Fault::Refused { status: 400, code: "InvalidKey".to_owned() })
}

/// Whether the crate can name this key: no empty, `.` or `..` segment, no control character.
pub fn is_key(key: &str) -> bool {
    path(key).is_ok() && !key.is_empty()
}

fn run<T>(future: impl Future<Output = object_store::Result<T>>) -> Answer<T> {
    let answer = block_on(future).map_err(|e| Fault::Connection { reason: e.to_string() })?;
    answer.map_err(|e| fault(&e))
}

fn fault(error: &object_store::Error) -> Fault {
    let last = || {
        let mut last: &(dyn std::error::Error + 'static) = error;
        while let Some(source) = last.source() {
            last = source;
        }
        last.to_string().chars().take(200).collect()
    };
    Fault::within(error).unwrap_or_else(|| Fault::Protocol { reason: Nonsense::Library(last()) })
}

impl Bucket for Library {
    fn size(&self, key: &str) -> Answer<Option<u64>> {
        match run(self.store.head(&path(key)?)) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Fault::Missing) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn read(&self, key: &str, range: Option<Range<u64>>) -> Answer<Reading> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let got = run(self.store.get_opts(&path(key)?, options))?;
        let (start, total) = (got.range.start, Some(got.meta.size));
        let stream = got.into_stream().map(|piece| {
            piece.map_err(|e| match fault(&e) {
                fault @ Fault::Stalled { .. } => std::io::Error::new(std::io::ErrorKind::TimedOut, fault),
                fault => std::io::Error::other(fault),
            })
        });
        Ok(Reading { start, total, body: Box::new(Body::new(stream, self.stall)) })
    }

    fn put(&self, key: &str, bytes: Bytes) -> Answer<()> {
        run(self.store.put(&path(key)?, payload(bytes))).map(|_| ())
    }

    fn list(&self, prefix: &str) -> Answer<Vec<Listed>> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let options = PaginatedListOptions { page_token: token, ..PaginatedListOptions::default() };
            let page = run(self.store.list_paginated((!prefix.is_empty()).then_some(prefix), options))?;
            let objects = page.result.objects.into_iter();
            found.extend(objects.map(|meta| Listed { key: meta.location.into(), size: meta.size }));
            match page.page_token {
                Some(next) => token = Some(next),
                None => return Ok(found),
            }
        }
    }

    fn delete(&self, key: &str) -> Answer<()> {
        match run(self.store.delete(&path(key)?)) {
            Err(Fault::Missing) => Ok(()),
            answer => answer,
        }
    }

    fn sign(&self, key: &str, expires: Duration) -> Answer<Option<String>> {
        if !self.signs {
            return Ok(None);
        }
        let path = if self.encode { path(&bce::encoded(key, true))? } else { path(key)? };
        run(self.store.signed_url(Method::GET, &path, expires)).map(|url| Some(url.to_string()))
    }

    fn begin(&self, key: &str) -> Answer<String> {
        run(self.store.create_multipart(&path(key)?))
    }

    fn part(&self, key: &str, upload: &str, index: usize, bytes: Bytes) -> Answer<String> {
        let part = run(self.store.put_part(&path(key)?, &upload.to_owned(), index, payload(bytes)))?;
        Ok(part.content_id)
    }

    fn complete(&self, key: &str, upload: &str, parts: Vec<String>) -> Answer<()> {
        let parts = parts.into_iter().map(|content_id| PartId { content_id }).collect();
        run(self.store.complete_multipart(&path(key)?, &upload.to_owned(), parts)).map(|_| ())
    }

    fn abort(&self, key: &str, upload: &str) -> Answer<()> {
        run(self.store.abort_multipart(&path(key)?, &upload.to_owned()))
    }

    fn checks(&self) -> bool {
        self.checks
    }
}

/// In steps, so that it can be seen whether they move.
fn payload(bytes: Bytes) -> PutPayload {
    steps(bytes).into_iter().collect()
}

/// The bytes in steps, without copying.
pub fn steps(mut bytes: Bytes) -> Vec<Bytes> {
    let mut steps = Vec::with_capacity(bytes.len() / STEP + 1);
    while !bytes.is_empty() {
        steps.push(bytes.split_to(STEP.min(bytes.len())));
    }
    steps
}

//! What an object store can do, of whatever make: the few requests that [`super::Objects`] is built from.
//!
//! Every method is one request (listing and credentials apart), blocks until it is answered and never tries twice: when
//! to try again is decided above. Keys are whole, with the target's prefix.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use crate::target::{Fault, Listed, Reading};

/// What came of a request.
pub type Answer<T> = std::result::Result<T, Fault>;

/// One bucket or container.
pub trait Bucket: fmt::Debug + Send + Sync {
    /// The length of an object; `None` where there is none.
    fn size(&self, key: &str) -> Answer<Option<u64>>;

    /// Begins to read; the range must not be empty.
    fn read(&self, key: &str, range: Option<Range<u64>>) -> Answer<Reading>;

    /// Writes an object in one request.
    fn put(&self, key: &str, bytes: Bytes) -> Answer<()>;

    /// All objects whose key begins with `prefix`, in no order.
    fn list(&self, prefix: &str) -> Answer<Vec<Listed>>;

    /// Removes an object, if it is there.
    fn delete(&self, key: &str) -> Answer<()>;

    /// A URL that lets anybody read; `None` where requests are not signed.
    fn sign(&self, key: &str, expires: Duration) -> Answer<Option<String>>;

    /// Begins an upload in parts; answers its name.
    fn begin(&self, key: &str) -> Answer<String>;

    /// Sends part number `index`, from 0; answers its name.
    fn part(&self, key: &str, upload: &str, index: usize, bytes: Bytes) -> Answer<String>;

    /// Makes the object of all its parts.
    fn complete(&self, key: &str, upload: &str, parts: Vec<String>) -> Answer<()>;

    /// Gives an upload in parts up, and what it holds.
    fn abort(&self, key: &str, upload: &str) -> Answer<()>;

    /// Whether the store compares what arrives with a sha256 that is sent along, and refuses what differs.
    fn checks(&self) -> bool;
}

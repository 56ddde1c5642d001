//! The heartbeat: when somebody whom hosts trust last said that a branch of the records is the newest (`heartbeat.json`).
//!
//! ```text
//! {
//!   "at": "2026-11-25T20:00:00Z",     by the clock of whoever renewed it
//!   "serial": 41,                     one more each time
//!   "schema": 1                       optional; absent means 1
//! }
//! ```
//!
//! Dates of commits can be anything, and a quiet repository is not an old one; a signed time is the word of who signs it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::manifest::parse;
use super::{SchemaError, Timestamp};

/// When a branch was the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Heartbeat {
    /// When it was renewed.
    pub at: Timestamp,
    /// Counts how often.
    pub serial: u64,
    /// The major number of the format; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Heartbeat {
    /// Reads a heartbeat.
    ///
    /// # Errors
    ///
    /// A newer major schema, or JSON of another form.
    pub fn parse(bytes: &[u8]) -> Result<Self, SchemaError> {
        parse(bytes)
    }
}

//! Canonical JSON: the one spelling of manifests, records and other committed files.
//!
//! Format: UTF-8, keys in the order of the type's fields and then any unknown keys by name, two-space indent, one
//! final newline. A diff of two canonical files shows meaning and nothing else.

use serde::Serialize;

/// Renders `value` as canonical JSON, final newline included.
///
/// # Panics
///
/// Never for the types of this crate: serialization fails only for maps with keys that are not strings.
pub fn to_canonical_json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = serde_json::to_vec_pretty(value).expect("the model's types have string keys only");
    out.push(b'\n');
    out
}

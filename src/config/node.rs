//! YAML as a tree that knows where each value stands.
//!
//! Scalars are kept as they are spelled (`1.10` stays `1.10`, `007` stays `007`): what a scalar means is decided by the
//! key that reads it, never by how it looks. Anchors and merges are resolved here, within limits that no honest
//! configuration meets. Must not know: keys.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::error::{Place, Problem, Shape};

/// Deeper nesting than any key of the schema needs; bounds the recursion here too.
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 50_000;
const MAX_REPLAYED: usize = 50_000;

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Nothing, `null` or `~`, as spelled.
    Null(String),
    /// Any other scalar.
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key and its place.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub place: Place,
    pub name: String,
}

impl Value {
    /// What shape the value has; nothing counts as a scalar.
    pub fn shape(&self) -> Shape {
        match self {
            Value::Null(_) | Value::Text(_) => Shape::Scalar,
            Value::List(_) => Shape::List,
            Value::Map(_) => Shape::Mapping,
        }
    }
}

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Node, (Place, Problem)> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        ignore_binary_tag_for_string: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(root) => Ok(locate(root, text)),
        Err(error) => Err(explain(&error, text)),
    }
}

fn place(location: serde_saphyr::Location) -> Place {
    Place { line: location.line().max(1), column: location.column().max(1) }
}

fn explain(error: &serde_saphyr::Error, text: &str) -> (Place, Problem) {
    let at = place(error.location().unwrap_or(serde_saphyr::Location::UNKNOWN));
    match error {
        serde_saphyr::Error::DuplicateMappingKey { key, .. } => {
            return (at, Problem::DuplicateKey { name: key.clone().unwrap_or_default() });
        }
        serde_saphyr::Error::MultipleDocuments { .. } => return (at, Problem::SecondDocument),
        _ => {}
    }
    // The parser notices a tab where it stands, or where the value before it ends.
    let near = text.lines().zip(1u64..).skip_while(|(_, line)| *line < at.line).take(2);
    for (content, line) in near {
        let indent = content.chars().take_while(|c| c.is_whitespace());
        if let Some((_, column)) = indent.zip(1u64..).find(|(c, _)| *c == '\t') {
            return (Place { line, column }, Problem::Tab);
        }
    }
    let full = error.to_string();
    let reason = full.strip_suffix(&format!(" at line {}, column {}", at.line, at.column)).unwrap_or(&full);
    (at, Problem::Syntax { reason: reason.to_owned() })
}

fn locate(raw: Spanned<Raw>, text: &str) -> Node {
    let span = raw.defined.span();
    let spelled = || {
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
        text.get(start..end)
    };
    let value = match raw.value {
        Raw::Null => Value::Null(spelled().unwrap_or_default().to_owned()),
        Raw::Typed(parsed) => Value::Text(spelled().map_or(parsed, str::to_owned)),
        Raw::Text(content) => Value::Text(content),
        Raw::List(items) => Value::List(items.into_iter().map(|item| locate(item, text)).collect()),
        Raw::Map(entries) => {
            let entry = |(key, value): (Spanned<String>, Spanned<Raw>)| {
                (Key { place: place(key.referenced), name: key.value }, locate(value, text))
            };
            Value::Map(entries.into_iter().map(entry).collect())
        }
    };
    Node { place: place(raw.referenced), value }
}

/// What the YAML reader takes a value for; a typed scalar keeps its canonical form, for where its spelling is lost.
enum Raw {
    Null,
    Typed(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

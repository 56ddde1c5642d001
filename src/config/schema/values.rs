//! Values that several sections have.

use schemars::JsonSchema;

/// `50GiB`, `1.5 MB`, `4096`: bytes, with decimal or binary units.
#[derive(JsonSchema)]
#[schemars(title = "size", extend("type" = ["string", "integer"]))]
pub(super) struct Size(String);

/// `500ms`, `30s`, `10m`, `7d`.
#[derive(JsonSchema)]
#[schemars(title = "time")]
pub(super) struct Time(String);

/// Octal permission bits, quoted.
#[derive(JsonSchema)]
#[schemars(title = "permission bits", extend("type" = ["string", "integer"]))]
pub(super) struct Mode(String);

/// A range of versions as cargo has it.
#[derive(JsonSchema)]
#[schemars(title = "versions")]
pub(super) struct Requirement(String);

/// A program and its arguments; no shell reads it.
#[derive(JsonSchema)]
#[schemars(title = "program and arguments")]
pub(super) struct Program(Vec<String>);

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Lz4,
    Xz,
    Bzip2,
    None,
    Auto,
}

#[derive(JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[schemars(rename_all = "lowercase")]
pub(super) enum Codec {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(super) enum Mtime {
    Normalize,
    Keep,
}

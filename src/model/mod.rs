//! The words of the product as values: digests, names, versions, references, paths, trees, manifests, records,
//! environments, the policy.
//!
//! Promises: a value that exists is valid, because every newtype is made only by parsing; canonical JSON has one
//! spelling for one meaning. Must not know: files, network, clock, terminal.

mod canonical;
mod digest;
mod environment;
mod heartbeat;
mod index;
mod manifest;
mod name;
mod path;
mod pattern;
mod policy;
mod record;
mod reference;
mod shape;
mod size;
mod time;
mod tree;
mod url;
mod version;

pub use canonical::to_canonical_json;
pub use digest::{Blake3, DigestError, Sha256, Sha256Hasher};
pub use environment::{Environment, Pin};
pub use heartbeat::Heartbeat;
pub use index::{
    Amount, INDEX_FORMAT, Index, IndexEntry, IndexError, IndexParts, LineFault, MAX_ENDS_BYTES, MAX_ENTRIES,
    MAX_HEADER_BYTES, MAX_HOLE_BYTES, MAX_INDEX_BYTES, MAX_PIECE_BYTES, Piece, Stream,
};
pub(crate) use index::{Name, bytes_of, spell};
pub use manifest::{
    Checksum, ChecksumAlgorithm, Choice, Compression, Dependency, IndexRef, Manifest, ManifestComponent,
    ManifestPackage, Metadata, Platform, SCHEMA, SchemaError, SourceState,
};
pub use name::{ComponentType, EnvironmentName, NameError};
pub use path::{MAX_PATH_BYTES, PathError, TreePath};
pub use pattern::matches_pattern;
pub use policy::{Act, Lack, Owners, Policy, Role, Rule, Signer, Verdict, judge, names as policy_names};
pub use record::{
    AzurePlace, BosPlace, DeltaHeader, FilesystemPlace, GcsPlace, HttpPlace, Location, OciPlace, Place, Record,
    RecordComponent, RecordDelta, RecordManifest, RecordPackage, S3Place, Yank,
};
pub use reference::{Reference, ReferenceError, Selector};
pub use shape::{Shape, ShapeError};
pub use size::{ByteSize, SizeError};
pub use time::{Span, SpanError, TimeError, Timestamp};
pub use tree::{Entry, EntryKind, TreeHasher};
pub use url::{RepositoryUrl, RepositoryUrlError};
pub use version::{Version, VersionError};

//! The git repository that holds publish records: what is version 1.0.1 of `model`, and where does its package lie.
//!
//! ```text
//! <directory>/                                    "records" unless configured; "." is the top of the repository
//!   packages/<type>/<version>/manifest.json       immutable
//!   packages/<type>/<version>/record.json         locations and deltas may be added, nothing else changes
//!   packages/<type>/<version>/yanked.json         present when withdrawn
//!   environments/<name>.json                      which version of each component belongs there
//!   policy.json                                   who may do what
//!   heartbeat.json                                when somebody last said that this branch is the newest
//!   <any of these>.sigs/<fingerprint>.sig         signatures of manifest, note, environment and policy, one file a signer
//! ```
//!
//! | file | what lives there |
//! |---|---|
//! | `repository` | opening and making a repository; which branch is meant |
//! | `snapshot`, `resolve` | reading one commit: listing, getting, from a reference to one version |
//! | `published` | one published version, and the checks that every reader makes |
//! | `environments` | environments of one commit, and the change that sets one |
//! | `policy`, `signatures` | the policy of one commit; signatures beside a file |
//! | `check/` | what a request to merge brings, and whether it may |
//! | `heartbeat` | the heartbeat of one commit, and the change that renews it |
//! | `change` | what is to be committed, and what must stand there before |
//! | `commit` | from a change to a commit on a branch; compare-and-swap |
//! | `propose` | from a change to a commit for review, on no branch of this repository |
//! | `checkout`, `index` | a work tree that has the branch checked out: its files and its index |
//! | `unfinished` | what a killed commit leaves in a work tree, and putting it right |
//! | `remote/` | a repository that is reached by URL, and pushing |
//! | `condition` | what `doctor` asks: locks in the way, the remote |
//! | `schema` | JSON Schemas of the committed files |
//!
//! Promises: reading uses git objects only, never a checkout, and reads no more than the versions asked about; what
//! is read is checked against the digests the record pins; a commit changes its own paths and nothing else that the user has
//! staged or changed. git2 (libgit2) does everything on this machine; what goes over the network and what is signed is left to
//! the user's `git` program (`remote/`). Must not know: packages' bytes, targets, the root on a host, the terminal.

mod change;
mod check;
mod checkout;
mod commit;
mod condition;
mod environments;
mod error;
mod heartbeat;
mod index;
mod policy;
mod propose;
mod published;
mod remote;
mod repository;
mod resolve;
mod schema;
mod signatures;
mod snapshot;
mod source;
mod unfinished;

pub use change::{Change, publish_change, yank_change};
pub use check::{Changed, Finding, Place, Request, Severity};
pub use commit::{Author, Committed};
pub use condition::Remote;
pub use environments::{EnvironmentFile, environment_change};
pub use error::{Doing, Error, FileAt, Match};
pub use heartbeat::{HeartbeatFile, heartbeat_change};
pub use policy::PolicyFile;
pub use published::{Published, read_file};
pub use remote::{Git, Origin, RemoteError, SILENT, Said, Seen, pause};
pub use repository::{DEFAULT_DIRECTORY, Repository, is_branch_name};
pub use schema::schemas;
pub use signatures::{SignatureFile, Signed, SignedFile};
pub use snapshot::Snapshot;
pub use source::source_state;

const PACKAGES: &str = "packages";
const ENVIRONMENTS: &str = "environments";
const MANIFEST: &str = "manifest.json";
const RECORD: &str = "record.json";
const YANKED: &str = "yanked.json";
const POLICY: &str = "policy.json";
const HEARTBEAT: &str = "heartbeat.json";

#[cfg(test)]
mod tests;

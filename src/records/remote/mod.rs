//! A records repository that is reached by URL: mirrored in the cache, read from the mirror, published to by pushing.
//!
//! ```text
//! <store>.records/<16 hex digits of sha256(url)>.git        a bare repository: commits, and of trees and files what was asked for
//! <store>.records/<16 hex digits of sha256(url)>.git.lock   held by whoever fetches into it
//! ```
//!
//! | file | what lives there |
//! |---|---|
//! | `git` | the user's `git` program: how it is run, what it said |
//! | `origin` | the remote: looking at the tip, at other commits |
//! | `mirror` | the mirror on the disk: making it, its lock, making it anew where it is damaged |
//! | `objects` | bringing trees and files that the mirror has not |
//! | `publish` | a commit on the remote's tip, pushed, and made anew where others were faster |
//! | `error` | why the remote cannot be used |
//!
//! Promises. git2 reads the mirror and is never asked for an object that was not brought first ([`objects`]); it fetches
//! nothing by itself. The first look takes one commit (`--depth=1 --filter=tree:0`), later ones the commits since, without
//! `--depth`, which would cut off the ancestry. Trees are taken level by level, a version's directory whole. Nobody is ever
//! asked for a password. No reference of the mirror moves but by fetching. The mirror can be removed at any time; one that is damaged is made
//! anew by the next look, and where the remote does not answer the old one stays.

mod error;
mod git;
mod mirror;
mod objects;
mod origin;
mod publish;

pub use error::RemoteError;
pub use git::{Git, SILENT, Said};
pub(super) use objects::Depth;
pub use origin::{Origin, Seen};
pub use publish::pause;
pub(super) use publish::signed;

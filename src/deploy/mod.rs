//! The root on this host: version directories, links, releases, and the transaction that changes them.
//!
//! ```text
//! <root>/
//!   components/<type>/<version>/…     the package's tree, files without write bits
//!   components/<type>/current -> <version>
//!   links/<type> -> ../components/<type>/current
//!   releases/<n>/<type> -> ../../components/<type>/<version>
//!   releases/current -> <n>           the commit point: one rename moves every component at once
//!   .deploy-tool/
//!     format                          "1"; a newer one is refused
//!     lock                            exclusive for whoever changes the root
//!     journal/<n>.json                open transaction that makes release n (`cleanup.json`: an open cleanup)
//!     staging/                        version directories being made, trees being removed
//!     receipts/<type>/<version>.json  what was installed, from which record
//!     pins/<type>/<version>           versions never to be removed
//!     custom-links.json               links outside the root that are ours
//!     history.jsonl                   one line a release
//!     rejected/                       bytes that failed their check
//! ```
//!
//! # The crash contract
//!
//! The order of a transaction's writes, and what is true when it stops there (killed, disk full, power cut):
//!
//! | step | what is done | stopped after it |
//! |---|---|---|
//! | 1 | journal written; packages unpacked in `staging/`; **flush** (only where something is unpacked) | next changing command undoes it: the root is as before |
//! | 2 | staged trees renamed to their version directories; receipts; release directory; temporary links; room for the history line reserved; **flush** | the same |
//! | 3 | `releases/current` renamed: **the commit point**; **flush** | finished by the next changing command |
//! | 4 | component links, then custom links renamed (first deploy: `current` before `links/`); history line appended; **flush** | the same |
//! | 5 | journal removed | done |
//!
//! After the commit point only prepared links are renamed or removed and one reserved line is appended, so a full
//! disk cannot stop it. A flush that fails after it is reported as *committed, durability unknown*. The handle for flushing is opened
//! before the first write. A flush is `syncfs`: it covers symbolic links, which have no flush of their own.
//!
//! So without an open journal the history's last line says what is current, and a link that disagrees is drift, which
//! `links repair` mends; while a release is being made, `releases/current` says it.
//!
//! # What a reader may see
//!
//! One lookup through `links/<type>` sees one whole version, the old one or the new one; `current` never dangles. Two
//! lookups may straddle a switch: a set that must agree is opened once through `releases/current` and read by relative
//! paths from there.
//!
//! Must not know: archives, targets, records, git. Who fills a staging directory is passed in.

mod cleanup;
mod error;
mod history;
mod journal;
mod layout;
mod links;
mod pins;
mod plan;
mod receipt;
mod recover;
mod root;
mod state;
#[cfg(test)]
mod tests;
mod transaction;

pub use cleanup::{Candidate, CleanupPlan, Decision, Reason, Retention, plan_cleanup};
pub use error::Error;
pub use history::{Entry as HistoryEntry, EntryComponent, History};
pub use journal::Action;
pub use layout::Layout;
pub use links::{LinkCheck, LinkState, check as check_links};
pub use plan::{CustomLink, Install, LinkChange, Plan, Request, plan};
pub use receipt::{Receipt, ReceiptRecord};
pub use recover::Recovery;
pub use root::{Root, View};
pub use state::{Release, Set, State};
pub use transaction::{Done, execute};

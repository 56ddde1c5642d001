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
//!     receipts/<type>/<version>.files its files: digests, and by what to see that nobody touched them
//!     pins/<type>/<version>           versions never to be removed
//!     checks/<n>.json                 what came of the hooks and the health check of release n, and until when it is on trial
//!     bad/<type>/<version>            versions that did not stand here: which release, when, why
//!     custom-links.json               links outside the root that are ours
//!     history.jsonl                   one line a release, and a change that makes none; each holds the digest of the last
//!     rejected/                       bytes that failed their check
//! ```
//!
//! # The crash contract
//!
//! The order of a transaction's writes, and what is true when it stops there (killed, disk full, power cut):
//!
//! | step | what is done | stopped after it |
//! |---|---|---|
//! | 1 | journal written; trees made in `staging/`, several at once; **flush** (only where something is installed) | next changing command undoes it: the root is as before |
//! | 2 | staged trees renamed to their version directories; receipts and inventories; release directory; temporary links; room for the history line reserved; **flush** | the same |
//! | 3 | `releases/current` renamed: **the commit point**; **flush** | finished by the next changing command |
//! | 4 | component links, then custom links renamed (first deploy: `current` before `links/`; of what leaves, the outer link first); history line appended; **flush** | the same |
//! | 5 | journal removed | done |
//!
//! After the commit point only prepared links are renamed or removed and one reserved line is appended, so a full
//! disk cannot stop it. A flush that fails after it is reported as *committed, durability unknown*. The handle for flushing is opened
//! before the first write. A flush is `syncfs`: it covers symbolic links, which have no flush of their own.
//!
//! So a switch or a rollback flushes three times and a deploy four times, whatever it moves or unpacks and whatever the root
//! keeps. What is rare comes on top: a flush for each new directory of a component, one where a component leaves (its entry
//! in `links/` is gone for good before its `current`), two for each link outside the root that changes, two where it is noted
//! which of them are ours; and what the store does with a package that is fetched.
//!
//! Without an open journal the history's last line says what is current, and a link that disagrees is drift, which
//! `links repair` mends; while a release is being made, `releases/current` says it.
//!
//! # After the commit
//!
//! A release that has to be healthy, or confirmed, says so in its history line (`trial`), so that this is as durable as its
//! commit; its journal is closed all the same. What came of it is one file, `checks/<n>.json`, written when it is known.
//! So for the current release:
//!
//! | history line | `checks/<n>.json` | it is | the next changing command |
//! |---|---|---|---|
//! | no trial | any | settled | goes on |
//! | trial | none | stopped between commit and result | runs `post_switch` and the health check again, and goes by the result |
//! | trial | passed, no `confirm_by` or confirmed | settled | goes on |
//! | trial | passed, `confirm_by` to come | on trial | goes on |
//! | trial | passed, `confirm_by` over | overdue | undoes it |
//! | trial | not passed | failed | undoes it; a rollback stays |
//!
//! To undo a release is to make another: the set of its parent (nothing, where it has none), action rollback, with
//! `because`. Its versions are marked bad before. So whatever stops where, the root is old or new, and a version that was
//! never found healthy does not stay unnoticed. `version switch` and `rollback` do not wait for any of this: they put
//! another release in its place, which ends what was due.
//!
//! A repair of a version has no journal: each name in it is replaced by one rename (see `repair`).
//!
//! # Hold
//!
//! A switch, rollback or undeploy by hand puts the root on hold: no environment is deployed until one is with the word that it may.
//! Nothing of it is stored: the history says it ([`View::hold`]), and its line is part of the transaction, so that the
//! hold is old or new with the release. A resume makes a release even where the versions are right already.
//!
//! # What a reader may see
//!
//! One lookup through `links/<type>` sees one whole version, the old one or the new one; `current` never dangles. Two
//! lookups may straddle a switch: a set that must agree is opened once through `releases/current` and read by relative
//! paths from there.
//!
//! Must not know: archives, targets, records, git. Who fills a staging directory is passed in.

mod access;
mod audit;
mod bad;
mod checks;
mod cleanup;
mod entries;
mod error;
mod held;
mod history;
mod inventory;
mod journal;
mod layout;
mod links;
mod pins;
mod plan;
mod receipt;
mod recover;
mod repair;
mod root;
mod seen;
mod share;
mod sources;
mod staging;
mod state;
mod survey;
#[cfg(test)]
mod tests;
mod transaction;
mod users;
mod verify;

pub use access::Others;
pub use audit::{Break, Ending, Event, Line, Verified, What, Who};
pub use bad::Bad;
pub use checks::{Because, Check, Checked, Outcome, Run, Standing, Trial, Why};
pub use cleanup::{Candidate, CleanupPlan, Decision, Reason, Retention, Rule, plan_cleanup};
pub use entries::Following;
pub use error::{Damage, Error, PlaceFault};
pub use held::{HeldPieces, shared_pieces};
pub use history::{ComponentWork, Entry as HistoryEntry, EntryComponent, EntryEnvironment, History, Work};
pub use inventory::{Inventory, Item};
pub use journal::Action;
pub use layout::Layout;
pub use links::{LinkCheck, LinkState, check as check_links};
pub use plan::{CustomLink, Install, LinkChange, Plan, Request, plan};
pub use receipt::{Receipt, ReceiptRecord};
pub use recover::Recovery;
pub use repair::Repair;
pub use root::{Root, View};
pub use seen::{Seen, SeenBranch, seen};
pub use share::{Count, Rules, Shared, Way, Ways, foresee, share};
pub use sources::Sources;
pub use staging::Staged;
pub use state::{Release, Set, State};
pub use survey::Lying;
pub use transaction::{Done, Prepared, begin};
pub use verify::{Compared, Difference, Finding};

//! One file per thing a user does. Each takes values, joins the rooms below, and returns a typed report; none prints.
//!
//! Rooms of one layer never import each other: what the deploy room needs of archives and transfers (a filled staging
//! directory, a receipt) is passed to it from here. Must not know: the terminal, the environment, the clock.

mod access;
pub mod adopt;
mod ahead;
pub mod change;
pub mod check;
mod choose;
mod commit;
mod cost;
pub mod delta;
mod dependencies;
pub mod deploy;
pub mod diff;
pub mod doctor;
pub mod env;
mod error;
mod event;
mod fetch;
mod health;
mod hooks;
pub mod import;
pub mod init;
pub mod links;
mod make;
mod manifest;
pub mod metrics;
pub mod names;
pub mod pack;
pub mod patch;
mod progress;
pub mod publish;
mod reach;
pub mod record;
mod relay;
pub mod release;
pub mod repair;
pub mod report;
pub mod request;
mod resolve;
mod room;
pub mod settle;
pub mod ship;
mod site;
mod stage;
pub mod status;
pub mod store;
pub mod trust;
pub mod undeploy;
mod upload;
pub mod url;
pub mod users;
pub mod verify;
pub mod versions;
pub mod watch;

pub use access::NoAccess;
pub use dependencies::{Remedy, Unmet};
pub use error::Error;
pub use event::{Event, Events, Named};
pub use manifest::Differs;
pub use progress::{OnProgress, Phase, Progress};
pub use site::{Caller, Notice, Notices, Overrides, Site, Unpushed};

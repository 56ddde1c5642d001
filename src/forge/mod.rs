//! Requests to merge a branch, at the places that host git repositories: GitHub, GitLab, Gitea and Forgejo.
//!
//! ```text
//! remote's URL, records.forge ── hosting ──▶ Hosting ── connect (token) ──▶ dyn Forge
//! Description ── text ──▶ Text                                                 │
//!                           └───────────── settle: find, then open or update ◀─┘
//! ```
//!
//! Promises: of two ends there is one open request, however often it is asked for; a token goes to the scheme, host and
//! port of the configured interface and nowhere else, and stands in no error; an answer that says "later" is obeyed as
//! long as that is bearable; nothing in a name can become Markdown or HTML. Must not know: git, the records, who runs it.

mod error;
mod github;
mod gitlab;
mod hosting;
mod markdown;
mod settle;
mod text;
mod token;
mod web;

use std::fmt;

pub use error::{Doing, Error, Nonsense, Result, Setting};
pub use hosting::{Hosting, hosting};
pub use markdown::{Difference, Files, Seen, code, differences};
pub use settle::{Settled, State, settle};
pub use text::{Change, Dependent, Description, Subject, Version, Way, text};
pub use token::Token;

/// What lies at the two ends of a request: branches of one project.
#[derive(Debug, Clone, Copy)]
pub struct Ends<'a> {
    /// The branch to be merged.
    pub head: &'a str,
    /// The branch that it is merged into.
    pub base: &'a str,
}

/// The words of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
}

/// A request as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number in the project.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Its words.
    pub text: Text,
}

/// What came of opening a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// It is open.
    Opened(Request),
    /// It was refused in the way it is where one is open already; this is the error where none is.
    Refused(Error),
}

/// A place that hosts the project.
pub trait Forge: fmt::Debug {
    /// The open request between these ends.
    fn find(&self, ends: Ends<'_>) -> Result<Option<Request>>;

    /// Opens one.
    fn open(&self, ends: Ends<'_>, text: &Text) -> Result<Opening>;

    /// Gives one other words.
    fn update(&self, number: u64, text: &Text) -> Result<Request>;
}

//! One open request between two ends, with the wanted words, whatever is there before.

use serde::Serialize;

use super::{Ends, Forge, Opening, Request, Result, Text};

/// What a title begins with at GitLab and Gitea while somebody holds the request back.
const HELD_BACK: [&str; 2] = ["Draft: ", "WIP: "];

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It was opened.
    Opened,
    /// It was open, and has other words or other commits now.
    Updated,
    /// It was open and is as it was.
    Unchanged,
}

/// A request that is open now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The request.
    pub request: Request,
    /// What became of it.
    pub state: State,
}

/// Sees to it that a request is open between these ends and has these words. One that was closed stays closed.
///
/// # Errors
///
/// The forge cannot be asked, or refuses.
pub fn settle(forge: &dyn Forge, ends: Ends<'_>, text: &Text) -> Result<Settled> {
    if let Some(found) = forge.find(ends)? {
        return update(forge, found, text);
    }
    match forge.open(ends, text)? {
        Opening::Opened(request) => Ok(Settled { request, state: State::Opened }),
        // Somebody was faster, or the list was older than what it lists.
        Opening::Refused(error) => match forge.find(ends)? {
            Some(found) => update(forge, found, text),
            None => Err(error),
        },
    }
}

fn update(forge: &dyn Forge, found: Request, text: &Text) -> Result<Settled> {
    // Somebody who holds it back still does.
    let held_back = HELD_BACK.into_iter().find(|start| found.text.title.starts_with(start)).unwrap_or_default();
    let text = Text { title: format!("{held_back}{}", text.title), body: text.body.clone() };
    match same(&found.text, &text) {
        true => Ok(Settled { request: found, state: State::Unchanged }),
        false => Ok(Settled { request: forge.update(found.number, &text)?, state: State::Updated }),
    }
}

/// Forges change the ends of lines and drop empty ones.
fn same(there: &Text, wanted: &Text) -> bool {
    let plain = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    plain(&there.title) == plain(&wanted.title) && plain(&there.body) == plain(&wanted.body)
}

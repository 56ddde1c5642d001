//! `--pr` and `--branch`: from arguments to a site that proposes, and what became of it in words.

use super::onto;
use crate::cli::args::Propose;
use crate::cli::output::Output;
use crate::cli::words::{Phrase, say};
use crate::ops::Site;
use crate::ops::request::{Proposal, Proposed, RequestState, Requested};

/// The site, which proposes changes where the arguments say so.
pub(super) fn site(site: Site, args: &Propose) -> Site {
    match args.pr {
        true => Site { proposal: Some(Proposal { branch: args.onto.branch.clone() }), ..site },
        false => onto(site, &args.onto),
    }
}

/// Warns where no token was found that would have opened the request.
pub(super) fn warn(proposed: Option<&Proposed>, output: &Output) {
    let variables = proposed.map(|proposed| proposed.token_variables.as_slice()).unwrap_or_default();
    if !variables.is_empty() {
        let names: Vec<_> = variables.iter().map(|name| format!("`{name}`")).collect();
        output.warn(&Phrase::failed("request.no-token").with("names", names.join(", ")));
    }
}

/// What became of the branch and of the request, a line each.
pub(super) fn text(proposed: &Proposed, branch: Option<&str>, dry_run: bool) -> String {
    let args = [
        ("remote", proposed.remote.clone()),
        ("base", proposed.base.clone()),
        ("branch", branch.unwrap_or_default().to_owned()),
    ];
    let pushed = match (dry_run, proposed.pushed) {
        (true, _) => "request.would-push",
        (false, true) => "request.pushed",
        (false, false) => "request.not-pushed",
    };
    let line = |requested: &Requested| {
        let number = requested.number.map(|number| format!(" {number}")).unwrap_or_default();
        let url = requested.url.clone().unwrap_or_default();
        let key = match (requested.state, dry_run, requested.url.is_some()) {
            (RequestState::ByHand, _, false) => "request.by-hand-somewhere",
            (RequestState::ByHand, ..) => "request.by-hand",
            (RequestState::Opened, true, _) => "request.would-open",
            (_, true, _) => "request.would-update",
            (RequestState::Opened, false, _) => "request.opened",
            (RequestState::Updated, false, _) => "request.updated",
            (RequestState::Unchanged, false, _) => "request.unchanged",
        };
        let own = [("number", number), ("url", url)];
        say(key, &args.iter().cloned().chain(own).collect::<Vec<_>>())
    };
    let lines = [say(pushed, &args)].into_iter().chain(proposed.request.as_ref().map(line));
    lines.collect::<Vec<_>>().join("\n")
}

//! Sentences for changes that cannot be proposed.

use super::Explain;
use super::remote::git;
use super::target::seconds;
use crate::cli::words::{Phrase, say};
use crate::forge::{self, Error as ForgeError, Nonsense, Setting};
use crate::ops::request::{Doing, RequestError};

impl Explain for RequestError {
    fn explain(&self) -> Phrase {
        match self {
            RequestError::NoRemote { repository, name: None } => {
                Phrase::usage("request.no-remote").path("path", repository)
            }
            RequestError::NoRemote { repository, name: Some(name) } => {
                Phrase::usage("request.no-such-remote").path("path", repository).with("name", name)
            }
            RequestError::NoBase { remote, branch } => {
                Phrase::usage("request.no-base").with("remote", remote).with("branch", branch)
            }
            RequestError::NoHead { remote } => Phrase::usage("request.no-head").with("remote", remote),
            RequestError::NotFetched { remote, branch } => {
                Phrase::failed("request.not-fetched").with("remote", remote).with("branch", branch)
            }
            RequestError::SameBranch { branch } => Phrase::usage("request.same-branch").with("branch", branch),
            RequestError::Taken { branch, commit } => {
                Phrase::conflict("request.taken").with("branch", branch).with("commit", commit)
            }
            RequestError::Contended { branch } => Phrase::conflict("request.contended").with("branch", branch),
            RequestError::Git { doing, remote, reason } => Phrase::failed(match doing {
                Doing::Ask => "request.git-ask",
                Doing::Fetch => "request.git-fetch",
                Doing::Push => "request.git-push",
            })
            .with("remote", remote)
            .with("reason", git(reason)),
            RequestError::NoGit(error) => error.explain(),
            RequestError::Forge(error) => error.explain(),
        }
    }
}

impl Explain for ForgeError {
    fn explain(&self) -> Phrase {
        match self {
            ForgeError::Settings { reason } => Phrase::usage("forge.settings").with("reason", setting(reason)),
            ForgeError::Denied { doing, place, status, message } => Phrase::failed("forge.denied")
                .with("doing", self::doing(*doing))
                .with("place", place)
                .with("status", status)
                .with("message", said(message)),
            ForgeError::NoProject { place, project } => {
                Phrase::not_found("forge.no-project").with("place", place).with("project", project)
            }
            ForgeError::Refused { doing, place, status, message } => Phrase::failed("forge.refused")
                .with("doing", self::doing(*doing))
                .with("place", place)
                .with("status", status)
                .with("message", said(message)),
            ForgeError::Busy { place, status, wait: Some(wait) } => {
                Phrase::failed("forge.busy").with("place", place).with("status", status).with("seconds", seconds(*wait))
            }
            ForgeError::Busy { place, status, wait: None } | ForgeError::Server { place, status } => {
                Phrase::failed("forge.server").with("place", place).with("status", status)
            }
            ForgeError::Redirect { place, to } => Phrase::failed("forge.redirect").with("place", place).with("to", to),
            ForgeError::Connection { place, reason } => {
                Phrase::failed("forge.connection").with("place", place).with("reason", reason)
            }
            ForgeError::Protocol { place, reason } => {
                Phrase::failed("forge.protocol").with("place", place).with("reason", nonsense(reason))
            }
        }
    }
}

fn setting(setting: &Setting) -> String {
    let text = |key, text: &String| say(key, &[("text", text.clone())]);
    match setting {
        Setting::NoProject => say("forge.setting.no-project", &[]),
        Setting::NoApi => say("forge.setting.no-api", &[]),
        Setting::Project(project) => text("forge.setting.project", project),
        Setting::Api(reason) => say("forge.setting.api", &[("reason", reason.clone())]),
        Setting::Base(base) => text("forge.setting.base", base),
        Setting::Token => say("forge.setting.token", &[]),
        Setting::Library(reason) => reason.clone(),
    }
}

fn nonsense(nonsense: &Nonsense) -> String {
    let key = match nonsense {
        Nonsense::EndlessList => "forge.nonsense.endless-list",
        Nonsense::Location => "nonsense.location",
        Nonsense::EndlessRedirect => "forge.nonsense.endless-redirect",
        Nonsense::NoPath => "forge.nonsense.no-path",
        Nonsense::TooLong => "forge.nonsense.too-long",
        Nonsense::Json(reason) => return say("forge.nonsense.json", &[("reason", reason.clone())]),
        Nonsense::Unasked => "forge.nonsense.unasked",
    };
    say(key, &[])
}

fn doing(doing: forge::Doing) -> String {
    let key = match doing {
        forge::Doing::Find => "forge.doing.find",
        forge::Doing::Open => "forge.doing.open",
        forge::Doing::Update => "forge.doing.update",
    };
    say(key, &[])
}

/// What a forge said, as the end of a sentence.
fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

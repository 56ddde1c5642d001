//! Pull requests at GitHub: REST, version 2022-11-28, "REST API endpoints for pull requests".

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::web::{Question, Web};
use super::{Ends, Forge, Opening, Request, Result, Text};

pub(super) const HEADERS: [(&str, &str); 2] =
    [("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];

/// GitHub.
#[derive(Debug)]
pub(super) struct GitHub(pub Web);

#[derive(Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    title: String,
    body: Option<String>,
    head: Branch,
    base: Branch,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(rename = "ref")]
    name: String,
    /// Nothing where the fork was deleted.
    repo: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

impl From<Pull> for Request {
    fn from(pull: Pull) -> Self {
        let text = Text { title: pull.title, body: pull.body.unwrap_or_default() };
        Self { number: pull.number, url: pull.html_url, text }
    }
}

impl GitHub {
    fn path<'a>(&'a self, number: Option<&'a str>) -> Vec<&'a str> {
        ["repos"].into_iter().chain(self.0.project.split('/')).chain(["pulls"]).chain(number).collect()
    }
}

impl Forge for GitHub {
    fn find(&self, ends: Ends<'_>) -> Result<Option<Request>> {
        let owner = self.0.project.split('/').next().unwrap_or_default();
        let head = format!("{owner}:{}", ends.head);
        let query = [("state", "open"), ("head", head.as_str()), ("base", ends.base), ("per_page", "100")];
        // A project that was renamed answers with its new name: the owner is enough to leave out the forks of others.
        let own = |repo: &Repository| repo.full_name.split('/').next().is_some_and(|o| o.eq_ignore_ascii_case(owner));
        // A filter that it cannot read it passes over, so each answer is looked at.
        self.0.find(&Question::list(&self.path(None), &query), |pull: Pull| {
            let ours = pull.head.repo.as_ref().is_some_and(own);
            (ours && pull.head.name == ends.head && pull.base.name == ends.base).then(|| pull.into())
        })
    }

    fn open(&self, ends: Ends<'_>, text: &Text) -> Result<Opening> {
        let body = json!({"title": text.title, "head": ends.head, "base": ends.base, "body": text.body});
        self.0.open::<Pull>(&Question::open(&self.path(None), body), Request::from)
    }

    fn update(&self, number: u64, text: &Text) -> Result<Request> {
        let (number, body) = (number.to_string(), json!({"title": text.title, "body": text.body}));
        self.0.update::<Pull>(&Question::update(Method::PATCH, &self.path(Some(&number)), body), Request::from)
    }
}

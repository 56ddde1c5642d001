//! Pull requests at GitHub: REST, version 2022-11-28, "REST API endpoints for pull requests"; and at Gitea and Forgejo, whose
//! interface, version 1 (`/swagger.v1.json` of any instance), has the same paths and fields but for how one is looked for.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::web::{Question, Web};
use super::{Ends, Forge, Opening, Request, Result, Text};

pub(super) const HEADERS: [(&str, &str); 2] =
    [("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];

pub(super) const GITEA_HEADERS: [(&str, &str); 1] = [("accept", "application/json")];

/// GitHub.
#[derive(Debug)]
pub(super) struct GitHub(pub Web);

/// Gitea or Forgejo.
#[derive(Debug)]
pub(super) struct Gitea(pub Web);

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
    /// Of Gitea alone.
    repo_id: Option<i64>,
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

impl Pull {
    fn is_between(&self, ends: Ends<'_>) -> bool {
        self.head.name == ends.head && self.base.name == ends.base
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
        self.0.find(&Question::list(&path(&self.0, None), &query), |pull: Pull| {
            (pull.head.repo.as_ref().is_some_and(own) && pull.is_between(ends)).then(|| pull.into())
        })
    }

    fn open(&self, ends: Ends<'_>, text: &Text) -> Result<Opening> {
        open(&self.0, ends, text)
    }

    fn update(&self, number: u64, text: &Text) -> Result<Request> {
        update(&self.0, number, text)
    }
}

impl Forge for Gitea {
    fn find(&self, ends: Ends<'_>) -> Result<Option<Request>> {
        // There is no filter by branch.
        let query = [("state", "open"), ("limit", "50")];
        self.0.find(&Question::list(&path(&self.0, None), &query), |pull: Pull| {
            let own = pull.head.repo_id.is_some() && pull.head.repo_id == pull.base.repo_id;
            (own && pull.is_between(ends)).then(|| pull.into())
        })
    }

    fn open(&self, ends: Ends<'_>, text: &Text) -> Result<Opening> {
        open(&self.0, ends, text)
    }

    fn update(&self, number: u64, text: &Text) -> Result<Request> {
        update(&self.0, number, text)
    }
}

fn path<'a>(web: &'a Web, number: Option<&'a str>) -> Vec<&'a str> {
    ["repos"].into_iter().chain(web.project.split('/')).chain(["pulls"]).chain(number).collect()
}

fn open(web: &Web, ends: Ends<'_>, text: &Text) -> Result<Opening> {
    let body = json!({"title": text.title, "head": ends.head, "base": ends.base, "body": text.body});
    web.open::<Pull>(&Question::open(&path(web, None), body), Request::from)
}

fn update(web: &Web, number: u64, text: &Text) -> Result<Request> {
    let (number, body) = (number.to_string(), json!({"title": text.title, "body": text.body}));
    web.update::<Pull>(&Question::update(Method::PATCH, &path(web, Some(&number)), body), Request::from)
}

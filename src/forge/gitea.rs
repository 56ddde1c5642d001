//! Pull requests at Gitea and Forgejo: REST, version 1, `/swagger.v1.json` of any instance.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::web::{Question, Web};
use super::{Ends, Forge, Opening, Request, Result, Text};

pub(super) const HEADERS: [(&str, &str); 1] = [("accept", "application/json")];

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
    repo_id: i64,
}

impl From<Pull> for Request {
    fn from(pull: Pull) -> Self {
        let text = Text { title: pull.title, body: pull.body.unwrap_or_default() };
        Self { number: pull.number, url: pull.html_url, text }
    }
}

impl Gitea {
    fn path<'a>(&'a self, number: Option<&'a str>) -> Vec<&'a str> {
        ["repos"].into_iter().chain(self.0.project.split('/')).chain(["pulls"]).chain(number).collect()
    }
}

impl Forge for Gitea {
    fn find(&self, ends: Ends<'_>) -> Result<Option<Request>> {
        // There is no filter by branch.
        let query = [("state", "open"), ("limit", "50")];
        self.0.find(&Question::list(&self.path(None), &query), |pull: Pull| {
            let ours = pull.head.repo_id == pull.base.repo_id;
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

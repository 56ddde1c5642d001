//! Merge requests at GitLab: REST, version 4, "Merge requests API".

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::web::{Question, Web};
use super::{Ends, Forge, Opening, Request, Result, Text};

pub(super) const HEADERS: [(&str, &str); 1] = [("accept", "application/json")];

/// GitLab. A project is named by its whole path as one part of a URL's.
#[derive(Debug)]
pub(super) struct GitLab(pub Web);

#[derive(Deserialize)]
struct Merge {
    iid: u64,
    web_url: String,
    title: String,
    description: Option<String>,
    source_branch: String,
    target_branch: String,
    source_project_id: Option<u64>,
    target_project_id: Option<u64>,
}

impl From<Merge> for Request {
    fn from(merge: Merge) -> Self {
        let text = Text { title: merge.title, body: merge.description.unwrap_or_default() };
        Self { number: merge.iid, url: merge.web_url, text }
    }
}

impl GitLab {
    fn path<'a>(&'a self, number: Option<&'a str>) -> Vec<&'a str> {
        ["projects", &self.0.project, "merge_requests"].into_iter().chain(number).collect()
    }
}

impl Forge for GitLab {
    fn find(&self, ends: Ends<'_>) -> Result<Option<Request>> {
        let query =
            [("state", "opened"), ("source_branch", ends.head), ("target_branch", ends.base), ("per_page", "100")];
        self.0.find(&Question::list(&self.path(None), &query), |merge: Merge| {
            // A fork may have a branch of the same name.
            let ours = merge.source_project_id == merge.target_project_id;
            (ours && merge.source_branch == ends.head && merge.target_branch == ends.base).then(|| merge.into())
        })
    }

    fn open(&self, ends: Ends<'_>, text: &Text) -> Result<Opening> {
        let body = json!({
            "source_branch": ends.head,
            "target_branch": ends.base,
            "title": text.title,
            "description": text.body,
            "remove_source_branch": true,
        });
        self.0.open::<Merge>(&Question::open(&self.path(None), body), Request::from)
    }

    fn update(&self, number: u64, text: &Text) -> Result<Request> {
        let (number, body) = (number.to_string(), json!({"title": text.title, "description": text.body}));
        self.0.update::<Merge>(&Question::update(Method::PUT, &self.path(Some(&number)), body), Request::from)
    }
}

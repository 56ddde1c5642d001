//! The interfaces of forges as they are alike: JSON over HTTP, pages, limits, redirects.
//!
//! Sources: GitHub, "Best practices for using the REST API" and "Rate limits for the REST API" (`retry-after`,
//! `x-ratelimit-remaining`, `x-ratelimit-reset`) and "Pagination" (RFC 8288 `Link`); GitLab, "REST API" (`x-next-page`)
//! and "Rate limits" (`RateLimit-Reset`); RFC 9110, 10.2.3 (`Retry-After`).

use std::fmt;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Doing, Error, Nonsense, Opening, Request, Result, Setting, Token};
use crate::net::{Ambient, block_on, client};

/// How often one thing is asked for.
const TRIES: u32 = 4;
/// The pause before it is asked for again after a failure; twice as long each time.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause: whoever says later than that has to be asked by another run.
const LONGEST: Duration = Duration::from_secs(60);
/// How many redirects are followed.
const REDIRECTS: usize = 5;
/// How many pages of a list are read.
const PAGES: usize = 200;
/// The most bytes of an answer.
const ANSWER: usize = 64 << 20;
/// The most characters of a message.
const MESSAGE: usize = 400;

/// One forge's interface.
pub(super) struct Web {
    client: Client,
    base: Url,
    /// The project's name.
    pub project: String,
    headers: &'static [(&'static str, &'static str)],
    token: Token,
    authorization: (HeaderName, HeaderValue),
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("base", &self.base.as_str()).field("project", &self.project).finish_non_exhaustive()
    }
}

/// One thing to ask for.
pub(super) struct Question<'a> {
    pub doing: Doing,
    pub method: Method,
    /// The parts of the path behind the interface's URL; a slash in one is no end of it.
    pub path: &'a [&'a str],
    pub query: &'a [(&'a str, &'a str)],
    pub body: Option<Value>,
}

impl<'a> Question<'a> {
    /// For a list of open requests.
    pub fn list(path: &'a [&'a str], query: &'a [(&'a str, &'a str)]) -> Self {
        Self { doing: Doing::Find, method: Method::GET, path, query, body: None }
    }

    /// To open a request.
    pub fn open(path: &'a [&'a str], body: Value) -> Self {
        Self { doing: Doing::Open, method: Method::POST, path, query: &[], body: Some(body) }
    }

    /// To change one.
    pub fn update(method: Method, path: &'a [&'a str], body: Value) -> Self {
        Self { doing: Doing::Update, method, path, query: &[], body: Some(body) }
    }
}

/// What came back.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Web {
    /// The interface at `base`, which is sent `headers` with every question.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`].
    pub fn new(
        base: Url,
        project: String,
        headers: &'static [(&'static str, &'static str)],
        token: Token,
        ambient: &Ambient,
    ) -> Result<Self> {
        let unusable = |reason| Error::Settings { reason };
        let authorization = token.header();
        let authorization = authorization.ok_or_else(|| unusable(Setting::Token))?;
        let client = client(ambient)
            .and_then(reqwest::ClientBuilder::build)
            .map_err(|e| unusable(Setting::Library(e.to_string())))?;
        if base.cannot_be_a_base() || base.host_str().is_none() {
            return Err(unusable(Setting::Base(base.into())));
        }
        Ok(Self { client, base, project, headers, token, authorization })
    }

    /// What `pick` finds on the pages of a list, which are read until it finds something.
    pub fn find<T: DeserializeOwned>(
        &self,
        question: &Question<'_>,
        pick: impl Fn(T) -> Option<Request>,
    ) -> Result<Option<Request>> {
        let mut page = 1u64;
        for _ in 0..PAGES {
            let answer = self.ask(question, Some(page))?;
            let items: Vec<T> = self.parse(&answer)?;
            if let Some(found) = items.into_iter().find_map(&pick) {
                return Ok(Some(found));
            }
            match next_page(&answer.headers) {
                Some(next) if next > page => page = next,
                _ => return Ok(None),
            }
        }
        Err(self.protocol(Nonsense::EndlessList))
    }

    /// Sends a request to be opened.
    pub fn open<T: DeserializeOwned>(&self, question: &Question<'_>, request: fn(T) -> Request) -> Result<Opening> {
        let answer = match self.ask(question, None) {
            // Both stand for a request that is open already, and for others that cannot be.
            Err(error @ Error::Refused { status: 409 | 422, .. }) => return Ok(Opening::Refused(error)),
            other => other?,
        };
        Ok(Opening::Opened(request(self.parse(&answer)?)))
    }

    /// Sends other words for a request.
    pub fn update<T: DeserializeOwned>(&self, question: &Question<'_>, request: fn(T) -> Request) -> Result<Request> {
        Ok(request(self.parse(&self.ask(question, None)?)?))
    }

    /// Asks until there is an answer that is no failure of the moment.
    fn ask(&self, question: &Question<'_>, page: Option<u64>) -> Result<Answer> {
        let mut pause = PAUSE;
        for left in (0..TRIES).rev() {
            let outcome = self.follow(question, page).and_then(|answer| self.judge(question.doing, answer));
            let wait = match &outcome {
                Err(Error::Busy { wait, .. }) => wait.unwrap_or(pause),
                Err(Error::Server { .. } | Error::Connection { .. }) => pause,
                _ => return outcome,
            };
            if left == 0 || wait > LONGEST {
                return outcome;
            }
            std::thread::sleep(wait);
            pause *= 2;
        }
        Err(self.protocol(Nonsense::Unasked))
    }

    /// Asks once; a redirect is followed as long as it stays at the same scheme, host and port.
    fn follow(&self, question: &Question<'_>, page: Option<u64>) -> Result<Answer> {
        let mut url = self.url(question, page)?;
        for _ in 0..=REDIRECTS {
            let answer = self.once(question, url.clone())?;
            let location = answer.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
            let (301 | 302 | 307 | 308, Some(location)) = (answer.status, location) else { return Ok(answer) };
            let next = url.join(location).map_err(|_| self.protocol(Nonsense::Location))?;
            if next.origin() != self.base.origin() {
                let to = format!("{}{}", next.origin().ascii_serialization(), next.path());
                return Err(Error::Redirect { place: self.place(), to });
            }
            url = next;
        }
        Err(self.protocol(Nonsense::EndlessRedirect))
    }

    fn url(&self, question: &Question<'_>, page: Option<u64>) -> Result<Url> {
        let mut url = self.base.clone();
        let segments = url.path_segments_mut();
        segments.map_err(|()| self.protocol(Nonsense::NoPath))?.pop_if_empty().extend(question.path);
        if !question.query.is_empty() || page.is_some() {
            let mut pairs = url.query_pairs_mut();
            pairs.extend_pairs(question.query);
            if let Some(page) = page {
                pairs.append_pair("page", &page.to_string());
            }
        }
        Ok(url)
    }

    fn once(&self, question: &Question<'_>, url: Url) -> Result<Answer> {
        let (name, value) = &self.authorization;
        let mut request = self.client.request(question.method.clone(), url).header(name, value);
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = &question.body {
            request = request.json(body);
        }
        let answer = block_on(async {
            let mut response = request.send().await?;
            let (status, headers, mut body) = (response.status().as_u16(), response.headers().clone(), Vec::new());
            while let Some(part) = response.chunk().await? {
                body.extend_from_slice(&part);
                if body.len() > ANSWER {
                    return Ok(None);
                }
            }
            Ok(Some(Answer { status, headers, body }))
        });
        let connection = |reason: String| Error::Connection { place: self.place(), reason: self.token.redact(&reason) };
        let answer: reqwest::Result<Option<Answer>> = answer.map_err(|e| connection(e.to_string()))?;
        // The words of the library name the URL, which may hold what others should not read.
        let answer = answer.map_err(|e| connection(causes(&e.without_url())))?;
        answer.ok_or_else(|| self.protocol(Nonsense::TooLong))
    }

    fn judge(&self, doing: Doing, answer: Answer) -> Result<Answer> {
        let (place, status) = (self.place(), answer.status);
        let message = || self.token.redact(&message(&answer.body));
        match status {
            200..=299 => Ok(answer),
            429 | 503 => Err(Error::Busy { place, status, wait: wait(&answer.headers) }),
            403 if is_limit(&answer.headers, &answer.body) => {
                Err(Error::Busy { place, status, wait: wait(&answer.headers).or(Some(LONGEST)) })
            }
            401 | 403 => Err(Error::Denied { doing, place, status, message: message() }),
            404 if doing != Doing::Update => Err(Error::NoProject { place, project: self.project.clone() }),
            408 | 500..=599 => Err(Error::Server { place, status }),
            _ => Err(Error::Refused { doing, place, status, message: message() }),
        }
    }

    fn parse<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T> {
        let reason = |e: serde_json::Error| self.protocol(Nonsense::Json(e.to_string()));
        serde_json::from_slice(&answer.body).map_err(reason)
    }

    fn protocol(&self, reason: Nonsense) -> Error {
        Error::Protocol { place: self.place(), reason }
    }

    /// Who is asked, for messages.
    fn place(&self) -> String {
        self.base.origin().ascii_serialization()
    }
}

/// An error of the library and what lies behind it.
fn causes(error: &reqwest::Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes.dedup();
    causes.join(": ")
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The number of the page behind this one. Of a link only the number is taken, so that no other host is ever asked.
fn next_page(headers: &HeaderMap) -> Option<u64> {
    if let Some(next) = number(headers, "x-next-page") {
        return Some(next);
    }
    let links = headers.get(header::LINK)?.to_str().ok()?;
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let url = next.split_once('<')?.1.split_once('>')?.0;
    let query = url.split_once('?')?.1;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| *name == "page").find_map(|(_, value)| value.parse().ok())
}

/// How long the answer says to wait. A time of day is compared with the server's own clock.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let date = |name: HeaderName| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok();
    if let Some(seconds) = number(headers, "retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    let now = date(header::DATE)?;
    if let Some(then) = date(header::RETRY_AFTER) {
        return Some(then.duration_since(now).unwrap_or_default());
    }
    let reset = number(headers, "x-ratelimit-reset").or_else(|| number(headers, "ratelimit-reset"))?;
    let then = std::time::UNIX_EPOCH.checked_add(Duration::from_secs(reset))?;
    Some(then.duration_since(now).unwrap_or_default())
}

/// Whether a refusal is one of too many requests.
fn is_limit(headers: &HeaderMap, body: &[u8]) -> bool {
    let used_up = number(headers, "x-ratelimit-remaining") == Some(0);
    used_up || headers.contains_key(header::RETRY_AFTER) || message(body).to_ascii_lowercase().contains("rate limit")
}

/// What an answer says in words, on one line: forges put it under `message`, `error` or `errors`, as text or in lists.
fn message(body: &[u8]) -> String {
    fn words(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(all) => all.iter().for_each(|value| words(value, found)),
            Value::Object(fields) => {
                fields
                    .iter()
                    .filter(|(key, _)| !matches!(key.as_str(), "documentation_url" | "url" | "status"))
                    .for_each(|(_, value)| words(value, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        words(&value, &mut found);
    }
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    found.join("; ").chars().map(plain).take(MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_next_page_is_a_number_whoever_names_it() {
        let link = "<https://evil.example.org/x?state=open&page=3&per_page=1>; rel=\"next\", <https://h/?page=9>; rel=\"last\"";
        assert_eq!(next_page(&headers(&[("link", link)])), Some(3));
        assert_eq!(next_page(&headers(&[("link", "<https://h/?page=1>; rel=\"first\"")])), None);
        assert_eq!(next_page(&headers(&[("x-next-page", "2")])), Some(2));
        assert_eq!(next_page(&headers(&[("x-next-page", "")])), None);
        assert_eq!(next_page(&headers(&[("link", "rel=\"next\"")])), None);
    }

    #[test]
    fn how_long_to_wait_is_told_in_three_ways() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wait(&headers(&[("retry-after", "7")])), Some(Duration::from_secs(7)));
        let later = headers(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date]);
        assert_eq!(wait(&later), Some(Duration::from_secs(30)));
        let reset = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "784111787"), date];
        assert_eq!(wait(&headers(&reset)), Some(Duration::from_secs(10)));
        assert_eq!(wait(&headers(&[("ratelimit-reset", "784111000"), date])), Some(Duration::ZERO));
        assert_eq!(wait(&headers(&[("x-ratelimit-reset", "784111787")])), None, "without a clock");
        assert!(is_limit(&headers(&reset), b"") && !is_limit(&headers(&[("x-ratelimit-remaining", "9")]), b""));
        assert!(is_limit(&headers(&[]), br#"{"message": "You have exceeded a secondary rate limit"}"#));
    }

    #[test]
    fn what_is_said_is_one_line_from_wherever_it_stands() {
        let github = br#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","message":"exists\nalready"}],"documentation_url":"https://d"}"#;
        assert_eq!(message(github), "Validation Failed; PullRequest; exists already");
        assert_eq!(message(br#"{"message":["Another open merge request"]}"#), "Another open merge request");
        assert_eq!(message(b"<html>"), "");
        assert_eq!(message(format!("{{\"error\":\"{}\"}}", "x".repeat(1000)).as_bytes()).len(), MESSAGE);
    }
}

//! A bucket of BOS by its own interface: signed with `bce-auth-v1`, speaking JSON.
//!
//! Every request carries the sha256 of its body in `x-bce-content-sha256`, which BOS compares with what arrives. Source:
//! Baidu's API reference of BOS (PutObject, UploadPart, CompleteMultipartUpload, ListObjects).

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, Url};
use serde::Deserialize;

use super::bce;
use super::bucket::{Answer, Bucket};
use super::library::steps;
use super::web::{Web, whole};
use crate::config::KeyPair;
use crate::model::Sha256;
use crate::net::{Body, block_on};
use crate::target::{Fault, Listed, Nonsense, Reading};

/// How long a request's signature is valid, in seconds: longer than a slow part takes.
const VALID: u64 = 1800;

/// See the module.
#[derive(Debug)]
pub struct Native {
    /// What every URL begins with; ends with a slash.
    base: Url,
    keys: Option<KeyPair>,
    web: Web,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    upload_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Completed {
    e_tag: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    contents: Vec<Object>,
    #[serde(default)]
    is_truncated: bool,
    next_marker: Option<String>,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    size: u64,
}

impl Native {
    /// The bucket at `base`, which ends with a slash; without keys nothing is signed.
    pub fn new(base: Url, keys: Option<KeyPair>, web: Web) -> Self {
        Self { base, keys, web }
    }

    /// The path of a key, not encoded.
    fn path(&self, key: &str) -> String {
        format!("{}{key}", self.base.path())
    }

    fn url(&self, key: &str, query: &str) -> Answer<Url> {
        let (path, mut url) = (bce::encoded(&self.path(key), true), self.base.clone());
        url.set_path(&path);
        url.set_query((!query.is_empty()).then_some(query));
        // A part of dots would be resolved away, and another object be meant.
        if url.path() == path { Ok(url) } else { Err(Fault::Refused { status: 400, code: "InvalidKey".to_owned() }) }
    }

    /// The host as the `Host` header has it.
    fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    fn request(
        &self,
        method: Method,
        key: &str,
        query: &[(&str, &str)],
        range: Option<Range<u64>>,
        body: Bytes,
    ) -> Answer<Response> {
        let time = bce::stamp(Timestamp::now());
        let mut signed = vec![("host", self.host()), ("x-bce-date", time.clone())];
        if matches!(method, Method::PUT | Method::POST) {
            signed.push(("x-bce-content-sha256", Sha256::of(&body).to_string()));
        }
        if let Some(token) = self.keys.as_ref().and_then(|keys| keys.session_token.as_ref()) {
            signed.push(("x-bce-security-token", token.expose().to_owned()));
        }
        let mut headers = HeaderMap::new();
        let text = |text: &str| {
            HeaderValue::from_str(text).map_err(|e| Fault::Protocol { reason: Nonsense::Library(e.to_string()) })
        };
        for (name, value) in &signed {
            headers.insert(HeaderName::from_static(name), text(value)?);
        }
        if let Some(keys) = &self.keys {
            let pairs: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let request = bce::Request { method: method.as_str(), path: &self.path(key), query, headers: &pairs };
            let mut value = text(&bce::authorization(keys, &time, VALID, &request))?;
            value.set_sensitive(true);
            headers.insert("authorization", value);
        }
        if let Some(range) = range {
            headers.insert("range", text(&format!("bytes={}-{}", range.start, range.end.saturating_sub(1)))?);
        }
        if matches!(method, Method::PUT | Method::POST) {
            headers.insert("content-length", body.len().into());
        }
        run(self.web.send(method, self.url(key, &bce::query(query))?, headers, steps(body)))
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, response: Response) -> Answer<T> {
        let bytes = run(whole(response))?;
        // The text itself is not shown: it is the other side's.
        serde_json::from_slice(&bytes).map_err(|e| Fault::Protocol { reason: Nonsense::Json(e.to_string()) })
    }
}

fn run<T>(future: impl Future<Output = Answer<T>>) -> Answer<T> {
    block_on(future).map_err(|e| Fault::Connection { reason: e.to_string() })?
}

fn number(response: &Response, name: &str, after: &str) -> Option<u64> {
    response.headers().get(name)?.to_str().ok()?.rsplit(after).next()?.parse().ok()
}

impl Bucket for Native {
    fn size(&self, key: &str) -> Answer<Option<u64>> {
        match self.request(Method::HEAD, key, &[], None, Bytes::new()) {
            Ok(response) => match number(&response, "content-length", " ") {
                Some(length) => Ok(Some(length)),
                None => Err(Fault::Protocol { reason: Nonsense::NoSize }),
            },
            Err(Fault::Missing) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn read(&self, key: &str, range: Option<Range<u64>>) -> Answer<Reading> {
        let response = self.request(Method::GET, key, &[], range.clone(), Bytes::new())?;
        let (start, total) = match (range, response.status().as_u16()) {
            (Some(range), 206) => {
                let prefix = format!("bytes {}-", range.start);
                let said = response.headers().get("content-range").and_then(|value| value.to_str().ok());
                if !said.is_some_and(|said| said.starts_with(&prefix)) {
                    let header = |said| Nonsense::Library(format!("`Content-Range: {said}`"));
                    let reason = said.map_or(Nonsense::NoRange, header);
                    return Err(Fault::Protocol { reason });
                }
                (range.start, number(&response, "content-range", "/"))
            }
            _ => (0, number(&response, "content-length", " ")),
        };
        let stall = self.web.stall();
        let stream = response.bytes_stream().map_err(move |e| Fault::in_body(&e, stall));
        Ok(Reading { start, total, body: Box::new(Body::new(stream, stall)) })
    }

    fn put(&self, key: &str, bytes: Bytes) -> Answer<()> {
        self.request(Method::PUT, key, &[], None, bytes).map(|_| ())
    }

    fn list(&self, prefix: &str) -> Answer<Vec<Listed>> {
        let mut found = Vec::new();
        let mut marker = String::new();
        loop {
            let query = [("prefix", prefix), ("marker", &marker), ("maxKeys", "1000")];
            let given: Vec<_> = query.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            let page: Page = self.json(self.request(Method::GET, "", &given, None, Bytes::new())?)?;
            let next = page.next_marker.or_else(|| page.contents.last().map(|object| object.key.clone()));
            found.extend(page.contents.into_iter().map(|Object { key, size }| Listed { key, size }));
            match next.filter(|next| page.is_truncated && *next > marker) {
                Some(next) => marker = next,
                None => return Ok(found),
            }
        }
    }

    fn delete(&self, key: &str) -> Answer<()> {
        match self.request(Method::DELETE, key, &[], None, Bytes::new()) {
            Ok(_) | Err(Fault::Missing) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    fn sign(&self, key: &str, expires: Duration) -> Answer<Option<String>> {
        let Some(keys) = &self.keys else { return Ok(None) };
        let time = bce::stamp(Timestamp::now());
        let host = self.host();
        let token = keys.session_token.as_ref().map(|token| ("x-bce-security-token", token.expose()));
        let query: Vec<_> = token.into_iter().collect();
        let request = bce::Request { method: "GET", path: &self.path(key), query: &query, headers: &[("host", &host)] };
        let authorization = bce::authorization(keys, &time, expires.as_secs(), &request);
        let all: Vec<_> = query.into_iter().chain([("authorization", authorization.as_str())]).collect();
        Ok(Some(self.url(key, &bce::query(&all))?.to_string()))
    }

    fn begin(&self, key: &str) -> Answer<String> {
        let response = self.request(Method::POST, key, &[("uploads", "")], None, Bytes::new())?;
        Ok(self.json::<Begun>(response)?.upload_id)
    }

    fn part(&self, key: &str, upload: &str, index: usize, bytes: Bytes) -> Answer<String> {
        let number = (index + 1).to_string();
        let response = self.request(Method::PUT, key, &[("partNumber", &number), ("uploadId", upload)], None, bytes)?;
        let tag = response.headers().get("etag").and_then(|value| value.to_str().ok());
        let tag = tag.ok_or(Fault::Protocol { reason: Nonsense::NoTag })?;
        Ok(tag.trim_matches('"').to_owned())
    }

    fn complete(&self, key: &str, upload: &str, parts: Vec<String>) -> Answer<()> {
        let parts: Vec<_> = parts
            .iter()
            .zip(1..)
            .map(|(tag, number)| serde_json::json!({ "partNumber": number, "eTag": tag }))
            .collect();
        let body = serde_json::json!({ "parts": parts }).to_string();
        let response = self.request(Method::POST, key, &[("uploadId", upload)], None, body.into())?;
        let completed: Completed = self.json(response)?;
        match completed.e_tag.is_empty() {
            false => Ok(()),
            true => Err(Fault::Protocol { reason: Nonsense::NoTag }),
        }
    }

    fn abort(&self, key: &str, upload: &str) -> Answer<()> {
        self.request(Method::DELETE, key, &[("uploadId", upload)], None, Bytes::new()).map(|_| ())
    }

    fn checks(&self) -> bool {
        true
    }
}

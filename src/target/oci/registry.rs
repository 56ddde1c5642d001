//! The requests a registry answers (OCI distribution-spec v1.1): blobs, manifests, tags, uploads.

use std::future::Future;
use std::ops::Range;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::web::{Web, protocol, reading_headers, refusal, shown};
use super::super::{Ambient, Detour, Error, Fault, Nonsense, Reading};
use super::account::{Account, Origin};
use super::artifact::{Artifact, MANIFEST};
use crate::model::Sha256;

/// How long a registry may take over what it was sent: it hashes a whole package before it answers.
const DIGESTING: Duration = Duration::from_secs(30 * 60);
/// The largest manifest that registries have to take (distribution-spec v1.1).
const LARGEST_MANIFEST: usize = 4 << 20;
/// More than any list of tags or repositories in one answer.
const LARGEST_LIST: usize = 16 << 20;
/// How many parts of one list are asked for.
const LIST_PARTS: usize = 10_000;

/// One registry.
pub(super) struct Registry {
    base: Url,
    web: Web,
    slow: Web,
    account: Account,
}

/// What is done in a repository; a token is for that.
#[derive(Clone, Copy)]
pub(super) enum Right {
    Pull,
    Push,
    Delete,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Names {
    tags: Option<Vec<String>>,
    repositories: Option<Vec<String>>,
}

fn scope(repository: &str, right: Right) -> String {
    let actions = match right {
        Right::Pull => "pull",
        Right::Push => "pull,push",
        Right::Delete => "pull,push,delete",
    };
    format!("repository:{repository}:{actions}")
}

/// The URL of a registry as configuration and records name it: a host, with `http://` where it has no TLS.
pub(super) fn address(registry: &str) -> Option<Url> {
    let host = registry.strip_prefix("https://").or_else(|| registry.strip_prefix("http://")).unwrap_or(registry);
    let host = host.strip_suffix('/').unwrap_or(host);
    let scheme = if registry.starts_with("http://") { "http" } else { "https" };
    // What docker calls `docker.io` answers elsewhere.
    let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
    let plain = !host.is_empty() && !host.contains(['/', '@', '?', '#', '\\', ' ']);
    if plain { Url::parse(&format!("{scheme}://{host}/")).ok() } else { None }
}

impl Registry {
    /// The registry at `base`.
    pub fn new(target: &str, base: Url, origin: Origin, ambient: &Ambient) -> Result<Self, Error> {
        let web = Web::new(target, ambient)?;
        let slow = Web::waiting(target, ambient, DIGESTING.max(ambient.stall_timeout))?;
        Ok(Self { account: Account::new(base.clone(), origin), base, web, slow })
    }

    /// Its URL.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// How long nothing may come before a transfer counts as stalled.
    pub fn stall(&self) -> Duration {
        self.web.stall()
    }

    /// Waits for a request.
    pub fn run<T>(&self, request: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        self.web.run(request)
    }

    fn url(&self, path: &str) -> Result<Url, Fault> {
        self.base.join(path).map_err(|e| Fault::Protocol { reason: Nonsense::Library(e.to_string()) })
    }

    /// Sends what `send` makes of a login; where the registry itself refuses, once more with another.
    async fn answer<F, Sent>(&self, scope: &str, send: F) -> Result<Response, Fault>
    where
        F: Fn(Option<HeaderValue>) -> Sent,
        Sent: Future<Output = Result<Response, Fault>>,
    {
        let response = send(self.account.header(scope)).await?;
        // A server we were sent on to must not ask for our login.
        let own = response.url().origin() == self.base.origin();
        if response.status() != StatusCode::UNAUTHORIZED || !own {
            return Ok(response);
        }
        match self.account.log_in(&self.web, scope, response.headers()).await? {
            Some(header) => send(Some(header)).await,
            None => Ok(response),
        }
    }

    async fn follow(&self, method: Method, url: &Url, scope: &str, headers: HeaderMap) -> Result<Response, Fault> {
        let send = |login| self.web.follow(method.clone(), url.clone(), headers.clone(), login);
        self.answer(scope, send).await
    }

    fn blob_url(&self, repository: &str, sha256: &Sha256) -> Result<Url, Fault> {
        self.url(&format!("v2/{repository}/blobs/sha256:{sha256}"))
    }

    /// The length of a blob; `None` where there is none.
    pub async fn blob_size(&self, repository: &str, sha256: &Sha256) -> Result<Option<u64>, Fault> {
        let (url, scope) = (self.blob_url(repository, sha256)?, scope(repository, Right::Pull));
        self.web.size(|method, headers| self.follow(method, &url, &scope, headers)).await
    }

    /// Begins to read a blob; `fresh` is past caches.
    pub async fn blob(
        &self,
        repository: &str,
        sha256: &Sha256,
        range: Option<&Range<u64>>,
        fresh: bool,
    ) -> Result<Reading, Fault> {
        let (url, scope) = (self.blob_url(repository, sha256)?, scope(repository, Right::Pull));
        let response = self.follow(Method::GET, &url, &scope, reading_headers(range, fresh)).await?;
        self.web.reading(response, range)
    }

    /// Removes a blob; nothing where there is none.
    pub async fn delete_blob(&self, repository: &str, sha256: &Sha256) -> Result<(), Fault> {
        let (url, scope) = (self.blob_url(repository, sha256)?, scope(repository, Right::Delete));
        let response = self.follow(Method::DELETE, &url, &scope, HeaderMap::new()).await?;
        match refusal(&response) {
            None | Some(Fault::Missing) => Ok(()),
            Some(fault) => Err(fault),
        }
    }

    /// The manifest that a tag or digest names, with its digest; `None` where there is none, or it is of another kind.
    pub async fn manifest(&self, repository: &str, reference: &str) -> Result<Option<(Sha256, Vec<u8>)>, Fault> {
        let url = self.url(&format!("v2/{repository}/manifests/{reference}"))?;
        let accept = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(MANIFEST))]);
        let response = self.follow(Method::GET, &url, &scope(repository, Right::Pull), accept).await?;
        match refusal(&response) {
            Some(Fault::Missing) => return Ok(None),
            Some(fault) => return Err(fault),
            None => {}
        }
        let bytes = self.web.small(response, LARGEST_MANIFEST).await?;
        let found = Sha256::of(&bytes);
        if reference.strip_prefix("sha256:").is_some_and(|wanted| wanted != found.to_string()) {
            return Err(protocol(Nonsense::OtherManifest));
        }
        Ok(Some((found, bytes)))
    }

    /// The same, understood; `None` where it is no package of ours.
    pub async fn artifact(&self, repository: &str, reference: &str) -> Result<Option<(Sha256, Artifact)>, Fault> {
        let Some((sha256, bytes)) = self.manifest(repository, reference).await? else { return Ok(None) };
        let artifact = serde_json::from_slice(&bytes).ok().filter(Artifact::is_package);
        Ok(artifact.map(|artifact| (sha256, artifact)))
    }

    /// Puts a manifest under a tag, which it takes from whatever had it.
    pub async fn put_manifest(&self, repository: &str, tag: &str, bytes: &[u8]) -> Result<(), Fault> {
        let url = self.url(&format!("v2/{repository}/manifests/{tag}"))?;
        let send = |login| {
            let request = self.slow.request(Method::PUT, url.clone());
            self.slow.send(with(request.header(header::CONTENT_TYPE, MANIFEST).body(bytes.to_vec()), login))
        };
        expect(self.answer(&scope(repository, Right::Push), send).await?, StatusCode::CREATED).map(drop)
    }

    /// Opens an upload; gives the URL it goes to.
    pub async fn begin(&self, repository: &str) -> Result<Url, Fault> {
        let url = self.url(&format!("v2/{repository}/blobs/uploads/"))?;
        let send = |login| {
            let request = self.slow.request(Method::POST, url.clone()).header(header::CONTENT_LENGTH, 0);
            self.slow.send(with(request, login))
        };
        let response = self.answer(&scope(repository, Right::Push), send).await?;
        location(&expect(response, StatusCode::ACCEPTED)?)
    }

    /// Sends one part of an upload, `at` bytes after its start; gives the URL for the next.
    pub async fn part(&self, repository: &str, to: &Url, at: u64, bytes: bytes::Bytes) -> Result<Url, Fault> {
        let range = format!("{at}-{}", (at + bytes.len() as u64).saturating_sub(1));
        let send = |login| {
            let request = self.slow.request(Method::PATCH, to.clone());
            let request = request.header(header::CONTENT_RANGE, &range).header(header::CONTENT_TYPE, OCTETS);
            self.slow.send(with(request.body(bytes.clone()), login))
        };
        let response = self.upload(repository, to, send).await?;
        location(&expect(response, StatusCode::ACCEPTED)?)
    }

    /// How far an upload is that was begun before: the URL for the next part, and how many bytes the registry has.
    pub async fn held(&self, repository: &str, to: &Url) -> Result<(Url, u64), Fault> {
        let send = |login| self.web.send(with(self.web.request(Method::GET, to.clone()), login));
        let response = expect(self.upload(repository, to, send).await?, StatusCode::NO_CONTENT)?;
        let range = response.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
        let held = range.and_then(held_by).ok_or_else(|| protocol(Nonsense::NoPosition))?;
        Ok((location(&response)?, held))
    }

    /// Ends an upload with its last bytes, or all; the registry compares all it got with the digest.
    pub async fn end(&self, repository: &str, to: &Url, sha256: &Sha256, bytes: bytes::Bytes) -> Result<(), Fault> {
        let to = last(to, sha256);
        let send = |login| {
            let request = self.slow.request(Method::PUT, to.clone());
            let request = request.header(header::CONTENT_TYPE, OCTETS).header(header::CONTENT_LENGTH, bytes.len());
            self.slow.send(with(request.body(bytes.clone()), login))
        };
        expect(self.upload(repository, &to, send).await?, StatusCode::CREATED).map(drop)
    }

    /// The request that sends a whole blob from a stream, and the client for it. Only a login that is known is used, since
    /// a stream is there once.
    pub fn whole(&self, repository: &str, to: &Url, sha256: &Sha256, size: u64, body: reqwest::Body) -> Whole {
        let to = last(to, sha256);
        let login = self.account.header(&scope(repository, Right::Push));
        let login = login.filter(|_| to.origin() == self.base.origin());
        let request = self.slow.request(Method::PUT, to);
        let request = request.header(header::CONTENT_TYPE, OCTETS).header(header::CONTENT_LENGTH, size).body(body);
        let sent = with(request, login).send();
        Box::pin(async move {
            let response = sent.await.map_err(|e| Fault::of(&e, DIGESTING))?;
            expect(response, StatusCode::CREATED).map(drop)
        })
    }

    async fn upload<F, Sent>(&self, repository: &str, to: &Url, send: F) -> Result<Response, Fault>
    where
        F: Fn(Option<HeaderValue>) -> Sent,
        Sent: Future<Output = Result<Response, Fault>>,
    {
        // Registries may have their uploads taken by another server, whose URL then holds all it needs.
        if to.origin() != self.base.origin() {
            return send(None).await;
        }
        self.answer(&scope(repository, Right::Push), send).await
    }

    /// Every tag of a repository.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, Fault> {
        let path = format!("v2/{repository}/tags/list?n=1000");
        let parts: Vec<Names> = self.list(&path, &scope(repository, Right::Pull)).await?;
        Ok(parts.into_iter().filter_map(|part| part.tags).flatten().collect())
    }

    /// Every repository of the registry.
    pub async fn repositories(&self) -> Result<Vec<String>, Fault> {
        let parts: Vec<Names> = self.list("v2/_catalog?n=1000", "registry:catalog:*").await?;
        Ok(parts.into_iter().filter_map(|part| part.repositories).flatten().collect())
    }

    /// A list in parts, each of which names the next one in `Link` (RFC 8288).
    async fn list<T: DeserializeOwned>(&self, path: &str, scope: &str) -> Result<Vec<T>, Fault> {
        let mut url = self.url(path)?;
        let mut parts = Vec::new();
        while parts.len() < LIST_PARTS {
            let response = self.follow(Method::GET, &url, scope, HeaderMap::new()).await?;
            match refusal(&response) {
                Some(Fault::Missing) => return Ok(parts),
                Some(fault) => return Err(fault),
                None => {}
            }
            let next = response.headers().get(header::LINK).and_then(|link| link.to_str().ok()).and_then(next_part);
            let next = next.and_then(|next| url.join(next).ok()).filter(|next| next.origin() == self.base.origin());
            let bytes = self.web.small(response, LARGEST_LIST).await?;
            parts.push(serde_json::from_slice(&bytes).map_err(|_| protocol(Nonsense::List))?);
            match next {
                Some(next) if next != url => url = next,
                _ => break,
            }
        }
        Ok(parts)
    }
}

/// A request under way.
pub(super) type Whole = std::pin::Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

const OCTETS: &str = "application/octet-stream";

fn with(request: reqwest::RequestBuilder, login: Option<HeaderValue>) -> reqwest::RequestBuilder {
    match login {
        Some(login) => request.header(header::AUTHORIZATION, login),
        None => request,
    }
}

fn expect(response: Response, status: StatusCode) -> Result<Response, Fault> {
    match refusal(&response) {
        Some(fault) => Err(fault),
        None if response.status() == status => Ok(response),
        None => Err(Fault::Status { status: response.status().as_u16() }),
    }
}

/// Where an upload goes on. Never from https to http: the package may not be public.
fn location(response: &Response) -> Result<Url, Fault> {
    let text = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let to = text.and_then(|text| response.url().join(text).ok());
    let to = to.ok_or_else(|| protocol(Nonsense::NoUpload))?;
    if to.scheme() != response.url().scheme() && to.scheme() != "https" {
        return Err(Fault::Redirect { to: shown(&to), reason: Detour::Downgrade });
    }
    Ok(to)
}

fn last(to: &Url, sha256: &Sha256) -> Url {
    let mut to = to.clone();
    to.query_pairs_mut().append_pair("digest", &format!("sha256:{sha256}"));
    to
}

/// `<…>; rel="next"`
fn next_part(link: &str) -> Option<&str> {
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    rest.contains("next").then_some(target)
}

/// The number of bytes in `0-<last>`. Registries say `0-0` of nothing; one byte of many is not worth telling apart.
fn held_by(range: &str) -> Option<u64> {
    let last: u64 = range.strip_prefix("bytes=").unwrap_or(range).strip_prefix("0-")?.parse().ok()?;
    Some(if last == 0 { 0 } else { last.checked_add(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_hosts() {
        let shown = |registry| address(registry).map(String::from);
        assert_eq!(shown("registry.example:5000").as_deref(), Some("https://registry.example:5000/"));
        assert_eq!(shown("http://127.0.0.1:5000").as_deref(), Some("http://127.0.0.1:5000/"));
        assert_eq!(shown("docker.io").as_deref(), Some("https://registry-1.docker.io/"));
        for bad in ["", "https://", "host/path", "mei@host", "host?x", "ftp://host"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }

    #[test]
    fn how_much_an_upload_has() {
        assert_eq!(held_by("0-0"), Some(0));
        assert_eq!(held_by("0-16777215"), Some(16 << 20));
        assert_eq!(held_by("bytes=0-9"), Some(10));
        for bad in ["", "5-9", "0-", "0--1", "0-18446744073709551615"] {
            assert_eq!(held_by(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_next_part_of_a_list() {
        assert_eq!(next_part("</v2/_catalog?last=b&n=2>; rel=\"next\""), Some("/v2/_catalog?last=b&n=2"));
        assert_eq!(next_part("</v2/_catalog>; rel=\"prev\""), None);
        assert_eq!(next_part("nonsense"), None);
    }
}

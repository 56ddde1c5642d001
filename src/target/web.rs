//! HTTP as this program speaks it: redirects followed by hand, answers judged, bodies as [`Reading`]s.
//!
//! Promises: a login goes to the scheme, host and port it was given for and is dropped for good at the first redirect
//! elsewhere; nothing is followed from https to http; bytes are taken as they are, never decompressed; a body that is
//! shorter or longer than announced is an error; no fault holds a query, which may be a signature.

use std::error::Error as _;
use std::future::Future;
use std::io::{self, Read};
use std::ops::Range;
use std::time::Duration;

use base64::Engine as _;
use futures_util::TryStreamExt as _;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};

use super::{Ambient, Detour, Error, Fault, Nonsense, Reading, Setting};
use crate::config::Login;
use crate::net::{Body, block_on, client};

/// How many redirects are followed.
const REDIRECTS: usize = 10;

/// A client, and how long it waits.
pub(super) struct Web {
    client: Client,
    stall: Duration,
}

impl Web {
    /// A client that waits for an answer as long as nothing else comes for `ambient.stall_timeout`.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] for a proxy that cannot be used, or where the system has no certificates to trust.
    pub fn new(target: &str, ambient: &Ambient) -> Result<Self, Error> {
        Self::waiting(target, ambient, ambient.stall_timeout)
    }

    /// The same, but it waits so long for an answer.
    pub fn waiting(target: &str, ambient: &Ambient, answer: Duration) -> Result<Self, Error> {
        let built = client(ambient).and_then(|builder| builder.read_timeout(answer).build());
        match built {
            Ok(client) => Ok(Self { client, stall: answer }),
            Err(e) => {
                // What lies behind the library's own words.
                let reason = e.source().map_or_else(|| e.to_string(), ToString::to_string);
                Err(Error::Settings { target: target.to_owned(), reason: Setting::Library(reason) })
            }
        }
    }

    /// How long it waits for an answer.
    pub fn stall(&self) -> Duration {
        self.stall
    }

    /// Starts a request.
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url).header(header::ACCEPT_ENCODING, "identity")
    }

    /// Sends a request and gives whatever the answer is.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, Fault> {
        request.send().await.map_err(|e| Fault::of(&e, self.stall))
    }

    /// Asks for `url` or part of it and follows redirects. `login` is for the URL's scheme, host and port.
    pub async fn follow(
        &self,
        method: Method,
        mut url: Url,
        headers: HeaderMap,
        mut login: Option<HeaderValue>,
    ) -> Result<Response, Fault> {
        let mut visited = Vec::new();
        loop {
            let mut request = self.request(method.clone(), url.clone()).headers(headers.clone());
            if let Some(login) = &login {
                request = request.header(header::AUTHORIZATION, login.clone());
            }
            let response = self.send(request).await?;
            let Some(next) = next(&response, &url)? else { return Ok(response) };
            let not = |reason| Err(Fault::Redirect { to: shown(&next), reason });
            if next.origin() != url.origin() {
                login = None;
            }
            visited.push(url);
            if visited.contains(&next) {
                return not(Detour::Circle);
            }
            if visited.len() > REDIRECTS {
                return not(Detour::Many);
            }
            url = next;
        }
    }

    /// The length that `url` has; `None` where nothing is there. Servers that refuse HEAD, as signed URLs make them, are
    /// asked for the first byte.
    pub async fn size<F, Answer>(&self, ask: F) -> Result<Option<u64>, Fault>
    where
        F: Fn(Method, HeaderMap) -> Answer,
        Answer: Future<Output = Result<Response, Fault>>,
    {
        let head = ask(Method::HEAD, HeaderMap::new()).await?;
        match refusal(&head) {
            Some(Fault::Missing) => return Ok(None),
            Some(busy @ Fault::Busy { .. }) => return Err(busy),
            // The body of an answer to HEAD is empty, so the header is what counts.
            None if is_plain(&head) => {
                if let Some(length) = number(&head, &header::CONTENT_LENGTH) {
                    return Ok(Some(length));
                }
            }
            _ => {}
        }
        let first = ask(Method::GET, reading_headers(Some(&(0..1)), false)).await?;
        if first.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // Only the empty file has no first byte.
            return Ok(content_range(first.headers()).and_then(|(_, total)| total));
        }
        match refusal(&first) {
            Some(Fault::Missing) => Ok(None),
            Some(fault) => Err(fault),
            None if first.status() == StatusCode::PARTIAL_CONTENT => {
                let total = content_range(first.headers()).and_then(|(_, total)| total);
                total.map(Some).ok_or_else(|| protocol(Nonsense::NoSize))
            }
            None => {
                plain(&first)?;
                let length = first.content_length();
                length.map(Some).ok_or_else(|| protocol(Nonsense::NoSize))
            }
        }
    }

    /// The bytes of an answer to a GET for `range`.
    pub fn reading(&self, response: Response, range: Option<&Range<u64>>) -> Result<Reading, Fault> {
        if let Some(fault) = refusal(&response) {
            return Err(fault);
        }
        plain(&response)?;
        let length = response.content_length();
        let (start, total, expected) = match (response.status(), range) {
            (StatusCode::OK, _) => (0, length, length),
            (StatusCode::PARTIAL_CONTENT, Some(asked)) => {
                let Some((Some(given), total)) = content_range(response.headers()) else {
                    return Err(protocol(Nonsense::NoRange));
                };
                if let Some(length) = length.filter(|length| *length != asked.end - asked.start) {
                    return Err(protocol(Nonsense::OtherLength { found: length, asked: asked.end - asked.start }));
                }
                if given != *asked {
                    return Err(protocol(Nonsense::OtherRange { found: given, asked: asked.clone() }));
                }
                (given.start, total, Some(asked.end - asked.start))
            }
            (StatusCode::PARTIAL_CONTENT, None) => {
                return Err(protocol(Nonsense::Unasked));
            }
            (other, _) => return Err(Fault::Status { status: other.as_u16() }),
        };
        let stall = self.stall;
        let body = Body::new(response.bytes_stream().map_err(move |e| Fault::in_body(&e, stall)), stall);
        Ok(Reading { start, total, body: Box::new(Measured { body, read: 0, expected }) })
    }

    /// The body of an answer that is at most `limit` bytes long.
    pub async fn small(&self, mut response: Response, limit: usize) -> Result<Vec<u8>, Fault> {
        let mut all = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|e| Fault::of(&e, self.stall))? {
            all.extend_from_slice(&part);
            if all.len() > limit {
                return Err(protocol(Nonsense::TooLong));
            }
        }
        Ok(all)
    }

    /// Runs a request to its end.
    pub fn run<T>(&self, request: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        block_on(request).map_err(|e| Fault::Connection { reason: e.to_string() })?
    }
}

/// Where a redirect leads to; `None` where the answer is none.
fn next(response: &Response, from: &Url) -> Result<Option<Url>, Fault> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(header::LOCATION) else { return Ok(None) };
    let mut url = std::str::from_utf8(location.as_bytes())
        .ok()
        .and_then(|text| from.join(text).ok())
        .ok_or_else(|| protocol(Nonsense::Location))?;
    url.set_fragment(None);
    let reason = if !matches!(url.scheme(), "http" | "https") {
        Detour::Scheme
    } else if from.scheme() == "https" && url.scheme() == "http" {
        Detour::Downgrade
    } else if has_login(&url) {
        Detour::Login
    } else {
        return Ok(Some(url));
    };
    Err(Fault::Redirect { to: shown(&url), reason })
}

/// Whether a URL has a user or password in it.
pub(super) fn has_login(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// What an answer that is no success says.
pub(super) fn refusal(response: &Response) -> Option<Fault> {
    let status = response.status().as_u16();
    Some(match status {
        200..=299 => return None,
        404 | 410 => Fault::Missing,
        401 | 403 => Fault::Denied { status },
        429 | 503 => Fault::Busy { status, retry_after: retry_after(response.headers()) },
        408 | 500..=599 => Fault::Server { status },
        416 => Fault::Short { total: content_range(response.headers()).and_then(|(_, total)| total) },
        _ => Fault::Status { status },
    })
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date, which is compared with the server's own clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    let now = httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()?;
    Some(then.duration_since(now).unwrap_or_default())
}

/// `Content-Range` (RFC 9110, 14.4): the bytes given, if any, and the length of the whole.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(Option<Range<u64>>, Option<u64>)> {
    parse_content_range(headers.get(header::CONTENT_RANGE)?.to_str().ok()?)
}

fn parse_content_range(text: &str) -> Option<(Option<Range<u64>>, Option<u64>)> {
    let (given, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    if given == "*" {
        return Some((None, total));
    }
    let (first, last) = given.split_once('-')?;
    let given = first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?;
    let sound = given.start < given.end && total.is_none_or(|total| given.end <= total);
    sound.then_some((Some(given), total))
}

/// The headers of a GET: for a part where only that is wanted, and past caches where it has to be `fresh`.
pub(super) fn reading_headers(range: Option<&Range<u64>>, fresh: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(range) = range {
        let text = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        headers.extend(HeaderValue::from_str(&text).ok().map(|value| (header::RANGE, value)));
    }
    if fresh {
        let past = HeaderValue::from_static("no-cache");
        headers.extend([(header::CACHE_CONTROL, past.clone()), (header::PRAGMA, past)]);
    }
    headers
}

/// Refuses what was encoded on the way. `Content-Encoding: gzip` of a `.gz` file means the file as it lies there, since
/// some servers guess the header from the name.
fn plain(response: &Response) -> Result<(), Fault> {
    if is_plain(response) {
        return Ok(());
    }
    let encoding = response.headers().get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default();
    Err(protocol(Nonsense::Encoded(String::from_utf8_lossy(encoding).into_owned())))
}

fn is_plain(response: &Response) -> bool {
    let encoding = response.headers().get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default();
    let path = response.url().path();
    match encoding.to_ascii_lowercase().as_slice() {
        b"" | b"identity" => true,
        b"gzip" | b"x-gzip" => path.ends_with(".gz"),
        b"zstd" => path.ends_with(".zst"),
        _ => false,
    }
}

fn number(response: &Response, name: &header::HeaderName) -> Option<u64> {
    response.headers().get(name)?.to_str().ok()?.trim().parse().ok()
}

/// An answer that makes no sense.
pub(super) fn protocol(reason: Nonsense) -> Fault {
    Fault::Protocol { reason }
}

/// A URL as people may see it: without login, query and fragment.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Neither fails for URLs with a host, and others are shown by nobody.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// `Authorization: Basic` (RFC 7617).
pub(super) fn basic(login: &Login) -> Option<HeaderValue> {
    let pair = format!("{}:{}", login.username, login.password.expose());
    authorization("Basic", &base64::engine::general_purpose::STANDARD.encode(pair))
}

/// `Authorization` of a scheme; `None` where the secret has characters that no header can carry.
pub(super) fn authorization(scheme: &str, secret: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {secret}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A body whose length is known beforehand.
struct Measured {
    body: Body,
    read: u64,
    expected: Option<u64>,
}

impl Read for Measured {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read(out)?;
        self.read += count as u64;
        match self.expected {
            Some(expected) if count == 0 && !out.is_empty() && self.read < expected => {
                let text = format!("the connection ended after {} of {expected} bytes", self.read);
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, text))
            }
            Some(expected) if self.read > expected => {
                let text = format!("more came than the {expected} bytes announced");
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
            _ => Ok(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn content_ranges_are_read_strictly() {
        assert_eq!(parse_content_range("bytes 0-0/5"), Some((Some(0..1), Some(5))));
        assert_eq!(parse_content_range("bytes 3-9/*"), Some((Some(3..10), None)));
        assert_eq!(parse_content_range("bytes */0"), Some((None, Some(0))));
        for bad in ["bytes 5-3/9", "bytes 0-9/5", "items 0-1/2", "bytes 0-18446744073709551615/*", "bytes -1-2/3", ""] {
            assert_eq!(parse_content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_date_to_retry_at_is_compared_with_the_servers_clock() {
        let header = |name: &'static str, value: &'static str| {
            (header::HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let date = header("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let later: HeaderMap =
            [header("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date.clone()].into_iter().collect();
        assert_eq!(retry_after(&later), Some(Duration::from_secs(30)));
        let past: HeaderMap = [header("retry-after", "Sun, 06 Nov 1994 08:40:07 GMT"), date].into_iter().collect();
        assert_eq!(retry_after(&past), Some(Duration::ZERO));
        assert_eq!(retry_after(&[header("retry-after", " 7 ")].into_iter().collect()), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&[header("retry-after", "soon")].into_iter().collect()), None);
    }

    #[test]
    fn what_is_shown_has_no_secret() {
        let url = Url::parse("https://mei:pass@host:8443/a%20b/c?X-Amz-Signature=1#top").expect("a URL");
        assert_eq!(shown(&url), "https://host:8443/a%20b/c");
        let login = Login { username: "mei".to_owned(), password: crate::config::Secret::new("pass".to_owned()) };
        let header = basic(&login).expect("a header");
        assert_eq!(header.as_bytes(), b"Basic bWVpOnBhc3M=");
        assert!(!format!("{header:?}").contains("bWVp"));
    }

    proptest! {
        #[test]
        fn any_content_range_is_read_or_refused(text in "bytes [0-9*/-]{0,24}|\\PC{0,20}") {
            if let Some((Some(given), total)) = parse_content_range(&text) {
                prop_assert!(given.start < given.end && total.is_none_or(|total| given.end <= total));
            }
        }
    }
}
